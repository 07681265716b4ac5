//! Commands on the selected cells and rows, turned into edits.

use std::collections::{BTreeMap, HashSet};

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::RowId,
    limits::Limits,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Watchlist, section},
};

use super::{
    config::GridConfig,
    confirm::edit_or_confirm,
    cursor::Cursor,
    place::{ListIndex, insert_changes, move_changes},
    selection::Selection,
    table::guarded_set,
    view::Frame,
    view_column::ViewColumn,
};
use crate::command::{Command, GridCommand, When, entry_of};

/// Number of rows above which a person is asked before they are removed or cleared.
const MANY_ROWS: usize = 100;

/// Clears the selected cells for a command that does this. The titles of sections are cleared only if nothing
/// else is selected: they stand between the cells that are meant.
pub(super) fn clear(selection: &Selection, frame: &Frame<'_>, command: &GridCommand) -> Vec<Command> {
    let columns = selection.columns(frame.table);
    let (sections, rows): (Vec<RowId>, Vec<RowId>) =
        selection.rows(frame.table).into_iter().partition(|row| frame.table.is_section_row(*row));
    let mut changes = Vec::new();
    for row in if rows.is_empty() { sections } else { rows } {
        for column in columns.iter().filter(|column| selection.contains(row, column.key())) {
            if let Some((storage, value)) = frame.table.editable(Some(row), column)
                && !value.is_empty()
            {
                let value = frame.view.read_value(row, &storage.column.key, value);
                changes.push(guarded_set(row, storage, Literal::Empty, &value));
            }
        }
    }
    let cleared: HashSet<RowId> = changes.iter().filter_map(Change::row).collect();
    let question = many_rows(cleared.len(), frame).map(|rows| {
        let cells = frame.view.separators.format_count(changes.len(), "cell", "cells");
        format!("This clears {cells} in {rows} for everyone.")
    });
    edit_or_confirm(command, question.into_iter().collect(), changes, frame.view)
}

/// Copies the first selected row's cells into the selected rows below. If one row is selected, copies the row
/// above.
pub(super) fn fill_down(selection: &Selection, frame: &Frame<'_>) -> Vec<Command> {
    let rows = selection.rows_as_selected(frame.table);
    let columns = selection.columns(frame.table);
    let (source, targets) = match rows.as_slice() {
        [only] => {
            let above =
                frame.table.index_of(*only).and_then(|index| frame.table.id_at(index.checked_sub(1)?));
            (above, rows.as_slice())
        }
        [first, rest @ ..] => (Some(*first), rest),
        [] => return Vec::new(),
    };
    let Some(source) = source else { return Vec::new() };
    let mut changes = Vec::new();
    for row in targets {
        for column in columns.iter().filter(|column| selection.contains(*row, column.key())) {
            if let Some((storage, value)) = frame.table.editable(Some(source), column) {
                let value = frame.view.read_value(source, &storage.column.key, value);
                copy_into(*row, column, storage, &value, frame, &mut changes);
            }
        }
    }
    edit_or_confirm(&GridCommand::FillDown, Vec::new(), changes, frame.view)
}

/// Copies the first selected column's cells into the selected columns to the right, if their kinds can be
/// converted.
pub(super) fn fill_right(selection: &Selection, frame: &Frame<'_>) -> Vec<Command> {
    let selected = selection.columns(frame.table);
    let (source, targets): (&ViewColumn, Vec<&ViewColumn>) = match selected.as_slice() {
        [only] => {
            let index = frame.table.column_index(only.key()).unwrap_or(0);
            let Some(left) = index.checked_sub(1).map(|left| &frame.table.columns()[left]) else {
                return Vec::new();
            };
            (left, vec![only])
        }
        [first, rest @ ..] => (first, rest.to_vec()),
        [] => return Vec::new(),
    };
    // A sparkline has no values.
    let Some(source) = source.data() else { return Vec::new() };
    let limits = Limits::default();
    let mut changes = Vec::new();
    let mut unconverted = 0;
    for row in selection.rows(frame.table) {
        let value = frame.view.watchlist.cell(row, &source.column.key);
        let value = frame.view.read_value(row, &source.column.key, value);
        for column in targets.iter().filter(|column| selection.contains(row, column.key())) {
            let Some(entry) = column.data().filter(|_| frame.table.editable(Some(row), column).is_some())
            else {
                continue;
            };
            match entry.column.kind.convert(&value, &limits) {
                Some(value) => copy_into(row, column, entry, &value, frame, &mut changes),
                None => unconverted += 1,
            }
        }
    }
    let notice = (unconverted > 0).then(|| {
        let cells = frame.view.separators.format_count(unconverted, "cell was", "cells were");
        Command::notify(format!("{cells} not filled because the column types differ."))
    });
    notice
        .into_iter()
        .chain(edit_or_confirm(&GridCommand::FillRight, Vec::new(), changes, frame.view))
        .collect()
}

/// Copies a value stored in the column `from` if the cell is stored in the same column, so that a section's
/// title does not fill symbols.
fn copy_into(
    row: RowId,
    column: &ViewColumn,
    from: &ColumnEntry,
    value: &Value,
    frame: &Frame<'_>,
    changes: &mut Vec<Change>,
) {
    if let Some((storage, current)) = frame.table.editable(Some(row), column)
        && storage.column.key == from.column.key
        && current != *value
    {
        let read = frame.view.read_value(row, &storage.column.key, current);
        changes.push(guarded_set(row, storage, value.to_literal(), &read));
    }
}

/// Inserts an empty row above or below the cursor's row, in list order.
pub(super) fn insert_row(selection: &mut Selection, frame: &Frame<'_>, below: bool) -> Vec<Command> {
    let index = place_of_cursor(selection, frame);
    let target = if below { index.plus(1) } else { index };
    let row = (frame.view.new_row)();
    let new = vec![(row, BTreeMap::new())];
    let Some(changes) = insert_changes(frame.view.watchlist, target, new) else { return Vec::new() };
    selection.blocks.clear();
    if let Some(cursor) = &mut selection.cursor {
        cursor.row = Some(row);
    }
    selection.inserted_row = Some(row);
    vec![frame.view.edit(changes)]
}

/// Returns the place of the cursor's row, or the one after the last row.
fn place_of_cursor(selection: &Selection, frame: &Frame<'_>) -> ListIndex {
    let row = selection.cursor.as_ref().and_then(|cursor| cursor.row);
    let place = row.and_then(|row| ListIndex::of(frame.view.watchlist, row));
    place.unwrap_or_else(|| ListIndex::end(frame.view.watchlist))
}

/// Inserts a section above the cursor's row and opens an editor for its title.
pub(super) fn insert_section(
    selection: &mut Selection,
    config: &GridConfig,
    frame: &Frame<'_>,
) -> Vec<Command> {
    if !config.sort_of(frame.view.watchlist).is_empty() {
        return vec![Command::notify(When::ListOrder.reason())];
    }
    let row = (frame.view.new_row)();
    let mut changes = match section::column_changes(frame.view.watchlist.columns()) {
        Ok(changes) => changes,
        Err(other) => {
            let title = &other.column.title;
            let text = format!(
                "Column {title} uses the key reserved for section titles. Remove it to add sections."
            );
            return vec![Command::notify(text)];
        }
    };
    let new = vec![(row, section::new_cells())];
    match insert_changes(frame.view.watchlist, place_of_cursor(selection, frame), new) {
        Some(inserted) => changes.extend(inserted),
        None => return vec![Command::notify("Cannot add another row here.")],
    }
    selection.blocks.clear();
    let first = frame.table.columns().first();
    selection.cursor = first.map(|first| Cursor { row: Some(row), column: first.key().clone() });
    selection.inserted_row = Some(row);
    // The row exists from the next frame on, and so the editor opens in that frame.
    vec![frame.view.edit(changes), GridCommand::OpenAll.into()]
}

/// Inserts copies of the selected rows after the last of them.
pub(super) fn duplicate(selection: &mut Selection, frame: &Frame<'_>) -> Vec<Command> {
    let rows = frame.view.watchlist.rows();
    let selected = selected_in_list_order(selection, frame);
    let last = selected.last().and_then(|row| ListIndex::of(frame.view.watchlist, *row));
    let Some(last) = last else { return Vec::new() };
    let copies: Vec<(RowId, BTreeMap<ColumnKey, Literal>)> = selected
        .iter()
        .filter_map(|row| {
            Some(((frame.view.new_row)(), rows.get(*row)?.stored_cells(frame.view.watchlist.columns())))
        })
        .collect();
    let first = copies.first().map(|(row, _)| *row);
    let Some(changes) = insert_changes(frame.view.watchlist, last.plus(1), copies) else { return Vec::new() };
    selection.blocks.clear();
    if let (Some(cursor), Some(first)) = (&mut selection.cursor, first) {
        cursor.row = Some(first);
    }
    vec![frame.view.edit(changes)]
}

/// Moves the selected rows one row up or down in list order.
pub(super) fn move_rows(
    selection: &Selection,
    config: &GridConfig,
    frame: &Frame<'_>,
    up: bool,
) -> Vec<Command> {
    let watchlist = frame.view.watchlist;
    let selected = selected_in_list_order(selection, frame);
    let place_of = |row: Option<&RowId>| row.and_then(|row| ListIndex::of(watchlist, *row));
    let (Some(first), Some(last)) = (place_of(selected.first()), place_of(selected.last())) else {
        return Vec::new();
    };
    let is_last = last.plus(1) == ListIndex::end(watchlist);
    let target = if up { first.previous() } else { Some(last.plus(2)).filter(|_| !is_last) };
    target.map_or_else(Vec::new, |target| edit_positions(config, frame, &selected, target))
}

/// Moves the selected rows before the row at a display index.
pub(super) fn move_rows_to(
    selection: &Selection,
    config: &GridConfig,
    frame: &Frame<'_>,
    shown: usize,
) -> Vec<Command> {
    let place_of = |row| ListIndex::of(frame.view.watchlist, row);
    let selected = selected_in_list_order(selection, frame);
    let target = frame.table.id_at(shown).and_then(place_of);
    let target = target.unwrap_or_else(|| ListIndex::end(frame.view.watchlist));
    let first = selected.first().and_then(|row| place_of(*row)).unwrap_or(target);
    let is_in_place = |(offset, row): (usize, &RowId)| place_of(*row) == Some(first.plus(offset));
    let is_there = (first..=first.plus(selected.len())).contains(&target);
    if is_there && selected.iter().enumerate().all(is_in_place) {
        return Vec::new();
    }
    edit_positions(config, frame, &selected, target)
}

fn edit_positions(
    config: &GridConfig,
    frame: &Frame<'_>,
    moved: &[RowId],
    target: ListIndex,
) -> Vec<Command> {
    if !config.sort_of(frame.view.watchlist).is_empty() {
        let title = entry_of(&GridCommand::ClearSort.into()).title;
        let text = format!("Rows can only be moved in list order. Choose {title:?} first.");
        return vec![Command::notify(text)];
    }
    move_changes(frame.view.watchlist, moved, target)
        .map(|changes| frame.view.edit(changes))
        .into_iter()
        .collect()
}

/// Removes the selected rows.
pub(super) fn remove_rows(selection: &mut Selection, frame: &Frame<'_>) -> Vec<Command> {
    let rows = selection.rows(frame.table);
    let changes = rows.iter().map(|row| Change::remove(*row, None)).collect();
    let question = many_rows(rows.len(), frame).map(|rows| format!("This removes {rows} for everyone."));
    let question = question.into_iter().collect();
    let commands = edit_or_confirm(&GridCommand::RemoveRows, question, changes, frame.view);
    if commands.iter().any(|command| matches!(command, Command::Grid(GridCommand::Confirm(_)))) {
        return commands;
    }
    let first = rows.first().and_then(|row| frame.table.index_of(*row));
    let removed: HashSet<RowId> = rows.into_iter().collect();
    selection.blocks.clear();
    // The cursor moves to the row that takes the place of the first removed one.
    selection.last_index = first.unwrap_or(selection.last_index);
    if let Some(cursor) = &mut selection.cursor
        && cursor.row.is_some_and(|row| removed.contains(&row))
    {
        let mut after =
            (selection.last_index..frame.table.len()).filter_map(|index| frame.table.id_at(index));
        cursor.row = after.find(|row| !removed.contains(row));
    }
    commands
}

/// Whether so many rows are affected that a person is asked before they are removed or cleared: all of
/// several, or more than a hundred.
fn is_many_rows(count: usize, watchlist: &Watchlist) -> bool {
    count > MANY_ROWS || count > 1 && count == watchlist.rows().len()
}

/// Returns how many rows these are, if they are so many that a person is asked first.
fn many_rows(count: usize, frame: &Frame<'_>) -> Option<String> {
    let counted = frame.view.separators.format_count(count, "row", "rows");
    let all = if count == frame.view.watchlist.rows().len() { "all " } else { "" };
    is_many_rows(count, frame.view.watchlist).then(|| format!("{all}{counted}"))
}

fn selected_in_list_order(selection: &Selection, frame: &Frame<'_>) -> Vec<RowId> {
    let rows = frame.view.watchlist.rows();
    let mut selected = selection.rows(frame.table);
    selected.sort_by_cached_key(|row| rows.index_of(*row));
    selected
}
