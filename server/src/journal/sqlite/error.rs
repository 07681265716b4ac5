//! Errors of the store.

use crate::journal::store::JournalError;

pub(super) fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
    JournalError::Store(error.into())
}
