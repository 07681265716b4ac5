//! What this person's windows remember, in one file of the data folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::ids::WatchlistId;
use tracing::warn;

use crate::{
    follow::Group,
    grid::{
        Cursor,
        config::{Density, GridConfig},
    },
    store::glow::Shape,
};

const FILE: &str = "workspace.json";
/// The version of the file's form; another one is kept aside.
const VERSION: u32 = 2;

/// Which colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

/// One window as it was left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SavedWindow {
    /// What it showed.
    pub watchlist: Option<WatchlistId>,
    /// Its width and height in points.
    pub size: Option<[f32; 2]>,
    /// How close its rows stand.
    pub density: Density,
    /// Whether it stays above the windows of other programs.
    pub on_top: bool,
    /// The windows that it goes with.
    pub group: Option<Group>,
    /// How its grids were arranged, by watchlist.
    pub grids: BTreeMap<WatchlistId, GridConfig>,
    /// Where their cursors were.
    pub cursors: BTreeMap<WatchlistId, Cursor>,
}

/// How changes by others are shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GlowChoice {
    /// How long they glow, in seconds, 0 to 10; 0 shows nothing.
    pub seconds: f32,
    /// Only the cell that changed, and not its row.
    pub cell_only: bool,
    /// Whether they fade.
    pub motion: Motion,
}

/// Whether what glows fades, or is marked and then no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Motion {
    /// As the system's accessibility settings have it.
    #[default]
    System,
    /// It fades.
    Fade,
    /// It does not.
    Still,
}

impl GlowChoice {
    /// What it comes to where the system wishes for less motion, or does not.
    pub fn shape(&self, less_motion: bool) -> Shape {
        let is_still = match self.motion {
            Motion::System => less_motion,
            Motion::Fade => false,
            Motion::Still => true,
        };
        let duration = Duration::from_secs_f32(self.seconds.clamp(0.0, 10.0));
        Shape { duration, cell_only: self.cell_only, is_still }
    }
}

impl Default for GlowChoice {
    fn default() -> Self {
        Self { seconds: 2.0, cell_only: false, motion: Motion::System }
    }
}

/// Everything that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    version: u32,
    /// Which colours.
    #[serde(default)]
    pub theme: ThemeChoice,
    /// Up and down in blue and orange, which most colour-blind people tell apart.
    #[serde(default)]
    pub colour_blind: bool,
    /// How changes by others are shown.
    #[serde(default)]
    pub glow: GlowChoice,
    /// How large everything is.
    #[serde(default = "unit")]
    pub zoom: f32,
    /// Watchlists that were deleted here and can be brought back.
    #[serde(default)]
    pub deleted: Vec<(WatchlistId, Arc<str>)>,
    /// Every window, in the order of their opening.
    #[serde(default)]
    pub windows: Vec<SavedWindow>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            version: VERSION,
            theme: ThemeChoice::default(),
            colour_blind: false,
            glow: GlowChoice::default(),
            zoom: unit(),
            deleted: Vec::new(),
            windows: Vec::new(),
        }
    }
}

fn unit() -> f32 {
    1.0
}

impl Workspace {
    /// Reads what was remembered. A file that cannot be understood is kept aside, and said so.
    pub fn read(data_dir: &Path) -> (Self, Option<String>) {
        let path = data_dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(_) => return (Self::default(), None),
        };
        let read = serde_json::from_slice::<Self>(&text).map_err(|error| error.to_string());
        let read = read.and_then(|read| match read.version {
            VERSION => Ok(read),
            other => Err(format!("it has version {other}")),
        });
        match read {
            Ok(workspace) => (workspace, None),
            Err(reason) => {
                let aside = path.with_extension("json.unread");
                let kept = fs::rename(&path, &aside).is_ok();
                warn!(reason, kept, "the saved windows cannot be read");
                let message =
                    format!("The saved windows could not be read; they are kept in {}.", aside.display());
                (Self::default(), Some(message))
            }
        }
    }

    /// Remembers, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let path: PathBuf = data_dir.join(FILE);
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { theme: ThemeChoice::Light, ..Workspace::default() };
        workspace.write(folder.path()).unwrap();
        assert_eq!(Workspace::read(folder.path()), (workspace, None));
        for text in ["{\"version\":2,\"the", "{\"version\":99}"] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let (read, said) = Workspace::read(folder.path());
            assert_eq!(read, Workspace::default());
            assert!(said.unwrap().contains("kept"));
            assert_eq!(fs::read_to_string(folder.path().join("workspace.json.unread")).unwrap(), text);
        }
    }
}
