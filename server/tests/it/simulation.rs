//! Several replicas and one server in simulated time: delays, connections that break off in the middle of a frame,
//! edits sent twice, clocks that jump, writes that fail before or after they were made, deaths of the server and of
//! clients, and clients that come back from an old copy of what they kept. Whatever happened,
//! in the end everyone shows the same, every accepted edit is there once, and nothing waits.
//!
//! A failing seed runs alone with `AFTERGLOW_SEED=… cargo test -p server --test it simulation`.

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
    clock::Clock,
    fanout::ConnectionId,
    hub::Hub,
    room::RoomContext,
    session::{self, Peer, SessionContext},
    settings::Settings,
};
use shared::{
    edit::{Change, Code, Rejection},
    ids::{ClientId, EditId, RowId, UserId, WatchlistId, WindowId},
    limits::Limits,
    position::Position,
    replica::{Event, KeptEdit, Outcome, Replica},
    time::Timestamp,
    value::Literal,
    watchlist::Watchlist,
    wire::{
        client::ClientMessage,
        codec::Encoding,
        server::{Role, SnapshotRow, User},
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

const RUNS: u64 = 4_000;
const CLIENTS: usize = 3;
const STEPS: usize = 60;
/// Messages that nobody is sent within some milliseconds.
const ENDLESS: usize = 20_000;
const LISTS: [WatchlistId; 2] = [WatchlistId(Uuid::from_u128(7)), WatchlistId(Uuid::from_u128(8))];

#[test]
fn every_interleaving_ends_with_all_equal_and_every_accepted_edit_once() {
    let one = std::env::var("AFTERGLOW_SEED")
        .ok()
        .map(|seed| seed.parse::<u64>().expect("AFTERGLOW_SEED is a number"));
    let seeds = one.map_or(0..RUNS, |seed| seed..seed + 1);
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
                    let survived = std::panic::catch_unwind(AssertUnwindSafe(|| {
                        runtime.unwrap().block_on(Simulation::run(seed))
                    }));
                    assert!(survived.is_ok(), "seed {seed} failed; run it alone with AFTERGLOW_SEED={seed}");
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
    /// Edits made so far, by anybody.
    made: u64,
    /// Whether clients come back from old copies: then no two edits are alike.
    restores: bool,
    /// How wrong the server's clock is, in milliseconds.
    jumps: Arc<AtomicI64>,
}

struct SimulatedServer {
    hub: Arc<Hub>,
    context: SessionContext,
    tasks: TaskTracker,
}

struct SimulatedClient {
    replica: Replica,
    socket: Option<WebSocketStream<Wire>>,
    /// What its outbox holds, and the first number that it never used.
    outbox: SimulatedOutbox,
    /// A copy of that, taken earlier.
    copy: Option<(ClientId, SimulatedOutbox)>,
    /// How each edit was answered, and what it changed.
    answers: BTreeMap<Name, (Outcome, Vec<Change>)>,
    /// Edits that it no longer knows of, since it came back from a copy: they were made or they were not.
    lost: BTreeSet<Name>,
    renewals: u128,
    /// Sends its next edit twice.
    repeats: bool,
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

/// Simulated time since the run began.
fn now() -> Duration {
    START.get().expect("a run has begun").elapsed()
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
            made: 0,
            restores,
            jumps: Arc::new(AtomicI64::new(0)),
        };
        simulation.start_server().await;
        for list in LISTS {
            simulation.server.as_ref().unwrap().hub.create(Some(list), "Simulated", None).await.unwrap();
        }
        simulation.disk.set_hostile(true);
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.disk.set_hostile(false);
        simulation.settle().await;
        simulation.check();
    }

    async fn start_server(&mut self) {
        let journal = Arc::new(SimulatedJournal::new(self.disk.clone()));
        let jumps = self.jumps.clone();
        let clock: Clock = Arc::new(move || {
            let shown = i64::try_from(now().as_millis()).unwrap() + jumps.load(Ordering::SeqCst);
            Timestamp::from_millis(shown)
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        // A small outbox, so that catch-ups are common.
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

    /// The server dies: whatever it still does reaches neither the disk nor anybody.
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
        let who = self.rng.usize(..CLIENTS);
        match self.rng.u32(..100) {
            0..45 => self.edit(who),
            45..80 => {
                let long = Duration::from_millis(self.rng.u64(..40));
                self.pump(who, long).await;
            }
            80..86 => tokio::time::sleep(Duration::from_millis(self.rng.u64(..60))).await,
            86 => self.jumps.store(self.rng.i64(-3_600_000..3_600_000), Ordering::SeqCst),
            87 => self.clients[who].repeats = true,
            88..94 => self.clients[who].cut(),
            94 => self.clients[who].restart(),
            95 if self.restores => self.restore(who).await,
            95..98 => self.connect(who),
            _ => self.kill_server().await,
        }
        if self.clients[who].socket.is_none() && self.rng.bool() {
            self.connect(who);
        }
    }

    /// A client takes a copy of what it keeps, or comes back from the one that it took.
    async fn restore(&mut self, who: usize) {
        if self.clients[who].copy.is_some() {
            self.clients[who].cut();
            // What its former self had sent is judged by now, or goes on beside it.
            tokio::time::sleep(Duration::from_secs(2 * self.rng.u64(..2))).await;
        }
        self.clients[who].copy_or_restore();
    }

    fn connect(&mut self, who: usize) {
        self.clients[who].cut();
        let Some(server) = &self.server else { return };
        // Many connections break off by themselves, in the middle of a frame.
        let hostile = self.disk.is_hostile();
        let mut ends_after =
            || if hostile && self.rng.u8(..3) == 0 { self.rng.usize(..6_000) } else { usize::MAX };
        let (near, far) = wire(ends_after(), ends_after());
        self.connections += 1;
        let encoding = Encoding::MessagePack;
        let peer = Peer { connection: ConnectionId(self.connections), user: user(), encoding };
        let context = server.context.clone();
        server.tasks.spawn(async move {
            let socket = WebSocketStream::from_raw_socket(far, SocketRole::Server, None).await;
            session::run(context, peer, socket).await;
        });
        let client = &mut self.clients[who];
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

    fn edit(&mut self, who: usize) {
        let list = LISTS[usize::from(self.rng.u8(..4) == 0)];
        let mut changes = {
            let Some(state) = self.clients[who].replica.list(list).and_then(|list| list.state()) else {
                return;
            };
            let rows: Vec<RowId> = state.rows().iter().map(|row| row.id).collect();
            let any = |rng: &mut Rng| rows[rng.usize(..rows.len())];
            let number = self.rng.u32(..100);
            match self.rng.u32(..10) {
                _ if rows.is_empty() => vec![self.insert()],
                0..2 => vec![self.insert()],
                2 => vec![Change::remove(any(&mut self.rng), None)],
                3 => {
                    let position = Position::from_hex(&format!("{:02x}80", self.rng.u8(1..255))).unwrap();
                    vec![Change::move_to(any(&mut self.rng), &position)]
                }
                4 => {
                    let (one, other) = (any(&mut self.rng), any(&mut self.rng));
                    let set = |row, value: u32| {
                        Change::set(row, &"target".into(), Literal::from(value.to_string().as_str()))
                    };
                    vec![set(one, number), set(other, number + 1)]
                }
                _ => {
                    let row = any(&mut self.rng);
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
        self.made += 1;
        if self.restores {
            changes.push(Change::rename(&format!("Edit {}", self.made)));
        }
        let client = &mut self.clients[who];
        if let Ok(kept) = client.replica.edit(list, WindowId(1), changes) {
            client.outbox.next = kept.edit.next();
            client.outbox.kept.insert(kept.edit, kept);
        }
    }

    fn insert(&mut self) -> Change {
        // From a small set, so that rows are inserted twice and again after their removal.
        let row = RowId(Uuid::from_u128(1_000 + u128::from(self.rng.u32(..12))));
        let position = Position::from_hex(&format!("{:02x}", self.rng.u8(1..255))).unwrap();
        let cells = BTreeMap::from([("symbol".into(), Literal::from("S"))]);
        Change::insert(row, &position, cells)
    }

    /// Lets a client send and hear for so long.
    async fn pump(&mut self, who: usize, long: Duration) {
        let client = &mut self.clients[who];
        client.replica.tick(u64::try_from(now().as_millis()).unwrap());
        client.collect();
        let end = tokio::time::Instant::now() + long;
        let mut rounds = 0;
        loop {
            // Time stands still while there is anything to do: who asks the same again and again is found out so.
            rounds += 1;
            assert!(rounds < ENDLESS, "client {who} never has enough");
            let Some(socket) = &mut client.socket else { return };
            while let Some(message) = client.replica.poll_send() {
                let bytes = Encoding::MessagePack.encode(&message);
                // An edit that is sent twice is one edit.
                let is_edit = matches!(message, ClientMessage::Edit(_));
                let times = if is_edit && std::mem::take(&mut client.repeats) { 2 } else { 1 };
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

    /// The faults end: everyone connects and is heard out.
    async fn settle(&mut self) {
        for _ in 0..400 {
            for who in 0..CLIENTS {
                if self.clients[who].socket.is_none() {
                    self.connect(who);
                }
                self.pump(who, Duration::from_millis(20)).await;
            }
            let disk = &self.disk;
            let is_settled = |client: &SimulatedClient| {
                client.replica.waiting() == 0
                    && LISTS.into_iter().all(|id| {
                        client.replica.list(id).is_some_and(|list| {
                            list.waiting() == 0 && list.at().is_some_and(|at| at.revision == disk.head(id))
                        })
                    })
            };
            if self.clients.iter().all(is_settled) {
                return;
            }
        }
        for (client, list) in self.clients.iter().flat_map(|client| LISTS.map(|list| (client, list))) {
            let (waiting, head) = (client.replica.waiting(), self.disk.head(list));
            let list = client.replica.list(list).unwrap();
            eprintln!(
                "waiting {waiting} and {}, {:?} of {head}, {:?}",
                list.waiting(),
                list.at(),
                list.sync()
            );
        }
        panic!("not settled");
    }

    fn check(&self) {
        let (written, count) = self.disk.edits();
        assert_eq!(written.len(), count, "an edit was applied twice");
        let mut accepted = BTreeSet::new();
        let mut lost: BTreeSet<Name> = BTreeSet::new();
        for client in &self.clients {
            for list in LISTS {
                let truth = self.disk.replayed(list);
                let shown = client.replica.list(list).unwrap().state().unwrap();
                let (shown_rows, true_rows) = (rows_of(shown), rows_of(&truth));
                assert!(shown.same_as(&truth), "shown {shown_rows:#?}\nis not {true_rows:#?}");
            }
            assert!(client.outbox.kept.is_empty(), "every edit was answered: {:?}", client.outbox.kept);
            for (name, (outcome, changes)) in &client.answers {
                if let Outcome::Accepted(_) = outcome {
                    assert_eq!(written.get(name), Some(changes), "what was accepted is on disk");
                    accepted.insert(*name);
                }
            }
            lost.extend(&client.lost);
        }
        let unknown: Vec<_> =
            written.keys().filter(|name| !accepted.contains(name) && !lost.contains(name)).collect();
        assert!(unknown.is_empty(), "on disk, and its client was not told: {unknown:?}");
    }
}

/// The rows in order, as they travel: to be read when they differ.
fn rows_of(watchlist: &Watchlist) -> Vec<SnapshotRow> {
    let frozen = watchlist.freeze();
    frozen.rows().map(|row| frozen.wire_row(row, false)).collect()
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
            repeats: false,
        }
    }

    fn cut(&mut self) {
        if self.socket.take().is_some() {
            self.replica.disconnected();
            self.collect();
        }
    }

    /// Its process dies and starts again from its outbox.
    fn restart(&mut self) {
        self.cut();
        self.begin(self.replica.client());
    }

    fn begin(&mut self, client: ClientId) {
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
                self.begin(client);
            }
        }
    }

    /// Goes on under a new id. What was accepted under the old one is no longer kept, though it is yet to be seen.
    fn renew(&mut self) {
        self.renewals += 1;
        let old = self.replica.client();
        let client = ClientId(Uuid::from_u128(old.0.as_u128() + 1_000 * self.renewals));
        self.socket = None;
        let mut kept = std::mem::take(&mut self.outbox.kept);
        for (old, renamed) in self.replica.renew(client) {
            kept.remove(&old).expect("every edit that waits was kept");
            self.outbox.next = renamed.edit.next();
            self.outbox.kept.insert(renamed.edit, renamed);
        }
        self.lost.extend(kept.into_values().map(|accepted| (accepted.watchlist, old, accepted.edit)));
    }

    fn collect(&mut self) {
        for event in self.replica.take_events() {
            match event {
                Event::Settled { watchlist, edit, outcome, changes, .. } => {
                    let name = (watchlist, self.replica.client(), edit);
                    if self.outbox.kept.remove(&edit).is_none() {
                        let waited = self.lost.iter().any(|(of, _, lost)| (*of, *lost) == (watchlist, edit));
                        assert!(waited, "{edit} was settled twice");
                        continue;
                    }
                    let changes = changes.into_iter().map(Change::without_guard).collect();
                    let answer = (outcome.clone(), changes);
                    let first = self.answers.entry(name).or_insert_with(|| answer.clone());
                    assert_eq!(*first, answer, "{edit} was answered otherwise before");
                    let is_given_up = |rejection: &Rejection| {
                        matches!(rejection.code, Code::EditReused | Code::TooOld | Code::Unavailable)
                    };
                    assert!(
                        !matches!(&outcome, Outcome::Rejected(rejection) if is_given_up(rejection)),
                        "{edit} was given up"
                    );
                }
                Event::NumbersReused => self.renew(),
                _ => {}
            }
        }
    }
}
