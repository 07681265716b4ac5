//! Notices and states that messages of the server lead to.

mod desk;
mod rejections;

use std::{collections::BTreeMap, time::Duration};

use desktop::store::{Absence, Connection};
use shared::{
    account::ListRole,
    edit::Change,
    ids::{At, Epoch, Revision, RowId, WatchlistId, WindowId},
    position::Position,
    wire::{
        client::{self, ClientMessage},
        server::{
            Access, Created, Error, ErrorCode, History as HistoryAnswer, Resumed, ServerMessage, Watchlists,
        },
        snapshot::SnapshotRow,
    },
};
use uuid::Uuid;

use crate::screen::wait_for;

use self::desk::{Desk, LIST, NOW, cells, commit, commit_of_bob, row, rows_of};

#[test]
fn a_start_without_the_server_shows_the_last_copy_and_takes_edits() {
    let mut desk = Desk::new();
    let at = At { epoch: Epoch(Uuid::from_u128(1)), revision: Revision(5) };
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "AA"]));
    let set = |number, value: &str| vec![Change::set(row(number), &"price".into(), value.into())];
    desk.store.edit(LIST, WindowId(1), set(1, "71")).unwrap();

    let mut desk = Desk::offline(desk.quit());
    assert_eq!(desk.store.known_lists(), [(LIST, "Core book".into())], "its tab");
    desk.store.open_list(LIST, NOW);
    wait_for("the copy", || {
        desk.store.tick(NOW);
        desk.store.watchlist(LIST).map(drop)
    });
    assert!(desk.store.copied_at(LIST).is_some(), "marked with its age");
    let shown = |price: &str| [("MMM".to_owned(), price.to_owned()), ("AA".to_owned(), "70".to_owned())];
    assert_eq!(cells(&desk, "price"), shown("71"), "with the edit that was not answered");
    desk.store.edit(LIST, WindowId(1), set(1, "72")).unwrap();
    assert_eq!((cells(&desk, "price"), desk.store.replica().unanswered_count()), (shown("72").into(), 2));

    desk.connect();
    let sent: Vec<ClientMessage> = std::iter::from_fn(|| desk.store.poll_send()).collect();
    let opens =
        |message: &&ClientMessage| matches!(message, ClientMessage::Open(open) if open.at == Some(at));
    assert!(sent.iter().any(|message| opens(&message)), "it continues where the copy ends: {sent:?}");
    let edits = sent.iter().filter(|message| matches!(message, ClientMessage::Edit(_))).count();
    assert_eq!(edits, 2, "both edits are sent");
    let At { epoch, revision } = at;
    desk.receive(ServerMessage::Resumed(Resumed { watchlist: LIST, epoch, revision, role: None }));
    assert_eq!(desk.store.copied_at(LIST), None);
    assert_eq!(cells(&desk, "price"), shown("72"));
}

#[test]
fn sparklines_are_kept_across_a_restart() {
    let mut desk = Desk::new();
    let columns = || [(LIST, ["price".into()].into())].into();
    desk.store.set_sparkline_columns(WindowId(1), columns());
    let position = Position::from_hex("80").unwrap();
    let cells = [("price".into(), "70".into())].into();
    let rows = vec![SnapshotRow { row: row(1), position, cells, changed: BTreeMap::new() }];
    desk.snapshot_with(LIST, "Core book", 1, rows);
    for (revision, price) in [(6, "71"), (7, "72.5")] {
        commit_of_bob(&mut desk, revision, vec![Change::set(row(1), &"price".into(), price.into())]);
    }
    let values = |desk: &Desk| {
        let sparklines = desk.store.sparklines(LIST)?;
        sparklines.get(row(1), &"price".into()).map(<[f32]>::to_vec)
    };
    let before = values(&desk);
    assert_eq!(before.as_ref().map(Vec::len), Some(3));
    let mut desk = Desk::offline(desk.quit());
    desk.store.set_sparkline_columns(WindowId(1), columns());
    desk.store.open_list(LIST, NOW);
    wait_for("the copy", || {
        desk.store.tick(NOW);
        desk.store.watchlist(LIST).map(drop)
    });
    assert_eq!(values(&desk), before);
}

#[test]
fn a_new_sparkline_has_the_values_of_the_history() {
    let mut desk = Desk::new();
    desk.snapshot_with(LIST, "Core book", 1, rows_of(["MMM", "AA"]));
    desk.store.set_sparkline_columns(WindowId(1), [(LIST, ["price".into()].into())].into());
    desk.store.tick(NOW);
    let asked: Vec<client::History> = std::iter::from_fn(|| desk.store.poll_send())
        .filter_map(|message| match message {
            ClientMessage::History(history) => Some(history),
            _ => None,
        })
        .collect();
    desk.store.tick(NOW);
    assert_eq!(asked.len(), 1, "once");
    assert_eq!((asked[0].watchlist, asked[0].column.clone()), (LIST, Some("price".into())));
    let set = |value: &str, was: &str| Change::set_guarded(row(1), &"price".into(), value.into(), was.into());
    let commits = vec![commit(5, vec![set("70", "69.5")]), commit(3, vec![set("69.5", "68")])];
    let answer = HistoryAnswer { request: asked[0].request, commits, next: None };
    desk.receive(ServerMessage::History(answer));
    let sparklines = desk.store.sparklines(LIST).unwrap();
    let values = |number| sparklines.get(row(number), &"price".into()).map(<[f32]>::to_vec);
    assert_eq!((values(1), values(2)), (Some(vec![68.0, 69.5, 70.0]), None));
}

#[test]
fn the_copy_of_a_watchlist_that_is_gone_is_removed() {
    let mut desk = Desk::new();
    desk.snapshot(1);
    let mut desk = Desk::offline(desk.quit());
    assert_eq!(desk.store.known_lists().len(), 1);
    desk.store.connected();
    desk.receive(ServerMessage::Watchlists(Watchlists { list: Vec::new() }));
    let desk = Desk::offline(desk.quit());
    assert_eq!(desk.store.known_lists(), []);
}

#[test]
fn a_restored_backup_adds_a_notice_that_stays_until_it_is_dismissed() {
    let mut desk = Desk::new();
    desk.snapshot(1);
    let position = Position::between(None, None, 1).unwrap().remove(0);
    let insert = Change::insert(RowId(Uuid::from_u128(1)), &position, Default::default());
    desk.store.edit(LIST, WindowId(1), vec![insert]).unwrap();
    desk.store.disconnected("connection lost".to_owned(), Some(NOW), NOW);
    desk.connect();
    desk.snapshot(1);
    assert_eq!(desk.notices(), [""; 0], "a snapshot of the same epoch adds no notice");
    desk.store.disconnected("connection lost".to_owned(), Some(NOW), NOW);
    desk.connect();
    desk.snapshot(2);
    assert!(
        desk.notices()[0].contains("\u{201c}Core book\u{201d} has been restored"),
        "{:?}",
        desk.notices()
    );
    desk.store.expire_notices(NOW * 1_000, NOW);
    assert_eq!(desk.notices().len(), 1);
    assert_eq!(desk.store.undo(WindowId(1), NOW), None, "edits of another epoch cannot be undone");
    assert_eq!(desk.store.replica().unanswered_count(), 1, "unanswered edits are sent again");
}

#[test]
fn a_restored_backup_adds_one_notice_for_all_open_watchlists() {
    let lists = [
        (LIST, "Core book"),
        (WatchlistId(Uuid::from_u128(8)), "Rates"),
        (WatchlistId(Uuid::from_u128(9)), "FX"),
    ];
    let mut desk = Desk::new();
    lists.into_iter().for_each(|(list, _)| desk.store.open_list(list, NOW));
    let restore = |desk: &mut Desk, epoch| {
        desk.connect();
        lists.into_iter().for_each(|(list, name)| desk.snapshot_of(list, name, epoch));
        desk.store.disconnected("connection lost".to_owned(), Some(NOW), NOW);
    };
    restore(&mut desk, 1);
    assert_eq!(desk.notices(), [""; 0]);
    let all = "The watchlists \u{201c}Core book\u{201d}, \u{201c}Rates\u{201d} and \u{201c}FX\u{201d} have been restored from \
               a backup on the server. Changes made after the backup may be missing.";
    for epoch in 2..4 {
        restore(&mut desk, epoch);
        assert_eq!(
            desk.notices(),
            [all],
            "one notice, even if the next backup is restored before it is dismissed"
        );
    }
    desk.store.dismiss(desk.store.notices()[0].id);
    restore(&mut desk, 4);
    assert_eq!(desk.notices(), [all], "another backup after it was dismissed");
}

#[test]
fn an_unavailable_list_shows_the_reason_until_it_is_available() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        desk.errs(ErrorCode::Unavailable, "the watchlist's records are damaged", Some(LIST));
    }
    assert_eq!(desk.store.unavailable_reason(LIST), Some("The watchlist's records are damaged."));
    assert_eq!(desk.notices(), [""; 0], "the reason is shown in place of the list");
    desk.store.tick(Duration::from_secs(9));
    desk.snapshot(1);
    assert_eq!(desk.store.unavailable_reason(LIST), None);
    desk.errs(ErrorCode::Unavailable, "the watchlist is temporarily unavailable", Some(LIST));
    desk.errs(ErrorCode::Unavailable, "the watchlist is temporarily unavailable", Some(LIST));
    let reason = "The watchlist is temporarily unavailable.";
    assert_eq!(desk.notices(), [reason], "one notice if the list is loaded");
    assert_eq!(desk.store.unavailable_reason(LIST), Some(reason), "and the status bar shows it");
    desk.store.dismiss(desk.store.notices()[0].id);
    desk.store.tick(Duration::from_secs(9));
    desk.receive(ServerMessage::Resumed(Resumed {
        watchlist: LIST,
        epoch: Epoch(Uuid::from_u128(1)),
        revision: Revision(5),
        role: None,
    }));
    assert_eq!(desk.store.unavailable_reason(LIST), None);
    desk.errs(ErrorCode::Unavailable, "the watchlist is temporarily unavailable", Some(LIST));
    assert_eq!(desk.notices(), [reason], "another outage adds another notice");
}

#[test]
fn an_unavailable_list_does_not_delay_edits_of_another() {
    let mut desk = Desk::new();
    desk.snapshot(1);
    let bad = WatchlistId(Uuid::from_u128(8));
    desk.store.open_list(bad, NOW);
    while desk.store.poll_send().is_some() {}
    let mut requests = 0;
    for second in 0..60 {
        let now = Duration::from_secs(second);
        let error = Error {
            code: ErrorCode::Unavailable,
            message: "its records are damaged".into(),
            request: None,
            watchlist: Some(bad),
        };
        desk.store.receive(ServerMessage::Error(error), now);
        desk.store.tick(now);
        requests += std::iter::from_fn(|| desk.store.poll_send()).count();
    }
    assert!((5..15).contains(&requests), "the retries back off: {requests}");
    let position = Position::between(None, None, 1).unwrap().remove(0);
    let insert = Change::insert(RowId(Uuid::from_u128(1)), &position, Default::default());
    desk.store.edit(LIST, WindowId(1), vec![insert]).unwrap();
    assert!(matches!(desk.store.poll_send(), Some(ClientMessage::Edit(_))), "the edit is sent at once");
}

#[test]
fn a_restarting_server_adds_no_notice() {
    let mut desk = Desk::new();
    desk.errs(ErrorCode::Restarting, "the server is stopping; connect again in a moment", None);
    assert_eq!(desk.notices(), [""; 0]);
    desk.errs(ErrorCode::BadMessage, "no such message", None);
    assert_eq!(desk.notices(), ["No such message."]);
    assert!(matches!(desk.store.connection(), Connection::Up { .. }));
}

/// Edit numbers are reserved on disk in blocks, and an import may need more of them than are reserved yet.
#[test]
fn a_large_import_waits_for_the_disk_and_loses_nothing() {
    const EDITS: usize = 5_000;
    let mut desk = Desk::new();
    let list = WatchlistId(Uuid::from_u128(9));
    let positions = Position::between(None, None, EDITS).unwrap();
    let insert = |(number, position): (usize, &Position)| {
        vec![Change::insert(RowId(Uuid::from_u128(number as u128)), position, Default::default())]
    };
    let fill = positions.iter().enumerate().map(insert).collect();
    assert!(desk.store.create(WindowId(1), list, "Imported", None, fill));
    let request = loop {
        if let ClientMessage::Create(create) = desk.store.poll_send().expect("the request is queued") {
            break create.request;
        }
    };
    desk.receive(ServerMessage::Created(Created { request, watchlist: list }));
    assert_eq!(desk.store.take_created(WindowId(2)), []);
    assert_eq!(desk.store.take_created(WindowId(1)), [list]);
    desk.store.open_list(list, NOW);
    desk.snapshot_of(list, "Imported", 1);
    wait_for("every row of the import", || {
        desk.store.tick(NOW);
        (desk.store.watchlist(list).unwrap().rows().len() == EDITS).then_some(())
    });
    assert!(!desk.store.has_delayed_edits());
}

/// With accounts, an unknown watchlist may also have been taken away.
#[test]
fn a_watchlist_that_is_unknown_after_an_absence_is_not_said_to_be_deleted() {
    for (role, expected) in [(None, Absence::Deleted), (Some(ListRole::Editor), Absence::Unknown)] {
        let mut desk = Desk::new();
        desk.snapshot(1);
        if let Some(role) = role {
            desk.receive(ServerMessage::Access(Access { watchlist: LIST, role }));
        }
        desk.store.disconnected("lost".to_owned(), Some(NOW), NOW);
        desk.connect();
        assert_eq!(desk.store.absence(LIST), Some(expected), "it may not be among the listed ones");
        desk.errs(ErrorCode::UnknownWatchlist, "there is no such watchlist", Some(LIST));
        assert_eq!(desk.store.absence(LIST), Some(expected));
    }
}
