//! Edits that restore what a change or a whole edit of the history replaced.

use std::{collections::BTreeMap, ops::Range};

use shared::{
    column::ColumnKey,
    edit::{Change, ColumnRef, Set},
    ids::RowId,
    limits::Limits,
    value::Literal,
};

use super::{
    describe::{column_name, formatted, row_name},
    view::View,
};
use crate::store::log::{Entry, Log, LogQuery};

/// How the state before a change can be restored.
pub(super) enum Restore {
    /// An edit restores it; the text describes the edit.
    Edit(Change, String),
    /// The row's values are in older changes, which are not loaded.
    Unknown(RowId),
    /// It is current already, or is unknown.
    Nothing,
}

/// Returns how the state before the change at an index can be restored.
pub(super) fn restore_of(log: &Log, index: usize, view: &View<'_>) -> Restore {
    match &log.entries()[index].change {
        Change::Set(Set { row, column, was: Some(was), .. }) => {
            let what = || {
                let (was, column) = (formatted(was, column, view), column_name(column, view));
                format!("Restore {column} of {} to {was}", row_name(*row, view))
            };
            restored_cell(*row, column, was, view).map_or(Restore::Nothing, |set| Restore::Edit(set, what()))
        }
        Change::Remove(removed) if view.watchlist.rows().get(removed.row).is_none() => {
            if let Some(insert) = restored_row(log, index, view) {
                let what = format!("Restore {} at its former position", row_name(removed.row, view));
                return Restore::Edit(insert, what);
            }
            let of_row = LogQuery { row: Some(removed.row), column: None, user: None, ..log.query };
            if log.query == of_row { Restore::Nothing } else { Restore::Unknown(removed.row) }
        }
        Change::RemoveColumn(named) => match restored_column(named, view) {
            Some(change) => Restore::Edit(change, format!("Restore {}", column_name(&named.key, view))),
            None => Restore::Nothing,
        },
        _ => Restore::Nothing,
    }
}

/// Returns the changes that restore what a whole edit replaced, as far as it is known and not current already. Rows that the edit
/// added are removed, unless others have changed them since.
pub(super) fn restore_edit(log: &Log, edit: Range<usize>, view: &View<'_>) -> Vec<Change> {
    let (mut columns, mut inserts, mut removals, mut rename) = (Vec::new(), Vec::new(), Vec::new(), None);
    // The entries are the newest first, so the last value of a cell is the one before the edit.
    let mut cells: BTreeMap<(RowId, &ColumnKey), &Literal> = BTreeMap::new();
    for index in edit {
        let Entry { revision, change, .. } = &log.entries()[index];
        match change {
            Change::Set(Set { row, column, was: Some(was), .. }) => drop(cells.insert((*row, column), was)),
            Change::Remove(removed) if view.watchlist.rows().get(removed.row).is_none() => {
                inserts.extend(restored_row(log, index, view));
            }
            Change::Insert(insert) if view.watchlist.rows().get(insert.row).is_some() => {
                removals.push(Change::remove(insert.row, Some(*revision)));
            }
            Change::RemoveColumn(named) => columns.extend(restored_column(named, view)),
            Change::AddColumn(add) if view.watchlist.columns().visible_column(&add.key).is_ok() => {
                columns.push(Change::RemoveColumn(ColumnRef { key: add.key.clone() }));
            }
            Change::Rename(_) => rename = log.name_before(index).map(Change::rename).or(rename),
            _ => {}
        }
    }
    let removed: Vec<RowId> = removals.iter().filter_map(Change::row).collect();
    let cells = cells.into_iter().filter(|((row, _), _)| !removed.contains(row));
    let sets = cells.filter_map(|((row, column), was)| restored_cell(row, column, was, view));
    columns.into_iter().chain(inserts).chain(sets).chain(removals).chain(rename).collect()
}

/// Returns the change that restores a value, unless the cell has that value already.
fn restored_cell(row: RowId, column: &ColumnKey, was: &Literal, view: &View<'_>) -> Option<Change> {
    view.watchlist.rows().get(row)?;
    let kind = &view.watchlist.columns().visible_column(column).ok()?.column.kind;
    let value = kind.read(was, &Limits::default()).ok()?;
    let present = view.watchlist.cell(row, column);
    let set = || Change::set_guarded(row, column, value.to_literal(), present.to_literal());
    (value != present).then(set)
}

/// Returns the change that inserts a removed row again, with the values that their columns accept today.
fn restored_row(log: &Log, index: usize, view: &View<'_>) -> Option<Change> {
    let Some(Change::Insert(mut insert)) = log.restoring_change(index) else { return None };
    let columns = view.watchlist.columns();
    insert.cells.retain(|key, value| {
        columns.get(key).is_some_and(|entry| entry.column.kind.read(value, &Limits::default()).is_ok())
    });
    Some(Change::Insert(insert))
}

fn restored_column(named: &ColumnRef, view: &View<'_>) -> Option<Change> {
    let is_removed = view.watchlist.columns().get(&named.key).is_some_and(|entry| entry.column.removed);
    is_removed.then(|| Change::RestoreColumn(named.clone()))
}
