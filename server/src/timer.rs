//! Timers that may not be set.

use tokio::time::{Instant, sleep_until};

/// Waits until a moment, or forever if there is none.
pub async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
