//! The audit log: what was done with accounts and access. Each entry has the hash of the one before it, so
//! that a removed or changed entry is noticed.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::{account::ListRole, ids::WatchlistId, time::Timestamp};

/// Hash before the first entry, in hexadecimal.
pub const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Something that was done, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// The account that did it, or tried to.
    pub by: String,
    /// The address that the request came from, if it came over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// What was done.
    #[serde(flatten)]
    pub event: Event,
}

/// What an entry records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A person signed in.
    SignedIn { app: String },
    /// Somebody tried to sign in with a wrong name or password.
    SignInFailed,
    /// A person signed out.
    SignedOut,
    /// A session of the account was ended elsewhere.
    SessionEnded,
    /// An account was added.
    AccountAdded { account: String, is_admin: bool },
    /// The password of an account was changed.
    PasswordChanged { account: String },
    /// In a session of the account, someone entered a wrong old password to change it.
    OldPasswordWrong,
    /// An account was disabled.
    AccountDisabled { account: String },
    /// An account was enabled.
    AccountEnabled { account: String },
    /// An account became an administrator, or no longer is one.
    AdminChanged { account: String, is_admin: bool },
    /// A token was added.
    TokenAdded { token: String, account: String },
    /// A token was revoked.
    TokenRevoked { token: String },
    /// A watchlist was shared: `account` is missing for everyone, `role` if it was taken away.
    Shared {
        watchlist: WatchlistId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<ListRole>,
    },
    /// A watchlist was deleted.
    WatchlistDeleted { watchlist: WatchlistId },
    /// A deleted watchlist was restored.
    WatchlistRestored { watchlist: WatchlistId },
    /// A request was refused because the account may not make it.
    Denied { what: String },
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Number of the entry, from 1.
    pub number: i64,
    /// The entry as JSON.
    pub entry: String,
    /// Hash of the hash before it and of the entry, in hexadecimal.
    pub hash: String,
}

impl Stored {
    /// Creates the entry after one with a number and a hash.
    pub fn after((number, hash): (i64, &str), entry: &Entry) -> Self {
        let entry = serde_json::to_string(entry).expect("an entry is plain data");
        let hash = chained(hash, &entry);
        Self { number: number + 1, entry, hash }
    }
}

/// Returns the number of the first entry that does not follow the one before it, or that is missing at the
/// end, if there is one.
pub fn first_broken(entries: &[Stored], end: (i64, &str)) -> Option<i64> {
    let mut before = (0, START.to_owned());
    for stored in entries {
        if stored.number != before.0 + 1 || stored.hash != chained(&before.1, &stored.entry) {
            return Some(before.0 + 1);
        }
        before = (stored.number, stored.hash.clone());
    }
    ((before.0, &*before.1) != end).then_some(before.0 + 1)
}

fn chained(before: &str, entry: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(before.as_bytes());
    hasher.update(entry.as_bytes());
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Stored> {
        let mut log: Vec<Stored> = Vec::new();
        for number in 0..5 {
            let entry = Entry {
                at: Timestamp::from_millis(number),
                by: "ann".to_owned(),
                address: None,
                event: Event::SignedOut,
            };
            let before = log.last().map_or((0, START), |last| (last.number, &last.hash));
            let next = Stored::after(before, &entry);
            log.push(next);
        }
        log
    }

    #[test]
    fn a_removed_changed_or_moved_entry_shows() {
        let whole = log();
        let last = whole.last().unwrap();
        let first_broken = |entries: &[Stored]| super::first_broken(entries, (last.number, &last.hash));
        assert_eq!(first_broken(&whole), None);
        assert_eq!(super::first_broken(&[], (0, START)), None);
        for index in 0..5 {
            let mut removed = log();
            removed.remove(index);
            assert_eq!(first_broken(&removed), Some(index as i64 + 1), "also the last one");
        }
        let mut changed = log();
        changed[2].entry = changed[2].entry.replace("ann", "bob");
        assert_eq!(first_broken(&changed), Some(3));
        let mut swapped = log();
        swapped.swap(1, 2);
        assert_eq!(first_broken(&swapped), Some(2));
    }
}
