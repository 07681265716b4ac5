//! Limits the number of connections. Unauthenticated ones have a limit of their own, so that they cannot use up that of others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::oldest_first::OldestFirst;

/// Maximum number of unauthenticated connections. A further one evicts the oldest.
pub const MAX_UNAUTHENTICATED: usize = 256;

/// The limits of a server's connections.
pub struct ConnectionLimit {
    unauthenticated: Mutex<OldestFirst<CancellationToken>>,
    /// Permits for connections of authenticated callers.
    authenticated: Arc<Semaphore>,
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
        let unauthenticated = Mutex::new(OldestFirst::new(MAX_UNAUTHENTICATED));
        Self { unauthenticated, authenticated: Arc::new(Semaphore::new(permits)) }
    }

    /// Adds a connection, and evicts the oldest unauthenticated one if there are too many.
    pub(super) fn admit(self: &Arc<Self>) -> Place {
        let evicted = CancellationToken::new();
        let (number, oldest) = self.unauthenticated().add(evicted.clone());
        if let Some(oldest) = oldest {
            oldest.cancel();
        }
        Place { limit: self.clone(), number, evicted, permit: Mutex::default() }
    }

    fn unauthenticated(&self) -> MutexGuard<'_, OldestFirst<CancellationToken>> {
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
                self.limit.unauthenticated().remove(self.number);
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
        self.limit.unauthenticated().remove(self.number);
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
