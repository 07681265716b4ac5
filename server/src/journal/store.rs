//! The seam between rooms and the store that keeps their commits.

use std::sync::Arc;

use futures_util::{future::BoxFuture, stream::BoxStream};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    time::Timestamp,
};

use super::record::{
    AnswerRecord, Batch, HistoryFilter, HistoryPage, ReadLimit, Record, Retention, Sender, StoredPart,
};
use crate::unavailable::Unavailable;

/// Why a journal call failed. Whether a failed write reached the disk is unknown, unless it was refused.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed: the disk is full, read-only or broken.
    #[error("the journal cannot be read or written")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A batch was refused and not written: the watchlist is not as its writer expects.
    #[error("the batch was refused: {0}")]
    Refused(String),
    /// A record is missing, or is not what was written.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// The file exists but cannot be opened as a journal of this version.
    #[error("{0}")]
    NotOurs(String),
}

impl From<&JournalError> for Unavailable {
    fn from(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged(_) => Unavailable::Damaged,
            JournalError::Store(_) | JournalError::Refused(_) | JournalError::NotOurs(_) => {
                Unavailable::NotServed
            }
        }
    }
}

/// Result of a journal call.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, JournalError>>;

/// The parts of a snapshot, in order, or the error after which no more follow.
pub type Parts<'a> = BoxStream<'a, Result<StoredPart, JournalError>>;

/// Durable storage of watchlists: their commits, answers and snapshots.
pub trait Journal: Send + Sync + 'static {
    /// Returns every watchlist, deleted ones included, oldest first.
    fn watchlists(&self) -> Answer<'_, Vec<Record>>;
    /// Creates a watchlist from its snapshot at revision 0.
    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()>;
    /// Marks a watchlist as deleted at a time, or as restored.
    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()>;
    /// Erases watchlists that were deleted before this time, and returns them. They do not exist any more
    /// once this returns, and their ids are free, even if their records are erased later.
    fn purge(&self, before: Timestamp) -> Answer<'_, Vec<WatchlistId>>;
    /// Returns the parts of the newest complete snapshot, one after the other.
    fn snapshot(&self, id: WatchlistId) -> Parts<'_>;
    /// Returns commits after `after`, oldest first. The result is empty only if no such commit exists.
    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>>;
    /// Returns commits, newest first. One call reads a limited amount; the rest is found by calls with the
    /// returned `next`.
    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, HistoryPage>;
    /// Returns the answers to a sender's edits with the highest numbers, ordered by edit: at least as many as
    /// are kept in memory, if there are as many. They do not depend on the commits that are kept.
    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>>;
    /// Writes a batch atomically, if the watchlist is not deleted and has the revision that the batch
    /// expects. Otherwise another server has written it, and the batch is [refused](JournalError::Refused).
    /// Once this returns, the batch survives a crash and a power failure.
    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()>;
    /// Writes one part of a snapshot. The last part deletes older snapshots.
    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()>;
    /// Deletes the oldest commits that are not kept, in steps between which other calls are served. Commits
    /// are deleted in groups, so some may be kept longer. If this is dropped, the rest stays.
    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()>;
    /// Deletes the answers of every sender whose last answer is older than this number of days, in steps
    /// between which other calls are served. Only days on which this was called count.
    fn expire_answers(&self, now: Timestamp, days: u32) -> Answer<'_, ()>;
    /// Checks that the journal can be read and, if the last write failed, that it can be written again.
    fn ready(&self) -> Answer<'_, ()>;
    /// Closes the journal once pending calls are done.
    fn close(&self) -> BoxFuture<'_, ()>;
}
