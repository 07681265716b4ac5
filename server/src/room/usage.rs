//! Whether a room is used, so that a watchlist that nobody has open takes no memory.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};

use super::command::Command;

/// Time without a command after which a room ends that nobody can send one to.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// The use of one room.
pub(super) struct Usage {
    /// The room's own queue, to count its senders.
    own: mpsc::WeakSender<Command>,
    check_at: Instant,
}

impl Usage {
    /// Creates the use of a room that was used just now.
    pub(super) fn new(own: mpsc::WeakSender<Command>) -> Self {
        Self { own, check_at: Instant::now() + IDLE }
    }

    /// Returns when the room is to be checked.
    pub(super) fn check_at(&self) -> Instant {
        self.check_at
    }

    /// Records that the room was used just now.
    pub(super) fn extend(&mut self) {
        self.check_at = Instant::now() + IDLE;
    }

    /// Whether only the room's owner has a sender.
    pub(super) fn has_ended(&self) -> bool {
        self.own.strong_count() <= 1
    }
}
