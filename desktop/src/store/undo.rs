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

/// Something that a person did in a window.
#[derive(Debug)]
enum Act {
    Edit(UndoStep),
    /// A change of the window's layout, by the number that the window knows it by.
    Layout(u64),
}

impl Act {
    fn edit(&self) -> Option<&UndoStep> {
        match self {
            Act::Edit(step) => Some(step),
            Act::Layout(_) => None,
        }
    }

    fn edit_mut(&mut self) -> Option<&mut UndoStep> {
        match self {
            Act::Edit(step) => Some(step),
            Act::Layout(_) => None,
        }
    }
}

#[derive(Debug, Default)]
struct Stacks {
    undo: Vec<Act>,
    redo: Vec<Act>,
}

impl UndoStacks {
    /// Pushes a new edit and clears the redo stack.
    pub fn push_new(&mut self, window: WindowId, step: UndoStep) {
        self.windows.entry(window).or_default().push_new(Act::Edit(step));
    }

    /// Pushes a new change of a window's layout and clears the redo stack.
    pub fn push_layout(&mut self, window: WindowId, layout: u64) {
        self.windows.entry(window).or_default().push_new(Act::Layout(layout));
    }

    /// Pushes a step onto the stack of a direction.
    pub fn push(&mut self, window: WindowId, direction: Direction, step: UndoStep) {
        self.windows.entry(window).or_default().stack(direction).push(Act::Edit(step));
    }

    /// Returns whether a window has done something that can be taken in a direction.
    pub fn is_empty(&self, window: WindowId, direction: Direction) -> bool {
        self.last_act(window, direction).is_none()
    }

    /// Returns the last step of a window in a direction, if that is an edit.
    pub fn last(&self, window: WindowId, direction: Direction) -> Option<&UndoStep> {
        self.last_act(window, direction)?.edit()
    }

    /// Returns the change of the layout that was the last act of a window in a direction, if it was one.
    pub fn last_layout(&self, window: WindowId, direction: Direction) -> Option<u64> {
        match self.last_act(window, direction)? {
            Act::Layout(layout) => Some(*layout),
            Act::Edit(_) => None,
        }
    }

    /// Moves the last act to the other stack if it is a change of the layout, and returns that.
    pub fn repeat_layout(&mut self, window: WindowId, direction: Direction) -> Option<u64> {
        let layout = self.last_layout(window, direction)?;
        let stacks = self.windows.get_mut(&window)?;
        let act = stacks.stack(direction).pop()?;
        stacks.stack(direction.opposite()).push(act);
        Some(layout)
    }

    /// Pops the last step from the stack of a direction, if it is an edit.
    pub fn pop(&mut self, window: WindowId, direction: Direction) -> Option<UndoStep> {
        match self.windows.get_mut(&window)?.stack(direction).pop_if(|act| act.edit().is_some())? {
            Act::Edit(step) => Some(step),
            Act::Layout(_) => None,
        }
    }

    fn last_act(&self, window: WindowId, direction: Direction) -> Option<&Act> {
        let stacks = self.windows.get(&window)?;
        match direction {
            Direction::Undo => stacks.undo.last(),
            Direction::Redo => stacks.redo.last(),
        }
    }

    /// Removes an edit that the server rejected. Returns whether it undid or redid a step.
    pub fn remove_rejected(&mut self, window: WindowId, edit: EditId) -> Option<Direction> {
        let stacks = self.windows.get_mut(&window)?;
        let mut removed = Vec::new();
        for steps in [&mut stacks.undo, &mut stacks.redo] {
            removed.extend(steps.extract_if(.., |act| act.edit().is_some_and(|step| step.edit == edit)));
        }
        removed.first()?.edit()?.repeated
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
        let step = stacks.edits_mut().find(|step| step.edit == rejected)?;
        // The first edit of a step is the one that a redo repeats.
        let direction = step.repeated.unwrap_or(Direction::Redo);
        let replaced = step.clone().with_changes(direction, changes);
        *step = UndoStep { edit, ..replaced.with_changes(direction.opposite(), inverse) };
        step.repeated
    }

    /// Changes the number of a pending edit.
    pub fn renumber(&mut self, old: EditId, new: EditId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            stacks.edits_mut().filter(|step| step.edit == old).for_each(|step| step.edit = new);
        });
    }

    /// Removes all steps of a watchlist.
    pub fn forget_watchlist(&mut self, watchlist: WatchlistId) {
        self.windows.iter_mut().for_each(|(_, stacks)| {
            for acts in [&mut stacks.undo, &mut stacks.redo] {
                acts.retain(|act| act.edit().is_none_or(|step| step.watchlist != watchlist));
            }
        });
    }
}

impl Stacks {
    fn push_new(&mut self, act: Act) {
        self.redo.clear();
        if self.undo.len() == MAX_STEPS {
            self.undo.remove(0);
        }
        self.undo.push(act);
    }

    fn stack(&mut self, direction: Direction) -> &mut Vec<Act> {
        match direction {
            Direction::Undo => &mut self.undo,
            Direction::Redo => &mut self.redo,
        }
    }

    fn edits_mut(&mut self) -> impl Iterator<Item = &mut UndoStep> {
        self.undo.iter_mut().chain(&mut self.redo).filter_map(Act::edit_mut)
    }
}
