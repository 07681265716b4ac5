//! What the pointer does: scrolls, selects, resizes and moves columns.

use egui::{CursorIcon, Modifiers, PointerButton, Response, Ui};

use super::{
    Frame, GridAction, GridState, edit, header,
    layout::{self, Layout},
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
    if response.drag_started() {
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
    } else if matches!(state.drag, Some(Drag::Column(_))) && response.dragged() {
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
        if let (Some(Drag::Column(key)), Some(at)) = (&state.drag, response.interact_pointer_pos()) {
            header::drop_column(state, frame, layout, &key.clone(), at.x);
        }
        state.drag = None;
        return true;
    }
    if let (Some(Drag::Cells), true, Some(at)) =
        (&state.drag, response.dragged(), response.interact_pointer_pos())
        && state.editor.is_none()
    {
        drag_cells(ui, state, frame, layout, at);
    }
    let at = response.interact_pointer_pos();
    if let Some(at) = at.filter(|_| response.clicked() || response.double_clicked()) {
        if let Some((key, _)) = layout.edge_at(Some(at)) {
            if response.double_clicked() {
                header::fit(ui, state, frame, layout, &key);
            }
            return false;
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
    // A cell is selected when it is pressed: a click that is released is too late for a quick hand.
    let is_pressed = ui.input(|input| input.pointer.button_pressed(PointerButton::Primary));
    match at.filter(|_| is_pressed && response.is_pointer_button_down_on()).and_then(|at| layout.cell_at(at))
    {
        Some((index, column)) => {
            let target = Cursor { row: frame.table.id_at(index), column };
            press(state, frame, target, modifiers, actions);
            true
        }
        None => false,
    }
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

fn commit(state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) -> bool {
    state.editor.is_none() || edit::commit(state, frame, actions)
}

/// Selects up to the pointer; beyond the body's edge the rows go on.
fn drag_cells(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, at: egui::Pos2) {
    let beyond = (at.y - layout.body.bottom()).max(0.0) - (layout.body.top() - at.y).max(0.0);
    if beyond != 0.0 {
        state.scroll_row += f64::from(beyond / layout.row) * 0.2;
        ui.request_repaint();
    }
    let Some(cursor) = state.cursor.clone() else { return };
    if let Some((index, column)) = layout.cell_near(at) {
        let index = index.min(frame.table.len().saturating_sub(1));
        let to = Cursor { row: frame.table.id_at(index), column };
        if to != cursor || !state.selection.is_single() {
            state.selection.extend(&cursor, to, frame.table);
        }
    }
}
