//! Tests of the fan-out without its task: what is to be read, and what is queued for which connection.

use shared::{
    column::standard_columns,
    edit::{Author, Change},
    ids::{ClientId, EditId, Epoch, RowId, UserId},
    limits::Limits,
    time::Timestamp,
    value::Literal,
    watchlist::Watchlist,
    wire::{codec::Encoding, server::ServerMessage},
};
use tokio::{sync::mpsc, time::advance};
use uuid::Uuid;

use super::*;
use crate::{
    channel::outbox::{Outbox, OutboxState, QueuedSnapshot},
    dialect::Dialect,
};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const DIALECT: Dialect = Dialect::WebSocket(Encoding::Json);
const FORM: Form = Form { dialect: DIALECT, role: ListRole::Editor };
/// Size of a snapshot.
const WHOLE: usize = 10_000;

fn at(revision: u64) -> At {
    At { epoch: Epoch(Uuid::nil()), revision: Revision(revision) }
}

/// Returns a commit that sets a cell of a row to a text of a number of bytes.
fn commit(revision: u64, row: u64, bytes: usize) -> Commit {
    let (user, client) = (UserId(Uuid::nil()), ClientId(Uuid::nil()));
    let text = Literal::from("x".repeat(bytes).as_str());
    Commit {
        revision: Revision(revision),
        by: Author { user, name: "ann".into(), client, edit: EditId(revision) },
        at: Timestamp::default(),
        changes: vec![Change::set(RowId(Uuid::from_u128(row.into())), &"note".into(), text)],
    }
}

fn published(revision: u64, commits: Vec<Commit>) -> Published {
    let columns = Watchlist::new("List", standard_columns(), &Limits::default()).unwrap().columns().clone();
    let commits = commits.into_iter().map(Arc::new).collect();
    Published { commits, at: at(revision), columns, approximate_bytes: WHOLE }
}

/// Returns the fan-out of a watchlist at a revision, whose commits are not in memory.
fn fan_out(revision: u64) -> FanOut {
    FanOut::new(LIST, published(revision, Vec::new()), Duration::ZERO)
}

/// A connection's queue.
struct Queue {
    items: mpsc::Receiver<Outgoing>,
    state: Arc<OutboxState>,
    subscriber: Subscriber,
}

fn connection(number: u64) -> (Subscriber, Queue) {
    let (outbox, items, state) = Outbox::new(8 << 20);
    let (connection, client) = (ConnectionId(number), ClientId(Uuid::from_u128(number.into())));
    let (name, dialect, role) = ("ann".into(), DIALECT, ListRole::Editor);
    let subscriber = Subscriber { connection, client, name, dialect, role, outbox };
    (subscriber.clone(), Queue { items, state, subscriber })
}

fn snapshot(revision: u64) -> Arc<SnapshotFrames> {
    Arc::new(SnapshotFrames::new(Revision(revision), Vec::new()))
}

/// Writes what is queued, and what follows it. Returns `snapshot`, `resumed`, the range of changes, or how
/// many people are there.
fn written(fan_out: &mut FanOut, queue: &mut Queue) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Ok(item) = queue.items.try_recv() {
        if queue.state.record_written(queue.subscriber.outbox.weight(&item)) {
            fan_out.catch_up(queue.subscriber.connection);
        }
        let Outgoing::Frame(frame) = item else {
            kinds.push("snapshot".to_owned());
            continue;
        };
        kinds.push(match Encoding::Json.decode_server(frame.payload()).unwrap() {
            ServerMessage::Resumed(_) => "resumed".to_owned(),
            ServerMessage::Changes(changes) => format!("{} to {}", changes.from, changes.to),
            ServerMessage::Presence(presence) => format!("{} people", presence.people.len()),
            other => panic!("{other:?}"),
        });
    }
    kinds
}

/// Subscribes a connection that needs a snapshot and is sent one.
fn subscribe_with_snapshot(fan_out: &mut FanOut, number: u64, revision: u64) -> Queue {
    let (subscriber, queue) = connection(number);
    fan_out.subscribe(subscriber, None);
    assert_eq!(fan_out.next_job(), Some(Job::EncodeSnapshot(FORM)));
    fan_out.snapshot_encoded(FORM, Ok(snapshot(revision)));
    queue
}

#[tokio::test]
async fn commits_larger_than_a_snapshot_are_replaced_by_one_unless_conflation_makes_them_smaller() {
    for (rows, job, sent) in
        [(20, Some(Job::EncodeSnapshot(FORM)), &[][..]), (1, None, &["resumed", "0 to 20"])]
    {
        let mut fan_out = fan_out(0);
        let commits = (1..=20).map(|revision| commit(revision, revision % rows, 1_000)).collect();
        fan_out.publish(published(20, commits));
        let (subscriber, mut queue) = connection(1);
        fan_out.subscribe(subscriber, Some(at(0)));
        assert_eq!(fan_out.next_job(), job, "{rows} rows");
        assert_eq!(written(&mut fan_out, &mut queue), sent);
    }
}

#[tokio::test]
async fn a_connection_of_another_epoch_or_a_later_revision_gets_a_snapshot() {
    let other = At { epoch: Epoch(Uuid::from_u128(1)), revision: Revision(0) };
    for from in [other, at(1)] {
        let mut fan_out = fan_out(0);
        let (subscriber, mut queue) = connection(1);
        fan_out.subscribe(subscriber, Some(from));
        assert_eq!(fan_out.next_job(), Some(Job::EncodeSnapshot(FORM)));
        assert!(written(&mut fan_out, &mut queue).is_empty());
    }
}

#[tokio::test]
async fn commits_that_do_not_fit_into_memory_are_sent_as_they_are_read() {
    let mut fan_out = fan_out(10);
    let (subscriber, mut queue) = connection(1);
    fan_out.subscribe(subscriber, Some(at(5)));
    let read = |from: u64, whole| Job::Read(Missed { from: Revision(from), to: Revision(10), whole });
    assert_eq!(fan_out.next_job(), Some(read(5, Some(WHOLE))));
    assert_eq!(fan_out.next_job(), None, "one read at a time");
    assert!(written(&mut fan_out, &mut queue).is_empty());
    let commits: Vec<Commit> = (6..=10).map(|revision| commit(revision, revision, 450_000)).collect();
    fan_out.commits_read(Ok(Some(commits.clone())));
    assert_eq!(written(&mut fan_out, &mut queue), ["resumed", "5 to 6"]);
    assert_eq!(fan_out.next_job(), Some(read(6, None)));
    fan_out.commits_read(Ok(Some(commits[1..].to_vec())));
    assert_eq!(fan_out.next_job(), None, "the rest fits into memory");
    assert_eq!(written(&mut fan_out, &mut queue), ["6 to 7", "7 to 8", "8 to 9", "9 to 10"]);
}

#[tokio::test]
async fn a_snapshot_that_is_older_than_the_commits_in_memory_is_followed_by_those_of_the_journal() {
    let mut fan_out = fan_out(10);
    let mut queue = subscribe_with_snapshot(&mut fan_out, 1, 8);
    assert_eq!(written(&mut fan_out, &mut queue), ["snapshot"]);
    let missed = Missed { from: Revision(8), to: Revision(10), whole: Some(WHOLE) };
    assert_eq!(fan_out.next_job(), Some(Job::Read(missed)));
    fan_out.commits_read(Ok(Some(vec![commit(9, 9, 10), commit(10, 10, 10)])));
    assert_eq!(fan_out.next_job(), None);
    assert_eq!(written(&mut fan_out, &mut queue), ["8 to 10"]);
}

#[tokio::test]
async fn a_snapshot_is_shared_until_the_commits_since_are_larger_than_another() {
    let mut fan_out = fan_out(0);
    // It stays in the queue of the first connection, which keeps it.
    let _held = subscribe_with_snapshot(&mut fan_out, 1, 0);
    fan_out.publish(published(1, vec![commit(1, 1, 100)]));
    let (second, mut queue) = connection(2);
    fan_out.subscribe(second, None);
    assert_eq!(fan_out.next_job(), None);
    assert_eq!(written(&mut fan_out, &mut queue), ["snapshot", "0 to 1"]);
    fan_out.publish(published(2, vec![commit(2, 2, WHOLE)]));
    let (third, mut queue) = connection(3);
    fan_out.subscribe(third, None);
    assert_eq!(fan_out.next_job(), Some(Job::EncodeSnapshot(FORM)));
    assert!(written(&mut fan_out, &mut queue).is_empty());
}

#[tokio::test]
async fn connections_that_cannot_be_told_to_resume_share_a_snapshot() {
    // The commits after 8 are in memory. One of 3 MiB does not fit there.
    for (from, older) in [(10, &[][..]), (9, &[]), (4, &[10, 10, 10, 10]), (4, &[3 << 20, 10, 10, 10])] {
        let mut fan_out = fan_out(8);
        fan_out.publish(published(10, (9..=10).map(|revision| commit(revision, revision, 10)).collect()));
        let _held = subscribe_with_snapshot(&mut fan_out, 1, 10);
        for number in 2..5 {
            let (subscriber, mut queue) = connection(number);
            let (full, _cancel) = QueuedSnapshot::new(snapshot(1));
            assert!(subscriber.outbox.push_always(Outgoing::Snapshot(full)));
            fan_out.subscribe(subscriber, Some(at(from)));
            let job = fan_out.next_job();
            // One read serves those that come later, if its commits fit into memory.
            let is_read = !older.is_empty() && (number == 2 || older[0] > 10);
            assert_eq!(job.is_some(), is_read, "{job:?}");
            if let Some(job) = job {
                assert!(matches!(job, Job::Read(_)), "{job:?}");
                let sizes = older.iter().chain(&[10, 10]);
                let commits = (5..=10).zip(sizes).map(|(revision, size)| commit(revision, revision, *size));
                fan_out.commits_read(Ok(Some(commits.collect())));
                assert_eq!(fan_out.next_job(), None, "nothing more is read");
            }
            assert_eq!(written(&mut fan_out, &mut queue), ["snapshot", "snapshot"], "from {from}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn windows_are_reported_an_interval_after_the_first_change_however_many_follow() {
    let mut fan_out = fan_out(0);
    let mut queue = subscribe_with_snapshot(&mut fan_out, 1, 0);
    assert_eq!(written(&mut fan_out, &mut queue), ["snapshot"]);
    advance(PRESENCE_INTERVAL).await;
    fan_out.wake();
    assert_eq!((written(&mut fan_out, &mut queue), fan_out.wake_at()), (vec!["0 people".into()], None));
    let due = Instant::now() + PRESENCE_INTERVAL;
    for window in 1..4 {
        fan_out.set_presence(ConnectionId(1), WindowId(window), (None, false));
        assert_eq!(fan_out.wake_at(), Some(due));
        advance(PRESENCE_INTERVAL / 4).await;
        fan_out.wake();
    }
    assert!(written(&mut fan_out, &mut queue).is_empty());
    advance(PRESENCE_INTERVAL / 4).await;
    fan_out.wake();
    assert_eq!((written(&mut fan_out, &mut queue), fan_out.wake_at()), (vec!["3 people".into()], None));
    fan_out.leave(ConnectionId(2));
    assert_eq!(fan_out.wake_at(), None, "no window has left");
}

#[tokio::test(start_paused = true)]
async fn a_window_is_present_while_its_connection_waits_for_a_snapshot() {
    let mut fan_out = fan_out(0);
    let mut queue = subscribe_with_snapshot(&mut fan_out, 1, 0);
    assert_eq!(written(&mut fan_out, &mut queue), ["snapshot"]);
    fan_out.snapshots.invalidate();
    let ((second, _second), (third, _third)) = (connection(2), connection(3));
    fan_out.subscribe(second, None);
    fan_out.subscribe(third, None);
    fan_out.set_presence(ConnectionId(2), WindowId(1), (None, false));
    fan_out.set_presence(ConnectionId(4), WindowId(1), (None, false));
    advance(PRESENCE_INTERVAL).await;
    fan_out.wake();
    assert_eq!(written(&mut fan_out, &mut queue), ["1 people"], "an unknown connection has no windows");
    let people = fan_out.people.whole(LIST).people;
    assert_eq!(people[0].client, ClientId(Uuid::from_u128(2)));
}
