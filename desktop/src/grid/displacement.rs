//! A cursor whose cell is gone: what the person types is not meant for the cell that has taken its place.

use shared::column::ColumnKey;

use super::{cursor::Cursor, table::Table};
use crate::command::Step;

/// Why nothing is typed into the cell under the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The cursor's row was removed, and another one has slid under it.
    RowRemoved,
    /// The cursor's column was removed.
    ColumnRemoved,
    /// The column in which a run of Tabs began was removed.
    FirstColumnRemoved,
    /// The row that follows in a list of values was removed.
    NextRowRemoved,
    /// A filter hides the row that follows in a list of values.
    NextRowHidden,
    /// The column that follows in a list of values was removed.
    NextColumnRemoved,
    /// The row or column of a cell was removed as it was clicked.
    RemovedAtClick,
    /// After a pause in a list of values, the next row is another one.
    RowAfterPause,
    /// After a pause in a list of values, the next column is another one.
    ColumnAfterPause,
    /// Another watchlist is shown.
    ListGone,
}

/// What is not the one that the person means.
#[derive(PartialEq, Eq)]
enum Wrong {
    Row,
    Column,
    Cell,
}

impl Reason {
    /// Returns why a cell no longer exists, if it was removed.
    pub(super) fn of(cell: &Cursor, table: &Table<'_>) -> Option<Self> {
        if cell.row.is_some_and(|row| table.watchlist.rows().get(row).is_none()) {
            return Some(Self::RowRemoved);
        }
        is_removed(table, &cell.column).then_some(Self::ColumnRemoved)
    }

    fn why(self) -> &'static str {
        match self {
            Self::RowRemoved => "The row under the cursor was removed. Choose a cell to go on.",
            Self::ColumnRemoved => "The column under the cursor was removed. Choose a cell to go on.",
            Self::FirstColumnRemoved => {
                "The column in which you began to type was removed. Choose a cell to go on."
            }
            Self::NextRowRemoved => "The next row was removed. Choose a cell to go on.",
            Self::NextRowHidden => "The next row does not match the filter any more. Choose a cell to go on.",
            Self::NextColumnRemoved => "The next column was removed. Choose a cell to go on.",
            Self::RemovedAtClick => "The cell that you clicked was just removed. Choose a cell to go on.",
            Self::RowAfterPause | Self::ColumnAfterPause => {
                "The rows or columns have changed since you paused. Choose a cell to go on."
            }
            Self::ListGone => "Another watchlist is shown now. Choose a cell to go on.",
        }
    }

    fn wrong(self) -> Wrong {
        match self {
            Self::RowRemoved
            | Self::NextRowRemoved
            | Self::NextRowHidden
            | Self::RowAfterPause
            | Self::RemovedAtClick => Wrong::Row,
            Self::ColumnRemoved
            | Self::FirstColumnRemoved
            | Self::NextColumnRemoved
            | Self::ColumnAfterPause => Wrong::Column,
            Self::ListGone => Wrong::Cell,
        }
    }

    /// Whether a step from the removed row or column leads to the one that took its place.
    fn leads_to_replacement(self, step: Step) -> bool {
        match self {
            Self::RowRemoved | Self::NextRowRemoved => step == Step::Down,
            Self::ColumnRemoved | Self::NextColumnRemoved => step == Step::Right,
            _ => false,
        }
    }
}

/// What a step from the place of a cell that is gone chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The row or column under the cursor, to which it leads.
    Here,
    /// The cell that it leads to.
    Target,
    /// No cell: it stays in the row or column that is not meant.
    Nothing,
}

/// That the cursor's cell is not the one that the person means, because somebody else has removed or moved
/// that one.
#[derive(Clone, Debug)]
pub(super) struct Displacement {
    /// The cell that the cursor came to then.
    cell: Cursor,
    reason: Reason,
    /// Whether the person was not told yet.
    is_new: bool,
}

impl Displacement {
    pub(super) fn new(cell: Cursor, reason: Reason) -> Self {
        Self { cell, reason, is_new: true }
    }

    /// Returns why nothing is typed.
    pub(super) fn why(&self) -> &'static str {
        self.reason.why()
    }

    /// Returns why nothing is typed, once.
    pub(super) fn take_why(&mut self) -> Option<&'static str> {
        std::mem::take(&mut self.is_new).then(|| self.why())
    }

    /// Whether the cursor has left the row or column that is not meant. A step along it chooses nothing: a person
    /// who has not seen the removal goes on as if the other one were there.
    pub(super) fn is_left_by(&self, cursor: Option<&Cursor>) -> bool {
        let Some(cursor) = cursor else { return true };
        match self.reason.wrong() {
            Wrong::Row => cursor.row != self.cell.row,
            Wrong::Column => cursor.column != self.cell.column,
            Wrong::Cell => *cursor != self.cell,
        }
    }

    /// Returns what a step chooses.
    pub(super) fn chosen_by(&self, step: Step) -> Chosen {
        if self.reason.leads_to_replacement(step) {
            return Chosen::Here;
        }
        let is_along = match self.reason.wrong() {
            Wrong::Row => matches!(
                step,
                Step::Left
                    | Step::Right
                    | Step::FarLeft
                    | Step::FarRight
                    | Step::RowStart
                    | Step::RowEnd
                    | Step::Next
                    | Step::Previous
            ),
            Wrong::Column => matches!(
                step,
                Step::Up | Step::Down | Step::PageUp | Step::PageDown | Step::Top | Step::Bottom
            ),
            Wrong::Cell => false,
        };
        if is_along { Chosen::Nothing } else { Chosen::Target }
    }
}

/// Whether a column was removed.
pub(super) fn is_removed(table: &Table<'_>, column: &ColumnKey) -> bool {
    table.watchlist.columns().get(column).is_some_and(|entry| entry.column.removed)
}
