//! The messages that the server sends.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::{
    account::{ListRole, Role, User},
    edit::{CellRef, Commit},
    ids::{ClientId, EditId, Epoch, RequestId, Revision, UserId, WatchlistId, WindowId},
    rejection::Rejection,
    time::Timestamp,
};

/// A message from the server, tagged with its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum ServerMessage {
    Welcome(Welcome),
    Watchlists(Watchlists),
    Created(Created),
    Deleted(Done),
    Restored(Done),
    DeletedLists(DeletedLists),
    History(History),
    Closed(Closed),
    Access(Access),
    Snapshot(Snapshot),
    Resumed(Resumed),
    Changes(Changes),
    Accepted(Accepted),
    Rejected(Rejected),
    Presence(Presence),
    Error(Error),
}

/// The response to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol.
    pub protocol: u32,
    /// The version of the server.
    pub server: Arc<str>,
    /// The account that the connection belongs to.
    pub user: WelcomeUser,
    /// The server's current time.
    pub now: Timestamp,
}

/// The account of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeUser {
    /// The account's id.
    pub id: UserId,
    /// The name that others see.
    pub name: Arc<str>,
    /// The account's permissions on the server.
    pub role: WelcomeRole,
}

/// The permissions of an account on a server, as [`Welcome`] names them. What it may do with a watchlist
/// depends on its role there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum WelcomeRole {
    Viewer,
    Editor,
    Admin,
}

impl From<User> for WelcomeUser {
    fn from(User { id, name, role }: User) -> Self {
        let role = match role {
            Role::User => WelcomeRole::Editor,
            Role::Admin => WelcomeRole::Admin,
        };
        Self { id, name, role }
    }
}

impl From<WelcomeUser> for User {
    fn from(WelcomeUser { id, name, role }: WelcomeUser) -> Self {
        let role = match role {
            WelcomeRole::Viewer | WelcomeRole::Editor => Role::User,
            WelcomeRole::Admin => Role::Admin,
        };
        Self { id, name, role }
    }
}

/// All watchlists, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchlists {
    /// One entry for each watchlist.
    pub list: Vec<Summary>,
}

/// An entry of [`Watchlists`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The watchlist's id.
    pub watchlist: WatchlistId,
    /// The watchlist's name.
    pub name: Arc<str>,
    /// The watchlist's revision when the message was sent.
    pub revision: Revision,
    /// Number of rows when the message was sent.
    pub rows: usize,
    /// The caller's role on the watchlist; left out by servers without accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ListRole>,
}

/// A watchlist was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The request that this answers.
    pub request: RequestId,
    /// The new watchlist's id.
    pub watchlist: WatchlistId,
}

/// A watchlist was deleted or restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The request that this answers.
    pub request: RequestId,
}

/// The deleted watchlists that the caller may restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedLists {
    /// The request that this answers.
    pub request: RequestId,
    /// The deleted watchlists, last deleted first.
    pub list: Vec<DeletedSummary>,
}

/// A deleted watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedSummary {
    /// The watchlist's id.
    pub watchlist: WatchlistId,
    /// The watchlist's name when it was deleted.
    pub name: Arc<str>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Name of the account that deleted it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
    /// Number of rows.
    pub rows: usize,
}

/// Commits, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The request that this answers.
    pub request: RequestId,
    /// The commits.
    pub commits: Vec<Commit>,
    /// If there may be more: the revision to request them before. A page may have fewer commits than
    /// requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Revision>,
}

/// The server closed a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The watchlist that was closed.
    pub watchlist: WatchlistId,
    /// Why the server closed it.
    pub reason: ClosedReason,
}

/// Why the server closed a watchlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClosedReason {
    /// The watchlist was deleted.
    Deleted,
    /// The caller may no longer see the watchlist.
    Forbidden,
}

/// The caller's role on a watchlist has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// The new role.
    pub role: ListRole,
}

/// Sent instead of a snapshot: the changes since the client's revision follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The watchlist that was opened.
    pub watchlist: WatchlistId,
    /// The watchlist's epoch.
    pub epoch: Epoch,
    /// The watchlist's current revision.
    pub revision: Revision,
    /// The caller's role on the watchlist; left out by servers without accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ListRole>,
}

/// The commits of a range of revisions, possibly conflated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The watchlist that changed.
    pub watchlist: WatchlistId,
    /// The revision before the first of the range.
    pub from: Revision,
    /// The last revision of the range.
    pub to: Revision,
    /// Whether changes were left out.
    pub conflated: bool,
    /// The commits in order.
    pub commits: Vec<Commit>,
}

/// An edit was accepted and is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The watchlist that the edit belongs to.
    pub watchlist: WatchlistId,
    /// The edit's number within the client.
    pub edit: EditId,
    /// The revision of the commit that the edit became.
    pub revision: Revision,
}

/// An edit was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The watchlist that the edit belongs to.
    pub watchlist: WatchlistId,
    /// The edit's number within the client.
    pub edit: EditId,
    /// Why it was rejected.
    #[serde(flatten)]
    pub rejection: Rejection,
}

/// The windows that have a watchlist open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// Whether `people` are all windows. Otherwise they are those that are new, and those whose cursor has
    /// moved.
    #[serde(default = "yes")]
    pub whole: bool,
    /// One entry for each window.
    pub people: Vec<Person>,
    /// Windows that are no longer there.
    #[serde(default)]
    pub gone: Vec<WindowRef>,
}

/// Messages of servers that do not send differences contain all windows.
fn yes() -> bool {
    true
}

/// Identifies a window of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WindowRef {
    /// The client that the window belongs to.
    pub client: ClientId,
    /// The window.
    pub window: WindowId,
}

/// One window of a person, and its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The client that the window belongs to.
    pub client: ClientId,
    /// The window.
    pub window: WindowId,
    /// Name of the window's account.
    pub name: Arc<str>,
    /// The cell at the cursor, if any.
    pub cell: Option<CellRef>,
    /// Whether the cell's editor is open.
    pub editing: bool,
}

/// An error that is not the rejection of an edit. If [`ErrorCode::close_code`] is set, the connection is
/// closed after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The kind of error.
    pub code: ErrorCode,
    /// The error message.
    pub message: Arc<str>,
    /// The request that failed, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The watchlist that the error concerns, if it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchlist: Option<WatchlistId>,
}

/// The codes of the protocol's `error` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's codes and explain themselves")]
pub enum ErrorCode {
    BadMessage,
    SignedOut,
    Forbidden,
    HelloExpected,
    TooLarge,
    TooFast,
    Restarting,
    UnknownWatchlist,
    InvalidValue,
    TooLong,
    DuplicateColumn,
    UnknownColumn,
    Unavailable,
}

impl ErrorCode {
    /// Returns the WebSocket close code, if the connection is closed after the error.
    pub fn close_code(self) -> Option<u16> {
        match self {
            ErrorCode::BadMessage => Some(4400),
            ErrorCode::SignedOut => Some(4401),
            ErrorCode::HelloExpected => Some(4408),
            ErrorCode::TooLarge => Some(4413),
            ErrorCode::TooFast => Some(4429),
            ErrorCode::Restarting => Some(1012),
            ErrorCode::Forbidden
            | ErrorCode::UnknownWatchlist
            | ErrorCode::InvalidValue
            | ErrorCode::TooLong
            | ErrorCode::DuplicateColumn
            | ErrorCode::UnknownColumn
            | ErrorCode::Unavailable => None,
        }
    }
}
