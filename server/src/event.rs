//! What happens to a watchlist, as plain data: its room publishes events on the bus, and its channel receives
//! them in order.

use std::sync::Arc;

use shared::{edit::Commit, ids::At, watchlist::Columns};

use crate::unavailable::Unavailable;

/// Something that happens to a watchlist.
#[derive(Clone, Debug)]
pub enum Event {
    /// The watchlist is served, or has new commits. The first event has no commits.
    Published(Published),
    /// The watchlist cannot be served. No other event follows.
    Unavailable(Unavailable),
    /// The watchlist is deleted. No other event follows.
    Deleted,
}

/// Durable commits, and what the channel needs to know of the state after them.
#[derive(Clone, Debug)]
pub struct Published {
    /// The commits, in order and without gaps to those of the event before.
    pub commits: Arc<[Arc<Commit>]>,
    /// The revision after the commits.
    pub at: At,
    /// The columns after the commits.
    pub columns: Columns,
    /// Approximate size of a snapshot of the watchlist, in bytes.
    pub approximate_bytes: usize,
}
