//! The undo and redo stacks of each window.

use std::{collections::HashMap, fmt};

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{EditId, RowId, WatchlistId, WindowId},
};

/// Maximum number of undo steps per window.
const MAX_STEPS: usize = 200;

/// The place that an edit changes, which undo and redo scroll to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The watchlist that the edit changes.
    pub watchlist: WatchlistId,
    /// The first changed row that the edit does not remove, and its column if the change has one.
    pub cell: Option<(RowId, Option<ColumnKey>)>,
}

impl Spot {
    /// Returns the place that undoing or redoing an edit of a watchlist changes: where the edit began. The changes
    /// that undo it are in the reverse order.
    pub(super) fn of(watchlist: WatchlistId, changes: &[Change], direction: Direction) -> Self {
        let cell = |change: &Change| match change {
            Change::Set(set) => Some((set.row, Some(set.column.clone()))),
            Change::Remove(_) => None,
            other => Some((other.row()?, None)),
        };
        let cell = match direction {
            Direction::Undo => changes.iter().rev().find_map(cell),
            Direction::Redo => changes.iter().find_map(cell),
        };
        Self { watchlist, cell }
    }
}

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
    /// Whether the edit undid or redid the step; `None` for the first one, which a person made.
    pub repeated: Option<Direction>,
}

/// Whether a step is undone or redone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Undo,
    Redo,
}

impl Direction {
    /// Returns the direction that reverts this one.
    pub fn opposite(self) -> Self {
        match self {
            Direction::Undo => Direction::Redo,
            Direction::Redo => Direction::Undo,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Undo => "undo",
            Direction::Redo => "redo",
        })
    }
}

impl UndoStep {
    /// Returns the changes that take the step in a direction.
    pub fn changes(&self, direction: Direction) -> &Vec<Change> {
        match direction {
            Direction::Undo => &self.undo,
            Direction::Redo => &self.redo,
        }
    }

    /// Replaces the changes of a direction.
    pub fn with_changes(mut self, direction: Direction, changes: Vec<Change>) -> Self {
        match direction {
            Direction::Undo => self.undo = changes,
            Direction::Redo => self.redo = changes,
        }
        self
    }
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

    /// Pushes a step onto the stack of a direction.
    pub fn push(&mut self, window: WindowId, direction: Direction, step: UndoStep) {
        let stacks = self.windows.entry(window).or_default();
        match direction {
            Direction::Undo => stacks.push_undo(step),
            Direction::Redo => stacks.redo.push(step),
        }
    }

    /// Returns the last step of a window in a direction.
    pub fn last(&self, window: WindowId, direction: Direction) -> Option<&UndoStep> {
        let stacks = self.windows.get(&window)?;
        match direction {
            Direction::Undo => stacks.undo.last(),
            Direction::Redo => stacks.redo.last(),
        }
    }

    /// Pops the last step from the stack of a direction.
    pub fn pop(&mut self, window: WindowId, direction: Direction) -> Option<UndoStep> {
        let stacks = self.windows.get_mut(&window)?;
        match direction {
            Direction::Undo => stacks.undo.pop(),
            Direction::Redo => stacks.redo.pop(),
        }
    }

    /// Removes an edit that the server rejected. Returns whether it undid or redid a step.
    pub fn remove_rejected(&mut self, window: WindowId, edit: EditId) -> Option<Direction> {
        let stacks = self.windows.get_mut(&window)?;
        let mut removed = Vec::new();
        for steps in [&mut stacks.undo, &mut stacks.redo] {
            removed.extend(steps.extract_if(.., |step| step.edit == edit));
        }
        removed.first()?.repeated
    }

    /// Replaces an edit that the server rejected by another one, which makes only some of its changes.
    /// Returns what the rejected edit repeated.
    pub fn replace_rejected(
        &mut self,
        window: WindowId,
        rejected: EditId,
        (edit, changes, inverse): (EditId, Vec<Change>, Vec<Change>),
    ) -> Option<Direction> {
        let stacks = self.windows.get_mut(&window)?;
        let step = stacks.undo.iter_mut().chain(&mut stacks.redo).find(|step| step.edit == rejected)?;
        // The first edit of a step is the one that a redo repeats.
        let direction = step.repeated.unwrap_or(Direction::Redo);
        let replaced = step.clone().with_changes(direction, changes);
        *step = UndoStep { edit, ..replaced.with_changes(direction.opposite(), inverse) };
        step.repeated
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
