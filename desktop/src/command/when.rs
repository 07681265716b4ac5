//! When a command can run.

/// A condition of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// A watchlist is shown.
    List,
    /// The cursor is on a cell of a row.
    Row,
    /// The cursor is on a column.
    Column,
    /// The column is stored, not a sparkline and not computed from other columns.
    StoredColumn,
    /// The column shows decimals.
    Decimals,
    /// A sparkline can be drawn for the column.
    Sparkline,
    /// Another column is shown, so that the column can be hidden.
    OtherColumns,
    /// Columns are hidden in this window.
    HiddenColumns,
    /// More than one column is frozen.
    FrozenColumns,
    /// The rows are sorted.
    Sorted,
    /// The rows are sorted, and live sorting is not paused.
    LiveSort,
    /// Live sorting is paused.
    PausedSort,
    /// There is an edit to undo.
    Undo,
    /// There is an edit to redo.
    Redo,
    /// The window stays on top.
    OnTop,
    /// The window does not stay on top.
    NotOnTop,
    /// The window is linked to others.
    Linked,
    /// There is more than one watchlist.
    OtherLists,
    /// The server is not connected.
    Offline,
}

/// The conditions that hold at a moment.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Vec<When>);

impl Conditions {
    /// Adds a condition if it holds.
    pub fn add(&mut self, when: When, holds: bool) {
        if holds {
            self.0.push(when);
        }
    }

    /// Whether a condition holds.
    pub fn allow(&self, when: When) -> bool {
        when == When::Always || self.0.contains(&when)
    }
}
