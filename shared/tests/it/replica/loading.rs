//! Snapshots and their parts, and watchlists that continue from where the client is.

use shared::{
    column::standard_columns,
    ids::{EditId, Epoch, Revision, RowId},
    replica::{Event, Replica, Sync},
    value::Literal,
    wire::{
        server::{Resumed, ServerMessage},
        snapshot::Snapshot,
    },
};
use uuid::Uuid;

use super::{
    CLIENT, EPOCH, LIST, accepted, answered, at, connect, open, outgoing, price, replica, sent, shown_price,
    snapshot, snapshot_row, welcome,
};
use shared::{ids::WindowId, limits::Limits};

const OTHER_EPOCH: Epoch = Epoch(Uuid::from_u128(4));

/// Returns a client that has requested the watchlist and has nothing of it.
fn requested() -> Replica {
    let mut replica = Replica::new(CLIENT, "test", Limits::default(), EditId(1), Vec::new());
    replica.open(LIST);
    replica.connected();
    welcome(&mut replica);
    outgoing(&mut replica);
    replica.take_events();
    replica
}

/// Returns a part of a snapshot with one row.
fn part(part: usize, parts: usize) -> Snapshot {
    let row = RowId(Uuid::from_u128(part as u128));
    Snapshot { part, parts, rows: vec![snapshot_row(row)], ..snapshot() }
}

fn loaded(is_other_history: bool) -> [Event; 1] {
    [Event::Loaded { watchlist: LIST, is_other_history }]
}

fn resumed(epoch: Epoch) -> ServerMessage {
    ServerMessage::Resumed(Resumed { watchlist: LIST, epoch, revision: Revision(1), role: None })
}

fn row_count(replica: &Replica) -> Option<usize> {
    Some(replica.list(LIST).unwrap().state()?.rows().len())
}

#[test]
fn a_watchlist_is_shown_when_its_last_part_has_arrived() {
    let mut replica = requested();
    assert_eq!(replica.list(LIST).unwrap().sync(), Sync::Requested);
    for number in 1..=2 {
        replica.handle(ServerMessage::Snapshot(part(number, 3)), 0);
        assert!(replica.take_events().is_empty());
        assert_eq!((row_count(&replica), replica.list(LIST).unwrap().at()), (None, None));
    }
    replica.handle(ServerMessage::Snapshot(part(3, 3)), 0);
    assert_eq!(replica.take_events(), loaded(false));
    let list = replica.list(LIST).unwrap();
    assert_eq!((row_count(&replica), list.at(), list.sync()), (Some(3), Some(at(1)), Sync::Live));
    assert!(outgoing(&mut replica).is_empty());
}

#[test]
fn parts_that_do_not_fit_together_are_requested_again() {
    let stray = Snapshot { revision: Revision(2), ..part(2, 2) };
    let other_epoch = Snapshot { epoch: OTHER_EPOCH, ..part(2, 2) };
    let same_row = Snapshot { rows: part(1, 2).rows, ..part(2, 2) };
    for wrong in [stray, other_epoch, same_row, part(3, 3)] {
        let mut replica = requested();
        replica.handle(ServerMessage::Snapshot(part(1, wrong.parts)), 0);
        replica.handle(ServerMessage::Snapshot(wrong.clone()), 0);
        assert_eq!(outgoing(&mut replica), [open(None)], "{wrong:?}");
        assert!(replica.take_events().is_empty());
        replica.handle(ServerMessage::Snapshot(part(1, 1)), 0);
        assert_eq!(replica.take_events(), loaded(false));
    }
    let mut replica = requested();
    let columns = [standard_columns(), standard_columns()].concat();
    replica.handle(ServerMessage::Snapshot(Snapshot { columns, ..part(1, 1) }), 0);
    assert_eq!(outgoing(&mut replica), [open(None)], "two columns have the same key");
}

#[test]
fn parts_of_a_snapshot_that_is_not_awaited_are_ignored() {
    let mut replica = requested();
    replica.handle(ServerMessage::Snapshot(part(2, 2)), 0);
    assert!(outgoing(&mut replica).is_empty() && replica.take_events().is_empty());
    replica.disconnected();
    replica.handle(ServerMessage::Snapshot(part(1, 1)), 0);
    assert!(replica.take_events().is_empty());
    assert_eq!(row_count(&replica), None);
}

#[test]
fn the_parts_of_a_lost_connection_are_forgotten() {
    let mut replica = requested();
    replica.handle(ServerMessage::Snapshot(part(1, 2)), 0);
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    outgoing(&mut replica);
    replica.take_events();
    replica.handle(ServerMessage::Snapshot(part(2, 2)), 0);
    assert!(replica.take_events().is_empty());
    assert_eq!(row_count(&replica), None);
}

#[test]
fn another_epoch_is_reported_as_another_history() {
    let mut replica = replica(Vec::new());
    replica.handle(ServerMessage::Snapshot(part(1, 1)), 0);
    assert_eq!(replica.take_events(), loaded(false), "the epoch is the same");
    replica.handle(ServerMessage::Snapshot(Snapshot { epoch: OTHER_EPOCH, ..part(1, 1) }), 0);
    assert_eq!(replica.take_events(), loaded(true));
    replica.handle(ServerMessage::Snapshot(Snapshot { epoch: OTHER_EPOCH, ..part(1, 1) }), 0);
    assert_eq!(replica.take_events(), loaded(false));
}

#[test]
fn a_watchlist_continues_from_where_the_client_is_if_the_epoch_is_the_same() {
    let mut replica = replica(Vec::new());
    replica.handle(resumed(OTHER_EPOCH), 0);
    assert!(replica.take_events().is_empty(), "it is not requested");
    assert!(outgoing(&mut replica).contains(&open(None)));
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    assert!(outgoing(&mut replica).contains(&open(Some(at(1)))));
    replica.take_events();
    replica.handle(resumed(EPOCH), 0);
    assert_eq!(replica.take_events(), [Event::Resumed { watchlist: LIST }]);
    let list = replica.list(LIST).unwrap();
    assert_eq!((list.sync(), list.at(), row_count(&replica)), (Sync::Live, Some(at(1)), Some(1)));

    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    outgoing(&mut replica);
    replica.take_events();
    replica.handle(resumed(OTHER_EPOCH), 0);
    assert_eq!(outgoing(&mut replica), [open(None)], "its revisions cannot be compared");
    assert!(replica.take_events().is_empty());
}

#[test]
fn a_snapshot_answers_the_accepted_edits_that_it_contains() {
    let mut replica = replica(Vec::new());
    for number in ["72", "73"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    replica.take_events();
    replica.handle(accepted(1, 2), 0);
    replica.handle(accepted(2, 4), 0);
    assert!(answered(&mut replica).is_empty(), "neither commit has arrived");
    assert_eq!(replica.unanswered_count(), 0, "both are on the server's disk");
    replica.handle(ServerMessage::Snapshot(Snapshot { revision: Revision(2), ..snapshot() }), 0);
    assert_eq!(answered(&mut replica), [(1, true)]);
    assert_eq!(shown_price(&replica), Literal::from("73"), "the second edit is still shown");
    let (epoch, revision) = (OTHER_EPOCH, Revision(1));
    replica.handle(ServerMessage::Snapshot(Snapshot { epoch, revision, ..snapshot() }), 0);
    assert_eq!(answered(&mut replica), [(2, true)], "its revision is one of the lost history");
    assert_eq!(shown_price(&replica), Literal::Empty);
}

#[test]
fn an_edit_that_a_snapshot_already_contains_is_answered_at_once() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    sent(&mut replica);
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    replica.handle(ServerMessage::Snapshot(Snapshot { revision: Revision(2), ..snapshot() }), 0);
    assert_eq!(shown_price(&replica), Literal::from("72"), "it is pending until it is answered");
    replica.handle(accepted(1, 2), 0);
    assert_eq!(answered(&mut replica), [(1, true)]);
    assert_eq!(shown_price(&replica), Literal::Empty);
    connect(&mut replica);
    assert!(sent(&mut replica).is_empty());
}
