//! Dependencies of the HTTP handlers.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
};

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::budget::Budgets;
use crate::session::SessionContext;

/// Dependencies of the HTTP handlers.
#[derive(Clone)]
pub struct HttpContext {
    /// The watchlists, the limits and the clock.
    pub session: SessionContext,
    /// What each caller may use at once.
    pub budgets: Arc<Budgets>,
    /// Whether connections are encrypted.
    pub is_encrypted: bool,
    /// The address that the server listens on.
    pub address: SocketAddr,
    /// Id of this run of the process.
    pub instance: Uuid,
    /// Owns the sessions' tasks.
    pub tasks: TaskTracker,
    /// Id of the next connection.
    pub next_connection: Arc<AtomicU64>,
}
