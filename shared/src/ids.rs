//! A newtype for every id, so that ids cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// Identifies a watchlist.
    WatchlistId
}
uuid_id! {
    /// Identifies a row. Clients create row ids as UUIDv7.
    RowId
}
uuid_id! {
    /// Identifies a client: one outbox, used by one running process.
    ClientId
}
uuid_id! {
    /// Identifies the account of a person or a feed.
    UserId
}
uuid_id! {
    /// Identifies one unbroken history of revisions.
    Epoch
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// An edit's number within its client: 1 to 2^53-1, increasing, never reused.
    EditId
}
number_id! {
    /// A version of a watchlist: 0, 1, 2 … without gaps.
    Revision
}
number_id! {
    /// Matches a request (create, delete, restore, history) to its response within a connection.
    RequestId
}
number_id! {
    /// Identifies a window of a client.
    WindowId
}

impl EditId {
    /// The largest integer that every JSON parser represents exactly.
    pub const MAX: EditId = EditId((1 << 53) - 1);

    /// Returns whether the number is in the range that the protocol allows.
    pub fn is_valid(self) -> bool {
        (1..=Self::MAX.0).contains(&self.0)
    }

    /// Returns the next number.
    pub fn next(self) -> EditId {
        EditId(self.0 + 1)
    }
}

impl Revision {
    /// Returns the next revision.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

/// A point in a watchlist's history: an epoch and a revision within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The unbroken history that the revision belongs to.
    pub epoch: Epoch,
    /// The last revision seen of that history.
    pub revision: Revision,
}
