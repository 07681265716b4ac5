//! A connection whose request takes long: everything but its next message goes on.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};
use server::{
    channel::ConnectionId,
    clock,
    hub::Hub,
    journal::Verdict,
    session::{self, Peer, SessionContext},
    settings::Settings,
    transport::Socket,
};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    wire::codec::Encoding,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    failing_journal::journal::{FailingJournal, Fault},
    support::{Client, accounts, admin, room_context},
};

const SLOW: WatchlistId = WatchlistId(Uuid::from_u128(1));
const OTHER: WatchlistId = WatchlistId(Uuid::from_u128(2));

/// A connection that has [`OTHER`] open.
struct Connected {
    journal: Arc<FailingJournal>,
    hub: Arc<Hub>,
    client: Client,
    stop: CancellationToken,
    edits: u64,
    _folder: TempDir,
}

impl Connected {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = FailingJournal::open(folder.path()).await;
        let hub = Arc::new(Hub::open(room_context(journal.clone()), accounts()).await.unwrap());
        for id in [SLOW, OTHER] {
            hub.create(&admin(), Some(id), "List", None).await.unwrap();
        }
        let stop = CancellationToken::new();
        let (settings, clock) = (Arc::new(Settings::default()), clock::system());
        let context = SessionContext::new(hub.clone(), settings, clock, stop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let encoding = Encoding::Json;
            let peer = Peer { connection: ConnectionId(1), caller: admin(), address: None, encoding };
            let socket = Socket::new(far, peer.encoding, 1 << 20, context.silence());
            session::run(context, peer, socket).await;
        });
        let socket = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let mut client = Client { socket, id: Uuid::new_v4(), edit: 0 };
        client.greet().await;
        client.open(&OTHER.to_string()).await;
        Self { journal, hub, client, stop, edits: 0, _folder: folder }
    }

    /// Checks that the connection gets an edit of someone else.
    async fn assert_gets_changes(&mut self) {
        self.edits += 1;
        let name = format!("Name {}", self.edits);
        let other = self.hub.connect(&admin(), OTHER).unwrap();
        let edit = (ClientId(Uuid::from_u128(1)), EditId(self.edits));
        let verdict = other.edit_answered(edit, Ok(vec![Change::rename(&name)])).await.unwrap();
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
        let changes = self.client.expect("changes").await;
        assert_eq!(changes["commits"][0]["changes"], json!([{ "rename": { "name": name } }]));
    }

    fn fail(&self, appends: &[Fault], snapshots: &[Fault]) {
        self.journal.fail(|journal| &journal.appends, appends);
        self.journal.fail(|journal| &journal.snapshots, snapshots);
    }

    async fn rename_slow(&mut self, name: &str) -> Value {
        self.client.edit_answered(&SLOW.to_string(), json!([{ "rename": { "name": name } }])).await
    }
}

#[tokio::test]
async fn a_connection_that_waits_for_a_deletion_gets_changes_and_its_later_requests_are_answered_after_it() {
    let mut connected = Connected::new().await;
    connected.journal.fail(|journal| &journal.deletions, &[Fault::Waits]);
    connected.client.send(&json!({ "type": "delete", "request": 1, "watchlist": SLOW })).await;
    connected.client.send(&json!({ "type": "open", "watchlist": SLOW })).await;
    connected.assert_gets_changes().await;
    connected.journal.resume.add_permits(1);
    assert_eq!(connected.client.expect("deleted").await["request"], 1);
    assert_eq!(connected.client.expect("error").await["code"], "unknownWatchlist");
}

#[tokio::test]
async fn a_connection_whose_withheld_edits_are_looked_up_before_it_subscribes_gets_changes() {
    let mut connected = Connected::new().await;
    assert_eq!(connected.rename_slow("First").await["type"], "accepted");
    connected.fail(&[Fault::SucceedsAndReportsAnError], &[Fault::Fails, Fault::Waits]);
    assert_eq!(connected.rename_slow("Stored after all").await["code"], "unavailable");
    connected.client.send(&json!({ "type": "open", "watchlist": SLOW })).await;
    connected.assert_gets_changes().await;
    connected.journal.resume.add_permits(1);
    assert_eq!(connected.client.expect("snapshot").await["name"], "Stored after all");
    assert_eq!(connected.rename_slow("Next").await["type"], "accepted", "the stored edit is not withheld");
}

#[tokio::test]
async fn a_connection_that_waits_is_told_that_the_server_stops() {
    let mut connected = Connected::new().await;
    connected.journal.fail(|journal| &journal.deletions, &[Fault::Waits]);
    connected.client.send(&json!({ "type": "delete", "request": 1, "watchlist": SLOW })).await;
    connected.assert_gets_changes().await;
    connected.stop.cancel();
    assert_eq!(connected.client.expect("error").await["code"], "restarting");
}

#[tokio::test]
async fn a_connection_whose_edits_wait_for_a_full_room_gets_changes() {
    let mut connected = Connected::new().await;
    connected.fail(&[], &[Fault::Waits]);
    let slow = connected.hub.connect(&admin(), SLOW).unwrap();
    // The room loads its watchlist: more edits than it queues.
    let mut filling: FuturesUnordered<_> = (1..=2_000)
        .map(|edit| {
            slow.edit_answered((ClientId(Uuid::from_u128(1)), EditId(edit)), Ok(vec![Change::rename("Full")]))
        })
        .collect();
    assert!(filling.next().now_or_never().is_none());
    let edit = connected.client.edit(&SLOW.to_string(), json!([{ "rename": { "name": "Last" } }])).await;
    connected.assert_gets_changes().await;
    connected.journal.resume.add_permits(1);
    while filling.next().await.is_some() {}
    assert_eq!(connected.client.answer(edit).await["type"], "accepted");
}
