//! What the pointer does: scrolls, selects, resizes and moves columns.

use egui::{CursorIcon, Modifiers, PointerButton, Response, Ui};

use super::{
    Command, Frame, GridAction, GridState, columns, edit, header,
    layout::{self, Layout},
    ops,
    state::{Cursor, Drag},
};

/// Takes the wheel, and drags of the bars and the columns' edges.
pub(super) fn scroll(ui: &Ui, state: &mut GridState, layout: &Layout, response: &Response) {
    if response.hovered() {
        let delta = ui.input(|input| input.smooth_scroll_delta());
        if delta != egui::Vec2::ZERO {
            state.scroll_row -= f64::from(delta.y / layout.row);
            state.scroll_x -= delta.x;
            state.release_held();
        }
    }
    let origin = ui.input(|input| input.pointer.press_origin());
    // Rows are taken hold of when they are pressed: what is selected by then tells what is meant.
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
            state.scroll_row = layout.row_at_bar(pointer.y);
        } else {
            state.scroll_x = layout.x_at_bar(pointer.x);
        }
        state.release_held();
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

/// Takes clicks and drags of cells and headers; true where the grid is to have the keyboard.
pub(super) fn act(
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
            // A long press moves nothing.
            (Some(Drag::Move(from)), Some(at)) if layout.number_at(at) != Some(from) => {
                ops::move_rows_to(state, frame, layout.place_at(at.y), actions);
            }
            _ => {}
        }
        return true;
    }
    if let (Some(Drag::Cells | Drag::Rows | Drag::Move(_)), true, Some(at)) =
        (&state.drag, response.dragged(), response.interact_pointer_pos())
        && state.editor.is_none()
    {
        drag(ui, state, frame, layout, at);
    }
    let is_pressed = take_press(ui, state, frame, layout, response, actions);
    let at = response.interact_pointer_pos();
    if response.clicked() && matches!(state.drag.take(), Some(Drag::Move(_))) {
        // Pressed and not dragged: it was to select that row alone.
        if let Some(index) = at.and_then(|at| layout.number_at(at)) {
            press_number(state, frame, index, Modifiers::NONE);
        }
    }
    if let Some(at) = at.filter(|_| response.clicked() || response.double_clicked()) {
        if let Some((key, _)) = layout.edge_at(Some(at)) {
            if response.double_clicked() {
                columns::fit(ui, state, frame, layout, &key);
            }
            return false;
        }
        if layout.is_corner(at) && commit(state, frame, actions) {
            state.select(&Command::SelectAll, frame.table);
            return true;
        }
        if let Some(key) = layout.header_at(at) {
            if response.clicked() && commit(state, frame, actions) {
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

/// Takes a press of a cell or a row's number; true where there was one. A cell is selected when it is pressed: a click
/// that is released is too late for a quick hand. A press that was released within the same frame is one as well.
fn take_press(
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
    if let Some(index) = layout.number_at(at) {
        if commit(state, frame, actions) {
            let row = frame.table.id_at(index);
            let is_taken = modifiers.is_none() && row.is_some_and(|row| state.selection.has_whole_row(row));
            state.drag = Some(if is_taken { Drag::Move(index) } else { Drag::Rows });
            if !is_taken {
                press_number(state, frame, index, modifiers);
            }
        }
        return true;
    }
    let Some((index, column)) = layout.cell_at(at) else { return false };
    let target = Cursor { row: frame.table.id_at(index), column };
    press(state, frame, target, modifiers, actions);
    true
}

fn press(
    state: &mut GridState,
    frame: &Frame<'_>,
    target: Cursor,
    modifiers: Modifiers,
    actions: &mut Vec<GridAction>,
) {
    if state.editor.as_ref().is_some_and(|editor| editor.cursor == target) {
        return;
    }
    // A click elsewhere commits; what cannot be committed stays open.
    if !commit(state, frame, actions) {
        return;
    }
    if modifiers.shift
        && let Some(cursor) = state.cursor.clone()
    {
        state.selection.extend(&cursor, target, frame.table);
    } else if modifiers.command {
        state.selection.add(state.cursor.as_ref(), target.clone());
        state.cursor = Some(target);
    } else {
        state.selection.clear();
        state.cursor = Some(target);
    }
}

/// The number of a row selects it whole; with Shift all up to it, with Ctrl beside what is selected.
fn press_number(state: &mut GridState, frame: &Frame<'_>, index: usize, modifiers: Modifiers) {
    let Some(first) = frame.table.columns().first() else { return };
    let cell = Cursor { row: frame.table.id_at(index), column: first.column.key.clone() };
    match state.cursor.clone().filter(|_| modifiers.shift) {
        Some(cursor) => state.selection.rows(cursor, cell, false, frame.table),
        None => {
            let is_beside = modifiers.command && !state.selection.is_single();
            state.selection.rows(cell.clone(), cell.clone(), is_beside, frame.table);
            state.cursor = Some(cell);
        }
    }
}

fn commit(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) -> bool {
    state.editor.is_none() || edit::commit(state, frame, actions)
}

/// Selects up to the pointer; beyond the body's edge the rows go on.
fn drag(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, at: egui::Pos2) {
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
        Some(Drag::Rows) => state.selection.rows(cursor, to, false, frame.table),
        Some(Drag::Cells) if to != cursor || !state.selection.is_single() => {
            state.selection.extend(&cursor, to, frame.table);
        }
        _ => {}
    }
}
