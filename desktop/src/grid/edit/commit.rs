//! Opening the editor, and committing its text as an edit.

use std::collections::{BTreeMap, HashMap};

use egui::Rangef;
use shared::{
    account::ListRole,
    column::{ColumnKey, ColumnKind},
    ids::RowId,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Watchlist},
};

use super::{
    editor::{Editing, Editor, LastRow, Opening, Problem},
    picker::Picker,
};
use crate::{
    command::{Command, EditorCommand, GridCommand, entry_of, refusal_of_role},
    grid::{
        confirm::edit_or_confirm,
        cursor::Cursor,
        place::{ListIndex, insert_changes},
        selection::Selection,
        table::guarded_set,
        times::local_text,
        typed::{plain_text, read_typed},
        view::Frame,
    },
};

/// Number of selected cells from which on the values of further ones are not remembered.
const MAX_SEEN: usize = 10_000;

/// Opens the editor on the cursor's cell if that cell is editable. Otherwise returns a notice that says why
/// it is not, or the edit that toggles a flag.
pub(in crate::grid) fn open(
    editing: &mut Editing,
    selection: &mut Selection,
    frame: &Frame<'_>,
    opening: Opening,
) -> Option<Command> {
    let mut cursor = selection.cursor.clone()?;
    let row = cursor.row.and_then(|row| frame.view.watchlist.rows().get(row));
    if row.is_some_and(|row| frame.table.is_section(row))
        && let Some(first) = frame.table.columns().first()
    {
        if matches!(opening, Opening::Typed(_)) && cursor.column != *first.key() {
            // A figure typed here would become the title.
            let key = entry_of(&GridCommand::Open.into()).key();
            return Some(Command::notify(format!(
                "This row is the title of a section. Press {key} to edit it."
            )));
        }
        cursor.column = first.key().clone();
        selection.go_to_title(first.key().clone());
    }
    let column = frame.table.column(&cursor.column)?;
    if cursor.row.is_none()
        && let Some(first) = frame.table.columns().first().filter(|first| first.key() != column.key())
        && frame.table.editable(None, first).is_some()
    {
        // A figure typed here would become a row without a name. The cursor stays, so that no later key is
        // typed elsewhere.
        return Some(Command::notify(format!("A new row starts with its {}.", first.title())));
    }
    let Some((storage, value)) = frame.table.editable(cursor.row, column) else {
        return Some(Command::notify(format!("{} is computed from other columns.", column.title())));
    };
    let view = frame.view;
    // Not one that others have just set: the person goes on from the value that they have read.
    let value = match cursor.row {
        Some(row) => view.read_value(row, &storage.column.key, value),
        None => value,
    };
    if storage.column.kind == ColumnKind::Flag && opening == Opening::Typed(" ".to_owned()) {
        let toggled = Literal::Flag(value != Value::Flag(true));
        return cursor.row.map(|row| view.edit(vec![guarded_set(row, storage, toggled, &value)]));
    }
    let text = match (&opening, &value) {
        (Opening::Typed(text), _) => text.clone(),
        (_, Value::Time(time)) => local_text(*time, view.zone),
        (_, Value::Number(number)) => view.separators.write(*number),
        (Opening::All | Opening::End | Opening::List, _) => plain_text(&value),
    };
    let typed_over = matches!(opening, Opening::Typed(_));
    let lists = opening == Opening::List || matches!(storage.column.kind, ColumnKind::Choice(_));
    let picker = if lists { Picker::for_kind(&storage.column.kind, &text, view) } else { None };
    let last_index = selection.cursor_index(frame.table).unwrap_or(0);
    let last_place = cursor.row.and_then(|row| ListIndex::of(view.watchlist, row));
    let last_place = last_place.unwrap_or_else(|| ListIndex::end(view.watchlist));
    let column = storage.column.key.clone();
    let editor = Editor {
        cursor,
        column,
        opened_text: (!typed_over).then(|| text.clone()),
        text,
        seen: value,
        seen_beside: seen_cells(selection, frame),
        is_relative: typed_over,
        typed_over,
        is_signed: typed_over && is_signed(view.watchlist, storage),
        problem: None,
        is_asked_again: false,
        refused: Vec::new(),
        refused_at: view.now,
        opening: Some(opening),
        picker,
        last_row: LastRow { index: last_index, place: last_place, cells: BTreeMap::new() },
        last_column: Rangef::NOTHING,
    };
    editing.begin_run(frame.table, &editor.cursor, view.now);
    editing.editor = Some(editor);
    None
}

/// Returns the values of the selected cells, if several are selected.
fn seen_cells(selection: &Selection, frame: &Frame<'_>) -> HashMap<(RowId, ColumnKey), Value> {
    if selection.blocks.is_single() {
        return HashMap::new();
    }
    let columns = selection.columns(frame.table);
    let mut seen = HashMap::new();
    for row in selection.rows(frame.table) {
        for column in columns.iter().filter(|column| selection.contains(row, column.key())) {
            if let Some((storage, value)) = frame.table.editable(Some(row), column) {
                let key = storage.column.key.clone();
                let value = frame.view.read_value(row, &key, value);
                seen.insert((row, key), value);
            }
        }
        if seen.len() >= MAX_SEEN {
            break;
        }
    }
    seen
}

/// Commits the text if it is valid, and returns the edit. Returns `None` if the editor stays open, with the
/// reason beside it.
pub(in crate::grid) fn commit(
    editing: &mut Editing,
    selection: &mut Selection,
    frame: &Frame<'_>,
) -> Option<Vec<Command>> {
    let Some(mut editor) = editing.editor.take() else { return Some(Vec::new()) };
    match try_commit(&mut editor, selection, frame) {
        Ok(edit) => {
            // The cursor may have left a column that was removed and is back.
            if let Some(cursor) = selection.cursor.as_mut().filter(|cursor| cursor.row == editor.cursor.row)
                && frame.table.column(&editor.cursor.column).is_some()
            {
                cursor.column.clone_from(&editor.cursor.column);
            }
            Some(edit.into_iter().collect())
        }
        Err(problem) => {
            editor.refuse(problem, frame.view.now);
            editing.editor = Some(editor);
            None
        }
    }
}

/// Whether a column has negative numbers.
fn is_signed(watchlist: &Watchlist, entry: &ColumnEntry) -> bool {
    let is_negative = |value: &Value| value.as_number().is_some_and(|number| number.is_sign_negative());
    entry.column.kind.is_numeric() && watchlist.rows().iter().any(|row| is_negative(row.stored(entry.slot)))
}

/// Commits the text to all selected cells, as far as they are editable and it is valid in their columns. A
/// relative number is relative to the value of each cell.
pub(in crate::grid) fn commit_to_selection(
    editing: &mut Editing,
    selection: &mut Selection,
    frame: &Frame<'_>,
) -> Option<Vec<Command>> {
    let editor = editing.editor.as_mut()?;
    let (table, view) = (frame.table, frame.view);
    let columns = selection.columns(table);
    let (mut changes, mut refusal, mut is_over_positive) = (Vec::new(), None, false);
    for row in selection.rows(table) {
        for column in columns.iter().filter(|column| selection.contains(row, column.key())) {
            let Some((storage, present)) = table.editable(Some(row), column) else { continue };
            let seen = editor.seen_beside.get(&(row, storage.column.key.clone()));
            let present = seen.cloned().unwrap_or(present);
            let current = present.as_number().filter(|_| editor.is_change());
            match read_typed(&storage.column.kind, &editor.text, current, view) {
                Ok(value) if value != present => {
                    is_over_positive |= is_positive(&present);
                    changes.push(guarded_set(row, storage, value.to_literal(), &present));
                }
                Ok(_) => {}
                Err(why) => {
                    refusal.get_or_insert(why);
                }
            }
        }
    }
    if let (Some(why), true) = (refusal, changes.is_empty()) {
        editor.refuse(Problem::Invalid(why), view.now);
        return None;
    }
    if let Some(question) = question(editor, is_over_positive) {
        editor.refuse(question, view.now);
        return None;
    }
    editing.editor = None;
    Some(edit_or_confirm(&GridCommand::Editor(EditorCommand::CommitToSelection), Vec::new(), changes, view))
}

fn is_positive(value: &Value) -> bool {
    value.as_number().is_some_and(|number| !number.is_sign_negative())
}

/// Returns the question that has to be answered before the text is committed: whether it is meant for this
/// cell, and for a number whether its sign is its own. Committing again answers it.
fn question(editor: &Editor, is_over_positive: bool) -> Option<Problem> {
    let is_confirmed =
        matches!(editor.problem, Some(Problem::Signed | Problem::Changed(_) | Problem::RowRemoved));
    let is_replaced = editor.problem != Some(Problem::Replaced)
        && editor.refused.first().is_some_and(|refused| *refused != editor.text);
    if is_confirmed {
        None
    } else if is_replaced {
        Some(Problem::Replaced)
    } else {
        (editor.is_asked_about_sign() && is_over_positive).then_some(Problem::Signed)
    }
}

/// Says how a change in percent is entered.
fn lost_change(editor: &Editor) -> String {
    format!(
        "{:?} changes a number that it is typed over: discard the text, and type it without opening the cell",
        editor.text.trim()
    )
}

fn try_commit(
    editor: &mut Editor,
    selection: &mut Selection,
    frame: &Frame<'_>,
) -> Result<Option<Command>, Problem> {
    let view = frame.view;
    if let Some(why) = refusal_of_role(Some(ListRole::Editor), view.role) {
        // The role was taken away while the person typed.
        return Err(Problem::Invalid(why.to_owned()));
    }
    let entry = view
        .watchlist
        .columns()
        .visible_column(&editor.column)
        .map_err(|_gone| Problem::Invalid("This column was removed".to_owned()))?;
    if editor.opened_text.as_ref() == Some(&editor.text)
        && editor.problem.is_none()
        && editor.cursor.row.is_some()
    {
        // The person has only looked at it.
        return Ok(None);
    }
    if let Some(picker) = &editor.picker {
        picker.complete(&entry.column.kind, &mut editor.text);
    }
    let current = editor.current_number();
    let value = read_typed(&entry.column.kind, &editor.text, current, view);
    let value = value
        .map_err(|why| Problem::Invalid(if editor.is_lost_change() { lost_change(editor) } else { why }))?;
    if let Some(question) = question(editor, is_positive(&editor.seen)) {
        return Err(question);
    }
    let rows = view.watchlist.rows();
    let Some(row) = editor.cursor.row else {
        return if value.is_empty() {
            Ok(None)
        } else {
            let new = ((view.new_row)(), BTreeMap::new());
            let typed =
                insert_typed_row(editor, &value, new, ListIndex::end(view.watchlist), selection, frame);
            selection.appended = selection.inserted_row.filter(|_| typed.is_ok());
            typed.map(Some)
        };
    };
    if rows.get(row).is_none() {
        if editor.problem != Some(Problem::RowRemoved) {
            return Err(Problem::RowRemoved);
        }
        let removed = (row, editor.last_row.cells.clone());
        return insert_typed_row(editor, &value, removed, editor.last_row.place, selection, frame).map(Some);
    }
    let current = view.watchlist.cell(row, &editor.column);
    let is_asked = match &editor.problem {
        // A cell that changes all the time is overwritten by the second answer, unless the number is relative
        // to the value in the question.
        Some(Problem::Changed(asked)) => {
            let is_absolute =
                || read_typed(&entry.column.kind, &editor.text, None, view) == Ok(value.clone());
            *asked == current || editor.is_asked_again && is_absolute()
        }
        _ => false,
    };
    if current != editor.seen && current != value && !is_asked {
        return Err(Problem::Changed(current));
    }
    Ok((value != current).then(|| view.edit(vec![guarded_set(row, entry, value.to_literal(), &current)])))
}

/// Inserts a row with the typed value at a place of the list: a new one, or one that was removed, with its
/// other values.
fn insert_typed_row(
    editor: &Editor,
    value: &Value,
    (row, mut cells): (RowId, BTreeMap<ColumnKey, Literal>),
    place: ListIndex,
    selection: &mut Selection,
    frame: &Frame<'_>,
) -> Result<Command, Problem> {
    if value.is_empty() {
        cells.remove(&editor.column);
    } else {
        cells.insert(editor.column.clone(), value.to_literal());
    }
    let changes = insert_changes(frame.view.watchlist, place, vec![(row, cells)])
        .ok_or_else(|| Problem::Invalid("Cannot add another row here.".to_owned()))?;
    selection.cursor = Some(Cursor { row: Some(row), column: editor.cursor.column.clone() });
    selection.inserted_row = Some(row);
    Ok(frame.view.edit(changes))
}
