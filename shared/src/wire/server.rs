//! What the server sends.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::CellRef;
use crate::{
    column::{Column, ColumnKey},
    edit::{Commit, Rejection},
    ids::{ClientId, EditId, Epoch, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
    position::Position,
    time::Timestamp,
    value::Literal,
};

/// A message from the server, written with its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[expect(missing_docs, reason = "each names the struct that says it")]
pub enum ServerMessage {
    Welcome(Welcome),
    Watchlists(Watchlists),
    Created(Created),
    Deleted(Done),
    Restored(Done),
    History(History),
    Closed(Closed),
    Snapshot(Snapshot),
    Resumed(Resumed),
    Changes(Changes),
    Accepted(Accepted),
    Rejected(Rejected),
    Presence(Presence),
    Error(Error),
}

/// The answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol's version.
    pub protocol: u32,
    /// The server's version.
    pub server: Arc<str>,
    /// Who the client is taken for.
    pub user: User,
    /// The server's clock.
    pub now: Timestamp,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// What others see.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look and edit.
    Editor,
    /// Look, edit and manage.
    Admin,
}

/// The watchlists there are, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watchlists {
    /// One line each.
    pub list: Vec<Summary>,
}

/// One line of [`Watchlists`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub watchlist: WatchlistId,
    /// What it is called.
    pub name: Arc<str>,
    /// Its version as of this message.
    pub revision: Revision,
    /// Its rows as of this message.
    pub rows: usize,
}

/// A watchlist was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// By which request.
    pub request: RequestId,
    /// Its id.
    pub watchlist: WatchlistId,
}

/// A watchlist was deleted or restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// By which request.
    pub request: RequestId,
}

/// Commits, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The request that it answers.
    pub request: RequestId,
    /// The commits.
    pub commits: Vec<Commit>,
}

/// The server closed a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Which.
    pub watchlist: WatchlistId,
    /// Why.
    pub reason: ClosedReason,
}

/// Why the server closed a watchlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClosedReason {
    /// Somebody deleted it.
    Deleted,
}

/// One part of a watchlist whole, at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which.
    pub watchlist: WatchlistId,
    /// What it is called.
    pub name: Arc<str>,
    /// Its columns, hidden ones among them.
    pub columns: Vec<Column>,
    /// Its history.
    pub epoch: Epoch,
    /// Its version.
    pub revision: Revision,
    /// Which part, from 1.
    pub part: usize,
    /// Of how many.
    pub parts: usize,
    /// This part's rows, in order.
    pub rows: Vec<SnapshotRow>,
}

/// A row of a snapshot. Empty cells are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// Its id.
    pub row: RowId,
    /// Its place.
    pub position: Position,
    /// What it holds.
    pub cells: BTreeMap<ColumnKey, Literal>,
    /// When cells were last set, for the columns that a `changedAt` reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<ColumnKey, Timestamp>,
}

/// Instead of a snapshot: the changes from the client's place follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Which.
    pub watchlist: WatchlistId,
    /// Its history.
    pub epoch: Epoch,
    /// Its version now.
    pub revision: Revision,
}

/// The commits of a range, perhaps conflated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Where the range begins: the revision before its first.
    pub from: Revision,
    /// Where it ends.
    pub to: Revision,
    /// Whether anything was left out.
    pub conflated: bool,
    /// What is left, in order.
    pub commits: Vec<Commit>,
}

/// An edit is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Which.
    pub edit: EditId,
    /// The commit that it became.
    pub revision: Revision,
}

/// An edit was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Which.
    pub edit: EditId,
    /// Why.
    #[serde(flatten)]
    pub rejection: Rejection,
}

/// Who is in a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Which.
    pub watchlist: WatchlistId,
    /// One entry a window.
    pub people: Vec<Person>,
}

/// One window of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Whose outbox.
    pub client: ClientId,
    /// Which of its windows.
    pub window: WindowId,
    /// What others see.
    pub name: Arc<str>,
    /// At which cell, if at any.
    pub cell: Option<CellRef>,
    /// Whether the cell's editor is open.
    pub editing: bool,
}

/// Something is wrong that no edit is refused for. A close follows where the code says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What kind of wrong.
    pub code: ErrorCode,
    /// What, in words.
    pub message: Arc<str>,
    /// The request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The watchlist that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchlist: Option<WatchlistId>,
}

/// The codes of the protocol's `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's own and say it")]
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
    /// The WebSocket close code that follows, where one does.
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
