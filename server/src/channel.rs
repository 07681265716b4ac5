//! Fan-out of one watchlist to this process's connections: what is published here reaches each subscriber once, paced, in
//! order, and in a bounded amount of memory.
//!
//! A channel is given durable commits and knows neither the journal nor who sequences the watchlist.

mod log;
mod outbox;
mod presence;
mod snapshots;
mod subscribers;

use std::{sync::Arc, time::Duration};

use shared::{
    edit::{CellRef, Commit},
    ids::{Revision, WatchlistId, WindowId},
    wire::server::ServerMessage,
};
use tokio::time::Instant;

pub use self::{
    log::conflated_bytes,
    outbox::{ConnectionId, Outbox, OutboxState, Outgoing, SnapshotFrames},
    subscribers::{Need, Subscriber},
};
use self::{presence::People, snapshots::SnapshotCache, subscribers::Subscribers};
use crate::dialect::Dialect;

/// Minimum time between two presence messages.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(100);

/// The subscribers of one watchlist, and when they are sent what.
pub struct Channel {
    watchlist: WatchlistId,
    flush_interval: Duration,
    subscribers: Subscribers,
    people: People,
    snapshots: SnapshotCache,
    last_flush: Option<Instant>,
    flush_at: Option<Instant>,
    presence_at: Option<Instant>,
    /// Connections that need commits older than those in memory.
    behind: Vec<ConnectionId>,
}

impl Channel {
    /// Creates the channel of a watchlist at a revision.
    pub fn new(watchlist: WatchlistId, revision: Revision, flush_interval: Duration) -> Self {
        Self {
            watchlist,
            flush_interval,
            subscribers: Subscribers::new(watchlist, revision),
            people: People::default(),
            snapshots: SnapshotCache::default(),
            last_flush: None,
            flush_at: None,
            presence_at: None,
            behind: Vec::new(),
        }
    }

    /// Returns the last published revision.
    pub fn published(&self) -> Revision {
        self.subscribers.log.head()
    }

    /// Returns when [`Self::wake`] has something to do.
    pub fn wake_at(&self) -> Option<Instant> {
        [self.flush_at, self.presence_at].into_iter().flatten().min()
    }

    /// Sends what is due.
    pub fn wake(&mut self) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush();
        }
        if self.presence_at.is_some_and(|at| at <= now) {
            self.send_presence();
        }
    }

    /// Adds durable commits. They are sent at once, or with the next flush if the last one was less than an interval ago.
    pub fn publish(&mut self, commits: &[Arc<Commit>]) {
        for commit in commits {
            self.subscribers.push(commit.clone());
        }
        let now = Instant::now();
        let due = self.last_flush.map_or(now, |last| last + self.flush_interval);
        if due <= now {
            self.flush();
        } else {
            self.flush_at = Some(due);
        }
    }

    /// Sends the new commits to every subscriber.
    pub fn flush(&mut self) {
        self.flush_at = None;
        if self.subscribers.is_dirty() {
            self.behind.extend(self.subscribers.flush());
            // The interval starts after a flush, so that one that takes long does not delay the room's other work.
            self.last_flush = Some(Instant::now());
            self.schedule_presence();
        }
    }

    /// Removes and returns a connection that needs commits older than those in memory.
    pub fn pop_behind(&mut self) -> Option<ConnectionId> {
        self.behind.pop()
    }

    /// Adds a subscriber that has the revision `sent` once its queue is written.
    pub fn subscribe(&mut self, subscriber: Subscriber, sent: Revision) {
        let connection = subscriber.connection;
        if self.subscribers.subscribe(subscriber, sent, !self.people.is_empty()) != Need::Nothing {
            self.behind.push(connection);
        }
        self.schedule_presence();
    }

    /// Removes a subscriber, whose windows stay present.
    pub fn unsubscribe(&mut self, connection: ConnectionId) -> Option<Subscriber> {
        self.snapshots.remove(connection);
        self.subscribers.unsubscribe(connection)
    }

    /// Removes a connection and its windows.
    pub fn leave(&mut self, connection: ConnectionId) {
        self.unsubscribe(connection);
        self.people.leave(connection);
        self.schedule_presence();
    }

    /// Continues a connection that has written its whole queue.
    pub fn catch_up(&mut self, connection: ConnectionId) -> Need {
        let need = self.subscribers.catch_up(connection);
        self.schedule_presence();
        need
    }

    /// Continues a connection with older commits, read from the journal.
    pub fn catch_up_from(&mut self, connection: ConnectionId, commits: &[Commit]) -> Need {
        let need = self.subscribers.catch_up_from(connection, commits);
        self.schedule_presence();
        need
    }

    /// Returns the approximate size of the commits after a revision, if all of them are in memory.
    pub fn bytes_since(&self, revision: Revision) -> Option<usize> {
        self.subscribers.log.bytes_since(revision)
    }

    /// Returns the approximate size of the commits after a revision once conflated, if all of them are in memory.
    pub fn conflated_bytes_since(&self, revision: Revision) -> Option<usize> {
        self.subscribers.log.conflated_bytes_since(revision)
    }

    /// Sends the cached snapshot if the commits since it are at most `whole` bytes; otherwise queues the subscriber for the next
    /// snapshot. Returns true if the next snapshot is to be encoded now.
    pub fn send_snapshot(&mut self, subscriber: Subscriber, whole: usize) -> bool {
        let is_recent = |frames: &Arc<SnapshotFrames>| {
            self.bytes_since(frames.revision).is_some_and(|bytes| bytes <= whole)
        };
        match self.snapshots.get(subscriber.dialect).filter(is_recent) {
            Some(frames) => {
                self.push_snapshot(subscriber, &frames);
                false
            }
            None => self.snapshots.enqueue(subscriber),
        }
    }

    /// Sends an encoded snapshot to every subscriber that waits for it.
    pub fn snapshot_encoded(&mut self, dialect: Dialect, frames: &Arc<SnapshotFrames>) {
        for subscriber in self.snapshots.store(dialect, frames) {
            self.push_snapshot(subscriber, frames);
        }
    }

    /// Forgets the encoded snapshots.
    pub fn invalidate_snapshots(&mut self) {
        self.snapshots.invalidate();
    }

    fn push_snapshot(&mut self, subscriber: Subscriber, frames: &Arc<SnapshotFrames>) {
        if subscriber.outbox.push_always(Outgoing::Snapshot(frames.clone())) {
            self.subscribe(subscriber, frames.revision);
        }
    }

    /// Records where a window of a subscriber is.
    pub fn set_presence(
        &mut self,
        connection: ConnectionId,
        window: WindowId,
        (cell, editing): (Option<CellRef>, bool),
    ) {
        let waiting = || self.snapshots.waiting().find(|waiting| waiting.connection == connection);
        if let Some(subscriber) = self.subscribers.get(connection).or_else(waiting) {
            let who = (subscriber.client, subscriber.name.clone());
            self.people.set_window((connection, window), who, (cell, editing));
            self.schedule_presence();
        }
    }

    /// Sends a last message to every subscriber.
    pub fn close(&mut self, message: &ServerMessage) {
        self.flush();
        for subscriber in self.subscribers.iter().chain(self.snapshots.waiting()) {
            subscriber.outbox.push_always(Outgoing::Frame(subscriber.dialect.encode(message)));
        }
    }

    fn schedule_presence(&mut self) {
        let is_due = self.people.changed || self.subscribers.has_missed_presence();
        if is_due && self.presence_at.is_none() {
            self.presence_at = Some(Instant::now() + PRESENCE_INTERVAL);
        }
    }

    fn send_presence(&mut self) {
        self.presence_at = None;
        let only_missed = !std::mem::take(&mut self.people.changed);
        let message = ServerMessage::Presence(self.people.message(self.watchlist));
        self.subscribers.send_presence(&message, only_missed);
        self.schedule_presence();
    }
}
