//! Fan-out: one publisher, 500 subscribers, 2,000 edits of about 100 bytes, each to a different cell, each
//! applied, journaled and delivered to all. The server is a separate process; its CPU time is read from the
//! system.
//!
//! `cargo bench -p server --bench fanout`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its results and panics on any error"
)]
#![expect(unreachable_pub, reason = "a benchmark has no public API")]

mod process;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, RequestId, RowId, WatchlistId},
    position::Position,
    wire::{
        client::{self, ClientMessage},
        codec::Encoding,
        server::ServerMessage,
    },
};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use self::process::{ANY_PORT, Server, Socket};

const SUBSCRIBERS: u64 = 500;
const EDITS: u64 = 2_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("{SUBSCRIBERS} subscribers, {EDITS} edits, each journaled and delivered to all");
    println!("{:>8} {:>22} {:>12} {:>18}", "window", "server CPU/delivery", "edits/s", "memory/connection");
    for window in [64, 1] {
        let edits = if window == 1 { EDITS / 4 } else { EDITS };
        let run = runtime.block_on(measure(window, edits));
        println!(
            "{window:>8} {:>19.3} us {:>12.0} {:>14.1} KiB",
            run.cpu_micros, run.per_second, run.kib_per_connection
        );
    }
}

struct Run {
    cpu_micros: f64,
    per_second: f64,
    kib_per_connection: f64,
}

async fn connect(server: &Server) -> Socket {
    let mut socket = server.endpoint().connect().await.unwrap();
    let hello = client::Hello { client: ClientId(Uuid::new_v4()), app: "bench".into() };
    send(&mut socket, &ClientMessage::Hello(hello)).await;
    socket
}

async fn send(socket: &mut Socket, message: &ClientMessage) {
    socket.send(Message::binary(Encoding::MessagePack.encode(message))).await.unwrap();
}

fn edit(watchlist: WatchlistId, number: u64, changes: Vec<Change>) -> ClientMessage {
    ClientMessage::Edit(client::Edit { watchlist, edit: EditId(number), changes })
}

async fn next(socket: &mut Socket) -> ServerMessage {
    loop {
        if let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() {
            return Encoding::MessagePack.decode_server(&bytes).unwrap();
        }
    }
}

async fn measure(window: usize, edits: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), ANY_PORT);
    let mut publisher = connect(&server).await;
    let list = WatchlistId(Uuid::now_v7());
    let create =
        client::Create { request: RequestId(1), watchlist: Some(list), name: "Bench".into(), columns: None };
    send(&mut publisher, &ClientMessage::Create(create)).await;
    while !matches!(next(&mut publisher).await, ServerMessage::Created(_)) {}
    let rows: Vec<RowId> = (0..EDITS).map(|_| RowId(Uuid::now_v7())).collect();
    let positions = Position::between(None, None, rows.len()).unwrap();
    let inserts =
        rows.iter().zip(&positions).map(|(row, position)| Change::insert(*row, position, BTreeMap::new()));
    send(&mut publisher, &edit(list, 1, inserts.collect())).await;
    while !matches!(next(&mut publisher).await, ServerMessage::Accepted(_)) {}

    let before_connections = server.resident_kib();
    let reached = Arc::new(AtomicU64::new(0));
    let done = Arc::new(Semaphore::new(0));
    let last = 1 + edits;
    for _ in 0..SUBSCRIBERS {
        let mut socket = connect(&server).await;
        send(&mut socket, &ClientMessage::Open(client::Open { watchlist: list, at: None })).await;
        loop {
            if let ServerMessage::Snapshot(part) = next(&mut socket).await
                && part.part == part.parts
            {
                break;
            }
        }
        let (reached, done) = (reached.clone(), done.clone());
        tokio::spawn(async move {
            loop {
                if let ServerMessage::Changes(changes) = next(&mut socket).await
                    && changes.to.0 == last
                {
                    if reached.fetch_add(1, Ordering::Relaxed) + 1 == SUBSCRIBERS {
                        done.add_permits(1);
                    }
                    return;
                }
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
            send(&mut publisher, &edit(list, 2 + sent, vec![change])).await;
            sent += 1;
        }
        if let ServerMessage::Accepted(_) = next(&mut publisher).await {
            answered += 1;
        }
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
