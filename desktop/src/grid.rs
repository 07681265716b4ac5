//! The grid: a widget that is given a watchlist to show and answers with actions. It paints its own body, so
//! that its cost is that of the cells in view, whatever the watchlist's size.

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
pub use header::kinds;
pub use keys::{Command, Step};
pub use state::{Cursor, GridState};

use self::{
    arranger::Request,
    filter::Reading,
    layout::Layout,
    order::{Locale, Wanted},
    table::Table,
};
use crate::{
    store::{glow::Glow, history::CellHistory, trails::Trails},
    theme::Palette,
};

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
    /// The last values of the cells that are drawn as sparklines.
    pub trails: Option<&'a Trails>,
    /// The last changes of the cell that was asked about.
    pub history: Option<&'a CellHistory>,
    /// Who set the cell that is being edited since its editor was opened.
    pub author: Option<String>,
    /// Where others are.
    pub people: &'a [PersonAt],
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

impl<'a> GridView<'a> {
    /// How the values of a column are read and shown here.
    fn reading(&self, kind: &'a ColumnKind) -> Reading<'a> {
        Reading { kind, separators: self.separators, zone: self.zone }
    }
}

/// Where somebody else is.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonAt {
    /// The row.
    pub row: RowId,
    /// The column.
    pub column: ColumnKey,
    /// Whether they edit the cell.
    pub is_editing: bool,
    /// What stands for their name.
    pub initials: String,
    /// Their colour.
    pub color: Color32,
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
    /// Ask for a new column, behind this one.
    AddColumn(ColumnKey),
    /// Ask for a column's new title.
    RenameColumn(ColumnKey),
    /// Show all changes of a cell.
    ShowHistory(RowId, ColumnKey),
    /// Ask for the last changes of a cell.
    AskHistory(RowId, ColumnKey),
}

/// What a frame works with.
struct Frame<'a> {
    view: &'a GridView<'a>,
    table: &'a Table<'a>,
}

/// Shows the grid in all the room there is.
pub fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<GridAction> {
    let id = ui.scope_id().with("grid");
    let mut actions = Vec::new();
    question::show(ui, state, &mut actions);
    find::show(ui, state, view);
    let rect = ui.available_rect_before_wrap();
    let response = ui.interact(rect, id, Sense::click_and_drag());
    ui.advance_cursor_after_rect(rect);
    hold(ui, state, view, rect);
    arrange(ui, state, view, rect);
    let table = state.table(view.watchlist);
    let frame = Frame { view, table: &table };
    state.settle(&table);
    state.arrive(&table);
    if state.has_lost_fresh(&table) {
        actions.push(GridAction::Say("The new row is not shown: it does not fit the filters.".to_owned()));
    }
    let layout = Layout::new(rect, &table, state);
    state.hold(&table, &layout);
    if std::mem::take(&mut state.reveal_next) {
        state.reveal(&table, &layout);
    }
    // Where nothing is asked for, everything stays where it is: no need to find that out again.
    let is_quiet = state.drag.is_none() && state.asked.is_empty() && !has_input(ui);
    pointer::scroll(ui, state, &layout, &response);
    let layout = if is_quiet && layout.is_at(state) { layout } else { Layout::new(rect, &table, state) };
    if pointer::act(ui, state, &frame, &layout, &response, &mut actions) {
        response.request_focus();
    }
    // What is asked for from here on waits for the next frame, which has the rows that this one adds; and for an open
    // editor, which is committed first.
    if state.editor.is_some() {
        state.is_leaving |= !state.asked.is_empty();
    } else {
        for command in std::mem::take(&mut state.asked) {
            obey(ui, state, &frame, &layout, command, &mut actions);
        }
    }
    if has_keys(ui, id, state, view) {
        response.request_focus();
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        obey_keys(ui, state, &frame, &layout, &mut actions);
    }
    context_menu(state, &frame, &layout, &response, &mut actions);
    // What was done may have changed the columns, and moved the view.
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
        } else if !state.is_leaving {
            // What was typed cannot be committed: what waited for it is not done.
            state.asked.clear();
        }
    }
    card::show(ui, state, &frame, &layout, response.hover_pos(), &mut actions);
    if let Some(wait) = state.sum_up(&table, view.now, waker(ui)) {
        ui.request_repaint_after(wait);
    }
    actions
}

/// Has the window drawn again, from any thread.
fn waker(ui: &Ui) -> impl FnOnce() + Send + 'static + use<> {
    let (ctx, viewport) = (ui.ctx().clone(), ui.ctx().viewport_id());
    move || ctx.request_repaint_of(viewport)
}

/// Whether anything was typed, pointed at or scrolled since the last frame.
fn has_input(ui: &Ui) -> bool {
    ui.input(|input| !input.events.is_empty() || input.smooth_scroll_delta() != egui::Vec2::ZERO)
}

/// Notes which row must not move: the edited one, else the one under the pointer.
fn hold(ui: &Ui, state: &mut GridState, view: &GridView<'_>, rect: Rect) {
    let edited = state.editor.as_ref().and_then(|editor| editor.cursor.row);
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| rect.contains(*at));
    if edited.is_none() && pointer.is_none() {
        state.release_held();
        return;
    }
    let table = state.table(view.watchlist);
    let layout = Layout::new(rect, &table, state);
    let under_pointer = pointer.and_then(|at| layout.cell_at(at));
    let row = edited.or_else(|| under_pointer.and_then(|(index, _)| table.id_at(index)));
    state.note_held(row, &table);
}

/// Sorts and filters, as far as rows may move.
fn arrange(ui: &Ui, state: &mut GridState, view: &GridView<'_>, rect: Rect) {
    let wanted = state.wanted(view);
    let locale = Locale { separators: view.separators, zone: view.zone.clone() };
    let kept = state.kept_row();
    let is_live = !state.config.is_held;
    let request = Request { wanted: &wanted, is_live, kept, held: state.held_row(), locale: &locale };
    let room = f64::from(rect.height() / state.density.row_height());
    let can_hold = state.can_hold(view.watchlist.rows().len(), room);
    if let Some(wait) = state.arranger.update(view.watchlist, &request, &can_hold, view.now, waker(ui)) {
        ui.request_repaint_after(wait);
    }
}

impl GridState {
    /// How rows are to be arranged. A column that is no longer there neither sorts nor filters.
    fn wanted(&self, view: &GridView<'_>) -> Wanted {
        let sort = self.config.sort_of(view.watchlist);
        let filters = if self.config.has_filters { filters::read(&self.config, view) } else { Vec::new() };
        Wanted { sort, filters }
    }
}

/// Whether the grid has the keyboard: unless something else was given it on purpose. An arrow that came before
/// the grid had locked it has moved the focus to a neighbour, and is meant for the grid all the same.
fn has_keys(ui: &Ui, id: egui::Id, state: &GridState, view: &GridView<'_>) -> bool {
    let is_busy = state.editor.is_some() || state.question.is_some();
    if !view.takes_keys || is_busy || ui.text_edit_focused() || egui::Popup::is_any_open(ui) {
        return false;
    }
    let focused = ui.memory(|memory| memory.focused());
    focused.is_none_or(|focused| focused == id) || ui.input(|input| keys::navigates(&input.events))
}

/// Does what the frame's keys ask, in their order. What was typed behind the key that opened the editor is the
/// editor's, which has the keyboard from the next frame on: on a slow screen that is a whole word.
fn obey_keys(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    actions: &mut Vec<GridAction>,
) {
    let (events, modifiers) = ui.input(|input| (input.events.clone(), input.modifiers));
    for (index, event) in events.iter().enumerate() {
        if let Some(command) = keys::command(event, modifiers) {
            obey(ui, state, frame, layout, command, actions);
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
        let number = layout.number_at(position).zip(first);
        if let Some((index, column)) = number.or_else(|| layout.cell_at(position)) {
            let target = Cursor { row: frame.table.id_at(index), column };
            let is_selected = target.row.is_some_and(|row| state.is_selected(row, &target.column));
            if !is_selected {
                state.selection.clear();
                state.cursor = Some(target);
            }
        }
    }
    // What has several steps keeps it open; everything else closes it.
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
                ("Paste", "Ctrl+V", Command::AskPaste),
            ],
            &[
                ("Insert row above", "Insert", Command::InsertAbove),
                ("Insert row below", "Ctrl+Enter", Command::InsertBelow),
                ("Insert section above", "Ctrl+Shift+Enter", Command::InsertSection),
                ("Duplicate", "Ctrl+Shift+D", Command::Duplicate),
                (&remove, "Ctrl+Delete", Command::RemoveRows),
            ],
            &[
                ("Last changes", "Shift+F2", Command::History),
                ("All changes of the cell", "", Command::ShowHistory),
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
                    obey(ui, state, frame, layout, command.clone(), actions);
                    ui.close();
                }
            }
        }
    });
}

fn obey(
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
            state.select(&command, table);
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
        Command::Copy => ui.copy_text(paste::copied(state, frame)),
        Command::Cut => {
            ui.copy_text(paste::copied(state, frame));
            ops::clear(state, frame, actions);
        }
        Command::AskPaste => ui.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
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
                columns::obey(ui, state, frame, layout, &column, command, actions);
            }
        }
        Command::Filters => state.toggle_filters(None),
        Command::Find => state.find.open(),
        Command::FindNext(forward) => find::next(state, frame, forward),
    }
    state.reveal(table, layout);
}

/// The part of a rectangle that a cell's text may take.
fn inner(rect: Rect) -> Rect {
    rect.shrink2(egui::vec2(layout::PADDING, 0.0))
}
