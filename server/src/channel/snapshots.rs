//! Snapshots on their way: encoded once for each dialect and shared by every connection that waits for one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use super::{
    outbox::{ConnectionId, Outgoing, QueuedSnapshot, SnapshotCancel, SnapshotFrames},
    subscribers::Subscriber,
};
use crate::dialect::Dialect;

/// The snapshots that connections are being sent, and the connections that wait for the next one.
#[derive(Default)]
pub(super) struct SnapshotCache {
    encoded: BTreeMap<Dialect, Weak<SnapshotFrames>>,
    /// The dialects in which a snapshot is being encoded.
    encoding: BTreeSet<Dialect>,
    waiting: BTreeMap<Dialect, Vec<Subscriber>>,
    /// The last snapshot that was queued for each connection.
    queued: BTreeMap<ConnectionId, SnapshotCancel>,
}

impl SnapshotCache {
    /// Returns the last snapshot of a dialect while a connection still holds it.
    pub(super) fn get(&self, dialect: Dialect) -> Option<Arc<SnapshotFrames>> {
        self.encoded.get(&dialect).and_then(Weak::upgrade)
    }

    /// Adds a connection that waits for the next snapshot.
    pub(super) fn enqueue(&mut self, subscriber: Subscriber) {
        self.waiting.entry(subscriber.dialect).or_default().push(subscriber);
    }

    /// Returns a dialect in which a snapshot is to be encoded now: connections wait for it.
    pub(super) fn start_encoding(&mut self) -> Option<Dialect> {
        let mut needed = self.waiting.iter().filter(|(_, waiting)| !waiting.is_empty());
        let (dialect, _) = needed.find(|(dialect, _)| !self.encoding.contains(dialect))?;
        self.encoding.insert(*dialect);
        Some(*dialect)
    }

    /// Keeps an encoded snapshot, if it could be encoded, and returns the connections that wait for it.
    pub(super) fn finish_encoding(
        &mut self,
        dialect: Dialect,
        frames: Option<&Arc<SnapshotFrames>>,
    ) -> Vec<Subscriber> {
        self.encoding.remove(&dialect);
        if let Some(frames) = frames {
            self.encoded.insert(dialect, Arc::downgrade(frames));
        }
        self.waiting.remove(&dialect).unwrap_or_default()
    }

    /// Queues a snapshot for a connection. Returns false if the connection is gone.
    pub(super) fn queue(&mut self, subscriber: &Subscriber, frames: &Arc<SnapshotFrames>) -> bool {
        let (queued, cancel) = QueuedSnapshot::new(frames.clone());
        let is_queued = subscriber.outbox.push_always(Outgoing::Snapshot(queued));
        if is_queued {
            self.queued.insert(subscriber.connection, cancel);
        }
        is_queued
    }

    /// Forgets the encoded snapshots: only one of this moment will do.
    pub(super) fn invalidate(&mut self) {
        self.encoded.clear();
    }

    /// Removes a connection that waits or is being sent a snapshot.
    pub(super) fn remove(&mut self, connection: ConnectionId) {
        if let Some(queued) = self.queued.remove(&connection) {
            queued.cancel();
        }
        for waiting in self.waiting.values_mut() {
            waiting.retain(|subscriber| subscriber.connection != connection);
        }
    }

    /// Returns the connections that wait for a snapshot.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Subscriber> {
        self.waiting.values().flatten()
    }
}
