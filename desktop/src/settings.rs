//! The saved windows and preferences: one workspace file per process in the data folder.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use shared::ids::WatchlistId;
use tracing::warn;

use crate::{
    files::WriteFile,
    follow::Group,
    grid::{Cursor, ScrollPosition, config::GridConfig},
    placement::Placement,
    preferences::GlowChoice,
    servers::OWN,
    theme::{Density, Flash, ThemeChoice},
};

/// Version of the file format; files of other versions are set aside.
const VERSION: u32 = 2;

/// The saved state of one window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SavedWindow {
    /// Watchlist that it showed.
    pub watchlist: Option<WatchlistId>,
    /// Position and size on the screen.
    #[serde(flatten)]
    pub placement: Placement,
    /// Height of the rows.
    pub density: Density,
    /// What glows when others change a cell.
    pub flash: Flash,
    /// Whether it stays above the windows of other programs.
    pub on_top: bool,
    /// Colour that links it to other windows.
    pub group: Option<Group>,
    /// Grid configurations by watchlist.
    pub grids: BTreeMap<WatchlistId, GridConfig>,
    /// Cursors by watchlist.
    pub cursors: BTreeMap<WatchlistId, Cursor>,
    /// Scroll positions by watchlist.
    pub scrolls: BTreeMap<WatchlistId, ScrollPosition>,
}

/// Content of a workspace file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    version: u32,
    /// Theme setting.
    #[serde(default)]
    pub theme: ThemeChoice,
    /// Whether rises and falls are blue and orange, which most colour-blind people can distinguish.
    #[serde(default)]
    pub colour_blind: bool,
    /// Glow settings.
    #[serde(default)]
    pub glow: GlowChoice,
    /// Whether a screen reader announces changes by others.
    #[serde(default)]
    pub announces: bool,
    /// Zoom factor.
    #[serde(default = "default_zoom")]
    pub zoom: f32,
    /// Windows, in the order in which they were opened.
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
            announces: false,
            zoom: default_zoom(),
            windows: Vec::new(),
        }
    }
}

fn default_zoom() -> f32 {
    1.0
}

/// Clamps a zoom factor to the supported range, 0.5 to 3.
pub fn clamp_zoom(factor: f32) -> f32 {
    factor.clamp(0.5, 3.0)
}

impl Workspace {
    /// Reads a file; returns `None` if it does not exist.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let read: Self = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        match read.version {
            VERSION => Ok(Some(read)),
            other => Err(format!("unsupported version {other}")),
        }
    }
}

/// The workspace file of one process. Each process locks its own file, so that none overwrites another's.
#[derive(Debug)]
pub struct WorkspaceFile {
    path: PathBuf,
    write_file: WriteFile,
    /// Locked until the process ends.
    _lock: File,
}

impl WorkspaceFile {
    /// Locks the first file of a server that no other process uses, and reads it. An invalid file is set
    /// aside and reported in the returned notice. A new file starts with the preferences of the first one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn claim(
        data_dir: &Path,
        server: &str,
        write_file: WriteFile,
    ) -> io::Result<(Self, Workspace, Option<String>)> {
        for number in 1.. {
            let path = workspace_path(data_dir, server, number);
            let lock = File::create(path.with_extension("lock"))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let claimed = Self { path, write_file, _lock: lock };
            return Ok(match Workspace::read(&claimed.path) {
                Ok(Some(workspace)) => (claimed, workspace, None),
                Ok(None) => {
                    let first = |of| Workspace::read(&workspace_path(data_dir, of, 1)).ok().flatten();
                    let look = first(server).or_else(|| first(OWN)).unwrap_or_default();
                    (claimed, Workspace { windows: Vec::new(), ..look }, None)
                }
                Err(reason) => {
                    let notice = claimed.set_aside(&reason);
                    (claimed, Workspace::default(), Some(notice))
                }
            });
        }
        unreachable!("there are more file numbers than processes")
    }

    fn set_aside(&self, reason: &str) -> String {
        let aside = (1..).map(|number| match number {
            1 => self.path.with_extension("json.unread"),
            _ => self.path.with_extension(format!("json.unread-{number}")),
        });
        let aside = aside.into_iter().find(|path| !path.exists());
        let kept = aside.filter(|aside| fs::rename(&self.path, aside).is_ok());
        warn!(reason, ?kept, "failed to read the saved windows");
        match kept {
            Some(kept) => {
                format!("Cannot restore the saved windows. Their file was kept as {}.", kept.display())
            }
            None => format!("Cannot restore the saved windows from {}: {reason}.", self.path.display()),
        }
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, workspace: &Workspace) -> io::Result<()> {
        (self.write_file)(&self.path, &serde_json::to_vec_pretty(workspace)?)
    }
}

fn workspace_path(data_dir: &Path, server: &str, number: usize) -> PathBuf {
    let of = if server == OWN { String::new() } else { format!("-{server}") };
    match number {
        1 => data_dir.join(format!("workspace{of}.json")),
        _ => data_dir.join(format!("workspace{of}-{number}.json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(folder: &Path) -> (WorkspaceFile, Workspace, Option<String>) {
        WorkspaceFile::claim(folder, OWN, server::files::write_atomically).unwrap()
    }

    #[test]
    fn an_invalid_file_is_set_aside_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace { theme: ThemeChoice::Light, ..Workspace::default() };
        claim(folder.path()).0.write(&workspace).unwrap();
        assert_eq!(claim(folder.path()).1, workspace);
        let broken = ["{\"version\":2,\"the", "{\"version\":99}"];
        for (text, aside) in broken.into_iter().zip(["workspace.json.unread", "workspace.json.unread-2"]) {
            fs::write(folder.path().join("workspace.json"), text).unwrap();
            let (_file, read, notice) = claim(folder.path());
            assert_eq!(read, Workspace::default());
            let aside = folder.path().join(aside);
            assert!(notice.unwrap().ends_with(&format!("kept as {}.", aside.display())));
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
        }
    }

    #[test]
    fn each_process_saves_its_own_windows_and_later_processes_restore_them() {
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
        let (first, ..) = claim(folder.path());
        first.write(&of(&[1.0])).unwrap();
        let (second, new, _) = claim(folder.path());
        assert_eq!(new, of(&[]), "the first one's preferences without its windows");
        second.write(&of(&[2.0, 3.0])).unwrap();
        first.write(&of(&[4.0])).unwrap();
        drop((first, second));
        let (_first, one, _) = claim(folder.path());
        let (_second, two, _) = claim(folder.path());
        assert_eq!((one, two), (of(&[4.0]), of(&[2.0, 3.0])));
    }
}
