//! A client that never reads, while a feed goes on: what it costs the server in memory and the others in time, and how
//! soon it is right again once it reads.
//!
//! `cargo bench -p server --bench pressure` takes five minutes.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and stops at the first fault"
)]
#![expect(unreachable_pub, reason = "a benchmark has no outside")]

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
/// Changes of an edit, and how often one is made: 5,000 changes a second.
const CHANGES: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);
const SPAN: Duration = Duration::from_secs(60);
/// Before anything is measured: until the server keeps as many answers as it keeps, and has stored a snapshot.
const WARM_UP: Duration = Duration::from_secs(110);

/// When each edit was sent, by its number, and how long the readers waited for it.
#[derive(Default)]
struct Clock {
    sent: HashMap<u64, Instant>,
    waits: Vec<Duration>,
}

impl Clock {
    /// The median of the waits, and what 99 of 100 were under; they begin anew.
    fn take(&mut self) -> (Duration, Duration) {
        let mut waits = std::mem::take(&mut self.waits);
        waits.sort();
        (waits[waits.len() / 2], waits[waits.len() * 99 / 100])
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, measure());
}

async fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), ANY_PORT);
    let (mut feed, rows) = Desk::found(server.way(), ROWS).await;
    let list = feed.list;
    let clock = Rc::new(RefCell::new(Clock::default()));
    for _ in 0..READERS {
        let mut reader = Desk::new(list);
        reader.connect(server.way()).await;
        let clock = clock.clone();
        tokio::task::spawn_local(async move {
            loop {
                for event in reader.pump(Duration::from_millis(1)).await {
                    let Event::Committed { by, .. } = event else { continue };
                    let Clock { sent, waits } = &mut *clock.borrow_mut();
                    waits.extend(sent.get(&by.edit.0).map(Instant::elapsed));
                }
            }
        });
    }
    publish(&mut feed, &rows, &clock, WARM_UP).await;
    clock.borrow_mut().take();
    let mut span = Span { server: &server, clock: &clock };
    span.measure("without a silent client", publish(&mut feed, &rows, &clock, SPAN)).await;
    let mut silent = Desk::new(list);
    silent.connect(server.way()).await;
    while silent.state().is_none() {
        silent.pump(Duration::from_millis(20)).await;
    }
    span.measure("with one", publish(&mut feed, &rows, &clock, SPAN)).await;
    while feed.state().is_none() {
        feed.pump(Duration::from_millis(1)).await;
    }
    let (truth, reads) = (feed.state(), Instant::now());
    while silent.state() != truth {
        // Whoever has said nothing for forty seconds was dropped, and connects again.
        if !silent.is_connected() {
            silent.connect(server.way()).await;
        }
        silent.pump(Duration::from_millis(1)).await;
        assert!(reads.elapsed() < Duration::from_secs(10), "it is not right again");
    }
    println!("it was right again after {:.2?}", reads.elapsed());
    silent.cut();
    span.measure("without one", publish(&mut feed, &rows, &clock, SPAN)).await;
}

/// What is measured while the feed goes on.
struct Span<'a> {
    server: &'a Server,
    clock: &'a Rc<RefCell<Clock>>,
}

impl Span<'_> {
    async fn measure(&mut self, name: &str, publishing: impl Future<Output = ()>) {
        let (before, started) = (self.server.resident_kib(), Instant::now());
        publishing.await;
        let (grown, long) = (self.server.resident_kib() - before, started.elapsed());
        let (median, late) = self.clock.borrow_mut().take();
        println!(
            "{name:>24}: {median:>9.2?} median, {late:>9.2?} for 99 of 100; the server grew by {grown:.0} KiB in {long:.0?}"
        );
    }
}

async fn publish(feed: &mut Desk, rows: &[RowId], clock: &Rc<RefCell<Clock>>, long: Duration) {
    let end = Instant::now() + long;
    let mut pace = interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut at = 0;
    while Instant::now() < end {
        pace.tick().await;
        let next = (at..at + CHANGES).map(|index| (rows[index % rows.len()], fastrand::u64(..1_000)));
        let edit = feed.set_prices(next);
        at += CHANGES;
        clock.borrow_mut().sent.insert(edit.0, Instant::now());
        feed.pump(Duration::from_millis(1)).await;
    }
}
