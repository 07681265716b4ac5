//! The shared state of a desktop that a test sends messages of the server to.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::store::Store;
use shared::{
    account::{Role, User},
    column::standard_columns,
    edit::{Author, Change, Commit},
    ids::{ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    position::Position,
    rejection::{Code, Rejection},
    time::Timestamp,
    wire::{
        client::ClientMessage,
        server::{
            Accepted, Changes, Error, ErrorCode, Rejected, ServerMessage, Summary, Watchlists, Welcome,
        },
        snapshot::{Snapshot, SnapshotRow},
    },
};
use tempfile::TempDir;
use uuid::Uuid;

pub(super) const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
pub(super) const NOW: Duration = Duration::from_secs(1);

pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) folder: TempDir,
}

impl Desk {
    /// Starts the program, which does not reach its server yet.
    pub(super) fn offline(folder: TempDir) -> Self {
        let write = server::files::write_atomically;
        let store = Store::open(&folder.path().join("outbox"), Instant::now, write).unwrap();
        let store = store.with_copies(folder.path().join("copies"), write, Arc::new(|| {})).unwrap();
        Self { store, folder }
    }

    /// Ends the program, which leaves its folder.
    pub(super) fn quit(mut self) -> TempDir {
        self.store.finish_copies(NOW);
        self.folder
    }

    pub(super) fn new() -> Self {
        let mut desk = Self::offline(tempfile::tempdir().unwrap());
        desk.connect();
        desk.store.open_list(LIST, NOW);
        desk
    }

    pub(super) fn connect(&mut self) {
        self.store.connected();
        let user = User { id: UserId(Uuid::nil()), name: "ann".into(), role: Role::User }.into();
        let now = Timestamp::from_millis(0);
        self.receive(ServerMessage::Welcome(Welcome { protocol: 1, server: "1.0.0".into(), user, now }));
        let revision = Revision(5);
        let summary = Summary { watchlist: LIST, name: "Core book".into(), revision, rows: 0, role: None };
        self.receive(ServerMessage::Watchlists(Watchlists { list: vec![summary] }));
    }

    pub(super) fn receive(&mut self, message: ServerMessage) {
        self.store.receive(message, NOW);
    }

    pub(super) fn errs(&mut self, code: ErrorCode, message: &str, watchlist: Option<WatchlistId>) {
        self.receive(ServerMessage::Error(Error { code, message: message.into(), request: None, watchlist }));
    }

    /// Receives a snapshot of the watchlist in an epoch.
    pub(super) fn snapshot(&mut self, epoch: u128) {
        self.snapshot_of(LIST, "Core book", epoch);
    }

    pub(super) fn snapshot_of(&mut self, watchlist: WatchlistId, name: &str, epoch: u128) {
        self.snapshot_with(watchlist, name, epoch, Vec::new());
    }

    pub(super) fn snapshot_with(
        &mut self,
        watchlist: WatchlistId,
        name: &str,
        epoch: u128,
        rows: Vec<SnapshotRow>,
    ) {
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

    pub(super) fn notices(&self) -> Vec<&str> {
        self.store.notices().iter().map(|notice| &*notice.text).collect()
    }
}

pub(super) fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// Returns rows from 1 on, with these symbols and the price 70.
pub(super) fn rows_of<const N: usize>(symbols: [&str; N]) -> Vec<SnapshotRow> {
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
pub(super) fn commit(revision: u64, changes: Vec<Change>) -> Commit {
    let (user, client) = (UserId(Uuid::nil()), ClientId(Uuid::nil()));
    let by = Author { user, name: "bob".into(), client, edit: EditId(revision) };
    Commit { revision: Revision(revision), by, at: Timestamp::from_millis(0), changes }
}

/// Returns the edits that the program sends.
pub(super) fn sent(desk: &mut Desk) -> Vec<(EditId, Vec<Change>)> {
    std::iter::from_fn(|| desk.store.poll_send())
        .filter_map(|message| match message {
            ClientMessage::Edit(edit) => Some((edit.edit, edit.changes)),
            _ => None,
        })
        .collect()
}

pub(super) fn price_set(number: u128, value: &str, was: &str) -> Change {
    Change::set_guarded(row(number), &"price".into(), value.into(), was.into())
}

/// Rejects an edit because bob has changed the cell of one of its changes to a value.
pub(super) fn reject(desk: &mut Desk, edit: EditId, change: usize, current: &str) {
    let rejection = Rejection {
        change: Some(change),
        current: Some(current.into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "conflict")
    };
    desk.receive(ServerMessage::Rejected(Rejected { watchlist: LIST, edit, rejection }));
}

pub(super) fn commit_of_bob(desk: &mut Desk, revision: u64, changes: Vec<Change>) {
    let (from, to) = (Revision(revision - 1), Revision(revision));
    let commits = vec![commit(revision, changes)];
    desk.receive(ServerMessage::Changes(Changes { watchlist: LIST, from, to, conflated: false, commits }));
}

pub(super) fn server_accepted(edit: EditId, revision: u64) -> Accepted {
    Accepted { watchlist: LIST, edit, revision: Revision(revision) }
}

/// Returns the symbols of the watchlist, with the values of a column.
pub(super) fn cells(desk: &Desk, column: &str) -> Vec<(String, String)> {
    let watchlist = desk.store.watchlist(LIST).unwrap();
    let text =
        |row, column: &str| watchlist.cell(row, &column.into()).to_literal().to_string().replace('"', "");
    watchlist.rows().iter().map(|row| (text(row.id, "symbol"), text(row.id, column))).collect()
}
