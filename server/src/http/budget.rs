//! What the HTTP calls of one caller may use at once: memory for bodies and downloads, and a rate of edits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use shared::ids::UserId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout},
};

use super::{connection_limit::Place, oldest_first::OldestFirst, problem::Problem};
use crate::{pace::Pace, settings::Settings};

/// Maximum number of request bodies of a caller that are in memory.
const MAX_BODIES: usize = 32;
/// Maximum number of watchlists that are being sent to a caller. A further one ends the oldest, so that
/// readers that do not read do not lock others out.
const MAX_DOWNLOADS: usize = 64;
/// Time that a call waits for its turn before it is refused.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// The budgets of all callers.
pub struct Budgets {
    of: Mutex<HashMap<UserId, Arc<Budget>>>,
    edits_per_second: u32,
    edits_burst: u32,
}

/// The budget of one caller.
pub(super) struct Budget {
    bodies: Arc<Semaphore>,
    downloads: Downloads,
    edits: Mutex<Pace>,
}

/// The connections on which watchlists are being sent.
type Downloads = Arc<Mutex<OldestFirst<Weak<Place>>>>;

/// A watchlist that is being sent. It counts until this is dropped.
pub(super) struct Download {
    number: u64,
    downloads: Downloads,
}

impl Drop for Download {
    fn drop(&mut self) {
        locked(&self.downloads).remove(self.number);
    }
}

impl Budgets {
    /// Creates the budgets that the settings give to each caller.
    pub fn new(settings: &Settings) -> Self {
        Self {
            of: Mutex::default(),
            edits_per_second: settings.edits_per_second,
            edits_burst: settings.edits_burst,
        }
    }

    pub(super) fn of(&self, user: UserId) -> Arc<Budget> {
        let new = || {
            Arc::new(Budget {
                bodies: Arc::new(Semaphore::new(MAX_BODIES)),
                downloads: Arc::new(Mutex::new(OldestFirst::new(MAX_DOWNLOADS))),
                edits: Mutex::new(Pace::new(self.edits_per_second, self.edits_burst, Instant::now())),
            })
        };
        locked(&self.of).entry(user).or_insert_with(new).clone()
    }
}

impl Budget {
    /// Waits until a body may be read. It may be in memory as long as the permit.
    pub(super) async fn body(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = timeout(TURN_TIMEOUT, self.bodies.clone().acquire_owned()).await;
        permit
            .map_err(|_elapsed| Problem::too_many("requests", TURN_TIMEOUT))
            .map(|permit| permit.expect("the semaphore is never closed"))
    }

    /// Counts a watchlist that is to be sent, and ends the connection of the oldest one if there are too
    /// many.
    pub(super) fn download(&self, place: &Arc<Place>) -> Download {
        let (number, oldest) = locked(&self.downloads).add(Arc::downgrade(place));
        if let Some(oldest) = oldest.and_then(|oldest| oldest.upgrade()) {
            oldest.evict();
        }
        Download { number, downloads: self.downloads.clone() }
    }

    /// Waits until an edit is within the rate.
    pub(super) async fn edit(&self) -> Result<(), Problem> {
        let now = Instant::now();
        let at = locked(&self.edits).reserve(now, now + TURN_TIMEOUT);
        sleep_until(at.ok_or_else(|| Problem::too_many("edits", TURN_TIMEOUT))?).await;
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;
    use crate::http::connection_limit::ConnectionLimit;

    fn budget(settings: &Settings) -> Arc<Budget> {
        Budgets::new(settings).of(UserId(Uuid::nil()))
    }

    #[tokio::test]
    async fn the_oldest_of_too_many_downloads_gives_way_but_none_that_has_ended() {
        let (limit, budget) = (Arc::new(ConnectionLimit::new(1)), budget(&Settings::default()));
        let places: Vec<Arc<Place>> =
            (0..MAX_DOWNLOADS + 2).map(|_| Arc::new(limit.admit([127, 0, 0, 1].into()))).collect();
        drop(budget.download(&places[0]));
        let mut downloads: Vec<Download> = places[1..].iter().map(|place| budget.download(place)).collect();
        let is_evicted = |place: &Arc<Place>| place.evicted().now_or_never().is_some();
        assert_eq!(places.iter().map(is_evicted).filter(|evicted| *evicted).count(), 1);
        assert!(is_evicted(&places[1]), "the oldest that has not ended");
        downloads.clear();
        let _download = budget.download(&places[0]);
        assert!(!is_evicted(&places[2]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_for_its_turn_and_not_longer_than_ten_seconds() {
        let budget = budget(&Settings::default());
        let mut bodies = Vec::new();
        for _ in 0..MAX_BODIES {
            bodies.push(budget.body().await.ok().unwrap());
        }
        let started = Instant::now();
        assert!(budget.body().await.is_err());
        assert_eq!(started.elapsed(), TURN_TIMEOUT);
        bodies.pop();
        assert!(budget.body().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn edits_wait_for_the_rate_and_not_longer_than_ten_seconds() {
        let settings = Settings { edits_per_second: 10, edits_burst: 1, ..Settings::default() };
        let budget = budget(&settings);
        let started = Instant::now();
        for _ in 0..11 {
            assert!(budget.edit().await.is_ok());
        }
        assert_eq!(started.elapsed().as_secs(), 1);
        let slow = Settings { edits_per_second: 1, edits_burst: 1, ..Settings::default() };
        let budget = self::budget(&slow);
        let edits = futures_util::future::join_all((0..20).map(|_| budget.edit())).await;
        assert_eq!(
            edits.iter().filter(|edit| edit.is_ok()).count(),
            11,
            "one at once and ten in ten seconds"
        );
    }
}
