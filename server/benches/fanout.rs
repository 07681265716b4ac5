//! Fan-out: one publisher, 500 subscribers, 2,000 edits of about 100 bytes, each to a different cell, each
//! applied, journaled and delivered to all, with and without encryption. The server is a separate process;
//! its CPU time is read from the system.
//!
//! `cargo bench -p server --bench fanout`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on any error"
)]
#![expect(unreachable_pub, reason = "a benchmark has no public API")]

mod connection;
mod process;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use shared::{edit::Change, ids::Revision, wire::server::ServerMessage};
use tokio::sync::Semaphore;

use self::{
    connection::{Connection, start},
    process::{ANY_PORT, Server},
};

const SUBSCRIBERS: u64 = 500;
const EDITS: u64 = 2_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{SUBSCRIBERS} subscribers, {EDITS} edits, each journaled and delivered to all");
    println!(
        "{:>6} {:>8} {:>22} {:>12} {:>18}",
        "", "window", "server CPU/delivery", "edits/s", "memory/connection"
    );
    for (is_encrypted, name) in [(false, "plain"), (true, "TLS")] {
        for window in [64, 1] {
            let edits = if window == 1 { EDITS / 4 } else { EDITS };
            let run = runtime.block_on(measure(is_encrypted, window, edits));
            println!(
                "{name:>6} {window:>8} {:>19.3} us {:>12.0} {:>14.1} KiB",
                run.cpu_micros, run.per_second, run.kib_per_connection
            );
        }
    }
}

struct Run {
    cpu_micros: f64,
    per_second: f64,
    kib_per_connection: f64,
}

async fn measure(is_encrypted: bool, window: usize, edits: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut publisher) = start(folder.path(), ANY_PORT, is_encrypted).await;
    let (list, rows) = publisher.create(usize::try_from(EDITS).unwrap()).await;

    let before_connections = server.resident_kib();
    let reached = Arc::new(AtomicU64::new(0));
    let done = Arc::new(Semaphore::new(0));
    let last = Revision(1 + edits);
    for _ in 0..SUBSCRIBERS {
        let mut subscriber = Connection::open(server.endpoint()).await;
        subscriber.subscribe(list).await;
        let (reached, done) = (reached.clone(), done.clone());
        tokio::spawn(async move {
            subscriber.reach(last).await;
            if reached.fetch_add(1, Ordering::Relaxed) + 1 == SUBSCRIBERS {
                done.add_permits(1);
            }
        });
    }
    let kib_per_connection = (server.resident_kib() - before_connections) / SUBSCRIBERS as f64;

    let (before, started) = (cpu(&server), Instant::now());
    let (mut sent, mut answered) = (0, 0);
    while answered < edits {
        while sent < edits && sent - answered < window as u64 {
            let row = rows[usize::try_from(sent).unwrap()];
            let change = Change::set(row, &"price".into(), format!("{sent}.25").as_str().into());
            publisher.edit(list, vec![change]).await;
            sent += 1;
        }
        publisher.find(|message| matches!(message, ServerMessage::Accepted(_)).then_some(())).await;
        answered += 1;
    }
    drop(done.acquire().await.unwrap());
    let (took, cpu) = (started.elapsed(), cpu(&server) - before);
    Run {
        cpu_micros: cpu.as_secs_f64() * 1e6 / (edits * SUBSCRIBERS) as f64,
        per_second: edits as f64 / took.as_secs_f64(),
        kib_per_connection,
    }
}

/// Returns the user and system time so far, from `/proc` in ticks of 10 ms.
fn cpu(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.served.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
