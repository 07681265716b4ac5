//! Watchlists that are being created here: requested from the server, filled with imported rows, and shown in
//! the window that requested them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use shared::{
    edit::Change,
    ids::{RequestId, WatchlistId, WindowId},
};

/// The edits that fill a new watchlist, and the window that requested it.
#[derive(Debug)]
pub(super) struct Fill {
    pub(super) window: WindowId,
    /// The remaining edits, in order.
    pub(super) edits: VecDeque<Vec<Change>>,
    /// Whether the person knows that the edits wait until they can be written to disk.
    pub(super) is_delayed: bool,
}

/// The watchlists that are being created.
#[derive(Debug, Default)]
pub(super) struct Creations {
    /// Requested, but not yet answered.
    requested: HashMap<RequestId, Fill>,
    /// Created, but not yet shown.
    created: Vec<(WindowId, WatchlistId)>,
    /// Created, but not yet loaded and filled.
    empty: BTreeMap<WatchlistId, Fill>,
}

impl Creations {
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

    /// Keeps the rest of the edits for later.
    pub(super) fn delay_fill(&mut self, watchlist: WatchlistId, rest: Fill) {
        self.empty.insert(watchlist, rest);
    }

    /// Returns the watchlists that have remaining edits.
    pub(super) fn delayed(&self) -> Vec<WatchlistId> {
        self.empty.iter().filter(|(_, fill)| fill.is_delayed).map(|(list, _)| *list).collect()
    }

    /// Takes the created watchlists that the window has not shown yet.
    pub(super) fn take_created(&mut self, window: WindowId) -> Vec<WatchlistId> {
        let taken = self.created.extract_if(.., |(of, _)| *of == window);
        taken.map(|(_, watchlist)| watchlist).collect()
    }
}
