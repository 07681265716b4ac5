//! A newtype for every id, so that one cannot be passed for another.

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
    /// Names a watchlist.
    WatchlistId
}
uuid_id! {
    /// Names a row. Clients make row ids as UUIDv7.
    RowId
}
uuid_id! {
    /// Names one outbox, and so one running process that edits.
    ClientId
}
uuid_id! {
    /// Names a person or a feed that holds an account.
    UserId
}
uuid_id! {
    /// Names one unbroken history of revisions.
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
    /// A watchlist's version: 0, 1, 2 … without gaps.
    Revision
}
number_id! {
    /// Pairs a request (create, delete, restore, history) with its answer, within a connection.
    RequestId
}
number_id! {
    /// One window of a client.
    WindowId
}

impl EditId {
    /// The largest number that every JSON reader holds exactly.
    pub const MAX: EditId = EditId((1 << 53) - 1);

    /// Whether the number is one the protocol allows.
    pub fn is_valid(self) -> bool {
        (1..=Self::MAX.0).contains(&self.0)
    }

    /// The number after this one.
    pub fn next(self) -> EditId {
        EditId(self.0 + 1)
    }
}

impl Revision {
    /// The revision after this one.
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}
