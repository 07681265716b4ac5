//! One window: draws itself into a `Ui` from the shared state and its own, and dispatches the resulting
//! actions.

mod keys;
mod presence;

use std::{collections::BTreeMap, time::Duration};

use egui::{CentralPanel, Panel, Ui, WindowLevel};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    edit::CellRef,
    ids::{RowId, WatchlistId, WindowId},
    number::Separators,
    wire::server::Summary,
};
use uuid::Uuid;

use self::presence::{Presence, Report, people_at};
use crate::{
    action::Action,
    command::Command,
    dispatch::Core,
    follow::{Link, LinkUpdate, Place},
    grid::{self, Cursor, GridState, GridView, config::GridConfig},
    panels::{
        commands::{self, Search},
        dialogs::Dialog,
        history::{self, HistoryPanel},
        joining, notices,
        status::{self, Status},
        top_bar,
    },
    placement::Placement,
    servers::Joining,
    settings::SavedWindow,
    store::{Connection, Spot, Traced},
    theme::{self, Palette},
};

/// The state of one window.
pub struct Window {
    id: WindowId,
    list: Option<WatchlistId>,
    /// Watchlist that was created here but is not in the server's list yet.
    created: Option<WatchlistId>,
    /// Watchlist that was requested before the server's list is known.
    requested: Option<WatchlistId>,
    /// Grid of the shown watchlist.
    pub grid: GridState,
    /// Configurations and cursors of the watchlists shown before.
    grids: BTreeMap<WatchlistId, GridConfig>,
    cursors: BTreeMap<WatchlistId, Cursor>,
    /// Link to other windows of the same colour.
    pub link: Link,
    /// Whether the window stays on top, and the value last sent to the system.
    pub on_top: bool,
    is_on_top: bool,
    /// Open dialog.
    pub dialog: Option<Dialog>,
    /// Open command palette.
    pub search: Option<Search>,
    /// Open history panel.
    pub history: Option<HistoryPanel>,
    /// Whether the table of keyboard shortcuts is open.
    pub is_keys_open: bool,
    /// Position and size on the screen.
    pub placement: Placement,
    zone: TimeZone,
    separators: Separators,
    /// Smoothed cost of a frame, and the pause that the last frame requested.
    frame_cost: Duration,
    requested_pause: Option<Duration>,
    title: String,
    /// What to do once the open editor is committed.
    next: Option<AfterEditor>,
    /// The cursor position reported to others.
    presence: Presence,
}

/// An operation that waits until the open editor is committed, and is dropped if its text is invalid.
#[derive(Clone, Copy, Debug)]
enum AfterEditor {
    Show(WatchlistId),
    Close,
    Quit,
}

impl Window {
    /// Creates a window that shows a watchlist: the given one, the saved one, or the oldest once the list is
    /// known.
    pub fn new(id: WindowId, list: Option<WatchlistId>, saved: Option<&SavedWindow>) -> Self {
        let grids = saved.map(|saved| saved.grids.clone()).unwrap_or_default();
        let list = list.or_else(|| saved?.watchlist);
        let mut grid = GridState::default();
        let cursors = saved.map(|saved| saved.cursors.clone()).unwrap_or_default();
        grid.reset(
            list.and_then(|list| grids.get(&list)).cloned().unwrap_or_default(),
            list.and_then(|list| cursors.get(&list)).cloned(),
        );
        grid.density = saved.map(|saved| saved.density).unwrap_or_default();
        let locale = ["LC_ALL", "LC_NUMERIC", "LANG"].into_iter().find_map(|name| std::env::var(name).ok());
        Self {
            id,
            list,
            created: None,
            requested: None,
            grid,
            grids,
            cursors,
            link: Link::new(saved.and_then(|saved| saved.group)),
            on_top: saved.is_some_and(|saved| saved.on_top),
            is_on_top: false,
            dialog: None,
            search: None,
            history: None,
            is_keys_open: false,
            placement: saved.map(|saved| saved.placement.clone()).unwrap_or_default(),
            zone: TimeZone::system(),
            separators: Separators::for_locale(&locale.unwrap_or_default()),
            frame_cost: Duration::ZERO,
            requested_pause: None,
            title: String::new(),
            next: None,
            presence: Presence::default(),
        }
    }

    /// Returns the window's id.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// Returns the shown watchlist.
    pub fn list(&self) -> Option<WatchlistId> {
        self.list
    }

    /// Returns the number format of the user's locale.
    pub fn separators(&self) -> Separators {
        self.separators
    }

    /// Returns whether no dialog or overlay covers the grid.
    fn is_grid_uncovered(&self) -> bool {
        self.dialog.is_none() && self.search.is_none() && !self.is_keys_open
    }

    /// Returns whether the window can close now. An open editor is committed first, and the window then
    /// closes, unless the text is invalid.
    pub fn can_close(&mut self) -> bool {
        if self.grid.editor().is_none() {
            return true;
        }
        self.leave_editor_then(AfterEditor::Close);
        false
    }

    /// Shows another watchlist once the open editor is committed, unless its text is invalid.
    pub fn show_list(&mut self, watchlist: WatchlistId) {
        if self.list == Some(watchlist) {
            return;
        }
        if self.grid.editor().is_some() {
            self.leave_editor_then(AfterEditor::Show(watchlist));
        } else {
            self.switch_list(Some(watchlist));
        }
    }

    /// Shows a watchlist that may not exist; if it does not, the oldest one is shown and a notice added.
    pub fn show_requested_list(&mut self, watchlist: WatchlistId) {
        self.requested = Some(watchlist);
        self.switch_list(Some(watchlist));
    }

    /// Moves to the place that an edit changed.
    pub fn go_to(&mut self, spot: Spot) {
        self.show_list(spot.watchlist);
        if let Some((row, column)) = spot.cell {
            self.grid.move_to_row(row, column);
        }
    }

    /// Leaves the open editor and runs `next` in this frame or the following one, unless the text is invalid.
    fn leave_editor_then(&mut self, next: AfterEditor) {
        self.grid.request_commit();
        self.next = Some(next);
    }

    fn switch_list(&mut self, list: Option<WatchlistId>) {
        if let Some(left) = self.list {
            self.grids.insert(left, self.grid.config.clone());
            self.cursors.extend(self.grid.selection.cursor.clone().map(|cursor| (left, cursor)));
        }
        if self.list != list {
            // The filters name a row and a column of the previous watchlist.
            self.history = self.history.take().map(|_| HistoryPanel::default());
        }
        self.list = list;
        self.grid.reset(
            list.and_then(|list| self.grids.get(&list)).cloned().unwrap_or_default(),
            list.and_then(|list| self.cursors.get(&list)).cloned(),
        );
    }

    /// Opens or closes the history panel.
    pub fn toggle_history(&mut self) {
        self.history = if self.history.is_some() { None } else { Some(HistoryPanel::default()) };
    }

    /// Shows the watchlist of the next or previous tab, wrapping around.
    pub fn show_adjacent_list(&mut self, core: &Core, forward: bool) {
        let lists = core.store.replica().summaries().unwrap_or_default();
        let Some(at) = lists.iter().position(|summary| Some(summary.watchlist) == self.list) else { return };
        let step = if forward { 1 } else { lists.len() - 1 };
        self.show_list(lists[(at + step) % lists.len()].watchlist);
    }

    /// Returns the state that is saved for the next start.
    pub fn saved(&self) -> SavedWindow {
        let mut grids = self.grids.clone();
        grids.extend(self.list.map(|list| (list, self.grid.config.clone())));
        grids.retain(|_, config| *config != GridConfig::default());
        let mut cursors = self.cursors.clone();
        cursors.extend(self.list.zip(self.grid.selection.cursor.clone()));
        SavedWindow {
            watchlist: self.list,
            placement: self.placement.clone(),
            density: self.grid.density,
            on_top: self.on_top,
            group: self.link.group(),
            grids,
            cursors,
        }
    }

    /// Draws the window and executes its actions.
    pub fn show(&mut self, ui: &mut Ui, core: &mut Core, now: Duration, today: jiff::Timestamp) {
        core.drain(now);
        self.update_list(core);
        self.finish_import(core);
        let mut actions = self.dropped_files(ui);
        // The question about joining blocks the window's shortcuts.
        let needs_consent = core.joining.as_ref().is_some_and(Joining::needs_consent);
        if !needs_consent {
            actions.extend(self.handle_keys(ui, core));
        }
        let palette = Palette::of(ui.theme(), core.colour_blind);
        let bar = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 0));
        Panel::top("top bar").exact_size(theme::TOP_BAR).show_separator_line(false).frame(bar).show(
            ui,
            |ui| {
                actions.extend(top_bar::show(ui, self, core, palette));
            },
        );
        Panel::bottom("status bar").exact_size(theme::STATUS_BAR).show_separator_line(false).frame(bar).show(
            ui,
            |ui| {
                status::show(ui, &Status::of(self, core), palette);
            },
        );
        self.show_history(ui, core, today, palette, &mut actions);
        let shown =
            CentralPanel::no_frame().show(ui, |ui| self.body(ui, core, now, today, palette, &mut actions));
        match self.next.take().filter(|_| self.grid.editor().is_none()) {
            Some(AfterEditor::Show(list)) => self.switch_list(Some(list)),
            Some(AfterEditor::Close) => ui.send_viewport_cmd(egui::ViewportCommand::Close),
            Some(AfterEditor::Quit) => actions.push(Action::Quit),
            None => {}
        }
        actions.extend(notices::show(ui, shown.response.rect.right(), core, palette));
        if let Some(dialog) = self.dialog.take() {
            let (dialog, asked) = dialog.show(ui, self.id);
            self.dialog = dialog;
            actions.extend(asked);
        }
        if let Some(joining) = core.joining.as_ref().filter(|joining| joining.needs_consent()) {
            actions.extend(joining::show(ui, &joining.destination));
        }
        actions.extend(commands::show_search(ui, self, core));
        commands::show_keys(ui, self, core);
        for action in actions {
            core.execute(action, self, now);
            ui.request_repaint();
        }
        let editor = self.grid.editor();
        let edited = editor.and_then(|editor| Some((self.list?, editor.cursor.row?, editor.column.clone())));
        core.store.set_edited_cell(self.id, edited);
        core.store.set_traced(self.id, self.traced());
        let query = self.history.as_ref().and_then(|panel| Some(panel.query(self.list?)));
        let is_paused = self.history.as_ref().is_some_and(|panel| panel.is_paused);
        if let Some(wait) = core.store.set_log_query(self.id, query, is_paused, now) {
            ui.request_repaint_after(wait);
        }
        let cursor = self.grid.selection.cursor.as_ref();
        let cell =
            cursor.and_then(|cursor| Some(CellRef { row: cursor.row?, column: cursor.column.clone() }));
        let place = Report { list: self.list, cell, is_editing: self.grid.editor().is_some() };
        if let Some(wait) = self.presence.report(self.id, place, &mut core.store, now) {
            ui.request_repaint_after(wait);
        }
        self.follow(ui, core);
        self.sync_on_top(ui);
        self.placement.record(ui);
        self.sync_title(ui, core);
        if let Some(wait) = core.save_workspace(Some(self), now, false) {
            ui.request_repaint_after(wait);
        }
        self.schedule_repaint(ui, core, now);
    }

    fn show_history(
        &mut self,
        ui: &mut Ui,
        core: &Core,
        today: jiff::Timestamp,
        palette: &Palette,
        actions: &mut Vec<Action>,
    ) {
        let shown = self.list.and_then(|id| Some((id, core.store.watchlist(id)?)));
        let (Some((id, watchlist)), Some(panel)) = (shown, &mut self.history) else { return };
        let view = history::View {
            id,
            watchlist,
            window: self.id,
            log: core.store.log(self.id).filter(|log| log.query.watchlist == id),
            cursor: self.grid.selection.cursor.as_ref(),
            zone: &self.zone,
            today: today.to_zoned(self.zone.clone()).date(),
            separators: self.separators,
            palette,
        };
        if !history::show(ui, panel, &view, actions) {
            self.history = None;
        }
    }

    fn body(
        &mut self,
        ui: &mut Ui,
        core: &Core,
        now: Duration,
        today: jiff::Timestamp,
        palette: &Palette,
        actions: &mut Vec<Action>,
    ) {
        let Some((id, watchlist)) = self.list.and_then(|id| Some((id, core.store.watchlist(id)?))) else {
            ui.painter().rect_filled(ui.max_rect(), 0, palette.background);
            let unserved = self.list.and_then(|id| core.store.unserved(id));
            let text = match (core.store.replica().summaries(), core.store.connection(), unserved) {
                (Some([]), ..) => "No watchlists yet. Press + above or drop a CSV file here.".to_owned(),
                (_, Connection::Down { reason, .. }, _) => format!("Offline: {reason}"),
                (_, _, Some(why)) => why.to_owned(),
                _ => "Loading…".to_owned(),
            };
            ui.centered_and_justified(|ui| {
                ui.add(egui::Label::new(egui::RichText::new(text).color(palette.muted)).wrap())
            });
            return;
        };
        let replica = core.store.replica().list(id);
        let pending =
            |row, column: &ColumnKey| replica.is_some_and(|list| list.pending_window(row, column).is_some());
        let people = people_at(core, id, palette);
        let view = GridView {
            watchlist,
            glow: core.store.glow(id),
            window: self.id,
            now,
            pending: &pending,
            trails: core.store.trails(id),
            history: core.store.cell_history(id, self.id),
            author: core.store.author(self.id),
            people: &people,
            palette,
            zone: &self.zone,
            today: today.to_zoned(self.zone.clone()).date(),
            separators: self.separators,
            new_row: &|| RowId(Uuid::now_v7()),
            accepts_keyboard: self.is_grid_uncovered(),
        };
        for command in grid::show(ui, &mut self.grid, &view) {
            match command {
                Command::Edit(changes) => {
                    actions.push(Action::Edit { watchlist: id, window: self.id, changes })
                }
                Command::Undo => actions.push(Action::Undo(self.id)),
                Command::Redo => actions.push(Action::Redo(self.id)),
                Command::Notify(text) => actions.push(Action::Notify(text)),
                Command::RequestHistory(row, column) => {
                    let window = self.id;
                    actions.push(Action::RequestCellHistory { watchlist: id, window, row, column });
                }
                Command::ShowHistoryOf(row, column) => {
                    self.history = Some(HistoryPanel::of(row, column, watchlist));
                }
                Command::AddColumn(after) => self.dialog = Some(Dialog::add_column(id, after)),
                Command::RenameColumn(key) => {
                    let title = watchlist.columns().get(&key).map(|entry| entry.column.title.clone());
                    self.dialog = Some(Dialog::rename_column(id, key, &title.unwrap_or_default()));
                }
                // The grid has executed its own commands.
                _ => {}
            }
        }
    }

    /// Handles the result of an import: the dialog closes, or shows the error.
    fn finish_import(&mut self, core: &mut Core) {
        let Some(error) = core.take_import_result(self.id) else { return };
        match (self.dialog.take(), error) {
            (Some(dialog), error) if dialog.is_importing() => {
                self.dialog = error.map(|error| dialog.with_import_error(error))
            }
            (dialog, error) => {
                self.dialog = dialog;
                if let Some(error) = error {
                    core.store.notify_until_dismissed(error);
                }
            }
        }
    }

    /// Chooses the watchlist to show when the server's list arrives or changes, or one was created here.
    fn update_list(&mut self, core: &mut Core) {
        let created = core.store.take_created();
        for (window, watchlist) in created {
            if window == self.id {
                self.created = Some(watchlist);
                self.show_list(watchlist);
            } else {
                core.store.return_created(window, watchlist);
            }
        }
        let missing =
            core.store.replica().summaries().and_then(|summaries| self.keep_or_replace_list(summaries));
        if let Some(missing) = missing {
            core.store.notify_until_dismissed(format!(
                "This server has no watchlist {missing}. It was deleted or belongs to another server."
            ));
            if core.windows.len() > 1 {
                // The window was opened only for that watchlist.
                self.next = Some(AfterEditor::Close);
            }
        }
        if let Some(list) = self.list {
            core.store.open_list(list);
        }
    }

    /// Keeps the shown watchlist if it exists and otherwise shows the oldest. Returns a requested one that is
    /// missing.
    fn keep_or_replace_list(&mut self, summaries: &[Summary]) -> Option<WatchlistId> {
        let is_listed = |list| summaries.iter().any(|summary| summary.watchlist == list);
        // A new watchlist exists before the server's list has it.
        self.created = self.created.filter(|made| !is_listed(*made));
        let requested = self.requested.take();
        if self.list.is_some_and(|list| is_listed(list) || self.created == Some(list)) {
            return None;
        }
        let oldest = summaries.first().map(|summary| summary.watchlist);
        if self.list != oldest {
            self.discard_editor();
            self.switch_list(oldest);
        }
        requested
    }

    /// Closes an editor whose watchlist was deleted. A message shows the typed text and keeps further keys
    /// from reaching another watchlist.
    fn discard_editor(&mut self) {
        if let Some(editor) = self.grid.take_editor() {
            let text =
                format!("The watchlist was deleted while you were typing \u{201c}{}\u{201d}.", editor.text);
            self.dialog = Some(Dialog::message("Watchlist deleted", text));
        }
    }

    fn dropped_files(&self, ui: &Ui) -> Vec<Action> {
        let files = ui.input(|input| input.raw.dropped_files.clone());
        files.iter().map(|file| Action::Import(self.id, file.path().to_owned())).collect()
    }

    /// Returns the columns drawn as sparklines, of every watchlist: values are recorded while another one is
    /// shown.
    fn traced(&self) -> Traced {
        let shown = self.list.map(|list| (list, &self.grid.config));
        let others = self.grids.iter().filter(|(list, _)| Some(**list) != self.list);
        let all = others.map(|(list, config)| (*list, config)).chain(shown);
        let traced = all.filter(|(_, config)| !config.trends.is_empty());
        traced.map(|(list, config)| (list, config.trends.clone())).collect()
    }

    /// Follows the linked windows, and has them follow this one.
    fn follow(&mut self, ui: &Ui, core: &mut Core) {
        let row = self.grid.selection.cursor.as_ref().and_then(|cursor| cursor.row);
        let own = self.list.filter(|list| core.store.watchlist(*list).is_some());
        let own = own.map(|watchlist| Place { watchlist, row });
        let can_move = !self.grid.is_busy() && self.is_grid_uncovered();
        match self.link.update(&mut core.links, own, self.grid.has_reached_target(), can_move) {
            None => {}
            Some(LinkUpdate::Follow(place)) => {
                self.show_list(place.watchlist);
                if let Some(row) = place.row {
                    self.grid.move_to_row(row, None);
                }
                ui.request_repaint();
            }
            Some(LinkUpdate::Published) => core.wake_windows(),
        }
    }

    fn sync_on_top(&mut self, ui: &Ui) {
        if self.is_on_top != self.on_top {
            self.is_on_top = self.on_top;
            let level = if self.on_top { WindowLevel::AlwaysOnTop } else { WindowLevel::Normal };
            ui.send_viewport_cmd(egui::ViewportCommand::WindowLevel(level));
        }
    }

    fn sync_title(&mut self, ui: &Ui, core: &Core) {
        let name = self
            .list
            .and_then(|list| core.store.watchlist(list))
            .map(|watchlist| watchlist.name().to_string());
        let title = name.map_or_else(|| "Afterglow".to_owned(), |name| format!("{name} \u{2013} Afterglow"));
        if title != self.title {
            ui.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// Schedules the next repaint: while anything glows, at a rate that uses at most half a core; otherwise
    /// when the next timed change is due.
    fn schedule_repaint(&mut self, ui: &Ui, core: &Core, now: Duration) {
        let last = Duration::from_secs_f32(ui.input(|input| input.unstable_dt).clamp(0.0, 1.0));
        if let Some(pause) = self.requested_pause.take() {
            let cost = last.saturating_sub(pause).min(Duration::from_millis(200));
            self.frame_cost = (self.frame_cost * 3 + cost) / 4;
        }
        if core.store.is_glowing(now) {
            // Frames that cost more than 20 ms are paced, others run at the display's rate.
            let is_slow = self.frame_cost > Duration::from_millis(20);
            let pause = if is_slow { self.frame_cost.min(Duration::from_millis(80)) } else { Duration::ZERO };
            self.requested_pause = Some(pause);
            ui.request_repaint_after(pause);
        }
        if let Some(wait) = core.wake_after(now) {
            ui.request_repaint_after(wait);
        }
    }
}
