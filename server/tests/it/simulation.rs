//! Several replicas, other callers and one server in simulated time. A run has, mixed by its seed: delays,
//! connections that break in the middle of a frame, edits sent twice, clocks that jump, crashes of the server
//! and of clients, clients that restore an old copy of their outbox; watchlists that are created, deleted and
//! restored, by several callers at once; calls that are dropped in the middle; many clients that connect at
//! once, from old revisions, and read slowly or not at all; and a disk whose reads and writes fail, writes
//! also after they were done, and that is full for a while. Commits are pruned and deleted watchlists erased,
//! at the start of a server and while it runs. In some runs clients have accounts, whose roles on the
//! watchlists change and are taken away while they edit.
//!
//! In the end all clients show the same state, every accepted edit is applied once, no edit is unanswered,
//! the watchlists served are the stored ones, and no room has written a watchlist beside another.
//!
//! Run a failing seed alone with `AFTERGLOW_SEED=… cargo test -p server --test it simulation`, and more seeds
//! with `AFTERGLOW_SEEDS=20000`.

mod calls;
mod check;
mod client;
mod clock;
mod disk;
mod edits;
mod events;
mod herd;
mod journal;
mod people;
mod run;
mod server;
mod wire;

use std::{
    collections::BTreeMap,
    ops::Range,
    panic::AssertUnwindSafe,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use shared::ids::WatchlistId;
use uuid::Uuid;

use self::{
    events::{Events, Kind},
    run::Simulation,
};

const SEEDS: u64 = 4_000;
/// The watchlists that clients open.
const LISTS: [WatchlistId; 2] = [WatchlistId(Uuid::from_u128(7)), WatchlistId(Uuid::from_u128(8))];
/// How often each kind of event occurs at least in a hundred runs.
const EXPECTED: [(Kind, u64); 20] = [
    (Kind::Accepted, 1_000),
    (Kind::ChangedRole, 40),
    (Kind::Forbidden, 60),
    (Kind::Crash, 100),
    (Kind::Deletion, 70),
    (Kind::Restoration, 70),
    (Kind::Creation, 60),
    (Kind::Purge, 2),
    (Kind::KeptWhileDeleted, 25),
    (Kind::UnknownWatchlist, 80),
    (Kind::AbandonedCall, 90),
    (Kind::AcceptedCall, 40),
    (Kind::Herd, 30),
    (Kind::OldRevision, 20),
    (Kind::FullDisk, 40),
    (Kind::WriteToFullDisk, 200),
    (Kind::DoneAndFailed, 30),
    (Kind::BrokenSnapshot, 2),
    (Kind::Pruning, 30),
    (Kind::Upkeep, 5),
];

/// Returns the number in an environment variable, if it is set.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Runs a seed on this thread.
fn run(seed: u64) -> Events {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let result =
        std::panic::catch_unwind(AssertUnwindSafe(|| runtime.unwrap().block_on(Simulation::run(seed))));
    result.unwrap_or_else(|_| panic!("seed {seed} failed; run it alone with AFTERGLOW_SEED={seed}"))
}

/// Runs seeds on two threads. Returns how often each kind of event occurred.
fn run_all(seeds: Range<u64>) -> BTreeMap<Kind, u64> {
    let (next, counts) = (AtomicU64::new(seeds.start), Mutex::<BTreeMap<Kind, u64>>::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let events = run(seed);
                    let mut counts = counts.lock().unwrap();
                    events
                        .counts
                        .into_iter()
                        .for_each(|(kind, count)| *counts.entry(kind).or_default() += count);
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

#[test]
fn all_clients_converge_and_every_accepted_edit_is_applied_once() {
    let count = number("AFTERGLOW_SEEDS").unwrap_or(SEEDS);
    let seeds = number("AFTERGLOW_SEED").map_or(0..count, |seed| seed..seed + 1);
    let runs = seeds.end - seeds.start;
    let counts = run_all(seeds);
    eprintln!("in {runs} runs: {counts:?}");
    for (kind, expected) in EXPECTED.into_iter().filter(|_| runs >= SEEDS) {
        let count = counts.get(&kind).copied().unwrap_or_default();
        assert!(count * 100 >= expected * runs, "{kind:?} occurred only {count} times");
    }
}

#[test]
fn a_seed_always_leads_to_the_same_run() {
    for seed in 0..24 {
        let [first, again] = [run(seed), run(seed)];
        assert_eq!(first.counts, again.counts, "seed {seed}");
        assert_eq!(first.hash(), again.hash(), "seed {seed}");
    }
}
