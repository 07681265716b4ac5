//! Fan-out: one publisher, 500 subscribers, 2,000 edits of about 100 bytes, each to a cell of its own, each
//! applied, journaled and delivered to all. The server is a process of its own; its CPU time is what the
//! system says.
//!
//! `cargo bench -p server`

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and stops at the first fault"
)]

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use server::auth::TOKEN_FILE;
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
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};
use uuid::Uuid;

const SUBSCRIBERS: u64 = 500;
const EDITS: u64 = 2_000;

type Socket = WebSocketStream<TcpStream>;

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

struct Server {
    child: Child,
    address: String,
    token: String,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_afterglow-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .env("AFTERGLOW_EDITS_PER_SECOND", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        let token = fs::read_to_string(folder.path().join(TOKEN_FILE)).unwrap().trim().to_owned();
        Self { child, address, token, _folder: folder }
    }

    /// User and system time so far, from /proc (in ticks of 10 ms).
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    async fn connect(&self) -> Socket {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", "afterglow.v1.msgpack".parse().unwrap());
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await.unwrap();
        let hello = client::Hello { client: ClientId(Uuid::new_v4()), app: "bench".into() };
        send(&mut socket, &ClientMessage::Hello(hello)).await;
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
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
    let server = Server::start();
    let mut publisher = server.connect().await;
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

    let empty = server.resident_kib();
    let reached = Arc::new(AtomicU64::new(0));
    let done = Arc::new(Semaphore::new(0));
    let last = 1 + edits;
    for _ in 0..SUBSCRIBERS {
        let mut socket = server.connect().await;
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
    let kib_per_connection = (server.resident_kib() - empty) / SUBSCRIBERS as f64;

    let (before, started) = (server.cpu(), Instant::now());
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
    let (took, cpu) = (started.elapsed(), server.cpu() - before);
    Run {
        cpu_micros: cpu.as_secs_f64() * 1e6 / (edits * SUBSCRIBERS) as f64,
        per_second: edits as f64 / took.as_secs_f64(),
        kib_per_connection,
    }
}
