//! The messages that clients send.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    column::{Column, ColumnKey},
    edit::{CellRef, Change},
    ids::{At, ClientId, EditId, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
};

/// A message from a client, tagged with its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[expect(missing_docs, reason = "each variant is documented by its struct")]
pub enum ClientMessage {
    Hello(Hello),
    Open(Open),
    Close(Close),
    Edit(Edit),
    Presence(Presence),
    Create(Create),
    Delete(WatchlistRequest),
    Restore(WatchlistRequest),
    DeletedLists(DeletedLists),
    History(History),
}

/// The first message on every connection, sent within five seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The client that the edits belong to.
    pub client: ClientId,
    /// The program and its version, for the server's log.
    #[serde(default)]
    pub app: Arc<str>,
}

/// Opens a watchlist: requests a snapshot, or the changes since a known revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The watchlist to open.
    pub watchlist: WatchlistId,
    /// The last revision that the client has, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

/// Closes a watchlist: its changes are no longer sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The watchlist to close.
    pub watchlist: WatchlistId,
}

/// An edit for the server to validate and apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The watchlist to edit.
    pub watchlist: WatchlistId,
    /// The edit's number within the client.
    pub edit: EditId,
    /// The changes, applied in order, all or nothing.
    pub changes: Vec<Change>,
}

/// The cursor of one of the client's windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The watchlist that the window shows.
    pub watchlist: WatchlistId,
    /// The window.
    pub window: WindowId,
    /// The cell at the cursor, if any.
    #[serde(default)]
    pub cell: Option<CellRef>,
    /// Whether the cell's editor is open.
    #[serde(default)]
    pub editing: bool,
}

/// Creates a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Identifies the request in the response.
    pub request: RequestId,
    /// The new watchlist's id. A client that chooses it can safely repeat the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchlist: Option<WatchlistId>,
    /// The new watchlist's name.
    pub name: Arc<str>,
    /// The new watchlist's columns; the standard ones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
}

/// Deletes or restores a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchlistRequest {
    /// Identifies the request in the response.
    pub request: RequestId,
    /// The watchlist to delete or restore.
    pub watchlist: WatchlistId,
}

/// Requests the deleted watchlists that the caller may restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedLists {
    /// Identifies the request in the response.
    pub request: RequestId,
}

/// Requests commits, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Identifies the request in the response.
    pub request: RequestId,
    /// The watchlist whose commits are requested.
    pub watchlist: WatchlistId,
    /// Only commits that changed this row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowId>,
    /// Only commits that changed this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnKey>,
    /// Only commits before this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Revision>,
    /// Maximum number of commits: 50 if absent, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only commits of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}
