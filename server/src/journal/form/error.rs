//! Errors of the store.

use crate::journal::store::JournalError;

pub(in crate::journal) fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
    JournalError::Store(error.into())
}

/// Returns the error of a record whose fields are not what was written.
pub(in crate::journal) fn damaged(what: impl Into<String>) -> JournalError {
    JournalError::Damaged(what.into())
}

/// Checks the checksum of a record, which the message names.
pub(in crate::journal) fn verify(
    computed: i64,
    stored: i64,
    what: impl Fn() -> String,
) -> Result<(), JournalError> {
    if computed == stored {
        Ok(())
    } else {
        Err(damaged(format!("the checksum of {} does not match", what())))
    }
}
