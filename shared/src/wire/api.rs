//! The bodies of the HTTP API, as its server and its clients use them.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::snapshot::SnapshotRow;
use crate::{
    column::Column,
    edit::{Change, Commit},
    ids::{ClientId, EditId, Epoch, Revision, WatchlistId},
    rejection::Rejection,
};

/// Creates a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create {
    /// The name.
    pub name: Arc<str>,
    /// The columns; the standard columns if they are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
}

/// Answers [`Create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Id of the new watchlist.
    pub watchlist: WatchlistId,
}

/// Edits a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit<'a> {
    /// The client, which numbers its edits.
    pub client: ClientId,
    /// The edit's number.
    pub edit: EditId,
    /// The changes, applied in order, all or nothing.
    pub changes: Cow<'a, [Change]>,
}

/// Answers an [`Edit`] that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The revision that the edit became.
    pub revision: Revision,
}

/// A whole watchlist, derived columns included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// The watchlist's id.
    pub watchlist: WatchlistId,
    /// The name.
    pub name: Arc<str>,
    /// The columns in order, removed ones included.
    pub columns: Vec<Column>,
    /// The history that the revision belongs to.
    pub epoch: Epoch,
    /// The revision that the rows are at.
    pub revision: Revision,
    /// The rows in order.
    pub rows: Vec<SnapshotRow>,
}

/// A list of watchlists, deleted or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// A summary of each.
    pub list: Vec<T>,
}

/// Commits of a watchlist, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The commits.
    pub commits: Vec<Commit>,
    /// If there may be more: the revision to request them before. A page may have fewer commits than
    /// requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Revision>,
}

/// Answers calls of `/healthz` and `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always "ok": other states are a [`Problem`].
    pub status: Cow<'static, str>,
    /// Id of this run of the server.
    pub instance: Uuid,
    /// The server's version.
    pub version: Cow<'static, str>,
    /// HMAC-SHA-256 of the nonce of the call under the local token, in hexadecimal, if the call has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// An error (RFC 9457), with the code of the protocol if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Name of the status.
    pub title: Cow<'static, str>,
    /// What is wrong, for a person.
    pub detail: String,
    /// The rejection that caused it, with its code.
    #[serde(flatten)]
    pub rejection: Option<Rejection>,
}
