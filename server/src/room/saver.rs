//! Stores snapshots, so that a start does not replay every commit, and prunes the commits that are no longer
//! kept.

use std::{collections::HashMap, time::Duration};

use shared::{
    ids::{At, Revision, WatchlistId},
    wire::snapshot::Snapshot,
};
use tokio::{sync::mpsc, time::Instant};
use tracing::warn;

use super::{command::Command, context::RoomContext, judge::Judge};
use crate::journal::StoredPart;

/// Size of a stored part of a snapshot, in bytes.
const STORED_PART_BYTES: usize = 64 * 1024;
/// A snapshot is stored after this many commits, or as many as there are rows if that is more.
const SNAPSHOT_INTERVAL: u64 = 10_000;
/// Time between two attempts to prune.
const PRUNE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The snapshots and the pruning of one watchlist.
pub(super) struct Saver {
    context: RoomContext,
    watchlist: WatchlistId,
    /// The room's own queue, to report the end of a snapshot.
    own: mpsc::WeakSender<Command>,
    /// The revision of the last stored snapshot.
    saved: Revision,
    is_saving: bool,
    prune_at: Option<Instant>,
}

impl Saver {
    /// Creates the saver of a watchlist whose last stored snapshot is at `saved`.
    pub(super) fn new(
        context: RoomContext,
        watchlist: WatchlistId,
        own: mpsc::WeakSender<Command>,
        saved: Revision,
    ) -> Self {
        Self { context, watchlist, own, saved, is_saving: false, prune_at: None }
    }

    /// Whether there are commits since the last stored snapshot that are not kept for ever.
    pub(super) fn needs_snapshot(&self, at: At) -> bool {
        self.context.settings.history_days > 0 && at.revision > self.saved
    }

    /// Whether a snapshot is being stored.
    pub(super) fn is_saving(&self) -> bool {
        self.is_saving
    }

    /// Returns when commits are to be pruned next.
    pub(super) fn prune_at(&self) -> Option<Instant> {
        self.prune_at
    }

    /// Stores a snapshot if there are enough commits since the last one.
    pub(super) fn save_if_due(&mut self, judge: &Judge, at: At) {
        let rows = judge.watchlist.rows().len() as u64;
        if at.revision.0 - self.saved.0 >= SNAPSHOT_INTERVAL.max(rows) {
            self.save(judge, at);
        }
    }

    /// Records the end of a snapshot: stored at a revision, or failed.
    pub(super) fn stored(&mut self, revision: Option<Revision>) {
        self.is_saving = false;
        self.saved = revision.unwrap_or(self.saved).max(self.saved);
        if revision.is_some() {
            self.prune();
        }
    }

    /// Prunes commits that are older than they are kept. A snapshot is stored first: only commits before one
    /// can go.
    pub(super) fn prune_old(&mut self, judge: &Judge, at: At, now: Instant) {
        if self.context.settings.history_days == 0 {
            return;
        }
        self.prune_at = Some(now + PRUNE_INTERVAL);
        if at.revision > self.saved {
            self.save(judge, at);
        } else {
            self.prune();
        }
    }

    fn prune(&self) {
        let context = self.context.clone();
        self.context.tasks.spawn(prune(context, self.watchlist));
    }

    fn save(&mut self, judge: &Judge, at: At) {
        if self.is_saving {
            return;
        }
        self.is_saving = true;
        let (frozen, watchlist) = (judge.watchlist.freeze(), self.watchlist);
        let authors: HashMap<_, _> =
            frozen.rows().filter_map(|row| Some((row.id, judge.authorship.get(row.id)?.clone()))).collect();
        let (journal, own) = (self.context.journal.clone(), self.own.clone());
        let stop = self.context.stop.clone();
        let storing = self.context.tasks.spawn(async move {
            for snapshot in Snapshot::parts(&frozen, watchlist, at, STORED_PART_BYTES) {
                let rows = snapshot.rows.iter();
                let authors =
                    rows.filter_map(|row| Some((row.row, authors.get(&row.row)?.clone()))).collect();
                if stop.is_cancelled() {
                    return None;
                }
                if let Err(error) = journal.save_part(watchlist, StoredPart { snapshot, authors }).await {
                    warn!(%watchlist, error = &error as &dyn std::error::Error, "failed to store a snapshot");
                    return None;
                }
            }
            Some(at.revision)
        });
        self.context.tasks.spawn(async move {
            // A task that panics has stored no complete snapshot.
            let stored = storing.await.unwrap_or_default();
            if let Some(own) = own.upgrade() {
                // A room that has ended does not need to know.
                drop(own.send(Command::SnapshotStored(stored)).await);
            }
        });
    }
}

/// Prunes the commits of a watchlist that are no longer kept, until the server stops.
pub async fn prune(context: RoomContext, watchlist: WatchlistId) {
    let retention = context.retention();
    let pruned = tokio::select! {
        pruned = context.journal.prune(watchlist, retention) => pruned,
        () = context.stop.cancelled() => return,
    };
    if let Err(error) = pruned {
        warn!(%watchlist, error = &error as &dyn std::error::Error, "failed to prune old commits");
    }
}
