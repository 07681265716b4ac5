//! Edits that were answered `unavailable` and may be stored nevertheless, as when a write was reported as
//! failed: their clients see the commits and do not send them again, so they must not hold up later edits
//! forever.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::withheld::Withheld;

/// Time between two attempts to find out which withheld edits are stored.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(1);

/// Connections with withheld edits of one watchlist that may be stored.
#[derive(Default)]
pub(super) struct Recovery {
    uncertain: Vec<Weak<Withheld>>,
    resolve_at: Option<Instant>,
}

impl Recovery {
    /// Adds a connection unless it is known.
    pub(super) fn add(&mut self, withheld: &Arc<Withheld>, now: Instant) {
        let withheld = Arc::downgrade(withheld);
        if !self.uncertain.iter().any(|known| known.ptr_eq(&withheld)) {
            self.uncertain.push(withheld);
            self.plan(now);
        }
    }

    /// Plans to look up what is stored, some time after `now`, unless that is planned already.
    pub(super) fn plan(&mut self, now: Instant) {
        self.resolve_at.get_or_insert(now + RESOLVE_INTERVAL);
    }

    /// Returns when to look up what is stored.
    pub(super) fn resolve_at(&self) -> Option<Instant> {
        self.resolve_at
    }

    /// Removes and returns the connections that are still there.
    pub(super) fn take_uncertain(&mut self) -> Vec<Arc<Withheld>> {
        self.resolve_at = None;
        std::mem::take(&mut self.uncertain).iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether there are connections with withheld edits that may be stored.
    pub(super) fn has_uncertain(&self) -> bool {
        self.uncertain.iter().any(|withheld| withheld.strong_count() > 0)
    }
}
