//! What becomes of edits that the server rejects, and what the person reads about them.

use std::{collections::VecDeque, time::Duration};

use desktop::store::Offer;
use shared::{
    edit::Change,
    ids::{EditId, Revision, WindowId},
    position::Position,
    rejection::{Code, Rejection},
    wire::{
        client::ClientMessage,
        server::{Closed, ClosedReason, Rejected, ServerMessage},
    },
};

use super::desk::{
    Desk, LIST, NOW, cells, commit_of_bob, price_set, reject, row, rows_of, sent, server_accepted,
};

#[test]
fn rejected_edits_name_their_rows_and_can_overwrite() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
    let set = |number, value: &str| {
        vec![Change::set_guarded(row(number), &"price".into(), value.into(), "70".into())]
    };
    desk.store.edit(LIST, WindowId(1), set(1, "11.1")).unwrap();
    desk.store.edit(LIST, WindowId(1), set(2, "22.2")).unwrap();
    let edits: Vec<EditId> = std::iter::from_fn(|| desk.store.poll_send())
        .filter_map(|message| match message {
            ClientMessage::Edit(edit) => Some(edit.edit),
            _ => None,
        })
        .collect();
    let changes = vec![Change::set(row(1), &"price".into(), "55.55".into()), Change::remove(row(2), None)];
    commit_of_bob(&mut desk, 6, changes);
    let rejection = |code, current: Option<&str>| Rejection {
        change: Some(0),
        current: current.map(Into::into),
        by: Some("bob".into()),
        ..Rejection::new(code, format!("unknown row {}", row(2)))
    };
    let rejections = [rejection(Code::Conflict, Some("55.55")), rejection(Code::UnknownRow, None)];
    for (edit, rejection) in edits.into_iter().zip(rejections) {
        desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
    }
    assert_eq!(
        desk.notices(),
        [
            "Your 11.1 for MMM Price was rejected: bob changed it to 55.55 first.",
            "Your 22.2 for T Price was rejected: the row was removed."
        ]
    );
    let offers: Vec<Option<Offer>> = desk.store.notices().iter().map(|notice| notice.offer.clone()).collect();
    let again = Change::set_guarded(row(1), &"price".into(), "11.1".into(), "55.55".into());
    assert_eq!(offers, [Some(Offer::Overwrite(LIST, vec![again])), None]);
}

/// Rejects an edit of four cells and a row's removal because of one cell: the others are sent again.
#[test]
fn the_rest_of_a_rejected_edit_is_made_and_can_be_undone() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T", "AA", "C"]));
    let set =
        |number, value: &str| Change::set_guarded(row(number), &"price".into(), value.into(), "70".into());
    let pasted = vec![set(1, "1"), set(2, "2"), set(3, "3"), set(4, "4")];
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let first = sent(&mut desk).remove(0).0;
    // Bob has changed two of the cells, and removed a row.
    let changes = vec![
        Change::set(row(2), &"price".into(), "66".into()),
        Change::set(row(3), &"price".into(), "77".into()),
        Change::remove(row(4), None),
    ];
    commit_of_bob(&mut desk, 6, changes);
    let rejection = Rejection {
        change: Some(1),
        current: Some("66".into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "conflict")
    };
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit: first, rejection }));
    assert_eq!(
        desk.notices(),
        [
            "Your 2 for T Price was rejected: bob changed it to 66 first. Also rejected: 3 for AA Price (now 77), 4 for C Price \
          (removed). 1 change is made without it."
        ]
    );
    let overwrite = |number, value: &str, current: &str| {
        Change::set_guarded(row(number), &"price".into(), value.into(), current.into())
    };
    let offer = desk.store.notices()[0].offer.clone();
    assert_eq!(offer, Some(Offer::Overwrite(LIST, vec![overwrite(2, "2", "66"), overwrite(3, "3", "77")])));
    let again = sent(&mut desk);
    assert_eq!(again.iter().map(|(_, changes)| changes.clone()).collect::<Vec<_>>(), [vec![set(1, "1")]]);
    let prices: Vec<String> = cells(&desk, "price").into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["1", "66", "77"]);

    // It is one step, also for undo, which keeps what others have changed since.
    desk.receive(ServerMessage::Accepted(server_accepted(again[0].0, 7)));
    desk.store.undo(WindowId(1), NOW).unwrap();
    let undone = sent(&mut desk).remove(0);
    assert_eq!(undone.1, [overwrite(1, "70", "1")]);
    assert!(desk.store.undo_list(WindowId(1)).is_none());
}

#[test]
fn an_offer_to_overwrite_covers_every_value_also_those_that_the_notice_only_counts() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B", "C", "D", "E", "F", "G", "H"]));
    let pasted: Vec<Change> = (1..=8).map(|number| price_set(number, "1", "70")).collect();
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let edit = sent(&mut desk)[0].0;
    commit_of_bob(
        &mut desk,
        6,
        (1..=8).map(|number| Change::set(row(number), &"price".into(), "9".into())).collect(),
    );
    reject(&mut desk, edit, 0, "9");
    let text = desk.notices()[0].to_owned();
    assert!(text.contains("1 for F Price (now 9)") && !text.contains("G Price"), "{text}");
    assert!(text.ends_with("2 other changes were rejected as well."), "{text}");
    let all: Vec<Change> = (1..=8).map(|number| price_set(number, "1", "9")).collect();
    assert_eq!(desk.store.notices()[0].offer, Some(Offer::Overwrite(LIST, all)));
}

/// A person who has pasted into the wrong cells undoes that and pastes again.
#[test]
fn undo_and_redo_lead_to_the_cell_where_the_edit_began() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B", "C"]));
    let pasted = (1..=3).map(|number| price_set(number, "1", "70")).collect();
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let first = Some((row(1), Some("price".into())));
    for _ in 0..2 {
        assert_eq!(desk.store.undo(WindowId(1), NOW).unwrap().cell, first);
        assert_eq!(desk.store.redo(WindowId(1), NOW).unwrap().cell, first);
    }
}

/// Somebody has removed one of the rows of a paste before it is undone.
#[test]
fn an_edit_is_undone_in_the_rows_that_still_exist() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
    let pasted = vec![price_set(1, "1", "70"), price_set(2, "2", "70")];
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    commit_of_bob(&mut desk, 6, vec![Change::remove(row(2), None)]);
    desk.store.undo(WindowId(1), Duration::ZERO).unwrap();
    assert_eq!(cells(&desk, "price"), [("MMM".to_owned(), "70".to_owned())]);
    assert_eq!(desk.notices(), ["Not undone in T: removed in the meantime."]);
}

/// A row is removed while a paste into it waits for confirmation.
#[test]
fn the_cells_of_removed_rows_are_left_out_of_an_edit() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B"]));
    let pasted = vec![price_set(1, "1", "70"), price_set(2, "2", "70")];
    commit_of_bob(&mut desk, 6, vec![Change::remove(row(2), None)]);
    let (left, lost) = desk.store.without_removed_rows(LIST, pasted);
    assert_eq!((left, lost), (vec![price_set(1, "1", "70")], 1));
}

#[test]
fn the_rest_of_an_undo_is_undone_and_can_be_redone() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T", "AA"]));
    let set = |number, value: &str, was: &str| {
        Change::set_guarded(row(number), &"price".into(), value.into(), was.into())
    };
    desk.store
        .edit(LIST, WindowId(1), vec![set(1, "1", "70"), set(2, "2", "70"), set(3, "3", "70")])
        .unwrap();
    let pasted = sent(&mut desk)[0].0;
    desk.receive(ServerMessage::Accepted(server_accepted(pasted, 6)));
    desk.store.undo(WindowId(1), NOW).unwrap();
    let undo = sent(&mut desk)[0].0;
    let rejection = Rejection {
        change: Some(1),
        current: Some("50.5".into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "conflict")
    };
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit: undo, rejection }));
    assert_eq!(desk.notices(), ["Not undone: bob changed T Price to 50.5. 2 changes are undone without it."]);
    let rest = sent(&mut desk)[0].0;
    desk.receive(ServerMessage::Accepted(server_accepted(rest, 8)));
    let prices: Vec<String> = cells(&desk, "price").into_iter().map(|(_, price)| price).collect();
    assert_eq!((&*prices[0], &*prices[2]), ("70", "70"));
    assert!(desk.store.undo_list(WindowId(1)).is_none() && desk.store.redo_list(WindowId(1)).is_some());
    desk.store.redo(WindowId(1), NOW).unwrap();
    let prices: Vec<String> = cells(&desk, "price").into_iter().map(|(_, price)| price).collect();
    assert_eq!((&*prices[0], &*prices[2]), ("1", "3"));
}

#[test]
fn values_that_others_have_set_as_well_are_no_conflicts() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T", "AA"]));
    let pasted = vec![price_set(1, "1", "70"), price_set(2, "2", "70"), price_set(3, "3", "70")];
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let edit = sent(&mut desk)[0].0;
    let same = vec![price_set(1, "1", "70"), price_set(2, "2", "70")];
    commit_of_bob(&mut desk, 6, same);
    reject(&mut desk, edit, 0, "1");
    assert_eq!(desk.notices(), Vec::<String>::new());
    let rest = sent(&mut desk);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].1, [price_set(3, "3", "70")], "in one edit");
}

/// Bob's change may arrive after the rejection that it causes.
#[test]
fn several_rejections_of_one_edit_are_one_notice() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T", "AA"]));
    let pasted = vec![price_set(1, "1", "70"), price_set(2, "2", "70"), price_set(3, "3", "70")];
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let edit = sent(&mut desk)[0].0;
    reject(&mut desk, edit, 0, "66");
    let rest = sent(&mut desk).remove(0);
    assert_eq!(rest.1, [price_set(2, "2", "70"), price_set(3, "3", "70")]);
    reject(&mut desk, rest.0, 0, "77");
    let last = sent(&mut desk).remove(0);
    reject(&mut desk, last.0, 0, "88");
    assert_eq!(
        desk.notices(),
        [
            "Your 1 for MMM Price was rejected: bob changed it to 66 first. Also rejected: 2 for T Price (now 77), 3 for AA Price \
          (now 88)."
        ]
    );
    let overwrite = vec![price_set(1, "1", "66"), price_set(2, "2", "77"), price_set(3, "3", "88")];
    assert_eq!(desk.store.notices()[0].offer, Some(Offer::Overwrite(LIST, overwrite)), "all of them");
    assert!(desk.store.undo_list(WindowId(1)).is_none());
}

#[test]
fn an_edit_on_top_of_a_rejected_one_is_kept() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
    desk.store.edit(LIST, WindowId(1), vec![price_set(1, "1", "70"), price_set(2, "2", "70")]).unwrap();
    desk.store.edit(LIST, WindowId(1), vec![price_set(1, "5", "1")]).unwrap();
    let edits = sent(&mut desk);
    commit_of_bob(&mut desk, 6, vec![price_set(2, "66", "70")]);
    reject(&mut desk, edits[0].0, 1, "66");
    assert!(sent(&mut desk).is_empty(), "the later edit sets the other cell");
    // The server has never seen the 1 that the later edit is guarded by.
    reject(&mut desk, edits[1].0, 0, "70");
    let again = sent(&mut desk);
    assert_eq!(again[0].1, [price_set(1, "5", "70")]);
    assert_eq!(desk.notices(), ["Your 2 for T Price was rejected: bob changed it to 66 first."]);
    let prices: Vec<String> = cells(&desk, "price").into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["5", "66"]);
}

#[test]
fn a_removed_column_does_not_take_the_other_columns_of_a_paste_with_it() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
    let target = |number| Change::set(row(number), &"target".into(), "9".into());
    let pasted = vec![price_set(1, "1", "70"), target(1), price_set(2, "2", "70"), target(2)];
    desk.store.edit(LIST, WindowId(1), pasted).unwrap();
    let edit = sent(&mut desk)[0].0;
    let removed = shared::edit::ColumnRef { key: "target".into() };
    commit_of_bob(&mut desk, 6, vec![Change::RemoveColumn(removed)]);
    let rejection =
        Rejection { change: Some(1), ..Rejection::new(Code::UnknownColumn, "the column Target was removed") };
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
    assert_eq!(sent(&mut desk)[0].1, [price_set(1, "1", "70"), price_set(2, "2", "70")]);
    assert_eq!(desk.notices().len(), 1);
}

fn price(number: u128, value: &str) -> Vec<Change> {
    vec![price_set(number, value, "70")]
}

/// Makes edits, each of some changes, and returns their numbers.
fn edits(desk: &mut Desk, edits: Vec<Vec<Change>>) -> Vec<EditId> {
    for changes in edits {
        desk.store.edit(LIST, WindowId(1), changes).unwrap();
    }
    sent(desk).into_iter().map(|(edit, _)| edit).collect()
}

fn reject_whole(desk: &mut Desk, edit: EditId, code: Code) {
    let rejection = Rejection::new(code, "your account may not edit this watchlist");
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
}

/// Returns the values that a notice offers to copy, in lines of cells.
fn values(desk: &Desk, notice: usize) -> Vec<String> {
    desk.store.notices()[notice].rejected.iter().map(|rejected| rejected.cells().join(" ")).collect()
}

#[test]
fn edits_of_a_watchlist_that_is_gone_come_back_in_one_notice() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B", "C"]));
    let sent = edits(&mut desk, vec![price(1, "1"), price(2, "2"), price(3, "3")]);
    desk.receive(ServerMessage::Closed(Closed { watchlist: LIST, reason: ClosedReason::Deleted }));
    sent.into_iter().for_each(|edit| reject_whole(&mut desk, edit, Code::UnknownWatchlist));
    assert_eq!(
        desk.notices(),
        [
            "Your 1 for A Price was rejected: its watchlist was deleted, or you no longer have access to it. Also \
          rejected: 2 for B Price, 3 for C Price."
        ]
    );
    assert_eq!(values(&desk, 0), ["A Price 1", "B Price 2", "C Price 3"]);
}

#[test]
fn every_value_of_a_forbidden_paste_comes_back() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B", "C", "D", "E", "F", "G", "H"]));
    let pasted = (1..=8).map(|number| price_set(number, "1", "70")).collect();
    let sent = edits(&mut desk, vec![pasted, price(1, "2"), price(1, "3")]);
    reject_whole(&mut desk, sent[0], Code::Forbidden);
    assert_eq!(
        desk.notices(),
        [
            "Your 1 for A Price was rejected: your account may not edit this watchlist. Also rejected: 1 for B Price, \
          1 for C Price, 1 for D Price, 1 for E Price, 1 for F Price. 2 other changes were rejected as well."
        ]
    );
    assert_eq!(values(&desk, 0).len(), 8);
    assert_eq!(desk.store.notices()[0].offer, None, "no other client has set these cells");
    reject_whole(&mut desk, sent[1], Code::Forbidden);
    assert!(desk.notices()[0].ends_with("3 other changes were rejected as well."), "{:?}", desk.notices());
    assert_eq!(values(&desk, 0)[8], "A Price 2");

    // What the person has read and dismissed does not come again.
    let notice = desk.store.notices()[0].id;
    desk.store.dismiss(notice);
    reject_whole(&mut desk, sent[2], Code::Forbidden);
    assert_eq!(
        desk.notices(),
        ["Your 3 for A Price was rejected: your account may not edit this watchlist."]
    );
    assert_eq!(values(&desk, 0), ["A Price 3"]);
}

#[test]
fn rejected_values_survive_the_end_of_the_program_until_they_are_dismissed() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B"]));
    let sent = edits(&mut desk, vec![price(1, "1"), price(2, "2")]);
    sent.into_iter().for_each(|edit| reject_whole(&mut desk, edit, Code::Forbidden));
    let (texts, before) = (desk.notices().join(""), values(&desk, 0));
    assert_eq!(before, ["A Price 1", "B Price 2"]);

    let mut desk = Desk::offline(desk.quit());
    assert_eq!((desk.notices().join(""), values(&desk, 0)), (texts, before));
    let notice = desk.store.notices()[0].id;
    desk.store.dismiss(notice);
    let desk = Desk::offline(desk.quit());
    assert_eq!(desk.notices(), Vec::<&str>::new());
}

/// The outboxes of two accounts have notices of the same number.
#[test]
fn a_notice_for_every_account_takes_no_place_of_a_kept_one() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A"]));
    let edit = edits(&mut desk, vec![price(1, "1")])[0];
    reject_whole(&mut desk, edit, Code::Forbidden);
    let mut other = Desk::new();
    other.store.notify_all_accounts("The server has a new address.");
    let before = Desk::offline(desk.quit());
    let Desk { store, folder } = before;
    let store = store.with_public_notices_of(&mut other.store);
    let mut desk = Desk { store, folder };
    let ids: Vec<u64> = desk.store.notices().iter().map(|notice| notice.id).collect();
    assert_eq!(ids.len(), 2);
    desk.store.dismiss(ids[1]);
    assert_eq!(
        desk.notices(),
        ["Your 1 for A Price was rejected: your account may not edit this watchlist."]
    );
    let desk = Desk::offline(desk.quit());
    assert_eq!(values(&desk, 0), ["A Price 1"], "it is still kept");
}

/// Values that were typed while the server was away, of which others have changed every cell.
#[test]
fn conflicts_that_come_together_are_one_notice_and_can_be_overwritten_together() {
    let mut desk = Desk::new();
    let symbols: Vec<String> = (0..20).map(|number| format!("S{number}")).collect();
    let symbols: [&str; 20] = std::array::from_fn(|index| symbols[index].as_str());
    desk.snapshot_with(LIST, "Core book", 1, rows_of(symbols));
    let typed = (1..=20).map(|number| {
        vec![Change::set_guarded(
            row(number),
            &"price".into(),
            number.to_string().as_str().into(),
            "70".into(),
        )]
    });
    let conflict = |desk: &mut Desk, edit, theirs: &str| {
        let rejection = Rejection {
            change: Some(0),
            current: Some(theirs.into()),
            by: Some("bob".into()),
            ..Rejection::new(Code::Conflict, format!("the cell is {theirs}"))
        };
        desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
    };
    for changes in typed {
        desk.store.edit(LIST, WindowId(1), changes).unwrap();
    }
    let mut revision = 5;
    let mut waiting: VecDeque<EditId> = VecDeque::new();
    loop {
        // Only some of them are sent at once.
        waiting.extend(sent(&mut desk).into_iter().map(|(edit, _)| edit));
        let Some(edit) = waiting.pop_front() else { break };
        let theirs = format!("10{revision}");
        let set = Change::set(row(u128::from(revision) - 4), &"price".into(), theirs.as_str().into());
        commit_of_bob(&mut desk, revision + 1, vec![set]);
        conflict(&mut desk, edit, &theirs);
        revision += 1;
    }
    assert_eq!(desk.notices().len(), 1, "{:?}", desk.notices());
    assert_eq!(values(&desk, 0).len(), 20, "{revision} {:?}", desk.notices());
    match &desk.store.notices()[0].offer {
        Some(Offer::Overwrite(LIST, changes)) => assert_eq!(changes.len(), 20),
        other => panic!("{other:?}"),
    }
    // A minute later a person reads another notice.
    desk.store.edit(LIST, WindowId(1), vec![price_set(1, "7", "105")]).unwrap();
    let edit = sent(&mut desk)[0].0;
    let rejection = Rejection {
        change: Some(0),
        current: Some("8".into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "the cell is 8")
    };
    let rejected = ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection });
    desk.store.receive(rejected, NOW + Duration::from_secs(60));
    assert_eq!(desk.notices().len(), 2, "{:?}", desk.notices());
}

#[test]
fn edits_that_are_rejected_for_other_reasons_are_other_notices() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B"]));
    let sent = edits(&mut desk, vec![price(1, "1"), price(2, "2")]);
    reject_whole(&mut desk, sent[0], Code::Forbidden);
    reject_whole(&mut desk, sent[1], Code::InvalidValue);
    assert_eq!((values(&desk, 0), values(&desk, 1)), (vec!["A Price 1".into()], vec!["B Price 2".into()]));
}

/// The rest of a paste is sent again, and the right to edit is taken away before that.
#[test]
fn a_rest_that_is_rejected_as_well_comes_back_with_its_own_reason() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B"]));
    let pasted = vec![price_set(1, "1", "70"), price_set(2, "2", "70")];
    let first = edits(&mut desk, vec![pasted])[0];
    commit_of_bob(&mut desk, 6, vec![Change::set(row(1), &"price".into(), "9".into())]);
    reject(&mut desk, first, 0, "9");
    let rest = sent(&mut desk)[0].0;
    reject_whole(&mut desk, rest, Code::Forbidden);
    assert_eq!(
        desk.notices(),
        [
            "Your 2 for B Price was rejected: your account may not edit this watchlist. Also rejected: 1 for A Price \
          (now 9)."
        ]
    );
    assert_eq!(values(&desk, 0), ["A Price 1", "B Price 2"]);
}

#[test]
fn rejected_rows_and_removals_are_named() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["A", "B", "C"]));
    let position = Position::between(None, None, 1).unwrap().remove(0);
    let cells = [("note".into(), "new".into()), ("symbol".into(), "XOM".into())].into();
    let changes = vec![
        Change::insert(row(9), &position, cells),
        Change::remove(row(2), None),
        Change::move_to(row(3), &position),
    ];
    let edit = edits(&mut desk, vec![changes])[0];
    reject_whole(&mut desk, edit, Code::Forbidden);
    assert_eq!(
        desk.notices(),
        [
            "Your row XOM was rejected: your account may not edit this watchlist. Also rejected: removal of B, move of \
          C."
        ]
    );
    assert_eq!(values(&desk, 0), ["XOM Note new", "XOM Symbol XOM"]);
}

/// The connection is lost, or nothing is heard from the server, or it answers at once.
#[test]
fn a_removed_row_stays_if_somebody_has_changed_it_and_the_answer_comes_late() {
    for (is_lost, waits) in [(false, 0), (false, 3), (true, 3)] {
        let mut desk = Desk::new();
        desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
        desk.store.tick(NOW);
        desk.store.edit(LIST, WindowId(1), vec![Change::remove(row(2), None)]).unwrap();
        if is_lost {
            desk.store.disconnected("no route".to_owned(), None, NOW);
            desk.connect();
            desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
        }
        let edits = sent(&mut desk);
        assert_eq!(edits[0].1, [Change::remove(row(2), Some(Revision(5)))]);
        desk.store.tick(NOW + Duration::from_secs(waits));
        let rejection = Rejection {
            change: Some(0),
            by: Some("bob".into()),
            ..Rejection::new(Code::Conflict, "the row changed after revision 5")
        };
        desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit: edits[0].0, rejection }));
        commit_of_bob(&mut desk, 6, vec![price_set(2, "777", "70")]);
        let again = sent(&mut desk);
        if waits == 0 {
            assert_eq!(again[0].1, [Change::remove(row(2), None)], "the person sees that it changes");
            assert_eq!((cells(&desk, "price").len(), desk.notices().len()), (1, 0));
        } else {
            assert_eq!((again.len(), &*cells(&desk, "price")[1].1), (0, "777"));
            assert!(desk.notices()[0].contains("bob has changed T since"), "{:?}", desk.notices());
        }
    }
}

#[test]
fn a_removal_that_is_made_again_is_guarded() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "T"]));
    desk.store.edit(LIST, WindowId(1), vec![Change::remove(row(2), None)]).unwrap();
    desk.store.undo(WindowId(1), NOW);
    desk.store.redo(WindowId(1), NOW);
    assert_eq!(sent(&mut desk)[2].1, [Change::remove(row(2), Some(Revision(5)))]);
}
