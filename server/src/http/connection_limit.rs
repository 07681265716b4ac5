//! Limits the number of connections. Unauthenticated ones have a limit of their own, so that they cannot keep others out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Maximum number of unauthenticated connections. A further one evicts the oldest.
pub const MAX_UNAUTHENTICATED: usize = 256;

/// The limits of a server's connections.
pub struct ConnectionLimit {
    unauthenticated: Mutex<Unauthenticated>,
    /// Permits for connections of authenticated callers.
    authenticated: Arc<Semaphore>,
}

#[derive(Default)]
struct Unauthenticated {
    next: u64,
    /// Oldest first.
    open: BTreeMap<u64, CancellationToken>,
}

/// A connection that counts for the limits until this is dropped.
pub(super) struct Place {
    limit: Arc<ConnectionLimit>,
    number: u64,
    evicted: CancellationToken,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl ConnectionLimit {
    /// Creates the limits for a number of authenticated connections.
    pub fn new(connections: usize) -> Self {
        let permits = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { unauthenticated: Mutex::default(), authenticated: Arc::new(Semaphore::new(permits)) }
    }

    /// Adds a connection, and evicts the oldest unauthenticated one if there are too many.
    pub(super) fn admit(self: &Arc<Self>) -> Place {
        let evicted = CancellationToken::new();
        let mut unauthenticated = self.unauthenticated();
        if unauthenticated.open.len() >= MAX_UNAUTHENTICATED
            && let Some((_, oldest)) = unauthenticated.open.pop_first()
        {
            oldest.cancel();
        }
        let number = unauthenticated.next;
        unauthenticated.next += 1;
        unauthenticated.open.insert(number, evicted.clone());
        drop(unauthenticated);
        Place { limit: self.clone(), number, evicted, permit: Mutex::default() }
    }

    fn unauthenticated(&self) -> MutexGuard<'_, Unauthenticated> {
        self.unauthenticated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts the connection as authenticated. Returns false if there are too many of those.
    pub(super) fn authenticate(&self) -> bool {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        if permit.is_none() {
            *permit = self.limit.authenticated.clone().try_acquire_owned().ok();
            if permit.is_some() {
                self.limit.unauthenticated().open.remove(&self.number);
            }
        }
        permit.is_some()
    }

    /// Returns whether a caller has authenticated on the connection.
    pub(super) fn is_authenticated(&self) -> bool {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Ends the connection.
    pub(super) fn evict(&self) {
        self.evicted.cancel();
    }

    /// Waits until the connection has to make room for another.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limit.unauthenticated().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_unauthenticated_connection_makes_room_for_a_new_one() {
        let limit = Arc::new(ConnectionLimit::new(2));
        let mut open: Vec<Place> = (0..MAX_UNAUTHENTICATED).map(|_| limit.admit()).collect();
        assert!(open[0].authenticate());
        assert!(open[0].authenticate(), "a connection counts once, however often its caller authenticates");
        let new = [limit.admit(), limit.admit()];
        let evicted: Vec<usize> =
            (0..MAX_UNAUTHENTICATED).filter(|index| open[*index].evicted.is_cancelled()).collect();
        assert_eq!(evicted, [1], "the oldest that has not authenticated");
        assert!(new.iter().all(|place| !place.evicted.is_cancelled()));
        open.remove(5);
        let _another = limit.admit();
        assert!(!open[2].evicted.is_cancelled(), "a connection that has ended does not count");
    }

    #[test]
    fn authenticated_connections_are_limited() {
        let limit = Arc::new(ConnectionLimit::new(1));
        let (one, two) = (limit.admit(), limit.admit());
        assert!(one.authenticate());
        assert!(!two.authenticate());
        assert!(!two.is_authenticated());
        drop(one);
        assert!(two.authenticate());
        assert!(two.is_authenticated());
    }
}
