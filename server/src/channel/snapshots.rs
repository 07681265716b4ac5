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

/// Size of the snapshots of a watchlist that may be held for slow connections, in bytes, and as a multiple of
/// the newest: one is sent in several forms. Past it the oldest are no longer sent.
const HELD_BYTES: usize = 64 << 20;
const HELD_COUNT: usize = 4;

/// The last snapshot of a form.
struct Encoded {
    frames: Weak<SnapshotFrames>,
    /// See [`CommitLog::total_at`](super::log::CommitLog::total_at).
    total: u64,
}

/// The snapshots that connections are being sent, and the connections that wait for the next one.
#[derive(Default)]
pub(super) struct SnapshotCache {
    encoded: BTreeMap<Form, Encoded>,
    /// The snapshots that connections may still be sent, oldest first.
    held: Vec<Weak<SnapshotFrames>>,
    /// The forms in which a snapshot is being encoded.
    encoding: BTreeSet<Form>,
    waiting: BTreeMap<Form, Vec<Subscriber>>,
    /// The last snapshot that was queued for each connection.
    queued: BTreeMap<ConnectionId, SnapshotCancel>,
}

impl SnapshotCache {
    /// Returns the last snapshot of a form while a connection still holds it, with the size of the commits up
    /// to it.
    pub(super) fn get(&self, form: Form) -> Option<(Arc<SnapshotFrames>, u64)> {
        let encoded = self.encoded.get(&form)?;
        Some((encoded.frames.upgrade()?, encoded.total))
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

    /// Keeps an encoded snapshot, if it could be encoded, with the size of the commits up to it, and returns
    /// the connections that wait for it.
    pub(super) fn finish_encoding(
        &mut self,
        form: Form,
        encoded: Option<(&Arc<SnapshotFrames>, u64)>,
    ) -> Vec<Subscriber> {
        self.encoding.remove(&form);
        if let Some((frames, total)) = encoded {
            self.encoded.insert(form, Encoded { frames: Arc::downgrade(frames), total });
            self.limit_held(frames);
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

    /// Takes the oldest snapshots from the connections that are still being sent them, if a new one makes them
    /// too large together. Those connections end.
    fn limit_held(&mut self, newest: &Arc<SnapshotFrames>) {
        let most = HELD_BYTES.max(newest.bytes().saturating_mul(HELD_COUNT));
        let older: Vec<Arc<SnapshotFrames>> = self.held.iter().filter_map(Weak::upgrade).collect();
        let mut bytes = newest.bytes() + older.iter().map(|frames| frames.bytes()).sum::<usize>();
        let mut kept = older.into_iter().peekable();
        while let Some(oldest) = kept.next_if(|_| bytes > most) {
            bytes -= oldest.bytes();
            self.queued.values().for_each(|queued| queued.expire(&oldest));
        }
        self.held = kept.map(|frames| Arc::downgrade(&frames)).chain([Arc::downgrade(newest)]).collect();
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

    /// Cancels what connections are being sent.
    pub(super) fn cancel_all(&mut self) {
        self.queued.values().for_each(SnapshotCancel::cancel);
        self.queued.clear();
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

#[cfg(test)]
mod tests {
    use shared::{
        ids::{ClientId, Revision},
        wire::{
            codec::Encoding,
            server::{self, ErrorCode, ServerMessage},
        },
    };
    use uuid::Uuid;

    use super::*;
    use crate::channel::{Outbox, SnapshotPart};

    const DIALECT: Dialect = Dialect::WebSocket(Encoding::Json);

    fn snapshot(revision: u64, bytes: usize) -> Arc<SnapshotFrames> {
        let (code, message) = (ErrorCode::Unavailable, "x".repeat(bytes).into());
        let part = ServerMessage::Error(server::Error { code, message, request: None, watchlist: None });
        Arc::new(SnapshotFrames::new(Revision(revision), vec![DIALECT.encode(&part)]))
    }

    /// Encodes another snapshot for another connection.
    fn send(cache: &mut SnapshotCache, number: u64) -> QueuedSnapshot {
        let form = Form { dialect: DIALECT, role: ListRole::Viewer };
        let (outbox, mut items, _state) = Outbox::new(1_000);
        let connection = ConnectionId(number);
        let (client, name) = (ClientId(Uuid::nil()), "ann".into());
        let subscriber = Subscriber { connection, client, name, dialect: DIALECT, role: form.role, outbox };
        cache.enqueue(subscriber);
        assert_eq!(cache.start_encoding(), Some(form));
        let frames = snapshot(number, 20 << 20);
        let waiting = cache.finish_encoding(form, Some((&frames, 0)));
        assert!(waiting.len() == 1 && cache.queue(&waiting[0], &frames));
        match items.try_recv() {
            Ok(Outgoing::Snapshot(queued)) => queued,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_oldest_snapshots_are_taken_from_connections_that_still_hold_them() {
        let mut cache = SnapshotCache::default();
        let mut held: Vec<QueuedSnapshot> = (1..=3).map(|number| send(&mut cache, number)).collect();
        // Two connections have read theirs.
        held.drain(..2);
        held.extend((4..=6).map(|number| send(&mut cache, number)));
        let is_sent = |queued: &QueuedSnapshot| matches!(queued.part(0), SnapshotPart::Frame(_));
        assert!(held.iter().all(is_sent), "four of them fit");
        held.extend((7..=8).map(|number| send(&mut cache, number)));
        let sent: Vec<bool> = held.iter().map(is_sent).collect();
        assert_eq!(sent, [false, false, true, true, true, true]);
        assert!(matches!(held[0].part(0), SnapshotPart::TooSlow));
    }
}
