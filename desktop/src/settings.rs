//! What this person's windows remember, in a file of the data folder for each process.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
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
    placement::Placement,
    servers::OWN,
    store::glow::Shape,
};

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
    /// Where it was, and how large.
    #[serde(flatten)]
    pub placement: Placement,
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

/// How large everything may be, next to what is wished.
pub fn zoom(wished: f32) -> f32 {
    wished.clamp(0.5, 3.0)
}

impl Workspace {
    /// Reads a file; nothing where there is none.
    ///
    /// # Errors
    /// Why it cannot be understood, in words.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let read: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        match read.version {
            VERSION => Ok(Some(read)),
            other => Err(format!("it has version {other}")),
        }
    }
}

/// Where one process remembers its windows: each has a file of its own, so that none writes over another's.
#[derive(Debug)]
pub struct WorkspaceFile {
    path: PathBuf,
    /// Held for as long as the process lives, however it ends.
    _lock: File,
}

impl WorkspaceFile {
    /// Takes the first file for a server that no other process has, and reads what is remembered there. What cannot
    /// be understood is kept aside, and said so. A process beside others that finds nothing to remember yet looks as
    /// the first one does.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn take(data_dir: &Path, server: &str) -> io::Result<(Self, Workspace, Option<String>)> {
        for number in 1.. {
            let path = file(data_dir, server, number);
            let lock = File::create(path.with_extension("lock"))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let taken = Self { path, _lock: lock };
            return Ok(match Workspace::read(&taken.path) {
                Ok(Some(workspace)) => (taken, workspace, None),
                Ok(None) => {
                    let first = |of| Workspace::read(&file(data_dir, of, 1)).ok().flatten();
                    let own = || Some(Workspace { deleted: Vec::new(), ..first(OWN)? });
                    let look = first(server).or_else(own).unwrap_or_default();
                    (taken, Workspace { windows: Vec::new(), ..look }, None)
                }
                Err(reason) => {
                    let said = taken.keep_aside(&reason);
                    (taken, Workspace::default(), Some(said))
                }
            });
        }
        unreachable!("there are more numbers than processes")
    }

    fn keep_aside(&self, reason: &str) -> String {
        let aside = (1..).map(|number| match number {
            1 => self.path.with_extension("json.unread"),
            _ => self.path.with_extension(format!("json.unread-{number}")),
        });
        let aside = aside.into_iter().find(|path| !path.exists());
        let kept = aside.filter(|aside| fs::rename(&self.path, aside).is_ok());
        warn!(reason, ?kept, "the saved windows cannot be read");
        match kept {
            Some(kept) => {
                format!("The saved windows could not be read; they are kept in {}.", kept.display())
            }
            None => format!("The saved windows in {} could not be read: {reason}.", self.path.display()),
        }
    }

    /// Remembers, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, workspace: &Workspace) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(workspace)?)?;
        fs::rename(new, &self.path)
    }
}

fn file(data_dir: &Path, server: &str, number: usize) -> PathBuf {
    let of = if server == OWN { String::new() } else { format!("-{server}") };
    match number {
        1 => data_dir.join(format!("workspace{of}.json")),
        _ => data_dir.join(format!("workspace{of}-{number}.json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path) -> (WorkspaceFile, Workspace, Option<String>) {
        WorkspaceFile::take(folder, OWN).unwrap()
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { theme: ThemeChoice::Light, ..Workspace::default() };
        take(folder.path()).0.write(&workspace).unwrap();
        assert_eq!(take(folder.path()).1, workspace);
        let broken = ["{\"version\":2,\"the", "{\"version\":99}"];
        for (text, aside) in broken.into_iter().zip(["workspace.json.unread", "workspace.json.unread-2"]) {
            fs::write(folder.path().join("workspace.json"), text).unwrap();
            let (_file, read, said) = take(folder.path());
            assert_eq!(read, Workspace::default());
            let aside = folder.path().join(aside);
            assert!(said.unwrap().ends_with(&format!("kept in {}.", aside.display())));
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
        }
    }

    #[test]
    fn each_process_remembers_its_own_windows_and_the_next_ones_find_them() {
        let folder = tempfile::tempdir().unwrap();
        let of = |sizes: &[f32]| Workspace {
            theme: ThemeChoice::Light,
            windows: sizes
                .iter()
                .map(|size| SavedWindow {
                    placement: Placement::sized(*size, *size),
                    ..SavedWindow::default()
                })
                .collect(),
            ..Workspace::default()
        };
        let (first, ..) = take(folder.path());
        first.write(&of(&[1.0])).unwrap();
        let (second, new, _) = take(folder.path());
        assert_eq!(new, of(&[]), "it looks as the first one does, with windows of its own");
        second.write(&of(&[2.0, 3.0])).unwrap();
        first.write(&of(&[4.0])).unwrap();
        drop((first, second));
        let (_first, one, _) = take(folder.path());
        let (_second, two, _) = take(folder.path());
        assert_eq!((one, two), (of(&[4.0]), of(&[2.0, 3.0])));
    }
}
