//! What the process knows of its open windows: enough to save them, and to open and close them, without using
//! them.

use std::collections::BTreeMap;

use egui::{Context, ViewportCommand, ViewportId};
use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId, WindowId},
};

use crate::{follow::Links, settings::SavedWindow};

/// The open windows, oldest first.
#[derive(Debug, Default)]
pub struct OpenWindows {
    /// Positions of the linked windows.
    pub links: Links,
    records: BTreeMap<WindowId, Record>,
    requested: Vec<SavedWindow>,
    last_id: u64,
    is_quitting: bool,
    has_changed: bool,
}

/// What is typed in an open editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// The row; `None` is the empty one at the end.
    pub row: Option<RowId>,
    /// The column.
    pub column: ColumnKey,
    /// The text.
    pub text: String,
}

#[derive(Debug)]
struct Record {
    saved: SavedWindow,
    draft: Option<Draft>,
}

impl OpenWindows {
    /// Adds a window and returns its id.
    pub fn add(&mut self, saved: SavedWindow) -> WindowId {
        self.last_id += 1;
        let id = WindowId(self.last_id);
        self.records.insert(id, Record { saved, draft: None });
        self.has_changed = true;
        id
    }

    /// Records what has changed of a window, and what is typed in its open editor. A window that is closed stays
    /// closed.
    pub fn record(&mut self, id: WindowId, changed: Option<SavedWindow>, draft: Option<Draft>) {
        if let Some(record) = self.records.get_mut(&id) {
            record.draft = draft;
            if let Some(changed) = changed {
                record.saved = changed;
                self.has_changed = true;
            }
        }
    }

    /// Returns what is saved of a window.
    pub fn saved_of(&self, id: WindowId) -> Option<&SavedWindow> {
        self.records.get(&id).map(|record| &record.saved)
    }

    /// Removes a window that closes.
    pub fn close(&mut self, id: WindowId) {
        self.has_changed |= self.records.remove(&id).is_some();
    }

    /// Returns whether a window is open.
    pub fn is_open(&self, id: WindowId) -> bool {
        self.records.contains_key(&id)
    }

    /// Returns the number of open windows.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether no window is open.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes what is typed in the open editors.
    pub fn take_drafts(&mut self) -> Vec<Draft> {
        self.records.values_mut().filter_map(|record| record.draft.take()).collect()
    }

    /// Returns whether the editor of another window is open.
    pub fn is_another_editing(&self, own: WindowId) -> bool {
        self.records.iter().any(|(id, record)| *id != own && record.draft.is_some())
    }

    /// Returns what is saved of every window.
    pub fn saved(&self) -> impl Iterator<Item = &SavedWindow> {
        self.records.values().map(|record| &record.saved)
    }

    /// Returns whether something changed since the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Requests another window.
    pub fn request(&mut self, window: SavedWindow) {
        self.requested.push(window);
    }

    /// Takes the requested windows.
    pub fn take_requested(&mut self) -> Vec<SavedWindow> {
        std::mem::take(&mut self.requested)
    }

    /// Ends the program with its windows as they are.
    pub fn quit(&mut self) {
        self.is_quitting = true;
    }

    /// Returns whether the program ends with its windows as they are.
    pub fn is_quitting(&self) -> bool {
        self.is_quitting
    }
}

/// Updates the root window even while it is hidden, because it opens and closes the other windows.
pub fn wake_root(ctx: &Context) {
    ctx.send_viewport_cmd_to(ViewportId::ROOT, ViewportCommand::RequestPaintWhileHidden);
    ctx.request_repaint_of(ViewportId::ROOT);
}
