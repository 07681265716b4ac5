//! What every HTTP request is served with.

use std::sync::{Arc, atomic::AtomicU64};

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::{accounts::LocalAccount, session::SessionContext};

/// What every HTTP request is served with.
#[derive(Clone)]
pub struct HttpContext {
    /// The watchlists, the limits and the clock.
    pub session: SessionContext,
    /// The accounts that requests are checked against.
    pub account: Arc<LocalAccount>,
    /// Id of this run of the process.
    pub instance: Uuid,
    /// Owns the sessions' tasks.
    pub tasks: TaskTracker,
    /// Id of the next connection.
    pub next_connection: Arc<AtomicU64>,
    /// Permits for the connections that may still be opened.
    pub permits: Arc<Semaphore>,
}
