//! The parts of the shared state, and what the windows read of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use shared::{
    account::ListRole,
    column::ColumnKey,
    ids::{EditId, RowId, WatchlistId, WindowId},
    limits::Limits,
    number::Separators,
    replica::Replica,
    time::Timestamp,
    watchlist::Watchlist,
    wire::server::DeletedSummary,
};

use super::{
    act::Act,
    announcement::{Announcement, Announcements},
    connection::{Connection, ConnectionState},
    copies::Copies,
    creations::Creations,
    edits::Edits,
    glow::{Glow, GlowStyle},
    history::CellHistory,
    list_view::{ListViews, SparklineColumns},
    log::{Log, LogQuery},
    notices::{Notice, Notices},
    outbox::Clock,
    recent::Recent,
    rest::{LostEdits, Report, Superseded},
    sparkline_history::SparklineHistory,
    sparklines::SparklineValues,
    window_reads::WindowReads,
};
use crate::{files::WriteFile, wake::Wake};

/// Why a watchlist is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Somebody has deleted it.
    Deleted,
    /// The person may no longer use it.
    Forbidden,
    /// Somebody has deleted it, or the person may no longer use it: the server does not say which.
    Unknown,
}

/// The state that all windows of this process share.
pub struct Store {
    pub(super) replica: Replica,
    pub(super) edits: Edits,
    pub(super) lists: ListViews,
    pub(super) windows: WindowReads,
    pub(super) connection: ConnectionState,
    pub(super) notices: Notices,
    /// Deleted watchlists that may be restored, as the server last listed them.
    pub(super) deleted: Vec<DeletedSummary>,
    /// Watchlists that are being created here.
    pub(super) creations: Creations,
    /// Names of the watchlists whose deletion was requested here.
    pub(super) deleting: BTreeMap<WatchlistId, Arc<str>>,
    /// Why each watchlist that was loaded is missing, once it is; `None` for those that were deleted here.
    pub(super) absences: BTreeMap<WatchlistId, Option<Absence>>,
    /// The last copies of the watchlists on this computer.
    pub(super) copies: Copies,
    pub(super) announcements: Announcements,
    pub(super) sparkline_history: SparklineHistory,
    /// The reports about rejected edits, by the edits in which what remains of them was sent.
    pub(super) resent: BTreeMap<EditId, Report>,
    /// The last report about edits that were rejected as a whole.
    pub(super) lost_edits: Option<LostEdits>,
    /// Watchlists as they were when the server closed them, while edits are unanswered.
    pub(super) closed: BTreeMap<WatchlistId, Watchlist>,
    pub(super) superseded: Superseded,
}

impl Store {
    /// Opens the outbox in a folder and restores its unsent edits. `clock` is monotonic; retries of failed
    /// writes to the disk are timed by it.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(outbox_folder: &Path, clock: Clock, write_file: WriteFile) -> std::io::Result<Self> {
        let (edits, contents) = Edits::open(outbox_folder, clock, write_file)?;
        let app = concat!("afterglow/", env!("CARGO_PKG_VERSION"));
        let replica =
            Replica::new(contents.client, app, Limits::default(), contents.next_edit, contents.kept);
        Ok(Self {
            replica,
            edits,
            lists: ListViews::default(),
            windows: WindowReads::default(),
            connection: ConnectionState::default(),
            notices: Notices::kept(contents.notices),
            deleted: Vec::new(),
            creations: Creations::default(),
            deleting: BTreeMap::new(),
            absences: BTreeMap::new(),
            copies: Copies::default(),
            announcements: Announcements::default(),
            sparkline_history: SparklineHistory::default(),
            resent: BTreeMap::new(),
            lost_edits: None,
            closed: BTreeMap::new(),
            superseded: Superseded::default(),
        })
    }

    /// Keeps copies of the watchlists in a folder, and shows them until the server has sent newer ones.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn with_copies(self, folder: PathBuf, write_file: WriteFile, wake: Wake) -> std::io::Result<Self> {
        Ok(Self { copies: Copies::open(folder, write_file, wake)?, ..self })
    }

    /// Returns this store with the notices of another one that concern every account.
    pub fn with_public_notices_of(mut self, other: &mut Self) -> Self {
        self.notices.take_public(&mut other.notices);
        self
    }

    /// Returns the watchlists with their names, oldest first: those of the server, or as long as they are
    /// unknown, those that were copied in an earlier run.
    pub fn known_lists(&self) -> Vec<(WatchlistId, Arc<str>)> {
        // A watchlist has a rename made here before the server's list of watchlists does.
        let name =
            |id, listed: &Arc<str>| self.watchlist(id).map_or(listed, |watchlist| watchlist.name()).clone();
        match self.replica.summaries() {
            Some(summaries) => summaries
                .iter()
                .map(|summary| (summary.watchlist, name(summary.watchlist, &summary.name)))
                .collect(),
            None => self.copies.names().map(|(id, copied)| (id, name(id, copied))).collect(),
        }
    }

    /// Returns when the shown state of a watchlist was copied, if it is a copy of an earlier run.
    pub fn copied_at(&self, watchlist: WatchlistId) -> Option<Timestamp> {
        self.lists.get(watchlist)?.copied_at
    }

    /// Sets whether changes by others are announced.
    pub fn set_announcing(&mut self, is_on: bool) {
        self.announcements.set_on(is_on);
    }

    /// Returns the change by somebody else that a screen reader announces of a watchlist now.
    pub fn announcement(&mut self, watchlist: WatchlistId, now: Duration) -> Option<&Announcement> {
        self.announcements.update(watchlist, now)
    }

    /// Returns the time until the next announcement.
    pub fn next_announcement_in(&self, now: Duration) -> Option<Duration> {
        self.announcements.next_in(now)
    }

    /// Returns the replica of the server's state.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Returns a watchlist with the pending edits applied, if it is loaded.
    pub fn watchlist(&self, id: WatchlistId) -> Option<&Watchlist> {
        self.replica.list(id)?.state()
    }

    /// Returns why a watchlist is missing that was loaded before, unless it was deleted here.
    pub fn absence(&self, watchlist: WatchlistId) -> Option<Absence> {
        self.absences.get(&watchlist).copied().flatten()
    }

    /// Records that watchlists may be deleted or no longer shared while the server cannot be reached: it does not say
    /// which, if there are accounts.
    pub(super) fn expect_unknown_absences(&mut self) {
        let known: Vec<WatchlistId> =
            self.absences.keys().copied().filter(|id| self.role(*id).is_some()).collect();
        for watchlist in known {
            if let Some(Some(absence)) = self.absences.get_mut(&watchlist) {
                *absence = Absence::Unknown;
            }
        }
    }

    /// Returns this account's role on a watchlist, as the server last told it; `None` without accounts.
    pub fn role(&self, id: WatchlistId) -> Option<ListRole> {
        let listed = || self.replica.summaries()?.iter().find(|summary| summary.watchlist == id)?.role;
        self.replica.list(id).and_then(|list| list.role()).or_else(listed)
    }

    /// Returns what others have just changed in a watchlist.
    pub fn recent(&self, id: WatchlistId) -> Option<&Recent> {
        self.lists.get(id).map(|view| &view.recent)
    }

    /// Returns the glow of a watchlist.
    pub fn glow(&self, id: WatchlistId) -> Option<&Glow> {
        self.lists.get(id).map(|view| &view.glow)
    }

    /// Sets the cell that a window is editing.
    pub fn set_edited_cell(&mut self, window: WindowId, cell: Option<(WatchlistId, RowId, ColumnKey)>) {
        self.windows.set_edited_cell(window, cell);
    }

    /// Returns who else changed the cell that a window is editing, since its editor was opened.
    pub fn author(&self, window: WindowId) -> Option<String> {
        self.windows.author(window).map(str::to_owned)
    }

    /// Sets the columns that a window draws as sparklines.
    pub fn set_sparkline_columns(&mut self, window: WindowId, sparkline_columns: SparklineColumns) {
        if self.windows.set_sparkline_columns(window, sparkline_columns) {
            self.lists.set_sparkline_columns(self.windows.sparkline_columns());
        }
    }

    /// Returns the sparkline values of a watchlist, if a window draws any.
    pub fn sparklines(&self, watchlist: WatchlistId) -> Option<&SparklineValues> {
        self.lists.get(watchlist).map(|view| &view.sparklines).filter(|sparklines| !sparklines.is_empty())
    }

    /// Requests the last changes of a cell for a window.
    pub fn request_cell_history(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        row: RowId,
        column: ColumnKey,
    ) {
        self.windows.request_cell(&mut self.replica, window, watchlist, row, column);
    }

    /// Returns the last changes of the cell that a window has requested in a watchlist.
    pub fn cell_history(&self, watchlist: WatchlistId, window: WindowId) -> Option<&CellHistory> {
        self.windows.cell(window, watchlist)
    }

    /// Sets the history query of a window and requests newer changes periodically unless `is_paused`. Returns
    /// the time until the next request is due.
    pub fn set_log_query(
        &mut self,
        window: WindowId,
        query: Option<LogQuery>,
        is_paused: bool,
        now: Duration,
    ) -> Option<Duration> {
        self.windows.set_log_query(&mut self.replica, window, query, is_paused, now)
    }

    /// Returns the history that a window shows.
    pub fn log(&self, window: WindowId) -> Option<&Log> {
        self.windows.log(window)
    }

    /// Requests the newest page of a window's history, or the next older one.
    pub fn request_log(&mut self, window: WindowId, older: bool) {
        self.windows.request_log(&mut self.replica, window, older);
    }

    /// Drops everything kept for a closed window.
    pub fn forget_window(&mut self, window: WindowId) {
        for watchlist in self.lists.opened() {
            self.replica.presence(*watchlist, window, None, false);
        }
        self.windows.forget_window(window);
        self.creations.take_created(window);
        self.lists.set_sparkline_columns(self.windows.sparkline_columns());
    }

    /// Returns the state of the connection.
    pub fn connection(&self) -> &Connection {
        self.connection.shown()
    }

    /// Returns why the server cannot serve a watchlist, if it reported that.
    pub fn unavailable_reason(&self, watchlist: WatchlistId) -> Option<&str> {
        self.lists.get(watchlist)?.unavailable_reason.as_deref()
    }

    /// Returns the current notices, oldest first.
    pub fn notices(&self) -> &[Notice] {
        self.notices.all()
    }

    /// Returns whether anything glows at `now`.
    pub fn is_glowing(&self, now: Duration) -> bool {
        self.lists.is_glowing(now)
    }

    /// Applies the glow settings.
    pub fn set_glow(&mut self, style: GlowStyle) {
        self.lists.set_style(style);
    }

    /// Returns the deleted watchlists that may be restored, as the server last listed them.
    pub fn deleted(&self) -> &[DeletedSummary] {
        &self.deleted
    }

    /// Returns the id of the newest notice so far.
    pub fn last_notice(&self) -> u64 {
        self.notices.last_id()
    }

    /// Adds a notice that expires.
    pub fn notify(&mut self, text: impl Into<String>, now: Duration) {
        self.notices.add(text.into(), None, Some(now));
    }

    /// Adds a notice that only one window shows and that expires.
    pub fn notify_in(&mut self, window: WindowId, text: impl Into<String>, now: Duration) {
        self.notices.add_in(Some(window), text.into(), None, Some(now));
    }

    /// Adds a notice that offers to undo what a window has just done, if that is worth one.
    pub fn offer_undo(&mut self, window: WindowId, act: Act, separators: Separators, now: Duration) {
        self.notices.offer_undo(window, act, separators, now);
    }

    /// Adds a notice that stays until it is dismissed, also when another account signs in.
    pub fn notify_all_accounts(&mut self, text: impl Into<String>) {
        self.notices.add_public(text.into());
    }

    /// Removes such a notice.
    pub fn withdraw_public_notice(&mut self, text: &str) {
        self.notices.withdraw_public(text);
    }

    /// Adds a notice that stays until it is dismissed.
    pub fn notify_until_dismissed(&mut self, text: impl Into<String>) {
        self.notices.add(text.into(), None, None);
    }

    /// Removes a notice.
    pub fn dismiss(&mut self, notice: u64) {
        self.notices.dismiss(notice);
        self.edits.outbox.dismiss_notice(notice);
    }

    /// Removes notices older than `after`.
    pub fn expire_notices(&mut self, now: Duration, after: Duration) {
        self.notices.expire(now, after);
    }
}
