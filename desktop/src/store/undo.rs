//! The edits of each window that can be taken back, and those that can be made again.

use std::collections::HashMap;

use shared::{
    edit::Change,
    ids::{EditId, WatchlistId, WindowId},
};

/// How many edits a window can take back.
const DEPTH: usize = 200;

/// An edit and the way back.
#[derive(Clone, Debug)]
pub struct Edits {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Takes it back, guarded.
    pub changes: Vec<Change>,
    /// Makes it.
    pub again: Vec<Change>,
    /// The edit's number; when the server refuses it there is nothing to take back.
    pub edit: EditId,
}

/// Undo and redo, window by window.
#[derive(Debug, Default)]
pub struct UndoStacks {
    windows: HashMap<WindowId, Stacks>,
}

#[derive(Debug, Default)]
struct Stacks {
    undo: Vec<Edits>,
    redo: Vec<Edits>,
}

impl UndoStacks {
    /// The person made an edit: what was undone before cannot be made again.
    pub fn made(&mut self, window: WindowId, edits: Edits) {
        let stacks = self.windows.entry(window).or_default();
        stacks.redo.clear();
        stacks.push_undo(edits);
    }

    /// An undone edit was made again.
    pub fn remade(&mut self, window: WindowId, edits: Edits) {
        self.windows.entry(window).or_default().push_undo(edits);
    }

    /// An edit was taken back.
    pub fn undone(&mut self, window: WindowId, edits: Edits) {
        self.windows.entry(window).or_default().redo.push(edits);
    }

    /// The window's last edit.
    pub fn pop_undo(&mut self, window: WindowId) -> Option<Edits> {
        self.windows.get_mut(&window)?.undo.pop()
    }

    /// The window's last undone edit.
    pub fn pop_redo(&mut self, window: WindowId) -> Option<Edits> {
        self.windows.get_mut(&window)?.redo.pop()
    }

    /// The server refused an edit.
    pub fn refused(&mut self, window: WindowId, edit: EditId) {
        if let Some(stacks) = self.windows.get_mut(&window) {
            stacks.undo.retain(|held| held.edit != edit);
            stacks.redo.retain(|held| held.edit != edit);
        }
    }

    /// An edit that waits has another number.
    pub fn renumber(&mut self, old: EditId, new: EditId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            let held = stacks.undo.iter_mut().chain(&mut stacks.redo);
            held.filter(|held| held.edit == old).for_each(|held| held.edit = new);
        });
    }

    /// A watchlist is no longer there.
    pub fn forget(&mut self, watchlist: WatchlistId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            stacks.undo.retain(|held| held.watchlist != watchlist);
            stacks.redo.retain(|held| held.watchlist != watchlist);
        });
    }
}

impl Stacks {
    fn push_undo(&mut self, edits: Edits) {
        if self.undo.len() == DEPTH {
            self.undo.remove(0);
        }
        self.undo.push(edits);
    }
}
