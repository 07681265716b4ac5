//! The one editor: opened over a cell, its text is never touched by what arrives.

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
    filter::moment,
    keys::Step,
    layout::{ARROW, Layout, PADDING},
    ops::{guarded, insert_at},
    state::Cursor,
};
use crate::theme;

/// Narrower than this a cell's editor is wider than the cell, in points; a time is longer in it than in the cell.
const NARROWEST: f32 = 96.0;
const NARROWEST_TIME: f32 = 168.0;

/// How an editor is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Everything selected.
    All,
    /// The caret at the end.
    End,
    /// With this in place of the value.
    Typed(String),
    /// With what can be chosen from: words, or days.
    List,
}

/// Why what is typed is not taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// The column cannot hold it, in words.
    Wrong(String),
    /// The cell has changed.
    Changed,
    /// The row was removed.
    Gone,
}

/// An open editor.
#[derive(Clone, Debug)]
pub struct Editor {
    /// Where it is.
    pub cursor: Cursor,
    /// The column that keeps the cell: of a section row, the one of the titles.
    pub column: ColumnKey,
    /// What is typed.
    pub text: String,
    /// What the person last saw in the cell: the value when it was opened, or the one in the warning.
    seen: Value,
    /// Whether arrows commit and move, as after typing over a value.
    typed_over: bool,
    /// Why it was not taken.
    problem: Option<Problem>,
    opening: Option<Opening>,
    picker: Option<Picker>,
    /// Where its row stands, or stood.
    pub(super) last_index: usize,
    /// Where its column stands, or stood: its left and right edge.
    last_column: Rangef,
}

/// Opens the editor on the cursor's cell, where it can be edited.
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
    let Some((kept, value)) = frame.table.editable(cursor.row, entry) else {
        actions.push(GridAction::Say(format!("{} is computed from other columns.", entry.column.title)));
        return;
    };
    let view = frame.view;
    if kept.column.kind == ColumnKind::Flag && opening == Opening::Typed(" ".to_owned()) {
        let toggled = Literal::Flag(value != Value::Flag(true));
        actions.extend(cursor.row.map(|row| set(row, kept, toggled, &value)));
        return;
    }
    let text = match (&opening, &value) {
        (Opening::Typed(text), _) => text.clone(),
        (_, Value::Time(time)) => local_text(*time, view.zone),
        (_, Value::Number(number)) => view.separators.write(*number),
        (Opening::All | Opening::End | Opening::List, _) => plain(&value),
    };
    let typed_over = matches!(opening, Opening::Typed(_));
    let lists = opening == Opening::List || matches!(kept.column.kind, ColumnKind::Choice(_));
    let picker = if lists { Picker::of(&kept.column.kind, &text, view) } else { None };
    let last_index = state.cursor_index(frame.table).unwrap_or(0);
    let column = kept.column.key.clone();
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

/// Sends what was typed, where it can be; false leaves the editor open with the reason.
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
        .map_err(|_gone| Problem::Wrong("this column was removed".to_owned()))?;
    if let Some(picker) = &editor.picker {
        picker.complete(&entry.column.kind, &mut editor.text);
    }
    let value = read_typed(&entry.column.kind, &editor.text, &editor.seen, view).map_err(Problem::Wrong)?;
    let rows = view.watchlist.rows();
    let Some(row) = editor.cursor.row else {
        return if value.is_empty() {
            Ok(())
        } else {
            put_row(editor, &value, rows.len(), state, frame, actions)
        };
    };
    if rows.get(row).is_none() {
        if editor.problem != Some(Problem::Gone) {
            return Err(Problem::Gone);
        }
        let place = editor.last_index.min(rows.len());
        return put_row(editor, &value, place, state, frame, actions);
    }
    let present = view.watchlist.cell(row, &editor.column);
    if present != editor.seen && present != value {
        // Whoever presses Enter again has seen this, and what comes after it is asked about again.
        editor.seen = present.clone();
        return Err(Problem::Changed);
    }
    if value != present {
        actions.push(set(row, entry, value.to_literal(), &present));
    }
    Ok(())
}

/// What was typed becomes a new row at a place of the list.
fn put_row(
    editor: &Editor,
    value: &Value,
    place: usize,
    state: &mut GridState,
    frame: &Frame<'_>,
    actions: &mut Vec<GridAction>,
) -> Result<(), Problem> {
    let new = (frame.view.new_row)();
    let cells = BTreeMap::from([(editor.column.clone(), value.to_literal())]);
    let changes = insert_at(frame.view.watchlist, place, vec![(new, cells)])
        .ok_or_else(|| Problem::Wrong("there is no room for another row".to_owned()))?;
    actions.push(GridAction::Edit(changes));
    state.cursor = Some(Cursor { row: Some(new), column: editor.cursor.column.clone() });
    state.fresh = Some(new);
    Ok(())
}

/// Shows the open editor and takes its keys; true once it is closed.
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
    // The key that opened it is not for the editor.
    let is_elsewhere = editor.opening.is_some() || egui::Popup::is_any_open(ui) || !view.takes_keys;
    let before = editor.text.clone();
    let mut keys = if is_elsewhere { Keys::default() } else { Keys::take(ui, &mut editor, &kind, view) };
    if std::mem::take(&mut state.is_leaving) {
        keys.commit = Some(None);
    }
    if keys.escape {
        return true;
    }
    if let Some(up) = keys.step
        && let Ok(value) = kind.parse_typed(&editor.text, &editor.seen, view.separators)
        && let Some(number) = stepped(&value, &kind, up)
    {
        editor.text = view.separators.write(number);
    }
    if editor.text != before {
        // Chosen or stepped to: whoever types goes on behind it.
        editor.opening = Some(Opening::End);
    }
    if let Some(column) = layout.column(&editor.cursor.column) {
        editor.last_column = Rangef::new(column.left, column.left + column.width);
    }
    let rect = editor_rect(&editor, &kind, layout);
    let is_gone = editor.cursor.row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    if is_gone {
        let band = Rect::from_x_y_ranges(layout.body.x_range(), rect.y_range());
        ui.painter().rect_filled(band, 0, view.palette.bars);
    }
    paint_frame(ui, &editor, view, rect);
    field(ui, &mut editor, &kind, frame, rect);
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
            editor.problem = Some(Problem::Gone);
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
    // What was typed in a row that is gone has become a row, and is looked at.
    if let Some(step) = step.filter(|_| !is_gone) {
        follow(state, frame, step, layout);
    }
    state.reveal_next |= is_gone;
    true
}

/// The text itself. What is typed in it is nobody else's.
fn field(ui: &mut Ui, editor: &mut Editor, kind: &ColumnKind, frame: &Frame<'_>, rect: Rect) {
    let id = ui.scope_id().with("editor");
    let before = editor.text.clone();
    // The figures stand where they stood.
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
        // Tab is the grid's: the next widget must not take the keyboard with it.
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
            picker.follow(kind, &editor.text, frame.view);
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
        // What was typed in other cells is not to be brought back here.
        output.state.clear_undoer();
        output.state.store(ui, id);
    } else if !output.response.has_focus() && frame.view.takes_keys {
        output.response.request_focus();
    }
}

/// Where the cursor goes after a commit. A row that was just typed does not stand in the watchlist yet.
fn follow(state: &mut GridState, frame: &Frame<'_>, step: Step, layout: &Layout) {
    let view = frame.view;
    let new = state.cursor.as_ref().and_then(|cursor| cursor.row);
    let new = new.filter(|row| view.watchlist.rows().get(*row).is_none());
    let Some(new) = new else {
        state.step(frame.table, step, layout.page_rows());
        state.release_held();
        state.reveal(frame.table, layout);
        return;
    };
    if let Some(cursor) = &mut state.cursor {
        match step {
            Step::Up => {
                cursor.row = frame.table.len().checked_sub(1).and_then(|last| frame.table.id_at(last))
            }
            // Below it, or as long as it is not there in the empty row that it was typed in.
            _ => cursor.row = None,
        }
    }
    if !matches!(step, Step::Down | Step::Up) {
        state.step(frame.table, step, layout.page_rows());
        if let Some(cursor) = state.cursor.as_mut().filter(|cursor| cursor.row.is_none()) {
            cursor.row = Some(new);
        }
    }
    state.release_held();
    // The empty row stands one further down once the new one is there.
    state.reveal_next = true;
}

#[derive(Default)]
struct Keys {
    escape: bool,
    /// Commit, and where to go then.
    commit: Option<Option<Step>>,
    step: Option<bool>,
}

impl Keys {
    fn take(ui: &Ui, editor: &mut Editor, kind: &ColumnKind, view: &GridView<'_>) -> Self {
        ui.input_mut(|input| {
            let escape = input.consume_key(Modifiers::NONE, Key::Escape);
            if input.consume_key(Modifiers::ALT, Key::ArrowDown) {
                editor.picker = Picker::of(kind, &editor.text, view);
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
                picker.take_keys(input, kind, &mut editor.text, view);
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

/// Over its cell; where that is scrolled away, at the edge of the rows that is nearest.
fn editor_rect(editor: &Editor, kind: &ColumnKind, layout: &Layout) -> Rect {
    let is_frozen = layout.column(&editor.cursor.column).is_some_and(|column| column.frozen);
    let room = if is_frozen { layout.body } else { layout.body.with_min_x(layout.frozen_right) };
    let Rangef { min, max } = editor.last_column;
    let narrowest = if *kind == ColumnKind::Time { NARROWEST_TIME } else { NARROWEST };
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
    ui.painter().rect(rect, 2, palette.ground, Stroke::new(2.0, edge), StrokeKind::Outside);
}

/// Reads what was typed: times in the person's zone, and only the hour where it is today's.
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
    let moment = moment(text_only, view.zone)
        .or_else(|| Some(today()?.to_zoned(view.zone.clone()).ok()?.timestamp()))
        .ok_or_else(|| {
            format!("{text_only:?} is not a time: write it as 14:30, 2026-11-22 or 2026-11-22 14:30")
        })?;
    Ok(Value::Time(Timestamp::from_millis(moment.as_millisecond())))
}

/// A moment in the person's zone, as it is read back.
pub(super) fn local_text(time: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let pattern = if time.as_millis() % 1_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    let text = time.to_jiff().to_zoned(zone.clone()).strftime(pattern).to_string();
    // Where the clocks are put back, an hour comes twice.
    if moment(&text, zone) == Some(time.to_jiff()) { text } else { time.to_string() }
}

/// A value as it is edited: every digit, no grouping.
pub(super) fn plain(value: &Value) -> String {
    match value.to_literal() {
        Literal::Text(text) => text.to_string(),
        Literal::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
        Literal::Empty | Literal::Foreign(_) => String::new(),
    }
}

fn stepped(value: &Value, kind: &ColumnKind, up: bool) -> Option<Decimal> {
    let step = Decimal::new(1, kind.decimals()?);
    let number = value.as_number()?;
    if up { number.checked_add(step) } else { number.checked_sub(step) }
        .filter(|stepped| number::parse_exact(&stepped.to_string()).is_ok())
}

/// A guarded edit: the server compares with what the person saw.
fn set(row: RowId, entry: &ColumnEntry, value: Literal, saw: &Value) -> GridAction {
    GridAction::Edit(vec![guarded(row, entry, value, saw)])
}
