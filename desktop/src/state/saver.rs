//! Saves the windows and preferences while the program runs, so that they survive a crash.

use std::time::Duration;

use super::windows::OpenWindows;
use crate::{
    preferences::Preferences,
    settings::{Workspace, WorkspaceFile},
};

/// Minimum interval between two writes of the workspace file.
const SAVE_INTERVAL: Duration = Duration::from_millis(500);
/// Delay before a failed write is repeated.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// The workspace file and what was last written to it.
pub(super) struct WorkspaceSaver {
    file: WorkspaceFile,
    saved: Workspace,
    /// Earliest time of the next write.
    next_save: Duration,
    /// Whether something has changed since the last save.
    is_unsaved: bool,
}

impl WorkspaceSaver {
    /// Creates the saver of a file with this content.
    pub(super) fn new(file: WorkspaceFile, saved: Workspace) -> Self {
        Self { file, saved, next_save: Duration::ZERO, is_unsaved: false }
    }

    /// Saves the windows and preferences if they changed. Returns the time until they can be saved, if the
    /// last save is too recent.
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
        let Preferences { theme, colour_blind, glow, announces } = *preferences;
        let saved = &self.saved;
        self.is_unsaved |= windows.take_changed()
            || (saved.theme, saved.colour_blind, saved.glow, saved.announces)
                != (theme, colour_blind, glow, announces)
            || saved.zoom.to_bits() != zoom.to_bits();
        if !self.is_unsaved {
            return None;
        }
        if !at_once && now < self.next_save {
            return Some(self.next_save - now);
        }
        let mut workspace = self.saved.clone();
        (workspace.theme, workspace.colour_blind, workspace.glow) = (theme, colour_blind, glow);
        workspace.announces = announces;
        (workspace.zoom, workspace.windows) = (zoom, windows.saved().cloned().collect());
        if workspace != self.saved {
            if let Err(error) = self.file.write(&workspace) {
                tracing::warn!(%error, "failed to save the windows");
                self.next_save = now + RETRY_DELAY;
                return Some(RETRY_DELAY);
            }
            self.next_save = now + SAVE_INTERVAL;
            self.saved = workspace;
        }
        self.is_unsaved = false;
        None
    }
}
