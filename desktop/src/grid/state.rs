//! The state of a grid, one field for each part, and the execution of its commands.

use std::time::Duration;

use egui::{Event, Rect, Ui};
use shared::{account::ListRole, column::ColumnKey, ids::RowId, watchlist::Watchlist};

use super::{
    arranger::Arranger,
    card::Card,
    columns,
    conditions::conditions,
    config::GridConfig,
    counts::Counts,
    cursor::Cursor,
    edit::{self, Editing, Editor, Opening},
    export,
    filters::Filters,
    find::{self, Find, Search},
    keys,
    layout::{Grown, Layout},
    menu::Menu,
    ops, paste,
    pointer::Pointer,
    reveal::reveal,
    scroll::{Scroll, ScrollPosition},
    seen::Seen,
    selection::Selection,
    sums::Sums,
    table::Table,
    view::Frame,
};
use crate::{
    command::{
        ColumnCommand, Command, Conditions, Confirmation, GridCommand, Step, VIEW_ONLY, When, refusal_of_role,
    },
    theme::{Density, Flash},
};

/// Time after a key has moved the cursor for which the rows keep their places.
const REST: Duration = Duration::from_secs(1);
/// Time after a text that was not entered in which a step of the cursor still belongs to it.
const SWALLOWED: Duration = Duration::from_millis(1_500);

/// The state of one window's grid: one field for each part.
#[derive(Default)]
pub struct GridState {
    /// The user's column, sort and filter settings.
    pub config: GridConfig,
    /// Row height preset.
    pub density: Density,
    /// What glows when others change a cell.
    pub flash: Flash,
    /// The active cell and the selected blocks.
    pub selection: Selection,
    /// The scroll position.
    pub scroll: Scroll,
    pub(super) editing: Editing,
    pub(super) filters: Filters,
    pub(super) find: Find,
    pub(super) card: Card,
    pub(super) pointer: Pointer,
    pub(super) menu: Menu,
    /// The open confirmation.
    pub(super) confirmation: Option<Confirmation>,
    /// Count, sum, average, minimum and maximum of the selection.
    pub(super) sums: Sums,
    pub(super) counts: Counts,
    pub(super) arranger: Arranger,
    pub(super) grown: Grown,
    /// The rows as the person has seen them.
    pub(super) seen: Seen,
    /// When a key last moved the cursor, on the clock of the grid.
    moved_at: Option<Duration>,
    /// When a text was last not entered, because its cell was removed.
    swallowed_at: Option<Duration>,
    /// Commands for the next frame.
    pub(super) queued: Vec<GridCommand>,
    /// Whether keyboard input went to the grid in the last frame.
    pub(super) had_keys: bool,
    /// The rectangle of the last frame.
    pub(super) last_rect: Option<Rect>,
}

impl GridState {
    /// Resets the grid for another watchlist, with that list's saved settings, cursor and scroll position.
    pub fn reset(&mut self, config: GridConfig, cursor: Option<Cursor>, scrolled_to: Option<ScrollPosition>) {
        let scroll = Scroll::at(scrolled_to, cursor.is_some());
        let selection = Selection::at(cursor);
        let (density, flash) = (self.density, self.flash);
        *self = Self { config, selection, scroll, density, flash, ..Self::default() };
    }

    /// Commits the open editor in the next frame if its text is valid.
    pub fn request_commit(&mut self) {
        self.editing.is_commit_requested = self.editing.is_open();
    }

    /// Queues a command for the next frame, as if its key had been pressed.
    pub fn queue_command(&mut self, command: impl Into<GridCommand>) {
        self.queued.push(command.into());
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
    pub fn has_confirmation(&self) -> bool {
        self.confirmation.is_some()
    }

    /// Shows all rows.
    pub(super) fn clear_filters(&mut self) {
        self.config.close_filters();
        self.find.stop_filtering();
    }

    /// Whether switching to another watchlist would lose typed text or an open confirmation.
    pub fn is_busy(&self) -> bool {
        self.editing.is_open() || self.has_confirmation()
    }

    /// Returns the rows and columns as they are currently shown.
    pub fn table<'a>(&self, watchlist: &'a Watchlist) -> Table<'a> {
        Table::new(watchlist, self.arranger.order(), &self.config)
    }

    /// Returns the rows and columns as the person has seen them, if others have just moved rows.
    pub(super) fn table_before<'a>(&self, watchlist: &'a Watchlist) -> Option<Table<'a>> {
        let before = self.seen.before()?;
        Some(self.table(watchlist).as_seen(before.rows(), before.columns(), self.selection.cursor.as_ref()))
    }

    /// Returns the totals of the selection, for the status bar.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Returns the number of all rows and of the shown ones, without sections.
    pub fn row_counts(&self) -> (usize, usize) {
        self.counts.get()
    }

    /// Returns the conditions that hold at the cursor.
    pub fn conditions(&self, watchlist: &Watchlist) -> Conditions {
        let cursor = self.selection.cursor.as_ref();
        let has_row = cursor.is_some_and(|cursor| cursor.row.is_some());
        let column = cursor.map(|cursor| &cursor.column);
        let mut conditions = conditions(&self.config, &self.table(watchlist), has_row, column);
        conditions.add(When::Filtered, self.find.is_filtering());
        conditions
    }

    pub(super) fn layout(&self, rect: Rect, table: &Table<'_>) -> Layout {
        let settings = (&self.config, &self.grown, self.density);
        Layout::new(rect, table, settings, &self.scroll, self.editing.gap(table))
    }

    /// Returns whether the cursor has reached the row of the last [`Self::move_to_row`].
    pub fn has_reached_target(&self) -> bool {
        self.selection.has_reached_target()
    }

    /// Moves the cursor to a row, and optionally to another column, once the row exists.
    pub fn move_to_row(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.selection.move_to_row(row, column);
    }

    /// Moves the cursor to a cell that has just been changed, with what the person is told if it is not shown.
    pub fn move_to_change(&mut self, row: RowId, column: Option<ColumnKey>, unseen: String) {
        self.selection.move_to_change(row, column, unseen);
    }

    /// Commits the open editor. Returns false if its text is invalid, and it stays open.
    pub(super) fn commit(&mut self, frame: &Frame<'_>, commands: &mut Vec<Command>) -> bool {
        if self.editing.has_question() {
            return false;
        }
        let Some(committed) = edit::commit(&mut self.editing, &mut self.selection, frame) else {
            return false;
        };
        commands.extend(committed);
        true
    }

    pub(super) fn open_editor(&mut self, frame: &Frame<'_>, opening: Opening, commands: &mut Vec<Command>) {
        if !frame.view.can_edit() {
            commands.push(Command::notify(VIEW_ONLY));
            return;
        }
        commands.extend(edit::open(&mut self.editing, &mut self.selection, frame, opening));
        if self.editing.is_open() {
            // A list of values goes to the rows as the person has seen them, which are shown while it is typed.
            self.arranger.take_back(frame.view.watchlist, frame.view.now);
        }
    }

    /// Passes a part's commands on: a confirmation is opened here, the grid's own wait for the next frame,
    /// and the others go to the application.
    pub(super) fn accept(
        &mut self,
        from_part: impl IntoIterator<Item = Command>,
        commands: &mut Vec<Command>,
    ) {
        for command in from_part {
            match command {
                Command::Grid(GridCommand::Confirm(confirmation)) => self.confirmation = Some(confirmation),
                Command::Grid(own) => self.queued.push(own),
                other => commands.push(other),
            }
        }
    }

    /// Executes the queued commands. Those queued from here on wait for the next frame, which has the rows
    /// that this one adds. They also wait for an open editor, which commits first.
    pub(super) fn execute_queued(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        if self.editing.is_open() {
            self.editing.is_commit_requested |= !self.queued.is_empty();
            return;
        }
        for command in std::mem::take(&mut self.queued) {
            self.execute(ui, frame, layout, command, commands);
        }
    }

    /// Executes the frame's key events on the rows as the person has seen them.
    pub(super) fn execute_seen_key_events(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        let has_keys = ui.input(|input| input.events.iter().any(is_key_or_clipboard));
        let before = if has_keys { self.table_before(frame.view.watchlist) } else { None };
        let Some(before) = before else { return self.execute_key_events(ui, frame, layout, commands) };
        let cursor = self.selection.cursor.clone();
        self.execute_key_events(ui, &Frame { table: &before, ..*frame }, layout, commands);
        // The row of the cursor is elsewhere now.
        self.scroll.reveal_next |= self.selection.cursor != cursor;
    }

    /// Executes the frame's key events in order. Events after the one that opened the editor or another field
    /// are kept for it, which has focus from the next frame on: at a low frame rate that can be a whole word.
    pub(super) fn execute_key_events(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        commands: &mut Vec<Command>,
    ) {
        let (events, modifiers) = ui.input(|input| (input.events.clone(), input.modifiers));
        for (index, event) in events.iter().enumerate() {
            let command = keys::command_for_event(event, modifiers);
            self.execute_chosen(ui, (frame, layout), command, commands);
            if self.editing.is_open() || self.is_field_opening() {
                let rest = events[index + 1..].iter().filter(|event| keys::is_keyboard_input(event));
                self.editing.typed_ahead = rest.cloned().collect();
                ui.request_repaint();
                return;
            }
        }
    }

    /// Returns keyboard events that were kept to the input, in front of newer ones. While a text field is
    /// about to get the focus, all keyboard events are kept for it.
    pub(super) fn restore_typed_ahead(&mut self, ui: &Ui) {
        let kept = &mut self.editing.typed_ahead;
        ui.input_mut(|input| drop(input.events.splice(0..0, kept.drain(..))));
        if self.is_field_opening() {
            let is_kept = |event: &mut egui::Event| keys::is_keyboard_input(event);
            self.editing.typed_ahead = ui.input_mut(|input| input.events.extract_if(.., is_kept).collect());
            ui.request_repaint();
        }
    }

    fn is_field_opening(&self) -> bool {
        self.find.is_opening() || self.filters.is_opening()
    }

    /// Executes a command of the grid, and passes another one to the application.
    pub(super) fn execute_chosen(
        &mut self,
        ui: &Ui,
        (frame, layout): (&Frame<'_>, &Layout),
        command: Option<Command>,
        commands: &mut Vec<Command>,
    ) {
        match command {
            Some(Command::Grid(command)) => self.execute(ui, frame, layout, command, commands),
            other => commands.extend(other),
        }
    }

    pub(super) fn execute(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        command: GridCommand,
        commands: &mut Vec<Command>,
    ) {
        if self.editing.is_open() {
            return;
        }
        let lowest = command.lowest_role();
        if let Some(why) = refusal_of_role(lowest, frame.view.role) {
            commands.push(Command::notify(why));
        } else if let (Some(why), Some(ListRole::Editor)) = (self.selection.displacement(), lowest) {
            self.swallowed_at = Some(frame.view.now);
            commands.push(Command::notify(why));
        } else if self.ends_swallowed_text(&command, frame.view.now) {
            // The key belongs to the text that was not entered.
        } else {
            if matches!(command, GridCommand::Move(_) | GridCommand::Extend(_)) {
                self.moved_at = Some(frame.view.now);
            }
            if let GridCommand::Move(step) = command
                && self.selection.step_into_place(step)
            {
                return;
            }
            self.execute_allowed(ui, frame, layout, command, commands);
        }
    }

    /// Whether a key would have ended a text that was not entered, because its cell was removed.
    fn ends_swallowed_text(&self, command: &GridCommand, now: Duration) -> bool {
        let is_end =
            matches!(command, GridCommand::Move(Step::Next | Step::Previous | Step::Up | Step::Down));
        let is_recent = self.swallowed_at.is_some_and(|at| now.saturating_sub(at) < SWALLOWED);
        is_end && is_recent && self.selection.displacement().is_some()
    }

    /// Returns the time until the rows may move, because of what was typed or moved with keys.
    pub(super) fn keys_rest_in(&self, now: Duration) -> Option<Duration> {
        let moved = self.moved_at.and_then(|at| (at + REST).checked_sub(now)).filter(|left| !left.is_zero());
        self.editing.run_ends_in(now).max(moved)
    }

    /// Says that this window removes rows or columns now.
    pub fn expect_removal(&mut self) {
        self.selection.expect_removal();
    }

    fn execute_allowed(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        layout: &Layout,
        command: GridCommand,
        commands: &mut Vec<Command>,
    ) {
        let table = frame.table;
        let reveals = !matches!(
            command,
            GridCommand::SelectAll
                | GridCommand::SelectRows
                | GridCommand::SelectColumns
                | GridCommand::Escape
                | GridCommand::ShowHistory
        );
        match command {
            GridCommand::Move(step) => {
                self.move_cursor(table, step, layout.page_rows(), frame.view.now);
            }
            GridCommand::Extend(step) => {
                self.editing.end_run();
                self.selection.extend(table, step, layout.page_rows());
            }
            GridCommand::SelectAll | GridCommand::SelectRows | GridCommand::SelectColumns => {
                self.selection.select_whole(&command, table);
            }
            GridCommand::Escape => {
                if self.selection.blocks.is_single() && !self.find.is_open() && !self.card.is_pinned() {
                    commands.push(Command::DismissNewestNotice);
                }
                self.selection.blocks.clear();
                self.find.close();
                self.card.close();
            }
            GridCommand::History => self.card.pin(self.selection.cursor.clone()),
            GridCommand::ShowHistory => {
                let cell =
                    self.selection.cursor.as_ref().and_then(|cursor| {
                        Some((cursor.row?, table.column(&cursor.column)?.source().clone()))
                    });
                commands.extend(cell.map(|(row, column)| Command::ShowHistoryOf(row, column)));
            }
            GridCommand::Open => self.open_editor(frame, Opening::End, commands),
            GridCommand::OpenList => self.open_editor(frame, Opening::List, commands),
            // After a figure that was typed here in vain, the next one must not become the section's title.
            GridCommand::OpenAll if self.selection.is_beside_title(table) => {
                let run = self.editing.current_run(frame.view.now);
                self.selection.step_after_commit(table, run, Step::Down, layout.page_rows());
            }
            GridCommand::OpenAll => self.open_editor(frame, Opening::All, commands),
            GridCommand::Type(text) => self.open_editor(frame, Opening::Typed(text), commands),
            GridCommand::Copy => paste::copy(ui, &self.selection, frame),
            GridCommand::RequestPaste => ui.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            GridCommand::SortAgain => self.arranger.refresh(),
            GridCommand::ClearSort => self.config.sort.clear(),
            GridCommand::PauseSort(is_paused) => self.config.is_sort_paused = is_paused,
            GridCommand::ClearFilters => self.clear_filters(),
            GridCommand::ShowAllColumns => self.config.hidden.clear(),
            GridCommand::FreezeFirst => self.config.frozen = 1,
            GridCommand::Column(command) => {
                if let Some(column) = self.selection.cursor.as_ref().map(|cursor| cursor.column.clone()) {
                    self.execute_on_column(ui, (frame, layout), &column, command, commands);
                }
            }
            GridCommand::Find => self.find.open(),
            GridCommand::FindAdjacent { is_next } => {
                self.go_to_match(if is_next { Search::Next } else { Search::Previous }, frame);
            }
            GridCommand::Confirm(confirmation) => self.confirmation = Some(confirmation),
            GridCommand::CloseFind => self.find.close(),
            GridCommand::ToggleFindFilter => self.find.toggle_filter(),
            GridCommand::Export { path, only_shown } => {
                commands.push(export::command(path, only_shown, frame));
            }
            GridCommand::SetColumn(watchlist, set) if watchlist == frame.view.id => {
                commands.push(columns::change_type(frame, set));
            }
            // Its watchlist is no longer shown.
            GridCommand::SetColumn(..) => {}
            GridCommand::OpenMenu => self.menu.request(self.selection.whole_column()),
            GridCommand::OpenColumnMenu => self.menu.request(self.selection.column()),
            // The open editor and the filter row handle their own keys.
            GridCommand::Editor(_) | GridCommand::LeaveFilter | GridCommand::ClearFilter => {}
            changing => self.execute_change(ui, frame, changing, commands),
        }
        if reveals {
            reveal(&mut self.scroll, &self.selection, table, layout);
        }
    }

    fn move_cursor(&mut self, table: &Table<'_>, step: Step, page: usize, now: Duration) {
        if table.before().is_some() && step.is_to_neighbour() {
            self.arranger.take_back(table.watchlist, now);
            let run = self.editing.current_run(now).or_seen(table, step);
            self.selection.step_in_run(table, &run, step, page);
            if matches!(step, Step::Down | Step::Next) {
                self.editing.set_next_cell(self.selection.cursor.clone());
            } else {
                self.editing.end_run();
            }
            return;
        }
        if matches!(step, Step::Down | Step::Next) {
            // The person passes over a cell of a list of values.
            self.selection.step_in_run(table, self.editing.current_run(now), step, page);
            self.editing.set_next_cell(self.selection.cursor.clone());
            return;
        }
        self.editing.end_run();
        self.selection.step(table, step, page);
        if matches!(step, Step::RowStart | Step::First) {
            self.scroll.x = 0.0;
        }
    }

    pub(super) fn execute_on_column(
        &mut self,
        ui: &Ui,
        (frame, layout): (&Frame<'_>, &Layout),
        column: &ColumnKey,
        command: ColumnCommand,
        commands: &mut Vec<Command>,
    ) {
        let own = (&mut self.config, &mut self.filters);
        commands.extend(columns::execute_column_command(ui, own, frame, layout, column, command));
    }

    /// Moves the cursor to a match, and shows it with rows around it.
    pub(super) fn go_to_match(&mut self, search: Search, frame: &Frame<'_>) {
        if find::go_to_match(&self.find, &mut self.selection, frame, search) {
            self.scroll.keeps_distance = true;
        }
    }

    /// Executes a command that changes rows or cells.
    fn execute_change(
        &mut self,
        ui: &Ui,
        frame: &Frame<'_>,
        command: GridCommand,
        commands: &mut Vec<Command>,
    ) {
        self.editing.end_run();
        let selection = &mut self.selection;
        let changes = match command {
            GridCommand::Clear => ops::clear(selection, frame, &command),
            GridCommand::Cut => {
                paste::copy(ui, selection, frame);
                ops::clear(selection, frame, &command)
            }
            GridCommand::Paste(text) => paste::paste(ui, selection, frame, &text),
            GridCommand::FillDown => ops::fill_down(selection, frame),
            GridCommand::FillRight => ops::fill_right(selection, frame),
            GridCommand::InsertAbove => ops::insert_row(selection, frame, false),
            GridCommand::InsertBelow => ops::insert_row(selection, frame, true),
            GridCommand::InsertSection => ops::insert_section(selection, &self.config, frame),
            GridCommand::Duplicate => ops::duplicate(selection, frame),
            GridCommand::MoveRows { up } => ops::move_rows(selection, &self.config, frame, up),
            GridCommand::RemoveRows => ops::remove_rows(selection, frame),
            _ => Vec::new(),
        };
        if !changes.is_empty() {
            self.editing.hold_rows(frame.view.now);
        }
        self.accept(changes, commands);
    }
}

fn is_key_or_clipboard(event: &Event) -> bool {
    matches!(
        event,
        Event::Key { .. } | Event::Text(_) | Event::Paste(_) | Event::Copy | Event::Cut | Event::Ime(_)
    )
}
