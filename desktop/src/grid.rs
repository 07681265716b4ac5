//! The grid: a widget that is given a watchlist to show and answers with actions. It paints its own body, so
//! that its cost is that of the cells in view, whatever the watchlist's size.

mod edit;
mod keys;
mod layout;
mod paint;
mod state;

use std::time::Duration;

use egui::{EventFilter, Rect, Sense, Ui};
use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WindowId},
    number::Separators,
    watchlist::Watchlist,
};

pub use edit::Editor;
pub use keys::Command;
pub use state::{Cursor, GridState};

use self::layout::Layout;
use crate::{store::glow::Glow, theme::Palette};

/// What a grid is given for one frame.
pub struct GridView<'a> {
    /// The rows and columns.
    pub watchlist: &'a Watchlist,
    /// What glows.
    pub glow: Option<&'a Glow>,
    /// The window, which does not glow for its own edits.
    pub window: WindowId,
    /// The present moment on the glow's clock.
    pub now: Duration,
    /// Whether a cell holds an edit that waits for its answer.
    pub pending: &'a dyn Fn(RowId, &ColumnKey) -> bool,
    /// The colours.
    pub palette: &'a Palette,
    /// Where times are shown.
    pub zone: &'a jiff::tz::TimeZone,
    /// The present day there.
    pub today: jiff::civil::Date,
    /// How numbers are typed.
    pub separators: Separators,
    /// Makes ids for new rows.
    pub new_row: &'a dyn Fn() -> RowId,
    /// Whether the grid may take the keyboard: no dialog is open.
    pub takes_keys: bool,
}

/// What a grid asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum GridAction {
    /// Change the watchlist, in one edit.
    Edit(Vec<Change>),
    /// Take back the last edit.
    Undo,
    /// Make the last undone edit again.
    Redo,
    /// Say something to the person.
    Say(String),
}

/// Shows the grid in all the room there is.
pub fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<GridAction> {
    let rect = ui.available_rect_before_wrap();
    let id = ui.scope_id().with("grid");
    let response = ui.interact(rect, id, Sense::click_and_drag());
    ui.advance_cursor_after_rect(rect);
    let mut actions = Vec::new();
    state.settle(view.watchlist);
    let layout = Layout::new(rect, view.watchlist, state);
    state.hold_edited_row(&layout);
    scroll(ui, state, &layout, &response);
    if response.clicked() || response.drag_started() || response.double_clicked() {
        click(ui, state, view, &layout, &response, &mut actions);
        response.request_focus();
    }
    if has_keys(ui, id, state, view) {
        response.request_focus();
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        obey_keys(ui, state, view, &layout, &mut actions);
    }
    context_menu(state, view, &layout, &response, &mut actions);
    // What was done may have moved the view.
    let layout = Layout::new(rect, view.watchlist, state);
    paint::paint(ui, state, view, &layout, response.hover_pos());
    if state.editor.is_some() {
        let done = edit::show(ui, state, view, &layout, &mut actions);
        if done {
            ui.memory_mut(|memory| memory.request_focus(id));
        }
    }
    actions
}

/// Whether the keyboard is the grid's: unless something else was given it on purpose. An arrow that came before
/// the grid had locked it has moved the focus to a neighbour, and is meant for the grid all the same.
fn has_keys(ui: &Ui, id: egui::Id, state: &GridState, view: &GridView<'_>) -> bool {
    if !view.takes_keys || state.editor.is_some() || ui.text_edit_focused() || egui::Popup::is_any_open(ui) {
        return false;
    }
    let focused = ui.memory(|memory| memory.focused());
    focused.is_none_or(|focused| focused == id) || ui.input(|input| keys::navigates(&input.events))
}

fn scroll(ui: &Ui, state: &mut GridState, layout: &Layout, response: &egui::Response) {
    if response.hovered() {
        let delta = ui.input(|input| input.smooth_scroll_delta());
        state.scroll_row -= f64::from(delta.y / layout::ROW);
        state.scroll_x -= delta.x;
    }
    let drag_from = ui.input(|input| input.pointer.press_origin());
    if let (Some(origin), Some(pointer)) = (drag_from, response.interact_pointer_pos()) {
        if layout.vertical_bar.contains(origin) {
            state.scroll_row = layout.row_at_bar(pointer.y);
        } else if layout.horizontal_bar.contains(origin) {
            state.scroll_x = layout.x_at_bar(pointer.x);
        }
    }
    let resize = layout.edge_at(drag_from);
    if response.dragged()
        && let Some((key, width)) = resize
    {
        let moved = response.total_drag_delta().unwrap_or_default().x;
        let start = *state.resizing.get_or_insert(width);
        state.widths.insert(key, (start + moved).clamp(layout::MIN_WIDTH, layout::MAX_WIDTH));
    }
    if response.drag_stopped() {
        state.resizing = None;
    }
    if layout.edge_at(response.hover_pos()).is_some() {
        ui.set_cursor_icon(egui::CursorIcon::ResizeHorizontal);
    }
    state.scroll_row = state.scroll_row.clamp(0.0, layout.last_scroll_row());
    state.scroll_x = state.scroll_x.clamp(0.0, layout.last_scroll_x());
}

fn click(
    ui: &Ui,
    state: &mut GridState,
    view: &GridView<'_>,
    layout: &Layout,
    response: &egui::Response,
    actions: &mut Vec<GridAction>,
) {
    let Some(position) = response.interact_pointer_pos() else { return };
    if layout.vertical_bar.contains(position) || layout.horizontal_bar.contains(position) {
        return;
    }
    let Some((index, column)) = layout.cell_at(position) else { return };
    let target = Cursor { row: view.watchlist.rows().at(index).map(|row| row.id), column: column.clone() };
    if state.editor.as_ref().is_some_and(|editor| editor.cursor == target) {
        return;
    }
    // A click elsewhere commits; what cannot be committed stays open.
    if state.editor.is_some() && !edit::commit(state, view, actions) {
        return;
    }
    state.cursor = Some(target);
    if response.double_clicked() {
        edit::open(state, view, edit::Opening::All, actions);
    }
    ui.request_repaint();
}

/// Does what the frame's keys ask, in their order. What was typed behind the key that opened the editor is the
/// editor's, which has the keyboard from the next frame on: on a slow screen that is a whole word.
fn obey_keys(
    ui: &Ui,
    state: &mut GridState,
    view: &GridView<'_>,
    layout: &Layout,
    actions: &mut Vec<GridAction>,
) {
    let (events, modifiers) = ui.input(|input| (input.events.clone(), input.modifiers));
    for (index, event) in events.iter().enumerate() {
        if let Some(command) = keys::command(event, modifiers) {
            obey(state, view, layout, command, actions);
        }
        if state.editor.is_some() {
            state.typed_ahead =
                events[index + 1..].iter().filter(|event| keys::is_typed(event)).cloned().collect();
            ui.request_repaint();
            return;
        }
    }
}

fn context_menu(
    state: &mut GridState,
    view: &GridView<'_>,
    layout: &Layout,
    response: &egui::Response,
    actions: &mut Vec<GridAction>,
) {
    if response.secondary_clicked()
        && let Some((index, column)) =
            response.interact_pointer_pos().and_then(|position| layout.cell_at(position))
        && state.editor.is_none()
    {
        state.cursor = Some(Cursor { row: view.watchlist.rows().at(index).map(|row| row.id), column });
    }
    response.context_menu(|ui| {
        let items = [
            ("Edit cell", "F2", Command::Open),
            ("Insert row above", "Insert", Command::InsertAbove),
            ("Insert row below", "Ctrl+Enter", Command::InsertBelow),
            ("Remove row", "Ctrl+Delete", Command::RemoveRow),
            ("Undo", "Ctrl+Z", Command::Undo),
            ("Redo", "Ctrl+Shift+Z", Command::Redo),
        ];
        for (title, keys, command) in items {
            if ui.add(egui::Button::new(title).shortcut_text(keys)).clicked() {
                obey(state, view, layout, command, actions);
                ui.close();
            }
        }
    });
}

fn obey(
    state: &mut GridState,
    view: &GridView<'_>,
    layout: &Layout,
    command: Command,
    actions: &mut Vec<GridAction>,
) {
    if state.editor.is_some() {
        return;
    }
    match command {
        Command::Move(step) => {
            state.step(view.watchlist, step, layout.page_rows());
            if matches!(step, keys::Step::RowStart | keys::Step::First) {
                state.scroll_x = 0.0;
            }
        }
        Command::Open => edit::open(state, view, edit::Opening::End, actions),
        Command::OpenAll => edit::open(state, view, edit::Opening::All, actions),
        Command::Type(text) => edit::open(state, view, edit::Opening::Typed(text), actions),
        Command::Clear => edit::clear(state, view, actions),
        Command::Step(up) => edit::step(state, view, up, actions),
        Command::InsertAbove => edit::insert_row(state, view, false, actions),
        Command::InsertBelow => edit::insert_row(state, view, true, actions),
        Command::RemoveRow => edit::remove_row(state, actions),
        Command::Undo => actions.push(GridAction::Undo),
        Command::Redo => actions.push(GridAction::Redo),
    }
    state.reveal_cursor(view.watchlist, layout);
}

/// The part of a rectangle that a cell's text may take.
fn inner(rect: Rect) -> Rect {
    rect.shrink2(egui::vec2(layout::PADDING, 0.0))
}
