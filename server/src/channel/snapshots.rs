//! Snapshots on their way: encoded once for each form and shared by every connection that waits for one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use shared::account::ListRole;

use super::{
    outbox::{ConnectionId, Outgoing, QueuedSnapshot, SnapshotCancel, SnapshotFrames},
    subscribers::Subscriber,
};
use crate::dialect::Dialect;

/// What the snapshots of two connections may differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub(super) dialect: Dialect,
    /// The caller's role, which a snapshot names.
    pub(super) role: ListRole,
}

impl Form {
    /// Returns the form for a connection.
    pub(super) fn of(subscriber: &Subscriber) -> Self {
        Self { dialect: subscriber.dialect, role: subscriber.role }
    }
}

/// The snapshots that connections are being sent, and the connections that wait for the next one.
#[derive(Default)]
pub(super) struct SnapshotCache {
    encoded: BTreeMap<Form, Weak<SnapshotFrames>>,
    /// The forms in which a snapshot is being encoded.
    encoding: BTreeSet<Form>,
    waiting: BTreeMap<Form, Vec<Subscriber>>,
    /// The last snapshot that was queued for each connection.
    queued: BTreeMap<ConnectionId, SnapshotCancel>,
}

impl SnapshotCache {
    /// Returns the last snapshot of a form while a connection still holds it.
    pub(super) fn get(&self, form: Form) -> Option<Arc<SnapshotFrames>> {
        self.encoded.get(&form).and_then(Weak::upgrade)
    }

    /// Adds a connection that waits for the next snapshot.
    pub(super) fn enqueue(&mut self, subscriber: Subscriber) {
        self.waiting.entry(Form::of(&subscriber)).or_default().push(subscriber);
    }

    /// Returns a form in which a snapshot is to be encoded now: connections wait for it.
    pub(super) fn start_encoding(&mut self) -> Option<Form> {
        let mut needed = self.waiting.iter().filter(|(_, waiting)| !waiting.is_empty());
        let (form, _) = needed.find(|(form, _)| !self.encoding.contains(form))?;
        self.encoding.insert(*form);
        Some(*form)
    }

    /// Keeps an encoded snapshot, if it could be encoded, and returns the connections that wait for it.
    pub(super) fn finish_encoding(
        &mut self,
        form: Form,
        frames: Option<&Arc<SnapshotFrames>>,
    ) -> Vec<Subscriber> {
        self.encoding.remove(&form);
        if let Some(frames) = frames {
            self.encoded.insert(form, Arc::downgrade(frames));
        }
        self.waiting.remove(&form).unwrap_or_default()
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

    /// Changes the role of a connection that waits, and returns it.
    pub(super) fn set_role(&mut self, connection: ConnectionId, role: ListRole) -> Option<Subscriber> {
        let found = self.waiting.values_mut().find_map(|waiting| {
            let index = waiting.iter().position(|subscriber| subscriber.connection == connection)?;
            Some(waiting.swap_remove(index))
        })?;
        let subscriber = Subscriber { role, ..found };
        self.enqueue(subscriber.clone());
        Some(subscriber)
    }

    /// Returns the connections that wait for a snapshot.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Subscriber> {
        self.waiting.values().flatten()
    }
}
