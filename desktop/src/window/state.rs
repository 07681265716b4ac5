//! The state of a window: what it shows, and how that changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{layouts::Layouts, pacing::Pacing, presence::Presence, viewport::Viewport};
use crate::{
    command::Menu,
    follow::Link,
    grid::{Cursor, GridState, ScrollPosition, config::GridConfig},
    panels::{
        account::AccountDialog,
        dialogs::{Deleted, Dialog},
        history::HistoryPanel,
        notices::Addressee,
        palette::CommandPalette,
        sharing::SharingDialog,
        sign_in::SignInForm,
        view::WindowView,
    },
    settings::SavedWindow,
    state::OpenWindows,
    store::{Absence, SparklineColumns, Spot},
};
use shared::{
    ids::{UserId, WatchlistId, WindowId},
    wire::server::Summary,
};

/// The state of one window.
pub struct Window {
    pub(super) id: WindowId,
    pub(super) lists: Lists,
    /// Grid of the shown watchlist.
    pub grid: GridState,
    /// Link to other windows of the same colour.
    pub link: Link,
    /// The system's window.
    pub viewport: Viewport,
    /// Dialogs and panels that cover the grid.
    pub overlays: Overlays,
    /// Open history panel.
    pub history: Option<HistoryPanel>,
    pub(super) keyboard: Keyboard,
    pub(super) pacing: Pacing,
    /// What to do once the open editor is committed.
    pub(super) next: Option<AfterEditor>,
    /// The changes of the layout that can be undone.
    pub(super) layouts: Layouts,
    /// The cursor position reported to others.
    pub(super) presence: Presence,
    /// The newest notice when the window was opened.
    last_notice: u64,
    /// The account whose watchlists were last shown.
    pub(super) account: Option<UserId>,
}

/// What keys have requested.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    /// Input that follows a shortcut in the same frame, for the next frame.
    pub(super) delayed: Vec<egui::Event>,
    /// The menu to open in this frame.
    pub(super) menu: Option<Menu>,
    /// Whether the focus moves to the next region in this frame, or to the previous one.
    pub(super) next_region: Option<bool>,
    /// When a key was last pressed.
    pub(super) pressed_at: Option<Duration>,
    /// The other watchlist that the next undo or redo is in, and when the person was told so.
    pub(super) elsewhere: Option<(WatchlistId, Duration)>,
}

/// Dialogs and panels that cover the grid of a window.
#[derive(Default)]
pub struct Overlays {
    /// Open dialog.
    pub dialog: Option<Dialog>,
    /// Open command palette.
    pub palette: Option<CommandPalette>,
    /// Whether the table of keyboard shortcuts is open.
    pub is_keys_open: bool,
    /// Open dialog about the account.
    pub account: Option<AccountDialog>,
    /// Open dialog that shares a watchlist.
    pub sharing: Option<SharingDialog>,
    /// What was entered to sign in.
    pub(super) sign_in: SignInForm,
    /// Whether the sign-in view covers the grid.
    pub(super) is_signing_in: bool,
    /// Watchlists whose owners were asked for.
    pub(super) asked_owners: BTreeSet<WatchlistId>,
}

/// The watchlists of a window.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// The shown watchlist.
    pub(super) shown: Option<WatchlistId>,
    /// Its last known name.
    pub(super) name: Option<Arc<str>>,
    /// Watchlist that was created here but is not in the server's list yet.
    pub(super) created: Option<WatchlistId>,
    /// Watchlist that was requested before the server's list is known.
    pub(super) requested: Option<WatchlistId>,
    /// Configurations of the watchlists shown before.
    pub(super) grids: BTreeMap<WatchlistId, GridConfig>,
    /// Cursors in the watchlists shown before.
    pub(super) cursors: BTreeMap<WatchlistId, Cursor>,
    /// Scroll positions in the watchlists shown before.
    pub(super) scrolls: BTreeMap<WatchlistId, ScrollPosition>,
}

impl Lists {
    /// Shows a watchlist in a grid as it was left.
    fn show_in(&self, grid: &mut GridState) {
        let list = self.shown;
        grid.reset(
            list.and_then(|list| self.grids.get(&list)).cloned().unwrap_or_default(),
            list.and_then(|list| self.cursors.get(&list)).cloned(),
            list.and_then(|list| self.scrolls.get(&list)).copied(),
        );
    }
}

/// An operation that waits until the open editor is committed, and is dropped if its text is invalid.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterEditor {
    /// Sign out.
    SignOut,
    Show(WatchlistId),
    OpenMenu(Menu),
    /// Moves the focus to the next or the previous region.
    FocusRegion {
        is_next: bool,
    },
    Close,
    Quit,
}

impl Window {
    /// Adds a window that shows what is saved of it, or the oldest watchlist once the server's list is known.
    pub fn new(windows: &mut OpenWindows, saved: SavedWindow) -> Self {
        let id = windows.add(saved.clone());
        let SavedWindow { watchlist, placement, density, flash, on_top, group, grids, cursors, scrolls } =
            saved;
        let lists = Lists { shown: watchlist, grids, cursors, scrolls, ..Lists::default() };
        let mut grid = GridState::default();
        (grid.density, grid.flash) = (density, flash);
        lists.show_in(&mut grid);
        Self {
            id,
            lists,
            grid,
            link: Link::new(group),
            viewport: Viewport::new(placement, on_top),
            overlays: Overlays::default(),
            history: None,
            keyboard: Keyboard::default(),
            pacing: Pacing::default(),
            next: None,
            layouts: Layouts::default(),
            presence: Presence::default(),
            last_notice: 0,
            account: None,
        }
    }

    /// Returns the window's id.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// Returns the shown watchlist.
    pub fn list(&self) -> Option<WatchlistId> {
        self.lists.shown
    }

    /// Returns when the next frame that no input causes may start, on the clock of the windows.
    pub fn next_frame_at(&self) -> Duration {
        self.pacing.next_at()
    }

    /// Does not show notices that are older than the window.
    pub fn without_notices_up_to(self, last_notice: u64) -> Self {
        Self { last_notice, ..self }
    }

    /// Returns which notices the window shows.
    pub fn addressee(&self) -> Addressee {
        Addressee { window: self.id, opened_after: self.last_notice }
    }

    /// Returns what the panels read.
    pub(super) fn view(&self, now: Duration) -> WindowView<'_> {
        WindowView {
            id: self.id,
            now,
            list: self.lists.shown,
            grid: &self.grid,
            group: self.link.group(),
            on_top: self.viewport.on_top,
            menu: self.keyboard.menu,
        }
    }

    /// Returns whether no dialog or overlay covers the grid.
    pub(super) fn is_grid_uncovered(&self) -> bool {
        let overlays = &self.overlays;
        overlays.dialog.is_none()
            && overlays.palette.is_none()
            && overlays.account.is_none()
            && overlays.sharing.is_none()
            && !overlays.is_signing_in
            && !overlays.is_keys_open
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

    /// Closes the window in the next frame, once the open editor is committed, unless its text is invalid.
    pub(super) fn close(&mut self) {
        if self.can_close() {
            self.next = Some(AfterEditor::Close);
        }
    }

    /// Shows another watchlist once the open editor is committed, unless its text is invalid.
    pub fn show_list(&mut self, watchlist: WatchlistId) {
        if self.lists.shown == Some(watchlist) {
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
        self.lists.requested = Some(watchlist);
        self.switch_list(Some(watchlist));
    }

    /// Moves to the place that an edit changed. `unseen` is what the person is told if its cell is not shown.
    pub(super) fn go_to(&mut self, spot: Spot, unseen: String) {
        self.show_list(spot.watchlist);
        if let Some((row, column)) = spot.cell {
            self.grid.move_to_change(row, column, unseen);
        }
    }

    /// Leaves the open editor and runs `next` in this frame or the following one, unless the text is invalid.
    pub(super) fn leave_editor_then(&mut self, next: AfterEditor) {
        self.grid.request_commit();
        self.next = Some(next);
    }

    pub(super) fn switch_list(&mut self, list: Option<WatchlistId>) {
        if let Some(left) = self.lists.shown {
            self.lists.grids.insert(left, self.grid.config.clone());
            self.lists.cursors.extend(self.grid.selection.cursor.clone().map(|cursor| (left, cursor)));
            self.lists.scrolls.insert(left, self.grid.scroll.position());
        }
        if self.lists.shown != list {
            // The filters name a row and a column of the previous watchlist.
            self.history = self.history.take().map(|_| HistoryPanel::default());
        }
        self.lists.shown = list;
        self.lists.name = None;
        self.lists.show_in(&mut self.grid);
    }

    /// Opens or closes the history panel.
    pub fn toggle_history(&mut self) {
        self.history = if self.history.is_some() { None } else { Some(HistoryPanel::default()) };
    }

    /// Shows the watchlist of the next or previous tab, wrapping around.
    pub fn show_adjacent_list(&mut self, lists: &[Summary], is_next: bool) {
        let Some(at) = lists.iter().position(|summary| Some(summary.watchlist) == self.lists.shown) else {
            return;
        };
        let step = if is_next { 1 } else { lists.len() - 1 };
        self.show_list(lists[(at + step) % lists.len()].watchlist);
    }

    /// Returns the state that is saved for the next start, if it differs from what was saved before.
    pub fn changed_since(&self, saved: &SavedWindow) -> Option<SavedWindow> {
        let shown = self.lists.shown;
        let scroll = self.grid.scroll.position();
        let config = &self.grid.config;
        let grids = || not_default(with_shown(&self.lists.grids, shown.map(|list| (list, config))));
        let cursors = || with_shown(&self.lists.cursors, shown.zip(self.grid.selection.cursor.as_ref()));
        let scrolls = || not_default(with_shown(&self.lists.scrolls, shown.map(|list| (list, &scroll))));
        let is_same = is_saved(grids(), &saved.grids)
            && is_saved(cursors(), &saved.cursors)
            && is_saved(scrolls(), &saved.scrolls)
            && (saved.watchlist, saved.density, saved.flash) == (shown, self.grid.density, self.grid.flash)
            && (saved.on_top, saved.group) == (self.viewport.on_top, self.link.group())
            && saved.placement == self.viewport.placement;
        (!is_same).then(|| SavedWindow {
            watchlist: shown,
            placement: self.viewport.placement.clone(),
            density: self.grid.density,
            flash: self.grid.flash,
            on_top: self.viewport.on_top,
            group: self.link.group(),
            grids: grids().map(|(list, config)| (list, config.clone())).collect(),
            cursors: cursors().map(|(list, cursor)| (list, cursor.clone())).collect(),
            scrolls: scrolls().map(|(list, scroll)| (list, *scroll)).collect(),
        })
    }

    /// Keeps the shown watchlist if it exists and otherwise shows the oldest. Returns a requested one that is
    /// missing.
    pub(super) fn keep_or_replace_list(
        &mut self,
        summaries: &[Summary],
        absence: impl Fn(WatchlistId) -> Option<Absence>,
        now: Duration,
    ) -> Option<WatchlistId> {
        let is_listed = |list| summaries.iter().any(|summary| summary.watchlist == list);
        // A new watchlist exists before the server's list has it.
        self.lists.created = self.lists.created.filter(|made| !is_listed(*made));
        let requested = self.lists.requested.take();
        if self.lists.shown.is_some_and(|list| is_listed(list) || self.lists.created == Some(list)) {
            return None;
        }
        let oldest = summaries.first().map(|summary| summary.watchlist);
        if self.lists.shown != oldest {
            let is_reported = self.report_absence(absence, now);
            self.switch_list(oldest);
            if is_reported {
                self.grid.selection.expect_other_list();
            }
        }
        requested
    }

    /// Closes the editor of a watchlist that is gone. Unless the person has deleted it here, a message says
    /// so, shows the typed text, and keeps further keys from reaching another watchlist.
    fn report_absence(&mut self, absence: impl Fn(WatchlistId) -> Option<Absence>, now: Duration) -> bool {
        let Some(watchlist) = self.lists.shown else { return false };
        let typed = self.grid.take_editor().map(|editor| editor.text).unwrap_or_default();
        let absence = absence(watchlist);
        if absence.is_none() && typed.is_empty() {
            return false;
        }
        let absence = absence.unwrap_or(Absence::Deleted);
        let deleted = Deleted { watchlist, name: self.lists.name.clone(), absence, is_back: false, at: now };
        self.overlays.dialog = Some(Dialog::deleted(deleted, &typed));
        true
    }

    /// Returns the columns drawn as sparklines, of every watchlist: values are recorded while another one is
    /// shown.
    pub(super) fn sparkline_columns(&self) -> SparklineColumns {
        let shown = self.lists.shown.map(|list| (list, &self.grid.config));
        let others = self.lists.grids.iter().filter(|(list, _)| Some(**list) != self.lists.shown);
        let all = others.map(|(list, config)| (*list, config)).chain(shown);
        let sparkline_columns = all.filter(|(_, config)| !config.sparklines.is_empty());
        sparkline_columns.map(|(list, config)| (list, config.sparklines.clone())).collect()
    }
}

/// Returns what is kept of each watchlist, with the shown one as it is now.
fn with_shown<'a, T>(
    kept: &'a BTreeMap<WatchlistId, T>,
    shown: Option<(WatchlistId, &'a T)>,
) -> impl Iterator<Item = (WatchlistId, &'a T)> {
    let is_shown = move |list: WatchlistId| shown.is_some_and(|(shown, _)| shown == list);
    let others = kept.iter().map(|(list, of)| (*list, of)).filter(move |(list, _)| !is_shown(*list));
    others.chain(shown)
}

/// Leaves out default values.
fn not_default<'a, T: Default + PartialEq + 'a>(
    kept: impl Iterator<Item = (WatchlistId, &'a T)>,
) -> impl Iterator<Item = (WatchlistId, &'a T)> {
    let first = T::default();
    kept.filter(move |(_, of)| **of != first)
}

/// Whether the saved values are the present ones.
fn is_saved<'a, T: PartialEq + 'a>(
    now: impl Iterator<Item = (WatchlistId, &'a T)>,
    saved: &BTreeMap<WatchlistId, T>,
) -> bool {
    let mut count = 0;
    let is_same = now.into_iter().all(|(list, of)| {
        count += 1;
        saved.get(&list) == Some(of)
    });
    is_same && count == saved.len()
}
