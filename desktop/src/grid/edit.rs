//! The cell editor. Incoming changes never modify the text in it.

mod calendar;
mod commit;
mod editor;
mod keys;
mod note;
mod picker;

use egui::{
    Align2, Color32, Event, Id, Rangef, Rect, Stroke, StrokeKind, TextEdit, Ui, pos2,
    text::{CCursor, CCursorRange},
    vec2,
};
use shared::{column::ColumnKind, value::Value};

pub use self::editor::Editor;
pub(super) use self::{
    commit::{commit, commit_to_selection, open},
    editor::{Editing, Opening},
};
use self::{
    editor::Problem,
    keys::{Commit, Keys},
    note::Answer,
};
use super::{
    displacement::Reason,
    layout::Layout,
    metrics::{ARROW, PADDING},
    reveal::reveal,
    scroll::Scroll,
    selection::Selection,
    typed::stepped_number,
    view::{Frame, GridView},
};
use crate::{
    command::{Command, Step},
    text_field::select_all,
    theme,
};

/// Minimum width of the editor, in points. It may be wider than its cell.
const MIN_EDITOR_WIDTH: f32 = 96.0;
/// Minimum width of the editor of a time, in points. Its text is longer than the one in the cell.
const MIN_TIME_EDITOR_WIDTH: f32 = 168.0;

/// Room for the caret beside the text, in points.
const CARET_ROOM: f32 = 4.0;

/// Shows the open editor and handles its keys. Returns the edit once it is closed, and `None` while it stays
/// open.
pub(super) fn show(
    ui: &mut Ui,
    editing: &mut Editing,
    selection: &mut Selection,
    scroll: &mut Scroll,
    frame: &Frame<'_>,
    layout: &Layout,
) -> Option<Vec<Command>> {
    let Some(mut editor) = editing.editor.take() else { return Some(Vec::new()) };
    let view = frame.view;
    editor.remember_row(frame.table);
    let kind = view.watchlist.columns().get(&editor.column).map(|entry| entry.column.kind.clone());
    let kind = kind.unwrap_or(ColumnKind::Text);
    let before = editor.text.clone();
    let mut keys = take_keys(ui, editing, &mut editor, &kind, view);
    if keys.escape {
        editing.end_run();
        return Some(Vec::new());
    }
    if let Some(up) = keys.step
        && let Ok(value) = kind.parse_typed(&editor.text, editor.current_number(), view.separators)
        && let Some(number) = stepped_number(&value, &kind, up)
    {
        editor.text = view.separators.write(number);
        editor.is_relative = false;
    }
    if editor.text != before {
        // The text was picked or stepped: put the caret at its end.
        editor.opening = Some(Opening::End);
    }
    if let Some(column) = layout.column(&editor.cursor.column) {
        editor.last_column = Rangef::new(column.left, column.left + column.width);
    }
    let rect = editor_rect(ui, &editor, &kind, layout);
    if !editor.refused.is_empty() && is_corrected(ui, rect) {
        editor.refused.clear();
    }
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
        keys.commit = Some(Commit::Move(Step::Down));
    }
    let cell = name_out_of_view(&editor, frame, layout);
    match note::show(ui, (&editor, cell), view, rect) {
        None => {}
        Some(Answer::Discard) => {
            editing.end_run();
            return Some(Vec::new());
        }
        Some(Answer::Copy) => ui.copy_text(editor.copied_text()),
        Some(Answer::Commit) => keys.commit = Some(Commit::Stay),
        Some(Answer::BringBack) => {
            editor.problem = Some(Problem::RowRemoved);
            keys.commit = Some(Commit::Stay);
        }
        Some(Answer::Overwrite) => {
            editor.seen =
                editor.cursor.row.map_or(Value::Empty, |row| view.watchlist.cell(row, &editor.column));
            keys.commit = Some(Commit::Stay);
        }
    }
    editing.editor = Some(editor);
    let removed_from = editing.editor.as_ref().map(|editor| editor.last_row.index).filter(|_| is_removed);
    let how = keys.commit?;
    let commands = commit_as(ui, editing, selection, frame, how)?;
    match (how, removed_from) {
        (Commit::Move(step), Some(index)) => move_from_restored(selection, scroll, frame, step, index),
        (_, Some(_)) => scroll.reveal_next = true,
        (Commit::Move(step) | Commit::Leave(step), None) => {
            move_after_commit((selection, editing), scroll, frame, (step, how), layout);
        }
        (Commit::Stay | Commit::ToSelection, None) => {}
    }
    editing.set_next_cell(selection.cursor.clone().filter(|_| selection.displacement().is_none()));
    Some(commands)
}

/// Takes the keys that are not text. Those that follow the one that closes the editor are for the grid.
fn take_keys(
    ui: &Ui,
    editing: &mut Editing,
    editor: &mut Editor,
    kind: &ColumnKind,
    view: &GridView<'_>,
) -> Keys {
    // The key that opened the editor is not input for it.
    let ignores_keys = editor.opening.is_some() || egui::Popup::is_any_open(ui) || !view.accepts_keyboard;
    if kind.is_numeric() && !ignores_keys {
        separate_pasted_cells(ui);
    }
    let mut keys = if ignores_keys { Keys::default() } else { Keys::consume(ui, editor, kind, view) };
    editing.reclaims_focus = keys.escape || keys.commit.is_some();
    if !keys.following.is_empty() {
        editing.typed_ahead.append(&mut keys.following);
        ui.request_repaint();
    }
    if std::mem::take(&mut editing.is_commit_requested) {
        keys.commit = Some(Commit::Stay);
    }
    let may_answer = !keys.is_repeated && editor.may_be_answered(view.now);
    keys.commit = keys.commit.filter(|how| !editor.has_question() || how.answers() && may_answer);
    keys
}

/// Separates the cells of a pasted text, so that several numbers do not become one. The text field would put
/// spaces between them, which may also group digits.
fn separate_pasted_cells(ui: &Ui) {
    ui.input_mut(|input| {
        for event in &mut input.events {
            if let Event::Paste(text) = event {
                *text = text
                    .trim_end()
                    .split(['\r', '\n', '\t'])
                    .filter(|cell| !cell.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
            }
        }
    });
}

/// Moves the cursor on from a row that was brought back: to the row that has taken its place at an index, or
/// to the one above.
fn move_from_restored(
    selection: &mut Selection,
    scroll: &mut Scroll,
    frame: &Frame<'_>,
    step: Step,
    index: usize,
) {
    let next = match step {
        Step::Down => Some(index),
        Step::Up => index.checked_sub(1),
        _ => None,
    };
    let next = next.and_then(|next| frame.table.id_at(next));
    if let (Some(row), Some(cursor)) = (next, &mut selection.cursor) {
        cursor.row = Some(row);
    }
    selection.settle();
    scroll.reveal_next = true;
}

/// Commits the text. Returns `None` if the editor stays open.
fn commit_as(
    ui: &Ui,
    editing: &mut Editing,
    selection: &mut Selection,
    frame: &Frame<'_>,
    how: Commit,
) -> Option<Vec<Command>> {
    let is_for_selection = how == Commit::ToSelection && !selection.blocks.is_single();
    let commit = if is_for_selection { commit_to_selection } else { commit };
    let commands = commit(editing, selection, frame);
    if commands.is_none()
        && let Some(editor) = &editing.editor
    {
        // What is typed next takes the place of the text instead of making another number of it.
        select_all(ui, field_id(ui), &editor.text);
    }
    if commands.is_some() && matches!(how, Commit::Move(_) | Commit::Leave(_)) {
        editing.committed_at = Some(frame.view.now);
    }
    commands
}

fn field_id(ui: &Ui) -> Id {
    ui.scope_id().with("editor")
}

/// Whether the person corrects the text, by a key that no typing of a list of figures has or with the
/// pointer.
fn is_corrected(ui: &Ui, rect: Rect) -> bool {
    use egui::Key;
    let corrects = |event: &Event| match event {
        Event::Key { key, pressed: true, .. } => {
            matches!(
                key,
                Key::Backspace | Key::Delete | Key::ArrowLeft | Key::ArrowRight | Key::Home | Key::End
            )
        }
        Event::PointerButton { pos, pressed: true, .. } => rect.contains(*pos),
        Event::Paste(_) | Event::Cut => true,
        _ => false,
    };
    ui.input(|input| input.events.iter().any(corrects))
}

/// Shows the text field.
fn show_field(ui: &mut Ui, editor: &mut Editor, kind: &ColumnKind, frame: &Frame<'_>, rect: Rect) {
    let id = field_id(ui);
    let before = editor.text.clone();
    // The same text may be typed again, in place of itself.
    let is_typed = ui.input(|input| input.events.iter().any(|event| matches!(event, Event::Text(_))));
    // Digits keep the position that they have in the cell.
    let (align, right) = if kind.is_numeric() {
        (Align2::RIGHT_CENTER, PADDING + ARROW)
    } else {
        (Align2::LEFT_CENTER, PADDING)
    };
    let room = Rect::from_min_max(rect.min + vec2(PADDING, 0.0), rect.max - vec2(right, 0.0));
    let is_first = frame.table.columns().first().is_some_and(|first| *first.key() == editor.cursor.column);
    let font = if is_first { theme::strong() } else { theme::text() };
    let text_edit = TextEdit::singleline(&mut editor.text)
        .id(id)
        .frame(egui::Frame::NONE)
        .font(font)
        .align(align)
        // The grid handles Tab: it must not move the focus to the next widget.
        .lock_focus(true)
        .min_size(room.size())
        .desired_width(room.width());
    // A text field centres its text half a point lower than a cell does, and aligns it half a point further
    // to the right.
    let offset = vec2(if kind.is_numeric() { -1.0 } else { 0.0 }, -1.0);
    let mut child = ui.new_child(egui::UiBuilder::new().max_rect(room.translate(offset)));
    let mut output = text_edit.show(&mut child);
    let title = frame.table.column(&editor.cursor.column).map_or("", |column| &**column.title());
    ui.ctx().accesskit_node_builder(output.response.id, |node| node.set_label(format!("Edit {title}")));
    if editor.text != before || is_typed {
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
fn move_after_commit(
    (selection, editing): (&mut Selection, &mut Editing),
    scroll: &mut Scroll,
    frame: &Frame<'_>,
    (step, how): (Step, Commit),
    layout: &Layout,
) {
    let view = frame.view;
    let new = selection.cursor.as_ref().and_then(|cursor| cursor.row);
    let new = new.filter(|row| view.watchlist.rows().get(*row).is_none());
    let Some(new) = new else {
        let cell = selection.cursor.clone();
        let has_changed = cell.is_some_and(|cell| editing.has_changed_since_pause(frame.table, &cell, step));
        let run = editing.current_run(view.now);
        match how {
            Commit::Move(step) => selection.step_after_commit(frame.table, run, step, layout.page_rows()),
            _ => selection.step_in_run(frame.table, run, step, layout.page_rows()),
        }
        if has_changed {
            let is_vertical = matches!(step, Step::Up | Step::Down);
            selection.displace(if is_vertical { Reason::RowAfterPause } else { Reason::ColumnAfterPause });
        }
        scroll.release_anchor();
        reveal(scroll, selection, frame.table, layout);
        return;
    };
    if let Some(cursor) = &mut selection.cursor {
        match step {
            Step::Up => {
                cursor.row = frame.table.len().checked_sub(1).and_then(|last| frame.table.id_at(last))
            }
            // The row below; until the new row exists, that is the empty row in which it was typed.
            _ => cursor.row = None,
        }
    }
    if !matches!(step, Step::Down | Step::Up) {
        selection.step(frame.table, step, layout.page_rows());
        if let Some(cursor) = selection.cursor.as_mut().filter(|cursor| cursor.row.is_none()) {
            cursor.row = Some(new);
        }
    }
    scroll.release_anchor();
    // The empty row moves one down once the new row exists.
    scroll.reveal_next = true;
}

/// Returns the editor's rectangle: over its cell and as wide as its text, or at the nearest edge of the body if
/// the cell is scrolled away.
fn editor_rect(ui: &Ui, editor: &Editor, kind: &ColumnKind, layout: &Layout) -> Rect {
    let is_frozen = layout.column(&editor.cursor.column).is_some_and(|column| column.frozen);
    let room = if is_frozen { layout.body } else { layout.body.with_min_x(layout.frozen_right) };
    let Rangef { min, max } = editor.last_column;
    let narrowest = if *kind == ColumnKind::Time { MIN_TIME_EDITOR_WIDTH } else { MIN_EDITOR_WIDTH };
    let text = ui.painter().layout_no_wrap(editor.text.clone(), theme::strong(), Color32::WHITE).size().x;
    let narrowest = narrowest.max(text + 2.0 * PADDING + ARROW + CARET_ROOM);
    let wider = (narrowest - (max - min)).max(0.0);
    let (min, max) = if kind.is_numeric() { (min - wider, max) } else { (min, max + wider) };
    let width = (max - min).min(room.width());
    let left = min.min(room.right() - width).max(room.left());
    let top = layout.editor_top(editor.last_row.index).min(room.bottom() - layout.row).max(room.top());
    Rect::from_min_size(pos2(left, top), vec2(width, layout.row))
}

/// Returns the name of the edited cell if it is scrolled out of view: the editor is over another one then.
fn name_out_of_view(editor: &Editor, frame: &Frame<'_>, layout: &Layout) -> Option<String> {
    let column = frame.table.column(&editor.cursor.column)?;
    let is_frozen = layout.column(&editor.cursor.column).is_some_and(|column| column.frozen);
    let (top, Rangef { min, max }) = (layout.editor_top(editor.last_row.index), editor.last_column);
    let is_below_or_above =
        top + layout.row / 2.0 < layout.body.top() || top + layout.row / 2.0 > layout.body.bottom();
    let is_beside = !is_frozen && (max <= layout.frozen_right || min >= layout.body.right());
    if !is_below_or_above && !is_beside {
        return None;
    }
    let row = editor.cursor.row.and_then(|row| frame.view.watchlist.rows().get(row));
    let first = frame.table.columns().first();
    let row = row.zip(first).map(|(row, first)| frame.text(row, first)).filter(|name| !name.is_empty());
    let title = column.title();
    Some(row.map_or_else(|| title.to_string(), |row| format!("{row} {title}")))
}

fn paint_frame(ui: &Ui, editor: &Editor, view: &GridView<'_>, rect: Rect) {
    let palette = view.palette;
    let edge = if editor.problem.is_some() { palette.down } else { palette.accent };
    ui.painter().rect(rect, 2, palette.background, Stroke::new(2.0, edge), StrokeKind::Inside);
}
