//! Dependencies that all rooms share.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock::Clock,
    journal::{Journal, Retention},
    settings::Settings,
};

/// Dependencies that all rooms share.
#[derive(Clone)]
pub struct RoomContext {
    /// Where commits are stored.
    pub journal: Arc<dyn Journal>,
    /// The wall clock.
    pub clock: Clock,
    /// Limits and intervals.
    pub settings: Arc<Settings>,
    /// Owns the rooms' tasks.
    pub tasks: TaskTracker,
    /// Ends the tasks.
    pub stop: CancellationToken,
    /// Notified when a watchlist's name changes.
    pub renamed: watch::Sender<u64>,
}

impl RoomContext {
    /// Returns which commits of a watchlist are kept now.
    pub fn retention(&self) -> Retention {
        let (before, commits) = self.settings.retention((self.clock)());
        Retention { before, commits, bytes: self.settings.kept_bytes() }
    }
}
