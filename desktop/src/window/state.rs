//! The state of a window: what it shows, and how that changes.

use std::{collections::BTreeMap, time::Duration};

use super::presence::Presence;
use crate::{
    follow::Link,
    grid::{Cursor, GridState, config::GridConfig},
    panels::{dialogs::Dialog, history::HistoryPanel, palette::CommandPalette, view::WindowView},
    placement::Placement,
    settings::SavedWindow,
    state::OpenWindows,
    store::{Spot, Traced},
};
use shared::{
    ids::{WatchlistId, WindowId},
    wire::server::Summary,
};

/// The state of one window.
pub struct Window {
    pub(super) id: WindowId,
    pub(super) list: Option<WatchlistId>,
    /// Watchlist that was created here but is not in the server's list yet.
    pub(super) created: Option<WatchlistId>,
    /// Watchlist that was requested before the server's list is known.
    pub(super) requested: Option<WatchlistId>,
    /// Grid of the shown watchlist.
    pub grid: GridState,
    /// Configurations and cursors of the watchlists shown before.
    pub(super) grids: BTreeMap<WatchlistId, GridConfig>,
    pub(super) cursors: BTreeMap<WatchlistId, Cursor>,
    /// Link to other windows of the same colour.
    pub link: Link,
    /// Whether the window stays on top, and the value last sent to the system.
    pub on_top: bool,
    pub(super) is_on_top: bool,
    /// Open dialog.
    pub dialog: Option<Dialog>,
    /// Open command palette.
    pub palette: Option<CommandPalette>,
    /// Open history panel.
    pub history: Option<HistoryPanel>,
    /// Whether the table of keyboard shortcuts is open.
    pub is_keys_open: bool,
    /// Position and size on the screen.
    pub placement: Placement,
    /// Smoothed cost of a frame, and the pause that the last frame requested.
    pub(super) frame_cost: Duration,
    pub(super) requested_pause: Option<Duration>,
    pub(super) title: String,
    /// What to do once the open editor is committed.
    pub(super) next: Option<AfterEditor>,
    /// The cursor position reported to others.
    pub(super) presence: Presence,
}

/// An operation that waits until the open editor is committed, and is dropped if its text is invalid.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterEditor {
    Show(WatchlistId),
    Close,
    Quit,
}

impl Window {
    /// Adds a window that shows what is saved of it, or the oldest watchlist once the server's list is known.
    pub fn new(windows: &mut OpenWindows, saved: SavedWindow) -> Self {
        let id = windows.add(saved.clone());
        let SavedWindow { watchlist: list, placement, density, on_top, group, grids, cursors } = saved;
        let mut grid = GridState::default();
        grid.reset(
            list.and_then(|list| grids.get(&list)).cloned().unwrap_or_default(),
            list.and_then(|list| cursors.get(&list)).cloned(),
        );
        grid.density = density;
        Self {
            id,
            list,
            created: None,
            requested: None,
            grid,
            grids,
            cursors,
            link: Link::new(group),
            on_top,
            is_on_top: false,
            dialog: None,
            palette: None,
            history: None,
            is_keys_open: false,
            placement,
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

    /// Returns what the panels read.
    pub(super) fn view(&self) -> WindowView<'_> {
        WindowView {
            id: self.id,
            list: self.list,
            grid: &self.grid,
            group: self.link.group(),
            on_top: self.on_top,
        }
    }

    /// Returns whether no dialog or overlay covers the grid.
    pub(super) fn is_grid_uncovered(&self) -> bool {
        self.dialog.is_none() && self.palette.is_none() && !self.is_keys_open
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
    pub(super) fn leave_editor_then(&mut self, next: AfterEditor) {
        self.grid.request_commit();
        self.next = Some(next);
    }

    pub(super) fn switch_list(&mut self, list: Option<WatchlistId>) {
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
    pub fn show_adjacent_list(&mut self, lists: &[Summary], is_next: bool) {
        let Some(at) = lists.iter().position(|summary| Some(summary.watchlist) == self.list) else { return };
        let step = if is_next { 1 } else { lists.len() - 1 };
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

    /// Keeps the shown watchlist if it exists and otherwise shows the oldest. Returns a requested one that is
    /// missing.
    pub(super) fn keep_or_replace_list(&mut self, summaries: &[Summary]) -> Option<WatchlistId> {
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
    pub(super) fn discard_editor(&mut self) {
        if let Some(editor) = self.grid.take_editor() {
            let text =
                format!("The watchlist was deleted while you were typing \u{201c}{}\u{201d}.", editor.text);
            self.dialog = Some(Dialog::message("Watchlist deleted", text));
        }
    }

    /// Returns the columns drawn as sparklines, of every watchlist: values are recorded while another one is
    /// shown.
    pub(super) fn traced(&self) -> Traced {
        let shown = self.list.map(|list| (list, &self.grid.config));
        let others = self.grids.iter().filter(|(list, _)| Some(**list) != self.list);
        let all = others.map(|(list, config)| (*list, config)).chain(shown);
        let traced = all.filter(|(_, config)| !config.trends.is_empty());
        traced.map(|(list, config)| (list, config.trends.clone())).collect()
    }
}
