//! The undo and redo stacks of each window.

use std::collections::HashMap;

use shared::{
    edit::Change,
    ids::{EditId, WatchlistId, WindowId},
};

/// Maximum number of undo steps per window.
const MAX_STEPS: usize = 200;

/// An edit and its inverse.
#[derive(Clone, Debug)]
pub struct UndoStep {
    /// The edited watchlist.
    pub watchlist: WatchlistId,
    /// Guarded changes that undo the edit.
    pub undo: Vec<Change>,
    /// Changes that redo the edit.
    pub redo: Vec<Change>,
    /// Number of the edit; if the server rejects it, the step is dropped.
    pub edit: EditId,
}

/// Undo and redo stacks by window.
#[derive(Debug, Default)]
pub struct UndoStacks {
    windows: HashMap<WindowId, Stacks>,
}

#[derive(Debug, Default)]
struct Stacks {
    undo: Vec<UndoStep>,
    redo: Vec<UndoStep>,
}

impl UndoStacks {
    /// Pushes a new edit and clears the redo stack.
    pub fn push_new(&mut self, window: WindowId, step: UndoStep) {
        let stacks = self.windows.entry(window).or_default();
        stacks.redo.clear();
        stacks.push_undo(step);
    }

    /// Pushes a redone edit onto the undo stack.
    pub fn push_redone(&mut self, window: WindowId, step: UndoStep) {
        self.windows.entry(window).or_default().push_undo(step);
    }

    /// Pushes an undone edit onto the redo stack.
    pub fn push_undone(&mut self, window: WindowId, step: UndoStep) {
        self.windows.entry(window).or_default().redo.push(step);
    }

    /// Pops the window's last edit.
    pub fn pop_undo(&mut self, window: WindowId) -> Option<UndoStep> {
        self.windows.get_mut(&window)?.undo.pop()
    }

    /// Pops the window's last undone edit.
    pub fn pop_redo(&mut self, window: WindowId) -> Option<UndoStep> {
        self.windows.get_mut(&window)?.redo.pop()
    }

    /// Removes an edit that the server rejected.
    pub fn remove_rejected(&mut self, window: WindowId, edit: EditId) {
        if let Some(stacks) = self.windows.get_mut(&window) {
            stacks.undo.retain(|step| step.edit != edit);
            stacks.redo.retain(|step| step.edit != edit);
        }
    }

    /// Changes the number of a pending edit.
    pub fn renumber(&mut self, old: EditId, new: EditId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            let steps = stacks.undo.iter_mut().chain(&mut stacks.redo);
            steps.filter(|step| step.edit == old).for_each(|step| step.edit = new);
        });
    }

    /// Removes all steps of a watchlist.
    pub fn forget_watchlist(&mut self, watchlist: WatchlistId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            stacks.undo.retain(|step| step.watchlist != watchlist);
            stacks.redo.retain(|step| step.watchlist != watchlist);
        });
    }
}

impl Stacks {
    fn push_undo(&mut self, step: UndoStep) {
        if self.undo.len() == MAX_STEPS {
            self.undo.remove(0);
        }
        self.undo.push(step);
    }
}
