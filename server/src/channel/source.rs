//! What a channel needs beside the events of its watchlist.

use futures_util::future::BoxFuture;
use shared::{
    edit::Commit,
    ids::{At, Revision},
    watchlist::Frozen,
};

use crate::unavailable::Unavailable;

/// Durable commits and states of one watchlist.
pub trait Source: Send + Sync + 'static {
    /// Returns the commits after a revision, oldest first, and stops once they have `bytes` bytes. The first
    /// commit is returned regardless of its size. Pruned commits are missing.
    fn commits_after(
        &self,
        revision: Revision,
        bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Commit>, Unavailable>>;

    /// Returns the state. Its revision may be ahead of the events that the channel has received so far.
    fn state(&self) -> BoxFuture<'_, Result<(Frozen, At), Unavailable>>;
}
