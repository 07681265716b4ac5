//! Reads what a channel sends to connections that are not up to date: commits older than those in memory, and
//! snapshots.
//!
//! These functions run in tasks of their own: the channel waits neither for the journal nor for the room,
//! which itself may wait for the channel.

use std::sync::Arc;

use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    wire::{server::ServerMessage, snapshot::Snapshot},
};
use tokio::task::JoinHandle;
use tracing::error;

use super::{
    log::{CUT_BYTES, conflated_bytes},
    outbox::SnapshotFrames,
    snapshots::Form,
    source::Source,
};
use crate::{dialect::frame::Frame, unavailable::Unavailable};

/// Size of a part of a snapshot as it is sent, in bytes.
const PART_BYTES: usize = 16 * 1024;
/// Maximum number of rows of a snapshot that is encoded without a thread, if they fit into one part.
const SMALL_ROWS: usize = 20;

/// Commits to read for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    /// The revision that the connection has.
    pub(super) from: Revision,
    /// The last published revision.
    pub(super) to: Revision,
    /// Size of a snapshot, if the commits are to be measured: it is sent instead of commits that are larger
    /// once conflated.
    pub(super) whole: Option<usize>,
}

impl Missed {
    /// Reads the commits if they are to be measured, otherwise the first of them, as many as one message
    /// holds. Returns `None` if they are not all there, because some are pruned, or if they are larger than a
    /// snapshot.
    pub(super) async fn read(self, source: &dyn Source) -> Result<Option<Vec<Commit>>, Unavailable> {
        let limit = self.whole.map_or(CUT_BYTES, |whole| whole.max(CUT_BYTES));
        let mut commits = source.commits_after(self.from, limit).await?;
        // The journal may be ahead of what is published.
        commits.retain(|commit| commit.revision <= self.to);
        // A client must not skip commits.
        let Some(last) = commits.last().filter(|_| commits[0].revision == self.from.next()) else {
            return Ok(None);
        };
        if let Some(whole) = self.whole
            && (last.revision < self.to || conflated_bytes(&commits) > whole)
        {
            return Ok(None);
        }
        Ok(Some(commits))
    }
}

/// Reads the state and encodes it, on a thread where that blocks no other task unless it is small.
pub(super) async fn encode_snapshot(
    source: &dyn Source,
    watchlist: WatchlistId,
    Form { dialect, role }: Form,
) -> Result<Arc<SnapshotFrames>, Unavailable> {
    let (frozen, at) = source.state().await?;
    let bytes = || frozen.rows().map(|row| row.approximate_bytes()).sum::<usize>();
    let is_small = frozen.len() <= SMALL_ROWS && bytes() <= PART_BYTES;
    let encode = move || {
        let parts = Snapshot::parts(&frozen, watchlist, at, PART_BYTES);
        let parts = parts.map(|part| ServerMessage::Snapshot(Snapshot { role: Some(role), ..part }));
        let frames: Vec<Frame> = parts.map(|part| dialect.encode(&part)).collect();
        Ok(Arc::new(SnapshotFrames::new(at.revision, frames)))
    };
    if is_small {
        return encode();
    }
    result_of(watchlist, tokio::task::spawn_blocking(encode)).await
}

/// Waits for a task. If it panics, the result is an error, so that the channel does not wait for it forever.
pub(super) async fn result_of<T>(
    watchlist: WatchlistId,
    task: JoinHandle<Result<T, Unavailable>>,
) -> Result<T, Unavailable> {
    task.await.unwrap_or_else(|panic| {
        error!(%watchlist, error = &panic as &dyn std::error::Error, "failed to read for a channel");
        Err(Unavailable::NotServed)
    })
}
