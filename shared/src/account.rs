//! Accounts: who makes an edit, and what they may do.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    column::ColumnKey,
    ids::{UserId, WatchlistId},
};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The name that others see.
    pub name: Arc<str>,
    /// The account's permissions on the server.
    pub role: Role,
}

/// The permissions of an account on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May create watchlists, and use those that are shared with the account.
    User,
    /// May use every watchlist, and manage the accounts.
    Admin,
}

/// What an account may do with one watchlist. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListRole {
    /// Reads it.
    Viewer,
    /// Changes its rows and cells.
    Editor,
    /// Changes its columns and name, shares, deletes and restores it.
    Owner,
}

/// What the token of a program is restricted to. The default is no restriction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scope {
    /// The only watchlists, if any are named.
    pub lists: Option<BTreeSet<WatchlistId>>,
    /// Whether only prices may be sent, and nothing read.
    pub ticks_only: bool,
    /// The only columns that may be set, if any are named.
    pub columns: Option<BTreeSet<ColumnKey>>,
}

impl Scope {
    /// Whether the scope restricts nothing.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}
