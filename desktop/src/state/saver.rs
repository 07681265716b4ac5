//! Saves the windows and preferences while the program runs, so that they survive a crash.

use std::time::Duration;

use super::windows::OpenWindows;
use crate::{
    preferences::Preferences,
    settings::{Workspace, WorkspaceFile},
};

/// Minimum interval between two writes of the workspace file.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);

/// The workspace file and what was last written to it.
pub(super) struct WorkspaceSaver {
    file: WorkspaceFile,
    saved: Workspace,
    saved_at: Duration,
    /// Whether something has changed since the last save.
    is_unsaved: bool,
}

impl WorkspaceSaver {
    /// Creates the saver of a file with this content.
    pub(super) fn new(file: WorkspaceFile, saved: Workspace) -> Self {
        Self { file, saved, saved_at: Duration::ZERO, is_unsaved: false }
    }

    /// Saves the windows and preferences if they changed. Returns the time until they can be saved, if the last save is too
    /// recent.
    pub(super) fn save(
        &mut self,
        preferences: &Preferences,
        zoom: f32,
        windows: &mut OpenWindows,
        now: Duration,
        at_once: bool,
    ) -> Option<Duration> {
        if windows.is_empty() {
            // The last window was saved when it closed, and may be drawn once more.
            return None;
        }
        let Preferences { theme, colour_blind, glow } = *preferences;
        let saved = &self.saved;
        self.is_unsaved |= windows.take_changed()
            || (saved.theme, saved.colour_blind, saved.glow) != (theme, colour_blind, glow)
            || saved.zoom.to_bits() != zoom.to_bits();
        if !self.is_unsaved {
            return None;
        }
        let due = self.saved_at + SAVE_INTERVAL;
        if !at_once && now < due {
            return Some(due - now);
        }
        let mut workspace = self.saved.clone();
        (workspace.theme, workspace.colour_blind, workspace.glow) = (theme, colour_blind, glow);
        (workspace.zoom, workspace.windows) = (zoom, windows.saved().cloned().collect());
        self.is_unsaved = false;
        if workspace != self.saved {
            self.saved_at = now;
            if let Err(error) = self.file.write(&workspace) {
                tracing::warn!(%error, "failed to save the windows");
            }
            self.saved = workspace;
        }
        None
    }
}
