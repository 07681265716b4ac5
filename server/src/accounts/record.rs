//! What is stored about accounts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{
    account::{ListRole, Role, Scope},
    ids::{UserId, WatchlistId},
    time::Timestamp,
};
use uuid::Uuid;

use super::secret::Digest;

/// An account that signs in with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// The name that others see.
    pub name: Arc<str>,
    /// Equal for names that look alike.
    pub key: Arc<str>,
    /// Its permissions on the server.
    pub role: Role,
    /// Hash of its password, as a PHC string.
    pub password: String,
    /// Whether it may not be used.
    pub is_disabled: bool,
    /// When it was added.
    pub created: Timestamp,
}

/// One sign-in of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its public id.
    pub id: Uuid,
    /// The account.
    pub account: UserId,
    /// Digest of its secret.
    pub digest: Digest,
    /// When the person signed in.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// The address that the person signed in from.
    pub address: String,
    /// The program that the person signed in with, as it names itself.
    pub app: String,
}

/// The credential of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its public id.
    pub id: Uuid,
    /// Its name, which is the author's name of what it does.
    pub name: Arc<str>,
    /// The account whose rights it has.
    pub account: UserId,
    /// Digest of its secret.
    pub digest: Digest,
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

/// A role of an account, or of everyone who is signed in, on a watchlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// The account; `None` is everyone who is signed in.
    pub user: Option<UserId>,
    /// The role.
    pub role: ListRole,
}

/// A change of what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Adds or replaces an account.
    Account(Account),
    /// Adds or replaces a session.
    Session(Session),
    /// Removes a session.
    EndSession(Uuid),
    /// Adds or replaces a token.
    Token(Token),
    /// Removes a token.
    RevokeToken(Uuid),
    /// Adds or replaces a grant.
    Grant(Grant),
    /// Removes the grant of an account, or of everyone.
    Revoke(WatchlistId, Option<UserId>),
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a digest has 32 bytes in hexadecimal"))
    }
}
