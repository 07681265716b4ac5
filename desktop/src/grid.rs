//! The grid widget: shows a watchlist and returns commands. It paints its own body, so that the cost of a
//! frame depends on the visible cells and not on the size of the watchlist.
//!
//! Each part owns its state and sees only the table, the layout and what it is given. Only this file and
//! `state` see all parts.

mod access;
pub mod arranger;
pub mod blocks;
mod card;
mod cell;
mod columns;
mod conditions;
pub mod config;
mod confirm;
mod confirmation;
mod counts;
mod cursor;
mod displacement;
mod edit;
mod export;
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
mod reveal;
mod run;
mod scroll;
mod seen;
pub mod selection;
mod sparkline;
mod state;
mod steps;
pub mod sums;
pub mod table;
mod times;
mod typed;
mod view;
pub mod view_column;

pub use confirm::{edits_or_question, split_into_edits};
pub use cursor::Cursor;
pub use edit::Editor;
use egui::{
    EventFilter, FocusDirection, Id, Key, Popup, PopupCloseBehavior, Pos2, Rect, Response, Sense,
    SetOpenCommand, Ui, pos2,
};
pub use header::new_column_kinds;
pub use scroll::ScrollPosition;
pub use state::GridState;
pub use view::{GridView, PersonAt};

use self::{
    arranger::Request,
    conditions::conditions,
    displacement::Reason,
    edit::Opening,
    layout::Layout,
    order::{Locale, OrderSpec},
    paint::{Painted, Sorting},
    pointer::{Drag, Gesture},
    reveal::{reveal, reveal_cell},
    seen::Shown,
    table::Table,
    view::Frame,
};
use crate::{
    command::{Command, GridCommand, When, open_with_keys, scrolling_menu},
    focus::{self, Region},
    store::recent::Recent,
};

/// Shows the grid in all available space. Returns the commands that it does not execute itself.
pub fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<Command> {
    let commands = show_parts(ui, state, view);
    if commands.iter().any(Command::removes_cells) {
        state.expect_removal();
    }
    commands
}

fn show_parts(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) -> Vec<Command> {
    let id = ui.scope_id().with("grid");
    state.restore_typed_ahead(ui);
    let had_question = state.confirmation.is_some();
    let mut commands = confirmation::show(ui, &mut state.confirmation, view);
    let is_answered = had_question && state.confirmation.is_none();
    state.show_find(ui, view);
    let rect = ui.available_rect_before_wrap();
    focus::record(ui, Region::Grid, rect, id);
    if (state.had_keys || state.editing.reclaims_focus) && !state.editing.is_open() {
        // The arrows and Tab are for the rows. egui learns that only when they have had the focus for a
        // frame.
        ui.memory_mut(|memory| memory.move_focus(FocusDirection::None));
    }
    let response = ui.interact(rect, id, Sense::click_and_drag());
    ui.advance_cursor_after_rect(rect);
    state.update_anchor(ui, view, rect);
    state.update_order(ui, view);
    let table = state.table(view.watchlist);
    let frame = Frame { view, table: &table };
    state.update_cursor(&table, &mut commands);
    let layout = state.scrolled_layout(rect, &table);
    let moves = view.recent.map_or(0, Recent::moves);
    state.seen.begin_frame(Shown::new(&table, &layout), moves, view.now);
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
    let has_reclaimed = std::mem::take(&mut state.editing.reclaims_focus) && !state.editing.is_open();
    if has_reclaimed {
        response.request_focus();
    }
    // The key that answered the question is not for the grid; those of the next frame are.
    state.editing.reclaims_focus |= is_answered;
    state.had_keys = state.has_keys(ui, id, view, has_reclaimed) && !is_answered;
    if state.had_keys {
        response.request_focus();
        let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
        state.execute_seen_key_events(ui, &frame, &layout, &mut commands);
    }
    state.context_menu(&frame, &layout, &response, &mut commands);
    // Commands may have changed the columns and scrolled the view.
    let table = if is_quiet { table } else { state.table(view.watchlist) };
    let frame = Frame { view, table: &table };
    let layout = if is_quiet { layout } else { state.layout(rect, &table) };
    state.seen.end_frame(Shown::new(&table, &layout), view.now);
    state.show_frame(ui, id, &frame, &layout, &response, &mut commands);
    commands
}

impl GridState {
    fn show_find(&mut self, ui: &mut Ui, view: &GridView<'_>) {
        if !self.find.is_open() {
            return;
        }
        let table = self.table(view.watchlist);
        let frame = Frame { view, table: &table };
        if let Some(search) = find::show(ui, &mut self.find, self.arranger.applied(), &frame) {
            self.go_to_match(search, &frame);
            self.scroll.reveal_next = true;
        }
    }

    /// Chooses the row that keeps its position on screen: the edited row, or else the one under the pointer.
    fn update_anchor(&mut self, ui: &Ui, view: &GridView<'_>, rect: Rect) {
        let edited = self.editing.row();
        let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| rect.contains(*at));
        self.pointer.rest_in = pointer.and_then(|_| pointer::rest_in(ui));
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
    fn update_order(&mut self, ui: &Ui, view: &GridView<'_>) {
        let spec = self.order_spec(view);
        let shown = self.arranger.spec();
        if (&spec.filters, &spec.quick) != (&shown.filters, &shown.quick) {
            self.selection.forget_insertion();
            let is_wider =
                spec.filters.len() < shown.filters.len() || (spec.quick.is_none() && shown.quick.is_some());
            self.scroll.reveal_next |= is_wider;
            // A list of values goes on with the rows that the person chooses to see.
            self.editing.end_run();
        }
        // A list of values that is typed, or a place that keys go to, is one of the rows as they are shown
        // now.
        let run = self.keys_rest_in(view.now).filter(|_| !spec.is_plain());
        let kept = self.selection.cursor.as_ref().and_then(|cursor| cursor.row);
        // The row that the cursor is on stays if a change of its values excludes it, but not if another
        // filter does.
        let kept = kept.filter(|row| {
            let is_filtering = !spec.filters.is_empty() || spec.quick.is_some();
            is_filtering && spec == *shown && self.arranger.order().index_of(view.watchlist, *row).is_some()
        });
        let locale = Locale { separators: view.separators, zone: view.zone.clone() };
        let request = Request {
            spec: &spec,
            is_live: !self.config.is_sort_paused,
            is_held: self.pointer.rest_in.is_some() || run.is_some(),
            exempt: self.editing.row().or(self.selection.inserted_at_cursor()).or(kept),
            locale: &locale,
        };
        let before = self.arranger.applied();
        let is_same = spec == *self.arranger.spec();
        let wait = self.arranger.update(view.watchlist, &request, view.now, waker(ui));
        if self.arranger.applied() != before {
            if is_same {
                self.seen.moved_by_others();
            }
            if self.arranger.is_requested() {
                self.selection.blocks.forget_sequence();
            }
            if !self.editing.is_open() {
                // The view does not follow the row under the pointer into the new order.
                self.scroll.release_anchor();
            }
        }
        let rest = self.pointer.rest_in.max(run).filter(|_| self.arranger.is_waiting());
        for wait in [wait, rest].into_iter().flatten() {
            ui.request_repaint_after(wait);
        }
    }

    /// Returns the sort keys and filters. Those of removed columns are ignored.
    fn order_spec(&self, view: &GridView<'_>) -> OrderSpec {
        let sort = self.config.sort_of(view.watchlist);
        let filters =
            if self.config.has_filters { filters::active_filters(&self.config, view) } else { Vec::new() };
        OrderSpec { sort, filters, quick: self.find.filter(self.table(view.watchlist).columns()) }
    }

    /// Keeps the cursor on a cell that exists, and moves it to a requested row once that is shown.
    fn update_cursor(&mut self, table: &Table<'_>, commands: &mut Vec<Command>) {
        self.scroll.reveal_next |= self.selection.ensure_cursor(table);
        if let Some(why) = self.selection.take_displacement()
            && !self.editing.is_open()
        {
            commands.push(Command::notify(why));
        }
        if self.selection.select_awaited(table) {
            self.scroll.reveal_next = true;
            self.scroll.reveal_cursor_next = true;
        }
        if self.editing.is_open() {
            self.selection.drop_target();
        } else {
            let (has_moved, unseen) = self.selection.go_to_target(table);
            self.scroll.reveal_next |= has_moved;
            commands.extend(unseen.map(Command::notify));
        }
        if self.selection.clear_hidden_insertion(table) {
            commands.push(Command::notify("The new row is hidden by the filter."));
        }
    }

    /// Scrolls to the cursor if it was in view until the grid became smaller, as when a panel opens beside
    /// it.
    fn keep_cursor_in_view(&mut self, rect: Rect, table: &Table<'_>) {
        let Some(last) = self.last_rect.replace(rect).filter(|last| last.size() != rect.size()) else {
            return;
        };
        let mut scroll = self.scroll.clone();
        reveal(&mut scroll, &self.selection, table, &self.layout(last, table));
        self.scroll.reveal_next |= scroll.position() == self.scroll.position();
    }

    /// Returns the layout at the scroll position that the anchor and the cursor require.
    fn scrolled_layout(&mut self, rect: Rect, table: &Table<'_>) -> Layout {
        self.keep_cursor_in_view(rect, table);
        let layout = self.layout(rect, table);
        self.scroll.follow_anchor(table, layout.last_scroll_row(), self.editing.is_open());
        if std::mem::take(&mut self.scroll.reveal_next) {
            reveal(&mut self.scroll, &self.selection, table, &layout);
        }
        if std::mem::take(&mut self.scroll.reveal_cursor_next)
            && let Some(cursor) = &self.selection.cursor
        {
            let layout = self.layout(rect, table);
            reveal_cell(&mut self.scroll, cursor, &self.selection, table, &layout);
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
        let (gestures, takes_focus) = pointer::gestures(
            ui,
            &mut self.pointer,
            self.seen.before(),
            is_editing,
            (frame, layout),
            response,
        );
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
        if matches!(
            gesture,
            Gesture::PressCell(..) | Gesture::PressRow(..) | Gesture::ClickHeader(..) | Gesture::SelectAll
        ) {
            self.selection.settle();
            if !self.editing.is_open() {
                self.editing.end_run();
            }
        }
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
            Gesture::PressRemoved => {
                // What is typed next is meant for the row that was there.
                if self.commit(frame, commands) {
                    self.selection.displace(Reason::RemovedAtClick);
                }
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
                    self.selection.select_whole(&GridCommand::SelectAll, frame.table);
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

    /// Whether keyboard input goes to the grid: it does unless another widget has focus. An arrow key that
    /// was pressed before the grid set its focus lock has moved the focus to a neighbour, but is still input
    /// for the grid.
    fn has_keys(&self, ui: &Ui, id: Id, view: &GridView<'_>, has_reclaimed: bool) -> bool {
        if !view.accepts_keyboard || self.is_busy() || ui.text_edit_focused() || Popup::is_any_open(ui) {
            return false;
        }
        let focused = ui.memory(|memory| memory.focused());
        // The key that has just taken the focus from another widget is not for the grid.
        let has_left_another = !self.had_keys
            && ui.input(|input| {
                input.key_pressed(Key::Escape) || input.key_pressed(Key::Tab) && !has_reclaimed
            });
        focused.is_none_or(|focused| focused == id) && !has_left_another
            || self.had_keys && ui.input(|input| keys::has_navigation_key(&input.events))
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
                Popup::close_all(&response.ctx);
                return;
            }
            (self.menu.column, self.menu.position) = (layout.header_at(position), None);
            let first = frame.table.columns().first().map(|first| first.key().clone());
            let number = layout.row_number_at(position).zip(first);
            if let Some((index, column)) = number.or_else(|| layout.cell_at(position)) {
                let target = Cursor { row: frame.table.id_at(index), column };
                if !target.row.is_some_and(|row| self.selection.contains(row, &target.column)) {
                    self.selection.choose_alone(target);
                }
            }
        }
        // Items with several steps keep the menu open; all others close it.
        let mut menu = Popup::context_menu(response).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        if std::mem::take(&mut self.menu.is_requested) {
            self.menu.position = self.menu_corner(frame, response);
            menu = menu.open_memory(SetOpenCommand::Bool(true));
            open_with_keys(&response.ctx);
        }
        if let Some(position) = self.menu.position {
            menu = menu.at_position(position);
        }
        let show = |ui: &mut Ui| match self.menu.column.clone() {
            Some(column) => {
                let mut conditions = conditions(&self.config, frame.table, true, Some(&column));
                conditions.set_role(frame.view.role);
                match menu::show_column_menu(ui, &self.config, frame, &column, &conditions) {
                    Some((column, Command::Grid(GridCommand::Column(command)))) => {
                        self.execute_on_column(ui, (frame, layout), &column, command, commands);
                    }
                    chosen => {
                        self.execute_chosen(ui, (frame, layout), chosen.map(|(_, other)| other), commands)
                    }
                }
            }
            None => {
                let mut conditions = self.conditions(frame.view.watchlist);
                conditions.set_role(frame.view.role);
                conditions.add(When::Undo, frame.view.can_undo);
                conditions.add(When::Redo, frame.view.can_redo);
                let chosen = menu::show_row_menu(ui, &conditions);
                self.execute_chosen(ui, (frame, layout), chosen, commands);
            }
        };
        let shown = menu.show(|ui| scrolling_menu(ui, show));
        let is_open = shown.is_some_and(|shown| !shown.response.should_close());
        if !is_open && self.menu.position.take().is_some() {
            response.request_focus();
        }
    }

    /// Returns where a menu opened by a key is: at the lower left corner of the column's header or of the
    /// cursor's cell, or of the grid without a cursor.
    fn menu_corner(&self, frame: &Frame<'_>, response: &Response) -> Option<Pos2> {
        // The key has scrolled to the cursor.
        let layout = self.layout(response.rect, frame.table);
        let column = self.selection.cursor.as_ref().and_then(|cursor| layout.column(&cursor.column));
        if let Some(column) = column.filter(|_| self.menu.column.is_some()) {
            return Some(pos2(column.left, layout.header.bottom()));
        }
        let cell = self.selection.cursor_index(frame.table).zip(column);
        Some(cell.map_or(response.rect, |(index, column)| layout.cell_rect(index, column)).left_bottom())
    }

    /// Paints the grid and shows its overlays.
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
            has_focus: ui.memory(|memory| memory.focused().is_none_or(|focused| focused == id)),
            sorting: match (self.config.is_sort_paused, self.arranger.is_waiting()) {
                (true, _) => Sorting::Paused,
                (false, true) => Sorting::Waiting,
                (false, false) => Sorting::Live,
            },
            pointer: response.hover_pos(),
        };
        paint::paint(ui, &painted, frame, layout);
        let sorting = painted.sorting;
        if self.grown.grow(layout, &self.config) {
            self.seen.moved_by_others();
            ui.request_repaint();
        }
        access::describe(ui, id, &mut self.selection, (&self.config, sorting), frame, layout);
        if self.config.has_filters {
            let cursor = self.selection.cursor.as_ref().map(|cursor| cursor.column.clone());
            let cursor = cursor
                .filter(|column| layout.column(column).is_some_and(|column| column.shown.data().is_some()));
            let (own, at) = ((&mut self.filters, &mut self.config), (frame, layout));
            let next = filters::show(ui, own.0, own.1, cursor.as_ref(), at);
            if let Some(x) = next.and_then(|column| layout.scroll_x_showing(&column)) {
                self.scroll.x = x;
            }
        }
        let is_filtered =
            self.config.has_filters && !self.config.filters.is_empty() || self.find.is_filtering();
        let has_no_match = is_filtered && frame.table.is_empty() && !frame.view.watchlist.rows().is_empty();
        if has_no_match && filters::show_no_match(ui, frame, layout) {
            self.clear_filters();
        }
        if self.editing.is_open() {
            self.show_editor(ui, id, frame, layout, commands);
        }
        let is_busy = self.is_busy() || self.pointer.drag.is_some();
        let cursor = self.selection.cursor.as_ref();
        let at = (layout, response.hover_pos());
        commands.extend(card::show(ui, &mut self.card, cursor, is_busy, frame, at));
        if self.counts.update(frame.table, self.arranger.applied()) {
            // The status bar is drawn before.
            ui.request_repaint();
        }
        let (config, selection) = (&self.config, &self.selection);
        let shown = (frame.table, self.arranger.applied());
        if let Some(wait) = self.sums.update(selection, config, shown, frame.view.now, waker(ui)) {
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
