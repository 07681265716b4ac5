//! The bodies of the calls of the HTTP API about accounts, sessions and access. A field that is not known is
//! refused where leaving it out would give more rights than are meant.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    account::{ListRole, Role, Scope, User},
    column::ColumnKey,
    ids::{UserId, WatchlistId},
    time::Timestamp,
};

/// A password or another secret, which is not shown where a value is printed for debugging.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hidden(..)")
    }
}

/// Signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// The name of the account.
    pub name: String,
    /// Its password.
    pub password: Hidden,
}

/// Answers [`SignIn`]. The secret of the session is in the cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The account.
    pub user: User,
    /// When the session ends if it is used.
    pub expires: Timestamp,
}

/// The caller's account and its sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAccount {
    /// The account.
    pub user: User,
    /// When the session or token of the request ends; null if it does not end.
    pub expires: Option<Timestamp>,
    /// The sessions of the account, oldest first.
    pub sessions: Vec<OwnSession>,
}

/// A session of the caller's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnSession {
    /// Its id, with which it can be ended. It proves nothing.
    pub id: Uuid,
    /// When the person signed in.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// The address that the person signed in from.
    pub address: String,
    /// The program that the person signed in with.
    pub app: String,
    /// Whether it is the session of the request.
    pub current: bool,
}

/// Changes the caller's own password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The old password.
    pub old: Hidden,
    /// The new password.
    pub new: Hidden,
}

/// An account as other people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRef {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: Arc<str>,
}

/// A role on a watchlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Who has it; null is everyone who is signed in.
    pub user: Option<PersonRef>,
    /// The role.
    pub role: ListRole,
}

/// Gives a role on a watchlist, or takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAccess {
    /// The account; null is everyone who is signed in. It cannot be left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub user: Option<UserId>,
    /// The role; null takes it away. It cannot be left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub role: Option<ListRole>,
}

/// Adds an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddAccount {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Hidden,
    /// Whether it is an administrator.
    #[serde(default)]
    pub admin: bool,
}

/// Answers [`AddAccount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedAccount {
    /// Id of the new account.
    pub id: UserId,
}

/// Changes an account. What is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeAccount {
    /// The new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Hidden>,
    /// Whether the account may not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Whether it is an administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<bool>,
}

/// An account as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: Arc<str>,
    /// Its permissions on the server.
    pub role: Role,
    /// Whether it may not be used.
    pub disabled: bool,
    /// When it was added.
    pub created: Timestamp,
}

/// Adds a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddToken {
    /// Its name.
    pub name: String,
    /// The account whose rights it has; left out, the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The only watchlists that it may be used for; left out, all of the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists: Option<BTreeSet<WatchlistId>>,
    /// Whether it may only send prices, and read nothing.
    #[serde(default)]
    pub ticks_only: bool,
    /// The only columns that it may set; left out, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeSet<ColumnKey>>,
    /// When it ends; left out if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl AddToken {
    /// Returns what the token is restricted to.
    pub fn scope(&self) -> Scope {
        Scope { lists: self.lists.clone(), ticks_only: self.ticks_only, columns: self.columns.clone() }
    }
}

/// Answers [`AddToken`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedToken {
    /// Id of the new token.
    pub id: Uuid,
    /// The token, which the server does not keep.
    pub token: Hidden,
}

/// A token as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSummary {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// The account whose rights it has.
    pub user: PersonRef,
    /// What it is restricted to.
    #[serde(flatten)]
    pub scope: Scope,
    /// When it was added.
    pub created: Timestamp,
    /// When it ends, if it does.
    pub expires: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    /// The entries, oldest first.
    pub entries: Vec<AuditEntry>,
    /// Number of the first entry that does not follow the one before it: entries were removed or changed.
    pub broken_at: Option<i64>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, from 1.
    pub number: i64,
    /// What happened.
    pub entry: serde_json::Value,
    /// Its hash, which contains the hash of the one before it, in hexadecimal.
    pub hash: String,
}
