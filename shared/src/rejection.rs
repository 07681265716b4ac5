//! Rejections: why an edit, or one of its values, is rejected.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    limits::MESSAGE_BYTES,
    value::{Literal, deserialize_some},
};

/// Why an edit was rejected: the codes of the protocol's `rejected` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's codes and explain themselves")]
pub enum Code {
    UnknownWatchlist,
    UnknownRow,
    UnknownColumn,
    ReadOnlyColumn,
    InvalidValue,
    TooLong,
    TooLarge,
    DuplicateRow,
    DuplicateColumn,
    Conflict,
    Forbidden,
    BadMessage,
    EditReused,
    TooOld,
    Unavailable,
    /// Of calls over HTTP only: the name or the password is wrong.
    BadCredentials,
    /// Of calls over HTTP only: the role of the last owner of a watchlist would be taken away.
    LastOwner,
}

/// A rejected edit or value, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// The kind of error.
    pub code: Code,
    /// Index of the change that caused it within the edit, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<usize>,
    /// What was wrong, including the value.
    pub message: String,
    /// For a conflict: the current value of the cell.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "deserialize_some")]
    pub current: Option<Literal>,
    /// For a conflict: name of the account that set the value, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
}

impl Rejection {
    /// Creates a rejection that is not yet tied to one of the edit's changes. A long message is shortened.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, change: None, message: shortened(message.into()), current: None, by: None }
    }
}

/// Returns a message of at most [`MESSAGE_BYTES`]. A message may quote what a client sent, and is kept with
/// the answer.
pub fn shortened(mut message: String) -> String {
    const ELLIPSIS: &str = "\u{2026}";
    if message.len() > MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES - ELLIPSIS.len()));
        message.push_str(ELLIPSIS);
        // The text that was longer stays allocated otherwise.
        message.shrink_to_fit();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_shortened_at_a_character() {
        assert_eq!(Rejection::new(Code::InvalidValue, "short").message, "short");
        for letter in ["a", "\u{e4}", "\u{20ac}", "\u{1f600}"] {
            let message = Rejection::new(Code::InvalidValue, letter.repeat(1_000_000)).message;
            assert!(message.len() <= MESSAGE_BYTES && message.len() > MESSAGE_BYTES - 8);
            assert!(message.ends_with('\u{2026}') && message.capacity() <= 2 * MESSAGE_BYTES);
        }
    }
}
