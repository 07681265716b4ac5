//! Limits the number of connections. Unauthenticated ones have a limit of their own, so that they cannot use
//! up that of others.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::ids::UserId;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Maximum number of unauthenticated connections. A further one evicts the oldest of the address that has most of
/// them.
pub const MAX_UNAUTHENTICATED: usize = 1_024;

/// The limits of a server's connections.
pub struct ConnectionLimit {
    unauthenticated: Mutex<Unauthenticated>,
    /// Permits for connections of authenticated callers.
    authenticated: Arc<Semaphore>,
    /// Number of connections of each account and address that has a limit of its own.
    held: Mutex<HashMap<Holder, usize>>,
}

/// The unauthenticated connections, by their numbers in the order of their beginnings.
#[derive(Default)]
struct Unauthenticated {
    next: u64,
    by_number: BTreeMap<u64, (IpAddr, CancellationToken)>,
    of_address: HashMap<IpAddr, usize>,
}

impl Unauthenticated {
    /// Adds a connection, evicts another one if there are too many, and returns the number of the new one.
    fn add(&mut self, address: IpAddr, evicted: CancellationToken) -> u64 {
        let address = address.to_canonical();
        if self.by_number.len() >= MAX_UNAUTHENTICATED
            && let Some(most) = self.of_address.values().max().copied()
        {
            let has_most =
                |(_, (address, _)): &(&u64, &(IpAddr, CancellationToken))| self.of_address[address] == most;
            let oldest = self.by_number.iter().find(has_most).map(|(number, _)| *number);
            if let Some((_, evicted)) = oldest.and_then(|oldest| self.remove(oldest)) {
                evicted.cancel();
            }
        }
        let number = self.next;
        self.next += 1;
        self.by_number.insert(number, (address, evicted));
        *self.of_address.entry(address).or_default() += 1;
        number
    }

    /// Removes a connection unless it has been evicted.
    fn remove(&mut self, number: u64) -> Option<(IpAddr, CancellationToken)> {
        let removed = self.by_number.remove(&number)?;
        if let Some(count) = self.of_address.get_mut(&removed.0) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&removed.0);
            }
        }
        Some(removed)
    }
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
        let authenticated = Arc::new(Semaphore::new(permits));
        Self { unauthenticated: Mutex::default(), authenticated, held: Mutex::default() }
    }

    /// Adds a connection from an address, and evicts an unauthenticated one if there are too many.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Place {
        let evicted = CancellationToken::new();
        let number = self.unauthenticated().add(address, evicted.clone());
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

    fn unauthenticated(&self) -> MutexGuard<'_, Unauthenticated> {
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

    /// Returns what ends the connection when it is cancelled.
    pub(super) fn eviction(&self) -> CancellationToken {
        self.evicted.clone()
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

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_oldest_unauthenticated_connection_makes_room_for_a_new_one() {
        let limit = Arc::new(ConnectionLimit::new(2));
        let mut open: Vec<Place> = (0..MAX_UNAUTHENTICATED).map(|_| limit.admit(HERE)).collect();
        assert_eq!(open[0].authenticate(&[]), Ok(()));
        assert_eq!(
            open[0].authenticate(&[]),
            Ok(()),
            "a connection counts once, however often its caller authenticates"
        );
        let new = [limit.admit(HERE), limit.admit(HERE)];
        let evicted: Vec<usize> =
            (0..MAX_UNAUTHENTICATED).filter(|index| open[*index].evicted.is_cancelled()).collect();
        assert_eq!(evicted, [1], "the oldest that has not authenticated");
        assert!(new.iter().all(|place| !place.evicted.is_cancelled()));
        open.remove(5);
        let _another = limit.admit(HERE);
        assert!(!open[2].evicted.is_cancelled(), "a connection that has ended does not count");
    }

    #[test]
    fn authenticated_connections_are_limited() {
        let limit = Arc::new(ConnectionLimit::new(1));
        let (one, two) = (limit.admit(HERE), limit.admit(HERE));
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
        let places: Vec<Place> = (0..4).map(|_| limit.admit(HERE)).collect();
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

    #[test]
    fn an_address_with_many_connections_makes_room_for_others() {
        let limit = Arc::new(ConnectionLimit::new(2));
        let first = limit.admit([10, 0, 0, 1].into());
        let mut flood: Vec<Place> = (0..4 * MAX_UNAUTHENTICATED).map(|_| limit.admit(HERE)).collect();
        assert!(!first.evicted.is_cancelled(), "it is the oldest, but another address has more");
        let others: Vec<Place> = (0..200).map(|number| limit.admit([10, 0, 1, number].into())).collect();
        flood.extend((0..MAX_UNAUTHENTICATED).map(|_| limit.admit(HERE)));
        assert!(others.iter().all(|place| !place.evicted.is_cancelled()));
        let open = flood.iter().filter(|place| !place.evicted.is_cancelled()).count();
        assert_eq!(open + others.len() + 1, MAX_UNAUTHENTICATED);
        drop((first, flood, others));
        assert!(limit.unauthenticated().of_address.is_empty());
    }
}
