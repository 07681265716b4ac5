//! One window: a plain function of a `Ui`, what the windows share, and what this one remembers.

mod keys;
mod presence;

use std::{collections::BTreeMap, time::Duration};

use egui::{CentralPanel, Panel, Ui, WindowLevel};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId, WindowId},
    number::Separators,
    wire::{CellRef, server::Summary},
};
use uuid::Uuid;

use self::presence::{Presence, Told, people_at};
use crate::{
    action::Action,
    dispatch::Core,
    follow::{Link, Moved, Place},
    grid::{self, Cursor, GridAction, GridState, GridView, config::GridConfig},
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

/// What one window remembers.
pub struct Window {
    id: WindowId,
    list: Option<WatchlistId>,
    /// A watchlist that was made here, and is yet to be listed.
    made: Option<WatchlistId>,
    /// A watchlist that was asked for before the server has said which there are.
    asked: Option<WatchlistId>,
    /// The grid of the watchlist that is shown.
    pub grid: GridState,
    /// How those of the others were left, and where their cursors were.
    grids: BTreeMap<WatchlistId, GridConfig>,
    cursors: BTreeMap<WatchlistId, Cursor>,
    /// The windows that it goes with.
    pub link: Link,
    /// Whether it stays above the windows of other programs, and whether the system was told so.
    pub on_top: bool,
    is_on_top: bool,
    /// The open dialog.
    pub dialog: Option<Dialog>,
    /// The list of everything that can be done, while it is open.
    pub search: Option<Search>,
    /// What is read of the history, while it is open.
    pub history: Option<HistoryPanel>,
    /// Whether the table of keys is open.
    pub shows_keys: bool,
    /// Where the system has it.
    pub placement: Placement,
    zone: TimeZone,
    separators: Separators,
    /// How long a frame takes here, smoothed, and the pause that the last one asked for before the next.
    frame_cost: Duration,
    asked_pause: Option<Duration>,
    title: String,
    /// What is to be done once the open editor is committed.
    next: Option<Next>,
    /// Where the others were told that this window is.
    presence: Presence,
}

/// What waits for the open editor: it is committed first, and what cannot be committed keeps everything as it is.
#[derive(Clone, Copy, Debug)]
enum Next {
    Show(WatchlistId),
    Close,
    Quit,
}

impl Window {
    /// A window that shows a watchlist, or as soon as there is one the oldest.
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
            made: None,
            asked: None,
            grid,
            grids,
            cursors,
            link: Link::new(saved.and_then(|saved| saved.group)),
            on_top: saved.is_some_and(|saved| saved.on_top),
            is_on_top: false,
            dialog: None,
            search: None,
            history: None,
            shows_keys: false,
            placement: saved.map(|saved| saved.placement.clone()).unwrap_or_default(),
            zone: TimeZone::system(),
            separators: Separators::of_locale(&locale.unwrap_or_default()),
            frame_cost: Duration::ZERO,
            asked_pause: None,
            title: String::new(),
            next: None,
            presence: Presence::default(),
        }
    }

    /// Its id.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// What it shows.
    pub fn list(&self) -> Option<WatchlistId> {
        self.list
    }

    /// How numbers are typed and shown here.
    pub fn separators(&self) -> Separators {
        self.separators
    }

    /// Whether nothing lies over the grid.
    fn takes_keys(&self) -> bool {
        self.dialog.is_none() && self.search.is_none() && !self.shows_keys
    }

    /// Whether it may close now. An open editor is committed first; what cannot be committed keeps it open.
    pub fn may_close(&mut self) -> bool {
        if self.grid.editor.is_none() {
            return true;
        }
        self.ask(Next::Close);
        false
    }

    /// Shows another watchlist, from its first cell, once the open editor is committed. What cannot be committed
    /// keeps it where it is.
    pub fn show_list(&mut self, watchlist: WatchlistId) {
        if self.list == Some(watchlist) {
            return;
        }
        if self.grid.editor.is_some() {
            self.ask(Next::Show(watchlist));
        } else {
            self.put(Some(watchlist));
        }
    }

    /// Shows a watchlist of which nobody knows yet whether it is there.
    pub fn show_list_once_there(&mut self, watchlist: WatchlistId) {
        self.asked = Some(watchlist);
        self.put(Some(watchlist));
    }

    /// Goes where an edit has changed something.
    pub fn look_at(&mut self, spot: Spot) {
        self.show_list(spot.watchlist);
        if let Some((row, column)) = spot.cell {
            self.grid.point_at(row, column);
        }
    }

    /// Does in this frame what is asked, or in the next, unless the open editor cannot be committed.
    fn ask(&mut self, next: Next) {
        self.grid.leave_editor();
        self.next = Some(next);
    }

    fn put(&mut self, list: Option<WatchlistId>) {
        if let Some(left) = self.list {
            self.grids.insert(left, self.grid.config.clone());
            self.cursors.extend(self.grid.cursor.clone().map(|cursor| (left, cursor)));
        }
        if self.list != list {
            // A row or a column of one watchlist is none of another.
            self.history = self.history.take().map(|_| HistoryPanel::default());
        }
        self.list = list;
        self.grid.reset(
            list.and_then(|list| self.grids.get(&list)).cloned().unwrap_or_default(),
            list.and_then(|list| self.cursors.get(&list)).cloned(),
        );
    }

    /// Opens the history beside the grid, or closes it.
    pub fn toggle_history(&mut self) {
        self.history = if self.history.is_some() { None } else { Some(HistoryPanel::default()) };
    }

    /// Shows the watchlist whose tab is the next or the one before, round the end.
    pub fn show_neighbour(&mut self, core: &Core, forward: bool) {
        let lists = core.store.replica().summaries().unwrap_or_default();
        let Some(at) = lists.iter().position(|summary| Some(summary.watchlist) == self.list) else { return };
        let step = if forward { 1 } else { lists.len() - 1 };
        self.show_list(lists[(at + step) % lists.len()].watchlist);
    }

    /// What of it is kept for the next start.
    pub fn saved(&self) -> SavedWindow {
        let mut grids = self.grids.clone();
        grids.extend(self.list.map(|list| (list, self.grid.config.clone())));
        grids.retain(|_, config| *config != GridConfig::default());
        let mut cursors = self.cursors.clone();
        cursors.extend(self.list.zip(self.grid.cursor.clone()));
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

    /// Draws the window and does what was asked in it.
    pub fn show(&mut self, ui: &mut Ui, core: &mut Core, now: Duration, today: jiff::Timestamp) {
        core.drain(now);
        self.choose_list(core);
        self.take_imported(core);
        let mut actions = self.dropped_files(ui);
        // What is asked first is answered first.
        let is_asking = core.joining.as_ref().is_some_and(Joining::is_asking);
        if !is_asking {
            actions.extend(self.keys(ui, core));
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
        match self.next.take().filter(|_| self.grid.editor.is_none()) {
            Some(Next::Show(list)) => self.put(Some(list)),
            Some(Next::Close) => ui.send_viewport_cmd(egui::ViewportCommand::Close),
            Some(Next::Quit) => actions.push(Action::Quit),
            None => {}
        }
        actions.extend(notices::show(ui, shown.response.rect.right(), core, palette));
        if let Some(dialog) = self.dialog.take() {
            let (dialog, asked) = dialog.show(ui, self.id);
            self.dialog = dialog;
            actions.extend(asked);
        }
        if let Some(joining) = core.joining.as_ref().filter(|joining| joining.is_asking()) {
            actions.extend(joining::show(ui, &joining.destination));
        }
        actions.extend(commands::search(ui, self, core));
        commands::keys(ui, self, core);
        for action in actions {
            core.act(action, self, now);
            ui.request_repaint();
        }
        let editor = self.grid.editor.as_ref();
        let edited = editor.and_then(|editor| Some((self.list?, editor.cursor.row?, editor.column.clone())));
        core.store.watch(self.id, edited);
        core.store.trace(self.id, self.traced());
        let query = self.history.as_ref().and_then(|panel| Some(panel.query(self.list?)));
        let is_held = self.history.as_ref().is_some_and(|panel| panel.is_held);
        if let Some(wait) = core.store.read_log(self.id, query, is_held, now) {
            ui.request_repaint_after(wait);
        }
        let cursor = self.grid.cursor.as_ref();
        let cell =
            cursor.and_then(|cursor| Some(CellRef { row: cursor.row?, column: cursor.column.clone() }));
        let place = Told { list: self.list, cell, is_editing: self.grid.editor.is_some() };
        if let Some(wait) = self.presence.tell(self.id, place, &mut core.store, now) {
            ui.request_repaint_after(wait);
        }
        self.follow(ui, core);
        self.keep_on_top(ui);
        self.placement.keep(ui);
        self.keep_title(ui, core);
        if let Some(wait) = core.remember(Some(self), now, false) {
            ui.request_repaint_after(wait);
        }
        self.pace(ui, core, now);
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
            cursor: self.grid.cursor.as_ref(),
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
            ui.painter().rect_filled(ui.max_rect(), 0, palette.ground);
            let unserved = self.list.and_then(|id| core.store.unserved(id));
            let text = match (core.store.replica().summaries(), core.store.connection(), unserved) {
                (Some([]), ..) => {
                    "There is no watchlist yet. Press + above, or drop a CSV file here.".to_owned()
                }
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
            history: core.store.history(id, self.id),
            author: core.store.author(self.id),
            people: &people,
            palette,
            zone: &self.zone,
            today: today.to_zoned(self.zone.clone()).date(),
            separators: self.separators,
            new_row: &|| RowId(Uuid::now_v7()),
            takes_keys: self.takes_keys(),
        };
        for action in grid::show(ui, &mut self.grid, &view) {
            actions.push(match action {
                GridAction::Edit(changes) => Action::Edit { watchlist: id, window: self.id, changes },
                GridAction::Undo => Action::Undo(self.id),
                GridAction::Redo => Action::Redo(self.id),
                GridAction::Say(text) => Action::Say(text),
                GridAction::AskHistory(row, column) => {
                    Action::AskHistory { watchlist: id, window: self.id, row, column }
                }
                GridAction::ShowHistory(row, column) => {
                    self.history = Some(HistoryPanel::of(row, column, watchlist));
                    continue;
                }
                GridAction::AddColumn(after) => {
                    self.dialog = Some(Dialog::add_column(id, after));
                    continue;
                }
                GridAction::RenameColumn(key) => {
                    let title = watchlist.columns().get(&key).map(|entry| entry.column.title.clone());
                    self.dialog = Some(Dialog::rename_column(id, key, &title.unwrap_or_default()));
                    continue;
                }
            });
        }
    }

    /// A file that was asked for has been read: the dialog closes, or says what was wrong with it.
    fn take_imported(&mut self, core: &mut Core) {
        let Some(wrong) = core.take_imported(self.id) else { return };
        match (self.dialog.take(), wrong) {
            (Some(dialog), wrong) if dialog.is_importing() => {
                self.dialog = wrong.map(|wrong| dialog.refused(wrong))
            }
            (dialog, wrong) => {
                self.dialog = dialog;
                if let Some(wrong) = wrong {
                    core.store.say_until_read(wrong);
                }
            }
        }
    }

    /// What the window shows once the lists are known, made here, or gone.
    fn choose_list(&mut self, core: &mut Core) {
        let made = core.store.take_made();
        for (window, watchlist) in made {
            if window == self.id {
                self.made = Some(watchlist);
                self.show_list(watchlist);
            } else {
                core.store.put_back_made(window, watchlist);
            }
        }
        let missing = core.store.replica().summaries().and_then(|summaries| self.keep_to(summaries));
        if let Some(missing) = missing {
            core.store.say_until_read(format!(
                "This server has no watchlist {missing}: it was deleted, or is another server's."
            ));
            if core.windows.len() > 1 {
                // It was opened for that alone.
                self.next = Some(Next::Close);
            }
        }
        if let Some(list) = self.list {
            core.store.open_list(list);
        }
    }

    /// Shows a watchlist of those that are there. Gives the one that was asked for and is not.
    fn keep_to(&mut self, summaries: &[Summary]) -> Option<WatchlistId> {
        let is_listed = |list| summaries.iter().any(|summary| summary.watchlist == list);
        // One that was just made is there before the list of them says so.
        self.made = self.made.filter(|made| !is_listed(*made));
        let asked = self.asked.take();
        if self.list.is_some_and(|list| is_listed(list) || self.made == Some(list)) {
            return None;
        }
        let oldest = summaries.first().map(|summary| summary.watchlist);
        if self.list != oldest {
            self.give_up_editor();
            self.put(oldest);
        }
        asked
    }

    /// The watchlist is gone under an open editor: what was typed is handed back, and keys that are still being typed
    /// do not go to another watchlist.
    fn give_up_editor(&mut self) {
        if let Some(editor) = self.grid.editor.take() {
            let text = format!("The watchlist was deleted while you typed \u{201c}{}\u{201d}.", editor.text);
            self.dialog = Some(Dialog::told("The watchlist is gone", text));
        }
    }

    fn dropped_files(&self, ui: &Ui) -> Vec<Action> {
        let files = ui.input(|input| input.raw.dropped_files.clone());
        files.iter().map(|file| Action::Import(self.id, file.path().to_owned())).collect()
    }

    /// The columns whose past values it draws: of every watchlist, as their sparklines go on while another is shown.
    fn traced(&self) -> Traced {
        let shown = self.list.map(|list| (list, &self.grid.config));
        let others = self.grids.iter().filter(|(list, _)| Some(**list) != self.list);
        let all = others.map(|(list, config)| (*list, config)).chain(shown);
        let traced = all.filter(|(_, config)| !config.trends.is_empty());
        traced.map(|(list, config)| (list, config.trends.clone())).collect()
    }

    /// Goes where the linked windows were moved to, and tells them where this one was.
    fn follow(&mut self, ui: &Ui, core: &mut Core) {
        let row = self.grid.cursor.as_ref().and_then(|cursor| cursor.row);
        let own = self.list.filter(|list| core.store.watchlist(*list).is_some());
        let own = own.map(|watchlist| Place { watchlist, row });
        let is_free = !self.grid.is_busy() && self.takes_keys();
        match self.link.update(&mut core.links, own, self.grid.has_arrived(), is_free) {
            None => {}
            Some(Moved::To(place)) => {
                self.show_list(place.watchlist);
                if let Some(row) = place.row {
                    self.grid.point_at(row, None);
                }
                ui.request_repaint();
            }
            Some(Moved::Told) => core.wake_windows(),
        }
    }

    fn keep_on_top(&mut self, ui: &Ui) {
        if self.is_on_top != self.on_top {
            self.is_on_top = self.on_top;
            let level = if self.on_top { WindowLevel::AlwaysOnTop } else { WindowLevel::Normal };
            ui.send_viewport_cmd(egui::ViewportCommand::WindowLevel(level));
        }
    }

    fn keep_title(&mut self, ui: &Ui, core: &Core) {
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

    /// Repaints while anything glows, in steps that leave half a core free, and otherwise only when something
    /// the window shows by itself changes.
    fn pace(&mut self, ui: &Ui, core: &Core, now: Duration) {
        let last = Duration::from_secs_f32(ui.input(|input| input.unstable_dt).clamp(0.0, 1.0));
        if let Some(pause) = self.asked_pause.take() {
            let cost = last.saturating_sub(pause).min(Duration::from_millis(200));
            self.frame_cost = (self.frame_cost * 3 + cost) / 4;
        }
        if core.store.is_glowing(now) {
            // Up to 20 ms is the display's own rate; beyond that frames are dear.
            let dear = self.frame_cost > Duration::from_millis(20);
            let pause = if dear { self.frame_cost.min(Duration::from_millis(80)) } else { Duration::ZERO };
            self.asked_pause = Some(pause);
            ui.request_repaint_after(pause);
        }
        if let Some(wait) = core.wake_after(now) {
            ui.request_repaint_after(wait);
        }
    }
}
