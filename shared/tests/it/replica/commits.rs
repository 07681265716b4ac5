//! What the commits of the server do to what a client shows, and the events that they cause.

use shared::{
    column::ColumnKind,
    edit::{AddColumn, Change},
    ids::{ClientId, Revision, RowId, WindowId},
    position::Position,
    replica::{Effect, Event, Outcome, Replica, Sync},
    time::Timestamp,
    value::{Literal, Value},
    wire::server::ServerMessage,
};
use uuid::Uuid;

use super::{
    CLIENT, LIST, ROW, answered, at, changed, commit_of, committed, open, outgoing, price, replica,
    shown_price, snapshot, welcome,
};

const OTHER: ClientId = ClientId(Uuid::from_u128(200));

/// Returns the window of each commit since the last call.
fn windows(replica: &mut Replica) -> Vec<Option<WindowId>> {
    let events = replica.take_events().into_iter();
    events
        .filter_map(|event| if let Event::Committed { window, .. } = event { Some(window) } else { None })
        .collect()
}

fn by_other(changes: Vec<Change>) -> ServerMessage {
    changed(1, 2, vec![commit_of(OTHER, 1, changes)])
}

#[test]
fn a_commit_is_reported_with_the_effect_of_each_change() {
    let mut replica = replica(Vec::new());
    let new = RowId(Uuid::from_u128(2));
    let position = Position::from_hex("90").unwrap();
    let (key, title, kind) = ("extra".into(), "Extra".into(), ColumnKind::Text);
    let changes = vec![
        Change::set(ROW, &"symbol".into(), Literal::from("AA")),
        Change::insert(new, &position, [].into()),
        Change::move_to(ROW, &Position::from_hex("a0").unwrap()),
        Change::AddColumn(AddColumn { key, title, kind, after: None }),
        Change::remove(ROW, None),
    ];
    let commit = commit_of(OTHER, 1, changes.clone());
    replica.handle(changed(1, 2, vec![commit.clone()]), 0);
    let committed = Event::Committed {
        watchlist: LIST,
        revision: Revision(2),
        by: commit.by,
        at: Timestamp::default(),
        window: None,
        effects: vec![
            Effect::Cell {
                row: ROW,
                column: "symbol".into(),
                before: Value::Text("MMM".into()),
                after: Value::Text("AA".into()),
            },
            Effect::Inserted { row: new },
            Effect::Moved { row: ROW },
            Effect::Structure,
            Effect::Removed { row: ROW, index: 1, name: Some("AA".into()) },
        ],
    };
    assert_eq!(replica.take_events(), [committed]);
    let list = replica.list(LIST).unwrap();
    assert_eq!((list.at(), list.state().unwrap().rows().len()), (Some(at(2)), 1));
    assert!(outgoing(&mut replica).iter().all(|message| *message != open(Some(at(1)))));
}

#[test]
fn a_commit_has_the_window_that_made_the_edit() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(4), price("72")).unwrap();
    replica.handle(changed(1, 2, vec![commit_of(OTHER, 1, price("70"))]), 0);
    let events = replica.take_events();
    let [.., Event::Committed { window: None, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(shown_price(&replica), Literal::from("72"), "the pending edit is shown on top");
    replica.handle(changed(2, 3, vec![commit_of(CLIENT, 1, price("72"))]), 0);
    let events = replica.take_events();
    let answer = Event::EditAnswered {
        watchlist: LIST,
        edit: shared::ids::EditId(1),
        window: WindowId(4),
        outcome: Outcome::Accepted(Revision(2)),
        changes: price("72"),
    };
    assert!(events.contains(&answer), "{events:?}");
    assert!(matches!(&events[..], [Event::Committed { window: Some(WindowId(4)), .. }, _]), "{events:?}");
    assert_eq!((replica.unanswered_count(), shown_price(&replica)), (0, Literal::from("72")));
    replica.handle(changed(3, 4, vec![commit_of(CLIENT, 9, price("74"))]), 0);
    assert_eq!(windows(&mut replica), [Some(WindowId(0))], "an earlier run of this client made it");
}

#[test]
fn an_equal_edit_of_another_client_does_not_answer_ones_own() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(4), price("72")).unwrap();
    replica.take_events();
    for other in [commit_of(OTHER, 1, price("72")), commit_of(CLIENT, 9, price("72"))] {
        replica.handle(changed(1, 2, vec![other]), 0);
        replica.handle(ServerMessage::Snapshot(snapshot()), 0);
        let events = replica.take_events();
        assert!(!events.iter().any(|event| matches!(event, Event::EditAnswered { .. })), "{events:?}");
    }
    assert_eq!(replica.unanswered_count(), 1);
}

#[test]
fn changes_that_do_not_follow_are_not_applied_and_requested_again() {
    for message in [changed(2, 3, Vec::new()), changed(0, 1, Vec::new()), changed(1, 0, Vec::new())] {
        let mut replica = replica(Vec::new());
        outgoing(&mut replica);
        replica.handle(message, 0);
        assert_eq!(outgoing(&mut replica), [open(Some(at(1)))]);
        let list = replica.list(LIST).unwrap();
        assert_eq!((list.at(), list.sync()), (Some(at(1)), Sync::Requested));
        replica.handle(by_other(price("70")), 0);
        assert_eq!(shown_price(&replica), Literal::Empty, "changes before the answer are ignored");
    }
}

#[test]
fn a_range_without_changes_is_valid() {
    let mut replica = replica(Vec::new());
    outgoing(&mut replica);
    replica.handle(changed(1, 1, Vec::new()), 0);
    replica.handle(changed(1, 5, Vec::new()), 0);
    assert!(outgoing(&mut replica).is_empty());
    assert_eq!(replica.list(LIST).unwrap().at(), Some(at(5)));
}

#[test]
fn a_commit_that_does_not_apply_is_replaced_by_a_snapshot() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    outgoing(&mut replica);
    replica.take_events();
    replica.handle(by_other(vec![Change::remove(RowId(Uuid::from_u128(9)), None)]), 0);
    assert_eq!(outgoing(&mut replica), [open(None)]);
    assert!(windows(&mut replica).is_empty());
    assert_eq!(shown_price(&replica), Literal::from("72"), "the pending edit stays shown");
    replica.handle(ServerMessage::Snapshot(snapshot()), 0);
    assert_eq!((replica.list(LIST).unwrap().at(), shown_price(&replica)), (Some(at(1)), Literal::from("72")));
}

#[test]
fn a_commit_answers_an_edit_that_was_accepted_before() {
    let mut replica = replica(Vec::new());
    replica.edit(LIST, WindowId(1), price("72")).unwrap();
    replica.edit(LIST, WindowId(1), price("73")).unwrap();
    replica.handle(super::accepted(1, 3), 0);
    replica.handle(super::accepted(2, 4), 0);
    replica.take_events();
    replica.handle(changed(1, 2, Vec::new()), 0);
    assert!(answered(&mut replica).is_empty());
    replica.handle(changed(2, 3, Vec::new()), 0);
    assert_eq!(answered(&mut replica), [(1, true)], "conflation has left nothing of its commit");
    assert_eq!(shown_price(&replica), Literal::from("73"));
}

#[test]
fn a_commit_is_known_as_an_edit_without_its_guards() {
    let mut replica = replica(Vec::new());
    let guarded = |was: Option<&str>| {
        let mut change = Change::set(ROW, &"symbol".into(), Literal::from("AA"));
        if let Change::Set(set) = &mut change {
            set.was = was.map(Literal::from);
        }
        change
    };
    let edit = vec![guarded(Some("MMM")), Change::rename("Other"), Change::remove(ROW, Some(Revision(1)))];
    replica.edit(LIST, WindowId(1), edit).unwrap();
    replica.take_events();
    let commit = vec![guarded(None), Change::rename("Other"), Change::remove(ROW, None)];
    replica.handle(committed(1, commit), 0);
    assert_eq!(answered(&mut replica), [(1, true)]);
}

#[test]
fn a_commit_with_other_changes_is_not_known_as_the_edit() {
    let new = RowId(Uuid::from_u128(2));
    let insert = || Change::insert(new, &Position::from_hex("90").unwrap(), [].into());
    let note = |row, text: &str| Change::set(row, &"note".into(), Literal::from(text));
    let edit = || vec![insert(), note(ROW, "a"), Change::rename("Other"), Change::remove(ROW, None)];
    for other in [
        vec![note(ROW, "b")],
        vec![insert(), note(new, "a")],
        vec![Change::set(ROW, &"symbol".into(), Literal::from("a"))],
        vec![Change::rename("Another")],
        vec![insert(), Change::remove(new, None)],
        vec![Change::rename("Other"), note(ROW, "a")],
        [edit(), vec![Change::rename("Other")]].concat(),
    ] {
        let mut replica = replica(Vec::new());
        replica.edit(LIST, WindowId(1), edit()).unwrap();
        replica.take_events();
        replica.handle(committed(1, other.clone()), 0);
        assert!(answered(&mut replica).is_empty(), "{other:?}");
        assert_eq!(replica.unanswered_count(), 1);
    }
}

#[test]
fn changes_of_a_watchlist_that_is_not_open_are_ignored() {
    let mut replica = replica(Vec::new());
    replica.disconnected();
    replica.handle(by_other(price("70")), 0);
    assert_eq!((windows(&mut replica), shown_price(&replica)), (Vec::new(), Literal::Empty));
    replica.connected();
    welcome(&mut replica);
    replica.close(LIST);
    replica.handle(by_other(price("70")), 0);
    assert!(windows(&mut replica).is_empty());
}
