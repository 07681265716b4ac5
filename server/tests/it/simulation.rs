//! Several replicas and one server in simulated time: delays, connections that break in the middle of a
//! frame, edits sent twice, clocks that jump, writes that fail before or after they were done, crashes of the
//! server and of clients, and clients that restore an old copy of their outbox. In the end all clients show
//! the same state, every accepted edit is applied once, and no edit is unanswered.
//!
//! Run a failing seed alone with `AFTERGLOW_SEED=… cargo test -p server --test it simulation`, and more seeds with
//! `AFTERGLOW_SEEDS=20000`.

mod journal;
mod wire;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::{SinkExt, StreamExt};
use server::{
    access::Caller,
    channel::ConnectionId,
    clock::Clock,
    hub::Hub,
    room::RoomContext,
    session::{self, Peer, SessionContext},
    settings::Settings,
};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, RowId, UserId, WatchlistId, WindowId},
    limits::Limits,
    position::Position,
    rejection::{Code, Rejection},
    replica::{Event, KeptEdit, Outcome, Replica},
    time::Timestamp,
    value::Literal,
    watchlist::Watchlist,
    wire::{
        client::ClientMessage,
        codec::Encoding,
        server::{Role, User},
        snapshot::SnapshotRow,
    },
};
use tokio::{sync::watch, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role as SocketRole},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::{
    journal::{Disk, Name, SimulatedJournal},
    wire::{Wire, wire},
};

const SEEDS: u64 = 4_000;
const CLIENTS: usize = 3;
const STEPS: usize = 60;
/// Number of iterations within a few milliseconds that no client needs unless it loops forever.
const MAX_PUMP_ROUNDS: usize = 20_000;
const LISTS: [WatchlistId; 2] = [WatchlistId(Uuid::from_u128(7)), WatchlistId(Uuid::from_u128(8))];

#[test]
fn all_clients_converge_and_every_accepted_edit_is_applied_once() {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let count = number("AFTERGLOW_SEEDS").unwrap_or(SEEDS);
    let seeds = number("AFTERGLOW_SEED").map_or(0..count, |seed| seed..seed + 1);
    let next = AtomicU64::new(seeds.start);
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
                    assert!(result.is_ok(), "seed {seed} failed; run it alone with AFTERGLOW_SEED={seed}");
                }
            });
        }
    });
}

struct Simulation {
    rng: Rng,
    disk: Arc<Disk>,
    server: Option<SimulatedServer>,
    clients: Vec<SimulatedClient>,
    connections: u64,
    /// Number of edits so far, by any client.
    edits: u64,
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

struct SimulatedClient {
    replica: Replica,
    socket: Option<WebSocketStream<Wire>>,
    /// The unanswered edits, and the next unused number.
    outbox: SimulatedOutbox,
    /// An earlier copy of the outbox, with the client id at that time.
    copy: Option<(ClientId, SimulatedOutbox)>,
    /// The answer to each edit, and its changes.
    answers: BTreeMap<Name, (Outcome, Vec<Change>)>,
    /// Edits that it forgot by restoring a copy. They may or may not be applied.
    lost: BTreeSet<Name>,
    renewals: u128,
    /// Whether it sends its next edit twice.
    sends_twice: bool,
}

#[derive(Clone)]
struct SimulatedOutbox {
    next: EditId,
    kept: BTreeMap<EditId, KeptEdit>,
}

fn user() -> Arc<User> {
    Arc::new(User { id: UserId(Uuid::from_u128(1)), name: "ann".into(), role: Role::Editor })
}

thread_local! {
    static START: Cell<Option<tokio::time::Instant>> = const { Cell::new(None) };
}

/// Returns the simulated time since the start of the run.
fn now() -> Duration {
    START.get().expect("a run has started").elapsed()
}

impl Simulation {
    async fn run(seed: u64) {
        START.set(Some(tokio::time::Instant::now()));
        let disk = Arc::new(Disk::new(seed));
        let mut rng = Rng::with_seed(seed);
        let clients = (0..CLIENTS).map(|number| SimulatedClient::new(100 + number as u128)).collect();
        rng.u64(..);
        let restores = seed.is_multiple_of(4);
        let mut simulation = Self {
            rng,
            disk,
            server: None,
            clients,
            connections: 0,
            edits: 0,
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
        let settings = Arc::new(Settings { outbox_bytes: 2_000, ..Settings::default() });
        let context = RoomContext {
            journal,
            clock: clock.clone(),
            settings: settings.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
            renamed: watch::channel(()).0,
        };
        let hub = Arc::new(Hub::open(context).await.unwrap());
        let context = SessionContext { hub: hub.clone(), settings, clock, stop };
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
        self.start_server().await;
    }

    async fn step(&mut self) {
        let index = self.rng.usize(..CLIENTS);
        match self.rng.u32(..100) {
            0..45 => self.edit(index),
            45..80 => {
                let duration = Duration::from_millis(self.rng.u64(..40));
                self.pump(index, duration).await;
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
            let socket = WebSocketStream::from_raw_socket(far, SocketRole::Server, None).await;
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
        let mut changes = {
            let Some(state) = self.clients[index].replica.list(list).and_then(|list| list.state()) else {
                return;
            };
            let rows: Vec<RowId> = state.rows().iter().map(|row| row.id).collect();
            let any_row = |rng: &mut Rng| rows[rng.usize(..rows.len())];
            let number = self.rng.u32(..100);
            match self.rng.u32(..10) {
                _ if rows.is_empty() => vec![self.insert()],
                0..2 => vec![self.insert()],
                2 => vec![Change::remove(any_row(&mut self.rng), None)],
                3 => {
                    let position = Position::from_hex(&format!("{:02x}80", self.rng.u8(1..255))).unwrap();
                    vec![Change::move_to(any_row(&mut self.rng), &position)]
                }
                4 => {
                    let (first, second) = (any_row(&mut self.rng), any_row(&mut self.rng));
                    let set = |row, value: u32| {
                        Change::set(row, &"target".into(), Literal::from(value.to_string().as_str()))
                    };
                    vec![set(first, number), set(second, number + 1)]
                }
                _ => {
                    let row = any_row(&mut self.rng);
                    let was = state.cell(row, &"price".into()).to_literal();
                    let value = Literal::from(number.to_string().as_str());
                    if self.rng.bool() {
                        vec![Change::set_guarded(row, &"price".into(), value, was)]
                    } else {
                        vec![Change::set(row, &"price".into(), value)]
                    }
                }
            }
        };
        self.edits += 1;
        if self.restores {
            changes.push(Change::rename(&format!("Edit {}", self.edits)));
        }
        let client = &mut self.clients[index];
        if let Ok((kept, _)) = client.replica.edit(list, WindowId(1), changes) {
            client.outbox.next = kept.edit.next();
            client.outbox.kept.insert(kept.edit, kept);
        }
    }

    fn insert(&mut self) -> Change {
        // Ids from a small set, so that rows are inserted twice, and again after their removal.
        let row = RowId(Uuid::from_u128(1_000 + u128::from(self.rng.u32(..12))));
        let position = Position::from_hex(&format!("{:02x}", self.rng.u8(1..255))).unwrap();
        let cells = BTreeMap::from([("symbol".into(), Literal::from("S"))]);
        Change::insert(row, &position, cells)
    }

    /// Lets a client send and receive for a duration.
    async fn pump(&mut self, index: usize, duration: Duration) {
        let client = &mut self.clients[index];
        client.replica.tick(u64::try_from(now().as_millis()).unwrap());
        client.collect();
        let end = tokio::time::Instant::now() + duration;
        let mut rounds = 0;
        loop {
            // Simulated time does not advance while there is work to do, so only this detects an endless
            // loop.
            rounds += 1;
            assert!(rounds < MAX_PUMP_ROUNDS, "client {index} loops forever");
            let Some(socket) = &mut client.socket else { return };
            while let Some(message) = client.replica.poll_send() {
                let bytes = Encoding::MessagePack.encode(&message);
                // An edit that is sent twice must be applied once.
                let is_edit = matches!(message, ClientMessage::Edit(_));
                let times = if is_edit && std::mem::take(&mut client.sends_twice) { 2 } else { 1 };
                for _ in 0..times {
                    let sending = socket.send(Message::binary(bytes.clone()));
                    if !matches!(timeout(Duration::from_millis(50), sending).await, Ok(Ok(()))) {
                        return client.cut();
                    }
                }
            }
            let left =
                end.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(1));
            match timeout(left, socket.next()).await {
                Err(_) => break,
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    let message = Encoding::MessagePack.decode_server(&bytes).unwrap();
                    client.replica.handle(message, u64::try_from(now().as_millis()).unwrap());
                    client.collect();
                    if client.socket.is_none() {
                        return;
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                    client.cut();
                    break;
                }
                Ok(Some(Ok(_))) => {}
            }
            if tokio::time::Instant::now() >= end {
                break;
            }
        }
        client.collect();
    }

    /// Connects all clients without faults, until they have converged.
    async fn converge(&mut self) {
        for _ in 0..400 {
            for index in 0..CLIENTS {
                if self.clients[index].socket.is_none() {
                    self.connect(index);
                }
                self.pump(index, Duration::from_millis(20)).await;
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

impl SimulatedClient {
    fn new(id: u128) -> Self {
        let client = ClientId(Uuid::from_u128(id));
        Self {
            replica: Replica::new(client, "simulation", Limits::default(), EditId(1), Vec::new()),
            socket: None,
            outbox: SimulatedOutbox { next: EditId(1), kept: BTreeMap::new() },
            copy: None,
            answers: BTreeMap::new(),
            lost: BTreeSet::new(),
            renewals: 0,
            sends_twice: false,
        }
    }

    fn cut(&mut self) {
        if self.socket.take().is_some() {
            self.replica.disconnected();
            self.collect();
        }
    }

    /// Crashes the client's process and restarts it from its outbox.
    fn restart(&mut self) {
        self.cut();
        self.load_outbox(self.replica.client());
    }

    fn load_outbox(&mut self, client: ClientId) {
        let kept = self.outbox.kept.values().cloned().collect();
        self.replica = Replica::new(client, "simulation", Limits::default(), self.outbox.next, kept);
    }

    fn copy_or_restore(&mut self) {
        match self.copy.take() {
            None => self.copy = Some((self.replica.client(), self.outbox.clone())),
            Some((client, outbox)) => {
                let forgotten = std::mem::replace(&mut self.outbox, outbox).kept;
                let name = |kept: KeptEdit| (kept.watchlist, self.replica.client(), kept.edit);
                self.lost.extend(forgotten.into_values().map(name));
                self.load_outbox(client);
            }
        }
    }

    /// Continues under a new id. Edits accepted under the old id are dropped from the outbox before their
    /// commits arrive.
    fn renew(&mut self) {
        self.renewals += 1;
        let old = self.replica.client();
        let client = ClientId(Uuid::from_u128(old.0.as_u128() + 1_000 * self.renewals));
        self.socket = None;
        let mut kept = std::mem::take(&mut self.outbox.kept);
        for (old, renumbered) in self.replica.renew(client) {
            kept.remove(&old).expect("every unanswered edit is in the outbox");
            self.outbox.next = renumbered.edit.next();
            self.outbox.kept.insert(renumbered.edit, renumbered);
        }
        self.lost.extend(kept.into_values().map(|accepted| (accepted.watchlist, old, accepted.edit)));
    }

    fn collect(&mut self) {
        for event in self.replica.take_events() {
            match event {
                Event::EditAnswered { watchlist, edit, outcome, changes, .. } => {
                    let name = (watchlist, self.replica.client(), edit);
                    if self.outbox.kept.remove(&edit).is_none() {
                        let is_lost = self.lost.iter().any(|(of, _, lost)| (*of, *lost) == (watchlist, edit));
                        assert!(is_lost, "{edit} was answered twice");
                        continue;
                    }
                    let changes = changes.into_iter().map(Change::without_guard).collect();
                    let answer = (outcome.clone(), changes);
                    let first = self.answers.entry(name).or_insert_with(|| answer.clone());
                    assert_eq!(*first, answer, "{edit} had another answer before");
                    let is_abandoned = |rejection: &Rejection| {
                        matches!(rejection.code, Code::EditReused | Code::TooOld | Code::Unavailable)
                    };
                    assert!(
                        !matches!(&outcome, Outcome::Rejected(rejection) if is_abandoned(rejection)),
                        "{edit} was abandoned"
                    );
                }
                Event::NumbersReused => self.renew(),
                _ => {}
            }
        }
    }
}
