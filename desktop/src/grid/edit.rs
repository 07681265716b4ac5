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
    position::Position,
    value::{Literal, Value},
    watchlist::Watchlist,
};

use super::{
    GridAction, GridState, GridView,
    keys::Step,
    layout::{Layout, ROW},
    state::Cursor,
};
use crate::theme;

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
    view: &GridView<'_>,
    opening: Opening,
    actions: &mut Vec<GridAction>,
) {
    let Some(cursor) = state.cursor.clone() else { return };
    let Some(entry) = view.watchlist.columns().get(&cursor.column) else { return };
    if entry.column.derive.is_some() {
        actions.push(GridAction::Say(format!("{} is computed from other columns.", entry.column.title)));
        return;
    }
    let value = cursor.row.map_or(Value::Empty, |row| view.watchlist.cell(row, &cursor.column));
    if entry.column.kind == ColumnKind::Flag && opening == Opening::Typed(" ".to_owned()) {
        let toggled = Literal::Flag(value != Value::Flag(true));
        actions.extend(cursor.row.map(|row| set(row, &cursor.column, toggled, &value)));
        return;
    }
    let text = match &opening {
        Opening::Typed(text) => text.clone(),
        Opening::All | Opening::End => plain(&value),
    };
    let typed_over = matches!(opening, Opening::Typed(_));
    let last_index = state.cursor_index(view.watchlist).unwrap_or(0);
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

/// Empties the cursor's cell.
pub(super) fn clear(state: &mut GridState, view: &GridView<'_>, actions: &mut Vec<GridAction>) {
    let Some((row, column, value)) = editable_cell(state, view) else { return };
    if !value.is_empty() {
        actions.push(set(row, &column, Literal::Empty, &value));
    }
}

/// Steps the cursor's number by its column's last decimal.
pub(super) fn step(state: &mut GridState, view: &GridView<'_>, up: bool, actions: &mut Vec<GridAction>) {
    let Some((row, column, value)) = editable_cell(state, view) else { return };
    let kind = view.watchlist.columns().get(&column).map(|entry| &entry.column.kind);
    if let (Some(number), Some(stepped)) =
        (value.as_number(), kind.and_then(|kind| stepped(&value, kind, up)))
    {
        debug_assert_ne!(number, stepped);
        actions.push(set(row, &column, Value::Number(stepped).to_literal(), &value));
    }
}

/// Adds an empty row beside the cursor's.
pub(super) fn insert_row(
    state: &mut GridState,
    view: &GridView<'_>,
    below: bool,
    actions: &mut Vec<GridAction>,
) {
    let rows = view.watchlist.rows();
    let index = state.cursor_index(view.watchlist).unwrap_or(rows.len());
    let place = if below { (index + 1).min(rows.len()) } else { index };
    let row = (view.new_row)();
    if let Some(changes) = insert_at(view.watchlist, place, row, BTreeMap::new()) {
        actions.push(GridAction::Edit(changes));
        let column = state.cursor.as_ref().map(|cursor| cursor.column.clone());
        state.cursor = column.map(|column| Cursor { row: Some(row), column });
    }
}

/// Takes the cursor's row away; undo brings it back.
pub(super) fn remove_row(state: &GridState, actions: &mut Vec<GridAction>) {
    if let Some(row) = state.cursor.as_ref().and_then(|cursor| cursor.row) {
        actions.push(GridAction::Edit(vec![Change::remove(row, None)]));
    }
}

/// The changes that put a new row at a place; where two positions leave no room, their neighbours move.
pub(super) fn insert_at(
    watchlist: &Watchlist,
    place: usize,
    row: RowId,
    cells: BTreeMap<ColumnKey, Literal>,
) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let position = |index: usize| rows.at(index).map(|row| &row.position);
    let before = place.checked_sub(1).and_then(position);
    if let Some(mut places) = Position::between(before, position(place), 1) {
        return Some(vec![Change::insert(row, &places.remove(0), cells)]);
    }
    // Make room among ever more rows on both sides, until there is some.
    let mut reach = 8;
    loop {
        let first = place.saturating_sub(reach);
        let last = (place + reach).min(rows.len());
        let outside = (first.checked_sub(1).and_then(position), position(last));
        if let Some(places) = Position::between(outside.0, outside.1, last - first + 1) {
            let mut places = places.iter();
            let mut changes = Vec::with_capacity(last - first + 1);
            for index in first..place {
                changes.push(Change::move_to(rows.at(index)?.id, places.next()?));
            }
            changes.push(Change::insert(row, places.next()?, cells));
            for index in place..last {
                changes.push(Change::move_to(rows.at(index)?.id, places.next()?));
            }
            return Some(changes);
        }
        if first == 0 && last == rows.len() {
            return None;
        }
        reach *= 4;
    }
}

/// Sends what was typed, where it can be; false leaves the editor open with the reason.
pub(super) fn commit(state: &mut GridState, view: &GridView<'_>, actions: &mut Vec<GridAction>) -> bool {
    let Some(mut editor) = state.editor.take() else { return true };
    match try_commit(&mut editor, state, view, actions) {
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
    view: &GridView<'_>,
    actions: &mut Vec<GridAction>,
) -> Result<(), String> {
    let Cursor { row, column } = editor.cursor.clone();
    let entry = view
        .watchlist
        .columns()
        .visible_column(&column)
        .map_err(|_gone| "this column was removed".to_owned())?;
    let value = entry.column.kind.parse_typed(&editor.text, &editor.seen, view.separators)?;
    let Some(row) = row else {
        if !value.is_empty() {
            let new = (view.new_row)();
            let cells = BTreeMap::from([(column.clone(), value.to_literal())]);
            let changes = insert_at(view.watchlist, view.watchlist.rows().len(), new, cells);
            actions.push(GridAction::Edit(changes.ok_or("there is no room for another row")?));
            state.cursor = Some(Cursor { row: Some(new), column });
        }
        return Ok(());
    };
    if view.watchlist.rows().get(row).is_none() {
        return Err("this row was removed; copy the text, or press Esc".to_owned());
    }
    let present = view.watchlist.cell(row, &column);
    if present != editor.seen && present != value && !editor.asked {
        editor.asked = true;
        editor.seen = present.clone();
        let shown = entry.column.kind.format(&present);
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
    view: &GridView<'_>,
    layout: &Layout,
    actions: &mut Vec<GridAction>,
) -> bool {
    let Some(mut editor) = state.editor.take() else { return true };
    if let Some(row) = editor.cursor.row
        && let Some(index) = view.watchlist.rows().index_of(row)
    {
        editor.last_index = index;
    }
    if editor.opening.is_none() {
        let ahead = std::mem::take(&mut state.typed_ahead);
        ui.input_mut(|input| drop(input.events.splice(0..0, ahead)));
    }
    // The key that opened it is not for the editor.
    let keys = if editor.opening.is_some() { Keys::default() } else { Keys::take(ui, editor.typed_over) };
    if keys.escape {
        return true;
    }
    if let Some(up) = keys.step
        && let Some(entry) = view.watchlist.columns().get(&editor.cursor.column)
        && let Ok(value) = entry.column.kind.parse_typed(&editor.text, &editor.seen, view.separators)
        && let Some(number) = stepped(&value, &entry.column.kind, up)
    {
        editor.text = number.to_string();
    }
    let id = ui.scope_id().with("editor");
    let rect = editor_rect(&editor, layout);
    paint_frame(ui, &editor, view, rect);
    let before = editor.text.clone();
    let field = TextEdit::singleline(&mut editor.text)
        .id(id)
        .frame(egui::Frame::new().inner_margin(egui::Margin::symmetric(6, 4)))
        .font(theme::text())
        .desired_width(rect.width());
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(rect));
    let mut output = field.show(&mut child);
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
        output.state.store(ui, id);
    } else if !output.response.has_focus() && view.takes_keys {
        output.response.request_focus();
    }
    note(ui, &editor, view, rect);
    state.editor = Some(editor);
    let Some(step) = keys.commit else { return false };
    if !commit(state, view, actions) {
        return false;
    }
    if let Some(step) = step {
        follow(state, view, step, layout);
    }
    true
}

/// Where the cursor goes after a commit. A row that was just typed does not stand in the watchlist yet.
fn follow(state: &mut GridState, view: &GridView<'_>, step: Step, layout: &Layout) {
    let is_new = state
        .cursor
        .as_ref()
        .and_then(|cursor| cursor.row)
        .is_some_and(|row| view.watchlist.rows().get(row).is_none());
    if is_new && step == Step::Down {
        if let Some(cursor) = &mut state.cursor {
            cursor.row = None;
        }
    } else if !is_new {
        state.step(view.watchlist, step, layout.page_rows());
    }
    state.release_edited_row();
    state.reveal_cursor(view.watchlist, layout);
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
    let cell = column.map_or(Rect::from_min_size(layout.body.min, vec2(160.0, ROW)), |column| {
        layout.cell_rect(editor.last_index, column)
    });
    let width = cell.width().max(120.0);
    Rect::from_min_size(cell.min, vec2(width, ROW)).expand2(vec2(0.0, 1.0))
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
        ("this row was removed; copy the text, or press Esc".to_owned(), palette.down)
    } else if present != editor.seen {
        (format!("now {}", entry.column.kind.format(&present)), palette.accent)
    } else {
        match entry.column.kind.parse_typed(&editor.text, &editor.seen, view.separators) {
            Ok(value @ Value::Number(_)) if is_shorthand(&editor.text) => {
                (format!("= {}", plain(&value)), palette.muted)
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

fn is_shorthand(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('+') || text.ends_with(['%', 'k', 'K', 'm', 'M'])
}

/// A value as it is edited: every digit, no grouping.
fn plain(value: &Value) -> String {
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

fn editable_cell(state: &GridState, view: &GridView<'_>) -> Option<(RowId, ColumnKey, Value)> {
    let Cursor { row, column } = state.cursor.clone()?;
    let row = row?;
    let editable = view.watchlist.columns().get(&column)?.column.derive.is_none();
    editable.then(|| (row, column.clone(), view.watchlist.cell(row, &column)))
}

/// A guarded edit: the server compares with what the person saw.
fn set(row: RowId, column: &ColumnKey, value: Literal, saw: &Value) -> GridAction {
    GridAction::Edit(vec![Change::set_guarded(row, column, value, saw.to_literal())])
}
