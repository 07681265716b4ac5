//! The watchlist whole: encoded once for all who wait for it, and stored so that a start need not replay everything.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use shared::{
    ids::Revision,
    wire::{codec::Encoding, server::ServerMessage},
};
use tokio::time::Instant;
use tracing::warn;

use super::Room;
use crate::{
    fanout::{Outgoing, SnapshotFrames, Subscriber},
    frame::Frame,
    journal::StoredPart,
    room::Command,
};

/// A part of a snapshot as it travels, in bytes.
const PART_BYTES: usize = 16 * 1024;
/// A part of a snapshot as it is stored, in bytes.
const STORED_PART_BYTES: usize = 64 * 1024;
/// A new snapshot is stored after so many commits, or as many as there are rows.
const SNAPSHOT_EVERY: u64 = 10_000;
/// How often old commits are looked for.
const PRUNE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

impl Room {
    /// Sends the watchlist whole: a snapshot that others are being sent, where it will do, or a new one.
    pub(super) fn send_snapshot(&mut self, subscriber: Subscriber) {
        let encoding = subscriber.encoding;
        let held = self.encoded.get(&encoding).and_then(Weak::upgrade);
        if let Some(frames) = held.filter(|frames| self.is_recent(frames.revision)) {
            return self.hand_snapshot(subscriber, &frames);
        }
        let waiting = self.waiting.entry(encoding).or_default();
        waiting.push(subscriber);
        if waiting.len() > 1 {
            return;
        }
        let (frozen, at, watchlist) = (self.judge.watchlist.freeze(), self.at(), self.watchlist);
        let own = self.own.clone();
        let encode = move || {
            let parts = frozen.parts(watchlist, at, PART_BYTES);
            parts.map(|part| Frame::encode(encoding, &ServerMessage::Snapshot(part))).collect::<Vec<Frame>>()
        };
        self.context.tasks.spawn(async move {
            let frames = tokio::task::spawn_blocking(encode).await.expect("encoding does not panic");
            let frames = Arc::new(SnapshotFrames { revision: at.revision, frames });
            if let Some(own) = own.upgrade() {
                // The room is gone where it does not take this.
                drop(own.send(Command::Encoded { encoding, revision: at.revision, frames }).await);
            }
        });
    }

    /// Whether a snapshot of a revision, and what came since, are not much more than a new one.
    fn is_recent(&self, revision: Revision) -> bool {
        let whole = self.judge.watchlist.approximate_bytes();
        self.fanout.bytes_since(revision).is_some_and(|bytes| bytes <= whole)
    }

    pub(super) fn snapshot_encoded(
        &mut self,
        encoding: Encoding,
        revision: Revision,
        frames: &Arc<SnapshotFrames>,
    ) {
        debug_assert!(revision <= self.judge.revision, "snapshots are of what is on disk");
        self.encoded.insert(encoding, Arc::downgrade(frames));
        for subscriber in self.waiting.remove(&encoding).unwrap_or_default() {
            self.hand_snapshot(subscriber, frames);
        }
    }

    fn hand_snapshot(&mut self, subscriber: Subscriber, frames: &Arc<SnapshotFrames>) {
        if subscriber.outbox.push_always(Outgoing::Snapshot(frames.clone())) {
            self.joined(subscriber, frames.revision);
        }
    }

    pub(super) fn save_if_due(&mut self) {
        let rows = self.judge.watchlist.rows().len() as u64;
        if self.judge.revision.0 - self.saved.0 >= SNAPSHOT_EVERY.max(rows) {
            self.save();
        }
    }

    /// Forgets what is older than it is kept, from time to time. A snapshot comes first, without which nothing can go.
    pub(super) fn prune_old(&mut self) {
        if self.context.settings.history_days == 0 {
            return;
        }
        self.prune_at = Some(Instant::now() + PRUNE_INTERVAL);
        if self.judge.revision > self.saved {
            self.save();
        } else {
            self.prune();
        }
    }

    /// Forgets commits that are no longer to be kept.
    pub(super) fn prune(&self) {
        let (before, keep) = self.context.settings.retention((self.context.clock)());
        let (journal, watchlist) = (self.context.journal.clone(), self.watchlist);
        self.context.tasks.spawn(async move {
            if let Err(error) = journal.prune(watchlist, before, keep).await {
                warn!(error = &error as &dyn std::error::Error, "old commits could not be taken away");
            }
        });
    }

    fn save(&mut self) {
        if self.saving {
            return;
        }
        self.saving = true;
        let (frozen, at, watchlist) = (self.judge.watchlist.freeze(), self.at(), self.watchlist);
        let authors: HashMap<_, _> = frozen
            .rows()
            .filter_map(|row| Some((row.id, self.judge.authorship.get(row.id)?.clone())))
            .collect();
        let (journal, own) = (self.context.journal.clone(), self.own.clone());
        self.context.tasks.spawn(async move {
            let mut saved = Some(at.revision);
            for snapshot in frozen.parts(watchlist, at, STORED_PART_BYTES) {
                let authors = snapshot
                    .rows
                    .iter()
                    .filter_map(|row| Some((row.row, authors.get(&row.row)?.clone())))
                    .collect();
                if let Err(error) = journal.save_part(watchlist, StoredPart { snapshot, authors }).await {
                    warn!(error = &error as &dyn std::error::Error, "a snapshot could not be stored");
                    saved = None;
                    break;
                }
            }
            if let Some(own) = own.upgrade() {
                // The room is gone where it does not take this.
                drop(own.send(Command::Saved(saved)).await);
            }
        });
    }
}
