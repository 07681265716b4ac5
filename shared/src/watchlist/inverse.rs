//! The edit that undoes an edit: a new edit that restores what the first one replaced.

use super::{
    apply::{Undo, UndoStep},
    columns::Columns,
};
use crate::{
    column::{Column, ColumnKey},
    edit::{Change, ColumnRef, Rename, Set, SetColumn},
    ids::Revision,
};

impl Undo {
    /// Returns the changes that undo an applied edit, as a new edit. Each change is guarded, so that it does
    /// not overwrite what others changed since: a cell by the value that the edit set, a row by `as_of`.
    ///
    /// `changes` are the edit's own, and `columns` those of the watchlist after it.
    pub fn inverse(&self, changes: &[Change], as_of: Option<Revision>, columns: &Columns) -> Vec<Change> {
        let steps = self.steps.iter().zip(changes).rev();
        steps.filter_map(|(step, change)| inverse_of_one(step, change, as_of, columns)).collect()
    }
}

fn inverse_of_one(
    step: &UndoStep,
    change: &Change,
    as_of: Option<Revision>,
    columns: &Columns,
) -> Option<Change> {
    match (step, change) {
        (UndoStep::Cell { value, .. }, Change::Set(set)) => Some(Change::Set(Set {
            row: set.row,
            column: set.column.clone(),
            value: value.to_literal(),
            was: Some(set.value.clone()),
        })),
        (UndoStep::Inserted(row), _) => Some(Change::remove(*row, as_of)),
        (UndoStep::Moved { row, position }, _) => Some(Change::move_to(*row, position)),
        (UndoStep::Removed(row), _) => Some(Change::insert(row.id, &row.position, row.stored_cells(columns))),
        (UndoStep::ColumnAdded(key), _) => Some(Change::RemoveColumn(ColumnRef { key: key.clone() })),
        (UndoStep::ColumnReplaced { before, previous, .. }, change) => {
            inverse_of_replacement(&before.entry.column, previous, change)
        }
        (UndoStep::Name(name), _) => Some(Change::Rename(Rename { name: name.clone() })),
        (UndoStep::Cell { .. }, _) => None,
    }
}

fn inverse_of_replacement(before: &Column, previous: &Option<ColumnKey>, change: &Change) -> Option<Change> {
    match change {
        Change::RemoveColumn(column) => Some(Change::RestoreColumn(column.clone())),
        Change::RestoreColumn(column) => before.removed.then(|| Change::RemoveColumn(column.clone())),
        Change::SetColumn(set) => Some(Change::SetColumn(SetColumn {
            key: set.key.clone(),
            title: set.title.as_ref().map(|_| before.title.clone()),
            kind: set.kind.as_ref().map(|_| before.kind.clone()),
            after: set.after.as_ref().map(|_| previous.clone()),
        })),
        Change::AddColumn(_)
        | Change::Set(_)
        | Change::Insert(_)
        | Change::Move(_)
        | Change::Remove(_)
        | Change::Rename(_) => None,
    }
}
