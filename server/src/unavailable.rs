//! Why a watchlist is not served. Rooms, channels and sessions give the same reasons.

use shared::rejection::{Code, Rejection};

/// Why a watchlist is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The journal cannot be read, or the task that serves the watchlist has ended.
    NotServed,
    /// The watchlist's records are damaged.
    Damaged,
}

impl Unavailable {
    /// Returns the message for the person.
    pub fn message(self) -> &'static str {
        match self {
            Unavailable::NotServed => "the watchlist is temporarily unavailable",
            Unavailable::Damaged => {
                "the watchlist's records on the server's disk are damaged: its administrator can run \
                 `afterglow-server check` for details and restore a backup"
            }
        }
    }
}

impl From<Unavailable> for Rejection {
    fn from(reason: Unavailable) -> Self {
        Rejection::new(Code::Unavailable, reason.message())
    }
}
