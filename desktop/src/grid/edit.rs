//! The cell editor. Incoming changes never modify the text in it.

mod calendar;
mod note;
mod picker;

use std::collections::BTreeMap;

use egui::{
    Align2, Key, Modifiers, Rangef, Rect, Stroke, StrokeKind, TextEdit, Ui, pos2,
    text::{CCursor, CCursorRange},
    vec2,
};
use rust_decimal::Decimal;
use shared::{
    column::{ColumnKey, ColumnKind},
    ids::RowId,
    number,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::ColumnEntry,
};

use self::{note::Answer, picker::Picker};
use super::{
    Frame, GridAction, GridState, GridView,
    filter::parse_timestamp,
    keys::Step,
    layout::{ARROW, Layout, PADDING},
    ops::{guarded_set, insert_changes},
    state::Cursor,
};
use crate::theme;

/// Minimum width of the editor, in points. It may be wider than its cell.
const MIN_EDITOR_WIDTH: f32 = 96.0;
/// Minimum width of the editor of a time, in points. Its text is longer than the one in the cell.
const MIN_TIME_EDITOR_WIDTH: f32 = 168.0;

/// How an editor is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// With the whole text selected.
    All,
    /// With the caret at the end.
    End,
    /// With this text in place of the value.
    Typed(String),
    /// With the list of choices or the calendar open.
    List,
}

/// Why the text was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// The text is not valid in its column; the message for the user.
    Invalid(String),
    /// The cell has changed since the editor was opened.
    Changed,
    /// The row was removed.
    RowRemoved,
}

/// An open editor.
#[derive(Clone, Debug)]
pub struct Editor {
    /// The edited cell.
    pub cursor: Cursor,
    /// The column that stores the cell's value: for a section row, the column of the titles.
    pub column: ColumnKey,
    /// The current text.
    pub text: String,
    /// The value that the user last saw in the cell: the one when the editor was opened, or the one in the
    /// warning.
    seen: Value,
    /// Whether arrow keys commit and move, as they do after typing over a value.
    typed_over: bool,
    /// Why the last commit failed.
    problem: Option<Problem>,
    opening: Option<Opening>,
    picker: Option<Picker>,
    /// Last known index of the row.
    pub(super) last_index: usize,
    /// Last known left and right edge of the column.
    last_column: Rangef,
}

/// Opens the editor on the cursor's cell if that cell is editable.
pub(super) fn open(
    state: &mut GridState,
    frame: &Frame<'_>,
    opening: Opening,
    actions: &mut Vec<GridAction>,
) {
    let Some(mut cursor) = state.cursor.clone() else { return };
    let row = cursor.row.and_then(|row| frame.view.watchlist.rows().get(row));
    if row.is_some_and(|row| frame.table.is_section(row))
        && let Some(first) = frame.table.columns().first()
    {
        cursor.column = first.column.key.clone();
        state.cursor = Some(cursor.clone());
    }
    let Some(entry) = frame.table.column(&cursor.column) else { return };
    let Some((storage, value)) = frame.table.editable(cursor.row, entry) else {
        actions.push(GridAction::Notify(format!("{} is computed from other columns.", entry.column.title)));
        return;
    };
    let view = frame.view;
    if storage.column.kind == ColumnKind::Flag && opening == Opening::Typed(" ".to_owned()) {
        let toggled = Literal::Flag(value != Value::Flag(true));
        actions.extend(cursor.row.map(|row| set_cell(row, storage, toggled, &value)));
        return;
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
    let last_index = state.cursor_index(frame.table).unwrap_or(0);
    let column = storage.column.key.clone();
    let editor = Editor {
        cursor,
        column,
        text,
        seen: value,
        typed_over,
        problem: None,
        opening: Some(opening),
        picker,
        last_index,
        last_column: Rangef::NOTHING,
    };
    state.editor = Some(editor);
}

/// Commits the text if it is valid. Returns false if the editor stays open, with the reason beside it.
pub(super) fn commit(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) -> bool {
    let Some(mut editor) = state.editor.take() else { return true };
    match try_commit(&mut editor, state, frame, actions) {
        Ok(()) => true,
        Err(problem) => {
            editor.problem = Some(problem);
            state.editor = Some(editor);
            false
        }
    }
}

fn try_commit(
    editor: &mut Editor,
    state: &mut GridState,
    frame: &Frame<'_>,
    actions: &mut Vec<GridAction>,
) -> Result<(), Problem> {
    let view = frame.view;
    let entry = view
        .watchlist
        .columns()
        .visible_column(&editor.column)
        .map_err(|_gone| Problem::Invalid("This column was removed".to_owned()))?;
    if let Some(picker) = &editor.picker {
        picker.complete(&entry.column.kind, &mut editor.text);
    }
    let value = read_typed(&entry.column.kind, &editor.text, &editor.seen, view).map_err(Problem::Invalid)?;
    let rows = view.watchlist.rows();
    let Some(row) = editor.cursor.row else {
        return if value.is_empty() {
            Ok(())
        } else {
            insert_typed_row(editor, &value, rows.len(), state, frame, actions)
        };
    };
    if rows.get(row).is_none() {
        if editor.problem != Some(Problem::RowRemoved) {
            return Err(Problem::RowRemoved);
        }
        let place = editor.last_index.min(rows.len());
        return insert_typed_row(editor, &value, place, state, frame, actions);
    }
    let current = view.watchlist.cell(row, &editor.column);
    if current != editor.seen && current != value {
        // A second Enter overwrites the value in this warning; a later change causes another warning.
        editor.seen = current.clone();
        return Err(Problem::Changed);
    }
    if value != current {
        actions.push(set_cell(row, entry, value.to_literal(), &current));
    }
    Ok(())
}

/// Inserts the typed value as a new row at an index of the list.
fn insert_typed_row(
    editor: &Editor,
    value: &Value,
    place: usize,
    state: &mut GridState,
    frame: &Frame<'_>,
    actions: &mut Vec<GridAction>,
) -> Result<(), Problem> {
    let new = (frame.view.new_row)();
    let cells = BTreeMap::from([(editor.column.clone(), value.to_literal())]);
    let changes = insert_changes(frame.view.watchlist, place, vec![(new, cells)])
        .ok_or_else(|| Problem::Invalid("cannot add another row here".to_owned()))?;
    actions.push(GridAction::Edit(changes));
    state.cursor = Some(Cursor { row: Some(new), column: editor.cursor.column.clone() });
    state.inserted_row = Some(new);
    Ok(())
}

/// Shows the open editor and handles its keys. Returns true once it is closed.
pub(super) fn show(
    ui: &mut Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    actions: &mut Vec<GridAction>,
) -> bool {
    let Some(mut editor) = state.editor.take() else { return true };
    let view = frame.view;
    if let Some(index) = editor.cursor.row.and_then(|row| frame.table.index_of(row)) {
        editor.last_index = index;
    }
    if editor.opening.is_none() {
        let ahead = std::mem::take(&mut state.typed_ahead);
        ui.input_mut(|input| drop(input.events.splice(0..0, ahead)));
    }
    let kind = view.watchlist.columns().get(&editor.column).map(|entry| entry.column.kind.clone());
    let kind = kind.unwrap_or(ColumnKind::Text);
    // The key that opened the editor is not input for it.
    let ignores_keys = editor.opening.is_some() || egui::Popup::is_any_open(ui) || !view.accepts_keyboard;
    let before = editor.text.clone();
    let mut keys = if ignores_keys { Keys::default() } else { Keys::consume(ui, &mut editor, &kind, view) };
    if std::mem::take(&mut state.is_commit_requested) {
        keys.commit = Some(None);
    }
    if keys.escape {
        return true;
    }
    if let Some(up) = keys.step
        && let Ok(value) = kind.parse_typed(&editor.text, &editor.seen, view.separators)
        && let Some(number) = stepped_number(&value, &kind, up)
    {
        editor.text = view.separators.write(number);
    }
    if editor.text != before {
        // The text was picked or stepped: put the caret at its end.
        editor.opening = Some(Opening::End);
    }
    if let Some(column) = layout.column(&editor.cursor.column) {
        editor.last_column = Rangef::new(column.left, column.left + column.width);
    }
    let rect = editor_rect(&editor, &kind, layout);
    let is_removed = editor.cursor.row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    if is_removed {
        let band = Rect::from_x_y_ranges(layout.body.x_range(), rect.y_range());
        ui.painter().rect_filled(band, 0, view.palette.bars);
    }
    paint_frame(ui, &editor, view, rect);
    show_field(ui, &mut editor, &kind, frame, rect);
    let picked = match &mut editor.picker {
        Some(picker) => picker.show(ui, rect, &kind, &mut editor.text, view),
        None => false,
    };
    if picked {
        keys.commit = Some(Some(Step::Down));
    }
    match note::show(ui, &editor, view, rect) {
        None => {}
        Some(Answer::Discard) => return true,
        Some(Answer::Copy) => ui.copy_text(editor.text.clone()),
        Some(Answer::NewRow) => {
            editor.problem = Some(Problem::RowRemoved);
            keys.commit = Some(None);
        }
        Some(Answer::Overwrite) => {
            editor.seen =
                editor.cursor.row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.column));
            keys.commit = Some(None);
        }
    }
    state.editor = Some(editor);
    let Some(step) = keys.commit else { return false };
    if !commit(state, frame, actions) {
        return false;
    }
    // The text of a removed row has become a new row: scroll to it.
    if let Some(step) = step.filter(|_| !is_removed) {
        move_after_commit(state, frame, step, layout);
    }
    state.reveal_next |= is_removed;
    true
}

/// Shows the text field.
fn show_field(ui: &mut Ui, editor: &mut Editor, kind: &ColumnKind, frame: &Frame<'_>, rect: Rect) {
    let id = ui.scope_id().with("editor");
    let before = editor.text.clone();
    // Digits keep the position that they have in the cell.
    let (align, right) = if kind.is_numeric() {
        (Align2::RIGHT_CENTER, PADDING + ARROW)
    } else {
        (Align2::LEFT_CENTER, PADDING)
    };
    let room = Rect::from_min_max(rect.min + vec2(PADDING, 0.0), rect.max - vec2(right, 0.0));
    let text_edit = TextEdit::singleline(&mut editor.text)
        .id(id)
        .frame(egui::Frame::NONE)
        .font(theme::text())
        .align(align)
        // The grid handles Tab: it must not move the focus to the next widget.
        .lock_focus(true)
        .min_size(room.size())
        .desired_width(room.width());
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(room));
    let mut output = text_edit.show(&mut child);
    let title = frame.table.column(&editor.cursor.column).map_or("", |entry| &*entry.column.title);
    ui.ctx().accesskit_node_builder(output.response.id, |node| node.set_label(format!("Edit {title}")));
    if editor.text != before {
        editor.problem = None;
        if let Some(picker) = &mut editor.picker {
            picker.update_from_text(kind, &editor.text, frame.view);
        }
    }
    if let Some(opening) = editor.opening.take() {
        output.response.request_focus();
        let end = CCursor::new(editor.text.chars().count());
        let range = if matches!(opening, Opening::All | Opening::List) {
            CCursorRange::two(CCursor::default(), end)
        } else {
            CCursorRange::one(end)
        };
        output.state.cursor.set_char_range(Some(range));
        // Undo must not restore text that was typed in other cells.
        output.state.clear_undoer();
        output.state.store(ui, id);
    } else if !output.response.has_focus() && frame.view.accepts_keyboard {
        output.response.request_focus();
    }
}

/// Moves the cursor after a commit. A row that was just typed is not in the watchlist yet.
fn move_after_commit(state: &mut GridState, frame: &Frame<'_>, step: Step, layout: &Layout) {
    let view = frame.view;
    let new = state.cursor.as_ref().and_then(|cursor| cursor.row);
    let new = new.filter(|row| view.watchlist.rows().get(*row).is_none());
    let Some(new) = new else {
        state.step(frame.table, step, layout.page_rows());
        state.release_anchor();
        state.reveal(frame.table, layout);
        return;
    };
    if let Some(cursor) = &mut state.cursor {
        match step {
            Step::Up => {
                cursor.row = frame.table.len().checked_sub(1).and_then(|last| frame.table.id_at(last))
            }
            // The row below; until the new row exists, that is the empty row in which it was typed.
            _ => cursor.row = None,
        }
    }
    if !matches!(step, Step::Down | Step::Up) {
        state.step(frame.table, step, layout.page_rows());
        if let Some(cursor) = state.cursor.as_mut().filter(|cursor| cursor.row.is_none()) {
            cursor.row = Some(new);
        }
    }
    state.release_anchor();
    // The empty row moves one down once the new row exists.
    state.reveal_next = true;
}

#[derive(Default)]
struct Keys {
    escape: bool,
    /// Commits, then moves by this step if there is one.
    commit: Option<Option<Step>>,
    /// Steps the number: true is up.
    step: Option<bool>,
}

impl Keys {
    fn consume(ui: &Ui, editor: &mut Editor, kind: &ColumnKind, view: &GridView<'_>) -> Self {
        ui.input_mut(|input| {
            let escape = input.consume_key(Modifiers::NONE, Key::Escape);
            if input.consume_key(Modifiers::ALT, Key::ArrowDown) {
                editor.picker = Picker::for_kind(kind, &editor.text, view);
            }
            if input.consume_key(Modifiers::ALT, Key::ArrowUp) {
                editor.picker = None;
            }
            let step = if input.consume_key(Modifiers::COMMAND, Key::ArrowUp) {
                Some(true)
            } else if input.consume_key(Modifiers::COMMAND, Key::ArrowDown) {
                Some(false)
            } else {
                None
            };
            if let Some(picker) = &mut editor.picker {
                picker.consume_keys(input, kind, &mut editor.text, view);
            }
            let always = [
                (Modifiers::SHIFT, Key::Enter, Step::Up),
                (Modifiers::NONE, Key::Enter, Step::Down),
                (Modifiers::SHIFT, Key::Tab, Step::Previous),
                (Modifiers::NONE, Key::Tab, Step::Next),
            ];
            let arrows = [
                (Modifiers::NONE, Key::ArrowUp, Step::Up),
                (Modifiers::NONE, Key::ArrowDown, Step::Down),
                (Modifiers::NONE, Key::ArrowLeft, Step::Left),
                (Modifiers::NONE, Key::ArrowRight, Step::Right),
            ];
            let arrows = if editor.typed_over { &arrows[..] } else { &[] };
            let found =
                always.iter().chain(arrows).find(|(modifiers, key, _)| input.consume_key(*modifiers, *key));
            Self { escape, commit: found.map(|(_, _, step)| Some(*step)), step }
        })
    }
}

/// Returns the editor's rectangle: over its cell, or at the nearest edge of the body if the cell is scrolled
/// away.
fn editor_rect(editor: &Editor, kind: &ColumnKind, layout: &Layout) -> Rect {
    let is_frozen = layout.column(&editor.cursor.column).is_some_and(|column| column.frozen);
    let room = if is_frozen { layout.body } else { layout.body.with_min_x(layout.frozen_right) };
    let Rangef { min, max } = editor.last_column;
    let narrowest = if *kind == ColumnKind::Time { MIN_TIME_EDITOR_WIDTH } else { MIN_EDITOR_WIDTH };
    let wider = (narrowest - (max - min)).max(0.0);
    let (min, max) = if kind.is_numeric() { (min - wider, max) } else { (min, max + wider) };
    let width = (max - min).min(room.width());
    let left = min.min(room.right() - width).max(room.left());
    let top = layout.editor_top(editor.last_index).min(room.bottom() - layout.row).max(room.top());
    Rect::from_min_size(pos2(left, top), vec2(width, layout.row))
}

fn paint_frame(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) {
    let palette = view.palette;
    let edge = if editor.problem.is_some() { palette.down } else { palette.accent };
    ui.painter().rect(rect, 2, palette.background, Stroke::new(2.0, edge), StrokeKind::Outside);
}

/// Parses the typed text. Times are in the user's zone; a time without a date is today's.
fn read_typed(kind: &ColumnKind, text: &str, seen: &Value, view: &GridView<'_>) -> Result<Value, String> {
    let text_only = text.trim();
    if *kind != ColumnKind::Time || text_only.is_empty() {
        return kind.parse_typed(text, seen, view.separators);
    }
    let today = || {
        text_only
            .parse::<jiff::civil::Time>()
            .ok()
            .map(|time| view.today.at(time.hour(), time.minute(), time.second(), 0))
    };
    let moment = parse_timestamp(text_only, view.zone)
        .or_else(|| Some(today()?.to_zoned(view.zone.clone()).ok()?.timestamp()))
        .ok_or_else(|| format!("{text_only:?} is not a time. Use 14:30, 2026-11-22 or 2026-11-22 14:30"))?;
    Ok(Value::Time(Timestamp::from_millis(moment.as_millisecond())))
}

/// Formats a time in the user's zone so that it parses back to the same time.
pub(super) fn local_text(time: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let pattern = if time.as_millis() % 1_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    let text = time.to_jiff().to_zoned(zone.clone()).strftime(pattern).to_string();
    // When the clocks go back, one hour occurs twice.
    if parse_timestamp(&text, zone) == Some(time.to_jiff()) { text } else { time.to_string() }
}

/// Formats a value for editing: every digit, no grouping.
pub(super) fn plain_text(value: &Value) -> String {
    match value.to_literal() {
        Literal::Text(text) => text.to_string(),
        Literal::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
        Literal::Empty | Literal::Foreign(_) => String::new(),
    }
}

fn stepped_number(value: &Value, kind: &ColumnKind, up: bool) -> Option<Decimal> {
    let step = Decimal::new(1, kind.decimals()?);
    let number = value.as_number()?;
    if up { number.checked_add(step) } else { number.checked_sub(step) }
        .filter(|stepped| number::parse_exact(&stepped.to_string()).is_ok())
}

/// Returns a guarded edit: the server rejects it unless the cell still has the value that the user saw.
fn set_cell(row: RowId, entry: &ColumnEntry, value: Literal, seen: &Value) -> GridAction {
    GridAction::Edit(vec![guarded_set(row, entry, value, seen)])
}
