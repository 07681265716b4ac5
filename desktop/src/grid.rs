//! The grid widget: shows a watchlist and returns commands. It paints its own body, so that the cost of a frame depends on
//! the visible cells and not on the size of the watchlist.
//!
//! Each part owns its state and sees only the table, the layout and what it is given. This file alone sees them all.

mod access;
pub mod arranger;
pub mod blocks;
mod card;
mod cell;
mod columns;
pub mod config;
mod confirm;
mod cursor;
mod edit;
pub mod filter;
mod filters;
mod find;
mod header;
mod keys;
mod layout;
mod menu;
mod metrics;
mod ops;
pub mod order;
mod paint;
mod paste;
mod place;
mod pointer;
mod question;
mod reveal;
mod scroll;
pub mod selection;
mod steps;
pub mod sums;
pub mod table;
mod trend;
mod tsv;
mod typed;
mod view;

use egui::{EventFilter, Id, Rect, Response, Sense, Ui};
use shared::{column::ColumnKey, ids::RowId, watchlist::Watchlist};

pub use cursor::Cursor;
pub use edit::Editor;
pub use header::new_column_kinds;
pub use view::{GridView, PersonAt};

use self::{
    arranger::{Arranger, Request},
    card::Card,
    config::{Density, GridConfig},
    edit::{Editing, Opening},
    filters::Filters,
    find::Find,
    layout::Layout,
    order::{Locale, OrderSpec},
    paint::Painted,
    pointer::{Drag, Gesture, Pointer},
    reveal::reveal,
    scroll::Scroll,
    selection::Selection,
    sums::Sums,
    table::Table,
    view::Frame,
};
use crate::command::{Command, Confirmation, Step};

/// The state of one window's grid: one field for each part.
#[derive(Default)]
pub struct GridState {
    /// The user's column, sort and filter settings.
    pub config: GridConfig,
    /// Row height preset.
    pub density: Density,
    /// The active cell and the selected blocks.
    pub selection: Selection,
    /// The scroll position.
    pub scroll: Scroll,
    editing: Editing,
    filters: Filters,
    find: Find,
    card: Card,
    pointer: Pointer,
    /// The open confirmation.
    question: Option<Confirmation>,
    /// Count, sum, average, minimum and maximum of the selection.
    sums: Sums,
    arranger: Arranger,
    /// Commands for the next frame.
    queued: Vec<Command>,
}

/// Shows the grid in all available space. Returns the commands that it does not execute itself.
pub fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<Command> {
    let id = ui.scope_id().with("grid");
    let mut commands = question::show(ui, &mut state.question);
    state.show_find(ui, view);
    let rect = ui.available_rect_before_wrap();
    let response = ui.interact(rect, id, Sense::click_and_drag());
    ui.advance_cursor_after_rect(rect);
    state.update_anchor(ui, view, rect);
    state.update_order(ui, view, rect);
    let table = state.table(view.watchlist);
    let frame = Frame { view, table: &table };
    state.update_cursor(&table, &mut commands);
    let layout = state.scrolled_layout(rect, &table);
    // Without input nothing moves, so the table and the layout can be reused.
    let is_quiet = state.pointer.drag.is_none() && state.queued.is_empty() && !has_input(ui);
    let GridState { pointer, scroll, config, .. } = state;
    pointer::handle_scroll(ui, pointer, scroll, config, &layout, &response);
    let layout =
        if is_quiet && layout.matches_scroll(&state.scroll) { layout } else { state.layout(rect, &table) };
    if state.handle_pointer(ui, &frame, &layout, &response, &mut commands) {
        response.request_focus();
    }
    state.execute_queued(ui, &frame, &layout, &mut commands);
    if state.has_keys(ui, id, view) {
        response.request_focus();
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        state.execute_key_events(ui, &frame, &layout, &mut commands);
    }
    state.context_menu(&frame, &layout, &response, &mut commands);
    // Commands may have changed the columns and scrolled the view.
    let table = if is_quiet { table } else { state.table(view.watchlist) };
    let frame = Frame { view, table: &table };
    let layout = if is_quiet { layout } else { state.layout(rect, &table) };
    state.show_frame(ui, id, &frame, &layout, &response, &mut commands);
    commands
}

impl GridState {
    /// Resets the grid for another watchlist, with that list's saved settings and cursor.
    pub fn reset(&mut self, config: GridConfig, cursor: Option<Cursor>) {
        let mut scroll = Scroll::default();
        scroll.reveal_next = cursor.is_some();
        let selection = Selection::at(cursor);
        *self = Self { config, selection, scroll, density: self.density, ..Self::default() };
    }

    /// Commits the open editor in the next frame if its text is valid.
    pub fn request_commit(&mut self) {
        self.editing.is_commit_requested = self.editing.is_open();
    }

    /// Queues a command for the next frame, as if its key had been pressed.
    pub fn queue_command(&mut self, command: Command) {
        self.queued.push(command);
    }

    /// Returns the open editor.
    pub fn editor(&self) -> Option<&Editor> {
        self.editing.editor.as_ref()
    }

    /// Closes the open editor without a commit, and returns it.
    pub fn take_editor(&mut self) -> Option<Editor> {
        self.editing.editor.take()
    }

    /// Whether a confirmation is open.
    pub fn has_question(&self) -> bool {
        self.question.is_some()
    }

    /// Whether switching to another watchlist would lose typed text or an open confirmation.
    pub fn is_busy(&self) -> bool {
        self.editing.is_open() || self.has_question()
    }

    /// Returns the rows and columns as they are currently shown.
    pub fn table<'a>(&self, watchlist: &'a Watchlist) -> Table<'a> {
        Table::new(watchlist, self.arranger.order(), &self.config)
    }

    /// Returns the totals of the selection, for the status bar.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    fn layout(&self, rect: Rect, table: &Table<'_>) -> Layout {
        let settings = (&self.config, self.density);
        Layout::new(rect, table, settings, &self.scroll, self.editing.gap(table))
    }

    fn show_find(&mut self, ui: &mut Ui, view: &GridView<'_>) {
        if let Some(forward) = find::show(ui, &mut self.find, view.palette) {
            let table = self.table(view.watchlist);
            let frame = Frame { view, table: &table };
            find::find_next(&mut self.find, &mut self.selection, &frame, forward);
            self.scroll.reveal_next = true;
        }
    }

    /// Chooses the row that keeps its position on screen: the edited row, or else the one under the pointer.
    fn update_anchor(&mut self, ui: &Ui, view: &GridView<'_>, rect: Rect) {
        let edited = self.editing.row();
        let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| rect.contains(*at));
        if edited.is_none() && pointer.is_none() {
            self.scroll.release_anchor();
            return;
        }
        let table = self.table(view.watchlist);
        let layout = self.layout(rect, &table);
        let under_pointer = pointer.and_then(|at| layout.cell_at(at));
        let row = edited.or_else(|| under_pointer.and_then(|(index, _)| table.id_at(index)));
        self.scroll.set_anchor(row, &table);
    }

    /// Updates the order of the rows, if they may move.
    fn update_order(&mut self, ui: &Ui, view: &GridView<'_>, rect: Rect) {
        let spec = self.order_spec(view);
        let locale = Locale { separators: view.separators, zone: view.zone.clone() };
        let request = Request {
            spec: &spec,
            is_live: !self.config.is_sort_paused,
            exempt: self.editing.row().or(self.selection.inserted_at_cursor()),
            anchor: self.scroll.anchored_row(),
            locale: &locale,
        };
        let room = f64::from(rect.height() / self.density.row_height());
        let can_keep_anchor = self.scroll.can_keep_anchor(view.watchlist.rows().len(), room);
        let wait = self.arranger.update(view.watchlist, &request, &can_keep_anchor, view.now, waker(ui));
        if let Some(wait) = wait {
            ui.request_repaint_after(wait);
        }
    }

    /// Returns the sort keys and filters. Those of removed columns are ignored.
    fn order_spec(&self, view: &GridView<'_>) -> OrderSpec {
        let sort = self.config.sort_of(view.watchlist);
        let filters =
            if self.config.has_filters { filters::active_filters(&self.config, view) } else { Vec::new() };
        OrderSpec { sort, filters }
    }

    /// Keeps the cursor on a cell that exists, and moves it to a requested row once that is shown.
    fn update_cursor(&mut self, table: &Table<'_>, commands: &mut Vec<Command>) {
        self.selection.ensure_cursor(table);
        if self.editing.is_open() {
            self.selection.drop_target();
        } else if self.selection.go_to_target(table) {
            self.scroll.reveal_next = true;
        }
        if self.selection.clear_hidden_insertion(table) {
            commands.push(Command::Notify("The new row is hidden by the filter.".to_owned()));
        }
    }

    /// Returns the layout at the scroll position that the anchor and the cursor require.
    fn scrolled_layout(&mut self, rect: Rect, table: &Table<'_>) -> Layout {
        let layout = self.layout(rect, table);
        self.scroll.follow_anchor(table, layout.last_scroll_row(), self.editing.is_open());
        if std::mem::take(&mut self.scroll.reveal_next) {
            reveal(&mut self.scroll, &self.selection, table, &layout);
        }
        layout
    }

    /// Carries out the pointer's gestures. Returns whether the grid takes focus.
    fn handle_pointer(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        response: &Response,
        commands: &mut Vec<Command>,
    ) -> bool {
        let is_editing = self.editing.is_open();
        let (gestures, takes_focus) =
            pointer::gestures(ui, &mut self.pointer, is_editing, frame, layout, response);
        for gesture in gestures {
            self.carry_out(ui, gesture, frame, layout, commands);
        }
        takes_focus
    }

    fn carry_out(
        &mut self,
        ui: &Ui,
        gesture: Gesture,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        match gesture {
            Gesture::DropColumn(key, x) => header::drop_column(&mut self.config, frame, layout, &key, x),
            Gesture::DropRows(index) => {
                let moved = ops::move_rows_to(&self.selection, &self.config, frame, index);
                self.accept(moved, commands);
            }
            Gesture::DragSelection(at) => {
                let drag = (self.pointer.drag.as_ref(), &mut self.scroll);
                pointer::drag_selection(ui, drag, &mut self.selection, frame, layout, at);
            }
            Gesture::PressRow(index, modifiers) => {
                if self.commit(frame, commands) {
                    pointer::press_row(&mut self.pointer, &mut self.selection, frame, index, modifiers);
                }
            }
            Gesture::PressCell(target, modifiers) => {
                // A click elsewhere commits. An invalid text stays open.
                let is_edited = self.editor().is_some_and(|editor| editor.cursor == target);
                if !is_edited && self.commit(frame, commands) {
                    pointer::select_cell(&mut self.selection, frame, target, modifiers);
                }
            }
            Gesture::Release(row) => {
                // A press without a drag selects only that row.
                if let (Some(Drag::Move(_)), Some(index)) = (self.pointer.drag.take(), row) {
                    pointer::select_row(&mut self.selection, frame, index, egui::Modifiers::NONE);
                }
            }
            Gesture::FitColumn(key) => columns::fit(ui, &mut self.config, frame, layout, &key),
            Gesture::SelectAll => {
                if self.commit(frame, commands) {
                    self.selection.select_whole(&Command::SelectAll, frame.table);
                }
            }
            Gesture::ClickHeader(key, modifiers) => {
                if self.commit(frame, commands) {
                    header::click(&mut self.selection, &mut self.config, frame, &key, modifiers);
                }
            }
            Gesture::OpenEditor => {
                if !self.editing.is_open() {
                    self.open_editor(frame, Opening::All, commands);
                }
            }
        }
    }

    /// Commits the open editor. Returns false if its text is invalid, and it stays open.
    fn commit(&mut self, frame: &Frame<'_>, commands: &mut Vec<Command>) -> bool {
        let Some(committed) = edit::commit(&mut self.editing, &mut self.selection, frame) else {
            return false;
        };
        commands.extend(committed);
        true
    }

    fn open_editor(&mut self, frame: &Frame<'_>, opening: Opening, commands: &mut Vec<Command>) {
        commands.extend(edit::open(&mut self.editing, &mut self.selection, frame, opening));
    }

    /// Passes a part's commands on: a confirmation is opened here, the grid's own wait for the next frame, and the others go
    /// to the application.
    fn accept(&mut self, from_part: impl IntoIterator<Item = Command>, commands: &mut Vec<Command>) {
        for command in from_part {
            match command {
                Command::Confirm(question) => self.question = Some(question),
                Command::OpenAll => self.queued.push(command),
                other => commands.push(other),
            }
        }
    }

    /// Executes the queued commands. Those queued from here on wait for the next frame, which has the rows that this one
    /// adds. They also wait for an open editor, which commits first.
    fn execute_queued(&mut self, ui: &Ui, frame: &Frame<'_>, layout: &Layout, commands: &mut Vec<Command>) {
        if self.editing.is_open() {
            self.editing.is_commit_requested |= !self.queued.is_empty();
            return;
        }
        for command in std::mem::take(&mut self.queued) {
            self.execute(ui, frame, layout, command, commands);
        }
    }

    /// Whether keyboard input goes to the grid: it does unless another widget has focus. An arrow key that was pressed before
    /// the grid set its focus lock has moved the focus to a neighbour, but is still input for the grid.
    fn has_keys(&self, ui: &Ui, id: Id, view: &GridView<'_>) -> bool {
        if !view.accepts_keyboard || self.is_busy() || ui.text_edit_focused() || egui::Popup::is_any_open(ui)
        {
            return false;
        }
        let focused = ui.memory(|memory| memory.focused());
        focused.is_none_or(|focused| focused == id)
            || ui.input(|input| keys::has_navigation_key(&input.events))
    }

    /// Executes the frame's key events in order. Events after the one that opened the editor are kept for the editor, which
    /// has focus from the next frame on: at a low frame rate that can be a whole word.
    fn execute_key_events(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        let (events, modifiers) = ui.input(|input| (input.events.clone(), input.modifiers));
        for (index, event) in events.iter().enumerate() {
            if let Some(command) = keys::command_for_event(event, modifiers) {
                self.execute(ui, frame, layout, command, commands);
            }
            if self.editing.is_open() {
                let rest = events[index + 1..].iter().filter(|event| keys::is_keyboard_input(event));
                self.editing.typed_ahead = rest.cloned().collect();
                ui.request_repaint();
                return;
            }
        }
    }

    fn context_menu(
        &mut self,
        frame: &Frame<'_>,
        layout: &Layout,
        response: &Response,
        commands: &mut Vec<Command>,
    ) {
        if response.secondary_clicked()
            && let Some(position) = response.interact_pointer_pos()
        {
            if self.editing.is_open() && !self.commit(frame, commands) {
                egui::Popup::close_all(&response.ctx);
                return;
            }
            self.pointer.menu_column = layout.header_at(position);
            let first = frame.table.columns().first().map(|first| first.column.key.clone());
            let number = layout.row_number_at(position).zip(first);
            if let Some((index, column)) = number.or_else(|| layout.cell_at(position)) {
                let target = Cursor { row: frame.table.id_at(index), column };
                if !target.row.is_some_and(|row| self.selection.contains(row, &target.column)) {
                    self.selection.move_to(target);
                }
            }
        }
        // Items with several steps keep the menu open; all others close it.
        let menu =
            egui::Popup::context_menu(response).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        menu.show(|ui| match self.pointer.menu_column.clone() {
            Some(column) => self.column_menu(ui, frame, layout, &column, commands),
            None => {
                if let Some(command) = menu::show(ui, self.selection.rows(frame.table).len()) {
                    self.execute(ui, frame, layout, command, commands);
                }
            }
        });
    }

    fn column_menu(
        &mut self,
        ui: &mut Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        column: &ColumnKey,
        commands: &mut Vec<Command>,
    ) {
        let (chosen, restored) = header::menu(ui, &mut self.filters, &mut self.config, frame, column);
        commands.extend(restored);
        if let Some(chosen) = chosen {
            let config = &mut self.config;
            commands.extend(columns::execute_column_command(ui, config, frame, layout, column, chosen));
        }
    }

    fn execute(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        command: Command,
        commands: &mut Vec<Command>,
    ) {
        if self.editing.is_open() {
            return;
        }
        let table = frame.table;
        let reveals = !matches!(
            command,
            Command::SelectAll
                | Command::SelectRows
                | Command::SelectColumns
                | Command::Escape
                | Command::ShowHistory
        );
        match command {
            Command::Move(step) => {
                self.selection.step(table, step, layout.page_rows());
                if matches!(step, Step::RowStart | Step::First) {
                    self.scroll.x = 0.0;
                }
            }
            Command::Extend(step) => self.selection.extend(table, step, layout.page_rows()),
            Command::SelectAll | Command::SelectRows | Command::SelectColumns => {
                self.selection.select_whole(&command, table);
            }
            Command::Escape => {
                self.selection.blocks.clear();
                self.find.close();
                self.card.close();
            }
            Command::History => self.card.pin(self.selection.cursor.clone()),
            Command::ShowHistory => {
                let cell =
                    self.selection.cursor.clone().and_then(|cursor| Some((cursor.row?, cursor.column)));
                commands.extend(cell.map(|(row, column)| Command::ShowHistoryOf(row, column)));
            }
            Command::Open => self.open_editor(frame, Opening::End, commands),
            Command::OpenList => self.open_editor(frame, Opening::List, commands),
            Command::OpenAll => self.open_editor(frame, Opening::All, commands),
            Command::Type(text) => self.open_editor(frame, Opening::Typed(text), commands),
            Command::Copy => ui.copy_text(paste::selection_text(&self.selection, frame)),
            Command::RequestPaste => ui.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            Command::Sort(beside) => {
                let column = self.selection.cursor.as_ref().and_then(|cursor| table.column(&cursor.column));
                if let Some(entry) = column {
                    self.config.sort_by(trend::source(entry).unwrap_or(&entry.column.key), beside);
                }
            }
            Command::SortAgain => self.arranger.refresh(),
            Command::Column(command) => {
                if let Some(column) = self.selection.cursor.as_ref().map(|cursor| cursor.column.clone()) {
                    let config = &mut self.config;
                    commands
                        .extend(columns::execute_column_command(ui, config, frame, layout, &column, command));
                }
            }
            Command::Filters => {
                let column = self.selection.cursor.as_ref().map(|cursor| cursor.column.clone());
                self.filters.toggle(&mut self.config, column);
            }
            Command::Find => self.find.open(),
            Command::FindNext(forward) => {
                find::find_next(&mut self.find, &mut self.selection, frame, forward);
            }
            changing => self.execute_change(ui, frame, changing, commands),
        }
        if reveals {
            reveal(&mut self.scroll, &self.selection, table, layout);
        }
    }

    /// Executes a command that changes rows or cells. Other commands are the application's.
    fn execute_change(&mut self, ui: &Ui, frame: &Frame<'_>, command: Command, commands: &mut Vec<Command>) {
        let selection = &mut self.selection;
        let changes = match command {
            Command::Clear => ops::clear(selection, frame),
            Command::Cut => {
                ui.copy_text(paste::selection_text(selection, frame));
                ops::clear(selection, frame)
            }
            Command::Paste(text) => paste::paste(selection, frame, &text),
            Command::FillDown => ops::fill_down(selection, frame),
            Command::FillRight => ops::fill_right(selection, frame),
            Command::InsertAbove => ops::insert_row(selection, frame, false),
            Command::InsertBelow => ops::insert_row(selection, frame, true),
            Command::InsertSection => ops::insert_section(selection, frame),
            Command::Duplicate => ops::duplicate(selection, frame),
            Command::MoveRows(up) => ops::move_rows(selection, &self.config, frame, up),
            Command::RemoveRows => ops::remove_rows(selection, frame),
            other => vec![other],
        };
        self.accept(changes, commands);
    }

    /// Paints the grid, and shows what stands over it.
    fn show_frame(
        &mut self,
        ui: &mut Ui,
        id: Id,
        frame: &Frame<'_>,
        layout: &Layout,
        response: &Response,
        commands: &mut Vec<Command>,
    ) {
        let painted = Painted {
            config: &self.config,
            selection: &self.selection,
            needle: self.find.needle(),
            drag: self.pointer.drag.as_ref(),
            is_editing: self.editing.is_open(),
            pointer: response.hover_pos(),
        };
        paint::paint(ui, &painted, frame, layout);
        access::describe(ui, id, &mut self.selection, &self.config, frame, layout);
        if self.config.has_filters {
            filters::show(ui, &mut self.filters, &mut self.config, frame, layout);
        }
        if self.editing.is_open() {
            self.show_editor(ui, id, frame, layout, commands);
        }
        let is_busy = self.is_busy() || self.pointer.drag.is_some();
        let cursor = self.selection.cursor.as_ref();
        let at = (layout, response.hover_pos());
        commands.extend(card::show(ui, &mut self.card, cursor, is_busy, frame, at));
        let (config, selection) = (&self.config, &self.selection);
        if let Some(wait) = self.sums.update(selection, config, frame.table, frame.view.now, waker(ui)) {
            ui.request_repaint_after(wait);
        }
    }

    fn show_editor(
        &mut self,
        ui: &mut Ui,
        id: Id,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        let GridState { editing, selection, scroll, .. } = self;
        match edit::show(ui, editing, selection, scroll, frame, layout) {
            Some(committed) => {
                commands.extend(committed);
                ui.memory_mut(|memory| memory.request_focus(id));
            }
            // The text could not be committed: drop the commands that waited for it.
            None if !self.editing.is_commit_requested => self.queued.clear(),
            None => {}
        }
    }

    /// Returns whether the cursor has reached the row of the last [`Self::move_to_row`].
    pub fn has_reached_target(&self) -> bool {
        self.selection.has_reached_target()
    }

    /// Moves the cursor to a row, and optionally to another column, once the row exists.
    pub fn move_to_row(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.selection.move_to_row(row, column);
    }
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
