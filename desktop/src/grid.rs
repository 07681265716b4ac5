//! The grid widget: shows a watchlist and returns actions. It paints its own body, so that the cost of a
//! frame depends on the visible cells and not on the size of the watchlist.

mod access;
pub mod arranger;
mod card;
mod columns;
pub mod config;
mod edit;
pub mod filter;
mod filters;
mod find;
mod header;
mod keys;
mod layout;
mod ops;
pub mod order;
mod paint;
mod paste;
mod pointer;
mod question;
mod section;
pub mod selection;
mod state;
pub mod sums;
pub mod table;
mod trend;
mod tsv;

use std::time::Duration;

use egui::{Color32, EventFilter, Rect, Sense, Ui};
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::Change,
    ids::{RowId, WindowId},
    number::Separators,
    watchlist::Watchlist,
};

pub use columns::ColumnCommand;
pub use edit::Editor;
pub use header::new_column_kinds;
pub use keys::{Command, Step};
pub use state::{Cursor, GridState};

use self::{
    arranger::Request,
    filter::ValueFormat,
    layout::Layout,
    order::{Locale, OrderSpec},
    table::Table,
};
use crate::{
    store::{glow::Glow, history::CellHistory, trails::Trails},
    theme::Palette,
};

/// The input of a grid for one frame.
pub struct GridView<'a> {
    /// The watchlist to show.
    pub watchlist: &'a Watchlist,
    /// Recent changes by others, which glow.
    pub glow: Option<&'a Glow>,
    /// This window: its own edits do not glow in it.
    pub window: WindowId,
    /// The current time on the glow's clock.
    pub now: Duration,
    /// Whether a cell has an edit that the server has not confirmed yet.
    pub pending: &'a dyn Fn(RowId, &ColumnKey) -> bool,
    /// The latest values of the cells that have sparklines.
    pub trails: Option<&'a Trails>,
    /// The latest changes of the cell whose history was requested.
    pub history: Option<&'a CellHistory>,
    /// Name of the user who changed the edited cell since its editor was opened.
    pub author: Option<String>,
    /// Cells that other users are on.
    pub people: &'a [PersonAt],
    /// The colours.
    pub palette: &'a Palette,
    /// The time zone in which times are shown.
    pub zone: &'a jiff::tz::TimeZone,
    /// The current day in that zone.
    pub today: jiff::civil::Date,
    /// Decimal and thousands separators.
    pub separators: Separators,
    /// Generates ids for new rows.
    pub new_row: &'a dyn Fn() -> RowId,
    /// Whether the grid may have keyboard focus: false while a dialog is open.
    pub accepts_keyboard: bool,
}

impl<'a> GridView<'a> {
    /// Returns how the values of a column are parsed and shown.
    fn value_format(&self, kind: &'a ColumnKind) -> ValueFormat<'a> {
        ValueFormat { kind, separators: self.separators, zone: self.zone }
    }
}

/// The cell that another user is on.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonAt {
    /// The row.
    pub row: RowId,
    /// The column.
    pub column: ColumnKey,
    /// Whether they are editing the cell.
    pub is_editing: bool,
    /// Their initials.
    pub initials: String,
    /// Their colour.
    pub color: Color32,
}

/// A request from the grid to the application.
#[derive(Clone, Debug, PartialEq)]
pub enum GridAction {
    /// Changes the watchlist in one edit.
    Edit(Vec<Change>),
    /// Undoes the last edit.
    Undo,
    /// Redoes the last undone edit.
    Redo,
    /// Shows a notice.
    Notify(String),
    /// Opens the dialog for a new column, which goes after this one.
    AddColumn(ColumnKey),
    /// Opens the dialog that renames a column.
    RenameColumn(ColumnKey),
    /// Shows all changes of a cell.
    ShowHistory(RowId, ColumnKey),
    /// Requests the latest changes of a cell.
    RequestHistory(RowId, ColumnKey),
}

/// The view and the rows and columns shown in one frame.
struct Frame<'a> {
    view: &'a GridView<'a>,
    table: &'a Table<'a>,
}

/// Shows the grid in all available space. Returns the actions that the user triggered.
pub fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<GridAction> {
    let id = ui.scope_id().with("grid");
    let mut actions = Vec::new();
    question::show(ui, state, &mut actions);
    find::show(ui, state, view);
    let rect = ui.available_rect_before_wrap();
    let response = ui.interact(rect, id, Sense::click_and_drag());
    ui.advance_cursor_after_rect(rect);
    update_anchor(ui, state, view, rect);
    update_order(ui, state, view, rect);
    let table = state.table(view.watchlist);
    let frame = Frame { view, table: &table };
    state.ensure_cursor(&table);
    state.go_to_target(&table);
    if state.clear_hidden_insertion(&table) {
        actions.push(GridAction::Notify("The new row is hidden by the filter.".to_owned()));
    }
    let layout = Layout::new(rect, &table, state);
    state.scroll_to_anchor(&table, &layout);
    if std::mem::take(&mut state.reveal_next) {
        state.reveal(&table, &layout);
    }
    // Without input nothing moves, so the table and the layout can be reused.
    let is_quiet = state.drag.is_none() && state.queued_commands.is_empty() && !has_input(ui);
    pointer::handle_scroll(ui, state, &layout, &response);
    let layout =
        if is_quiet && layout.matches_scroll(state) { layout } else { Layout::new(rect, &table, state) };
    if pointer::handle_clicks(ui, state, &frame, &layout, &response, &mut actions) {
        response.request_focus();
    }
    // Commands queued from here on wait for the next frame, which has the rows that this one adds. They also
    // wait for an open editor, which commits first.
    if state.editor.is_some() {
        state.is_commit_requested |= !state.queued_commands.is_empty();
    } else {
        for command in std::mem::take(&mut state.queued_commands) {
            execute_command(ui, state, &frame, &layout, command, &mut actions);
        }
    }
    if has_keys(ui, id, state, view) {
        response.request_focus();
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        execute_key_events(ui, state, &frame, &layout, &mut actions);
    }
    context_menu(state, &frame, &layout, &response, &mut actions);
    // Commands may have changed the columns and scrolled the view.
    let table = if is_quiet { table } else { state.table(view.watchlist) };
    let frame = Frame { view, table: &table };
    let layout = if is_quiet { layout } else { Layout::new(rect, &table, state) };
    paint::paint(ui, state, &frame, &layout, response.hover_pos());
    access::describe(ui, id, state, &frame, &layout);
    filters::show(ui, state, &frame, &layout);
    if state.editor.is_some() {
        let done = edit::show(ui, state, &frame, &layout, &mut actions);
        if done {
            ui.memory_mut(|memory| memory.request_focus(id));
        } else if !state.is_commit_requested {
            // The text could not be committed: drop the commands that waited for it.
            state.queued_commands.clear();
        }
    }
    card::show(ui, state, &frame, &layout, response.hover_pos(), &mut actions);
    if let Some(wait) = state.update_sums(&table, view.now, waker(ui)) {
        ui.request_repaint_after(wait);
    }
    actions
}

/// Returns a callback that repaints the window. It can be called from any thread.
fn waker(ui: &Ui) -> impl FnOnce() + Send + 'static + use<> {
    let (ctx, viewport) = (ui.ctx().clone(), ui.ctx().viewport_id());
    move || ctx.request_repaint_of(viewport)
}

/// Whether there was keyboard, pointer or scroll input since the last frame.
fn has_input(ui: &Ui) -> bool {
    ui.input(|input| !input.events.is_empty() || input.smooth_scroll_delta() != egui::Vec2::ZERO)
}

/// Chooses the row that keeps its position on screen: the edited row, or else the one under the pointer.
fn update_anchor(ui: &Ui, state: &mut GridState, view: &GridView<'_>, rect: Rect) {
    let edited = state.editor.as_ref().and_then(|editor| editor.cursor.row);
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| rect.contains(*at));
    if edited.is_none() && pointer.is_none() {
        state.release_anchor();
        return;
    }
    let table = state.table(view.watchlist);
    let layout = Layout::new(rect, &table, state);
    let under_pointer = pointer.and_then(|at| layout.cell_at(at));
    let row = edited.or_else(|| under_pointer.and_then(|(index, _)| table.id_at(index)));
    state.set_anchor(row, &table);
}

/// Updates the order of the rows, if they may move.
fn update_order(ui: &Ui, state: &mut GridState, view: &GridView<'_>, rect: Rect) {
    let spec = state.order_spec(view);
    let locale = Locale { separators: view.separators, zone: view.zone.clone() };
    let exempt = state.exempt_row();
    let is_live = !state.config.is_sort_paused;
    let request = Request { spec: &spec, is_live, exempt, anchor: state.anchored_row(), locale: &locale };
    let room = f64::from(rect.height() / state.density.row_height());
    let can_keep_anchor = state.can_keep_anchor(view.watchlist.rows().len(), room);
    if let Some(wait) = state.arranger.update(view.watchlist, &request, &can_keep_anchor, view.now, waker(ui))
    {
        ui.request_repaint_after(wait);
    }
}

impl GridState {
    /// Returns the sort keys and filters. Those of removed columns are ignored.
    fn order_spec(&self, view: &GridView<'_>) -> OrderSpec {
        let sort = self.config.sort_of(view.watchlist);
        let filters =
            if self.config.has_filters { filters::active_filters(&self.config, view) } else { Vec::new() };
        OrderSpec { sort, filters }
    }
}

/// Whether keyboard input goes to the grid: it does unless another widget has focus. An arrow key that was
/// pressed before the grid set its focus lock has moved the focus to a neighbour, but is still input for the
/// grid.
fn has_keys(ui: &Ui, id: egui::Id, state: &GridState, view: &GridView<'_>) -> bool {
    let is_busy = state.editor.is_some() || state.question.is_some();
    if !view.accepts_keyboard || is_busy || ui.text_edit_focused() || egui::Popup::is_any_open(ui) {
        return false;
    }
    let focused = ui.memory(|memory| memory.focused());
    focused.is_none_or(|focused| focused == id) || ui.input(|input| keys::has_navigation_key(&input.events))
}

/// Executes the frame's key events in order. Events after the one that opened the editor are kept for the
/// editor, which has focus from the next frame on: at a low frame rate that can be a whole word.
fn execute_key_events(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    actions: &mut Vec<GridAction>,
) {
    let (events, modifiers) = ui.input(|input| (input.events.clone(), input.modifiers));
    for (index, event) in events.iter().enumerate() {
        if let Some(command) = keys::command_for_event(event, modifiers) {
            execute_command(ui, state, frame, layout, command, actions);
        }
        if state.editor.is_some() {
            state.typed_ahead =
                events[index + 1..].iter().filter(|event| keys::is_keyboard_input(event)).cloned().collect();
            ui.request_repaint();
            return;
        }
    }
}

fn context_menu(
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    response: &egui::Response,
    actions: &mut Vec<GridAction>,
) {
    if response.secondary_clicked()
        && let Some(position) = response.interact_pointer_pos()
    {
        if state.editor.is_some() && !edit::commit(state, frame, actions) {
            egui::Popup::close_all(&response.ctx);
            return;
        }
        state.menu_column = layout.header_at(position);
        let first = frame.table.columns().first().map(|first| first.column.key.clone());
        let number = layout.row_number_at(position).zip(first);
        if let Some((index, column)) = number.or_else(|| layout.cell_at(position)) {
            let target = Cursor { row: frame.table.id_at(index), column };
            let is_selected = target.row.is_some_and(|row| state.is_selected(row, &target.column));
            if !is_selected {
                state.selection.clear();
                state.cursor = Some(target);
            }
        }
    }
    // Items with several steps keep the menu open; all others close it.
    let menu =
        egui::Popup::context_menu(response).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
    menu.show(|ui| {
        if let Some(column) = state.menu_column.clone() {
            header::menu(ui, state, frame, layout, &column, actions);
            return;
        }
        let rows = state.selected_rows(frame.table).len();
        let remove = if rows > 1 { format!("Remove {rows} rows") } else { "Remove row".to_owned() };
        let groups: [&[(&str, &str, Command)]; 5] = [
            &[
                ("Edit cell", "F2", Command::Open),
                ("Cut", "Ctrl+X", Command::Cut),
                ("Copy", "Ctrl+C", Command::Copy),
                ("Paste", "Ctrl+V", Command::RequestPaste),
            ],
            &[
                ("Insert row above", "Insert", Command::InsertAbove),
                ("Insert row below", "Ctrl+Enter", Command::InsertBelow),
                ("Insert section above", "Ctrl+Shift+Enter", Command::InsertSection),
                ("Duplicate", "Ctrl+Shift+D", Command::Duplicate),
                (&remove, "Ctrl+Delete", Command::RemoveRows),
            ],
            &[
                ("Show recent changes", "Shift+F2", Command::History),
                ("Show cell history", "", Command::ShowHistory),
            ],
            &[("Fill down", "Ctrl+D", Command::FillDown), ("Fill right", "Ctrl+R", Command::FillRight)],
            &[("Undo", "Ctrl+Z", Command::Undo), ("Redo", "Ctrl+Shift+Z", Command::Redo)],
        ];
        for (index, group) in groups.into_iter().enumerate() {
            if index > 0 {
                ui.separator();
            }
            for (title, keys, command) in group {
                if ui.add(egui::Button::new(*title).shortcut_text(*keys)).clicked() {
                    execute_command(ui, state, frame, layout, command.clone(), actions);
                    ui.close();
                }
            }
        }
    });
}

fn execute_command(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    command: Command,
    actions: &mut Vec<GridAction>,
) {
    if state.editor.is_some() {
        return;
    }
    let table = frame.table;
    match command {
        Command::Move(step) => {
            state.step(table, step, layout.page_rows());
            if matches!(step, keys::Step::RowStart | keys::Step::First) {
                state.scroll_x = 0.0;
            }
        }
        Command::Extend(step) => state.extend(table, step, layout.page_rows()),
        Command::SelectAll | Command::SelectRows | Command::SelectColumns => {
            state.select_whole(&command, table);
            return;
        }
        Command::Escape => {
            state.selection.clear();
            state.find.close();
            state.card.close();
            return;
        }
        Command::History => {
            state.card.pin(state.cursor.clone());
            state.reveal(table, layout);
            return;
        }
        Command::ShowHistory => {
            let cell = state.cursor.clone().and_then(|cursor| Some((cursor.row?, cursor.column)));
            actions.extend(cell.map(|(row, column)| GridAction::ShowHistory(row, column)));
            return;
        }
        Command::Open => edit::open(state, frame, edit::Opening::End, actions),
        Command::OpenList => edit::open(state, frame, edit::Opening::List, actions),
        Command::OpenAll => edit::open(state, frame, edit::Opening::All, actions),
        Command::Type(text) => edit::open(state, frame, edit::Opening::Typed(text), actions),
        Command::Clear => ops::clear(state, frame, actions),
        Command::Copy => ui.copy_text(paste::selection_text(state, frame)),
        Command::Cut => {
            ui.copy_text(paste::selection_text(state, frame));
            ops::clear(state, frame, actions);
        }
        Command::RequestPaste => ui.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
        Command::Paste(text) => paste::paste(state, frame, &text, actions),
        Command::FillDown => ops::fill_down(state, frame, actions),
        Command::FillRight => ops::fill_right(state, frame, actions),
        Command::InsertAbove => ops::insert_row(state, frame, false, actions),
        Command::InsertBelow => ops::insert_row(state, frame, true, actions),
        Command::InsertSection => ops::insert_section(state, frame, actions),
        Command::Duplicate => ops::duplicate(state, frame, actions),
        Command::MoveRows(up) => ops::move_rows(state, frame, up, actions),
        Command::RemoveRows => ops::remove_rows(state, frame, actions),
        Command::Undo => actions.push(GridAction::Undo),
        Command::Redo => actions.push(GridAction::Redo),
        Command::Sort(beside) => {
            if let Some(entry) = state.cursor.as_ref().and_then(|cursor| table.column(&cursor.column)) {
                state.config.sort_by(trend::source(entry).unwrap_or(&entry.column.key), beside);
            }
        }
        Command::SortAgain => state.arranger.refresh(),
        Command::Column(command) => {
            if let Some(column) = state.cursor.as_ref().map(|cursor| cursor.column.clone()) {
                columns::execute_column_command(ui, state, frame, layout, &column, command, actions);
            }
        }
        Command::Filters => state.toggle_filters(None),
        Command::Find => state.find.open(),
        Command::FindNext(forward) => find::find_next(state, frame, forward),
    }
    state.reveal(table, layout);
}

/// Returns the part of a cell's rectangle that is available for text.
fn inner(rect: Rect) -> Rect {
    rect.shrink2(egui::vec2(layout::PADDING, 0.0))
}
