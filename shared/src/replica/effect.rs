//! Determines the effect of one change of a commit from the state before and after it.

use super::event::Effect;
use crate::{edit::Change, value::Value, watchlist::Watchlist};

/// The state that a change replaces.
pub(super) enum Before {
    Cell(Value),
    Index(usize),
    Nothing,
}

impl Before {
    /// Reads the state that a change will replace, before it is applied.
    pub(super) fn of(change: &Change, state: &Watchlist) -> Self {
        match change {
            Change::Set(set) => Before::Cell(state.cell(set.row, &set.column)),
            Change::Remove(remove) => {
                state.rows().index_of(remove.row).map_or(Before::Nothing, Before::Index)
            }
            Change::Insert(_)
            | Change::Move(_)
            | Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => Before::Nothing,
        }
    }

    /// Returns the effect of the change, after it is applied.
    pub(super) fn effect(self, change: &Change, state: &Watchlist) -> Effect {
        match (change, self) {
            (Change::Set(set), Before::Cell(before)) => {
                let after = state.cell(set.row, &set.column);
                Effect::Cell { row: set.row, column: set.column.clone(), before, after }
            }
            (Change::Remove(remove), Before::Index(index)) => Effect::Removed { row: remove.row, index },
            (Change::Insert(insert), _) => Effect::Inserted { row: insert.row },
            (Change::Move(moved), _) => Effect::Moved { row: moved.row },
            _ => Effect::Structure,
        }
    }
}
