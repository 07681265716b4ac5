//! A server in simulated time. It can crash at any moment.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use futures_util::FutureExt;
use server::{
    accounts::Accounts,
    channel::ConnectionId,
    clock::Clock,
    hub::Hub,
    room::RoomContext,
    session::{self, Peer, SessionContext},
    settings::Settings,
    transport::Socket,
};
use shared::{time::Timestamp, wire::codec::Encoding};
use tokio::{sync::watch, time::Instant};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role as SocketRole};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    LISTS,
    client::SimulatedClient,
    clock::{DAY, now},
    disk::Disk,
    journal::SimulatedJournal,
    wire::Wire,
};

/// A server process.
pub(super) struct SimulatedServer {
    pub(super) hub: Arc<Hub>,
    /// When it does its upkeep next.
    pub(super) upkeep_at: Instant,
    context: SessionContext,
    tasks: TaskTracker,
    connections: u64,
}

/// What is kept of commits and deleted watchlists.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// Number of days that commits are kept; 0 means no limit.
    pub(super) history_days: u32,
    /// Number of commits that are kept of each watchlist.
    pub(super) history_commits: u64,
    /// Number of days that deleted watchlists are kept.
    pub(super) deleted_days: u32,
}

impl SimulatedServer {
    /// Starts a server, and again if it cannot use the disk.
    pub(super) async fn start(
        disk: &Arc<Disk>,
        accounts: &Arc<Accounts>,
        clock_error: &Arc<AtomicI64>,
        kept: Kept,
    ) -> Self {
        loop {
            if let Some(server) = Self::try_start(disk, accounts, clock_error, kept).await {
                return server;
            }
        }
    }

    async fn try_start(
        disk: &Arc<Disk>,
        accounts: &Arc<Accounts>,
        clock_error: &Arc<AtomicI64>,
        kept: Kept,
    ) -> Option<Self> {
        let journal = Arc::new(SimulatedJournal::new(disk.clone()));
        let clock_error = clock_error.clone();
        let clock: Clock = Arc::new(move || {
            let millis = i64::try_from(now().as_millis()).unwrap() + clock_error.load(Ordering::SeqCst);
            Timestamp::from_millis(millis)
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let Kept { history_days, history_commits, deleted_days } = kept;
        // The outbox is small, so that catch-ups are common.
        let settings = Arc::new(Settings {
            outbox_bytes: 2_000,
            history_days,
            history_commits,
            deleted_days,
            ..Settings::default()
        });
        let context = RoomContext {
            journal,
            clock: clock.clone(),
            settings: settings.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            renamed: watch::channel(0).0,
        };
        let hub = Arc::new(Hub::open(context, accounts.clone()).await.ok()?);
        let context = SessionContext::new(hub.clone(), settings, clock, stop);
        Some(Self { hub, upkeep_at: Instant::now() + DAY, context, tasks, connections: 0 })
    }

    /// Crashes the server, after which it has no effect on the disk.
    pub(super) fn crash(&self) {
        self.context.stop.cancel();
        self.tasks.close();
    }

    /// Connects a client, which opens every watchlist.
    pub(super) fn connect(&mut self, client: &mut SimulatedClient, (near, far): (Wire, Wire)) {
        client.cut();
        self.connections += 1;
        let (connection, encoding) = (ConnectionId(self.connections), Encoding::MessagePack);
        let peer = Peer { connection, caller: client.caller.clone(), address: None, encoding };
        let context = self.context.clone();
        self.tasks.spawn(async move {
            let socket = Socket::new(far, peer.encoding, 1 << 20, context.silence());
            session::run(context, peer, socket).await;
        });
        client.replica.connected();
        LISTS.into_iter().for_each(|list| client.replica.open(list));
        let socket = WebSocketStream::from_raw_socket(near, SocketRole::Client, None).now_or_never();
        client.socket = Some(socket.expect("it does not wait"));
    }
}
