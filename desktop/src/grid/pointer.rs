//! Pointer input as data: scrolling at once, everything else as gestures that the grid carries out.

use std::time::Duration;

use egui::{CursorIcon, Modifiers, PointerButton, Pos2, Response, Ui};
use shared::column::ColumnKey;

use super::{
    config::GridConfig,
    cursor::Cursor,
    layout::Layout,
    metrics::{MAX_WIDTH, MIN_WIDTH},
    scroll::Scroll,
    seen::Shown,
    selection::Selection,
    view::Frame,
};

/// The state of the pointer between frames.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    /// The drag in progress.
    pub(super) drag: Option<Drag>,
    /// Time until the pointer counts as at rest; `None` if it is at rest or not over the grid.
    pub(super) rest_in: Option<Duration>,
}

/// Time after the last movement of the pointer after which it is at rest.
const REST: Duration = Duration::from_secs(1);

/// Returns the time until the pointer is at rest, unless it is. It is not while a button is pressed.
pub(super) fn rest_in(ui: &Ui) -> Option<Duration> {
    let (still, is_down) =
        ui.input(|input| (input.pointer.time_since_last_movement(), input.pointer.any_down()));
    let still = if is_down { Duration::ZERO } else { Duration::try_from_secs_f32(still).unwrap_or(REST) };
    REST.checked_sub(still).filter(|rest| !rest.is_zero())
}

/// What a drag moves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Drag {
    /// A scroll bar.
    Bar,
    /// A column's right edge; the width, in points, when the drag started.
    Edge(ColumnKey, f32),
    /// A column's header, to move the column.
    Column(ColumnKey),
    /// Cells, to select them.
    Cells,
    /// Row numbers, to select rows.
    Rows,
    /// Selected rows, to move them; the index of the pressed row.
    Move(usize),
}

/// Something that the pointer does to the grid.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Gesture {
    /// Drops a dragged column at an x coordinate.
    DropColumn(ColumnKey, f32),
    /// Drops the selected rows before the row at a display index.
    DropRows(usize),
    /// Extends the selection to a point.
    DragSelection(Pos2),
    /// Presses a cell.
    PressCell(Cursor, Modifiers),
    /// Presses the place of a row or a column that others have just removed.
    PressRemoved,
    /// Presses a row number.
    PressRow(usize, Modifiers),
    /// Releases the button without a drag, over the row number of this index if over one.
    Release(Option<usize>),
    /// Fits a column to its content.
    FitColumn(ColumnKey),
    /// Selects all cells.
    SelectAll,
    /// Clicks a header.
    ClickHeader(ColumnKey, Modifiers),
    /// Opens the editor of the cursor's cell.
    OpenEditor,
}

/// Handles the wheel and drags of the scroll bars and column edges.
pub(super) fn handle_scroll(
    ui: &Ui,
    pointer: &mut Pointer,
    scroll: &mut Scroll,
    config: &mut GridConfig,
    layout: &Layout,
    response: &Response,
) {
    if response.hovered() {
        let delta = ui.input(|input| input.smooth_scroll_delta());
        if delta != egui::Vec2::ZERO {
            scroll.row -= f64::from(delta.y / layout.row);
            scroll.x -= delta.x;
            scroll.release_anchor();
        }
    }
    let origin = ui.input(|input| input.pointer.press_origin());
    // A drag of rows starts on the press: the selection at that moment decides between selecting and moving.
    if response.drag_started() && !matches!(pointer.drag, Some(Drag::Rows | Drag::Move(_))) {
        pointer.drag = origin.and_then(|origin| {
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
    if let (Some(origin), Some(at), true) = (origin, response.interact_pointer_pos(), is_on_bar) {
        if layout.vertical_bar.contains(origin) {
            scroll.row = layout.scroll_row_at(at.y);
        } else {
            scroll.x = layout.scroll_x_at(at.x);
        }
        scroll.release_anchor();
    }
    if let (Some(Drag::Edge(key, start)), true) = (&pointer.drag, response.dragged()) {
        let moved = response.total_drag_delta().unwrap_or_default().x;
        config.widths.insert(key.clone(), (start + moved).clamp(MIN_WIDTH, MAX_WIDTH));
    }
    if layout.edge_at(response.hover_pos()).is_some() || matches!(pointer.drag, Some(Drag::Edge(..))) {
        ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
    } else if matches!(pointer.drag, Some(Drag::Column(_) | Drag::Move(_))) && response.dragged() {
        ui.set_cursor_icon(CursorIcon::Grabbing);
    }
    scroll.row = scroll.row.clamp(0.0, layout.last_scroll_row());
    scroll.x = scroll.x.clamp(0.0, layout.last_scroll_x());
}

/// Returns the gestures of the frame in order, and whether the grid takes focus.
pub(super) fn gestures(
    ui: &Ui,
    pointer: &mut Pointer,
    before: Option<&Shown>,
    is_editing: bool,
    (frame, layout): (&Frame<'_>, &Layout),
    response: &Response,
) -> (Vec<Gesture>, bool) {
    let mut gestures = Vec::new();
    if response.drag_stopped() {
        match (pointer.drag.take(), response.interact_pointer_pos()) {
            (Some(Drag::Column(key)), Some(at)) => gestures.push(Gesture::DropColumn(key, at.x)),
            // A long press without movement moves no rows.
            (Some(Drag::Move(from)), Some(at)) if layout.row_number_at(at) != Some(from) => {
                gestures.push(Gesture::DropRows(layout.insertion_index_at(at.y)));
            }
            _ => {}
        }
        return (gestures, true);
    }
    if let (Some(Drag::Cells | Drag::Rows | Drag::Move(_)), true, Some(at), false) =
        (&pointer.drag, response.dragged(), response.interact_pointer_pos(), is_editing)
    {
        gestures.push(Gesture::DragSelection(at));
    }
    let press = press(ui, before, (frame, layout), response);
    let takes_focus = press.is_some();
    gestures.extend(press);
    let at = response.interact_pointer_pos();
    if response.clicked() {
        gestures.push(Gesture::Release(at.and_then(|at| layout.row_number_at(at))));
    }
    let Some(at) = at.filter(|_| response.clicked() || response.double_clicked()) else {
        return (gestures, takes_focus);
    };
    if let Some((key, _)) = layout.edge_at(Some(at)) {
        if response.double_clicked() {
            gestures.push(Gesture::FitColumn(key));
        }
        return (gestures, false);
    }
    if layout.is_corner(at) {
        gestures.push(Gesture::SelectAll);
        return (gestures, true);
    }
    if let Some(key) = layout.header_at(at) {
        if response.clicked() {
            gestures.push(Gesture::ClickHeader(key, ui.input(|input| input.modifiers)));
        }
        return (gestures, true);
    }
    if response.double_clicked() && layout.cell_at(at).is_some() {
        gestures.push(Gesture::OpenEditor);
        return (gestures, true);
    }
    (gestures, takes_focus)
}

/// Returns the press of a cell or a row number. A cell is selected on press, because waiting for the release
/// feels slow. A press that is released within the same frame counts as well. If others have just moved rows,
/// the row is the one that the person has seen there.
fn press(
    ui: &Ui,
    before: Option<&Shown>,
    (frame, layout): (&Frame<'_>, &Layout),
    response: &Response,
) -> Option<Gesture> {
    let (is_pressed, modifiers) =
        ui.input(|input| (input.pointer.button_pressed(PointerButton::Primary), input.modifiers));
    let is_here = is_pressed && (response.is_pointer_button_down_on() || response.clicked());
    let at = response.interact_pointer_pos().filter(|_| is_here)?;
    if let Some(before) = before.filter(|_| layout.body.contains(at)) {
        let row = before.row_at(layout.rows_from_top(at.y));
        let index = row.map(|row| frame.table.index_of(row));
        let cell = before.cell_at(layout, at);
        let has_column = cell.as_ref().is_none_or(|cell| frame.table.column(&cell.column).is_some());
        match (index, cell) {
            (Some(None), _) => return Some(Gesture::PressRemoved),
            (Some(Some(index)), _) if at.x < layout.left => return Some(Gesture::PressRow(index, modifiers)),
            (Some(Some(_)), Some(_)) if !has_column => return Some(Gesture::PressRemoved),
            (Some(Some(_)), Some(cell)) => return Some(Gesture::PressCell(cell, modifiers)),
            (None, _) | (Some(Some(_)), None) => {}
        }
    }
    if let Some(index) = layout.row_number_at(at) {
        return Some(Gesture::PressRow(index, modifiers));
    }
    let (index, column) = layout.cell_at(at)?;
    Some(Gesture::PressCell(Cursor { row: frame.table.id_at(index), column }, modifiers))
}

/// Presses a row number: starts a drag that moves the row if it is selected as a whole, and selects it
/// otherwise.
pub(super) fn press_row(
    pointer: &mut Pointer,
    selection: &mut Selection,
    frame: &Frame<'_>,
    index: usize,
    modifiers: Modifiers,
) {
    let row = frame.table.id_at(index);
    let is_move = modifiers.is_none() && row.is_some_and(|row| selection.blocks.has_whole_row(row));
    pointer.drag = Some(if is_move { Drag::Move(index) } else { Drag::Rows });
    if !is_move {
        select_row(selection, frame, index, modifiers);
    }
}

/// Selects the row of a row number. Shift extends the selection to it, Ctrl adds it.
pub(super) fn select_row(selection: &mut Selection, frame: &Frame<'_>, index: usize, modifiers: Modifiers) {
    let Some(first) = frame.table.columns().first() else { return };
    let cell = Cursor { row: frame.table.id_at(index), column: first.key().clone() };
    match selection.cursor.clone().filter(|_| modifiers.shift) {
        Some(cursor) => selection.blocks.select_rows(cursor, cell, false, frame.table),
        None => {
            let is_added = modifiers.command && !selection.blocks.is_single();
            selection.blocks.select_rows(cell.clone(), cell.clone(), is_added, frame.table);
            selection.choose(cell);
        }
    }
}

/// Selects a cell. Shift extends the selection to it, Ctrl adds it.
pub(super) fn select_cell(
    selection: &mut Selection,
    frame: &Frame<'_>,
    target: Cursor,
    modifiers: Modifiers,
) {
    if modifiers.shift
        && let Some(cursor) = selection.cursor.clone()
    {
        selection.blocks.extend(&cursor, target, frame.table);
    } else if modifiers.command {
        selection.blocks.add_cell(selection.cursor.as_ref(), target.clone());
        selection.choose(target);
    } else {
        selection.choose_alone(target);
    }
}

/// Extends the selection to the pointer, and scrolls if the pointer is above or below the body.
pub(super) fn drag_selection(
    ui: &Ui,
    (drag, scroll): (Option<&Drag>, &mut Scroll),
    selection: &mut Selection,
    frame: &Frame<'_>,
    layout: &Layout,
    at: Pos2,
) {
    let beyond = (at.y - layout.body.bottom()).max(0.0) - (layout.body.top() - at.y).max(0.0);
    if beyond != 0.0 {
        scroll.row += f64::from(beyond / layout.row) * 0.2;
        ui.request_repaint();
    }
    let Some(cursor) = selection.cursor.clone() else { return };
    let Some((index, column)) = layout.cell_near(at) else { return };
    let index = index.min(frame.table.len().saturating_sub(1));
    let to = Cursor { row: frame.table.id_at(index), column };
    match drag {
        Some(Drag::Rows) => selection.blocks.select_rows(cursor, to, false, frame.table),
        Some(Drag::Cells) if to != cursor || !selection.blocks.is_single() => {
            selection.blocks.extend(&cursor, to, frame.table);
        }
        _ => {}
    }
}
