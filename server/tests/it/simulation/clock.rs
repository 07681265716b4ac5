//! The simulated time of a run. Each thread simulates one run at a time.

use std::{cell::Cell, time::Duration};

/// Time between two upkeeps of a server.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

thread_local! {
    static START: Cell<Option<tokio::time::Instant>> = const { Cell::new(None) };
}

/// Starts the time of a run.
pub(super) fn start() {
    START.set(Some(tokio::time::Instant::now()));
}

/// Returns the simulated time since the start of the run.
pub(super) fn now() -> Duration {
    START.get().expect("a run has started").elapsed()
}
