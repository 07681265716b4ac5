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
    /// The present state is the same, or the former one is unknown.
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

/// The restoration of a whole edit.
pub(super) struct Restoration {
    pub(super) changes: Vec<Change>,
    /// Number of the edit's changes that are not restored: what they replaced is unknown, or somebody has
    /// changed it since.
    pub(super) left_out: usize,
}

/// Whether anything of a whole edit can be restored. A filtered history does not have all of its changes.
pub(super) fn can_restore_edit(log: &Log, edit: Range<usize>, view: &View<'_>) -> bool {
    let is_whole = log.query.row.is_none() && log.query.column.is_none();
    is_whole && edit.into_iter().any(|index| is_restorable(log, index, view))
}

fn is_restorable(log: &Log, index: usize, view: &View<'_>) -> bool {
    let columns = view.watchlist.columns();
    match &log.entries()[index].change {
        Change::Set(Set { row, column, value, was: Some(was) }) => {
            has_value(*row, column, value, view) && restored_cell(*row, column, was, view).is_some()
        }
        Change::Remove(removed) => view.watchlist.rows().get(removed.row).is_none(),
        Change::Insert(insert) => view.watchlist.rows().get(insert.row).is_some(),
        Change::RemoveColumn(named) => restored_column(named, view).is_some(),
        Change::AddColumn(add) => columns.visible_column(&add.key).is_ok(),
        Change::Rename(_) => log.name_before(index).is_some_and(|before| *before != **view.watchlist.name()),
        _ => false,
    }
}

/// Returns the changes that restore what a whole edit replaced, without what is unknown or was changed since.
/// The server rejects them if another client has changed a row that the edit added.
pub(super) fn restore_edit(log: &Log, edit: Range<usize>, view: &View<'_>) -> Restoration {
    let (mut restored_columns, mut removed_columns) = (Vec::new(), Vec::new());
    let (mut inserts, mut removals, mut rename) = (BTreeMap::new(), Vec::new(), None);
    // The entries are the newest first: the first value of a cell is the one that the edit left, the last
    // `was` the one before it.
    let mut cells: BTreeMap<(RowId, &ColumnKey), (&Literal, &Literal)> = BTreeMap::new();
    let mut left_out = 0;
    for index in edit {
        let Entry { revision, change, .. } = &log.entries()[index];
        let is_shown = |row| view.watchlist.rows().get(row).is_some();
        match change {
            Change::Set(Set { row, column, value, was: Some(was) }) => {
                cells.entry((*row, column)).or_insert((value, was)).1 = was;
            }
            Change::Remove(removed) if is_shown(removed.row) => {}
            Change::Remove(removed) => match restored_row(log, index, view) {
                Some(insert) => drop(inserts.insert(removed.row, insert)),
                None => left_out += 1,
            },
            // A row that the edit itself removed again was not there before.
            Change::Insert(insert) if inserts.remove(&insert.row).is_some() => {}
            Change::Insert(insert) if is_shown(insert.row) => {
                removals.push(Change::remove(insert.row, Some(*revision)));
            }
            Change::RemoveColumn(named) => restored_columns.extend(restored_column(named, view)),
            Change::AddColumn(add) if view.watchlist.columns().visible_column(&add.key).is_ok() => {
                removed_columns.push(add.key.clone());
            }
            Change::Rename(_) => match log.name_before(index) {
                Some(before) => rename = Some(Change::rename(before)),
                None => left_out += 1,
            },
            Change::Insert(_) | Change::AddColumn(_) => {}
            Change::Set(_) | Change::Move(_) | Change::SetColumn(_) | Change::RestoreColumn(_) => {
                left_out += 1
            }
        }
    }
    let gone: Vec<RowId> = removals.iter().filter_map(Change::row).collect();
    let mut sets = Vec::new();
    for ((row, column), (value, was)) in cells {
        if let Some(Change::Insert(insert)) = inserts.get_mut(&row) {
            insert.cells.insert(column.clone(), was.clone());
        } else if gone.contains(&row) || removed_columns.contains(column) {
            // It goes with its row or its column.
        } else if has_value(row, column, value, view) {
            sets.extend(restored_cell(row, column, was, view));
        } else {
            left_out += 1;
        }
    }
    let removed_columns = removed_columns.into_iter().map(|key| Change::RemoveColumn(ColumnRef { key }));
    let rows = restored_columns.into_iter().chain(inserts.into_values()).chain(sets).chain(removals);
    Restoration { changes: rows.chain(removed_columns).chain(rename).collect(), left_out }
}

/// Whether a cell still has a value that an edit set.
fn has_value(row: RowId, column: &ColumnKey, value: &Literal, view: &View<'_>) -> bool {
    let entry = view.watchlist.columns().visible_column(column);
    let read = entry.ok().and_then(|entry| entry.column.kind.read(value, &Limits::default()).ok());
    view.watchlist.rows().get(row).is_some() && read == Some(view.watchlist.cell(row, column))
}

/// Says what a change replaces, if somebody has changed the cell and the history does not show that yet.
pub(super) fn changed_since(log: &Log, change: &Change, view: &View<'_>) -> Option<String> {
    let Change::Set(Set { row, column, was: Some(present), .. }) = change else { return None };
    let last = log.last_value(*row, column)?;
    (!has_value(*row, column, last, view)).then(|| {
        let (row, column_name) = (row_name(*row, view), column_name(column, view));
        let present = formatted(present, column, view);
        format!("{column_name} of {row} was changed to {present}, which the history does not show yet.")
    })
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
