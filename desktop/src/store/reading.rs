//! What the windows read of the past: the last changes of a cell, or the history of a watchlist. Asked of the server,
//! kept until the answer comes, and asked again when it is old.

use std::{collections::BTreeMap, time::Duration};

use shared::{
    column::ColumnKey,
    edit::Commit,
    ids::{RequestId, RowId, WatchlistId, WindowId},
    replica::{Effect, Replica},
    wire::client,
};

use super::{
    history::{Asked, CellHistory, changes_of},
    log::{Log, LogQuery},
    sets_cell,
};

/// Changes of a cell that are kept.
const CELL_CHANGES: usize = 5;
/// Commits that are asked for to know them: the one before tells what the first of them was made of.
const CELL_COMMITS: u32 = 6;
/// How often a window that reads the changes of a watchlist asks for what has come since.
const LOG_INTERVAL: Duration = Duration::from_secs(2);

/// What each window reads.
#[derive(Debug, Default)]
pub(super) struct Reading {
    cells: BTreeMap<WindowId, CellHistory>,
    logs: BTreeMap<WindowId, Log>,
}

impl Reading {
    /// Asks for the last changes of the cell that a window looks at.
    pub(super) fn ask_cell(
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
        let asked = replica.history(ask).map_or(Asked::Offline, Asked::Waiting);
        // What was known of the cell is shown until the answer comes.
        match self.cells.get_mut(&window) {
            Some(held) if held.watchlist == watchlist && held.is_of(row, &column) => {
                (held.is_old, held.asked) = (false, asked);
            }
            _ => {
                let (changes, is_old) = (Vec::new(), false);
                let history = CellHistory { watchlist, row, column, changes, asked, is_old };
                self.cells.insert(window, history);
            }
        }
    }

    /// The last changes of the cell that a window looks at in a watchlist.
    pub(super) fn cell(&self, window: WindowId, watchlist: WatchlistId) -> Option<&CellHistory> {
        self.cells.get(&window).filter(|history| history.watchlist == watchlist)
    }

    /// The changes that a window reads.
    pub(super) fn log(&self, window: WindowId) -> Option<&Log> {
        self.logs.get(&window)
    }

    /// A window reads these changes from here on, or none; `is_held` while they are to stay as they are.
    pub(super) fn want_log(
        &mut self,
        replica: &mut Replica,
        window: WindowId,
        query: Option<LogQuery>,
        is_held: bool,
        now: Duration,
    ) -> Option<Duration> {
        let Some(query) = query else {
            self.logs.remove(&window);
            return None;
        };
        let is_other = self.logs.get(&window).is_none_or(|log| log.query != query);
        if is_other {
            let next = match self.logs.remove(&window) {
                Some(log) => log.turn(query),
                None => Log::new(query),
            };
            self.logs.insert(window, next);
        }
        let is_up = replica.user().is_some();
        let log = self.logs.get_mut(&window).expect("it was just there");
        let is_wanted = match log.asked {
            Asked::Offline => true,
            // Whoever reads what is older is not taken away from it.
            Asked::Answered => log.is_old && !is_held && !log.is_older(),
            Asked::Waiting(_) => false,
        };
        let due = log.asked_at + LOG_INTERVAL;
        if is_up && (is_other || is_wanted && now >= due) {
            log.asked_at = now;
            self.ask_log(replica, window, false);
            return None;
        }
        (is_up && is_wanted).then(|| due.saturating_sub(now))
    }

    /// Asks for the newest changes for a window, or for those before the ones that it has.
    pub(super) fn ask_log(&mut self, replica: &mut Replica, window: WindowId, older: bool) {
        if let Some(log) = self.logs.get_mut(&window).filter(|log| !matches!(log.asked, Asked::Waiting(_))) {
            log.asked = replica.history(log.ask(older)).map_or(Asked::Offline, Asked::Waiting);
        }
    }

    pub(super) fn answered(&mut self, request: RequestId, commits: &[Commit]) {
        if let Some(log) = self.log_that_waits(request) {
            log.take(commits);
        }
        if let Some(cell) = self.cell_that_waits(request) {
            cell.changes = changes_of(cell.row, &cell.column, commits, CELL_CHANGES);
            cell.asked = Asked::Answered;
        }
    }

    /// A question was not answered: who still waits says so, and it is asked again.
    pub(super) fn failed(&mut self, request: RequestId) {
        if let Some(log) = self.log_that_waits(request) {
            log.asked = Asked::Offline;
        }
        if let Some(cell) = self.cell_that_waits(request) {
            (cell.asked, cell.is_old) = (Asked::Offline, true);
        }
    }

    /// There is a connection again: what was missed is not known.
    pub(super) fn connected(&mut self) {
        self.cells.values_mut().for_each(|cell| cell.is_old = true);
    }

    /// A watchlist was replaced whole; it may be another history altogether.
    pub(super) fn loaded(&mut self, watchlist: WatchlistId) {
        self.cells_of(watchlist).for_each(|cell| cell.is_old = true);
        self.logs_of(watchlist).for_each(Log::begin_anew);
    }

    /// A commit came.
    pub(super) fn committed(&mut self, watchlist: WatchlistId, effects: &[Effect]) {
        self.cells_of(watchlist).for_each(|cell| cell.is_old |= sets_cell(effects, cell.row, &cell.column));
        self.logs_of(watchlist).for_each(|log| log.is_old = true);
    }

    pub(super) fn forget(&mut self, window: WindowId) {
        self.cells.remove(&window);
        self.logs.remove(&window);
    }

    fn cells_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut CellHistory> {
        self.cells.values_mut().filter(move |cell| cell.watchlist == watchlist)
    }

    fn logs_of(&mut self, watchlist: WatchlistId) -> impl Iterator<Item = &mut Log> {
        self.logs.values_mut().filter(move |log| log.query.watchlist == watchlist)
    }

    fn log_that_waits(&mut self, request: RequestId) -> Option<&mut Log> {
        self.logs.values_mut().find(|log| log.asked == Asked::Waiting(request))
    }

    fn cell_that_waits(&mut self, request: RequestId) -> Option<&mut CellHistory> {
        self.cells.values_mut().find(|cell| cell.asked == Asked::Waiting(request))
    }
}
