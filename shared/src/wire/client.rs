//! What clients send.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{At, CellRef};
use crate::{
    column::{Column, ColumnKey},
    edit::Change,
    ids::{ClientId, EditId, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
};

/// A message from a client, written with its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
#[expect(missing_docs, reason = "each names the struct that says it")]
pub enum ClientMessage {
    Hello(Hello),
    Open(Open),
    Close(Close),
    Edit(Edit),
    Presence(Presence),
    Create(Create),
    Delete(WatchlistRequest),
    Restore(WatchlistRequest),
    History(History),
}

/// First on every connection, within five seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Who sends the edits.
    pub client: ClientId,
    /// The program and its version, for the server's log.
    #[serde(default)]
    pub app: Arc<str>,
}

/// Asks for a watchlist, whole or from where this client stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Which.
    pub watchlist: WatchlistId,
    /// Where this client stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

/// No more of a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Which.
    pub watchlist: WatchlistId,
}

/// An edit to be judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Its number within the client.
    pub edit: EditId,
    /// What it changes, in order, all or nothing.
    pub changes: Vec<Change>,
}

/// Where one of the client's windows is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// In which watchlist.
    pub watchlist: WatchlistId,
    /// Which window.
    pub window: WindowId,
    /// At which cell, if at any.
    #[serde(default)]
    pub cell: Option<CellRef>,
    /// Whether the cell's editor is open.
    #[serde(default)]
    pub editing: bool,
}

/// Makes a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// Pairs the answer with it.
    pub request: RequestId,
    /// Its id, chosen here so that a repeat is harmless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchlist: Option<WatchlistId>,
    /// What it is called.
    pub name: Arc<str>,
    /// Its columns; absent means the standard ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
}

/// Deletes or restores a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchlistRequest {
    /// Pairs the answer with it.
    pub request: RequestId,
    /// Which.
    pub watchlist: WatchlistId,
}

/// Asks for commits, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Pairs the answer with it.
    pub request: RequestId,
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Only those that changed this row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowId>,
    /// Only those that changed this column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnKey>,
    /// Only those before this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Revision>,
    /// At most so many: 50 where absent, never more than 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only those of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}
