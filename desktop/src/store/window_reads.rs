//! What windows read of the watchlists that they show: the history of a cell or of a watchlist, the columns
//! that they draw as sparklines, and the cell that they edit. Histories are requested from the server and
//! refreshed when they are stale.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    column::ColumnKey,
    edit::Commit,
    ids::{RequestId, Revision, RowId, WatchlistId, WindowId},
    replica::{Effect, Replica},
    wire::client,
};

use super::{
    history::{CellHistory, RequestState, changes_of},
    list_view::SparklineColumns,
    log::{Log, LogQuery},
};

/// Maximum number of changes shown for a cell.
const CELL_CHANGES: usize = 5;
/// Number of commits requested for them; the additional one has the value before the oldest change.
const CELL_COMMITS: u32 = 6;
/// Minimum interval between two requests for newer changes of a watchlist.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// What one window reads.
#[derive(Debug, Default)]
struct Reads {
    /// The last changes of the cell that the window requested.
    cell: Option<CellHistory>,
    /// The history that the window shows.
    log: Option<Log>,
    /// The columns that the window draws as sparklines.
    sparkline_columns: SparklineColumns,
    edited: Option<Edited>,
}

/// The cell that a window is editing.
#[derive(Debug)]
struct Edited {
    cell: (WatchlistId, RowId, ColumnKey),
    /// Who changed the cell since the editor was opened.
    author: Option<Arc<str>>,
}

/// What each window reads.
#[derive(Debug, Default)]
pub(super) struct WindowReads {
    windows: BTreeMap<WindowId, Reads>,
}

impl WindowReads {
    /// Sets the cell that a window is editing.
    pub(super) fn set_edited_cell(
        &mut self,
        window: WindowId,
        cell: Option<(WatchlistId, RowId, ColumnKey)>,
    ) {
        let edited = &mut self.windows.entry(window).or_default().edited;
        if edited.as_ref().map(|edited| &edited.cell) != cell.as_ref() {
            *edited = cell.map(|cell| Edited { cell, author: None });
        }
    }

    /// Returns who else changed the cell that a window is editing, since its editor was opened.
    pub(super) fn author(&self, window: WindowId) -> Option<&str> {
        self.windows.get(&window)?.edited.as_ref()?.author.as_deref()
    }

    /// Sets the columns that a window draws as sparklines. Returns whether they changed.
    pub(super) fn set_sparkline_columns(
        &mut self,
        window: WindowId,
        sparkline_columns: SparklineColumns,
    ) -> bool {
        let shown = &mut self.windows.entry(window).or_default().sparkline_columns;
        let has_changed = *shown != sparkline_columns;
        *shown = sparkline_columns;
        has_changed
    }

    /// Returns the columns that any window draws as sparklines.
    pub(super) fn sparkline_columns(&self) -> SparklineColumns {
        let mut all = SparklineColumns::new();
        for (watchlist, columns) in self.windows.values().flat_map(|reads| &reads.sparkline_columns) {
            all.entry(*watchlist).or_default().extend(columns.iter().cloned());
        }
        all
    }

    /// Requests the last changes of a cell for a window.
    pub(super) fn request_cell(
        &mut self,
        replica: &mut Replica,
        window: WindowId,
        watchlist: WatchlistId,
        row: RowId,
        column: ColumnKey,
    ) {
        let ask = client::History {
            request: RequestId(0),
            watchlist,
            row: Some(row),
            column: Some(column.clone()),
            before: None,
            limit: Some(CELL_COMMITS),
            user: None,
        };
        let request = replica.history(ask).map_or(RequestState::Offline, RequestState::Waiting);
        // The known changes of the cell stay until the answer arrives.
        match &mut self.windows.entry(window).or_default().cell {
            Some(known) if known.watchlist == watchlist && known.is_for(row, &column) => {
                (known.is_stale, known.request) = (false, request);
            }
            cell => {
                let (changes, is_stale) = (Vec::new(), false);
                *cell = Some(CellHistory { watchlist, row, column, changes, request, is_stale });
            }
        }
    }

    /// Returns the last changes of the cell that a window has requested in a watchlist.
    pub(super) fn cell(&self, window: WindowId, watchlist: WatchlistId) -> Option<&CellHistory> {
        self.windows.get(&window)?.cell.as_ref().filter(|history| history.watchlist == watchlist)
    }

    /// Returns the history that a window shows.
    pub(super) fn log(&self, window: WindowId) -> Option<&Log> {
        self.windows.get(&window)?.log.as_ref()
    }

    /// Sets the history query of a window and requests newer changes when due, unless `is_paused`. Returns
    /// the time until the next request is due.
    pub(super) fn set_log_query(
        &mut self,
        replica: &mut Replica,
        window: WindowId,
        query: Option<LogQuery>,
        is_paused: bool,
        now: Duration,
    ) -> Option<Duration> {
        let shown = &mut self.windows.entry(window).or_default().log;
        let Some(query) = query else {
            *shown = None;
            return None;
        };
        let is_other = shown.as_ref().is_none_or(|log| log.query != query);
        if is_other {
            *shown = Some(match shown.take() {
                Some(log) => log.with_query(query),
                None => Log::new(query),
            });
        }
        let is_up = replica.user().is_some();
        let log = shown.as_mut()?;
        let is_wanted = match log.request {
            RequestState::Offline => true,
            // A refresh would drop the older pages that the person is reading.
            RequestState::Answered => log.is_stale && !is_paused && !log.shows_older(),
            RequestState::Waiting(_) => false,
        };
        let due = log.requested_at + LOG_INTERVAL;
        if is_up && (is_other || is_wanted && now >= due) {
            log.requested_at = now;
            request_page(replica, log, false);
            return None;
        }
        (is_up && is_wanted).then(|| due.saturating_sub(now))
    }

    /// Requests the newest page of a window's history, or the next older one.
    pub(super) fn request_log(&mut self, replica: &mut Replica, window: WindowId, older: bool) {
        if let Some(log) = self.windows.get_mut(&window).and_then(|reads| reads.log.as_mut()) {
            request_page(replica, log, older);
        }
    }

    /// Handles the answer to a request, and the revision before which the server continues, if it has more.
    pub(super) fn answered(&mut self, request: RequestId, commits: &[Commit], next: Option<Revision>) {
        if let Some(log) = self.log_waiting_for(request) {
            log.add_page(commits, next);
        }
        if let Some(cell) = self.cell_waiting_for(request) {
            cell.changes = changes_of(cell.row, &cell.column, commits, CELL_CHANGES);
            cell.request = RequestState::Answered;
        }
    }

    /// Handles a failed request: its history is marked as offline and requested again later.
    pub(super) fn failed(&mut self, request: RequestId) {
        if let Some(log) = self.log_waiting_for(request) {
            log.request = RequestState::Offline;
        }
        if let Some(cell) = self.cell_waiting_for(request) {
            (cell.request, cell.is_stale) = (RequestState::Offline, true);
        }
    }

    /// Handles a new connection: changes may have been missed.
    pub(super) fn connected(&mut self) {
        self.cells().for_each(|cell| cell.is_stale = true);
    }

    /// Handles a watchlist that was replaced by a snapshot, maybe of another history.
    pub(super) fn loaded(&mut self, watchlist: WatchlistId) {
        self.cells_of(watchlist).for_each(|cell| cell.is_stale = true);
        self.logs_of(watchlist).for_each(Log::reset);
    }

    /// Handles a commit of an account.
    pub(super) fn committed(&mut self, watchlist: WatchlistId, by: &Arc<str>, effects: &[Effect]) {
        for Edited { cell: (list, row, column), author } in
            self.windows.values_mut().filter_map(|reads| reads.edited.as_mut())
        {
            if *list == watchlist && sets_cell(effects, *row, column) {
                *author = Some(by.clone());
            }
        }
        self.cells_of(watchlist).for_each(|cell| cell.is_stale |= sets_cell(effects, cell.row, &cell.column));
        self.logs_of(watchlist).for_each(|log| log.is_stale = true);
    }

    /// Drops everything that a closed window reads.
    pub(super) fn forget_window(&mut self, window: WindowId) {
        self.windows.remove(&window);
    }

    fn cells(&mut self) -> impl Iterator<Item = &mut CellHistory> {
        self.windows.values_mut().filter_map(|reads| reads.cell.as_mut())
    }

    fn logs(&mut self) -> impl Iterator<Item = &mut Log> {
        self.windows.values_mut().filter_map(|reads| reads.log.as_mut())
    }

    fn cells_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut CellHistory> {
        self.cells().filter(move |cell| cell.watchlist == watchlist)
    }

    fn logs_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut Log> {
        self.logs().filter(move |log| log.query.watchlist == watchlist)
    }

    fn log_waiting_for(&mut self, request: RequestId) -> Option<&mut Log> {
        self.logs().find(|log| log.request == RequestState::Waiting(request))
    }

    fn cell_waiting_for(&mut self, request: RequestId) -> Option<&mut CellHistory> {
        self.cells().find(|cell| cell.request == RequestState::Waiting(request))
    }
}

/// Requests the newest page of a history, or the next older one, unless a page is requested already.
fn request_page(replica: &mut Replica, log: &mut Log, older: bool) {
    if !matches!(log.request, RequestState::Waiting(_)) {
        log.request =
            replica.history(log.next_request(older)).map_or(RequestState::Offline, RequestState::Waiting);
    }
}

/// Returns whether one of a commit's effects sets the cell.
fn sets_cell(effects: &[Effect], row: RowId, column: &ColumnKey) -> bool {
    effects.iter().any(
        |effect| matches!(effect, Effect::Cell { row: set, column: of, .. } if *set == row && of == column),
    )
}
