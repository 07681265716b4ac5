//! Why the hub refuses a request.

use shared::rejection::{Code, Rejection};
use tracing::error;

pub(super) use crate::access::unknown;
use crate::{journal::JournalError, unavailable::Unavailable};

/// Returns the rejection of a request that failed in the journal, and logs why.
pub(super) fn unavailable(error: &JournalError) -> Rejection {
    error!(error = error as &dyn std::error::Error, "failed to use the journal");
    let reason = match error {
        JournalError::Damaged(_) => Unavailable::Damaged.message(),
        JournalError::Store(_) | JournalError::Refused(_) | JournalError::NotOurs(_) => {
            "the server's store is not available; try again later"
        }
    };
    Rejection::new(Code::Unavailable, reason)
}
