//! Size limits that clients and servers enforce: a client rejects an edit before it stores it, a server
//! before it accepts it. A server's limits can be configured.

use serde::{Deserialize, Serialize};

/// Limits on messages, edits and watchlists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Maximum size of a client's message, in bytes.
    pub message_bytes: usize,
    /// Maximum length of a text cell, in bytes of UTF-8.
    pub text_bytes: usize,
    /// Maximum number of columns in a watchlist, removed ones included.
    pub columns: usize,
    /// Maximum number of rows in a watchlist.
    pub rows: usize,
    /// Maximum number of changes in one edit.
    pub changes: usize,
    /// Maximum length of all texts of a row together, in bytes of UTF-8, so that every row fits into a
    /// message.
    pub row_bytes: usize,
    /// Maximum encoded size of the titles and options of all columns, in bytes, so that they fit into a
    /// message.
    pub columns_bytes: usize,
    /// Maximum number of watchlists that one connection can have open.
    pub open_watchlists: usize,
}

impl Limits {
    /// The limits of the protocol.
    pub const DEFAULT: Self = Self {
        message_bytes: 1 << 20,
        text_bytes: 4096,
        columns: 256,
        rows: 1_000_000,
        changes: 10_000,
        row_bytes: 480 << 10,
        columns_bytes: 1 << 20,
        open_watchlists: 64,
    };

    /// Returns limits for what was accepted before, perhaps under higher limits than these: none on a
    /// watchlist's size.
    pub fn for_stored(self) -> Self {
        let none = usize::MAX;
        Self { text_bytes: none, columns: none, rows: none, row_bytes: none, columns_bytes: none, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Number of cells that one edit may convert to other kinds. One column of any length may be converted.
pub const CONVERTED_CELLS: usize = 2_000_000;
/// Maximum length of a watchlist's name or a column's title, in bytes.
pub const NAME_BYTES: usize = 256;
/// Maximum number of answers that the server keeps for each client of a watchlist.
pub const MAX_KEPT_ANSWERS: usize = 4096;
/// Maximum number of edits that a client may have sent without an answer.
pub const EDITS_IN_FLIGHT: usize = 256;
/// Maximum length of a row's position, in bytes; 256 characters of hexadecimal.
pub const POSITION_BYTES: usize = 128;
/// Maximum length of the text of an error or a rejection, in bytes.
pub const MESSAGE_BYTES: usize = 512;
/// Maximum size of a message from the server, in bytes.
pub const SERVER_MESSAGE_BYTES: usize = 4 << 20;
