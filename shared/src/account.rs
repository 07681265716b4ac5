//! Accounts: who makes an edit, and what they may do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The name that others see.
    pub name: Arc<str>,
    /// The account's permissions.
    pub role: Role,
}

/// The permissions of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// May view watchlists.
    Viewer,
    /// May view and edit watchlists.
    Editor,
    /// May view, edit and manage watchlists.
    Admin,
}
