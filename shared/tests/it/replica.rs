//! A replica told by hand what no server says twice.

use shared::{
    column::standard_columns,
    edit::{Author, Change, Code, Commit, Rejection},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId, WindowId},
    limits::Limits,
    replica::{Event, KeptEdit, Outcome, Replica},
    time::Timestamp,
    value::Literal,
    wire::{
        client::ClientMessage,
        server::{
            Accepted, Changes, Closed, ClosedReason, Rejected, Role, ServerMessage, Snapshot, SnapshotRow,
            User, Welcome,
        },
    },
};
use uuid::Uuid;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const CLIENT: ClientId = ClientId(Uuid::from_u128(100));
const NEW: ClientId = ClientId(Uuid::from_u128(101));
const ROW: RowId = RowId(Uuid::from_u128(1));

fn user() -> User {
    User { id: UserId(Uuid::from_u128(1)), name: "ann".into(), role: Role::Editor }
}

fn price(text: &str) -> Vec<Change> {
    vec![Change::set(ROW, &"price".into(), Literal::from(text))]
}

/// A replica with one row at revision 1, and the edits of an earlier run.
fn replica(kept: Vec<KeptEdit>) -> Replica {
    let mut replica = Replica::new(CLIENT, "test", Limits::default(), EditId(1), kept);
    connect(&mut replica);
    replica
}

fn connect(replica: &mut Replica) {
    replica.connected();
    replica.open(LIST);
    let welcome = Welcome { protocol: 1, server: "0".into(), user: user(), now: Timestamp::default() };
    replica.handle(ServerMessage::Welcome(welcome), 0);
    let row = SnapshotRow {
        row: ROW,
        position: shared::position::Position::from_hex("80").unwrap(),
        cells: [("symbol".into(), Literal::from("MMM"))].into(),
        changed: [].into(),
    };
    let snapshot = Snapshot {
        watchlist: LIST,
        name: "Test".into(),
        columns: standard_columns(),
        epoch: Epoch(Uuid::from_u128(3)),
        revision: Revision(1),
        part: 1,
        parts: 1,
        rows: vec![row],
    };
    replica.handle(ServerMessage::Snapshot(snapshot), 0);
    replica.take_events();
}

fn committed(edit: u64, changes: Vec<Change>) -> ServerMessage {
    let by = Author { user: user().id, name: "ann".into(), client: CLIENT, edit: EditId(edit) };
    let commit = Commit { revision: Revision(2), by, at: Timestamp::default(), changes };
    let (from, to) = (Revision(1), Revision(2));
    ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits: vec![commit] })
}

fn rejected(edit: u64, code: Code) -> ServerMessage {
    let rejection = Rejection::new(code, "no");
    ServerMessage::Rejected(Rejected { watchlist: LIST, edit: EditId(edit), rejection })
}

/// The edits that were sent since, by number.
fn sent(replica: &mut Replica) -> Vec<u64> {
    let messages = std::iter::from_fn(|| replica.poll_send());
    messages
        .filter_map(|message| if let ClientMessage::Edit(edit) = message { Some(edit.edit.0) } else { None })
        .collect()
}

fn settled(replica: &mut Replica) -> Vec<(u64, bool)> {
    let events = replica.take_events().into_iter();
    let settled = |event| match event {
        Event::Settled { edit, outcome, .. } => Some((edit.0, matches!(outcome, Outcome::Accepted(_)))),
        _ => None,
    };
    events.filter_map(settled).collect()
}

#[test]
fn a_commit_under_the_same_name_with_other_changes_is_not_taken_for_ones_own() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    assert_eq!(sent(&mut replica), [1]);
    replica.take_events();
    replica.handle(committed(1, price("99")), 0);
    let events = replica.take_events();
    assert!(events.contains(&Event::NumbersReused), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Settled { .. })), "{events:?}");
    let renamed = replica.renew(NEW);
    assert_eq!(renamed.iter().map(|(old, kept)| (old.0, kept.edit.0)).collect::<Vec<_>>(), [(1, 2)]);
    connect(&mut replica);
    assert_eq!(sent(&mut replica), [2]);
    assert_eq!(replica.waiting(), 1);
}

#[test]
fn ones_own_commit_is_known_also_where_conflation_left_a_part_of_it() {
    let mut replica = replica(Vec::new());
    let both = [price("72"), vec![Change::set(ROW, &"target".into(), Literal::from("80"))]].concat();
    replica.edit(LIST, WindowId(1), both.clone()).unwrap();
    replica.handle(committed(1, both[1..].to_vec()), 0);
    assert_eq!(settled(&mut replica), [(1, true)]);
}

#[test]
fn a_new_id_is_asked_for_only_when_nothing_can_be_answered_under_the_old_one() {
    let mut replica = replica(Vec::new());
    for number in ["1", "2", "3"] {
        replica.edit(LIST, WindowId(1), price(number)).unwrap();
    }
    assert_eq!(sent(&mut replica), [1, 2, 3]);
    replica.take_events();
    replica.handle(rejected(1, Code::EditReused), 0);
    replica.edit(LIST, WindowId(1), price("4")).unwrap();
    assert!(sent(&mut replica).is_empty(), "the fourth waits for the new id");
    replica.handle(committed(2, price("2")), 0);
    assert!(!replica.take_events().contains(&Event::NumbersReused), "the third may be answered yet");
    replica.handle(rejected(3, Code::TooOld), 0);
    assert!(replica.take_events().contains(&Event::NumbersReused));
    let renamed = replica.renew(NEW);
    assert_eq!(
        renamed.iter().map(|(old, kept)| (old.0, kept.edit.0)).collect::<Vec<_>>(),
        [(1, 5), (3, 6), (4, 7)]
    );
}

#[test]
fn an_edit_of_an_earlier_run_that_is_too_old_is_handed_back() {
    let kept = KeptEdit { edit: EditId(5), watchlist: LIST, changes: price("72") };
    let mut replica = replica(vec![kept]);
    replica.handle(rejected(5, Code::TooOld), 0);
    assert_eq!(
        settled(&mut replica),
        [(5, false)],
        "it may be in already: not sent again under another name"
    );
}

#[test]
fn what_was_accepted_waits_no_longer_when_its_watchlist_is_closed() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    let accepted = Accepted { watchlist: LIST, edit: EditId(1), revision: Revision(2) };
    replica.handle(ServerMessage::Accepted(accepted), 0);
    assert!(settled(&mut replica).is_empty(), "its commit is yet to be seen");
    let closed = Closed { watchlist: LIST, reason: ClosedReason::Deleted };
    replica.handle(ServerMessage::Closed(closed), 0);
    assert_eq!(settled(&mut replica), [(1, true)]);
}
