//! Pointer input: scrolling, selecting, and resizing and moving columns.

use egui::{CursorIcon, Modifiers, PointerButton, Response, Ui};

use super::{
    Command, Frame, GridAction, GridState, columns, edit, header,
    layout::{self, Layout},
    ops,
    state::{Cursor, Drag},
};

/// Handles the wheel and drags of the scroll bars and column edges.
pub(super) fn handle_scroll(ui: &Ui, state: &mut GridState, layout: &Layout, response: &Response) {
    if response.hovered() {
        let delta = ui.input(|input| input.smooth_scroll_delta());
        if delta != egui::Vec2::ZERO {
            state.scroll_row -= f64::from(delta.y / layout.row);
            state.scroll_x -= delta.x;
            state.release_anchor();
        }
    }
    let origin = ui.input(|input| input.pointer.press_origin());
    // A drag of rows starts on the press: the selection at that moment decides between selecting and moving.
    if response.drag_started() && !matches!(state.drag, Some(Drag::Rows | Drag::Move(_))) {
        state.drag = origin.and_then(|origin| {
            if layout.vertical_bar.contains(origin) || layout.horizontal_bar.contains(origin) {
                Some(Drag::Bar)
            } else if let Some((key, width)) = layout.edge_at(Some(origin)) {
                Some(Drag::Edge(key, width))
            } else if let Some(key) = layout.header_at(origin) {
                Some(Drag::Column(key))
            } else {
                layout.cell_at(origin).map(|_| Drag::Cells)
            }
        });
    }
    let is_on_bar = origin
        .is_some_and(|origin| layout.vertical_bar.contains(origin) || layout.horizontal_bar.contains(origin));
    if let (Some(origin), Some(pointer), true) = (origin, response.interact_pointer_pos(), is_on_bar) {
        if layout.vertical_bar.contains(origin) {
            state.scroll_row = layout.scroll_row_at(pointer.y);
        } else {
            state.scroll_x = layout.scroll_x_at(pointer.x);
        }
        state.release_anchor();
    }
    if let (Some(Drag::Edge(key, start)), true) = (&state.drag, response.dragged()) {
        let moved = response.total_drag_delta().unwrap_or_default().x;
        state.config.widths.insert(key.clone(), (start + moved).clamp(layout::MIN_WIDTH, layout::MAX_WIDTH));
    }
    if layout.edge_at(response.hover_pos()).is_some() || matches!(state.drag, Some(Drag::Edge(..))) {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    } else if matches!(state.drag, Some(Drag::Column(_) | Drag::Move(_))) && response.dragged() {
        ui.set_cursor_icon(CursorIcon::Grabbing);
    }
    state.scroll_row = state.scroll_row.clamp(0.0, layout.last_scroll_row());
    state.scroll_x = state.scroll_x.clamp(0.0, layout.last_scroll_x());
}

/// Handles clicks and drags of cells and headers. Returns true if the grid takes focus.
pub(super) fn handle_clicks(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    response: &Response,
    actions: &mut Vec<GridAction>,
) -> bool {
    let modifiers = ui.input(|input| input.modifiers);
    if response.drag_stopped() {
        match (state.drag.take(), response.interact_pointer_pos()) {
            (Some(Drag::Column(key)), Some(at)) => header::drop_column(state, frame, layout, &key, at.x),
            // A long press without movement moves no rows.
            (Some(Drag::Move(from)), Some(at)) if layout.row_number_at(at) != Some(from) => {
                ops::move_rows_to(state, frame, layout.insertion_index_at(at.y), actions);
            }
            _ => {}
        }
        return true;
    }
    if let (Some(Drag::Cells | Drag::Rows | Drag::Move(_)), true, Some(at)) =
        (&state.drag, response.dragged(), response.interact_pointer_pos())
        && state.editor.is_none()
    {
        drag_selection(ui, state, frame, layout, at);
    }
    let is_pressed = handle_press(ui, state, frame, layout, response, actions);
    let at = response.interact_pointer_pos();
    if response.clicked() && matches!(state.drag.take(), Some(Drag::Move(_))) {
        // A press without a drag selects only that row.
        if let Some(index) = at.and_then(|at| layout.row_number_at(at)) {
            press_row_number(state, frame, index, Modifiers::NONE);
        }
    }
    if let Some(at) = at.filter(|_| response.clicked() || response.double_clicked()) {
        if let Some((key, _)) = layout.edge_at(Some(at)) {
            if response.double_clicked() {
                columns::fit(ui, state, frame, layout, &key);
            }
            return false;
        }
        if layout.is_corner(at) && commit_editor(state, frame, actions) {
            state.select_whole(&Command::SelectAll, frame.table);
            return true;
        }
        if let Some(key) = layout.header_at(at) {
            if response.clicked() && commit_editor(state, frame, actions) {
                header::click(state, frame, &key, modifiers);
            }
            return true;
        }
        if response.double_clicked() && layout.cell_at(at).is_some() && state.editor.is_none() {
            edit::open(state, frame, edit::Opening::All, actions);
            return true;
        }
    }
    is_pressed
}

/// Handles a press of a cell or a row number. Returns true if there was one. A cell is selected on press,
/// because waiting for the release feels slow. A press that is released within the same frame counts as well.
fn handle_press(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    response: &Response,
    actions: &mut Vec<GridAction>,
) -> bool {
    let (is_pressed, modifiers) =
        ui.input(|input| (input.pointer.button_pressed(PointerButton::Primary), input.modifiers));
    let is_here = is_pressed && (response.is_pointer_button_down_on() || response.clicked());
    let Some(at) = response.interact_pointer_pos().filter(|_| is_here) else { return false };
    if let Some(index) = layout.row_number_at(at) {
        if commit_editor(state, frame, actions) {
            let row = frame.table.id_at(index);
            let is_move = modifiers.is_none() && row.is_some_and(|row| state.selection.has_whole_row(row));
            state.drag = Some(if is_move { Drag::Move(index) } else { Drag::Rows });
            if !is_move {
                press_row_number(state, frame, index, modifiers);
            }
        }
        return true;
    }
    let Some((index, column)) = layout.cell_at(at) else { return false };
    let target = Cursor { row: frame.table.id_at(index), column };
    press_cell(state, frame, target, modifiers, actions);
    true
}

fn press_cell(
    state: &mut GridState,
    frame: &Frame<'_>,
    target: Cursor,
    modifiers: Modifiers,
    actions: &mut Vec<GridAction>,
) {
    if state.editor.as_ref().is_some_and(|editor| editor.cursor == target) {
        return;
    }
    // A click elsewhere commits. An invalid text stays open.
    if !commit_editor(state, frame, actions) {
        return;
    }
    if modifiers.shift
        && let Some(cursor) = state.cursor.clone()
    {
        state.selection.extend(&cursor, target, frame.table);
    } else if modifiers.command {
        state.selection.add_cell(state.cursor.as_ref(), target.clone());
        state.cursor = Some(target);
    } else {
        state.selection.clear();
        state.cursor = Some(target);
    }
}

/// Handles a press of a row number: selects the row, extends the selection to it with Shift, adds it with
/// Ctrl.
fn press_row_number(state: &mut GridState, frame: &Frame<'_>, index: usize, modifiers: Modifiers) {
    let Some(first) = frame.table.columns().first() else { return };
    let cell = Cursor { row: frame.table.id_at(index), column: first.column.key.clone() };
    match state.cursor.clone().filter(|_| modifiers.shift) {
        Some(cursor) => state.selection.select_rows(cursor, cell, false, frame.table),
        None => {
            let is_added = modifiers.command && !state.selection.is_single();
            state.selection.select_rows(cell.clone(), cell.clone(), is_added, frame.table);
            state.cursor = Some(cell);
        }
    }
}

fn commit_editor(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) -> bool {
    state.editor.is_none() || edit::commit(state, frame, actions)
}

/// Extends the selection to the pointer, and scrolls if the pointer is above or below the body.
fn drag_selection(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, at: egui::Pos2) {
    let beyond = (at.y - layout.body.bottom()).max(0.0) - (layout.body.top() - at.y).max(0.0);
    if beyond != 0.0 {
        state.scroll_row += f64::from(beyond / layout.row) * 0.2;
        ui.request_repaint();
    }
    let Some(cursor) = state.cursor.clone() else { return };
    let Some((index, column)) = layout.cell_near(at) else { return };
    let index = index.min(frame.table.len().saturating_sub(1));
    let to = Cursor { row: frame.table.id_at(index), column };
    match state.drag {
        Some(Drag::Rows) => state.selection.select_rows(cursor, to, false, frame.table),
        Some(Drag::Cells) if to != cursor || !state.selection.is_single() => {
            state.selection.extend(&cursor, to, frame.table);
        }
        _ => {}
    }
}
