//! Tests of the replica with hand-written messages: what it sends, shows and reports, also in situations that
//! are rare with a real server.

mod commits;
mod connection;
mod edits;
mod loading;
mod requests;

use shared::{
    account::{Role, User},
    column::standard_columns,
    edit::{Author, Change, Commit},
    ids::{At, ClientId, EditId, Epoch, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
    limits::Limits,
    position::Position,
    rejection::{Code, Rejection},
    replica::{Event, KeptEdit, Outcome, Replica},
    time::Timestamp,
    value::Literal,
    wire::{
        client::{ClientMessage, Open},
        server::{
            self, Accepted, Changes, Closed, ClosedReason, ErrorCode, Person, Presence, Rejected,
            ServerMessage, Welcome, WindowRef,
        },
        snapshot::{Snapshot, SnapshotRow},
    },
};
use uuid::Uuid;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const CLIENT: ClientId = ClientId(Uuid::from_u128(100));
const NEW: ClientId = ClientId(Uuid::from_u128(101));
const EPOCH: Epoch = Epoch(Uuid::from_u128(3));
const ROW: RowId = RowId(Uuid::from_u128(1));

fn user() -> User {
    User { id: UserId(Uuid::from_u128(1)), name: "ann".into(), role: Role::User }
}

fn price(text: &str) -> Vec<Change> {
    vec![Change::set(ROW, &"price".into(), Literal::from(text))]
}

/// Returns a connected replica with one row at revision 1, and the edits of an earlier run.
fn replica(kept: Vec<KeptEdit>) -> Replica {
    let mut replica = Replica::new(CLIENT, "test", Limits::default(), EditId(1), kept);
    connect(&mut replica);
    replica
}

fn connect(replica: &mut Replica) {
    replica.connected();
    replica.open(LIST);
    welcome(replica);
    replica.handle(ServerMessage::Snapshot(snapshot()), 0);
    replica.take_events();
}

fn welcome(replica: &mut Replica) {
    let welcome = Welcome { protocol: 1, server: "0".into(), user: user().into(), now: Timestamp::default() };
    replica.handle(ServerMessage::Welcome(welcome), 0);
}

fn at(revision: u64) -> At {
    At { epoch: EPOCH, revision: Revision(revision) }
}

/// Returns the snapshot of the watchlist with one row at revision 1.
fn snapshot() -> Snapshot {
    Snapshot {
        watchlist: LIST,
        name: "Test".into(),
        columns: standard_columns(),
        epoch: EPOCH,
        revision: Revision(1),
        part: 1,
        parts: 1,
        role: None,
        rows: vec![snapshot_row(ROW)],
    }
}

fn snapshot_row(row: RowId) -> SnapshotRow {
    let position = Position::from_hex("80").unwrap();
    let cells = [("symbol".into(), Literal::from("MMM"))].into();
    SnapshotRow { row, position, cells, changed: [].into() }
}

/// Returns the changes to revision 2 by an edit of this client.
fn committed(edit: u64, changes: Vec<Change>) -> ServerMessage {
    changed(1, 2, vec![commit_of(CLIENT, edit, changes)])
}

/// Returns the commit of an edit as revision 2.
fn commit_of(client: ClientId, edit: u64, changes: Vec<Change>) -> Commit {
    let by = Author { user: user().id, name: "ann".into(), client, edit: EditId(edit) };
    Commit { revision: Revision(2), by, at: Timestamp::default(), changes }
}

fn changed(from: u64, to: u64, commits: Vec<Commit>) -> ServerMessage {
    let (from, to) = (Revision(from), Revision(to));
    ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits })
}

fn accepted(edit: u64, revision: u64) -> ServerMessage {
    let (edit, revision) = (EditId(edit), Revision(revision));
    ServerMessage::Accepted(Accepted { watchlist: LIST, edit, revision })
}

fn rejected(edit: u64, code: Code) -> ServerMessage {
    let rejection = Rejection::new(code, "no");
    ServerMessage::Rejected(Rejected { watchlist: LIST, edit: EditId(edit), rejection })
}

fn error(code: ErrorCode, request: Option<RequestId>, watchlist: Option<WatchlistId>) -> ServerMessage {
    ServerMessage::Error(server::Error { code, message: "no".into(), request, watchlist })
}

/// Returns what is shown of the row's price.
fn shown_price(replica: &Replica) -> Literal {
    replica.list(LIST).unwrap().state().unwrap().cell(ROW, &"price".into()).to_literal()
}

/// Returns the messages to send since the last call.
fn outgoing(replica: &mut Replica) -> Vec<ClientMessage> {
    std::iter::from_fn(|| replica.poll_send()).collect()
}

/// Returns the message that opens the watchlist.
fn open(at: Option<At>) -> ClientMessage {
    ClientMessage::Open(Open { watchlist: LIST, at })
}

/// Returns the numbers of the edits sent since the last call.
fn sent(replica: &mut Replica) -> Vec<u64> {
    let messages = outgoing(replica).into_iter();
    messages
        .filter_map(|message| if let ClientMessage::Edit(edit) = message { Some(edit.edit.0) } else { None })
        .collect()
}

/// Returns the number of each edit answered since the last call, and whether it was accepted.
fn answered(replica: &mut Replica) -> Vec<(u64, bool)> {
    let events = replica.take_events().into_iter();
    let answered = |event| match event {
        Event::EditAnswered { edit, outcome, .. } => Some((edit.0, matches!(outcome, Outcome::Accepted(_)))),
        _ => None,
    };
    events.filter_map(answered).collect()
}

#[test]
fn a_commit_with_the_same_number_and_other_changes_does_not_answer_the_edit() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    assert_eq!(sent(&mut replica), [1]);
    replica.take_events();
    replica.handle(committed(1, price("99")), 0);
    let events = replica.take_events();
    assert!(events.contains(&Event::NumbersReused), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::EditAnswered { .. })), "{events:?}");
    let renumbered = replica.renew(NEW);
    assert_eq!(renumbered.iter().map(|(old, kept)| (old.0, kept.edit.0)).collect::<Vec<_>>(), [(1, 2)]);
    connect(&mut replica);
    assert_eq!(sent(&mut replica), [2]);
    assert_eq!(replica.unanswered_count(), 1);
}

#[test]
fn people_follow_the_differences_and_start_over_with_a_whole_message() {
    let mut replica = replica(Vec::new());
    let person = |client: u128, window: u64, editing: bool| Person {
        client: ClientId(Uuid::from_u128(client)),
        window: WindowId(window),
        name: "bob".into(),
        cell: None,
        editing,
    };
    let gone = |client: u128, window: u64| WindowRef {
        client: ClientId(Uuid::from_u128(client)),
        window: WindowId(window),
    };
    let mut shown = |whole: bool, people: Vec<Person>, gone: Vec<WindowRef>| -> Vec<Person> {
        replica.handle(ServerMessage::Presence(Presence { watchlist: LIST, whole, people, gone }), 0);
        replica.list(LIST).unwrap().people().to_vec()
    };
    let (bob, bobs_second, cara) = (person(2, 1, false), person(2, 2, false), person(3, 1, false));
    let all = vec![bob.clone(), bobs_second.clone(), cara.clone()];
    assert_eq!(shown(true, all.clone(), vec![]), all);
    let editing = person(2, 2, true);
    assert_eq!(shown(false, vec![editing.clone()], vec![]), [bob.clone(), editing.clone(), cara.clone()]);
    assert_eq!(shown(false, vec![], vec![gone(2, 1), gone(9, 9)]), [editing.clone(), cara.clone()]);
    assert_eq!(shown(false, vec![bob.clone()], vec![gone(3, 1)]), [editing, bob]);
    assert_eq!(shown(true, vec![cara.clone()], vec![]), [cara]);
}

#[test]
fn a_conflated_commit_answers_its_edit() {
    let mut replica = replica(Vec::new());
    let both = [price("72"), vec![Change::set(ROW, &"target".into(), Literal::from("80"))]].concat();
    replica.edit(LIST, WindowId(1), both.clone()).unwrap();
    replica.handle(committed(1, both[1..].to_vec()), 0);
    assert_eq!(answered(&mut replica), [(1, true)]);
}

#[test]
fn a_new_id_is_requested_only_after_all_answers_under_the_old_one() {
    let mut replica = replica(Vec::new());
    for number in ["1", "2", "3"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    assert_eq!(sent(&mut replica), [1, 2, 3]);
    replica.take_events();
    replica.handle(rejected(1, Code::EditReused), 0);
    replica.edit(LIST, WindowId(1), price("4")).unwrap();
    assert!(sent(&mut replica).is_empty(), "the fourth edit waits for the new id");
    replica.handle(committed(2, price("2")), 0);
    assert!(!replica.take_events().contains(&Event::NumbersReused), "the third edit may still be answered");
    replica.handle(rejected(3, Code::TooOld), 0);
    assert!(replica.take_events().contains(&Event::NumbersReused));
    let renumbered = replica.renew(NEW);
    assert_eq!(
        renumbered.iter().map(|(old, kept)| (old.0, kept.edit.0)).collect::<Vec<_>>(),
        [(1, 5), (3, 6), (4, 7)]
    );
    let changes: Vec<Vec<Change>> = renumbered.into_iter().map(|(_, kept)| kept.changes).collect();
    assert_eq!(changes, ["1", "3", "4"].map(price));
}

#[test]
fn an_edit_that_is_on_disk_does_not_delay_a_new_id() {
    let mut replica = replica(Vec::new());
    for number in ["1", "2"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    replica.handle(accepted(2, 3), 0);
    replica.take_events();
    replica.handle(rejected(1, Code::EditReused), 0);
    assert!(replica.take_events().contains(&Event::NumbersReused));
}

#[test]
fn a_renumbered_edit_keeps_its_marks_until_it_is_answered() {
    let mut replica = replica(Vec::new());
    let note = vec![Change::set(ROW, &"note".into(), Literal::from("hm"))];
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.edit(LIST, WindowId(2), note).unwrap();
    replica.handle(rejected(1, Code::EditReused), 0);
    replica.renew(NEW);
    connect(&mut replica);
    let marked = |replica: &Replica| {
        let list = replica.list(LIST).unwrap();
        ["price", "note"].map(|column| list.pending_window(ROW, &column.into()))
    };
    assert_eq!(marked(&replica), [Some(WindowId(1)), Some(WindowId(2))]);
    replica.handle(rejected(3, Code::Conflict), 0);
    assert_eq!(marked(&replica), [None, Some(WindowId(2))]);
    replica.handle(rejected(4, Code::Conflict), 0);
    assert_eq!(marked(&replica), [None, None]);
}

#[test]
fn an_edit_of_an_earlier_run_that_is_too_old_is_rejected() {
    let kept = KeptEdit { edit: EditId(5), watchlist: LIST, changes: price("72") };
    let mut replica = replica(vec![kept]);
    replica.edit(LIST, WindowId(1), price("73")).unwrap();
    replica.handle(rejected(5, Code::TooOld), 0);
    assert_eq!(
        answered(&mut replica),
        [(5, false)],
        "it may be applied already, so it is not sent again with another number"
    );
}

#[test]
fn accepted_edits_are_answered_when_their_watchlist_is_closed() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.handle(accepted(1, 2), 0);
    assert!(answered(&mut replica).is_empty(), "its commit has not arrived yet");
    let closed = Closed { watchlist: LIST, reason: ClosedReason::Deleted };
    replica.handle(ServerMessage::Closed(closed), 0);
    assert_eq!(answered(&mut replica), [(1, true)]);
}
