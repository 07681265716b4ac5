//! Edits that a person makes: what is refused, shown, marked as pending and reverted.

use shared::{
    edit::Change,
    ids::{EditId, RowId, WindowId},
    limits::Limits,
    position::Position,
    rejection::{Code, Rejection},
    replica::{Event, KeptEdit, Outcome, Replica},
    value::Literal,
    wire::{
        client::{ClientMessage, Edit},
        codec::Encoding,
        server::ServerMessage,
    },
};
use uuid::Uuid;

use super::{
    CLIENT, LIST, ROW, accepted, answered, connect, outgoing, price, rejected, replica, sent, shown_price,
    snapshot, welcome,
};

/// Returns a connected client with the given limits.
fn limited(limits: Limits) -> Replica {
    let mut replica = Replica::new(CLIENT, "test", limits, EditId(1), Vec::new());
    connect(&mut replica);
    replica
}

fn refused(replica: &mut Replica, changes: Vec<Change>) -> Code {
    let code = replica.edit(LIST, WindowId(1), changes).unwrap_err().code;
    assert_eq!((replica.unanswered_count(), replica.take_events()), (0, Vec::new()));
    code
}

#[test]
fn an_edit_is_shown_reported_and_returned_with_what_undoes_it() {
    let mut replica = replica(Vec::new());
    outgoing(&mut replica);
    let (kept, inverse) = replica.edit(LIST, WindowId(1), price("72")).unwrap();
    assert_eq!(kept, KeptEdit { edit: EditId(1), watchlist: LIST, changes: price("72") });
    let Some(Change::Set(undo)) = inverse.first() else { panic!("{inverse:?}") };
    assert_eq!((&undo.value, &undo.was, inverse.len()), (&Literal::Empty, &Some(Literal::from("72")), 1));
    assert_eq!(shown_price(&replica), Literal::from("72"));
    assert_eq!(replica.take_events(), [Event::Pending { watchlist: LIST }]);
    let message = Edit { watchlist: LIST, edit: EditId(1), changes: price("72") };
    assert_eq!(outgoing(&mut replica), [ClientMessage::Edit(message)]);
    assert_eq!((replica.unanswered_count(), replica.list(LIST).unwrap().unanswered_count()), (1, 1));
}

#[test]
fn an_edit_that_the_server_would_reject_is_refused_before_it_is_kept() {
    let mut replica = limited(Limits { changes: 3, ..Limits::default() });
    assert_eq!(refused(&mut replica, Vec::new()), Code::BadMessage);
    assert_eq!(refused(&mut replica, vec![price("72"); 4].concat()), Code::TooLarge);
    assert_eq!(refused(&mut replica, price("words")), Code::InvalidValue);
    let unknown = Change::set(RowId(Uuid::from_u128(9)), &"price".into(), Literal::Empty);
    assert_eq!(refused(&mut replica, vec![unknown]), Code::UnknownRow);
    replica.edit(LIST, WindowId(1), vec![price("72"); 3].concat()).unwrap();
}

#[test]
fn an_edit_is_as_large_as_a_message_at_most() {
    let changes = vec![Change::set(ROW, &"note".into(), Literal::from("x".repeat(200).as_str()))];
    let message = Edit { watchlist: LIST, edit: EditId::MAX, changes: changes.clone() };
    let bytes = Encoding::Json.size(&ClientMessage::Edit(message));
    let mut smaller = limited(Limits { message_bytes: bytes - 1, ..Limits::default() });
    assert_eq!(refused(&mut smaller, changes.clone()), Code::TooLarge);
    let mut exact = limited(Limits { message_bytes: bytes, ..Limits::default() });
    exact.edit(LIST, WindowId(1), changes).unwrap();
}

#[test]
fn a_watchlist_that_is_not_loaded_cannot_be_edited() {
    let mut replica = Replica::new(CLIENT, "test", Limits::default(), EditId(1), Vec::new());
    assert_eq!(refused(&mut replica, price("72")), Code::UnknownWatchlist);
    replica.open(LIST);
    replica.connected();
    welcome(&mut replica);
    replica.take_events();
    assert_eq!(refused(&mut replica, price("72")), Code::UnknownWatchlist);
}

#[test]
fn a_rejected_edit_is_reverted_and_later_ones_stay_shown() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(3), price("72")).unwrap();
    let note = vec![Change::set(ROW, &"note".into(), Literal::from("hm"))];
    replica.edit(LIST, WindowId(1), note).unwrap();
    replica.take_events();
    replica.handle(rejected(1, Code::Conflict), 0);
    let answer = Event::EditAnswered {
        watchlist: LIST,
        edit: EditId(1),
        window: WindowId(3),
        outcome: Outcome::Rejected(Rejection::new(Code::Conflict, "no")),
        changes: price("72"),
    };
    assert_eq!(replica.take_events(), [answer]);
    assert_eq!(shown_price(&replica), Literal::Empty);
    let state = replica.list(LIST).unwrap().state().unwrap();
    assert_eq!(state.cell(ROW, &"note".into()).to_literal(), Literal::from("hm"));
    replica.handle(rejected(1, Code::Conflict), 0);
    assert!(replica.take_events().is_empty(), "it is answered already");
}

#[test]
fn an_accepted_edit_stays_shown_until_its_commit_arrives() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.take_events();
    replica.handle(accepted(1, 2), 0);
    assert!(replica.take_events().is_empty());
    assert_eq!((replica.unanswered_count(), shown_price(&replica)), (0, Literal::from("72")));
    assert_eq!(replica.list(LIST).unwrap().pending_window(ROW, &"price".into()), Some(WindowId(1)));
    outgoing(&mut replica);
    replica.disconnected();
    replica.connected();
    welcome(&mut replica);
    assert!(sent(&mut replica).is_empty(), "the server has it on disk");
}

#[test]
fn an_edit_accepted_as_a_revision_that_is_shown_is_answered_at_once() {
    let mut replica = replica(Vec::new());
    for (number, revision) in [(1, 0), (2, 1)] {
        replica.edit(LIST, WindowId(1), price("72")).unwrap();
        replica.take_events();
        replica.handle(accepted(number, revision), 0);
        assert_eq!(answered(&mut replica), [(number, true)]);
        assert_eq!(shown_price(&replica), Literal::Empty);
    }
}

#[test]
fn a_cell_is_marked_with_the_window_of_the_last_edit_that_is_pending() {
    let mut replica = replica(Vec::new());
    let (new, price_of) =
        (RowId(Uuid::from_u128(2)), |row, text: &str| Change::set(row, &"price".into(), Literal::from(text)));
    let position = Position::from_hex("90").unwrap();
    let window = |replica: &Replica, row, column: &str| {
        replica.list(LIST).unwrap().pending_window(row, &column.into()).map(|window| window.0)
    };
    assert_eq!(window(&replica, ROW, "price"), None);
    replica.edit(LIST, WindowId(1), vec![price_of(ROW, "72")]).unwrap();
    replica.edit(LIST, WindowId(2), vec![Change::insert(new, &position, [].into())]).unwrap();
    assert_eq!((window(&replica, ROW, "price"), window(&replica, ROW, "note")), (Some(1), None));
    assert_eq!((window(&replica, new, "price"), window(&replica, new, "note")), (Some(2), Some(2)));
    replica.edit(LIST, WindowId(3), vec![price_of(ROW, "73"), price_of(new, "5")]).unwrap();
    assert_eq!((window(&replica, ROW, "price"), window(&replica, new, "price")), (Some(3), Some(3)));
    assert_eq!(window(&replica, new, "note"), Some(2));
    replica.handle(rejected(3, Code::Conflict), 0);
    assert_eq!((window(&replica, ROW, "price"), window(&replica, new, "price")), (Some(1), Some(2)));
    replica.handle(rejected(1, Code::Conflict), 0);
    replica.handle(rejected(2, Code::Conflict), 0);
    assert_eq!((window(&replica, ROW, "price"), window(&replica, new, "price")), (None, None));
}

#[test]
fn an_edit_that_no_longer_applies_is_hidden_until_it_does() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    let empty = shared::wire::snapshot::Snapshot { rows: Vec::new(), ..snapshot() };
    replica.handle(ServerMessage::Snapshot(empty), 0);
    assert!(replica.list(LIST).unwrap().state().unwrap().rows().is_empty());
    assert_eq!(replica.unanswered_count(), 1, "the server decides");
    replica.handle(ServerMessage::Snapshot(snapshot()), 0);
    assert_eq!(shown_price(&replica), Literal::from("72"));
}
