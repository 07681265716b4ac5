//! Who may be connected: callers who have authenticated have places of their own, so that strangers cannot keep them out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Maximum number of connections on which nobody has authenticated. One more closes the oldest of them.
pub const MAX_STRANGERS: usize = 256;

/// The places of all connections.
pub struct Places {
    strangers: Mutex<Strangers>,
    /// Permits for connections of authenticated callers.
    authenticated: Arc<Semaphore>,
}

#[derive(Default)]
struct Strangers {
    next: u64,
    /// Oldest first.
    open: BTreeMap<u64, CancellationToken>,
}

/// The place of one connection. It is free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    evicted: CancellationToken,
    permit: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Places {
    /// Creates the places for a number of authenticated connections.
    pub fn new(connections: usize) -> Self {
        let permits = connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { strangers: Mutex::default(), authenticated: Arc::new(Semaphore::new(permits)) }
    }

    /// Gives a new connection a place among the strangers, if necessary that of the oldest.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        let evicted = CancellationToken::new();
        let mut strangers = self.strangers();
        if strangers.open.len() >= MAX_STRANGERS
            && let Some((_, oldest)) = strangers.open.pop_first()
        {
            oldest.cancel();
        }
        let number = strangers.next;
        strangers.next += 1;
        strangers.open.insert(number, evicted.clone());
        drop(strangers);
        Place { places: self.clone(), number, evicted, permit: Mutex::default() }
    }

    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Moves the connection to the authenticated ones. Returns false if they have no free place.
    pub(super) fn authenticate(&self) -> bool {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        if permit.is_none() {
            *permit = self.places.authenticated.clone().try_acquire_owned().ok();
            if permit.is_some() {
                self.places.strangers().open.remove(&self.number);
            }
        }
        permit.is_some()
    }

    /// Returns whether a caller has authenticated on the connection.
    pub(super) fn is_authenticated(&self) -> bool {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits until the place is given to another connection.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.strangers().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_stranger_makes_room_for_a_newcomer() {
        let places = Arc::new(Places::new(2));
        let mut strangers: Vec<Place> = (0..MAX_STRANGERS).map(|_| places.enter()).collect();
        assert!(strangers[0].authenticate());
        assert!(
            strangers[0].authenticate(),
            "a connection has one place, however often its caller authenticates"
        );
        let newcomers = [places.enter(), places.enter()];
        let evicted: Vec<usize> =
            (0..MAX_STRANGERS).filter(|index| strangers[*index].evicted.is_cancelled()).collect();
        assert_eq!(evicted, [1], "the oldest that has not authenticated");
        assert!(newcomers.iter().all(|place| !place.evicted.is_cancelled()));
        strangers.remove(5);
        let _another = places.enter();
        assert!(!strangers[2].evicted.is_cancelled(), "a connection that ended leaves its place");
    }

    #[test]
    fn authenticated_connections_are_limited() {
        let places = Arc::new(Places::new(1));
        let (one, two) = (places.enter(), places.enter());
        assert!(one.authenticate());
        assert!(!two.authenticate());
        assert!(!two.is_authenticated());
        drop(one);
        assert!(two.authenticate());
        assert!(two.is_authenticated());
    }
}
