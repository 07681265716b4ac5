//! Tests of a channel's task with a source that answers when a test lets it, in simulated time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    future::BoxFuture,
    stream::{self, Stream},
};
use shared::{
    account::ListRole,
    column::standard_columns,
    edit::{Author, CellRef, Change, Commit},
    ids::{At, ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId, WindowId},
    limits::Limits,
    time::Timestamp,
    value::Literal,
    watchlist::{Frozen, Watchlist},
    wire::{codec::Encoding, server::ServerMessage},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    ChannelContext, ChannelSender, ConnectionId, Outbox, OutboxState, Outgoing, QueuedSnapshot, Recipient,
    SnapshotPart, Source, Subscriber, spawn,
};
use crate::{
    dialect::{Dialect, frame::Frame},
    event::{Event, Published},
    unavailable::Unavailable,
};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const EPOCH: Epoch = Epoch(Uuid::from_u128(8));
const FLUSH: Duration = Duration::from_millis(16);
/// Simulated time after which nothing more is to be expected.
const SILENCE: Duration = Duration::from_secs(60);

/// The commits of a journal, and the state at a revision. Every read waits for a permit.
struct TestSource {
    commits: watch::Receiver<Vec<Commit>>,
    permits: Semaphore,
    panics: AtomicBool,
}

impl TestSource {
    async fn wait(&self) {
        self.permits.acquire().await.unwrap().forget();
        assert!(!self.panics.load(Ordering::Relaxed), "a read that panics");
    }
}

impl Source for TestSource {
    fn commits_after(
        &self,
        revision: Revision,
        _bytes: usize,
    ) -> BoxFuture<'_, Result<Vec<Commit>, Unavailable>> {
        Box::pin(async move {
            self.wait().await;
            let commits = self.commits.borrow();
            Ok(commits.iter().filter(|commit| commit.revision > revision).cloned().collect())
        })
    }

    fn state(&self) -> BoxFuture<'_, Result<(Frozen, At), Unavailable>> {
        Box::pin(async {
            self.wait().await;
            let head = self.commits.borrow().last().map_or(0, |commit| commit.revision.0);
            Ok((watchlist().freeze(), at(head)))
        })
    }
}

fn watchlist() -> Watchlist {
    Watchlist::new("List", standard_columns(), &Limits::default()).unwrap()
}

fn at(revision: u64) -> At {
    At { epoch: EPOCH, revision: Revision(revision) }
}

/// Returns a commit that sets another cell than every other one, so that conflation keeps it, to a value of a
/// size.
fn commit(revision: u64, bytes: usize) -> Commit {
    let (user, client) = (UserId(Uuid::from_u128(1)), ClientId(Uuid::from_u128(2)));
    Commit {
        revision: Revision(revision),
        by: Author { user, name: "ann".into(), client, edit: EditId(revision) },
        at: Timestamp::from_millis(0),
        changes: vec![Change::set(
            RowId(Uuid::from_u128(revision.into())),
            &"note".into(),
            Literal::from("x".repeat(bytes).as_str()),
        )],
    }
}

/// Returns a bus of few events: its ends.
fn bus() -> (mpsc::Sender<Event>, impl Stream<Item = Event> + Send + Unpin + 'static) {
    let (sender, mut events) = mpsc::channel(16);
    (sender, stream::poll_fn(move |context| events.poll_recv(context)))
}

/// A room, reduced to what its channel sees.
struct Room {
    publisher: mpsc::Sender<Event>,
    journal: watch::Sender<Vec<Commit>>,
    published: u64,
    source: Arc<TestSource>,
    channel: ChannelSender,
    stop: CancellationToken,
    connections: u64,
    /// Size of a snapshot of what is published.
    snapshot_bytes: usize,
    /// Size of the value that a commit sets.
    commit_bytes: usize,
}

impl Room {
    /// Starts a channel whose first event is at a revision.
    async fn at(revision: u64) -> Self {
        let room = Self::silent(revision);
        room.publish_state(Vec::new()).await;
        room
    }

    /// Starts a channel at a revision, without its first event.
    fn silent(revision: u64) -> Self {
        let (publisher, events) = bus();
        let (journal, commits) = watch::channel((1..=revision).map(|revision| commit(revision, 1)).collect());
        let source =
            Arc::new(TestSource { commits, permits: Semaphore::new(0), panics: AtomicBool::default() });
        let stop = CancellationToken::new();
        let context = ChannelContext { flush_interval: FLUSH, tasks: TaskTracker::new(), stop: stop.clone() };
        let channel = spawn(context, LIST, events, source.clone());
        Self {
            publisher,
            journal,
            published: revision,
            source,
            channel,
            stop,
            connections: 0,
            snapshot_bytes: 10_000_000,
            commit_bytes: 1,
        }
    }

    /// Writes commits, which are published later.
    fn write(&self, count: u64) {
        self.journal.send_modify(|commits| {
            let head = commits.last().map_or(0, |commit| commit.revision.0);
            commits.extend((head + 1..=head + count).map(|revision| commit(revision, self.commit_bytes)));
        });
    }

    /// Publishes a written commit.
    async fn publish(&mut self) {
        self.published += 1;
        self.publish_state(vec![Arc::new(commit(self.published, self.commit_bytes))]).await;
    }

    async fn write_and_publish(&mut self, count: u64) {
        for _ in 0..count {
            self.write(1);
            timeout(SILENCE, self.publish()).await.expect("the channel takes events");
        }
    }

    async fn publish_state(&self, commits: Vec<Arc<Commit>>) {
        let (at, columns) = (at(self.published), watchlist().columns().clone());
        let (commits, approximate_bytes) = (commits.into(), self.snapshot_bytes);
        let published = Published { commits, at, columns, approximate_bytes };
        self.publisher.send(Event::Published(published)).await.unwrap();
    }

    /// Lets the source answer reads.
    fn allow_reads(&self, count: usize) {
        self.source.permits.add_permits(count);
    }

    async fn subscribe(&mut self, from: Option<u64>) -> Connection {
        self.connections += 1;
        let (outbox, items, state) = Outbox::new(64 * 1024);
        let subscriber = Subscriber {
            connection: ConnectionId(self.connections),
            client: ClientId(Uuid::from_u128(self.connections.into())),
            name: "ann".into(),
            dialect: Dialect::WebSocket(Encoding::Json),
            role: ListRole::Editor,
            outbox,
        };
        self.channel.subscribe(subscriber.clone(), from.map(at)).await.unwrap();
        // The channel takes events first: let it take this before what follows.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Connection { subscriber, items, state, channel: self.channel.clone(), revision: from }
    }
}

/// A connection that checks that it gets every revision once.
struct Connection {
    subscriber: Subscriber,
    items: mpsc::Receiver<Outgoing>,
    state: Arc<OutboxState>,
    channel: ChannelSender,
    revision: Option<u64>,
}

/// Returns the parts of a snapshot that are still to be written.
fn parts(queued: &QueuedSnapshot) -> Vec<Frame> {
    let frame = |index| match queued.part(index) {
        SnapshotPart::Frame(frame) => Some(frame),
        SnapshotPart::End | SnapshotPart::TooSlow => None,
    };
    (0..).map_while(frame).collect()
}

impl Connection {
    /// Returns the next messages that are written together; nothing after a long silence.
    async fn next(&mut self) -> Vec<ServerMessage> {
        let Ok(item) = timeout(SILENCE, self.items.recv()).await else { return Vec::new() };
        let item = item.expect("the connection keeps its own sender");
        let frames = match &item {
            Outgoing::Frame(frame) | Outgoing::Forbidden(frame) => vec![frame.clone()],
            Outgoing::Snapshot(queued) => parts(queued),
        };
        if self.state.record_written(self.subscriber.outbox.weight(&item)) {
            self.channel.catch_up(self.subscriber.connection).await;
        }
        let decode = |frame: &Frame| Encoding::Json.decode_server(frame.payload()).unwrap();
        let mut messages: Vec<ServerMessage> = frames.iter().map(decode).collect();
        // Every subscription is sent the people who are there, even if there are none.
        messages.retain(
            |message| !matches!(message, ServerMessage::Presence(presence) if presence.people.is_empty()),
        );
        if messages.is_empty() {
            return Box::pin(self.next()).await;
        }
        messages.iter().for_each(|message| self.follow(message));
        messages
    }

    fn follow(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Snapshot(part) => self.revision = Some(part.revision.0),
            ServerMessage::Changes(changes) => {
                assert_eq!(Some(changes.from.0), self.revision, "changes start where the connection is");
                let revisions = changes.commits.iter().map(|commit| commit.revision.0);
                assert!(revisions.eq(changes.from.0 + 1..=changes.to.0), "no commit is missing or twice");
                self.revision = Some(changes.to.0);
            }
            _ => {}
        }
    }

    /// Receives until the connection has a revision, and returns the kinds of messages before.
    async fn receive_until(&mut self, revision: u64) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        while self.revision != Some(revision) || kinds.is_empty() {
            let messages = self.next().await;
            assert!(!messages.is_empty(), "the connection stays at {:?}, not {revision}", self.revision);
            kinds.extend(messages.iter().map(kind));
        }
        kinds
    }

    /// Receives what is left, and returns its kinds.
    async fn rest(&mut self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        loop {
            let messages = self.next().await;
            if messages.is_empty() {
                return kinds;
            }
            kinds.extend(messages.iter().map(kind));
        }
    }
}

fn kind(message: &ServerMessage) -> &'static str {
    match message {
        ServerMessage::Snapshot(_) => "snapshot",
        ServerMessage::Resumed(_) => "resumed",
        ServerMessage::Changes(_) => "changes",
        ServerMessage::Closed(_) => "closed",
        ServerMessage::Error(_) => "error",
        ServerMessage::Presence(_) => "presence",
        other => panic!("a channel does not send {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_snapshot_holds_up_neither_the_room_nor_other_subscribers() {
    let mut room = Room::at(3).await;
    let mut resumed = room.subscribe(Some(3)).await;
    let mut waiting = room.subscribe(None).await;
    // More than the bus holds, while the state is not answered.
    room.write_and_publish(200).await;
    resumed.receive_until(203).await;
    room.allow_reads(1);
    assert_eq!(waiting.receive_until(203).await, ["snapshot"], "it is of the moment of the read");
    room.write_and_publish(1).await;
    assert_eq!(waiting.receive_until(204).await, ["changes"]);
    assert_eq!(resumed.receive_until(204).await, ["changes"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_ahead_of_the_events_is_followed_by_no_commit_twice() {
    let mut room = Room::at(8).await;
    let mut early = room.subscribe(Some(8)).await;
    room.write(4);
    room.allow_reads(1);
    let mut ahead = room.subscribe(None).await;
    // A snapshot that is still being sent is used again, even if it is ahead.
    let mut shared = room.subscribe(None).await;
    assert_eq!(ahead.receive_until(12).await, ["snapshot"]);
    assert_eq!(shared.receive_until(12).await, ["snapshot"]);
    for _ in 9..=12 {
        room.publish().await;
    }
    assert_eq!(early.receive_until(12).await[..2], ["resumed", "changes"]);
    assert_eq!(ahead.rest().await, [""; 0], "it has these commits");
    room.write_and_publish(2).await;
    ahead.receive_until(14).await;
    early.receive_until(14).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_resumes_with_commits_that_are_no_longer_in_memory() {
    let mut room = Room::at(20).await;
    let mut late = room.subscribe(Some(5)).await;
    room.write_and_publish(2).await;
    room.allow_reads(1);
    assert_eq!(late.receive_until(22).await, ["resumed", "changes", "changes"]);
    room.write_and_publish(1).await;
    assert_eq!(late.receive_until(23).await, ["changes"]);
}

#[tokio::test(start_paused = true)]
async fn one_read_serves_every_connection_that_comes_back_at_once() {
    let mut room = Room::at(2_000).await;
    let mut herd = Vec::new();
    for number in 0..100 {
        herd.push(room.subscribe(Some(5 + number % 3)).await);
    }
    room.allow_reads(3);
    for connection in &mut herd {
        assert_eq!(connection.receive_until(2_000).await[0], "resumed");
    }
    let left = room.source.permits.available_permits();
    assert!(left > 0, "at most one read for each revision that they have");
    room.write_and_publish(1).await;
    for connection in &mut herd {
        assert_eq!(connection.receive_until(2_001).await, ["changes"]);
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_read_slowly_share_a_snapshot_until_half_as_much_is_published() {
    let mut room = Room::at(0).await;
    room.commit_bytes = 200_000;
    let reads = 1_000;
    room.allow_reads(reads);
    let mut slow = Vec::new();
    for _ in 0..24 {
        slow.push(room.subscribe(None).await);
        tokio::time::sleep(2 * FLUSH).await;
        // Few of these are in memory.
        room.write_and_publish(1).await;
        tokio::time::sleep(2 * FLUSH).await;
    }
    assert_eq!(reads - room.source.permits.available_permits(), 1, "they share one");
    for connection in &mut slow {
        assert_eq!(connection.receive_until(24).await[0], "snapshot");
    }
    room.write_and_publish(2).await;
    let kept = slow.len();
    slow.push(room.subscribe(None).await);
    assert_eq!(slow[kept].receive_until(26).await, ["snapshot"], "a new one");
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_caller_may_no_longer_see_the_watchlist_is_told_and_sent_no_more() {
    let mut room = Room::at(3).await;
    let mut resumed = room.subscribe(Some(3)).await;
    let mut loading = room.subscribe(None).await;
    let mut waiting = room.subscribe(None).await;
    room.allow_reads(1);
    tokio::time::sleep(2 * FLUSH).await;
    for connection in [&resumed, &loading, &waiting] {
        let Subscriber { connection, dialect, outbox, .. } = connection.subscriber.clone();
        room.channel.forbid(Recipient { connection, dialect, outbox }).await.unwrap();
    }
    tokio::time::sleep(FLUSH).await;
    room.write_and_publish(1).await;
    assert_eq!(resumed.rest().await, ["resumed", "closed"]);
    assert_eq!(loading.rest().await, ["closed"], "what was not written of the snapshot is cancelled");
    assert_eq!(waiting.rest().await, ["closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_being_sent_is_cancelled_when_the_watchlist_is_deleted() {
    let mut room = Room::at(3).await;
    let mut loading = room.subscribe(None).await;
    room.allow_reads(1);
    tokio::time::sleep(2 * FLUSH).await;
    room.publisher.send(Event::Deleted).await.unwrap();
    tokio::time::sleep(FLUSH).await;
    assert_eq!(loading.rest().await, ["closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_opens_again_and_again_without_reading_holds_one_snapshot() {
    let mut room = Room::at(0).await;
    let mut silent = room.subscribe(None).await;
    for _ in 0..50 {
        room.allow_reads(1);
        // Each snapshot is of another moment.
        room.write_and_publish(1).await;
        tokio::time::sleep(2 * FLUSH).await;
        room.channel.subscribe(silent.subscriber.clone(), None).await.unwrap();
    }
    room.allow_reads(10);
    tokio::time::sleep(2 * FLUSH).await;
    let mut held = 0;
    while let Ok(item) = silent.items.try_recv() {
        if let Outgoing::Snapshot(queued) = item {
            held += usize::from(!parts(&queued).is_empty());
        }
    }
    assert_eq!(held, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_dropped_if_its_connection_subscribes_again_or_leaves() {
    let mut room = Room::at(20).await;
    let mut again = room.subscribe(Some(5)).await;
    let mut left = room.subscribe(Some(6)).await;
    room.channel.subscribe(again.subscriber.clone(), Some(at(20))).await.unwrap();
    again.revision = Some(20);
    room.channel.unsubscribe(left.subscriber.connection).await;
    room.allow_reads(10);
    room.write_and_publish(1).await;
    assert_eq!(again.receive_until(21).await, ["resumed", "changes"]);
    assert_eq!((again.rest().await, left.rest().await), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn pruned_commits_are_replaced_by_a_snapshot() {
    let mut room = Room::at(20).await;
    room.journal.send_modify(|commits| drop(commits.drain(..10)));
    let mut late = room.subscribe(Some(5)).await;
    room.allow_reads(2);
    assert_eq!(late.receive_until(20).await, ["snapshot"]);
}

#[tokio::test(start_paused = true)]
async fn commits_that_become_larger_than_a_snapshot_while_they_are_read_are_replaced_by_one() {
    let mut room = Room::at(20).await;
    let mut late = room.subscribe(Some(5)).await;
    room.snapshot_bytes = 1;
    room.write_and_publish(1).await;
    room.allow_reads(2);
    assert_eq!(late.receive_until(21).await, ["snapshot"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_reads_slowly_is_caught_up_from_memory_or_from_the_journal() {
    let mut room = Room::at(0).await;
    let mut slow = room.subscribe(Some(0)).await;
    // More than is kept in memory for catch-ups, which is evicted once it is flushed.
    for count in [25_000, 1] {
        room.write_and_publish(count).await;
        tokio::time::sleep(2 * FLUSH).await;
    }
    room.allow_reads(100);
    let kinds = slow.receive_until(25_001).await;
    assert!(room.source.permits.available_permits() < 99, "several messages are read from the journal");
    assert!(kinds.len() < 100, "{} messages", kinds.len());
    room.write_and_publish(1).await;
    slow.receive_until(25_002).await;
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_learns_after_the_last_commit_that_the_watchlist_is_deleted() {
    let mut room = Room::at(20).await;
    let mut current = room.subscribe(Some(20)).await;
    let mut waiting = room.subscribe(None).await;
    let mut resuming = room.subscribe(Some(5)).await;
    room.write_and_publish(3).await;
    let mut late = room.subscribe(Some(20)).await;
    room.publisher.send(Event::Deleted).await.unwrap();
    let kinds = current.rest().await;
    assert_eq!((current.revision, kinds.last()), (Some(23), Some(&"closed")));
    assert_eq!(waiting.rest().await, ["closed"]);
    assert_eq!(resuming.rest().await, ["closed"]);
    assert_eq!(late.rest().await.last(), Some(&"closed"));
    let mut after = room.subscribe(None).await;
    assert_eq!(after.rest().await, ["error"]);
    drop(room.publisher);
    room.channel.ended().await;
}

#[tokio::test(start_paused = true)]
async fn subscribers_are_told_if_the_room_fails_but_not_if_the_server_stops() {
    for (is_stopping, expected) in [(false, vec!["error"]), (true, vec![])] {
        let mut room = Room::at(20).await;
        let mut waiting = room.subscribe(None).await;
        let mut resuming = room.subscribe(Some(5)).await;
        if is_stopping {
            room.stop.cancel();
        }
        drop(room.publisher);
        room.channel.ended().await;
        assert_eq!((waiting.rest().await, resuming.rest().await), (expected.clone(), expected));
    }
}

#[tokio::test(start_paused = true)]
async fn commands_before_the_first_event_wait_for_it_and_get_its_reason() {
    let mut room = Room::silent(0);
    let mut early = room.subscribe(None).await;
    assert_eq!(early.rest().await, [""; 0]);
    room.publisher.send(Event::Unavailable(Unavailable::Damaged)).await.unwrap();
    // The room rests before it ends; late subscribers get the same reason.
    for mut connection in [early, room.subscribe(None).await] {
        let messages = connection.next().await;
        let [ServerMessage::Error(error)] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(&*error.message, Unavailable::Damaged.message());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cell_of_an_unknown_column_is_left_out_of_presence() {
    let mut room = Room::at(0).await;
    let mut connection = room.subscribe(Some(0)).await;
    for (column, is_known) in [("price", true), ("nothing", false)] {
        let cell = CellRef { row: RowId(Uuid::from_u128(1)), column: column.into() };
        room.channel.set_presence(connection.subscriber.connection, WindowId(1), Some(cell), true).await;
        let person = loop {
            if let Some(ServerMessage::Presence(presence)) = connection.next().await.pop() {
                break presence.people[0].clone();
            }
        };
        assert_eq!((person.cell.is_some(), person.editing), (is_known, true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_is_followed_by_others() {
    let mut room = Room::at(3).await;
    let mut fresh = room.subscribe(None).await;
    let mut resuming = room.subscribe(Some(0)).await;
    room.source.panics.store(true, Ordering::Relaxed);
    // One for each connection, and one for the snapshot instead of the commits.
    room.allow_reads(3);
    assert_eq!(fresh.rest().await, ["error"]);
    assert_eq!(resuming.rest().await, ["error"]);
    room.source.panics.store(false, Ordering::Relaxed);
    room.allow_reads(2);
    assert_eq!(room.subscribe(None).await.receive_until(3).await, ["snapshot"]);
    assert_eq!(room.subscribe(Some(0)).await.receive_until(3).await, ["resumed", "changes"]);
}
