//! What the HTTP calls of one caller may use at once: memory for bodies and downloads, and a rate of edits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shared::ids::UserId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout},
};

use super::problem::Problem;
use crate::{pace::Pace, settings::Settings};

/// Maximum number of request bodies of a caller that are in memory.
const MAX_BODIES: usize = 32;
/// Maximum number of watchlists that are being sent to a caller.
const MAX_DOWNLOADS: usize = 16;
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
    downloads: Arc<Semaphore>,
    edits: Mutex<Pace>,
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
                downloads: Arc::new(Semaphore::new(MAX_DOWNLOADS)),
                edits: Mutex::new(Pace::new(self.edits_per_second, self.edits_burst, Instant::now())),
            })
        };
        locked(&self.of).entry(user).or_insert_with(new).clone()
    }
}

impl Budget {
    /// Waits until a body may be read. It may be in memory as long as the permit.
    pub(super) async fn body(&self) -> Result<OwnedSemaphorePermit, Problem> {
        turn(&self.bodies, "requests").await
    }

    /// Waits until a watchlist may be sent.
    pub(super) async fn download(&self) -> Result<OwnedSemaphorePermit, Problem> {
        turn(&self.downloads, "downloads").await
    }

    /// Waits until an edit is within the rate.
    pub(super) async fn edit(&self) -> Result<(), Problem> {
        let now = Instant::now();
        let at = locked(&self.edits).reserve(now, now + TURN_TIMEOUT);
        sleep_until(at.ok_or_else(|| Problem::too_many("edits", TURN_TIMEOUT))?).await;
        Ok(())
    }
}

async fn turn(places: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = timeout(TURN_TIMEOUT, places.clone().acquire_owned()).await;
    permit
        .map_err(|_elapsed| Problem::too_many(what, TURN_TIMEOUT))
        .map(|permit| permit.expect("the semaphore is never closed"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
