//! Many clients and feeds over a long time, with random faults. Some clients are people with accounts, whose
//! role on the watchlist changes, or is taken away, while they edit. Every minute the states of all are
//! compared, and the server's memory is printed. Before that, each client sends as many edits as the server
//! keeps answers of: if the server's memory grows after that, it has a leak.
//!
//! `cargo bench -p server --bench soak -- 15` runs for fifteen minutes; without a number, for one.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on any error"
)]
#![expect(unreachable_pub, reason = "a benchmark has no public API")]

mod desk;
mod people;
mod process;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use shared::{
    ids::RowId,
    limits::MAX_KEPT_ANSWERS,
    rejection::Code,
    replica::{Event, Outcome},
};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
    time::{Instant, sleep, sleep_until},
};

use self::{
    desk::{Desk, State},
    people::People,
    process::{ANY_PORT, Endpoint, Server},
};

const CLIENTS: usize = 50;
const FEEDS: usize = 2;
/// Number of clients with accounts; the others have the token of the data folder.
const PEOPLE: usize = 16;
/// Time between two changes of somebody's role.
const ROLE_PAUSE: Duration = Duration::from_millis(500);
/// Changes in each edit of a feed, which sends fifty edits a second.
const CHANGES: usize = 20;
const ROWS: usize = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// State that all clients share.
#[derive(Clone)]
struct Shared {
    rows: Rc<Vec<RowId>>,
    /// Whether the clients edit, or stop and report their states.
    is_active: watch::Receiver<bool>,
    states: mpsc::Sender<(usize, State)>,
    counts: Rc<RefCell<Counts>>,
}

#[derive(Default)]
struct Counts {
    /// Number of clients that have sent as many edits as the server keeps answers of.
    warm: usize,
    edits: u64,
    /// Number of edits that were rejected because of a role.
    rejected: u64,
    /// Number of changes of a role.
    roles: u64,
    cuts: u64,
    silences: u64,
}

fn main() {
    let minutes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_u32);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, soak(minutes));
}

async fn soak(minutes: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), ANY_PORT, false);
    let (creator, rows) = Desk::create(server.endpoint(), ROWS).await;
    let (list, (activity, is_active), (states, mut reports)) =
        (creator.list, watch::channel(true), mpsc::channel(64));
    let counts = Rc::new(RefCell::new(Counts::default()));
    let (people, endpoints) = People::add(server.endpoint(), list, PEOPLE).await;
    let shared = Shared { rows: Rc::new(rows), is_active, states, counts: counts.clone() };
    drop(creator);
    for index in 0..CLIENTS + FEEDS {
        let person = index.checked_sub(FEEDS).and_then(|index| endpoints.get(index));
        let client = Client {
            index,
            is_person: person.is_some(),
            endpoint: person.unwrap_or(server.endpoint()).clone(),
            desk: Desk::new(list),
        };
        tokio::task::spawn_local(run_client(client, shared.clone()));
    }
    let started = Instant::now();
    while counts.borrow().warm < CLIENTS + FEEDS {
        sleep(Duration::from_millis(100)).await;
    }
    println!("warmed up after {} edits in {:.0?}", (CLIENTS + FEEDS) * MAX_KEPT_ANSWERS, started.elapsed());
    println!(
        "{:>6} {:>9} {:>6} {:>9} {:>6} {:>9} {:>6} {:>10}",
        "minute", "edits", "roles", "rejected", "cuts", "silences", "kills", "server"
    );
    let mut kills = 0;
    for minute in 1..=minutes {
        // Only twice, so that the memory of one server is observed over a long time.
        if minutes >= 3 && (minute == minutes / 3 + 1 || minute == minutes * 2 / 3 + 1) {
            change_roles(&people, &counts, MINUTE / 3).await;
            let Endpoint { address, .. } = server.endpoint().clone();
            drop(server);
            server = Server::start(folder.path(), &address, false);
            kills += 1;
            change_roles(&people, &counts, MINUTE * 2 / 3).await;
        } else {
            change_roles(&people, &counts, MINUTE).await;
        }
        people.make_editors().await;
        let resident = server.resident_kib() / 1024.0;
        activity.send(false).unwrap();
        let mut shown: BTreeMap<usize, State> = BTreeMap::new();
        let started = Instant::now();
        // Each reports its state until all are at the head; then the states must be equal.
        while shown.len() < CLIENTS + FEEDS {
            let (client, state) = reports.recv().await.unwrap();
            shown.insert(client, state);
            let head = shown.values().map(|state| state.revision).max().unwrap();
            shown.retain(|_, state| state.revision == head);
            assert!(started.elapsed() < MINUTE, "the clients do not converge: {shown:?}");
        }
        assert!(shown.values().all(|state| *state == shown[&0]), "the clients differ: {shown:?}");
        let Counts { edits, rejected, roles, cuts, silences, .. } = *counts.borrow();
        println!(
            "{minute:>6} {edits:>9} {roles:>6} {rejected:>9} {cuts:>6} {silences:>9} {kills:>6} {resident:>6.1} MiB"
        );
        activity.send(true).unwrap();
        while reports.try_recv().is_ok() {}
    }
    println!("no differences");
}

impl Shared {
    fn any_price(&self) -> (RowId, u64) {
        (self.rows[fastrand::usize(..ROWS)], fastrand::u64(..10_000))
    }
}

/// Changes the role of somebody every now and then.
async fn change_roles(people: &People, counts: &RefCell<Counts>, duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() + ROLE_PAUSE < end {
        sleep(ROLE_PAUSE).await;
        people.change_any().await;
        counts.borrow_mut().roles += 1;
    }
    sleep_until(end).await;
}

/// A client, and how it reaches the server.
struct Client {
    index: usize,
    is_person: bool,
    endpoint: Endpoint,
    desk: Desk,
}

impl Client {
    /// Sends and receives for a duration. Only an edit of a person may be rejected.
    async fn pump(&mut self, shared: &Shared, duration: Duration) {
        for event in self.desk.pump(duration).await {
            if let Event::EditAnswered { outcome: Outcome::Rejected(rejection), .. } = event {
                let is_of_role = matches!(rejection.code, Code::Forbidden | Code::UnknownWatchlist);
                let Self { is_person, index, .. } = self;
                assert!(*is_person && is_of_role, "an edit of client {index} was rejected: {rejection}");
                shared.counts.borrow_mut().rejected += 1;
            }
        }
        // It may have been taken away, and be given back.
        self.desk.replica.open(self.desk.list);
    }
}

/// Sends as many edits as the server keeps answers of, as fast as they are answered.
async fn warm_up(client: &mut Client, shared: &Shared) {
    client.desk.connect(&client.endpoint).await;
    let mut remaining = MAX_KEPT_ANSWERS;
    while remaining > 0 || client.desk.replica.unanswered_count() > 0 {
        if client.desk.is_loaded() {
            let count = 100_usize.saturating_sub(client.desk.replica.unanswered_count()).min(remaining);
            for _ in 0..count {
                client.desk.set_prices([shared.any_price()]);
            }
            remaining -= count;
        }
        client.pump(shared, Duration::from_millis(20)).await;
    }
    shared.counts.borrow_mut().warm += 1;
}

async fn run_client(mut client: Client, shared: Shared) {
    let is_feed = client.index < FEEDS;
    let mut is_active = shared.is_active.clone();
    warm_up(&mut client, &shared).await;
    loop {
        if !client.desk.is_connected() {
            sleep(Duration::from_millis(fastrand::u64(10..500))).await;
            client.desk.connect(&client.endpoint).await;
        }
        if *is_active.borrow() {
            let changes = if is_feed { CHANGES } else { 1 };
            if client.desk.is_loaded() && client.desk.replica.unanswered_count() < 100 {
                client.desk.set_prices((0..changes).map(|_| shared.any_price()));
                shared.counts.borrow_mut().edits += 1;
            }
            let pause = if is_feed { 20 } else { fastrand::u64(40..160) };
            client.pump(&shared, Duration::from_millis(pause)).await;
            if !is_feed {
                match fastrand::u32(..1_000) {
                    0..3 => {
                        client.desk.cut();
                        shared.counts.borrow_mut().cuts += 1;
                    }
                    3 => {
                        // Do not read anything for a while.
                        shared.counts.borrow_mut().silences += 1;
                        sleep(Duration::from_secs(fastrand::u64(1..20))).await;
                    }
                    _ => {}
                }
            }
        } else {
            client.pump(&shared, Duration::from_millis(50)).await;
            if let Some(state) = client.desk.state() {
                shared.states.send((client.index, state)).await.unwrap();
                tokio::select! {
                    _ = is_active.changed() => {}
                    () = client.pump(&shared, Duration::from_secs(1)) => {}
                }
            }
        }
    }
}
