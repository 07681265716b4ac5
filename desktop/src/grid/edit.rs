//! The one editor: opened over a cell, its text is never touched by what arrives.

use std::collections::BTreeMap;

use egui::{
    Align2, Color32, Key, Modifiers, Rect, Stroke, StrokeKind, TextEdit, Ui,
    text::{CCursor, CCursorRange},
    vec2,
};
use rust_decimal::Decimal;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::Change,
    ids::RowId,
    number,
    time::Timestamp,
    value::{Literal, Value},
};

use super::{
    Frame, GridAction, GridState, GridView, filter::moment, keys::Step, layout::Layout, ops::insert_at,
    state::Cursor,
};
use crate::theme;

/// What is said where the edited row is no more.
const GONE: &str = "this row was removed; Enter makes a new row with your text, Esc discards it";

/// How an editor is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Everything selected.
    All,
    /// The caret at the end.
    End,
    /// With this in place of the value.
    Typed(String),
}

/// An open editor.
#[derive(Clone, Debug)]
pub struct Editor {
    /// The cell.
    pub cursor: Cursor,
    /// What is typed.
    pub text: String,
    /// What the person last saw in the cell: the value when it was opened, or the one in the warning.
    seen: Value,
    /// Whether arrows commit and move, as after typing over a value.
    typed_over: bool,
    /// What is wrong with the text.
    error: Option<String>,
    /// Enter was pressed on a cell that changed: once more overwrites.
    asked: bool,
    opening: Option<Opening>,
    /// Where its row stands, or stood.
    pub(super) last_index: usize,
}

/// Opens the editor on the cursor's cell, where it can be edited.
pub(super) fn open(
    state: &mut GridState,
    frame: &Frame<'_>,
    opening: Opening,
    actions: &mut Vec<GridAction>,
) {
    let Some(cursor) = state.cursor.clone() else { return };
    let Some(entry) = frame.table.column(&cursor.column) else { return };
    if entry.column.derive.is_some() {
        actions.push(GridAction::Say(format!("{} is computed from other columns.", entry.column.title)));
        return;
    }
    let view = frame.view;
    let value = cursor.row.map_or(Value::Empty, |row| view.watchlist.cell(row, &cursor.column));
    if entry.column.kind == ColumnKind::Flag && opening == Opening::Typed(" ".to_owned()) {
        let toggled = Literal::Flag(value != Value::Flag(true));
        actions.extend(cursor.row.map(|row| set(row, &cursor.column, toggled, &value)));
        return;
    }
    let text = match (&opening, &value) {
        (Opening::Typed(text), _) => text.clone(),
        (_, Value::Time(time)) => local_text(*time, view.zone),
        (_, Value::Number(number)) => view.separators.write(*number),
        (Opening::All | Opening::End, _) => plain(&value),
    };
    let typed_over = matches!(opening, Opening::Typed(_));
    let last_index = state.cursor_index(frame.table).unwrap_or(0);
    let editor = Editor {
        cursor,
        text,
        seen: value,
        typed_over,
        error: None,
        asked: false,
        opening: Some(opening),
        last_index,
    };
    state.editor = Some(editor);
}

/// Sends what was typed, where it can be; false leaves the editor open with the reason.
pub(super) fn commit(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) -> bool {
    let Some(mut editor) = state.editor.take() else { return true };
    match try_commit(&mut editor, state, frame, actions) {
        Ok(()) => true,
        Err(error) => {
            editor.error = Some(error);
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
) -> Result<(), String> {
    let Cursor { row, column } = editor.cursor.clone();
    let view = frame.view;
    let entry = view
        .watchlist
        .columns()
        .visible_column(&column)
        .map_err(|_gone| "this column was removed".to_owned())?;
    let value = read_typed(&entry.column.kind, &editor.text, &editor.seen, view)?;
    let Some(row) = row else {
        if !value.is_empty() {
            let new = (view.new_row)();
            let cells = BTreeMap::from([(column.clone(), value.to_literal())]);
            let changes = insert_at(view.watchlist, view.watchlist.rows().len(), vec![(new, cells)]);
            actions.push(GridAction::Edit(changes.ok_or("there is no room for another row")?));
            state.cursor = Some(Cursor { row: Some(new), column });
        }
        return Ok(());
    };
    if view.watchlist.rows().get(row).is_none() {
        if !editor.asked {
            editor.asked = true;
            return Err(GONE.to_owned());
        }
        // Where it stood, with what was typed.
        let new = (view.new_row)();
        let cells = BTreeMap::from([(column.clone(), value.to_literal())]);
        let place = editor.last_index.min(view.watchlist.rows().len());
        let changes = insert_at(view.watchlist, place, vec![(new, cells)]);
        actions.push(GridAction::Edit(changes.ok_or("there is no room for another row")?));
        state.cursor = Some(Cursor { row: Some(new), column });
        return Ok(());
    }
    let present = view.watchlist.cell(row, &column);
    if present != editor.seen && present != value && !editor.asked {
        editor.asked = true;
        editor.seen = present.clone();
        let shown = view.separators.localized(entry.column.kind.format(&present));
        return Err(format!("it is {shown} now; Enter again overwrites it, Esc takes theirs"));
    }
    if value != present {
        actions.push(set(row, &column, value.to_literal(), &present));
    }
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
    // The key that opened it is not for the editor.
    let is_elsewhere = editor.opening.is_some() || egui::Popup::is_any_open(ui) || !view.takes_keys;
    let mut keys = if is_elsewhere { Keys::default() } else { Keys::take(ui, editor.typed_over) };
    if std::mem::take(&mut state.is_leaving) {
        keys.commit = Some(None);
    }
    if keys.escape {
        return true;
    }
    if let Some(up) = keys.step
        && let Some(entry) = view.watchlist.columns().get(&editor.cursor.column)
        && let Ok(value) = entry.column.kind.parse_typed(&editor.text, &editor.seen, view.separators)
        && let Some(number) = stepped(&value, &entry.column.kind, up)
    {
        editor.text = view.separators.write(number);
    }
    let id = ui.scope_id().with("editor");
    let rect = editor_rect(&editor, layout);
    let is_gone = editor.cursor.row.is_some_and(|row| view.watchlist.rows().get(row).is_none());
    if is_gone {
        // The row that took its place is not the one that is edited.
        let band = Rect::from_x_y_ranges(layout.body.x_range(), rect.y_range());
        ui.painter().rect_filled(band, 0, view.palette.bars);
    }
    paint_frame(ui, &editor, view, rect);
    let before = editor.text.clone();
    let field = TextEdit::singleline(&mut editor.text)
        .id(id)
        .frame(egui::Frame::new().inner_margin(egui::Margin::symmetric(6, 4)))
        .font(theme::text())
        // Tab is the grid's: the next widget must not take the keyboard with it.
        .lock_focus(true)
        .desired_width(rect.width());
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(rect));
    let mut output = field.show(&mut child);
    let title = frame.table.column(&editor.cursor.column).map_or("", |entry| &*entry.column.title);
    ui.ctx().accesskit_node_builder(output.response.id, |node| node.set_label(format!("Edit {title}")));
    if editor.text != before {
        editor.error = None;
        editor.asked = false;
    }
    if let Some(opening) = editor.opening.take() {
        output.response.request_focus();
        let end = CCursor::new(editor.text.chars().count());
        let range = if opening == Opening::All {
            CCursorRange::two(CCursor::default(), end)
        } else {
            CCursorRange::one(end)
        };
        output.state.cursor.set_char_range(Some(range));
        // What was typed in other cells is not to be brought back here.
        output.state.clear_undoer();
        output.state.store(ui, id);
    } else if !output.response.has_focus() && view.takes_keys {
        output.response.request_focus();
    }
    note(ui, &editor, view, rect);
    state.editor = Some(editor);
    let Some(step) = keys.commit else { return false };
    if !commit(state, frame, actions) {
        return false;
    }
    if let Some(step) = step {
        follow(state, frame, step, layout);
    }
    true
}

/// Where the cursor goes after a commit. A row that was just typed does not stand in the watchlist yet.
fn follow(state: &mut GridState, frame: &Frame<'_>, step: Step, layout: &Layout) {
    let view = frame.view;
    let is_new = state
        .cursor
        .as_ref()
        .and_then(|cursor| cursor.row)
        .is_some_and(|row| view.watchlist.rows().get(row).is_none());
    if is_new && step == Step::Down {
        if let Some(cursor) = &mut state.cursor {
            cursor.row = None;
        }
        // The empty row stands one further down once the new one is there.
        state.reveal_next = true;
    } else if !is_new {
        state.step(frame.table, step, layout.page_rows());
    }
    state.release_held();
    state.reveal(frame.table, layout);
}

#[derive(Default)]
struct Keys {
    escape: bool,
    /// Commit, and where to go then.
    commit: Option<Option<Step>>,
    step: Option<bool>,
}

impl Keys {
    fn take(ui: &Ui, typed_over: bool) -> Self {
        ui.input_mut(|input| {
            let escape = input.consume_key(Modifiers::NONE, Key::Escape);
            let step = if input.consume_key(Modifiers::COMMAND, Key::ArrowUp) {
                Some(true)
            } else if input.consume_key(Modifiers::COMMAND, Key::ArrowDown) {
                Some(false)
            } else {
                None
            };
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
            let arrows = if typed_over { &arrows[..] } else { &[] };
            let found =
                always.iter().chain(arrows).find(|(modifiers, key, _)| input.consume_key(*modifiers, *key));
            Self { escape, commit: found.map(|(_, _, step)| Some(*step)), step }
        })
    }
}

fn editor_rect(editor: &Editor, layout: &Layout) -> Rect {
    let column = layout.column(&editor.cursor.column);
    let cell = column.map_or(Rect::from_min_size(layout.body.min, vec2(160.0, layout.row)), |column| {
        layout.cell_rect(editor.last_index, column)
    });
    let width = cell.width().max(120.0);
    Rect::from_min_size(cell.min, vec2(width, layout.row)).expand2(vec2(0.0, 1.0))
}

fn paint_frame(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) {
    let palette = view.palette;
    let edge = if editor.error.is_some() { palette.down } else { palette.accent };
    ui.painter().rect(rect, 2, palette.bars, Stroke::new(2.0, edge), StrokeKind::Outside);
}

/// What is to be said beside the editor: what is wrong, what changed underneath, or what a shorthand means.
fn note(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) {
    let palette = view.palette;
    let Some(entry) = view.watchlist.columns().get(&editor.cursor.column) else { return };
    let row = editor.cursor.row;
    let present = row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.cursor.column));
    let (text, color): (String, Color32) = if let Some(error) = &editor.error {
        (error.clone(), palette.down)
    } else if row.is_some_and(|row| view.watchlist.rows().get(row).is_none()) {
        (GONE.to_owned(), palette.down)
    } else if present != editor.seen {
        let by = view.author.as_ref();
        let by = by.map(|name| format!(" \u{b7} {name}")).unwrap_or_default();
        (format!("now {}{by}", view.separators.localized(entry.column.kind.format(&present))), palette.accent)
    } else {
        match read_typed(&entry.column.kind, &editor.text, &editor.seen, view) {
            Ok(value @ Value::Number(_)) if is_shorthand(&editor.text) => {
                (format!("= {}", view.separators.localized(plain(&value))), palette.muted)
            }
            Ok(Value::Time(time)) => {
                let local = time.to_jiff().to_zoned(view.zone.clone());
                (local.strftime("%A %-d %B %Y, %H:%M:%S %:z").to_string(), palette.muted)
            }
            _ => return,
        }
    };
    let painter = ui.painter();
    let galley = painter.layout_no_wrap(text, theme::small(), color);
    let size = galley.size() + vec2(16.0, 8.0);
    let room_below = rect.bottom() + size.y + 4.0 <= ui.max_rect().bottom();
    let top = if room_below { rect.bottom() + 4.0 } else { rect.top() - 4.0 - size.y };
    let left = rect.left().min(ui.max_rect().right() - size.x - 8.0);
    let bubble = Rect::from_min_size(egui::pos2(left, top), size);
    painter.rect(bubble, theme::RADIUS, palette.bars, Stroke::new(1.0, palette.hairline), StrokeKind::Inside);
    let place = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), bubble.shrink2(vec2(8.0, 4.0)));
    painter.galley(place.min, galley, color);
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

fn is_shorthand(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('+') || text.ends_with(['%', 'k', 'K', 'm', 'M'])
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

pub(super) fn stepped(value: &Value, kind: &ColumnKind, up: bool) -> Option<Decimal> {
    let step = Decimal::new(1, kind.decimals()?);
    let number = value.as_number()?;
    if up { number.checked_add(step) } else { number.checked_sub(step) }
        .filter(|stepped| number::parse_exact(&stepped.to_string()).is_ok())
}

/// A guarded edit: the server compares with what the person saw.
pub(super) fn set(row: RowId, column: &ColumnKey, value: Literal, saw: &Value) -> GridAction {
    GridAction::Edit(vec![Change::set_guarded(row, column, value, saw.to_literal())])
}
