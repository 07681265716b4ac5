//! Notices and states that messages of the server lead to.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::store::{Connection, Offer, Store};
use shared::{
    account::{Role, User},
    column::standard_columns,
    edit::{Author, Change, Commit},
    ids::{At, ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId, WindowId},
    position::Position,
    rejection::{Code, Rejection},
    time::Timestamp,
    wire::{
        client::{self, ClientMessage},
        server::{
            Accepted, Changes, Created, Error, ErrorCode, History as HistoryAnswer, Rejected, Resumed,
            ServerMessage, Summary, Watchlists, Welcome,
        },
        snapshot::{Snapshot, SnapshotRow},
    },
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::screen::wait_for;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const NOW: Duration = Duration::from_secs(1);

struct Desk {
    store: Store,
    folder: TempDir,
}

impl Desk {
    /// Starts the program, which does not reach its server yet.
    fn offline(folder: TempDir) -> Self {
        let write = server::files::write_atomically;
        let store = Store::open(&folder.path().join("outbox"), Instant::now, write).unwrap();
        let store = store.with_copies(folder.path().join("copies"), write, Arc::new(|| {})).unwrap();
        Self { store, folder }
    }

    /// Ends the program, which leaves its folder.
    fn quit(mut self) -> TempDir {
        self.store.finish_copies(NOW);
        self.folder
    }

    fn new() -> Self {
        let mut desk = Self::offline(tempfile::tempdir().unwrap());
        desk.connect();
        desk.store.open_list(LIST, NOW);
        desk
    }

    fn connect(&mut self) {
        self.store.connected();
        let user = User { id: UserId(Uuid::nil()), name: "ann".into(), role: Role::User }.into();
        let now = Timestamp::from_millis(0);
        self.receive(ServerMessage::Welcome(Welcome { protocol: 1, server: "1.0.0".into(), user, now }));
        let revision = Revision(5);
        let summary = Summary { watchlist: LIST, name: "Core book".into(), revision, rows: 0, role: None };
        self.receive(ServerMessage::Watchlists(Watchlists { list: vec![summary] }));
    }

    fn receive(&mut self, message: ServerMessage) {
        self.store.receive(message, NOW);
    }

    fn errs(&mut self, code: ErrorCode, message: &str, watchlist: Option<WatchlistId>) {
        self.receive(ServerMessage::Error(Error { code, message: message.into(), request: None, watchlist }));
    }

    /// Receives a snapshot of the watchlist in an epoch.
    fn snapshot(&mut self, epoch: u128) {
        self.snapshot_of(LIST, "Core book", epoch);
    }

    fn snapshot_of(&mut self, watchlist: WatchlistId, name: &str, epoch: u128) {
        self.snapshot_with(watchlist, name, epoch, Vec::new());
    }

    fn snapshot_with(&mut self, watchlist: WatchlistId, name: &str, epoch: u128, rows: Vec<SnapshotRow>) {
        self.receive(ServerMessage::Snapshot(Snapshot {
            watchlist,
            name: name.into(),
            columns: standard_columns(),
            epoch: Epoch(Uuid::from_u128(epoch)),
            revision: Revision(5),
            part: 1,
            parts: 1,
            role: None,
            rows,
        }));
    }

    fn notices(&self) -> Vec<&str> {
        self.store.notices().iter().map(|notice| &*notice.text).collect()
    }
}

fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// Returns rows from 1 on, with these symbols and the price 70.
fn rows_of<const N: usize>(symbols: [&str; N]) -> Vec<SnapshotRow> {
    let positions = Position::between(None, None, N).unwrap();
    let rows = (1..).zip(symbols).zip(positions).map(|((number, symbol), position)| SnapshotRow {
        row: row(number),
        position,
        cells: [("symbol".into(), symbol.into()), ("price".into(), "70".into())].into(),
        changed: BTreeMap::new(),
    });
    rows.collect()
}

/// Returns a commit of bob.
fn commit(revision: u64, changes: Vec<Change>) -> Commit {
    let (user, client) = (UserId(Uuid::nil()), ClientId(Uuid::nil()));
    let by = Author { user, name: "bob".into(), client, edit: EditId(revision) };
    Commit { revision: Revision(revision), by, at: Timestamp::from_millis(0), changes }
}

/// Returns the edits that the program sends.
fn sent(desk: &mut Desk) -> Vec<(EditId, Vec<Change>)> {
    std::iter::from_fn(|| desk.store.poll_send())
        .filter_map(|message| match message {
            ClientMessage::Edit(edit) => Some((edit.edit, edit.changes)),
            _ => None,
        })
        .collect()
}

fn price_set(number: u128, value: &str, was: &str) -> Change {
    Change::set_guarded(row(number), &"price".into(), value.into(), was.into())
}

/// Rejects an edit because bob has changed the cell of one of its changes to a value.
fn reject(desk: &mut Desk, edit: EditId, change: usize, current: &str) {
    let rejection = Rejection {
        change: Some(change),
        current: Some(current.into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "conflict")
    };
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
}

fn commit_of_bob(desk: &mut Desk, revision: u64, changes: Vec<Change>) {
    let (from, to) = (Revision(revision - 1), Revision(revision));
    let commits = vec![commit(revision, changes)];
    desk.receive(ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits }));
}

fn server_accepted(edit: EditId, revision: u64) -> Accepted {
    Accepted { watchlist: LIST, edit, revision: Revision(revision) }
}

/// Returns the symbols of the watchlist, with the values of a column.
fn cells(desk: &Desk, column: &str) -> Vec<(String, String)> {
    let watchlist = desk.store.watchlist(LIST).unwrap();
    let text =
        |row, column: &str| watchlist.cell(row, &column.into()).to_literal().to_string().replace('"', "");
    watchlist.rows().iter().map(|row| (text(row.id, "symbol"), text(row.id, column))).collect()
}

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
    let commits = vec![commit(6, changes)];
    let (from, to) = (Revision(5), Revision(6));
    desk.receive(ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits }));
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
    let (from, to) = (Revision(5), Revision(6));
    let commits = vec![commit(6, changes)];
    desk.receive(ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits }));
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
            "Your 2 for T Price was rejected: bob changed it to 66 first. Also rejected: AA Price (now 77), C Price \
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

/// Nothing is overwritten that the person was not shown.
#[test]
fn an_offer_to_overwrite_covers_the_values_that_the_notice_names() {
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
    assert!(text.contains("F Price (now 9)") && !text.contains("G Price"), "{text}");
    assert!(text.ends_with("2 other changes were rejected as well."), "{text}");
    let named: Vec<Change> = (1..=6).map(|number| price_set(number, "1", "9")).collect();
    assert_eq!(desk.store.notices()[0].offer, Some(Offer::Overwrite(LIST, named)));
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
            "Your 1 for MMM Price was rejected: bob changed it to 66 first. Also rejected: T Price (now 77), AA Price \
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
        let commits = vec![commit(revision, vec![Change::set(row(1), &"price".into(), price.into())])];
        let (from, to) = (Revision(revision - 1), Revision(revision));
        desk.receive(ServerMessage::Changes(Changes {
            watchlist: LIST,
            from,
            to,
            conflated: false,
            commits,
        }));
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
