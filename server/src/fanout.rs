//! What each connection of a watchlist is sent: one conflated batch a flush, shared by all that are up to
//! date, and conflated catch-ups for those that are not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::{
    conflate::conflate,
    edit::Commit,
    ids::{ClientId, Revision, WatchlistId},
    wire::{
        codec::Encoding,
        server::{Changes, ServerMessage},
    },
};
use tokio::sync::mpsc;

use crate::frame::Frame;

/// One socket, unique within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Commits kept in memory for catch-ups, in bytes as the journal writes them.
const LOG_BYTES: usize = 4 << 20;
/// A message is cut from the log before so many bytes; conflation only makes it smaller.
const CUT_BYTES: usize = 512 * 1024;
/// Items that may wait for a connection, whatever their size.
const OUTBOX_ITEMS: usize = 256;
/// Of these, so many are for answers that must come: snapshots, and that a watchlist was closed.
const RESERVED_ITEMS: usize = 128;

/// Something for a connection to write.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// One message.
    Frame(Frame),
    /// A watchlist whole; nothing of it is copied for the connection.
    Snapshot(Arc<SnapshotFrames>),
}

/// The encoded parts of a snapshot.
#[derive(Debug)]
pub struct SnapshotFrames {
    /// Of which revision.
    pub revision: Revision,
    /// Part by part.
    pub frames: Vec<Frame>,
}

/// The bounded way to a connection.
#[derive(Clone, Debug)]
pub struct Outbox {
    items: mpsc::Sender<Outgoing>,
    state: Arc<OutboxState>,
    limit: usize,
}

/// What the connection's writer shares with those who fill its outbox.
#[derive(Debug, Default)]
pub struct OutboxState(Mutex<Queued>);

#[derive(Debug, Default)]
struct Queued {
    bytes: usize,
    /// Whether somebody could not queue more.
    is_behind: bool,
}

impl OutboxState {
    /// The writer wrote an item. True where everything is written and somebody could not queue more
    /// meanwhile: they are to be asked to go on.
    pub fn written(&self, weight: usize) -> bool {
        let mut queued = self.queued();
        queued.bytes -= weight;
        // Cleared here alone: other rooms may wait as well, and asking once too often is harmless.
        queued.bytes == 0 && std::mem::take(&mut queued.is_behind)
    }

    fn queued(&self) -> MutexGuard<'_, Queued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// An outbox that takes about `limit` bytes, and the writer's ends of it.
    pub fn new(limit: usize) -> (Self, mpsc::Receiver<Outgoing>, Arc<OutboxState>) {
        let (items, receiver) = mpsc::channel(OUTBOX_ITEMS);
        let state = Arc::new(OutboxState::default());
        (Self { items, state: state.clone(), limit }, receiver, state)
    }

    /// What an item counts for; a snapshot fills the outbox, whatever its size.
    pub fn weight(&self, item: &Outgoing) -> usize {
        match item {
            Outgoing::Frame(frame) => frame.bytes().len(),
            Outgoing::Snapshot(_) => self.limit + 1,
        }
    }

    /// Queues an item unless too much waits already. An empty outbox takes anything.
    pub fn push(&self, item: Outgoing) -> bool {
        let mut queued = self.state.queued();
        let has_room = queued.bytes == 0 || queued.bytes + self.weight(&item) <= self.limit;
        has_room && self.items.capacity() > RESERVED_ITEMS && self.send(&mut queued, item)
    }

    /// Queues an item that must come whatever waits: an answer there are only a few of. False where the
    /// connection is gone or has more items waiting than any sound one has.
    pub fn push_always(&self, item: Outgoing) -> bool {
        self.send(&mut self.state.queued(), item)
    }

    fn send(&self, queued: &mut Queued, item: Outgoing) -> bool {
        let weight = self.weight(&item);
        let is_sent = self.items.try_send(item).is_ok();
        if is_sent {
            queued.bytes += weight;
        }
        is_sent
    }

    /// Asks the writer to say when it has written everything. False where it has already; a writer that is
    /// gone never will.
    fn wait_for_room(&self) -> bool {
        let mut queued = self.state.queued();
        queued.is_behind = true;
        self.items.is_closed() || queued.bytes != 0
    }
}

/// A connection that has a watchlist open.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Which connection.
    pub connection: ConnectionId,
    /// Whose outbox its edits come from.
    pub client: ClientId,
    /// What others see of its person.
    pub name: Arc<str>,
    /// How it is written to.
    pub encoding: Encoding,
    /// The way to it.
    pub outbox: Outbox,
}

struct Subscription {
    subscriber: Subscriber,
    /// The revision that it will have once its outbox is written.
    sent: Revision,
    /// Whether it takes flushes; otherwise it is caught up once its outbox is written.
    ready: bool,
    /// Whether it missed a message about people.
    people_missed: bool,
}

/// What a connection needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing at present.
    Nothing,
    /// Commits after this revision, which are not in memory.
    Journal(Revision),
}

/// The subscribers of one watchlist and the commits that they may not have yet.
pub struct Fanout {
    watchlist: WatchlistId,
    log: Log,
    /// Everyone who is ready has been sent this much.
    flushed: Revision,
    subscriptions: BTreeMap<ConnectionId, Subscription>,
}

/// The newest commits, with their sizes.
struct Log {
    commits: VecDeque<(Arc<Commit>, usize)>,
    bytes: usize,
    /// The revision before the oldest.
    start: Revision,
}

impl Fanout {
    /// For a watchlist at a revision.
    pub fn new(watchlist: WatchlistId, revision: Revision) -> Self {
        let log = Log { commits: VecDeque::new(), bytes: 0, start: revision };
        Self { watchlist, log, flushed: revision, subscriptions: BTreeMap::new() }
    }

    /// The last revision that is on disk.
    pub fn durable(&self) -> Revision {
        Revision(self.log.start.0 + self.log.commits.len() as u64)
    }

    /// Whether there is anything to flush.
    pub fn is_dirty(&self) -> bool {
        self.flushed < self.durable()
    }

    /// Adds a commit that is on disk.
    pub fn push(&mut self, commit: Arc<Commit>, bytes: usize) {
        self.log.push(commit, bytes, self.flushed);
    }

    /// Bytes of the commits after a revision, where all of them are in memory.
    pub fn bytes_since(&self, revision: Revision) -> Option<usize> {
        self.log.since(revision).map(|commits| commits.map(|(_, bytes)| bytes).sum())
    }

    /// Bytes of the commits after a revision once conflated, where all of them are in memory.
    pub fn conflated_bytes_since(
        &self,
        revision: Revision,
        size_of: impl Fn(&Commit) -> usize,
    ) -> Option<usize> {
        let commits: Vec<Arc<Commit>> = self.log.since(revision)?.map(|(commit, _)| commit.clone()).collect();
        Some(conflate(&commits).iter().map(size_of).sum())
    }

    /// A connection has `sent`, or will once its outbox is written; it is caught up from there. `has_people` says
    /// whether there is anybody to tell it of.
    pub fn subscribe(&mut self, subscriber: Subscriber, sent: Revision, has_people: bool) -> Need {
        let connection = subscriber.connection;
        let subscription = Subscription { subscriber, sent, ready: false, people_missed: has_people };
        self.subscriptions.insert(connection, subscription);
        self.catch_up(connection)
    }

    /// A connection is gone, or wants no more.
    pub fn unsubscribe(&mut self, connection: ConnectionId) -> Option<Subscriber> {
        self.subscriptions.remove(&connection).map(|subscription| subscription.subscriber)
    }

    /// Who a connection is.
    pub fn subscriber(&self, connection: ConnectionId) -> Option<&Subscriber> {
        self.subscriptions.get(&connection).map(|subscription| &subscription.subscriber)
    }

    /// Everyone.
    pub fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscriptions.values().map(|subscription| &subscription.subscriber)
    }

    /// Sends everyone who is up to date what is new. Gives those who have written all they had and need
    /// more than memory holds: nobody else will ask for them.
    pub fn flush(&mut self) -> Vec<ConnectionId> {
        while self.is_dirty() {
            let to = self.log.cut(self.flushed);
            let mut frames: BTreeMap<(Revision, Encoding), Frame> = BTreeMap::new();
            for subscription in self.subscriptions.values_mut().filter(|subscription| subscription.ready) {
                if subscription.sent >= to {
                    continue;
                }
                let key = (subscription.sent, subscription.subscriber.encoding);
                if !frames.contains_key(&key)
                    && let Some(frame) = self.log.frame(self.watchlist, key.0, to, key.1)
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
        let late: Vec<ConnectionId> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| !subscription.ready)
            .map(|(id, _)| *id)
            .collect();
        let mut owed = Vec::new();
        for connection in late {
            // Whoever has written everything in this very moment would not say so again.
            let drained = self
                .subscriptions
                .get(&connection)
                .is_some_and(|late| !late.subscriber.outbox.wait_for_room());
            if drained && self.catch_up(connection) != Need::Nothing {
                owed.push(connection);
            }
        }
        owed
    }

    /// Sends a connection that is behind one conflated message from where it stands.
    pub fn catch_up(&mut self, connection: ConnectionId) -> Need {
        loop {
            let Some(subscription) = self.subscriptions.get_mut(&connection) else { return Need::Nothing };
            if subscription.ready || subscription.sent >= self.flushed {
                subscription.ready = true;
                return Need::Nothing;
            }
            if subscription.sent < self.log.start {
                return Need::Journal(subscription.sent);
            }
            let to = self.log.cut(subscription.sent).min(self.flushed);
            let encoding = subscription.subscriber.encoding;
            let Some(frame) = self.log.frame(self.watchlist, subscription.sent, to, encoding) else {
                return Need::Nothing;
            };
            if subscription.push(Outgoing::Frame(frame)) {
                subscription.sent = to;
            } else if subscription.subscriber.outbox.wait_for_room() {
                return Need::Nothing;
            }
        }
    }

    /// Sends a connection older commits, read from the journal, and goes on from there.
    pub fn catch_up_from(&mut self, connection: ConnectionId, commits: &[Commit]) -> Need {
        let Some(subscription) = self.subscriptions.get_mut(&connection) else { return Need::Nothing };
        let fits = commits.first().is_some_and(|first| first.revision == subscription.sent.next());
        // What was pruned meanwhile leaves a gap: whoever asks finds that out, and sends the watchlist whole.
        let (Some(last), true) = (commits.last(), fits) else { return Need::Journal(subscription.sent) };
        let frame =
            changes_frame(self.watchlist, subscription.sent, commits, subscription.subscriber.encoding);
        if subscription.push(Outgoing::Frame(frame)) {
            subscription.sent = last.revision;
            return self.catch_up(connection);
        }
        if subscription.subscriber.outbox.wait_for_room() {
            Need::Nothing
        } else {
            Need::Journal(subscription.sent)
        }
    }

    /// Sends everyone who is in the watchlist; those who have no room get it with their catch-up.
    pub fn send_people(&mut self, message: &ServerMessage, only_missed: bool) {
        let mut frames: BTreeMap<Encoding, Frame> = BTreeMap::new();
        for subscription in self.subscriptions.values_mut() {
            if only_missed && !subscription.people_missed {
                continue;
            }
            let encoding = subscription.subscriber.encoding;
            let frame = frames.entry(encoding).or_insert_with(|| Frame::encode(encoding, message)).clone();
            subscription.people_missed = !(subscription.ready && subscription.push(Outgoing::Frame(frame)));
        }
    }

    /// Whether somebody who is up to date has yet to be told who is here.
    pub fn people_missed(&self) -> bool {
        self.subscriptions.values().any(|subscription| subscription.ready && subscription.people_missed)
    }
}

impl Subscription {
    fn push(&self, item: Outgoing) -> bool {
        self.subscriber.outbox.push(item)
    }
}

impl Log {
    fn push(&mut self, commit: Arc<Commit>, bytes: usize, flushed: Revision) {
        self.commits.push_back((commit, bytes));
        self.bytes += bytes;
        while self.bytes > LOG_BYTES && self.start < flushed {
            let Some((_, bytes)) = self.commits.pop_front() else { break };
            self.bytes -= bytes;
            self.start = self.start.next();
        }
    }

    fn since(&self, revision: Revision) -> Option<impl Iterator<Item = &(Arc<Commit>, usize)>> {
        let skip = revision.0.checked_sub(self.start.0)?;
        let skip = usize::try_from(skip).ok().filter(|skip| *skip <= self.commits.len())?;
        Some(self.commits.range(skip..))
    }

    /// Where a message that begins at `from` has to end.
    fn cut(&self, from: Revision) -> Revision {
        let mut bytes = 0;
        let mut to = from;
        for (commit, size) in self.since(from).into_iter().flatten() {
            bytes += size;
            if bytes > CUT_BYTES && to > from {
                break;
            }
            to = commit.revision;
        }
        to
    }

    fn frame(
        &self,
        watchlist: WatchlistId,
        from: Revision,
        to: Revision,
        encoding: Encoding,
    ) -> Option<Frame> {
        let commits: Vec<Arc<Commit>> = self
            .since(from)?
            .map(|(commit, _)| commit.clone())
            .take_while(|commit| commit.revision <= to)
            .collect();
        Some(changes_frame(watchlist, from, &commits, encoding))
    }
}

fn changes_frame<C: std::borrow::Borrow<Commit>>(
    watchlist: WatchlistId,
    from: Revision,
    commits: &[C],
    encoding: Encoding,
) -> Frame {
    let to = commits.last().map_or(from, |commit| commit.borrow().revision);
    let kept = conflate(commits);
    let changes_in = |commits: &mut dyn Iterator<Item = usize>| commits.sum::<usize>();
    let before = changes_in(&mut commits.iter().map(|commit| commit.borrow().changes.len()));
    let conflated = changes_in(&mut kept.iter().map(|commit| commit.changes.len())) < before
        || kept.len() < commits.len();
    Frame::encode(
        encoding,
        &ServerMessage::Changes(Changes { watchlist, from, to, conflated, commits: kept }),
    )
}
