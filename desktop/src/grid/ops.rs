//! What commands do to the selected cells and rows, as edits.

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

use super::{Command, Frame, GridAction, GridState, paste::ask_or_do, section, state::Cursor};

/// Empties the selected cells.
pub(super) fn clear(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let columns = state.selected_columns(frame.table);
    let mut changes = Vec::new();
    for row in state.selected_rows(frame.table) {
        for entry in columns.iter().filter(|entry| state.is_selected(row, &entry.column.key)) {
            if let Some((kept, value)) = frame.table.editable(Some(row), entry)
                && !value.is_empty()
            {
                changes.push(guarded(row, kept, Literal::Empty, &value));
            }
        }
    }
    ask_or_do(state, "Empty cells", Vec::new(), changes, actions);
}

/// Copies the first selected row's cells into those below it, or of one cell the one above into it.
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
            if let Some((kept, value)) = frame.table.editable(Some(source), entry) {
                copy_into(*row, entry, kept, &value, frame, &mut changes);
            }
        }
    }
    ask_or_do(state, "Fill down", Vec::new(), changes, actions);
}

/// Copies the first selected column's cells into those to the right, where they can be read there.
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
    let mut unread = 0;
    for row in state.selected_rows(frame.table) {
        let value = frame.view.watchlist.cell(row, &source.column.key);
        for entry in targets.iter().filter(|entry| state.is_selected(row, &entry.column.key)) {
            if frame.table.editable(Some(row), entry).is_none() {
                continue;
            }
            match entry.column.kind.convert(&value, &limits) {
                Some(value) => copy_into(row, entry, entry, &value, frame, &mut changes),
                None => unread += 1,
            }
        }
    }
    if unread > 0 {
        actions.push(GridAction::Say(format!(
            "{unread} cells were left as they are: their columns hold other values."
        )));
    }
    ask_or_do(state, "Fill right", Vec::new(), changes, actions);
}

/// Copies a value that `from` keeps, where the cell is kept in the same column: a section's title fills no symbols.
fn copy_into(
    row: RowId,
    entry: &ColumnEntry,
    from: &ColumnEntry,
    value: &Value,
    frame: &Frame<'_>,
    changes: &mut Vec<Change>,
) {
    if let Some((kept, present)) = frame.table.editable(Some(row), entry)
        && kept.column.key == from.column.key
        && present != *value
    {
        changes.push(guarded(row, kept, value.to_literal(), &present));
    }
}

/// Adds an empty row beside the cursor's, in the list's own order.
pub(super) fn insert_row(
    state: &mut GridState,
    frame: &Frame<'_>,
    below: bool,
    actions: &mut Vec<GridAction>,
) {
    let rows = frame.view.watchlist.rows();
    let at_cursor = state.cursor.as_ref().and_then(|cursor| rows.index_of(cursor.row?));
    let index = at_cursor.unwrap_or(rows.len());
    let place = if below { (index + 1).min(rows.len()) } else { index };
    let row = (frame.view.new_row)();
    if let Some(changes) = insert_at(frame.view.watchlist, place, vec![(row, BTreeMap::new())]) {
        actions.push(GridAction::Edit(changes));
        state.selection.clear();
        let column = state.cursor.as_ref().map(|cursor| cursor.column.clone());
        state.cursor = column.map(|column| Cursor { row: Some(row), column });
        state.fresh = Some(row);
    }
}

/// Adds a section above the cursor's row, its title open to be typed over.
pub(super) fn insert_section(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let place = state.cursor.as_ref().and_then(|cursor| rows.index_of(cursor.row?)).unwrap_or(rows.len());
    let row = (frame.view.new_row)();
    match section::insert(frame.view.watchlist, place, row) {
        Ok(changes) => {
            actions.push(GridAction::Edit(changes));
            state.selection.clear();
            let first = frame.table.columns().first();
            state.cursor = first.map(|first| Cursor { row: Some(row), column: first.column.key.clone() });
            // It is there in the next frame.
            state.fresh = Some(row);
            state.ask(Command::OpenAll);
        }
        Err(why) => actions.push(GridAction::Say(why)),
    }
}

/// Puts the selected rows once more behind the last of them.
pub(super) fn duplicate(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let selected = in_list_order(state, frame);
    let Some(last) = selected.last().and_then(|row| rows.index_of(*row)) else { return };
    let copies: Vec<(RowId, BTreeMap<ColumnKey, Literal>)> = selected
        .iter()
        .filter_map(|row| Some(((frame.view.new_row)(), cells_of(rows.get(*row)?, frame.view.watchlist))))
        .collect();
    let first = copies.first().map(|(row, _)| *row);
    if let Some(changes) = insert_at(frame.view.watchlist, last + 1, copies) {
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

/// Moves the selected rows one place up or down in the list's own order.
pub(super) fn move_rows(state: &GridState, frame: &Frame<'_>, up: bool, actions: &mut Vec<GridAction>) {
    let rows = frame.view.watchlist.rows();
    let selected = in_list_order(state, frame);
    let index_of = |row: Option<&RowId>| row.and_then(|row| rows.index_of(*row));
    let (Some(first), Some(last)) = (index_of(selected.first()), index_of(selected.last())) else { return };
    let place = if up { first.checked_sub(1) } else { Some(last + 2).filter(|place| *place <= rows.len()) };
    if let Some(place) = place {
        put_rows(state, frame, &selected, place, actions);
    }
}

/// Moves the selected rows before the one that is shown at a place.
pub(super) fn move_rows_to(
    state: &GridState,
    frame: &Frame<'_>,
    shown: usize,
    actions: &mut Vec<GridAction>,
) {
    let rows = frame.view.watchlist.rows();
    let selected = in_list_order(state, frame);
    let place = frame.table.id_at(shown).and_then(|row| rows.index_of(row)).unwrap_or(rows.len());
    let first = selected.first().and_then(|row| rows.index_of(*row)).unwrap_or(place);
    let stands = |(offset, row): (usize, &RowId)| rows.index_of(*row) == Some(first + offset);
    let is_there = (first..=first + selected.len()).contains(&place);
    if !(is_there && selected.iter().enumerate().all(stands)) {
        put_rows(state, frame, &selected, place, actions);
    }
}

fn put_rows(
    state: &GridState,
    frame: &Frame<'_>,
    moved: &[RowId],
    place: usize,
    actions: &mut Vec<GridAction>,
) {
    if !state.config.sort_of(frame.view.watchlist).is_empty() {
        let text = "Rows are moved in the list's own order: it is sorted at present.";
        actions.push(GridAction::Say(text.to_owned()));
    } else if let Some(changes) = move_to(frame.view.watchlist, moved, place) {
        actions.push(GridAction::Edit(changes));
    }
}

/// The changes that put rows before the one at a place.
fn move_to(watchlist: &Watchlist, moved: &[RowId], place: usize) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let leaving: HashSet<RowId> = moved.iter().copied().collect();
    let others: Vec<&Row> = rows.iter().map(Arc::as_ref).filter(|row| !leaving.contains(&row.id)).collect();
    let before = rows.iter().take(place).filter(|row| !leaving.contains(&row.id)).count();
    let (mut changes, places) =
        with_room(others.len(), |index| others.get(index).copied(), before, moved.len())?;
    changes.extend(moved.iter().zip(&places).map(|(row, place)| Change::move_to(*row, place)));
    Some(changes)
}

/// Takes the selected rows away; undo brings them back.
pub(super) fn remove_rows(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let rows = state.selected_rows(frame.table);
    let changes = rows.iter().map(|row| Change::remove(*row, None)).collect();
    ask_or_do(state, "Remove rows", Vec::new(), changes, actions);
    if state.question.is_some() {
        return;
    }
    let first = rows.first().and_then(|row| frame.table.index_of(*row));
    let gone: HashSet<RowId> = rows.into_iter().collect();
    state.selection.clear();
    // The cursor is found a place where the first of them stood.
    state.last_index = first.unwrap_or(state.last_index);
    if let Some(cursor) = &mut state.cursor
        && cursor.row.is_some_and(|row| gone.contains(&row))
    {
        let mut after = (state.last_index..frame.table.len()).filter_map(|index| frame.table.id_at(index));
        cursor.row = after.find(|row| !gone.contains(row));
    }
}

fn in_list_order(state: &GridState, frame: &Frame<'_>) -> Vec<RowId> {
    let rows = frame.view.watchlist.rows();
    let mut selected = state.selected_rows(frame.table);
    selected.sort_by_cached_key(|row| rows.index_of(*row));
    selected
}

/// The changes that put new rows at a place of the list; where two positions leave no room, their neighbours move.
pub(super) fn insert_at(
    watchlist: &Watchlist,
    place: usize,
    new: Vec<(RowId, BTreeMap<ColumnKey, Literal>)>,
) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let at = |index: usize| rows.at(index).map(Arc::as_ref);
    let (mut changes, places) = with_room(rows.len(), at, place, new.len())?;
    changes
        .extend(new.into_iter().zip(&places).map(|((row, cells), place)| Change::insert(row, place, cells)));
    Some(changes)
}

/// Positions for so many rows at a place among others, and the changes that make room for them there.
fn with_room<'a>(
    len: usize,
    at: impl Fn(usize) -> Option<&'a Row>,
    place: usize,
    count: usize,
) -> Option<(Vec<Change>, Vec<Position>)> {
    let position = |index: usize| at(index).map(|row| &row.position);
    // Room is made among ever more rows on both sides, until there is some.
    let mut reach = 0;
    loop {
        let first = place.saturating_sub(reach);
        let last = (place + reach).min(len);
        let outside = (first.checked_sub(1).and_then(position), position(last));
        if let Some(mut places) = Position::between(outside.0, outside.1, last - first + count) {
            let behind = places.split_off(place - first + count);
            let own = places.split_off(place - first);
            let neighbours = (first..last).filter_map(at).zip(places.iter().chain(&behind));
            let changes = neighbours.map(|(row, place)| Change::move_to(row.id, place)).collect();
            return Some((changes, own));
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

/// A change that is judged against what the person saw.
pub(super) fn guarded(row: RowId, entry: &ColumnEntry, value: Literal, saw: &Value) -> Change {
    Change::set_guarded(row, &entry.column.key, value, saw.to_literal())
}
