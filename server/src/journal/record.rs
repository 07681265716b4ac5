//! What a journal holds, as plain data.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    edit::{Commit, RemovedRow},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    rejection::Rejection,
    time::Timestamp,
    value::Literal,
    wire::snapshot::Snapshot,
};

/// Summary of one watchlist, without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Id of the watchlist.
    pub id: WatchlistId,
    /// Current epoch: revisions are comparable within one epoch only.
    pub epoch: Epoch,
    /// Name that people see.
    pub name: Arc<str>,
    /// Newest revision.
    pub revision: Revision,
    /// Number of rows.
    pub rows: usize,
    /// Time of deletion, if the watchlist is deleted.
    pub deleted_at: Option<Timestamp>,
}

/// How an edit was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The edit became the commit with this revision.
    Accepted(Revision),
    /// The edit was rejected. On the heap, because there may be thousands of verdicts and few are rejections.
    Rejected(Box<Rejection>),
}

/// Sender of an edit. Edit ids are unique within one sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender {
    /// Account of the sender.
    pub user: UserId,
    /// Client whose outbox the edit comes from.
    pub client: ClientId,
}

/// The first answer to an edit, with a digest of the edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// Sender of the edit.
    pub sender: Sender,
    /// Number of the edit within its sender.
    pub edit: EditId,
    /// Digest of the edit's changes: tells a repeat from another edit with the same number.
    pub digest: [u8; 16],
    /// The answer.
    pub verdict: Verdict,
}

/// A commit to be written.
#[derive(Clone, Debug)]
pub struct NewCommit {
    /// The commit as subscribers receive it.
    pub commit: Arc<Commit>,
    /// Value that each `set` change replaces, in order; history shows it.
    pub replaced: Vec<Literal>,
    /// What each row that a `remove` change removes was, in order; history shows it.
    pub removed: Vec<RemovedRow>,
}

/// Contents of one atomic write.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Revision of the watchlist before the batch. Nothing is written if the journal has another.
    pub expected: Revision,
    /// New commits, in order of revision.
    pub commits: Vec<NewCommit>,
    /// New answers, rejections included. Those that accept an edit are in the order of the commits.
    pub answers: Vec<AnswerRecord>,
    /// Name of the watchlist after the batch.
    pub name: Arc<str>,
    /// Number of rows after the batch.
    pub rows: usize,
}

/// Stored form of one part of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredPart {
    /// The rows in their wire form.
    pub snapshot: Snapshot,
    /// Last authors of the rows, needed to check guards.
    pub authors: Vec<(RowId, StoredAuthors)>,
}

/// Selects commits, newest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryFilter {
    /// Commits that changed this row.
    pub row: Option<RowId>,
    /// Commits that changed this column.
    pub column: Option<ColumnKey>,
    /// Commits before this revision.
    pub before: Option<Revision>,
    /// Commits by this account.
    pub user: Option<UserId>,
    /// Maximum number of commits.
    pub limit: usize,
}

impl HistoryFilter {
    /// Whether a commit is by the account, and one of its changes concerns the row and the column.
    pub(super) fn matches(&self, commit: &Commit) -> bool {
        self.user.is_none_or(|user| commit.by.user == user)
            && commit.changes.iter().any(|change| change.affects(self.row, self.column.as_ref()))
    }
}

/// Commits that were found in a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// The commits, newest first, with the replaced value of each `set` and the removed row of each `remove`
    /// in `was`.
    pub commits: Vec<Commit>,
    /// Revision to continue before, if there may be more.
    pub next: Option<Revision>,
}

/// Which commits of a watchlist are kept. The commit of its newest complete snapshot and every later one
/// always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Older commits are not kept.
    pub before: Timestamp,
    /// Number of newest commits that are kept.
    pub commits: u64,
    /// Number of stored bytes beyond which the oldest commits are not kept.
    pub bytes: u64,
}

impl Retention {
    /// Keeps everything.
    pub fn all() -> Self {
        Self { before: Timestamp::from_millis(i64::MIN), commits: u64::MAX, bytes: u64::MAX }
    }
}

/// Limits of one read of commits. The first commit is read regardless of its size.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimit {
    /// Maximum number of commits.
    pub commits: usize,
    /// Number of stored bytes after which the read stops.
    pub bytes: usize,
}

impl ReadLimit {
    /// No limit.
    pub const ALL: ReadLimit = ReadLimit { commits: usize::MAX, bytes: usize::MAX };
}

/// Authors of a row, as stored in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAuthors {
    /// The last revision that changed the row.
    pub last: Revision,
    /// Client of that revision.
    pub last_client: ClientId,
    /// The last revision of any other client.
    pub last_of_others: Revision,
    /// Name of the account that inserted the row.
    pub inserted_by: Arc<str>,
    /// Names of the accounts that set single cells since, most recent last.
    pub cells: Vec<(ColumnKey, Arc<str>)>,
}
