//! The events that a replica emits.

use std::sync::Arc;

use crate::{
    column::ColumnKey,
    edit::{Author, Change, Commit},
    ids::{EditId, RequestId, Revision, RowId, WatchlistId, WindowId},
    rejection::Rejection,
    time::Timestamp,
    value::Value,
    wire::server::{ClosedReason, DeletedSummary, ErrorCode},
};

/// A change that may affect what a person sees.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are named as in the protocol")]
pub enum Event {
    /// The server has accepted the connection.
    Welcomed,
    /// The list of watchlists changed.
    Watchlists,
    /// A watchlist was loaded from a snapshot, so nothing in it glows. `is_other_history` is set if its epoch
    /// is not the one that was shown, as after a backup was restored.
    Loaded { watchlist: WatchlistId, is_other_history: bool },
    /// A watchlist continues from the revision that the client has.
    Resumed { watchlist: WatchlistId },
    /// An edit of this client is shown and waits for its answer.
    Pending { watchlist: WatchlistId },
    /// A commit was applied. If it is this client's, `window` is the window in which the edit was made.
    Committed {
        watchlist: WatchlistId,
        revision: Revision,
        by: Author,
        at: Timestamp,
        window: Option<WindowId>,
        effects: Vec<Effect>,
    },
    /// An edit of this client was answered. `changes` are the edit's.
    EditAnswered {
        watchlist: WatchlistId,
        edit: EditId,
        window: WindowId,
        outcome: Outcome,
        changes: Vec<Change>,
    },
    /// The server cannot store edits; they are kept and retried.
    Unavailable { watchlist: WatchlistId },
    /// The server has other edits with this client's numbers. The caller continues with a new id, with
    /// `Replica::renew`, and informs the person.
    NumbersReused,
    /// The people in a watchlist changed.
    People { watchlist: WatchlistId },
    /// A watchlist no longer exists, or may no longer be seen.
    Closed { watchlist: WatchlistId, reason: ClosedReason },
    /// This client's role on a watchlist changed.
    Access { watchlist: WatchlistId },
    /// A watchlist was created as requested.
    Created { request: RequestId, watchlist: WatchlistId },
    /// A watchlist was deleted as requested.
    Deleted { request: RequestId, watchlist: WatchlistId },
    /// A watchlist was restored as requested.
    Restored { request: RequestId, watchlist: WatchlistId },
    /// The requested commits, newest first.
    History { request: RequestId, commits: Vec<Commit>, next: Option<Revision> },
    /// The requested deleted watchlists.
    DeletedLists { request: RequestId, list: Vec<DeletedSummary> },
    /// A request for commits failed.
    HistoryFailed { request: RequestId },
    /// A request to create, delete, restore or list deleted watchlists failed.
    RequestFailed { request: RequestId, code: ErrorCode, message: Arc<str>, watchlist: Option<WatchlistId> },
    /// The server reported an error, of one watchlist or in general.
    ServerError { code: ErrorCode, message: Arc<str>, watchlist: Option<WatchlistId> },
}

/// The effect of one change of a commit on the confirmed state.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields explain themselves")]
pub enum Effect {
    /// A cell was set, possibly to the value that it had.
    Cell { row: RowId, column: ColumnKey, before: Value, after: Value },
    /// A row was inserted.
    Inserted { row: RowId },
    /// A row was removed. `index` is its index before, and `name` the row's first text.
    Removed { row: RowId, index: usize, name: Option<Arc<str>> },
    /// A row was moved.
    Moved { row: RowId },
    /// The columns or the name changed.
    Structure,
}

/// The server's answer to an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The edit was accepted as the commit with this revision.
    Accepted(Revision),
    /// The edit was rejected.
    Rejected(Rejection),
}
