//! The journal: what is accepted is in it before anybody is told.

pub mod sqlite;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    edit::{Commit, Rejection},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    time::Timestamp,
    value::Literal,
    wire::server::Snapshot,
};

use crate::room::authorship::StoredAuthors;

/// Why the journal did not do as asked. Nothing of the failed call may be relied on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The store failed: the disk is full, read-only or broken.
    #[error("the journal could not be used")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it holds makes no sense.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// The file is there but is not a journal of ours, or of a newer version.
    #[error("{0}")]
    NotOurs(String),
}

/// What a journal's calls give.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, JournalError>>;

/// One watchlist as the list of watchlists knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: WatchlistId,
    /// Its history.
    pub epoch: Epoch,
    /// What it is called.
    pub name: Arc<str>,
    /// Its version.
    pub revision: Revision,
    /// Its rows.
    pub rows: usize,
    /// When it was deleted, if it was.
    pub deleted_at: Option<Timestamp>,
}

/// How an edit was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It became the commit with this revision.
    Accepted(Revision),
    /// It was refused.
    Rejected(Rejection),
}

/// The name of an edit's sender: edits are numbered within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender {
    /// The account.
    pub user: UserId,
    /// The outbox.
    pub client: ClientId,
}

/// The first answer to an edit, and what the edit was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Whose edit.
    pub sender: Sender,
    /// Which.
    pub edit: EditId,
    /// Of its changes.
    pub digest: [u8; 16],
    /// How it was answered.
    pub verdict: Verdict,
}

/// A commit to be written.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// As everyone is told.
    pub commit: Arc<Commit>,
    /// What each of its `set` changes replaces, in their order: history says it.
    pub replaced: Vec<Literal>,
}

/// What one write makes durable, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// New commits, in order.
    pub commits: Vec<NewCommit>,
    /// New answers.
    pub answers: Vec<AnswerRecord>,
    /// Answers that are too old to be kept: of each sender, those below this number.
    pub forgotten: Vec<(Sender, EditId)>,
    /// The watchlist's name with it.
    pub name: Arc<str>,
    /// The watchlist's rows with it.
    pub rows: usize,
}

/// A snapshot's part as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredPart {
    /// The rows, as they travel.
    pub snapshot: Snapshot,
    /// Who changed the rows, for guards.
    pub authors: Vec<(RowId, StoredAuthors)>,
}

/// Which commits to read, newest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Only those that changed this row.
    pub row: Option<RowId>,
    /// Only those that changed this column.
    pub column: Option<ColumnKey>,
    /// Only those before this revision.
    pub before: Option<Revision>,
    /// Only those of this account.
    pub user: Option<UserId>,
    /// At most so many.
    pub limit: usize,
}

/// How much is read at most, but one commit whatever its size.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// So many commits.
    pub commits: usize,
    /// So many bytes of them as they are stored.
    pub bytes: usize,
}

impl Most {
    /// Everything.
    pub const ALL: Most = Most { commits: usize::MAX, bytes: usize::MAX };
}

/// Keeps watchlists.
pub trait Journal: Send + Sync + 'static {
    /// Every watchlist, deleted ones among them, oldest first.
    fn watchlists(&self) -> Answer<'_, Vec<Record>>;
    /// A new watchlist, whole at revision 0.
    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()>;
    /// Marks a watchlist as deleted, or as not.
    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()>;
    /// Forgets watchlists that were deleted before this time.
    fn purge(&self, before: Timestamp) -> Answer<'_, ()>;
    /// The newest whole snapshot, part by part.
    fn snapshot(&self, id: WatchlistId) -> Answer<'_, Vec<StoredPart>>;
    /// Commits after `after`, oldest first: none only where there are none.
    fn commits(&self, id: WatchlistId, after: Revision, most: Most) -> Answer<'_, Vec<Commit>>;
    /// Commits, newest first; a `set` says in `was` what it replaced.
    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, Vec<Commit>>;
    /// A sender's answers.
    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>>;
    /// Writes a batch; when it is done, it survives the death of everything but the disk.
    fn append(&self, id: WatchlistId, batch: Batch) -> Answer<'_, ()>;
    /// Adds one part of a snapshot; older snapshots go once the last part is there.
    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()>;
    /// Forgets commits that are older than a moment, or than the newest `keep`; but none that the newest whole snapshot
    /// or what came after it needs.
    fn prune(&self, id: WatchlistId, before: Timestamp, keep: u64) -> Answer<'_, ()>;
    /// Whether it can be read, and written where the last write failed.
    fn ready(&self) -> Answer<'_, ()>;
    /// Closes it in good order.
    fn close(&self) -> BoxFuture<'_, ()>;
}
