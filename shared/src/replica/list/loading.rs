//! A watchlist that is being loaded from the parts of a snapshot.

use crate::{ids::At, limits::Limits, watchlist::Watchlist, wire::snapshot::Snapshot};

/// The parts of a snapshot that have arrived.
#[derive(Debug)]
pub(super) struct Loading {
    at: At,
    parts: usize,
    next_part: usize,
    state: Watchlist,
}

impl Loading {
    /// Starts with the name and columns of the first part. Returns `None` if they are invalid.
    pub(super) fn start(first: &Snapshot, limits: &Limits) -> Option<Self> {
        let unlimited = limits.for_stored();
        let state = Watchlist::new(&first.name, first.columns.clone(), &unlimited).ok()?;
        let at = At { epoch: first.epoch, revision: first.revision };
        Some(Self { at, parts: first.parts, next_part: 1, state })
    }

    /// Adds the rows of a part. Returns whether it was the last, or `None` if the parts do not fit together.
    pub(super) fn add(&mut self, part: &Snapshot) -> Option<bool> {
        let at = At { epoch: part.epoch, revision: part.revision };
        if self.next_part != part.part || self.at != at {
            return None;
        }
        for row in &part.rows {
            row.load_into(&mut self.state).ok()?;
        }
        self.next_part += 1;
        Some(part.part >= self.parts)
    }

    /// Returns the loaded watchlist, and the epoch and revision of the snapshot.
    pub(super) fn finish(self) -> (Watchlist, At) {
        (self.state, self.at)
    }
}
