//! What the list of watchlists shows of a room.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use shared::ids::Revision;

/// The name, revision and number of rows of a watchlist, as last made durable.
#[derive(Debug)]
pub struct Live {
    name: Mutex<Arc<str>>,
    revision: AtomicU64,
    rows: AtomicUsize,
    changes: AtomicU64,
}

impl Live {
    /// Creates it from what the journal holds.
    pub fn new(name: Arc<str>, revision: Revision, rows: usize) -> Self {
        let (revision, rows, changes) =
            (AtomicU64::new(revision.0), AtomicUsize::new(rows), AtomicU64::new(0));
        Self { name: Mutex::new(name), revision, rows, changes }
    }

    /// Returns how often the watchlist was renamed, deleted or restored since the start of the server.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Counts a deletion or a restoration.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the name, the revision and the number of rows.
    pub fn get(&self) -> (Arc<str>, Revision, usize) {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (name, Revision(self.revision.load(Ordering::Relaxed)), self.rows.load(Ordering::Relaxed))
    }

    /// Updates all three and returns whether the name has changed.
    pub(super) fn set(&self, name: &Arc<str>, revision: Revision, rows: usize) -> bool {
        self.revision.store(revision.0, Ordering::Relaxed);
        self.rows.store(rows, Ordering::Relaxed);
        let mut current = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        let is_renamed = *current != *name;
        if is_renamed {
            *current = name.clone();
            self.changed();
        }
        is_renamed
    }
}
