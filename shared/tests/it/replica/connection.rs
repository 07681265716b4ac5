//! What a client sends on a connection and again on the next, and what it retries as time passes.

use shared::{
    edit::CellRef,
    ids::{ClientId, EditId, Revision, WatchlistId, WindowId},
    limits::{EDITS_IN_FLIGHT, Limits},
    rejection::Code,
    replica::{Event, KeptEdit, RETRY_UNAVAILABLE_MS, Replica, Sync},
    wire::{
        client::{self, ClientMessage},
        server::{Closed, ClosedReason, ErrorCode, ServerMessage, Summary, Watchlists},
    },
};
use uuid::Uuid;

use super::{
    CLIENT, LIST, ROW, accepted, answered, at, connect, error, open, outgoing, price, rejected, replica,
    sent, snapshot, user, welcome,
};

const OTHER: WatchlistId = WatchlistId(Uuid::from_u128(8));

fn new() -> Replica {
    Replica::new(CLIENT, "test", Limits::default(), EditId(1), Vec::new())
}

fn close(watchlist: WatchlistId) -> ClientMessage {
    ClientMessage::Close(client::Close { watchlist })
}

fn hello(client: ClientId) -> ClientMessage {
    ClientMessage::Hello(client::Hello { client, app: "test".into() })
}

fn unavailable() -> ServerMessage {
    error(ErrorCode::Unavailable, None, Some(LIST))
}

#[test]
fn hello_is_the_first_message_of_a_connection_and_welcome_its_answer() {
    let mut replica = new();
    assert_eq!((replica.client(), replica.limits()), (CLIENT, &Limits::default()));
    let limits = Limits { changes: 3, ..Limits::default() };
    assert_eq!(Replica::new(CLIENT, "test", limits, EditId(1), Vec::new()).limits(), &limits);
    replica.open(LIST);
    assert!(outgoing(&mut replica).is_empty());
    replica.connected();
    replica.open(OTHER);
    assert_eq!(outgoing(&mut replica), [hello(CLIENT)]);
    assert_eq!(replica.user(), None);
    welcome(&mut replica);
    assert_eq!(replica.user(), Some(&user()));
    assert_eq!(replica.take_events(), [Event::Welcomed]);
    let open_other = ClientMessage::Open(client::Open { watchlist: OTHER, at: None });
    assert_eq!(outgoing(&mut replica), [open(None), open_other]);
    replica.disconnected();
    assert_eq!(replica.user(), None);
}

#[test]
fn the_list_of_watchlists_is_the_last_that_the_server_sent() {
    let mut replica = replica(Vec::new());
    assert_eq!(replica.summaries(), None);
    for revision in 1..3 {
        let revision = Revision(revision);
        let summary = Summary { watchlist: LIST, name: "Test".into(), revision, rows: 1, role: None };
        let message = ServerMessage::Watchlists(Watchlists { list: vec![summary.clone()] });
        replica.handle(message, 0);
        assert_eq!(replica.take_events(), [Event::Watchlists]);
        assert_eq!(replica.summaries(), Some(&[summary][..]));
    }
}

#[test]
fn a_watchlist_is_opened_once_and_again_after_every_reconnect_until_it_is_closed() {
    let mut replica = replica(Vec::new());
    outgoing(&mut replica);
    replica.open(LIST);
    assert!(outgoing(&mut replica).is_empty(), "it is open");
    replica.disconnected();
    assert_eq!(replica.list(LIST).unwrap().sync(), Sync::Idle);
    replica.connected();
    welcome(&mut replica);
    assert_eq!(outgoing(&mut replica), [hello(CLIENT), open(Some(at(1)))]);
    replica.close(LIST);
    assert_eq!(outgoing(&mut replica), [close(LIST)]);
    assert!(replica.list(LIST).is_none());
    replica.close(LIST);
    replica.close(OTHER);
    assert!(outgoing(&mut replica).is_empty());
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    assert_eq!(outgoing(&mut replica), [hello(CLIENT)]);
    replica.open(LIST);
    assert_eq!(outgoing(&mut replica), [open(None)]);
    replica.disconnected();
    replica.close(LIST);
    assert!(outgoing(&mut replica).is_empty(), "there is no connection");
}

#[test]
fn a_closed_watchlist_is_kept_until_its_edits_are_answered() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.edit(LIST, WindowId(1), price("73")).unwrap();
    replica.close(LIST);
    let list = replica.list(LIST).unwrap();
    assert!(list.state().is_none() && list.at().is_none());
    assert_eq!((list.unanswered_count(), replica.unanswered_count()), (2, 2));
    outgoing(&mut replica);
    replica.close(LIST);
    assert!(outgoing(&mut replica).is_empty(), "it is closed already");
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    let messages = outgoing(&mut replica);
    assert!(matches!(&messages[1..], [ClientMessage::Edit(_), ClientMessage::Edit(_)]), "{messages:?}");
    replica.take_events();
    replica.handle(accepted(1, 2), 0);
    assert_eq!(answered(&mut replica), [(1, true)], "its commit is not awaited");
    assert!(replica.list(LIST).is_some());
    replica.handle(rejected(2, Code::Conflict), 0);
    assert_eq!(answered(&mut replica), [(2, false)]);
    assert!(replica.list(LIST).is_none());
}

#[test]
fn a_watchlist_that_no_longer_exists_is_dropped() {
    let closed = ServerMessage::Closed(Closed { watchlist: LIST, reason: ClosedReason::Deleted });
    for message in [closed, error(ErrorCode::UnknownWatchlist, None, Some(LIST))] {
        let mut replica = replica(Vec::new());
        replica.handle(message, 0);
        assert_eq!(replica.take_events(), [Event::Closed { watchlist: LIST, reason: ClosedReason::Deleted }]);
        assert!(replica.list(LIST).is_none());
        outgoing(&mut replica);
        replica.disconnected();
        replica.connected();
        welcome(&mut replica);
        assert_eq!(outgoing(&mut replica), [hello(CLIENT)], "it is not opened again");
    }
}

#[test]
fn unanswered_edits_are_sent_again_in_order_after_a_reconnect() {
    let mut replica = replica(Vec::new());
    for number in ["72", "73", "74"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    assert_eq!(sent(&mut replica), [1, 2, 3]);
    replica.handle(rejected(2, Code::Conflict), 0);
    assert!(sent(&mut replica).is_empty());
    replica.disconnected();
    replica.edit(LIST, WindowId(1), price("75")).unwrap();
    replica.connected();
    assert!(sent(&mut replica).is_empty(), "the server has not welcomed the client yet");
    welcome(&mut replica);
    assert_eq!(sent(&mut replica), [1, 3, 4]);
    assert_eq!(replica.unanswered_count(), 3);
}

#[test]
fn what_was_queued_for_a_lost_connection_is_not_sent_on_the_next() {
    let mut replica = replica(Vec::new());
    replica.delete(LIST);
    replica.disconnected();
    assert!(outgoing(&mut replica).is_empty());
}

#[test]
fn the_edits_of_an_earlier_run_are_sent_first_and_their_numbers_are_not_used_again() {
    let kept = |edit| KeptEdit { edit: EditId(edit), watchlist: LIST, changes: price("72") };
    let mut replica = replica(vec![kept(5), kept(9)]);
    assert_eq!(sent(&mut replica), [5, 9]);
    let (edit, _) = replica.edit(LIST, WindowId(1), price("73")).unwrap();
    assert_eq!(edit.edit, EditId(10));
    assert_eq!(sent(&mut replica), [10]);
}

#[test]
fn a_limited_number_of_edits_is_sent_and_not_answered() {
    let mut replica = replica(Vec::new());
    for _ in 0..EDITS_IN_FLIGHT + 3 {
        replica.edit(LIST, WindowId(1), price("72")).unwrap();
    }
    let limit = EDITS_IN_FLIGHT as u64;
    assert_eq!(sent(&mut replica), (1..=limit).collect::<Vec<u64>>());
    replica.handle(rejected(1, Code::Conflict), 0);
    assert_eq!(sent(&mut replica), [limit + 1]);
    replica.handle(accepted(2, 2), 0);
    assert_eq!(sent(&mut replica), [limit + 2], "an accepted edit is not in flight");
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    assert_eq!(sent(&mut replica), (3..=limit + 2).collect::<Vec<u64>>());
}

#[test]
fn edits_that_the_server_cannot_store_are_sent_again_after_a_second() {
    let mut replica = replica(Vec::new());
    for number in ["72", "73", "74"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    sent(&mut replica);
    replica.take_events();
    assert_eq!(replica.wake_at(), None);
    let start = 5_000;
    replica.handle(rejected(2, Code::Unavailable), start);
    assert_eq!(replica.take_events(), [Event::Unavailable { watchlist: LIST }]);
    replica.handle(rejected(3, Code::Unavailable), start + 10);
    let retry = start + RETRY_UNAVAILABLE_MS;
    assert_eq!(replica.wake_at(), Some(retry));
    replica.edit(LIST, WindowId(1), price("75")).unwrap();
    replica.tick(retry - 1);
    assert!(sent(&mut replica).is_empty(), "a later edit waits as well");
    replica.tick(retry);
    assert_eq!(sent(&mut replica), [2, 3, 4]);
    assert_eq!((replica.wake_at(), replica.unanswered_count()), (None, 4));
    replica.tick(retry + RETRY_UNAVAILABLE_MS);
    assert!(sent(&mut replica).is_empty());
}

#[test]
fn a_lost_connection_ends_the_wait_for_a_retry() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    sent(&mut replica);
    replica.handle(rejected(1, Code::Unavailable), 0);
    replica.handle(unavailable(), 0);
    replica.disconnected();
    assert_eq!(replica.wake_at(), None);
    connect(&mut replica);
    assert_eq!(sent(&mut replica), [1]);
}

#[test]
fn a_watchlist_that_the_server_cannot_serve_is_opened_again_with_growing_delays() {
    let mut replica = replica(Vec::new());
    replica.open(OTHER);
    outgoing(&mut replica);
    let mut now = 5_000;
    for delay in [1_000, 2_000, 4_000, 8_000, 8_000] {
        replica.handle(unavailable(), now);
        let (code, message, watchlist) = (ErrorCode::Unavailable, "no".into(), Some(LIST));
        assert_eq!(replica.take_events(), [Event::ServerError { code, message, watchlist }]);
        replica.handle(unavailable(), now + 1);
        replica.take_events();
        assert_eq!(replica.wake_at(), Some(now + delay));
        replica.tick(now + delay - 1);
        assert!(outgoing(&mut replica).is_empty());
        now += delay;
        replica.tick(now);
        assert_eq!(outgoing(&mut replica), [open(Some(at(1)))], "only this one is opened again");
        assert_eq!(replica.wake_at(), None);
    }
    replica.handle(ServerMessage::Snapshot(snapshot()), now);
    replica.handle(unavailable(), now);
    assert_eq!(replica.wake_at(), Some(now + RETRY_UNAVAILABLE_MS), "it was served");
    replica.close(LIST);
    outgoing(&mut replica);
    replica.tick(now + RETRY_UNAVAILABLE_MS);
    assert!(outgoing(&mut replica).is_empty(), "it is closed");
}

#[test]
fn the_earlier_of_two_retries_is_the_next() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.handle(unavailable(), 100);
    replica.handle(rejected(1, Code::Unavailable), 300);
    assert_eq!(replica.wake_at(), Some(1_100));
    replica.tick(1_100);
    assert_eq!(replica.wake_at(), Some(1_300));
}

#[test]
fn other_errors_of_a_watchlist_change_nothing() {
    let mut replica = replica(Vec::new());
    outgoing(&mut replica);
    replica.handle(error(ErrorCode::Forbidden, None, Some(LIST)), 0);
    let (code, message, watchlist) = (ErrorCode::Forbidden, "no".into(), Some(LIST));
    assert_eq!(replica.take_events(), [Event::ServerError { code, message, watchlist }]);
    assert_eq!((replica.wake_at(), replica.list(LIST).unwrap().sync()), (None, Sync::Live));
}

#[test]
fn the_cursor_is_sent_only_for_a_watchlist_that_is_open() {
    let mut replica = new();
    let cell = Some(CellRef { row: ROW, column: "price".into() });
    let cursor = |replica: &mut Replica| replica.presence(LIST, WindowId(3), cell.clone(), true);
    cursor(&mut replica);
    assert!(outgoing(&mut replica).is_empty());
    connect(&mut replica);
    outgoing(&mut replica);
    cursor(&mut replica);
    let (window, editing) = (WindowId(3), true);
    let message = client::Presence { watchlist: LIST, window, cell: cell.clone(), editing };
    assert_eq!(outgoing(&mut replica), [ClientMessage::Presence(message)]);
    replica.presence(OTHER, WindowId(3), None, false);
    assert!(outgoing(&mut replica).is_empty());
    replica.handle(unavailable(), 0);
    cursor(&mut replica);
    assert!(outgoing(&mut replica).is_empty(), "the server does not serve it");
}
