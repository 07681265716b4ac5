//! What the person is told of what the server says.

use std::time::{Duration, Instant};

use desktop::store::{Connection, Store};
use shared::{
    column::standard_columns,
    edit::Change,
    ids::{Epoch, Revision, RowId, UserId, WatchlistId, WindowId},
    position::Position,
    time::Timestamp,
    wire::{
        client::ClientMessage,
        server::{
            Error, ErrorCode, Resumed, Role, ServerMessage, Snapshot, Summary, User, Watchlists, Welcome,
        },
    },
};
use tempfile::TempDir;
use uuid::Uuid;

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));
const NOW: Duration = Duration::from_secs(1);

struct Desk {
    store: Store,
    _folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = Self { store: Store::open(folder.path()).unwrap(), _folder: folder };
        desk.connect();
        desk.store.open_list(LIST);
        desk
    }

    fn connect(&mut self) {
        self.store.connected();
        let user = User { id: UserId(Uuid::nil()), name: "ann".into(), role: Role::Editor };
        let now = Timestamp::from_millis(0);
        self.says(ServerMessage::Welcome(Welcome { protocol: 1, server: "1.0.0".into(), user, now }));
        let summary = Summary { watchlist: LIST, name: "Core book".into(), revision: Revision(5), rows: 0 };
        self.says(ServerMessage::Watchlists(Watchlists { list: vec![summary] }));
    }

    fn says(&mut self, message: ServerMessage) {
        self.store.receive(message, NOW);
    }

    fn errs(&mut self, code: ErrorCode, message: &str, watchlist: Option<WatchlistId>) {
        self.says(ServerMessage::Error(Error { code, message: message.into(), request: None, watchlist }));
    }

    /// The watchlist whole, of a history.
    fn snapshot(&mut self, epoch: u128) {
        self.says(ServerMessage::Snapshot(Snapshot {
            watchlist: LIST,
            name: "Core book".into(),
            columns: standard_columns(),
            epoch: Epoch(Uuid::from_u128(epoch)),
            revision: Revision(5),
            part: 1,
            parts: 1,
            rows: Vec::new(),
        }));
    }

    fn told(&self) -> Vec<&str> {
        self.store.notices().iter().map(|notice| &*notice.text).collect()
    }
}

#[test]
fn a_restored_backup_is_told_to_whoever_looks_at_the_list_and_stays_until_it_is_read() {
    let mut desk = Desk::new();
    desk.snapshot(1);
    let position = Position::between(None, None, 1).unwrap().remove(0);
    let insert = Change::insert(RowId(Uuid::from_u128(1)), &position, Default::default());
    desk.store.edit(LIST, WindowId(1), vec![insert]).unwrap();
    desk.store.down("it is gone".to_owned(), Instant::now(), NOW);
    desk.connect();
    desk.snapshot(1);
    assert_eq!(desk.told(), [""; 0], "a list that is sent whole is no news");
    desk.store.down("it is gone".to_owned(), Instant::now(), NOW);
    desk.connect();
    desk.snapshot(2);
    assert!(desk.told()[0].contains("\u{201c}Core book\u{201d} has been restored"), "{:?}", desk.told());
    desk.store.expire_notices(NOW * 1_000, NOW);
    assert_eq!(desk.told().len(), 1);
    assert_eq!(
        desk.store.undo(WindowId(1), NOW),
        None,
        "what was done in another history is not undone in this"
    );
    assert_eq!(desk.store.replica().waiting(), 1, "what was not answered is sent to it");
}

#[test]
fn a_list_that_cannot_be_served_says_why_in_its_place_until_it_can() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        desk.errs(ErrorCode::Unavailable, "the watchlist's records are damaged", Some(LIST));
    }
    assert_eq!(desk.store.unserved(LIST), Some("The watchlist's records are damaged."));
    assert_eq!(desk.told(), [""; 0], "it is said where the list would be");
    desk.store.tick(Duration::from_secs(9));
    desk.snapshot(1);
    assert_eq!(desk.store.unserved(LIST), None);
    desk.errs(ErrorCode::Unavailable, "the watchlist cannot be served at present", Some(LIST));
    desk.errs(ErrorCode::Unavailable, "the watchlist cannot be served at present", Some(LIST));
    let told = "The watchlist cannot be served at present.";
    assert_eq!(desk.told(), [told], "once where the list is shown");
    assert_eq!(desk.store.unserved(LIST), Some(told), "and in the status bar for as long");
    desk.store.dismiss(desk.store.notices()[0].id);
    desk.store.tick(Duration::from_secs(9));
    desk.says(ServerMessage::Resumed(Resumed {
        watchlist: LIST,
        epoch: Epoch(Uuid::from_u128(1)),
        revision: Revision(5),
    }));
    assert_eq!(desk.store.unserved(LIST), None);
    desk.errs(ErrorCode::Unavailable, "the watchlist cannot be served at present", Some(LIST));
    assert_eq!(desk.told(), [told], "said anew when it happens anew");
}

#[test]
fn a_list_that_cannot_be_served_holds_up_no_edit_of_another() {
    let mut desk = Desk::new();
    desk.snapshot(1);
    let bad = WatchlistId(Uuid::from_u128(8));
    desk.store.open_list(bad);
    while desk.store.poll_send().is_some() {}
    let mut asked = 0;
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
        asked += std::iter::from_fn(|| desk.store.poll_send()).count();
    }
    assert!((5..15).contains(&asked), "it is asked for again less and less often: {asked}");
    let position = Position::between(None, None, 1).unwrap().remove(0);
    let insert = Change::insert(RowId(Uuid::from_u128(1)), &position, Default::default());
    desk.store.edit(LIST, WindowId(1), vec![insert]).unwrap();
    assert!(matches!(desk.store.poll_send(), Some(ClientMessage::Edit(_))), "it leaves at once");
}

#[test]
fn that_the_server_stops_is_said_by_the_connection_alone() {
    let mut desk = Desk::new();
    desk.errs(ErrorCode::Restarting, "the server is stopping; connect again in a moment", None);
    assert_eq!(desk.told(), [""; 0]);
    desk.errs(ErrorCode::BadMessage, "no such message", None);
    assert_eq!(desk.told(), ["No such message."]);
    assert!(matches!(desk.store.connection(), Connection::Up { .. }));
}
