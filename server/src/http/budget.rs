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
/// Maximum number of watchlists that are being sent to a caller. A further one ends the oldest, so that readers that do not read
/// do not lock others out.
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

    /// Counts a watchlist that is to be sent, and ends the connection of the oldest one if there are too many.
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
