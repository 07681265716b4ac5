//! The subscribers of one watchlist, and when they are sent what. No IO: what has to be read is returned as a [`Job`].

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use shared::{
    account::ListRole,
    edit::{CellRef, Commit},
    ids::{At, Revision, WatchlistId, WindowId},
    watchlist::Columns,
    wire::server::{self, Access, ErrorCode, Resumed, ServerMessage},
};
use tokio::time::Instant;

use super::{
    catch_up::Missed,
    log::fitting_count,
    outbox::{ConnectionId, Outgoing, SnapshotFrames},
    presence::People,
    snapshots::{Form, SnapshotCache},
    subscribers::{Need, Recipient, Subscriber, Subscribers},
};
use crate::{event::Published, unavailable::Unavailable};

/// Minimum time between two presence messages.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(100);

/// The fan-out of one watchlist.
pub(super) struct FanOut {
    watchlist: WatchlistId,
    flush_interval: Duration,
    state: PublishedState,
    subscribers: Subscribers,
    people: People,
    snapshots: SnapshotCache,
    reads: Reads,
    last_flush: Option<Instant>,
    flush_at: Option<Instant>,
    presence_at: Option<Instant>,
}

/// What is known of the watchlist's last published state.
struct PublishedState {
    at: At,
    columns: Columns,
    approximate_bytes: usize,
}

/// Connections that need commits older than those in memory. These are read for one connection at a time, so
/// that they take a bounded amount of memory.
#[derive(Default)]
struct Reads {
    waiting: BTreeSet<ConnectionId>,
    /// The read to start next.
    next: Option<Missed>,
    /// Whether a read is to be started or under way.
    is_reading: bool,
    /// The connection that the read is for, unless it has unsubscribed since.
    connection: Option<ConnectionId>,
}

/// Something to be read, whose result is passed to [`FanOut::commits_read`] or [`FanOut::snapshot_encoded`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    Read(Missed),
    EncodeSnapshot(Form),
}

impl FanOut {
    /// Creates the fan-out of a watchlist from its first event.
    pub(super) fn new(watchlist: WatchlistId, first: Published, flush_interval: Duration) -> Self {
        let start = Revision(first.at.revision.0 - first.commits.len() as u64);
        let Published { commits, at, columns, approximate_bytes } = first;
        let mut fan_out = Self {
            watchlist,
            flush_interval,
            state: PublishedState { at, columns, approximate_bytes },
            subscribers: Subscribers::new(watchlist, start),
            people: People::default(),
            snapshots: SnapshotCache::default(),
            reads: Reads::default(),
            last_flush: None,
            flush_at: None,
            presence_at: None,
        };
        commits.iter().for_each(|commit| fan_out.subscribers.push(commit.clone()));
        fan_out
    }

    /// Returns when [`Self::wake`] has something to do.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        [self.flush_at, self.presence_at].into_iter().flatten().min()
    }

    /// Sends what is due.
    pub(super) fn wake(&mut self) {
        let now = Instant::now();
        if self.flush_at.is_some_and(|at| at <= now) {
            self.flush();
        }
        if self.presence_at.is_some_and(|at| at <= now) {
            self.send_presence();
        }
    }

    /// Returns something to read. The caller calls this after every change until there is nothing.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        loop {
            // A connection that waits for commits may turn out to need a snapshot.
            if let Some(form) = self.snapshots.start_encoding() {
                return Some(Job::EncodeSnapshot(form));
            }
            if self.reads.is_reading {
                return self.reads.next.take().map(Job::Read);
            }
            let connection = self.reads.waiting.pop_first()?;
            // A read for another connection may have brought these commits into memory.
            if let Some((subscriber, from)) = self.subscribers.take_resumable(connection) {
                let at = At { epoch: self.state.at.epoch, revision: from };
                self.subscribe(subscriber, Some(at));
                continue;
            }
            if let Need::Journal(from) = self.subscribers.catch_up(connection) {
                self.start_read(connection, from, Some(self.state.approximate_bytes));
            }
            self.schedule_presence();
        }
    }

    /// Adds durable commits. They are sent at once, or with the next flush if the last one was less than an
    /// interval ago.
    pub(super) fn publish(&mut self, published: Published) {
        let Published { commits, at, columns, approximate_bytes } = published;
        self.state = PublishedState { at, columns, approximate_bytes };
        for commit in commits.iter() {
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
    pub(super) fn flush(&mut self) {
        self.flush_at = None;
        if self.subscribers.is_dirty() {
            self.reads.waiting.extend(self.subscribers.flush());
            // The interval starts after a flush, so that one that takes long leaves time for the other
            // commands.
            self.last_flush = Some(Instant::now());
            self.schedule_presence();
        }
    }

    /// Sends the watchlist to a connection and keeps it up to date: with the commits after `at` if they are
    /// available and smaller than a snapshot, otherwise with a snapshot.
    pub(super) fn subscribe(&mut self, subscriber: Subscriber, at: Option<At>) {
        // Subscribing again starts over.
        self.unsubscribe(subscriber.connection);
        let head = self.state.at;
        let at = at.filter(|at| at.epoch == head.epoch && at.revision <= head.revision);
        let Some(at) = at else { return self.send_snapshot(subscriber, None) };
        match self.is_worth_resuming(at.revision) {
            Some(true) => {
                self.resume(subscriber, at.revision);
            }
            Some(false) => self.send_snapshot(subscriber, Some(at.revision)),
            None => {
                self.reads.waiting.insert(subscriber.connection);
                self.subscribers.subscribe_later(subscriber, at.revision);
            }
        }
    }

    /// Removes a connection and its windows.
    pub(super) fn leave(&mut self, connection: ConnectionId) {
        self.unsubscribe(connection);
        self.people.leave(connection);
        self.schedule_presence();
    }

    /// Removes a connection whose caller may no longer see the watchlist, and tells it last.
    pub(super) fn forbid(&mut self, recipient: &Recipient) {
        self.leave(recipient.connection);
        recipient.send_forbidden(self.watchlist);
    }

    /// Continues a connection that has written its whole queue.
    pub(super) fn catch_up(&mut self, connection: ConnectionId) {
        if self.subscribers.catch_up(connection) != Need::Nothing {
            self.reads.waiting.insert(connection);
        }
        self.schedule_presence();
    }

    /// Continues a connection with commits that were read for it, or with a snapshot if there are none.
    pub(super) fn commits_read(&mut self, commits: Result<Option<Vec<Commit>>, Unavailable>) {
        self.reads.is_reading = false;
        let Some(connection) = self.reads.connection.take() else { return };
        if commits.is_err() {
            // A snapshot that was encoded before may need the same commits.
            self.snapshots.invalidate();
        }
        let Ok(Some(mut commits)) = commits else {
            let has = self.subscribers.sent(connection);
            if let Some(subscriber) = self.unsubscribe(connection) {
                self.send_snapshot(subscriber, has);
            }
            return;
        };
        if self.subscribers.log.extend_back(&commits) {
            // Every connection that waits for these commits is sent them from memory.
            self.reads.waiting.insert(connection);
            return;
        }
        commits.truncate(fitting_count(&commits));
        if let Some(subscriber) = self.subscribers.remove_resuming(connection)
            && !self.resume(subscriber, Revision(commits[0].revision.0 - 1))
        {
            return;
        }
        if let Need::Journal(from) = self.subscribers.catch_up_from(connection, &commits) {
            self.start_read(connection, from, None);
        }
        self.schedule_presence();
    }

    /// Sends an encoded snapshot, or why there is none, to every subscriber that waits for it.
    pub(super) fn snapshot_encoded(&mut self, form: Form, frames: Result<Arc<SnapshotFrames>, Unavailable>) {
        let log = &self.subscribers.log;
        let encoded = frames.as_ref().ok().map(|frames| (frames, log.total_at(frames.revision)));
        for subscriber in self.snapshots.finish_encoding(form, encoded) {
            match &frames {
                Ok(frames) => self.push_snapshot(subscriber, frames),
                Err(reason) => subscriber.send_always(&unavailable(self.watchlist, *reason)),
            }
        }
    }

    /// Records where a window of a subscriber is. A cell of an unknown column is left out.
    pub(super) fn set_presence(
        &mut self,
        connection: ConnectionId,
        window: WindowId,
        (cell, editing): (Option<CellRef>, bool),
    ) {
        let cell = cell.filter(|cell| self.state.columns.get(&cell.column).is_some());
        let waiting = || self.snapshots.waiting().find(|waiting| waiting.connection == connection);
        if let Some(subscriber) = self.subscribers.get(connection).or_else(waiting) {
            let who = (subscriber.client, subscriber.name.clone());
            self.people.set_window((connection, window), who, (cell, editing));
            self.schedule_presence();
        }
    }

    /// Changes the role of a connection's caller, and tells the connection.
    pub(super) fn set_role(&mut self, connection: ConnectionId, role: ListRole) {
        let waiting = self.snapshots.set_role(connection, role);
        if let Some(subscriber) = self.subscribers.set_role(connection, role).or(waiting.as_ref()) {
            let access = Access { watchlist: self.watchlist, role };
            subscriber.send_always(&ServerMessage::Access(access));
        }
    }

    /// Sends a last message to every subscriber.
    pub(super) fn close(&mut self, message: &ServerMessage) {
        self.flush();
        self.snapshots.cancel_all();
        for subscriber in self.subscribers.iter().chain(self.snapshots.waiting()) {
            subscriber.send_always(message);
        }
    }

    /// Removes a subscriber, whose windows stay present.
    fn unsubscribe(&mut self, connection: ConnectionId) -> Option<Subscriber> {
        self.snapshots.remove(connection);
        self.reads.waiting.remove(&connection);
        self.reads.connection = self.reads.connection.filter(|reading| *reading != connection);
        self.subscribers.unsubscribe(connection)
    }

    /// Whether the commits after a revision are smaller, once conflated, than a snapshot. `None` if they are
    /// not in memory.
    fn is_worth_resuming(&mut self, from: Revision) -> Option<bool> {
        let (log, whole) = (&mut self.subscribers.log, self.state.approximate_bytes);
        Some(log.bytes_since(from)? <= whole || log.conflated_bytes_since(from)? <= whole)
    }

    /// Continues a connection from the revision that it has. Returns false if it is sent a snapshot instead:
    /// more is queued for it than fits.
    fn resume(&mut self, subscriber: Subscriber, from: Revision) -> bool {
        let At { epoch, revision } = self.state.at;
        let role = Some(subscriber.role);
        let resumed = Resumed { watchlist: self.watchlist, epoch, revision, role };
        let frame = subscriber.dialect.encode(&ServerMessage::Resumed(resumed));
        let is_resumed = subscriber.outbox.push(Outgoing::Frame(frame));
        if is_resumed {
            self.subscribe_from(subscriber, from);
        } else {
            // The snapshot may be of the revision that the connection has.
            self.send_snapshot(subscriber, from.0.checked_sub(1).map(Revision));
        }
        is_resumed
    }

    /// Adds a subscriber that has the revision `sent` once its queue is written.
    fn subscribe_from(&mut self, subscriber: Subscriber, sent: Revision) {
        let connection = subscriber.connection;
        if self.subscribers.subscribe(subscriber, sent) != Need::Nothing {
            self.reads.waiting.insert(connection);
        }
        self.schedule_presence();
    }

    /// Sends a snapshot that is newer than what the connection has: one that others are being sent if the
    /// commits since are smaller than another, else a new one. Otherwise connections that read slowly would
    /// each hold another snapshot while commits are made.
    fn send_snapshot(&mut self, subscriber: Subscriber, has: Option<Revision>) {
        let (log, whole) = (&self.subscribers.log, self.state.approximate_bytes);
        let is_recent = |(frames, total): &(Arc<SnapshotFrames>, u64)| {
            // What has to be read from the journal takes longer.
            let most = if log.bytes_since(frames.revision).is_some() { whole } else { whole / 2 };
            // The room's state may be ahead of the events.
            let is_small = frames.revision > log.head() || log.total_at(log.head()) - total <= most as u64;
            is_small && has.is_none_or(|has| frames.revision > has)
        };
        match self.snapshots.get(Form::of(&subscriber)).filter(is_recent) {
            Some((frames, _)) => self.push_snapshot(subscriber, &frames),
            None => self.snapshots.enqueue(subscriber),
        }
    }

    fn push_snapshot(&mut self, subscriber: Subscriber, frames: &Arc<SnapshotFrames>) {
        if self.snapshots.queue(&subscriber, frames) {
            self.subscribe_from(subscriber, frames.revision);
        }
    }

    fn start_read(&mut self, connection: ConnectionId, from: Revision, whole: Option<usize>) {
        let next = Some(Missed { from, to: self.state.at.revision, whole });
        let waiting = std::mem::take(&mut self.reads.waiting);
        self.reads = Reads { waiting, next, is_reading: true, connection: Some(connection) };
    }

    fn schedule_presence(&mut self) {
        let is_due = self.people.has_changed() || self.subscribers.has_missed_presence();
        if is_due && self.presence_at.is_none() {
            self.presence_at = Some(Instant::now() + PRESENCE_INTERVAL);
        }
    }

    fn send_presence(&mut self) {
        self.presence_at = None;
        let difference = self.people.take_difference(self.watchlist).map(ServerMessage::Presence);
        let whole = || ServerMessage::Presence(self.people.whole(self.watchlist));
        self.subscribers.send_presence(difference.as_ref(), whole);
        self.schedule_presence();
    }
}

/// Returns the message for a connection whose watchlist is not served.
pub(super) fn unavailable(watchlist: WatchlistId, reason: Unavailable) -> ServerMessage {
    ServerMessage::Error(server::Error {
        code: ErrorCode::Unavailable,
        message: reason.message().into(),
        request: None,
        watchlist: Some(watchlist),
    })
}

#[cfg(test)]
mod tests;
