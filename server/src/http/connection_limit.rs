//! Limits the number of connections. Unauthenticated ones have a limit of their own, so that they cannot use
//! up that of others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::ids::UserId;

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
    /// Number of connections of each account and address that has a limit of its own.
    held: Mutex<HashMap<Holder, usize>>,
}

/// Whose connections are limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Account(UserId),
    Address(IpAddr),
}

/// Why a connection has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// There are too many connections.
    Full,
    /// The holder has as many connections as it may.
    HolderFull(Holder, usize),
}

/// A connection that counts for the limits until this is dropped.
pub(super) struct Place {
    limit: Arc<ConnectionLimit>,
    number: u64,
    evicted: CancellationToken,
    permit: Mutex<Option<Permit>>,
}

/// The place of an authenticated connection.
struct Permit {
    _connection: OwnedSemaphorePermit,
    holders: Vec<Holder>,
}

impl ConnectionLimit {
    /// Creates the limits for a number of authenticated connections.
    pub fn new(connections: usize) -> Self {
        let permits = connections.clamp(1, Semaphore::MAX_PERMITS);
        let unauthenticated = Mutex::new(OldestFirst::new(MAX_UNAUTHENTICATED));
        Self { unauthenticated, authenticated: Arc::new(Semaphore::new(permits)), held: Mutex::default() }
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

    /// Counts a connection for each holder, unless one has as many as it may.
    fn hold(&self, holders: &[(Holder, usize)]) -> Result<(), NoPlace> {
        let mut held = self.held();
        let full =
            holders.iter().find(|(holder, limit)| held.get(holder).is_some_and(|count| count >= limit));
        if let Some((holder, limit)) = full {
            return Err(NoPlace::HolderFull(*holder, *limit));
        }
        holders.iter().for_each(|(holder, _)| *held.entry(*holder).or_default() += 1);
        Ok(())
    }

    fn release(&self, holders: &[Holder]) {
        let mut held = self.held();
        for holder in holders {
            if let Some(count) = held.get_mut(holder) {
                *count -= 1;
                if *count == 0 {
                    held.remove(holder);
                }
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unauthenticated(&self) -> MutexGuard<'_, OldestFirst<CancellationToken>> {
        self.unauthenticated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts the connection as authenticated, once, for holders with their limits.
    pub(super) fn authenticate(&self, holders: &[(Holder, usize)]) -> Result<(), NoPlace> {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        if permit.is_some() {
            return Ok(());
        }
        let connection = self.limit.authenticated.clone().try_acquire_owned();
        let connection = connection.map_err(|_full_or_closed| NoPlace::Full)?;
        self.limit.hold(holders)?;
        let holders = holders.iter().map(|(holder, _)| *holder).collect();
        *permit = Some(Permit { _connection: connection, holders });
        self.limit.unauthenticated().remove(self.number);
        Ok(())
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
        if let Some(permit) = self.permit.get_mut().unwrap_or_else(PoisonError::into_inner) {
            self.limit.release(&permit.holders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_unauthenticated_connection_makes_room_for_a_new_one() {
        let limit = Arc::new(ConnectionLimit::new(2));
        let mut open: Vec<Place> = (0..MAX_UNAUTHENTICATED).map(|_| limit.admit()).collect();
        assert_eq!(open[0].authenticate(&[]), Ok(()));
        assert_eq!(
            open[0].authenticate(&[]),
            Ok(()),
            "a connection counts once, however often its caller authenticates"
        );
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
        assert_eq!(one.authenticate(&[]), Ok(()));
        assert_eq!(two.authenticate(&[]), Err(NoPlace::Full));
        assert!(!two.is_authenticated());
        drop(one);
        assert_eq!(two.authenticate(&[]), Ok(()));
        assert!(two.is_authenticated());
    }

    #[test]
    fn an_account_and_an_address_have_limits_of_their_own() {
        let limit = Arc::new(ConnectionLimit::new(100));
        let ann = Holder::Account(UserId(uuid::Uuid::from_u128(1)));
        let near = Holder::Address([10, 0, 0, 1].into());
        let far = Holder::Address([10, 0, 0, 2].into());
        let places: Vec<Place> = (0..4).map(|_| limit.admit()).collect();
        assert_eq!(places[0].authenticate(&[(ann, 2), (near, 1)]), Ok(()));
        assert_eq!(places[1].authenticate(&[(ann, 2), (near, 1)]), Err(NoPlace::HolderFull(near, 1)));
        assert_eq!(
            places[1].authenticate(&[(ann, 2), (far, 1)]),
            Ok(()),
            "a refused connection is not counted"
        );
        assert_eq!(places[2].authenticate(&[(ann, 2)]), Err(NoPlace::HolderFull(ann, 2)));
        drop(places);
        assert!(limit.held().is_empty());
    }
}
