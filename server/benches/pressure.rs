//! A client that never reads while a feed is running: its cost in memory to the server and in latency to the
//! others, and the time it takes to catch up once it reads.
//!
//! `cargo bench -p server --bench pressure` takes five minutes.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on any error"
)]
#![expect(unreachable_pub, reason = "a benchmark has no public API")]

mod desk;
mod process;

use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

use shared::{ids::RowId, replica::Event};
use tokio::{
    task::LocalSet,
    time::{Instant, MissedTickBehavior, interval},
};

use self::{
    desk::Desk,
    process::{ANY_PORT, Server},
};

const ROWS: usize = 2_000;
const READERS: usize = 4;
/// Changes in each edit, one of which is sent every [`PAUSE`]: 5,000 changes a second.
const CHANGES: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);
const SPAN: Duration = Duration::from_secs(60);
/// Time before the measurement, until the server keeps its maximum number of answers and has stored a
/// snapshot.
const WARM_UP: Duration = Duration::from_secs(110);

/// When each edit was sent, by its number, and the latencies at the readers.
#[derive(Default)]
struct Latencies {
    sent: HashMap<u64, Instant>,
    measured: Vec<Duration>,
}

impl Latencies {
    /// Returns the median and the 99th percentile, and starts over.
    fn take_percentiles(&mut self) -> (Duration, Duration) {
        let mut measured = std::mem::take(&mut self.measured);
        measured.sort();
        (measured[measured.len() / 2], measured[measured.len() * 99 / 100])
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, measure());
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), ANY_PORT, false);
    let (mut feed, rows) = Desk::create(server.endpoint(), ROWS).await;
    let list = feed.list;
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    for _ in 0..READERS {
        let mut reader = Desk::new(list);
        reader.connect(server.endpoint()).await;
        let latencies = latencies.clone();
        tokio::task::spawn_local(async move {
            loop {
                for event in reader.pump(Duration::from_millis(1)).await {
                    let Event::Committed { by, .. } = event else { continue };
                    let Latencies { sent, measured } = &mut *latencies.borrow_mut();
                    measured.extend(sent.get(&by.edit.0).map(Instant::elapsed));
                }
            }
        });
    }
    publish(&mut feed, &rows, &latencies, WARM_UP).await;
    latencies.borrow_mut().take_percentiles();
    let mut span = Span { server: &server, latencies: &latencies };
    span.measure("before the silent client", publish(&mut feed, &rows, &latencies, SPAN)).await;
    let mut silent = Desk::new(list);
    silent.connect(server.endpoint()).await;
    while silent.state().is_none() {
        silent.pump(Duration::from_millis(20)).await;
    }
    span.measure("with the silent client", publish(&mut feed, &rows, &latencies, SPAN)).await;
    while feed.state().is_none() {
        feed.pump(Duration::from_millis(1)).await;
    }
    let (truth, reading_since) = (feed.state(), Instant::now());
    while silent.state() != truth {
        // The server disconnects a client after forty seconds of silence; it reconnects.
        if !silent.is_connected() {
            silent.connect(server.endpoint()).await;
        }
        silent.pump(Duration::from_millis(1)).await;
        assert!(reading_since.elapsed() < Duration::from_secs(10), "it does not catch up");
    }
    println!("it caught up after {:.2?}", reading_since.elapsed());
    silent.cut();
    span.measure("after the silent client", publish(&mut feed, &rows, &latencies, SPAN)).await;
}

/// A span of time to measure while the feed is running.
struct Span<'a> {
    server: &'a Server,
    latencies: &'a Rc<RefCell<Latencies>>,
}

impl Span<'_> {
    async fn measure(&mut self, name: &str, publishing: impl Future<Output = ()>) {
        let (before, started) = (self.server.resident_kib(), Instant::now());
        publishing.await;
        let (growth, duration) = (self.server.resident_kib() - before, started.elapsed());
        let (median, late) = self.latencies.borrow_mut().take_percentiles();
        println!(
            "{name:>24}: median {median:>9.2?}, 99th percentile {late:>9.2?}; the server grew by {growth:.0} KiB in {duration:.0?}"
        );
    }
}

async fn publish(feed: &mut Desk, rows: &[RowId], latencies: &Rc<RefCell<Latencies>>, duration: Duration) {
    let end = Instant::now() + duration;
    let mut pace = interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut at = 0;
    while Instant::now() < end {
        pace.tick().await;
        let next = (at..at + CHANGES).map(|index| (rows[index % rows.len()], fastrand::u64(..1_000)));
        let edit = feed.set_prices(next);
        at += CHANGES;
        latencies.borrow_mut().sent.insert(edit.0, Instant::now());
        feed.pump(Duration::from_millis(1)).await;
    }
}
