//! Watchlists that are being created here: requested from the server, filled with imported rows, and shown in
//! the window that requested them.

use std::collections::HashMap;

use shared::{
    edit::Change,
    ids::{RequestId, WatchlistId, WindowId},
};

/// The edits that fill a new watchlist, and the window that requested it.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) window: WindowId,
    pub(super) edits: Vec<Vec<Change>>,
}

/// The watchlists that are being created.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// Requested, but not yet answered.
    requested: HashMap<RequestId, Fill>,
    /// Created, but not yet shown.
    created: Vec<(WindowId, WatchlistId)>,
    /// Created, but not yet loaded and filled.
    empty: HashMap<WatchlistId, Fill>,
}

impl Making {
    pub(super) fn requested(&mut self, request: RequestId, fill: Fill) {
        self.requested.insert(request, fill);
    }

    pub(super) fn failed(&mut self, request: RequestId) {
        self.requested.remove(&request);
    }

    pub(super) fn created(&mut self, request: RequestId, watchlist: WatchlistId) {
        let Some(fill) = self.requested.remove(&request) else { return };
        self.created.push((fill.window, watchlist));
        if !fill.edits.is_empty() {
            self.empty.insert(watchlist, fill);
        }
    }

    /// Takes the edits that fill a watchlist, once it is loaded.
    pub(super) fn take_fill(&mut self, watchlist: WatchlistId) -> Option<Fill> {
        self.empty.remove(&watchlist)
    }

    pub(super) fn take_created(&mut self) -> Vec<(WindowId, WatchlistId)> {
        std::mem::take(&mut self.created)
    }

    pub(super) fn return_created(&mut self, window: WindowId, watchlist: WatchlistId) {
        self.created.push((window, watchlist));
    }
}
