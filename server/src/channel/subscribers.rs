//! The subscribers of one watchlist: each gets one conflated batch per flush, shared by all that are up to
//! date, and a conflated catch-up if it has fallen behind.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    account::ListRole,
    edit::Commit,
    ids::{ClientId, Revision, WatchlistId},
    wire::server::{Closed, ClosedReason, ServerMessage},
};

use super::{
    log::{CommitLog, changes_frame},
    outbox::{ConnectionId, Outbox, Outgoing},
};
use crate::dialect::{Dialect, frame::Frame};

/// A connection that has a watchlist open.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// The connection.
    pub connection: ConnectionId,
    /// The client whose edits come over it.
    pub client: ClientId,
    /// Name of the person, as others see it.
    pub name: Arc<str>,
    /// What the connection speaks.
    pub dialect: Dialect,
    /// The caller's role on the watchlist.
    pub role: ListRole,
    /// The queue to the connection.
    pub outbox: Outbox,
}

/// A connection that is sent a last message, whether or not it still has the watchlist open.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The connection.
    pub connection: ConnectionId,
    /// What the connection speaks.
    pub dialect: Dialect,
    /// The queue to the connection.
    pub outbox: Outbox,
}

impl Subscriber {
    /// Queues a message that must not be dropped.
    pub(super) fn send_always(&self, message: &ServerMessage) {
        self.outbox.push_always(Outgoing::Frame(self.dialect.encode(message)));
    }
}

impl Recipient {
    /// Says that the caller may no longer see a watchlist.
    pub(super) fn send_forbidden(&self, watchlist: WatchlistId) {
        let closed = ServerMessage::Closed(Closed { watchlist, reason: ClosedReason::Forbidden });
        self.outbox.push_always(Outgoing::Forbidden(self.dialect.encode(&closed)));
    }
}

struct SubscriberState {
    subscriber: Subscriber,
    /// The revision that the connection has once its queue is written.
    sent: Revision,
    /// Whether it takes part in flushes. Otherwise it is caught up once its queue is written.
    ready: bool,
    /// Whether it will resume once the commits that it missed are read. It is sent nothing before: they are
    /// older than those in memory.
    resuming: bool,
    /// Whether it needs all windows: it has just subscribed, or missed a difference.
    presence_missed: bool,
}

/// What a connection needs to catch up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing for the moment.
    Nothing,
    /// The commits after this revision, which are not in memory.
    Journal(Revision),
}

/// The subscribers of one watchlist and the commits that they may not have yet.
pub(super) struct Subscribers {
    watchlist: WatchlistId,
    pub(super) log: CommitLog,
    /// Every subscriber that is ready has been sent the commits up to here.
    flushed: Revision,
    subscriptions: BTreeMap<ConnectionId, SubscriberState>,
}

impl Subscribers {
    /// Creates the subscribers of a watchlist at a revision.
    pub(super) fn new(watchlist: WatchlistId, revision: Revision) -> Self {
        let log = CommitLog::new(revision);
        Self { watchlist, log, flushed: revision, subscriptions: BTreeMap::new() }
    }

    /// Whether there are commits to flush.
    pub(super) fn is_dirty(&self) -> bool {
        self.flushed < self.log.head()
    }

    /// Adds a durable commit.
    pub(super) fn push(&mut self, commit: Arc<Commit>) {
        debug_assert_eq!(commit.revision, self.log.head().next(), "events have no gaps");
        self.log.push(commit, self.flushed);
    }

    /// Adds a connection that has, or will have once its queue is written, the revision `sent`, and catches
    /// it up from there.
    pub(super) fn subscribe(&mut self, subscriber: Subscriber, sent: Revision) -> Need {
        let connection = subscriber.connection;
        let subscription =
            SubscriberState { subscriber, sent, ready: false, resuming: false, presence_missed: true };
        let is_in_memory = sent >= self.log.start();
        let is_written = is_in_memory || !subscription.subscriber.outbox.notify_when_empty();
        self.subscriptions.insert(connection, subscription);
        // There is no room for commits of the journal before its queue is written.
        if is_written { self.catch_up(connection) } else { Need::Nothing }
    }

    /// Adds a connection that has a revision, and resumes once the commits that it missed are read.
    pub(super) fn subscribe_later(&mut self, subscriber: Subscriber, sent: Revision) {
        let connection = subscriber.connection;
        let subscription =
            SubscriberState { subscriber, sent, ready: false, resuming: true, presence_missed: false };
        self.subscriptions.insert(connection, subscription);
    }

    /// Removes and returns a connection that is to resume, with its revision, if the commits that it missed
    /// are in memory.
    pub(super) fn take_resumable(&mut self, connection: ConnectionId) -> Option<(Subscriber, Revision)> {
        let start = self.log.start();
        let known = self.subscriptions.get(&connection)?;
        let from = Some(known.sent).filter(|sent| known.resuming && *sent >= start)?;
        Some((self.unsubscribe(connection)?, from))
    }

    /// Removes and returns a connection that is to resume.
    pub(super) fn remove_resuming(&mut self, connection: ConnectionId) -> Option<Subscriber> {
        let is_resuming = self.subscriptions.get(&connection).is_some_and(|known| known.resuming);
        if is_resuming { self.unsubscribe(connection) } else { None }
    }

    /// Removes a connection and returns it if it was there.
    pub(super) fn unsubscribe(&mut self, connection: ConnectionId) -> Option<Subscriber> {
        self.subscriptions.remove(&connection).map(|subscription| subscription.subscriber)
    }

    pub(super) fn get(&self, connection: ConnectionId) -> Option<&Subscriber> {
        self.subscriptions.get(&connection).map(|subscription| &subscription.subscriber)
    }

    /// Returns the revision that a connection has once its queue is written.
    pub(super) fn sent(&self, connection: ConnectionId) -> Option<Revision> {
        self.subscriptions.get(&connection).map(|subscription| subscription.sent)
    }

    /// Changes the role of a connection's caller, and returns the connection.
    pub(super) fn set_role(&mut self, connection: ConnectionId, role: ListRole) -> Option<&Subscriber> {
        let subscription = self.subscriptions.get_mut(&connection)?;
        subscription.subscriber.role = role;
        Some(&subscription.subscriber)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscriptions.values().map(|subscription| &subscription.subscriber)
    }

    /// Sends the new commits to every subscriber that is up to date. Returns the connections that have
    /// written everything and need commits that are not in memory: no other event would catch them up.
    pub(super) fn flush(&mut self) -> Vec<ConnectionId> {
        while self.is_dirty() {
            let to = self.log.cut(self.flushed);
            let mut frames: BTreeMap<(Revision, Dialect), Frame> = BTreeMap::new();
            for subscription in self.subscriptions.values_mut().filter(|subscription| subscription.ready) {
                if subscription.sent >= to {
                    continue;
                }
                let key = (subscription.sent, subscription.subscriber.dialect);
                if !frames.contains_key(&key)
                    && let Some(frame) = self.log.frame(self.watchlist, (key.0, to), key.1)
                {
                    frames.insert(key, frame);
                }
                match frames.get(&key) {
                    Some(frame) if subscription.push(Outgoing::Frame(frame.clone())) => {
                        subscription.sent = to
                    }
                    _ => subscription.ready = false,
                }
            }
            self.flushed = to;
        }
        let late = self.subscriptions.iter().filter(|(_, subscription)| !subscription.ready);
        let late: Vec<ConnectionId> = late.map(|(id, _)| *id).collect();
        let mut behind = Vec::new();
        for connection in late {
            // A connection that has just written everything does not report it again.
            let is_drained = self
                .subscriptions
                .get(&connection)
                .is_some_and(|late| !late.subscriber.outbox.notify_when_empty());
            if is_drained && self.catch_up(connection) != Need::Nothing {
                behind.push(connection);
            }
        }
        behind
    }

    /// Sends conflated messages to a connection that is behind, from where it is.
    pub(super) fn catch_up(&mut self, connection: ConnectionId) -> Need {
        loop {
            let Some(subscription) = self.subscriptions.get_mut(&connection) else { return Need::Nothing };
            if subscription.resuming {
                // It is sent `resumed` first, even if the commits are in memory by now.
                return Need::Journal(subscription.sent);
            }
            if subscription.ready || subscription.sent >= self.flushed {
                subscription.ready = true;
                return Need::Nothing;
            }
            if subscription.sent < self.log.start() {
                return Need::Journal(subscription.sent);
            }
            let to = self.log.cut(subscription.sent).min(self.flushed);
            let dialect = subscription.subscriber.dialect;
            let Some(frame) = self.log.frame(self.watchlist, (subscription.sent, to), dialect) else {
                return Need::Nothing;
            };
            if subscription.push(Outgoing::Frame(frame)) {
                subscription.sent = to;
            } else if subscription.subscriber.outbox.notify_when_empty() {
                return Need::Nothing;
            }
        }
    }

    /// Sends older commits, read from the journal, to a connection and continues from there.
    pub(super) fn catch_up_from(&mut self, connection: ConnectionId, commits: &[Commit]) -> Need {
        let Some(subscription) = self.subscriptions.get_mut(&connection) else { return Need::Nothing };
        let fits = commits.first().is_some_and(|first| first.revision == subscription.sent.next());
        let (Some(last), true) = (commits.last(), fits) else { return Need::Journal(subscription.sent) };
        let frame =
            changes_frame(self.watchlist, subscription.sent, commits, subscription.subscriber.dialect);
        if subscription.push(Outgoing::Frame(frame)) {
            subscription.sent = last.revision;
            return self.catch_up(connection);
        }
        if subscription.subscriber.outbox.notify_when_empty() {
            Need::Nothing
        } else {
            Need::Journal(subscription.sent)
        }
    }

    /// Sends the windows that have changed, and all of them to connections that have missed some. Connections
    /// that are behind get all of them with their catch-up.
    pub(super) fn send_presence(
        &mut self,
        difference: Option<&ServerMessage>,
        whole: impl Fn() -> ServerMessage,
    ) {
        let mut frames: BTreeMap<(Dialect, bool), Frame> = BTreeMap::new();
        for subscription in self.subscriptions.values_mut() {
            let is_whole = subscription.presence_missed;
            let dialect = subscription.subscriber.dialect;
            let encode = || match difference {
                Some(difference) if !is_whole => dialect.encode(difference),
                _ => dialect.encode(&whole()),
            };
            if difference.is_none() && !is_whole {
                continue;
            }
            let is_sent = subscription.ready
                && subscription
                    .push(Outgoing::Frame(frames.entry((dialect, is_whole)).or_insert_with(encode).clone()));
            subscription.presence_missed = !is_sent;
        }
    }

    /// Whether a connection that is up to date missed a presence message.
    pub(super) fn has_missed_presence(&self) -> bool {
        self.subscriptions.values().any(|subscription| subscription.ready && subscription.presence_missed)
    }
}

impl SubscriberState {
    fn push(&self, item: Outgoing) -> bool {
        self.subscriber.outbox.push(item)
    }
}

#[cfg(test)]
mod tests;
