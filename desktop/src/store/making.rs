//! Watchlists that are made here: asked of the server, shown in the window that asked, filled with what was imported.

use std::collections::HashMap;

use shared::{
    edit::Change,
    ids::{RequestId, WatchlistId, WindowId},
};

/// The edits that fill a new watchlist, and the window that makes them.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) window: WindowId,
    pub(super) edits: Vec<Vec<Change>>,
}

/// What is on its way to being shown and filled.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// Asked for, and not yet answered.
    asked: HashMap<RequestId, Fill>,
    /// Made, and still to be shown.
    made: Vec<(WindowId, WatchlistId)>,
    /// Made, and still to be loaded: then they are filled.
    empty: HashMap<WatchlistId, Fill>,
}

impl Making {
    pub(super) fn asked(&mut self, request: RequestId, fill: Fill) {
        self.asked.insert(request, fill);
    }

    pub(super) fn failed(&mut self, request: RequestId) {
        self.asked.remove(&request);
    }

    pub(super) fn made(&mut self, request: RequestId, watchlist: WatchlistId) {
        let Some(fill) = self.asked.remove(&request) else { return };
        self.made.push((fill.window, watchlist));
        if !fill.edits.is_empty() {
            self.empty.insert(watchlist, fill);
        }
    }

    /// What a watchlist that is loaded now is filled with.
    pub(super) fn take_fill(&mut self, watchlist: WatchlistId) -> Option<Fill> {
        self.empty.remove(&watchlist)
    }

    pub(super) fn take_made(&mut self) -> Vec<(WindowId, WatchlistId)> {
        std::mem::take(&mut self.made)
    }

    pub(super) fn put_back(&mut self, window: WindowId, watchlist: WatchlistId) {
        self.made.push((window, watchlist));
    }
}
