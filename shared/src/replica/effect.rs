//! Determines the effect of one change of a commit from the state before and after it.

use std::sync::Arc;

use super::event::Effect;
use crate::{edit::Change, value::Value, watchlist::Watchlist};

/// The state that a change replaces.
pub(super) enum Before {
    Cell(Value),
    /// The index and the name of a row.
    Row(usize, Option<Arc<str>>),
    Nothing,
}

impl Before {
    /// Reads the state that a change will replace, before it is applied.
    pub(super) fn of(change: &Change, state: &Watchlist) -> Self {
        match change {
            Change::Set(set) => Before::Cell(state.cell(set.row, &set.column)),
            Change::Remove(remove) => match (state.rows().index_of(remove.row), state.rows().get(remove.row))
            {
                (Some(index), Some(row)) => {
                    Before::Row(index, row.first_text(state.columns()).map(|(_, text)| text.clone()))
                }
                _ => Before::Nothing,
            },
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
            (Change::Remove(remove), Before::Row(index, name)) => {
                Effect::Removed { row: remove.row, index, name }
            }
            (Change::Insert(insert), _) => Effect::Inserted { row: insert.row },
            (Change::Move(moved), _) => Effect::Moved { row: moved.row },
            _ => Effect::Structure,
        }
    }
}
