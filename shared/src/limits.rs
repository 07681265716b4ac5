//! What is too much. Both ends hold to these: clients refuse before they keep an edit, servers before
//! they accept one. A server may be set to other figures.

use serde::{Deserialize, Serialize};

/// The largest message that a client may send, the largest cell, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes in a client's message.
    pub message_bytes: usize,
    /// Bytes in a text cell, in UTF-8.
    pub text_bytes: usize,
    /// Columns of a watchlist, removed ones among them.
    pub columns: usize,
    /// Rows of a watchlist.
    pub rows: usize,
    /// Changes in one edit.
    pub changes: usize,
    /// Watchlists that one connection has open.
    pub open_watchlists: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            text_bytes: 4096,
            columns: 256,
            rows: 1_000_000,
            changes: 10_000,
            open_watchlists: 64,
        }
    }
}

/// Bytes in a watchlist's name, a column's key or its title. Names are for people: longer ones hide text.
pub const NAME_BYTES: usize = 256;
/// Answers that the server keeps for each client of a watchlist.
pub const ANSWERS_KEPT: usize = 4096;
/// Edits that a client may have sent and not had answered.
pub const EDITS_IN_FLIGHT: usize = 256;
/// Bytes in a row's position: 256 characters of hexadecimal.
pub const POSITION_BYTES: usize = 128;
