//! Dependencies of the HTTP handlers.

use std::sync::{Arc, atomic::AtomicU64};

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::budget::Budgets;
use crate::{session::SessionContext, tls::Tls};

/// Dependencies of the HTTP handlers.
#[derive(Clone)]
pub struct HttpContext {
    /// The watchlists, the limits and the clock.
    pub session: SessionContext,
    /// What each caller may use at once.
    pub budgets: Arc<Budgets>,
    /// The certificate, if the server has one. Its names are the server's.
    pub tls: Option<Arc<Tls>>,
    /// Id of this run of the process.
    pub instance: Uuid,
    /// Owns the sessions' tasks.
    pub tasks: TaskTracker,
    /// Id of the next connection.
    pub next_connection: Arc<AtomicU64>,
}
