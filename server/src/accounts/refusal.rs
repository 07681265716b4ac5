//! Why a request about accounts is refused.

use shared::rejection::{Code, Rejection};
use tracing::error;

use super::store::StoreError;

/// Returns the rejection of a request that could not be stored, and logs why.
pub(super) fn unavailable(error: &StoreError) -> Rejection {
    error!(error = error as &dyn std::error::Error, "failed to use the accounts");
    Rejection::new(Code::Unavailable, "the server cannot store this now; try again later")
}

/// Returns the rejection of a value.
pub(super) fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(Code::InvalidValue, message)
}
