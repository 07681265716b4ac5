//! The histories that windows show: the last changes of a cell, or the history of a watchlist. They are
//! requested from the server and refreshed when they are stale.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    column::ColumnKey,
    edit::Commit,
    ids::{RequestId, RowId, WatchlistId, WindowId},
    replica::{Effect, Replica},
    wire::client,
};

use super::{
    history::{CellHistory, RequestState, changes_of},
    log::{Log, LogQuery},
};

/// Maximum number of changes shown for a cell.
const CELL_CHANGES: usize = 5;
/// Number of commits requested for them; the additional one has the value before the oldest change.
const CELL_COMMITS: u32 = 6;
/// Minimum interval between two requests for newer changes of a watchlist.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// The histories of each window.
#[derive(Debug, Default)]
pub(super) struct Reading {
    cells: BTreeMap<WindowId, CellHistory>,
    logs: BTreeMap<WindowId, Log>,
}

impl Reading {
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
        match self.cells.get_mut(&window) {
            Some(held) if held.watchlist == watchlist && held.is_for(row, &column) => {
                (held.is_stale, held.request) = (false, request);
            }
            _ => {
                let (changes, is_stale) = (Vec::new(), false);
                let history = CellHistory { watchlist, row, column, changes, request, is_stale };
                self.cells.insert(window, history);
            }
        }
    }

    /// Returns the last changes of the cell that a window has requested in a watchlist.
    pub(super) fn cell(&self, window: WindowId, watchlist: WatchlistId) -> Option<&CellHistory> {
        self.cells.get(&window).filter(|history| history.watchlist == watchlist)
    }

    /// Returns the history that a window shows.
    pub(super) fn log(&self, window: WindowId) -> Option<&Log> {
        self.logs.get(&window)
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
        let Some(query) = query else {
            self.logs.remove(&window);
            return None;
        };
        let is_other = self.logs.get(&window).is_none_or(|log| log.query != query);
        if is_other {
            let next = match self.logs.remove(&window) {
                Some(log) => log.with_query(query),
                None => Log::new(query),
            };
            self.logs.insert(window, next);
        }
        let is_up = replica.user().is_some();
        let log = self.logs.get_mut(&window).expect("it was just there");
        let is_wanted = match log.request {
            RequestState::Offline => true,
            // A refresh would drop the older pages that the person is reading.
            RequestState::Answered => log.is_stale && !is_paused && !log.shows_older(),
            RequestState::Waiting(_) => false,
        };
        let due = log.requested_at + LOG_INTERVAL;
        if is_up && (is_other || is_wanted && now >= due) {
            log.requested_at = now;
            self.request_log(replica, window, false);
            return None;
        }
        (is_up && is_wanted).then(|| due.saturating_sub(now))
    }

    /// Requests the newest page of a window's history, or the next older one.
    pub(super) fn request_log(&mut self, replica: &mut Replica, window: WindowId, older: bool) {
        if let Some(log) =
            self.logs.get_mut(&window).filter(|log| !matches!(log.request, RequestState::Waiting(_)))
        {
            log.request =
                replica.history(log.next_request(older)).map_or(RequestState::Offline, RequestState::Waiting);
        }
    }

    pub(super) fn answered(&mut self, request: RequestId, commits: &[Commit]) {
        if let Some(log) = self.log_waiting_for(request) {
            log.add_page(commits);
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
        self.cells.values_mut().for_each(|cell| cell.is_stale = true);
    }

    /// Handles a watchlist that was replaced by a snapshot, maybe of another history.
    pub(super) fn loaded(&mut self, watchlist: WatchlistId) {
        self.cells_of(watchlist).for_each(|cell| cell.is_stale = true);
        self.logs_of(watchlist).for_each(Log::reset);
    }

    /// Handles a commit.
    pub(super) fn committed(&mut self, watchlist: WatchlistId, effects: &[Effect]) {
        self.cells_of(watchlist).for_each(|cell| cell.is_stale |= sets_cell(effects, cell.row, &cell.column));
        self.logs_of(watchlist).for_each(|log| log.is_stale = true);
    }

    pub(super) fn forget_window(&mut self, window: WindowId) {
        self.cells.remove(&window);
        self.logs.remove(&window);
    }

    fn cells_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut CellHistory> {
        self.cells.values_mut().filter(move |cell| cell.watchlist == watchlist)
    }

    fn logs_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut Log> {
        self.logs.values_mut().filter(move |log| log.query.watchlist == watchlist)
    }

    fn log_waiting_for(&mut self, request: RequestId) -> Option<&mut Log> {
        self.logs.values_mut().find(|log| log.request == RequestState::Waiting(request))
    }

    fn cell_waiting_for(&mut self, request: RequestId) -> Option<&mut CellHistory> {
        self.cells.values_mut().find(|cell| cell.request == RequestState::Waiting(request))
    }
}

/// Returns whether one of a commit's effects sets the cell.
pub(super) fn sets_cell(effects: &[Effect], row: RowId, column: &ColumnKey) -> bool {
    effects.iter().any(
        |effect| matches!(effect, Effect::Cell { row: set, column: of, .. } if *set == row && of == column),
    )
}
