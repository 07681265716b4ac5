//! One window: a plain function of a `Ui`, what the windows share, and what this one remembers.

use std::{collections::BTreeMap, time::Duration};

use egui::{CentralPanel, Panel, Ui};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId, WindowId},
    number::Separators,
};
use uuid::Uuid;

use crate::{
    action::Action,
    dispatch::Core,
    grid::{self, GridAction, GridState, GridView},
    panels::{dialogs::Dialog, notices, status, top_bar},
    settings::SavedWindow,
    theme::{self, Palette},
};

/// What one window remembers.
pub struct Window {
    id: WindowId,
    list: Option<WatchlistId>,
    /// The grid's cursor, scroll position and editor.
    pub grid: GridState,
    /// The open dialog.
    pub dialog: Option<Dialog>,
    size: Option<[f32; 2]>,
    zone: TimeZone,
    separators: Separators,
    /// How long a frame takes here, smoothed, and the pause that the last one asked for before the next.
    frame_cost: Duration,
    asked_pause: Option<Duration>,
    title: String,
}

impl Window {
    /// A window that shows a watchlist, or as soon as there is one the oldest.
    pub fn new(id: WindowId, list: Option<WatchlistId>, saved: Option<&SavedWindow>) -> Self {
        let mut grid = GridState::default();
        for (key, width) in saved.into_iter().flat_map(|saved| &saved.widths) {
            grid.widths.insert(ColumnKey::from(key.as_str()), *width);
        }
        let locale = ["LC_ALL", "LC_NUMERIC", "LANG"].into_iter().find_map(|name| std::env::var(name).ok());
        Self {
            id,
            list: list.or_else(|| saved?.watchlist),
            grid,
            dialog: None,
            size: saved.and_then(|saved| saved.size),
            zone: TimeZone::system(),
            separators: Separators::of_locale(&locale.unwrap_or_default()),
            frame_cost: Duration::ZERO,
            asked_pause: None,
            title: String::new(),
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

    /// Its size as it was left.
    pub fn size(&self) -> Option<[f32; 2]> {
        self.size
    }

    /// Shows another watchlist, from its first cell.
    pub fn show_list(&mut self, watchlist: WatchlistId) {
        if self.list != Some(watchlist) {
            self.list = Some(watchlist);
            self.grid.reset();
        }
    }

    /// What of it is kept for the next start.
    pub fn saved(&self) -> SavedWindow {
        let widths: BTreeMap<String, f32> =
            self.grid.widths.iter().map(|(key, width)| (key.to_string(), *width)).collect();
        SavedWindow { watchlist: self.list, size: self.size, widths }
    }

    /// Draws the window and does what was asked in it.
    pub fn show(&mut self, ui: &mut Ui, core: &mut Core, now: Duration, today: jiff::Timestamp) {
        core.drain(now);
        self.choose_list(core);
        let mut actions = self.dropped_files(ui);
        let palette = Palette::of(ui.theme());
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
                status::show(ui, self, core, palette);
            },
        );
        CentralPanel::no_frame().show(ui, |ui| self.body(ui, core, now, today, palette, &mut actions));
        actions.extend(notices::show(ui, core, palette));
        if let Some(dialog) = self.dialog.take() {
            let (dialog, asked) = dialog.show(ui, self.id);
            self.dialog = dialog;
            actions.extend(asked);
        }
        if ui.input_mut(|input| input.consume_key(egui::Modifiers::COMMAND, egui::Key::N)) {
            actions.push(Action::OpenWindow);
        }
        for action in actions {
            core.act(action, self, now);
            ui.request_repaint();
        }
        self.keep_size(ui);
        self.keep_title(ui, core);
        core.remember(Some(self), now, false);
        self.pace(ui, core, now);
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
            let text = match core.store.replica().summaries() {
                Some([]) => "There is no watchlist yet. Press + above, or drop a CSV file here.",
                _ => "Loading…",
            };
            ui.centered_and_justified(|ui| ui.label(egui::RichText::new(text).color(palette.muted)));
            return;
        };
        let replica = core.store.replica().list(id);
        let pending =
            |row, column: &ColumnKey| replica.is_some_and(|list| list.pending_window(row, column).is_some());
        let view = GridView {
            watchlist,
            glow: core.store.glow(id),
            window: self.id,
            now,
            pending: &pending,
            palette,
            zone: &self.zone,
            today: today.to_zoned(self.zone.clone()).date(),
            separators: self.separators,
            new_row: &|| RowId(Uuid::now_v7()),
            takes_keys: self.dialog.is_none(),
        };
        for action in grid::show(ui, &mut self.grid, &view) {
            actions.push(match action {
                GridAction::Edit(changes) => Action::Edit { watchlist: id, window: self.id, changes },
                GridAction::Undo => Action::Undo(self.id),
                GridAction::Redo => Action::Redo(self.id),
                GridAction::Say(text) => Action::Say(text),
            });
        }
    }

    /// What the window shows once the lists are known, made here, or gone.
    fn choose_list(&mut self, core: &mut Core) {
        let made = core.store.take_made();
        for (window, watchlist) in made {
            if window == self.id {
                self.show_list(watchlist);
            } else {
                core.store.put_back_made(window, watchlist);
            }
        }
        if let Some(summaries) = core.store.replica().summaries() {
            let is_there =
                self.list.is_some_and(|list| summaries.iter().any(|summary| summary.watchlist == list));
            if !is_there {
                let oldest = summaries.first().map(|summary| summary.watchlist);
                if self.list != oldest {
                    self.list = oldest;
                    self.grid.reset();
                }
            }
        }
        if let Some(list) = self.list {
            core.store.open_list(list);
        }
    }

    fn dropped_files(&self, ui: &Ui) -> Vec<Action> {
        let files = ui.input(|input| input.raw.dropped_files.clone());
        files.iter().map(|file| Action::Import(self.id, file.path().to_owned())).collect()
    }

    fn keep_size(&mut self, ui: &Ui) {
        let size = ui.input(|input| input.viewport().inner_rect.map(|rect| rect.size()));
        if let Some(size) = size.filter(|size| size.x >= 1.0 && size.y >= 1.0) {
            self.size = Some([size.x.round(), size.y.round()]);
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
