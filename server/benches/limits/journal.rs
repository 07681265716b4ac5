//! The journal, in SQLite and in the PostgreSQL database that AFTERGLOW_BENCH_DATABASE names, measured through the
//! hub with real rooms on a real disk: disk bytes and edits a second with
//! many clients on one watchlist and with many watchlists, a person's edit while the journal is pruned,
//! checkpointed and backed up, and the start with a large journal after an unclean stop. The bytes are
//! `write_bytes` of `/proc/self/io`: what this process caused to be written to the disk, checkpoints
//! included.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use server::{
    access::{Caller, Credential},
    accounts::{Accounts, Lifetimes, LocalAccount},
    clock,
    folder::backup,
    hub::Hub,
    journal::{
        Journal, ReadLimit, Retention, Sender, StoredAuthors, StoredPart, Verdict, postgres::PostgresJournal,
        sqlite::SqliteJournal,
    },
    room::{AnswerQueue, Reply, RoomContext, Withheld},
    settings::Settings,
};
use shared::{
    account::{Role, User},
    edit::Change,
    ids::{ClientId, EditId, Revision, RowId, UserId, WatchlistId},
    position::Position,
    value::Literal,
    wire::snapshot::Snapshot,
};
use tokio::{sync::watch, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::report::Report;

const CLIENTS: u128 = 64;
const IN_FLIGHT: usize = 16;
const ROWS: usize = 1_000;
const TIME: Duration = Duration::from_secs(5);
/// Changes in each edit of the feed, which sends 10,000 changes a second.
const FEED_CHANGES: usize = 160;

/// Number of backups, so that there are enough edits to measure in the meantime.
const BACKUPS: usize = 12;

/// A journal with a hub on it.
struct Bench {
    journal: Arc<dyn Journal>,
    hub: Arc<Hub>,
    context: RoomContext,
}

/// A watchlist with rows, and one of its clients.
struct Client {
    hub: Arc<Hub>,
    list: WatchlistId,
    rows: Arc<Vec<RowId>>,
    id: ClientId,
    edit: u64,
}

/// Returns accounts in memory, whose only one may do everything.
fn accounts() -> Arc<Accounts> {
    let user = User { id: UserId(Uuid::from_u128(8)), name: "ann".into(), role: Role::Admin };
    let lifetimes = Lifetimes { idle: Duration::from_secs(3_600), absolute: Duration::from_secs(3_600) };
    let local = LocalAccount::in_memory(user);
    Arc::new(Accounts::in_memory(local, lifetimes, clock::system()).unwrap())
}

fn admin() -> Caller {
    let user = UserId(Uuid::from_u128(8));
    Caller { user, name: "ann".into(), credential: Credential::Local, scope: Arc::default() }
}

impl Bench {
    async fn open(folder: &Path) -> Self {
        Self::on(Arc::new(SqliteJournal::open(folder).await.unwrap())).await
    }

    async fn on(journal: Arc<dyn Journal>) -> Self {
        let context = RoomContext {
            journal: journal.clone(),
            clock: clock::system(),
            settings: Arc::new(Settings::default()),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            renamed: watch::channel(0).0,
        };
        let hub = Arc::new(Hub::open(context.clone(), accounts()).await.unwrap());
        Self { journal, hub, context }
    }

    /// Creates a watchlist with rows, and returns its client.
    async fn list(&self, number: u128) -> Client {
        let list = WatchlistId(Uuid::from_u128(number));
        self.hub.create(&admin(), Some(list), "Bench", None).await.unwrap();
        let rows: Vec<RowId> = (0..ROWS).map(|_| RowId(Uuid::now_v7())).collect();
        let positions = Position::between(None, None, ROWS).unwrap();
        let insert = |(id, at): (&RowId, &Position)| Change::insert(*id, at, Default::default());
        let inserts = rows.iter().zip(&positions).map(insert).collect();
        let mut client = self.client(list, Arc::new(rows), number);
        client.answered(inserts).await;
        client
    }

    fn client(&self, list: WatchlistId, rows: Arc<Vec<RowId>>, number: u128) -> Client {
        Client { hub: self.hub.clone(), list, rows, id: ClientId(Uuid::from_u128(number)), edit: 0 }
    }

    async fn close(self) {
        self.context.stop.cancel();
        self.context.tasks.close();
        self.context.tasks.wait().await;
        self.journal.close().await;
    }
}

impl Client {
    fn price(&self) -> Change {
        let row = self.rows[fastrand::usize(..self.rows.len())];
        let price = format!("{}.{:02}", fastrand::u32(10..500), fastrand::u32(..100));
        Change::set(row, &"price".into(), Literal::from(price.as_str()))
    }

    async fn answered(&mut self, changes: Vec<Change>) {
        self.edit += 1;
        let list = self.hub.connect(&admin(), self.list).unwrap();
        let verdict = list.edit_answered((self.id, EditId(self.edit)), Ok(changes)).await.unwrap();
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    }

    /// Keeps edits of one price in flight until the end, and returns how many were accepted.
    async fn flood(mut self, end: Instant) -> u64 {
        let list = self.hub.connect(&admin(), self.list).unwrap();
        let answers = AnswerQueue::default();
        let withheld = Arc::new(Withheld::new(Sender { user: admin().user, client: self.id }));
        let (mut open, mut accepted) = (0, 0);
        loop {
            while open < IN_FLIGHT && Instant::now() < end {
                self.edit += 1;
                let reply = Reply::Connection(answers.clone(), withheld.clone());
                list.edit(
                    list.rights().unwrap(),
                    (self.id, EditId(self.edit)),
                    Ok(vec![self.price()]),
                    reply,
                )
                .await;
                open += 1;
            }
            if open == 0 {
                return accepted;
            }
            let answer = answers.next().await;
            assert!(matches!(answer.verdict, Verdict::Accepted(_)), "{answer:?}");
            (open, accepted) = (open - 1, accepted + 1);
        }
    }

    /// Sends 10,000 changes a second until told to stop, in order and without waiting for answers.
    async fn feed(mut self, mut stop: watch::Receiver<bool>) -> u64 {
        let list = self.hub.connect(&admin(), self.list).unwrap();
        let answers = AnswerQueue::default();
        let withheld = Arc::new(Withheld::new(Sender { user: admin().user, client: self.id }));
        let interval = Duration::from_secs(1) * u32::try_from(FEED_CHANGES).unwrap() / 10_000;
        let mut ticks = tokio::time::interval(interval);
        let mut edits = 0;
        loop {
            tokio::select! {
                _ = stop.changed() => return edits,
                _ = answers.next() => {}
                _ = ticks.tick() => {
                    self.edit += 1;
                    edits += 1;
                    let changes = (0..FEED_CHANGES).map(|_| self.price()).collect();
                    let reply = Reply::Connection(answers.clone(), withheld.clone());
                    list.edit(list.rights().unwrap(), (self.id, EditId(self.edit)), Ok(changes), reply).await;
                }
            }
        }
    }
}

/// Returns the bytes that this process has caused to be written to the disk.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

/// Measures edits a second, and disk bytes an edit.
async fn flood(lists: u128, number_of_clients: u128) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    flood_on(Bench::open(folder.path()).await, 0, lists, number_of_clients).await
}

/// The same on a journal that has a number of watchlists already.
async fn flood_on(bench: Bench, existing: u128, lists: u128, number_of_clients: u128) -> (f64, f64) {
    let mut clients = Vec::new();
    for number in existing + 1..=existing + lists {
        clients.push(bench.list(number).await);
    }
    let first = &clients[0];
    let (list, rows) = (first.list, first.rows.clone());
    for number in lists + 1..=number_of_clients {
        clients.push(bench.client(list, rows.clone(), 1_000 + number));
    }
    let (before, started) = (written(), Instant::now());
    let end = started + TIME;
    let floods: Vec<_> = clients.into_iter().map(|client| tokio::spawn(client.flood(end))).collect();
    let mut edits = 0;
    for flood in floods {
        edits += flood.await.unwrap();
    }
    let rate = edits as f64 / started.elapsed().as_secs_f64();
    bench.close().await;
    (rate, (written() - before) as f64 / edits as f64)
}

fn percentile(times: &[Duration], percent: usize) -> f64 {
    times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3
}

/// Measures a person's edits while a feed sends 10,000 changes a second and the journal is pruned and backed
/// up.
async fn person(history: u64, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path()).await;
    let mut old = bench.list(1).await;
    for _ in 0..history {
        let changes = (0..FEED_CHANGES).map(|_| old.price()).collect();
        old.answered(changes).await;
    }
    let list = old.list;
    let feed = bench.list(2).await;
    let (stop, stopped) = watch::channel(false);
    let feed = tokio::spawn(feed.feed(stopped));
    let mut person = bench.list(3).await;
    let measure = async |person: &mut Client, is_done: &dyn Fn() -> bool| {
        let mut times = Vec::new();
        while !is_done() {
            let (change, started) = (person.price(), Instant::now());
            person.answered(vec![change]).await;
            times.push(started.elapsed());
            sleep(Duration::from_millis(10)).await;
        }
        times.sort();
        (percentile(&times, 50), percentile(&times, 99), percentile(&times, 100))
    };
    let end = Instant::now() + TIME;
    let (p50, p99, _) = measure(&mut person, &|| Instant::now() >= end).await;
    report.note("a person's edit, median, with 10,000 changes/s", p50, "ms");
    report.at_most("a person's edit, 99th percentile, with 10,000 changes/s", p99, 30.0, "ms");
    let journal = bench.journal.clone();
    // A snapshot at the head lets everything before it be pruned.
    let (state, at) = bench.hub.connect(&admin(), list).unwrap().read().await.unwrap();
    for snapshot in Snapshot::parts(&state, list, at, 64 * 1024) {
        let authors: Vec<(RowId, StoredAuthors)> = Vec::new();
        journal.save_part(list, StoredPart { snapshot, authors }).await.unwrap();
    }
    let pruning = tokio::spawn(async move {
        let started = Instant::now();
        prune(&*journal, list).await;
        started.elapsed()
    });
    let path = folder.path().to_owned();
    let backups = tokio::spawn(async move {
        let started = Instant::now();
        for number in 0..BACKUPS {
            backup::backup(&path, &path.join(format!("backup-{number}.sqlite"))).await.unwrap();
        }
        started.elapsed()
    });
    let is_done = || pruning.is_finished() && backups.is_finished();
    let (p50, p99, most) = measure(&mut person, &is_done).await;
    report.note("the same while pruning, checkpointing and backing up, median", p50, "ms");
    report.at_most("the same, 99th percentile", p99, 30.0, "ms");
    report.note("the same, slowest", most, "ms");
    report.note("time to prune 10,100 commits of 160 changes", pruning.await.unwrap().as_secs_f64(), "s");
    report.note("time for 12 backups", backups.await.unwrap().as_secs_f64(), "s");
    stop.send_replace(true);
    feed.await.unwrap();
    let started = Instant::now();
    bench.close().await;
    report.at_most("closing", started.elapsed().as_secs_f64(), 2.0, "s");
}

async fn prune(journal: &dyn Journal, list: WatchlistId) {
    journal.prune(list, Retention { commits: 1, ..Retention::all() }).await.unwrap();
}

/// Measures the start with a large journal that was not closed.
async fn start(mebibytes: u64, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::open(folder.path()).await;
    let mut clients = Vec::new();
    for number in 1..=16 {
        clients.push(bench.list(number).await);
    }
    let size = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
    while size("journal.sqlite") < mebibytes << 20 {
        for client in &mut clients {
            let changes = (0..5_000).map(|_| client.price()).collect();
            client.answered(changes).await;
        }
    }
    // A copy of the files is what a crash leaves.
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.sqlite", "journal.sqlite-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    bench.close().await;
    drop(folder);
    std::process::Command::new("sync").status().unwrap();
    let is_cold = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let started = Instant::now();
    let bench = Bench::open(copy.path()).await;
    bench.journal.ready().await.unwrap();
    let ready = started.elapsed();
    let list = WatchlistId(Uuid::from_u128(1));
    bench.journal.commits(list, Revision(1), ReadLimit { commits: 1, bytes: 1 }).await.unwrap();
    let cache = if is_cold { "cold" } else { "warm" };
    let what = format!("start with a journal of {mebibytes} MiB after an unclean stop, {cache} cache");
    report.at_most(&what, ready.as_secs_f64(), 2.0, "s");
    bench.close().await;
}

/// Measures edits a second in a database, if one is named.
async fn database(report: &mut Report) {
    let Ok(url) = std::env::var("AFTERGLOW_BENCH_DATABASE") else { return };
    let open = async || Bench::on(Arc::new(PostgresJournal::open(&url).await.unwrap())).await;
    let existing = open().await;
    let known = existing.journal.watchlists().await.unwrap().len() as u128;
    existing.close().await;
    for (what, lists, clients, existing) in [
        ("64 clients on one watchlist, PostgreSQL", 1, CLIENTS, known),
        ("64 watchlists with one client each, PostgreSQL", CLIENTS, CLIENTS, known + 1),
        ("one client, 16 edits in flight, PostgreSQL", 1, 1, known + 1 + CLIENTS),
    ] {
        let (rate, _) = flood_on(open().await, existing, lists, clients).await;
        report.note(what, rate, "edits/s");
    }
}

/// Measures servers that share a database, all of which change one watchlist, or each its own: edits a second of 48
/// clients, and the time that an edit of one more takes, who waits for each answer.
async fn shared_database(report: &mut Report) {
    let Ok(url) = std::env::var("AFTERGLOW_BENCH_DATABASE") else { return };
    let open = async || Bench::on(Arc::new(PostgresJournal::open_shared(&url).await.unwrap())).await;
    for (nodes, is_one) in [(1, true), (2, true), (3, true), (1, false), (2, false), (3, false)] {
        let first = open().await;
        let known = first.journal.watchlists().await.unwrap().len() as u128;
        let mut clients = Vec::new();
        for number in 1..=if is_one { 1 } else { nodes } {
            clients.push(first.list(known + number).await);
        }
        // The others read the watchlists when they start.
        let mut benches = vec![first];
        for _ in 1..nodes {
            benches.push(open().await);
        }
        let lists: Vec<_> = clients.iter().map(|client| (client.list, client.rows.clone())).collect();
        let client = |number: u128| {
            let node = usize::try_from(number % nodes).unwrap();
            let (list, rows) = &lists[if is_one { 0 } else { node }];
            benches[node].client(*list, rows.clone(), 10_000 + known * 100 + number)
        };
        let mut person = client(nodes - 1);
        let end = Instant::now() + TIME;
        let floods: Vec<_> =
            (nodes..nodes + 48).map(|number| tokio::spawn(client(number).flood(end))).collect();
        let mut took = Vec::new();
        while Instant::now() < end {
            let started = Instant::now();
            let change = person.price();
            person.answered(vec![change]).await;
            took.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        let mut edits = 0;
        for flood in floods {
            edits += flood.await.unwrap();
        }
        took.sort_by(f64::total_cmp);
        let what =
            format!("{nodes} servers, {}", if is_one { "one watchlist" } else { "one watchlist each" });
        report.note(&what, edits as f64 / TIME.as_secs_f64(), "edits/s");
        report.note(&format!("{what}: a person's edit, median"), took[took.len() / 2], "ms");
        report.note(&format!("{what}: a person's edit, 99th percentile"), took[took.len() * 99 / 100], "ms");
        for bench in benches {
            bench.close().await;
        }
    }
}

/// Measures the database, if one is named.
pub async fn measure_database(report: &mut Report) {
    database(report).await;
    shared_database(report).await;
}

/// Measures everything, with a journal of this many MiB for the start.
pub async fn measure(mebibytes: u64, report: &mut Report) {
    let (rate, bytes) = flood(1, CLIENTS).await;
    report.at_most("disk bytes a price change, 64 clients on one watchlist", bytes, 1_536.0, "bytes");
    report.at_least("64 clients on one watchlist, 16 edits in flight each", rate, 20_000.0, "edits/s");
    let (rate, bytes) = flood(1, 16 * CLIENTS).await;
    report.note("disk bytes a price change, 1,024 clients on one watchlist", bytes, "bytes");
    report.note("1,024 clients on one watchlist", rate, "edits/s");
    let (rate, bytes) = flood(CLIENTS, CLIENTS).await;
    report.note("disk bytes a price change, 64 watchlists", bytes, "bytes");
    report.at_least("64 watchlists with one client each", rate, 15_000.0, "edits/s");
    measure_database(report).await;
    person(10_100, report).await;
    start(mebibytes, report).await;
}
