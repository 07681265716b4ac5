//! Several replicas and one server in simulated time: delays, connections that break in the middle of a
//! frame, edits sent twice, clocks that jump, writes that fail before or after they were done, crashes of the
//! server and of clients, commits that are pruned, and clients that restore an old copy of their outbox. In the
//! end all clients show the same state, every accepted edit is applied once, and no edit is unanswered.
//!
//! Run a failing seed alone with `AFTERGLOW_SEED=… cargo test -p server --test it simulation`, and more seeds with
//! `AFTERGLOW_SEEDS=20000`.

mod client;
mod clock;
mod edits;
mod journal;
mod wire;

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use server::{
    access::Caller,
    channel::ConnectionId,
    clock::Clock,
    hub::Hub,
    room::RoomContext,
    session::{self, Peer, SessionContext},
    settings::Settings,
    transport::Socket,
};
use shared::{
    account::{Role, User},
    edit::Change,
    ids::{UserId, WatchlistId},
    replica::Outcome,
    time::Timestamp,
    watchlist::Watchlist,
    wire::{codec::Encoding, snapshot::SnapshotRow},
};
use tokio::sync::watch;
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role as SocketRole};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{
    client::SimulatedClient,
    clock::now,
    edits::random_changes,
    journal::{Disk, Name, SimulatedJournal},
    wire::wire,
};

const SEEDS: u64 = 4_000;
const CLIENTS: usize = 3;
const STEPS: usize = 60;
const LISTS: [WatchlistId; 2] = [WatchlistId(Uuid::from_u128(7)), WatchlistId(Uuid::from_u128(8))];

#[test]
fn all_clients_converge_and_every_accepted_edit_is_applied_once() {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let count = number("AFTERGLOW_SEEDS").unwrap_or(SEEDS);
    let seeds = number("AFTERGLOW_SEED").map_or(0..count, |seed| seed..seed + 1);
    let is_whole = seeds.end - seeds.start >= SEEDS;
    let (next, prunings) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .start_paused(true)
                        .build();
                    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
                        runtime.unwrap().block_on(Simulation::run(seed))
                    }));
                    let Ok(pruned) = result else {
                        panic!("seed {seed} failed; run it alone with AFTERGLOW_SEED={seed}")
                    };
                    prunings.fetch_add(pruned, Ordering::Relaxed);
                }
            });
        }
    });
    let prunings = prunings.into_inner();
    assert!(!is_whole || prunings > SEEDS / 10, "commits were pruned only {prunings} times");
}

struct Simulation {
    rng: Rng,
    disk: Arc<Disk>,
    server: Option<SimulatedServer>,
    clients: Vec<SimulatedClient>,
    connections: u64,
    /// Number of edits so far, by any client.
    edits: u64,
    /// Whether commits are pruned that are older than a day. Two days pass whenever the server is started again.
    prunes: bool,
    /// Whether clients restore old copies. If so, no two edits have the same changes.
    restores: bool,
    /// Error of the server's clock in milliseconds.
    clock_error: Arc<AtomicI64>,
}

struct SimulatedServer {
    hub: Arc<Hub>,
    context: SessionContext,
    tasks: TaskTracker,
}

fn user() -> Arc<User> {
    Arc::new(User { id: UserId(Uuid::from_u128(1)), name: "ann".into(), role: Role::Editor })
}

impl Simulation {
    /// Runs the simulation of a seed. Returns how often commits were pruned in it.
    async fn run(seed: u64) -> u64 {
        clock::start();
        let disk = Arc::new(Disk::new(seed));
        let mut rng = Rng::with_seed(seed);
        let clients = (0..CLIENTS).map(|number| SimulatedClient::new(100 + number as u128)).collect();
        rng.u64(..);
        let (restores, prunes) = (seed.is_multiple_of(4), seed.is_multiple_of(2));
        let mut simulation = Self {
            rng,
            disk,
            server: None,
            clients,
            connections: 0,
            edits: 0,
            prunes,
            restores,
            clock_error: Arc::new(AtomicI64::new(0)),
        };
        simulation.start_server().await;
        for list in LISTS {
            simulation
                .server
                .as_ref()
                .unwrap()
                .hub
                .create(&Caller::new(user()), Some(list), "Simulated", None)
                .await
                .unwrap();
        }
        simulation.disk.set_hostile(true);
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.disk.set_hostile(false);
        simulation.converge().await;
        simulation.assert_converged();
        simulation.disk.prunings()
    }

    async fn start_server(&mut self) {
        let journal = Arc::new(SimulatedJournal::new(self.disk.clone()));
        let clock_error = self.clock_error.clone();
        let clock: Clock = Arc::new(move || {
            let millis = i64::try_from(now().as_millis()).unwrap() + clock_error.load(Ordering::SeqCst);
            Timestamp::from_millis(millis)
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        // The outbox is small, so that catch-ups are common.
        let history_days = u32::from(self.prunes);
        let settings = Arc::new(Settings { outbox_bytes: 2_000, history_days, ..Settings::default() });
        let context = RoomContext {
            journal,
            clock: clock.clone(),
            settings: settings.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            renamed: watch::channel(0).0,
        };
        let hub = Arc::new(Hub::open(context).await.unwrap());
        let context = SessionContext { hub: hub.clone(), lists: Arc::default(), settings, clock, stop };
        self.server = Some(SimulatedServer { hub, context, tasks });
    }

    /// Crashes the server: nothing that it still does reaches the disk or a client. Starts another.
    async fn kill_server(&mut self) {
        self.disk.next_generation();
        if let Some(server) = self.server.take() {
            server.context.stop.cancel();
            server.tasks.close();
        }
        for client in &mut self.clients {
            client.cut();
        }
        if self.prunes {
            self.clock_error.fetch_add(2 * 24 * 60 * 60 * 1_000, Ordering::SeqCst);
        }
        self.start_server().await;
    }

    async fn step(&mut self) {
        let index = self.rng.usize(..CLIENTS);
        match self.rng.u32(..100) {
            0..45 => self.edit(index),
            45..80 => {
                let duration = Duration::from_millis(self.rng.u64(..40));
                self.clients[index].pump(duration).await;
            }
            80..86 => tokio::time::sleep(Duration::from_millis(self.rng.u64(..60))).await,
            86 => self.clock_error.store(self.rng.i64(-3_600_000..3_600_000), Ordering::SeqCst),
            87 => self.clients[index].sends_twice = true,
            88..94 => self.clients[index].cut(),
            94 => self.clients[index].restart(),
            95 if self.restores => self.restore(index).await,
            95..98 => self.connect(index),
            _ => self.kill_server().await,
        }
        if self.clients[index].socket.is_none() && self.rng.bool() {
            self.connect(index);
        }
    }

    /// Copies a client's outbox, or restores the copy.
    async fn restore(&mut self, index: usize) {
        if self.clients[index].copy.is_some() {
            self.clients[index].cut();
            // The edits that it sent before are processed by now, or concurrently.
            tokio::time::sleep(Duration::from_secs(2 * self.rng.u64(..2))).await;
        }
        self.clients[index].copy_or_restore();
    }

    fn connect(&mut self, index: usize) {
        self.clients[index].cut();
        let Some(server) = &self.server else { return };
        // Many connections break in the middle of a frame.
        let hostile = self.disk.is_hostile();
        let mut byte_limit =
            || if hostile && self.rng.u8(..3) == 0 { self.rng.usize(..6_000) } else { usize::MAX };
        let (near, far) = wire(byte_limit(), byte_limit());
        self.connections += 1;
        let encoding = Encoding::MessagePack;
        let peer = Peer { connection: ConnectionId(self.connections), caller: Caller::new(user()), encoding };
        let context = server.context.clone();
        server.tasks.spawn(async move {
            let socket = Socket::new(far, peer.encoding, 1 << 20, context.silence());
            session::run(context, peer, socket).await;
        });
        let client = &mut self.clients[index];
        client.replica.connected();
        LISTS.into_iter().for_each(|list| client.replica.open(list));
        client.socket = Some(
            futures_util::FutureExt::now_or_never(WebSocketStream::from_raw_socket(
                near,
                SocketRole::Client,
                None,
            ))
            .unwrap(),
        );
    }

    fn edit(&mut self, index: usize) {
        let list = LISTS[usize::from(self.rng.u8(..4) == 0)];
        let client = &mut self.clients[index];
        let Some(state) = client.replica.list(list).and_then(|list| list.state()) else { return };
        let mut changes = random_changes(&mut self.rng, state);
        self.edits += 1;
        if self.restores {
            changes.push(Change::rename(&format!("Edit {}", self.edits)));
        }
        client.edit(list, changes);
    }

    /// Connects all clients without faults, until they have converged.
    async fn converge(&mut self) {
        for _ in 0..400 {
            for index in 0..CLIENTS {
                if self.clients[index].socket.is_none() {
                    self.connect(index);
                }
                self.clients[index].pump(Duration::from_millis(20)).await;
            }
            let disk = &self.disk;
            let has_converged = |client: &SimulatedClient| {
                client.replica.unanswered_count() == 0
                    && LISTS.into_iter().all(|id| {
                        client.replica.list(id).is_some_and(|list| {
                            list.unanswered_count() == 0
                                && list.at().is_some_and(|at| at.revision == disk.head(id))
                        })
                    })
            };
            if self.clients.iter().all(has_converged) {
                return;
            }
        }
        for (client, list) in self.clients.iter().flat_map(|client| LISTS.map(|list| (client, list))) {
            let (unanswered, head) = (client.replica.unanswered_count(), self.disk.head(list));
            let list = client.replica.list(list).unwrap();
            eprintln!(
                "unanswered {unanswered} and {}, at {:?} of {head}, {:?}",
                list.unanswered_count(),
                list.at(),
                list.sync()
            );
        }
        panic!("the clients did not converge");
    }

    fn assert_converged(&self) {
        let (written, count) = self.disk.edits();
        assert_eq!(written.len(), count, "an edit was applied twice");
        let mut accepted = BTreeSet::new();
        let mut lost: BTreeSet<Name> = BTreeSet::new();
        for client in &self.clients {
            for list in LISTS {
                let truth = self.disk.replayed(list);
                let shown = client.replica.list(list).unwrap().state().unwrap();
                let (shown_rows, true_rows) = (rows_of(shown), rows_of(&truth));
                assert!(shown.has_same_content(&truth), "shown {shown_rows:#?}\nexpected {true_rows:#?}");
            }
            assert!(client.outbox.kept.is_empty(), "unanswered edits: {:?}", client.outbox.kept);
            for (name, (outcome, changes)) in &client.answers {
                if let Outcome::Accepted(_) = outcome {
                    assert_eq!(
                        written.get(name),
                        Some(changes),
                        "an accepted edit is not on disk as it was sent"
                    );
                    accepted.insert(*name);
                }
            }
            lost.extend(&client.lost);
        }
        let unknown: Vec<_> =
            written.keys().filter(|name| !accepted.contains(name) && !lost.contains(name)).collect();
        assert!(unknown.is_empty(), "edits on disk that were not answered: {unknown:?}");
    }
}

/// Returns the rows in order, in a form that is readable in a failure message.
fn rows_of(watchlist: &Watchlist) -> Vec<SnapshotRow> {
    let frozen = watchlist.freeze();
    frozen.rows().map(|row| SnapshotRow::stored(&frozen, row)).collect()
}
