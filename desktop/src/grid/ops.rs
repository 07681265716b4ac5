//! Commands on the selected cells and rows, turned into edits.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::RowId,
    position::Position,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Row, Watchlist},
};

use super::{Command, Frame, GridAction, GridState, paste::confirm_or_send, section, state::Cursor};

/// Clears the selected cells.
pub(super) fn clear(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let columns = state.selected_columns(frame.table);
    let mut changes = Vec::new();
    for row in state.selected_rows(frame.table) {
        for entry in columns.iter().filter(|entry| state.is_selected(row, &entry.column.key)) {
            if let Some((storage, value)) = frame.table.editable(Some(row), entry)
                && !value.is_empty()
            {
                changes.push(guarded_set(row, storage, Literal::Empty, &value));
            }
        }
    }
    confirm_or_send(state, "Clear cells", Vec::new(), changes, actions);
}

/// Copies the first selected row's cells into the selected rows below. If one row is selected, copies the row
/// above.
pub(super) fn fill_down(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = state.selected_rows(frame.table);
    let columns = state.selected_columns(frame.table);
    let (source, targets) = match rows.as_slice() {
        [only] => {
            let above =
                frame.table.index_of(*only).and_then(|index| frame.table.id_at(index.checked_sub(1)?));
            (above, rows.as_slice())
        }
        [first, rest @ ..] => (Some(*first), rest),
        [] => return,
    };
    let Some(source) = source else { return };
    let mut changes = Vec::new();
    for row in targets {
        for entry in columns.iter().filter(|entry| state.is_selected(*row, &entry.column.key)) {
            if let Some((storage, value)) = frame.table.editable(Some(source), entry) {
                copy_into(*row, entry, storage, &value, frame, &mut changes);
            }
        }
    }
    confirm_or_send(state, "Fill down", Vec::new(), changes, actions);
}

/// Copies the first selected column's cells into the selected columns to the right, if their kinds can be
/// converted.
pub(super) fn fill_right(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let selected = state.selected_columns(frame.table);
    let (source, targets): (&ColumnEntry, Vec<&ColumnEntry>) = match selected.as_slice() {
        [only] => {
            let index = frame.table.column_index(&only.column.key).unwrap_or(0);
            let Some(left) = index.checked_sub(1).map(|left| &frame.table.columns()[left]) else { return };
            (left, vec![only])
        }
        [first, rest @ ..] => (first, rest.to_vec()),
        [] => return,
    };
    let limits = shared::limits::Limits::default();
    let mut changes = Vec::new();
    let mut unconverted = 0;
    for row in state.selected_rows(frame.table) {
        let value = frame.view.watchlist.cell(row, &source.column.key);
        for entry in targets.iter().filter(|entry| state.is_selected(row, &entry.column.key)) {
            if frame.table.editable(Some(row), entry).is_none() {
                continue;
            }
            match entry.column.kind.convert(&value, &limits) {
                Some(value) => copy_into(row, entry, entry, &value, frame, &mut changes),
                None => unconverted += 1,
            }
        }
    }
    if unconverted > 0 {
        actions.push(GridAction::Notify(format!(
            "{unconverted} cells were not filled: their columns have a different type."
        )));
    }
    confirm_or_send(state, "Fill right", Vec::new(), changes, actions);
}

/// Copies a value stored in the column `from` if the cell is stored in the same column, so that a section's
/// title does not fill symbols.
fn copy_into(
    row: RowId,
    entry: &ColumnEntry,
    from: &ColumnEntry,
    value: &Value,
    frame: &Frame<'_>,
    changes: &mut Vec<Change>,
) {
    if let Some((storage, current)) = frame.table.editable(Some(row), entry)
        && storage.column.key == from.column.key
        && current != *value
    {
        changes.push(guarded_set(row, storage, value.to_literal(), &current));
    }
}

/// Inserts an empty row above or below the cursor's row, in list order.
pub(super) fn insert_row(
    state: &mut GridState,
    frame: &Frame<'_>,
    below: bool,
    actions: &mut Vec<GridAction>,
) {
    let rows = frame.view.watchlist.rows();
    let at_cursor = state.cursor.as_ref().and_then(|cursor| rows.index_of(cursor.row?));
    let index = at_cursor.unwrap_or(rows.len());
    let target = if below { (index + 1).min(rows.len()) } else { index };
    let row = (frame.view.new_row)();
    if let Some(changes) = insert_changes(frame.view.watchlist, target, vec![(row, BTreeMap::new())]) {
        actions.push(GridAction::Edit(changes));
        state.selection.clear();
        let column = state.cursor.as_ref().map(|cursor| cursor.column.clone());
        state.cursor = column.map(|column| Cursor { row: Some(row), column });
        state.inserted_row = Some(row);
    }
}

/// Inserts a section above the cursor's row and opens an editor for its title.
pub(super) fn insert_section(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let target = state.cursor.as_ref().and_then(|cursor| rows.index_of(cursor.row?)).unwrap_or(rows.len());
    let row = (frame.view.new_row)();
    match section::insert(frame.view.watchlist, target, row) {
        Ok(changes) => {
            actions.push(GridAction::Edit(changes));
            state.selection.clear();
            let first = frame.table.columns().first();
            state.cursor = first.map(|first| Cursor { row: Some(row), column: first.column.key.clone() });
            // The row exists from the next frame on.
            state.inserted_row = Some(row);
            state.queue_command(Command::OpenAll);
        }
        Err(why) => actions.push(GridAction::Notify(why)),
    }
}

/// Inserts copies of the selected rows after the last of them.
pub(super) fn duplicate(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let selected = selected_in_list_order(state, frame);
    let Some(last) = selected.last().and_then(|row| rows.index_of(*row)) else { return };
    let copies: Vec<(RowId, BTreeMap<ColumnKey, Literal>)> = selected
        .iter()
        .filter_map(|row| Some(((frame.view.new_row)(), cells_of(rows.get(*row)?, frame.view.watchlist))))
        .collect();
    let first = copies.first().map(|(row, _)| *row);
    if let Some(changes) = insert_changes(frame.view.watchlist, last + 1, copies) {
        actions.push(GridAction::Edit(changes));
        state.selection.clear();
        if let (Some(cursor), Some(first)) = (&mut state.cursor, first) {
            cursor.row = Some(first);
        }
    }
}

fn cells_of(row: &Row, watchlist: &Watchlist) -> BTreeMap<ColumnKey, Literal> {
    let stored = watchlist.columns().iter().filter(|entry| is_editable(entry));
    let cells = stored.map(|entry| (entry.column.key.clone(), row.stored(entry.slot).to_literal()));
    cells.filter(|(_, literal)| *literal != Literal::Empty).collect()
}

/// Moves the selected rows one row up or down in list order.
pub(super) fn move_rows(state: &GridState, frame: &Frame<'_>, up: bool, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let selected = selected_in_list_order(state, frame);
    let index_of = |row: Option<&RowId>| row.and_then(|row| rows.index_of(*row));
    let (Some(first), Some(last)) = (index_of(selected.first()), index_of(selected.last())) else { return };
    let target =
        if up { first.checked_sub(1) } else { Some(last + 2).filter(|target| *target <= rows.len()) };
    if let Some(target) = target {
        send_move(state, frame, &selected, target, actions);
    }
}

/// Moves the selected rows before the row at a display index.
pub(super) fn move_rows_to(
    state: &GridState,
    frame: &Frame<'_>,
    shown: usize,
    actions: &mut Vec<GridAction>,
) {
    let rows = frame.view.watchlist.rows();
    let selected = selected_in_list_order(state, frame);
    let target = frame.table.id_at(shown).and_then(|row| rows.index_of(row)).unwrap_or(rows.len());
    let first = selected.first().and_then(|row| rows.index_of(*row)).unwrap_or(target);
    let is_in_place = |(offset, row): (usize, &RowId)| rows.index_of(*row) == Some(first + offset);
    let is_there = (first..=first + selected.len()).contains(&target);
    if !(is_there && selected.iter().enumerate().all(is_in_place)) {
        send_move(state, frame, &selected, target, actions);
    }
}

fn send_move(
    state: &GridState,
    frame: &Frame<'_>,
    moved: &[RowId],
    target: usize,
    actions: &mut Vec<GridAction>,
) {
    if !state.config.sort_of(frame.view.watchlist).is_empty() {
        let text = "Rows can only be moved in list order. Clear the sort first.";
        actions.push(GridAction::Notify(text.to_owned()));
    } else if let Some(changes) = move_changes(frame.view.watchlist, moved, target) {
        actions.push(GridAction::Edit(changes));
    }
}

/// Returns the changes that move rows before the row at a list index.
fn move_changes(watchlist: &Watchlist, moved: &[RowId], target: usize) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let moving: HashSet<RowId> = moved.iter().copied().collect();
    let others: Vec<&Row> = rows.iter().map(Arc::as_ref).filter(|row| !moving.contains(&row.id)).collect();
    let before = rows.iter().take(target).filter(|row| !moving.contains(&row.id)).count();
    let (mut changes, positions) =
        allocate_positions(others.len(), |index| others.get(index).copied(), before, moved.len())?;
    changes.extend(moved.iter().zip(&positions).map(|(row, position)| Change::move_to(*row, position)));
    Some(changes)
}

/// Removes the selected rows.
pub(super) fn remove_rows(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = state.selected_rows(frame.table);
    let changes = rows.iter().map(|row| Change::remove(*row, None)).collect();
    confirm_or_send(state, "Remove rows", Vec::new(), changes, actions);
    if state.question.is_some() {
        return;
    }
    let first = rows.first().and_then(|row| frame.table.index_of(*row));
    let removed: HashSet<RowId> = rows.into_iter().collect();
    state.selection.clear();
    // The cursor moves to the row that takes the place of the first removed one.
    state.last_index = first.unwrap_or(state.last_index);
    if let Some(cursor) = &mut state.cursor
        && cursor.row.is_some_and(|row| removed.contains(&row))
    {
        let mut after = (state.last_index..frame.table.len()).filter_map(|index| frame.table.id_at(index));
        cursor.row = after.find(|row| !removed.contains(row));
    }
}

fn selected_in_list_order(state: &GridState, frame: &Frame<'_>) -> Vec<RowId> {
    let rows = frame.view.watchlist.rows();
    let mut selected = state.selected_rows(frame.table);
    selected.sort_by_cached_key(|row| rows.index_of(*row));
    selected
}

/// Returns the changes that insert rows at a list index. If there is no position between two rows, their
/// neighbours move.
pub(super) fn insert_changes(
    watchlist: &Watchlist,
    target: usize,
    new: Vec<(RowId, BTreeMap<ColumnKey, Literal>)>,
) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let at = |index: usize| rows.at(index).map(Arc::as_ref);
    let (mut changes, positions) = allocate_positions(rows.len(), at, target, new.len())?;
    changes.extend(
        new.into_iter().zip(&positions).map(|((row, cells), position)| Change::insert(row, position, cells)),
    );
    Some(changes)
}

/// Returns `count` positions at an index among other rows, and the changes that move neighbours to make room.
fn allocate_positions<'a>(
    len: usize,
    at: impl Fn(usize) -> Option<&'a Row>,
    target: usize,
    count: usize,
) -> Option<(Vec<Change>, Vec<Position>)> {
    let position_at = |index: usize| at(index).map(|row| &row.position);
    // Includes ever more rows on both sides until there is room.
    let mut reach = 0;
    loop {
        let first = target.saturating_sub(reach);
        let last = (target + reach).min(len);
        let outside = (first.checked_sub(1).and_then(position_at), position_at(last));
        if let Some(mut positions) = Position::between(outside.0, outside.1, last - first + count) {
            let after = positions.split_off(target - first + count);
            let inserted = positions.split_off(target - first);
            let neighbours = (first..last).filter_map(at).zip(positions.iter().chain(&after));
            let changes = neighbours.map(|(row, position)| Change::move_to(row.id, position)).collect();
            return Some((changes, inserted));
        }
        if first == 0 && last == len {
            return None;
        }
        reach = (reach * 4).max(8);
    }
}

pub(super) fn is_editable(entry: &ColumnEntry) -> bool {
    entry.column.derive.is_none()
}

/// Returns a change that the server rejects unless the cell still has the value `seen`.
pub(super) fn guarded_set(row: RowId, entry: &ColumnEntry, value: Literal, seen: &Value) -> Change {
    Change::set_guarded(row, &entry.column.key, value, seen.to_literal())
}
