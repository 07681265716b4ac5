//! Tests of the subscribers, with queues that only the tests write to the connections.

use shared::{
    edit::{Author, Change},
    ids::{EditId, RowId, UserId},
    time::Timestamp,
    value::Literal,
    wire::{codec::Encoding, server::Presence},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::channel::outbox::OutboxState;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const QUEUE: usize = 10_000;

/// A connection's queue.
struct Queue {
    outbox: Outbox,
    items: mpsc::Receiver<Outgoing>,
    state: Arc<OutboxState>,
}

impl Queue {
    /// Writes everything. Returns the messages, and whether a catch-up was requested.
    fn write(&mut self) -> (Vec<ServerMessage>, bool) {
        let (mut messages, mut is_behind) = (Vec::new(), false);
        while let Ok(item) = self.items.try_recv() {
            is_behind |= self.state.record_written(self.outbox.weight(&item));
            let Outgoing::Frame(frame) = item else { panic!("{item:?}") };
            messages.push(Encoding::Json.decode_server(frame.payload()).unwrap());
        }
        (messages, is_behind)
    }

    /// Writes everything. Returns the range of each message.
    fn ranges(&mut self) -> Vec<(u64, u64)> {
        let range = |message| match message {
            ServerMessage::Changes(changes) => (changes.from.0, changes.to.0),
            other => panic!("{other:?}"),
        };
        self.write().0.into_iter().map(range).collect()
    }
}

/// Returns a subscriber and its queue.
fn connection(number: u64) -> (Subscriber, Queue) {
    let (outbox, items, state) = Outbox::new(QUEUE);
    let subscriber = Subscriber {
        connection: ConnectionId(number),
        client: ClientId(Uuid::nil()),
        name: "ann".into(),
        dialect: Dialect::WebSocket(Encoding::Json),
        role: ListRole::Editor,
        outbox: outbox.clone(),
    };
    (subscriber, Queue { outbox, items, state })
}

fn subscribers() -> Subscribers {
    Subscribers::new(LIST, Revision(0))
}

/// Adds the next commit, with a text of a number of bytes in a cell of its own.
fn push(subscribers: &mut Subscribers, bytes: usize) {
    let revision = subscribers.log.head().next();
    let by = Author {
        user: UserId(Uuid::nil()),
        name: "ann".into(),
        client: ClientId(Uuid::nil()),
        edit: EditId(revision.0),
    };
    let row = RowId(Uuid::from_u128(revision.0.into()));
    let changes = vec![Change::set(row, &"note".into(), Literal::from("x".repeat(bytes).as_str()))];
    subscribers.push(Arc::new(Commit { revision, by, at: Timestamp::default(), changes }));
}

fn presence(whole: bool) -> ServerMessage {
    ServerMessage::Presence(Presence { watchlist: LIST, whole, people: Vec::new(), gone: Vec::new() })
}

/// Subscribes a connection that cannot take anything, because its queue is full.
fn subscribe_behind(subscribers: &mut Subscribers, number: u64) -> Queue {
    let (subscriber, queue) = connection(number);
    assert!(queue.outbox.push(Outgoing::Frame(crate::dialect::websocket::pong(&vec![0; QUEUE]))));
    assert_eq!(subscribers.subscribe(subscriber, Revision(0)), Need::Nothing);
    queue
}

#[test]
fn new_commits_are_queued_while_earlier_ones_are_being_written() {
    let mut subscribers = subscribers();
    let (subscriber, mut queue) = connection(1);
    assert_eq!(subscribers.subscribe(subscriber, Revision(0)), Need::Nothing);
    for _ in 0..3 {
        push(&mut subscribers, 10);
        assert!(subscribers.is_dirty());
        assert!(subscribers.flush().is_empty() && !subscribers.is_dirty());
    }
    assert_eq!(queue.ranges(), [(0, 1), (1, 2), (2, 3)]);
}

#[test]
fn a_connection_that_is_behind_is_caught_up_by_the_next_flush_once_it_has_written_everything() {
    let mut subscribers = subscribers();
    push(&mut subscribers, 10);
    subscribers.flush();
    let mut late = subscribe_behind(&mut subscribers, 1);
    push(&mut subscribers, 10);
    assert!(subscribers.flush().is_empty(), "nothing has to be read for it");
    assert!(late.items.try_recv().is_ok() && late.items.try_recv().is_err(), "it is sent nothing");
    assert!(late.state.record_written(QUEUE + 4), "its catch-up is requested");
    push(&mut subscribers, 10);
    assert!(subscribers.flush().is_empty());
    assert_eq!(late.ranges(), [(0, 3)], "in one message");
}

#[test]
fn a_connection_whose_commits_are_no_longer_in_memory_is_returned_once_it_has_written_everything() {
    let mut subscribers = subscribers();
    push(&mut subscribers, 10);
    subscribers.flush();
    let mut late = subscribe_behind(&mut subscribers, 1);
    for _ in 0..50 {
        push(&mut subscribers, 100_000);
        assert!(subscribers.flush().is_empty(), "it has not written everything");
    }
    assert!(late.items.try_recv().is_ok());
    assert!(late.state.record_written(QUEUE + 4));
    push(&mut subscribers, 10);
    assert_eq!(subscribers.flush(), [ConnectionId(1)]);
    assert_eq!(subscribers.catch_up(ConnectionId(1)), Need::Journal(Revision(0)));
}

#[test]
fn a_connection_that_resumes_is_removed_only_while_it_waits_for_what_it_missed() {
    let mut subscribers = subscribers();
    let ((waiting, mut queue), (ready, _other)) = (connection(1), connection(2));
    subscribers.subscribe_later(waiting, Revision(0));
    subscribers.subscribe(ready, Revision(0));
    push(&mut subscribers, 10);
    assert_eq!(subscribers.flush(), [ConnectionId(1)], "its commits are to be read");
    assert!(queue.write().0.is_empty(), "it is sent nothing before `resumed`");
    assert!(subscribers.remove_resuming(ConnectionId(2)).is_none());
    assert!(subscribers.get(ConnectionId(2)).is_some(), "it stays");
    let removed = subscribers.remove_resuming(ConnectionId(1)).map(|subscriber| subscriber.connection);
    assert_eq!(removed, Some(ConnectionId(1)));
    assert!(subscribers.get(ConnectionId(1)).is_none());
    assert!(subscribers.remove_resuming(ConnectionId(3)).is_none());
}

#[test]
fn a_connection_is_resumed_from_memory_if_that_has_what_it_missed() {
    let mut subscribers = subscribers();
    let ((waiting, _first), (older, _second)) = (connection(1), connection(2));
    subscribers.subscribe_later(waiting, Revision(0));
    assert!(subscribers.take_resumable(ConnectionId(3)).is_none());
    let (_, from) = subscribers.take_resumable(ConnectionId(1)).unwrap();
    assert_eq!(from, Revision(0));
    assert!(subscribers.get(ConnectionId(1)).is_none());
    subscribers.subscribe(older, Revision(0));
    assert!(subscribers.take_resumable(ConnectionId(2)).is_none(), "it does not wait");
    assert!(subscribers.get(ConnectionId(2)).is_some());
}

#[test]
fn a_connection_gets_all_windows_at_first_and_then_what_changed() {
    let mut subscribers = subscribers();
    let ((first, mut first_queue), (second, mut second_queue)) = (connection(1), connection(2));
    subscribers.subscribe(first, Revision(0));
    assert!(subscribers.has_missed_presence());
    subscribers.send_presence(None, || presence(true));
    assert!(!subscribers.has_missed_presence());
    assert_eq!(first_queue.write().0, [presence(true)]);
    subscribers.subscribe(second, Revision(0));
    subscribers.send_presence(Some(&presence(false)), || presence(true));
    assert_eq!(
        (first_queue.write().0, second_queue.write().0),
        (vec![presence(false)], vec![presence(true)])
    );
    subscribers.send_presence(None, || presence(true));
    assert!(first_queue.write().0.is_empty() && second_queue.write().0.is_empty(), "nothing changed");
}

#[test]
fn a_connection_that_missed_what_changed_gets_all_windows_later() {
    let mut subscribers = subscribers();
    let mut late = subscribe_behind(&mut subscribers, 1);
    assert!(subscribers.has_missed_presence());
    subscribers.send_presence(Some(&presence(false)), || presence(true));
    assert!(subscribers.has_missed_presence(), "its queue is full");
    assert!(late.items.try_recv().is_ok() && late.items.try_recv().is_err());
    late.state.record_written(QUEUE + 4);
    subscribers.send_presence(Some(&presence(false)), || presence(true));
    assert_eq!(late.write().0, [presence(true)]);
    assert!(!subscribers.has_missed_presence());
}

#[test]
fn a_connection_that_is_behind_gets_no_windows_before_its_commits() {
    let mut subscribers = subscribers();
    push(&mut subscribers, 10);
    subscribers.flush();
    let mut late = subscribe_behind(&mut subscribers, 1);
    assert!(!subscribers.has_missed_presence(), "it gets them when it is caught up");
    assert!(late.items.try_recv().is_ok());
    assert!(late.state.record_written(QUEUE + 4));
    subscribers.send_presence(Some(&presence(false)), || presence(true));
    assert!(late.items.try_recv().is_err());
    assert_eq!(subscribers.catch_up(ConnectionId(1)), Need::Nothing);
    assert!(subscribers.has_missed_presence());
}
