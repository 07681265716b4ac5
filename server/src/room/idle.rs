//! Ends a room that is not used, so that a watchlist that is open nowhere takes no memory.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};

use super::command::Command;

/// Time between two checks, and since the last command, after which an unused room ends.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// When a room is checked for its use.
pub(super) struct IdleTimer {
    /// The room's own queue, to count its senders.
    own: mpsc::WeakSender<Command>,
    check_at: Instant,
}

impl IdleTimer {
    /// Creates the timer of a room that was used just now.
    pub(super) fn new(own: mpsc::WeakSender<Command>) -> Self {
        Self { own, check_at: Instant::now() + INTERVAL }
    }

    /// Returns when the room is to be checked.
    pub(super) fn check_at(&self) -> Instant {
        self.check_at
    }

    /// Starts the interval again.
    pub(super) fn restart(&mut self) {
        self.check_at = Instant::now() + INTERVAL;
    }

    /// Whether the room's owner has the only sender.
    pub(super) fn is_unused(&self) -> bool {
        self.own.strong_count() <= 1
    }
}
