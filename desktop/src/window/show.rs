//! Draws a window from its own state and the shared one, and executes the commands that result.

use std::time::Duration;

use egui::{CentralPanel, Event, Panel, Ui};
use shared::{
    account::ListRole,
    column::ColumnKey,
    edit::{CellRef, Change},
    ids::{RowId, WatchlistId},
};
use uuid::Uuid;

use super::{
    dispatch::dispatch,
    presence::{Report, people_at},
    speech,
    state::{AfterEditor, Window},
};
use crate::{
    account::AccountCommand,
    command::{AppCommand, Command, release_keys},
    focus::{self, Regions},
    follow::{LinkUpdate, Place},
    grid::{self, GridView},
    panels::{
        account as account_panel, history, joining, notices, palette, sharing, shortcuts,
        sign_in::{self, SignInForm},
        status::{self, Status},
        top_bar,
    },
    state::{AppState, Draft, Joined, OFFLINE},
    store::{Connection, Direction},
    theme::{self, Palette},
};

/// Maximum width of a message in place of the grid, in points.
const MAX_MESSAGE_WIDTH: f32 = 560.0;
/// Minimum distance of it from the edges of the window, in points.
const MESSAGE_MARGIN: f32 = 16.0;
/// Time without a key after which a person counts as having stopped typing.
const TYPING_PAUSE: Duration = Duration::from_millis(1_500);

/// Returns whether an event is what a person types.
fn is_key(event: &Event) -> bool {
    matches!(event, Event::Text(_) | Event::Paste(_) | Event::Key { pressed: true, .. })
}

/// Returns the column that a command adds.
fn added_column(command: &Command) -> Option<ColumnKey> {
    let Command::App(AppCommand::Edit { changes, .. }) = command else { return None };
    changes.iter().find_map(|change| match change {
        Change::AddColumn(add) => Some(add.key.clone()),
        _ => None,
    })
}

impl Window {
    /// Draws the window and executes its commands.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, now: Duration, today: jiff::Timestamp) {
        state.drain(now);
        let regions = focus::take_regions(ui.ctx());
        release_keys(ui.ctx());
        self.update_list(state, now);
        self.finish_transfer(state);
        let mut commands = self.dropped_files(ui);
        self.update_sign_in(ui, state, now);
        // The question about joining blocks the window's shortcuts.
        let needs_consent = state.joined.as_ref().is_some_and(Joined::needs_consent);
        if !needs_consent && let Some(command) = self.take_shortcut(ui) {
            // The window is drawn as the command leaves it.
            dispatch(command, self, state, now);
        }
        if let Some(is_next) = self.keyboard.next_region.take() {
            regions.move_focus(ui.ctx(), is_next);
        }
        let palette = Palette::of(ui.theme(), state.preferences().colour_blind);
        self.show_bars(ui, state, now, palette, &mut commands);
        self.show_history(ui, state, today, palette, &mut commands);
        let shown =
            CentralPanel::no_frame().show(ui, |ui| self.body(ui, state, now, today, palette, &mut commands));
        self.do_after_editor(ui, &regions, &mut commands);
        commands.extend(notices::show(
            ui,
            shown.response.rect.right(),
            state,
            (self.addressee(), self.lists.shown),
            palette,
        ));
        self.show_dialog(ui, state, now, &mut commands);
        if let Some(joined) = state.joined.as_ref().filter(|joined| joined.needs_consent()) {
            commands.extend(joining::show(ui, &joined.joining).map(Command::from));
        }
        self.show_account(ui, state, palette, &mut commands);
        if let Some(open) = self.overlays.palette.take() {
            let (open, chosen) = palette::show(ui, open, &self.view(now), state);
            self.overlays.palette = open;
            commands.extend(chosen);
        }
        self.overlays.is_keys_open = self.overlays.is_keys_open && shortcuts::show(ui);
        focus::paint(ui, &regions);
        for command in commands {
            dispatch(command, self, state, now);
            ui.request_repaint();
        }
        let editor = self.grid.editor();
        let edited =
            editor.and_then(|editor| Some((self.lists.shown?, editor.cursor.row?, editor.column.clone())));
        state.store.set_edited_cell(self.id, edited);
        state.store.set_sparkline_columns(self.id, self.sparkline_columns());
        let query = self.history.as_ref().and_then(|panel| Some(panel.query(self.lists.shown?)));
        let is_paused = self.history.as_ref().is_some_and(|panel| panel.is_paused);
        if let Some(wait) = state.store.set_log_query(self.id, query, is_paused, now) {
            ui.request_repaint_after(wait);
        }
        let cursor = self.grid.selection.cursor.as_ref();
        let cell =
            cursor.and_then(|cursor| Some(CellRef { row: cursor.row?, column: cursor.column.clone() }));
        let place = Report { list: self.lists.shown, cell, is_editing: self.grid.editor().is_some() };
        if let Some(wait) = self.presence.report(self.id, place, &mut state.store, now) {
            ui.request_repaint_after(wait);
        }
        self.follow(ui, state);
        self.record_layout(ui, state, now);
        let title = self.title(state);
        speech::describe(ui, &title, self.lists.shown, state, now);
        self.viewport.sync(ui, title);
        let changed = state.windows.saved_of(self.id).and_then(|saved| self.changed_since(saved));
        state.windows.record(self.id, changed, self.draft());
        if let Some(wait) = state.save_workspace(now, false) {
            ui.request_repaint_after(wait);
        }
        self.schedule_repaint(ui, state, now);
    }

    /// Does what has waited for the open editor to be committed.
    fn do_after_editor(&mut self, ui: &Ui, regions: &Regions, commands: &mut Vec<Command>) {
        match self.next.take().filter(|_| self.grid.editor().is_none()) {
            Some(AfterEditor::Show(list)) => self.switch_list(Some(list)),
            Some(AfterEditor::OpenMenu(menu)) => {
                self.keyboard.menu = Some(menu);
                ui.request_repaint();
            }
            Some(AfterEditor::FocusRegion { is_next }) => regions.move_focus(ui.ctx(), is_next),
            Some(AfterEditor::Close) => ui.send_viewport_cmd(egui::ViewportCommand::Close),
            Some(AfterEditor::Quit) => commands.push(AppCommand::Quit.into()),
            Some(AfterEditor::SignOut) => {
                commands.push(AppCommand::Account(AccountCommand::SignOut).into());
            }
            None => {}
        }
    }

    /// Returns what is typed in the open editor.
    fn draft(&self) -> Option<Draft> {
        let (editor, watchlist) = self.grid.editor().zip(self.lists.shown)?;
        let (row, column, text) = (editor.cursor.row, editor.column.clone(), editor.text.clone());
        Some(Draft { watchlist, row, column, text })
    }

    /// Opens or closes the view to sign in. A session that ends while the person types does not open it before
    /// they have paused, because the keys would go into its fields.
    fn update_sign_in(&mut self, ui: &Ui, state: &AppState, now: Duration) {
        if ui.input(|input| input.events.iter().any(is_key)) {
            self.keyboard.pressed_at = Some(now);
        }
        let Some(joined) = &state.joined else {
            self.overlays.is_signing_in = false;
            return;
        };
        let sign_in = joined.account.sign_in();
        let paused = self.keyboard.pressed_at.map_or(TYPING_PAUSE, |at| now.saturating_sub(at));
        let is_typing = self.grid.editor().is_some() || paused < TYPING_PAUSE;
        let may_open = self.overlays.is_signing_in || sign_in.is_requested || !is_typing;
        self.overlays.is_signing_in = sign_in.is_open && may_open;
        // The end of the editor repaints the window anyway.
        if sign_in.is_open && !may_open && self.grid.editor().is_none() {
            ui.request_repaint_after(TYPING_PAUSE.saturating_sub(paused));
        }
    }

    /// Draws the bars above and below the grid.
    fn show_bars(
        &mut self,
        ui: &mut Ui,
        state: &AppState,
        now: Duration,
        palette: &Palette,
        commands: &mut Vec<Command>,
    ) {
        let bar = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 0));
        Panel::top("top bar").exact_size(theme::TOP_BAR).show_separator_line(false).frame(bar).show(
            ui,
            |ui| {
                commands.extend(top_bar::show(ui, &self.view(now), state, palette));
            },
        );
        self.keyboard.menu = None;
        Panel::bottom("status bar").exact_size(theme::STATUS_BAR).show_separator_line(false).frame(bar).show(
            ui,
            |ui| {
                status::show(ui, &Status::of(&self.view(now), state), palette);
            },
        );
    }

    fn show_dialog(&mut self, ui: &Ui, state: &AppState, now: Duration, commands: &mut Vec<Command>) {
        let Some(mut dialog) = self.overlays.dialog.take() else { return };
        let lists = state.store.replica().summaries().unwrap_or_default();
        let is_listed = |gone: &WatchlistId| lists.iter().any(|list| list.watchlist == *gone);
        if let Some(back) = dialog.gone_list().filter(is_listed) {
            self.show_list(back);
            match dialog.with_list_back() {
                Some(kept) => dialog = kept,
                None => return,
            }
        }
        let offline = (!matches!(state.store.connection(), Connection::Up { .. })).then_some(OFFLINE);
        let (dialog, asked) = dialog.show(ui, now, offline);
        self.overlays.dialog = dialog;
        if let Some(column) = asked.as_ref().and_then(added_column) {
            self.grid.selection.move_to_column(column);
        }
        commands.extend(asked);
    }

    /// Draws what concerns the account on a shared server.
    fn show_account(&mut self, ui: &Ui, state: &AppState, palette: &Palette, commands: &mut Vec<Command>) {
        let Some(joined) = state.joined.as_ref().filter(|joined| !joined.needs_consent()) else { return };
        let account = &joined.account;
        if self.overlays.is_signing_in {
            commands.extend(sign_in::show(ui, &mut self.overlays.sign_in, account, palette));
        } else {
            self.overlays.sign_in = SignInForm::default();
        }
        if account.user().is_none() {
            // What is known of others is forgotten with the session, and asked for in the next one.
            self.overlays.asked_owners.clear();
            return;
        }
        if let Some(mut dialog) = self.overlays.account.take() {
            let (is_open, chosen) = account_panel::show(ui, &mut dialog, account, &state.region.zone);
            self.overlays.account = is_open.then_some(dialog);
            commands.extend(chosen);
        }
        if let Some(mut dialog) = self.overlays.sharing.take() {
            let role = state.store.role(dialog.watchlist());
            let (is_open, chosen) = sharing::show(ui, &mut dialog, account, role);
            self.overlays.sharing = is_open.then_some(dialog);
            commands.extend(chosen);
        }
        let shown = self.lists.shown.filter(|list| account.access(*list).is_none());
        if let Some(list) = shown
            && state.store.role(list).is_some_and(|role| role < ListRole::Owner)
            && self.overlays.asked_owners.insert(list)
        {
            // The status bar names who shares the watchlist.
            commands.push(AppCommand::Account(AccountCommand::RequestAccess(list)).into());
        }
    }

    fn show_history(
        &mut self,
        ui: &mut Ui,
        state: &AppState,
        today: jiff::Timestamp,
        palette: &Palette,
        commands: &mut Vec<Command>,
    ) {
        let shown = self.lists.shown.and_then(|id| Some((id, state.store.watchlist(id)?)));
        let (Some((id, watchlist)), Some(panel)) = (shown, &mut self.history) else { return };
        let view = history::View {
            id,
            watchlist,
            log: state.store.log(self.id).filter(|log| log.query.watchlist == id),
            cursor: self.grid.selection.cursor.as_ref(),
            zone: &state.region.zone,
            today: today.to_zoned(state.region.zone.clone()).date(),
            separators: state.region.separators,
            palette,
        };
        if !history::show(ui, panel, &view, commands) {
            self.history = None;
        }
    }

    fn body(
        &mut self,
        ui: &mut Ui,
        state: &AppState,
        now: Duration,
        today: jiff::Timestamp,
        palette: &Palette,
        commands: &mut Vec<Command>,
    ) {
        let Some((id, watchlist)) = self.lists.shown.and_then(|id| Some((id, state.store.watchlist(id)?)))
        else {
            ui.painter().rect_filled(ui.max_rect(), 0, palette.background);
            let unavailable_reason = self.lists.shown.and_then(|id| state.store.unavailable_reason(id));
            let text = match (state.store.replica().summaries(), state.store.connection(), unavailable_reason)
            {
                (Some([]), ..) => "No watchlists yet. Press + above or drop a CSV file here.".to_owned(),
                (_, Connection::Down { reason, .. }, _) => format!("Offline: {reason}"),
                (_, _, Some(why)) => why.to_owned(),
                _ => "Loading…".to_owned(),
            };
            ui.centered_and_justified(|ui| {
                // A long explanation is easier to read in short lines.
                let width = (ui.available_width() - 2.0 * MESSAGE_MARGIN).clamp(0.0, MAX_MESSAGE_WIDTH);
                let mut text = egui::text::LayoutJob::simple(text, theme::text(), palette.muted, width);
                text.halign = egui::Align::Center;
                ui.label(text)
            });
            return;
        };
        let replica = state.store.replica().list(id);
        let pending =
            |row, column: &ColumnKey| replica.is_some_and(|list| list.pending_window(row, column).is_some());
        let people = people_at(&state.store, id, palette);
        let view = GridView {
            id,
            watchlist,
            glow: state.store.glow(id),
            recent: state.store.recent(id),
            window: self.id,
            now,
            pending: &pending,
            sparklines: state.store.sparklines(id),
            history: state.store.cell_history(id, self.id),
            author: state.store.author(self.id),
            people: &people,
            palette,
            zone: &state.region.zone,
            today: today.to_zoned(state.region.zone.clone()).date(),
            separators: state.region.separators,
            new_row: &|| RowId(Uuid::now_v7()),
            role: state.store.role(id),
            can_undo: state.store.can_repeat(self.id, Direction::Undo),
            can_redo: state.store.can_repeat(self.id, Direction::Redo),
            accepts_keyboard: self.is_grid_uncovered()
                && !state.joined.as_ref().is_some_and(Joined::needs_consent),
            flash: self.grid.flash,
        };
        commands.extend(grid::show(ui, &mut self.grid, &view));
    }

    /// Handles the result of an import or an export: the dialog closes, or shows the error.
    fn finish_transfer(&mut self, state: &mut AppState) {
        let Some(error) = state.take_transfer_result(self.id) else { return };
        match (self.overlays.dialog.take(), error) {
            (Some(dialog), error) if dialog.is_transferring() => {
                self.overlays.dialog = error.map(|error| dialog.with_error(error))
            }
            (dialog, error) => {
                self.overlays.dialog = dialog;
                if let Some(error) = error {
                    state.store.notify_until_dismissed(error);
                }
            }
        }
    }

    /// Chooses the watchlist to show when the server's list arrives or changes, or one was created here.
    fn update_list(&mut self, state: &mut AppState, now: Duration) {
        for watchlist in state.store.take_created(self.id) {
            self.lists.created = Some(watchlist);
            self.show_list(watchlist);
        }
        let account = state.joined.as_ref().and_then(Joined::store_of);
        if std::mem::replace(&mut self.account, account) != account {
            // What somebody else was typing is not entered in this person's name.
            drop(self.grid.take_editor());
            self.overlays.asked_owners.clear();
        }
        let shown = self.lists.shown.and_then(|list| state.store.watchlist(list));
        self.lists.name = shown.map(|watchlist| watchlist.name().clone()).or(self.lists.name.take());
        let summaries = state.store.replica().summaries();
        let absence = |list| state.store.absence(list);
        let missing = summaries.and_then(|summaries| self.keep_or_replace_list(summaries, absence, now));
        if let Some(missing) = missing {
            state.store.notify_until_dismissed(format!(
                "This server has no watchlist {missing}. It was deleted or belongs to another server."
            ));
            if state.windows.len() > 1 {
                // The window was opened only for that watchlist.
                self.next = Some(AfterEditor::Close);
            }
        }
        if let Some(list) = self.lists.shown {
            state.store.open_list(list, now);
        }
    }

    fn dropped_files(&self, ui: &Ui) -> Vec<Command> {
        let files = ui.input(|input| input.raw.dropped_files.clone());
        files.iter().map(|file| AppCommand::Import(file.path().to_owned()).into()).collect()
    }

    /// Follows the linked windows, and has them follow this one.
    fn follow(&mut self, ui: &Ui, state: &mut AppState) {
        let row = self.grid.selection.cursor.as_ref().and_then(|cursor| cursor.row);
        let own = self.lists.shown.filter(|list| state.store.watchlist(*list).is_some());
        let own = own.map(|watchlist| Place { watchlist, row });
        let can_move = !self.grid.is_busy() && self.is_grid_uncovered();
        // A cell that has taken the place of a removed one is not chosen: a window that followed would choose it.
        let has_arrived = self.grid.has_reached_target() && self.grid.selection.displacement().is_none();
        match self.link.update(&mut state.windows.links, own, has_arrived, can_move) {
            None => {}
            Some(LinkUpdate::Follow(place)) => {
                self.show_list(place.watchlist);
                if let Some(row) = place.row {
                    self.grid.move_to_row(row, None);
                }
                ui.request_repaint();
            }
            Some(LinkUpdate::Published) => state.wake_windows(),
        }
    }

    /// Records what the person has changed in the layout. What is dragged counts once it is released.
    fn record_layout(&mut self, ui: &Ui, state: &mut AppState, now: Duration) {
        let is_dragging = ui.input(|input| input.pointer.any_down());
        let Some(watchlist) = self.lists.shown.filter(|_| !is_dragging) else { return };
        let last_act = state.store.last_layout(self.id, Direction::Undo);
        if let Some(new) = self.layouts.record((watchlist, &self.grid.config), last_act, now) {
            state.store.record_layout(self.id, new);
        }
    }

    /// Returns the title of the system's window.
    fn title(&self, state: &AppState) -> String {
        let watchlist = self.lists.shown.and_then(|list| state.store.watchlist(list));
        match watchlist {
            Some(watchlist) => format!("{} \u{2013} Afterglow", watchlist.name()),
            None => "Afterglow".to_owned(),
        }
    }

    /// Schedules the next repaint: while anything glows, when the next frame may start; otherwise when the
    /// next timed change is due.
    fn schedule_repaint(&mut self, ui: &Ui, state: &AppState, now: Duration) {
        let pause = self.pacing.record(now, state.cpu_time);
        if state.store.is_glowing(now) {
            ui.request_repaint_after(pause);
        }
        if let Some(wait) = state.wake_after(now) {
            ui.request_repaint_after(wait);
        }
    }
}
