//! What a [`Replica`](super::Replica) hands back besides messages.

use std::sync::Arc;

use crate::{
    column::ColumnKey,
    edit::{Author, Change, Commit, Rejection},
    ids::{EditId, RequestId, Revision, RowId, WatchlistId, WindowId},
    time::Timestamp,
    value::Value,
    wire::server::ErrorCode,
};

/// Something happened that a person may see.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the protocol's words")]
pub enum Event {
    /// The server knows this client.
    Welcomed,
    /// The list of watchlists is new.
    Watchlists,
    /// A watchlist was replaced whole: nothing of it glows. `is_other_history` where the server has put another one in
    /// the place of what was shown, as after the restore of a backup.
    Loaded { watchlist: WatchlistId, is_other_history: bool },
    /// A watchlist goes on from what was known of it.
    Resumed { watchlist: WatchlistId },
    /// An edit of this client is shown and waits.
    Pending { watchlist: WatchlistId },
    /// A commit was applied. `window` is the one of this client that made it, if this client did.
    Committed {
        watchlist: WatchlistId,
        revision: Revision,
        by: Author,
        at: Timestamp,
        window: Option<WindowId>,
        effects: Vec<Effect>,
    },
    /// An edit of this client was answered. Of a rejected one the changes are handed back.
    Settled { watchlist: WatchlistId, edit: EditId, window: WindowId, outcome: Outcome, changes: Vec<Change> },
    /// The server cannot store edits at present; they wait here.
    Unavailable { watchlist: WatchlistId },
    /// The server holds other edits under this client's numbers: it needs a new id, by [`Replica::renew`], and
    /// the person is to be told.
    ///
    /// [`Replica::renew`]: super::Replica::renew
    NumbersReused,
    /// Who is in a watchlist is new.
    People { watchlist: WatchlistId },
    /// A watchlist is no longer there.
    Closed { watchlist: WatchlistId },
    /// A watchlist was made as asked.
    Created { request: RequestId, watchlist: WatchlistId },
    /// A watchlist was deleted as asked.
    Deleted { request: RequestId, watchlist: WatchlistId },
    /// A watchlist was restored as asked.
    Restored { request: RequestId, watchlist: WatchlistId },
    /// The commits that were asked for, newest first.
    History { request: RequestId, commits: Vec<Commit> },
    /// The commits that were asked for could not be had.
    HistoryFailed { request: RequestId },
    /// A request to make, delete or restore a watchlist was not done.
    RequestFailed { request: RequestId, code: ErrorCode, message: Arc<str>, watchlist: Option<WatchlistId> },
    /// The server says that something is wrong, with a watchlist or altogether.
    ServerError { code: ErrorCode, message: Arc<str>, watchlist: Option<WatchlistId> },
}

/// What one change of a commit did to the confirmed state.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they hold")]
pub enum Effect {
    /// A cell was set, perhaps to what it held.
    Cell { row: RowId, column: ColumnKey, before: Value, after: Value },
    /// A row came.
    Inserted { row: RowId },
    /// A row went; `index` is where it stood.
    Removed { row: RowId, index: usize },
    /// A row has another place.
    Moved { row: RowId },
    /// The columns are others, or the name is.
    Shape,
}

/// How an edit was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the commit with this revision.
    Accepted(Revision),
    /// It was refused.
    Rejected(Rejection),
}
