//! Many clients and feeds for a long time, with faults at random: what they show is compared every minute, and what the
//! server holds is told. Before that each makes as many edits as the server keeps answers of: from there on a server
//! that holds more and more has a leak.
//!
//! `cargo bench -p server --bench soak -- 15` soaks for fifteen minutes; without a number, for one.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and stops at the first fault"
)]
#![expect(unreachable_pub, reason = "a benchmark has no outside")]

mod desk;
mod process;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use shared::{ids::RowId, limits::ANSWERS_KEPT};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
    time::{Instant, sleep},
};

use self::{
    desk::{Desk, State},
    process::{ANY_PORT, Server, Way},
};

const CLIENTS: usize = 50;
const FEEDS: usize = 2;
/// Changes of a feed's edit, of which it makes fifty a second.
const CHANGES: usize = 20;
const ROWS: usize = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What all share.
#[derive(Clone)]
struct Shared {
    way: Way,
    rows: Rc<Vec<RowId>>,
    /// Whether they work, or are to come to rest and say what they show.
    works: watch::Receiver<bool>,
    states: mpsc::Sender<(usize, State)>,
    counts: Rc<RefCell<Counts>>,
}

#[derive(Default)]
struct Counts {
    /// Those who have made as many edits as the server keeps answers of.
    warm: usize,
    edits: u64,
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
    let mut server = Server::start(folder.path(), ANY_PORT);
    let (founder, rows) = Desk::found(server.way(), ROWS).await;
    let (list, (work, works), (states, mut said)) = (founder.list, watch::channel(true), mpsc::channel(64));
    let counts = Rc::new(RefCell::new(Counts::default()));
    let shared =
        Shared { way: server.way().clone(), rows: Rc::new(rows), works, states, counts: counts.clone() };
    drop(founder);
    for index in 0..CLIENTS + FEEDS {
        tokio::task::spawn_local(live(index, Desk::new(list), shared.clone()));
    }
    let started = Instant::now();
    while counts.borrow().warm < CLIENTS + FEEDS {
        sleep(Duration::from_millis(100)).await;
    }
    println!("warm after {} edits in {:.0?}", (CLIENTS + FEEDS) * ANSWERS_KEPT, started.elapsed());
    println!(
        "{:>6} {:>9} {:>6} {:>9} {:>6} {:>10}",
        "minute", "edits", "cuts", "silences", "kills", "server"
    );
    let mut kills = 0;
    for minute in 1..=minutes {
        // Twice, so that what a server holds is seen over a long while.
        if minutes >= 3 && (minute == minutes / 3 + 1 || minute == minutes * 2 / 3 + 1) {
            sleep(MINUTE / 3).await;
            let Way { address, .. } = server.way().clone();
            drop(server);
            server = Server::start(folder.path(), &address);
            kills += 1;
            sleep(MINUTE * 2 / 3).await;
        } else {
            sleep(MINUTE).await;
        }
        let held = server.resident_kib() / 1024.0;
        work.send(false).unwrap();
        let mut shown: BTreeMap<usize, State> = BTreeMap::new();
        let started = Instant::now();
        // Each says what it shows until all are at the head, and then they have to be equal.
        while shown.len() < CLIENTS + FEEDS {
            let (who, state) = said.recv().await.unwrap();
            shown.insert(who, state);
            let head = shown.values().map(|state| state.revision).max().unwrap();
            shown.retain(|_, state| state.revision == head);
            assert!(started.elapsed() < MINUTE, "they do not come to rest: {shown:?}");
        }
        assert!(shown.values().all(|state| *state == shown[&0]), "they differ: {shown:?}");
        let Counts { edits, cuts, silences, .. } = *counts.borrow();
        println!("{minute:>6} {edits:>9} {cuts:>6} {silences:>9} {kills:>6} {held:>6.1} MiB");
        work.send(true).unwrap();
        while said.try_recv().is_ok() {}
    }
    println!("no differences");
}

impl Shared {
    fn any_price(&self) -> (RowId, u64) {
        (self.rows[fastrand::usize(..ROWS)], fastrand::u64(..10_000))
    }
}

/// Makes as many edits as the server keeps answers of, as fast as they are answered.
async fn warm_up(desk: &mut Desk, shared: &Shared) {
    desk.connect(&shared.way).await;
    let mut left = ANSWERS_KEPT;
    while left > 0 || desk.replica.waiting() > 0 {
        if desk.is_loaded() {
            let most = 100_usize.saturating_sub(desk.replica.waiting()).min(left);
            for _ in 0..most {
                desk.set_prices([shared.any_price()]);
            }
            left -= most;
        }
        desk.pump(Duration::from_millis(20)).await;
    }
    shared.counts.borrow_mut().warm += 1;
}

async fn live(index: usize, mut desk: Desk, shared: Shared) {
    let is_feed = index < FEEDS;
    let mut works = shared.works.clone();
    warm_up(&mut desk, &shared).await;
    loop {
        if !desk.is_connected() {
            sleep(Duration::from_millis(fastrand::u64(10..500))).await;
            desk.connect(&shared.way).await;
        }
        if *works.borrow() {
            let changes = if is_feed { CHANGES } else { 1 };
            if desk.is_loaded() && desk.replica.waiting() < 100 {
                desk.set_prices((0..changes).map(|_| shared.any_price()));
                shared.counts.borrow_mut().edits += 1;
            }
            let pause = if is_feed { 20 } else { fastrand::u64(40..160) };
            desk.pump(Duration::from_millis(pause)).await;
            if !is_feed {
                match fastrand::u32(..1_000) {
                    0..3 => {
                        desk.cut();
                        shared.counts.borrow_mut().cuts += 1;
                    }
                    3 => {
                        // It reads nothing for a while.
                        shared.counts.borrow_mut().silences += 1;
                        sleep(Duration::from_secs(fastrand::u64(1..20))).await;
                    }
                    _ => {}
                }
            }
        } else {
            desk.pump(Duration::from_millis(50)).await;
            if let Some(state) = desk.state() {
                shared.states.send((index, state)).await.unwrap();
                tokio::select! {
                    _ = works.changed() => {}
                    _ = desk.pump(Duration::from_secs(1)) => {}
                }
            }
        }
    }
}
