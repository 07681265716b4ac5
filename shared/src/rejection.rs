//! Rejections: why an edit, or one of its values, is rejected.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::value::{Literal, deserialize_some};

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
    /// Creates a rejection that is not yet tied to one of the edit's changes.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, change: None, message: message.into(), current: None, by: None }
    }
}
