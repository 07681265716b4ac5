//! A server as a process of its own, what it costs, and the way to it.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use server::auth::TOKEN_FILE;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

pub type Socket = WebSocketStream<TcpStream>;

/// A server with a data folder of its own.
pub struct Server {
    child: Child,
    way: Way,
    folder: tempfile::TempDir,
}

/// How a server is reached, also once it is another process.
#[derive(Clone)]
pub struct Way {
    address: String,
    token: String,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, address) = spawn(folder.path(), "127.0.0.1:0");
        let token = fs::read_to_string(folder.path().join(TOKEN_FILE)).unwrap().trim().to_owned();
        Self { child, way: Way { address, token }, folder }
    }

    /// User and system time so far, from /proc (in ticks of 10 ms).
    #[allow(dead_code, reason = "each benchmark measures something else")]
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    pub fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// SIGKILL, and a new process on the same folder and port.
    #[allow(dead_code, reason = "each benchmark does something else")]
    pub fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.way.address) = spawn(self.folder.path(), &self.way.address);
    }

    /// The way to it.
    pub fn way(&self) -> &Way {
        &self.way
    }
}

impl Way {
    /// Connects, where the server is there; nothing is said yet.
    pub async fn connect(&self) -> Option<Socket> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", "afterglow.v1.msgpack".parse().unwrap());
        let stream = TcpStream::connect(&self.address).await.ok()?;
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.ok()?;
        Some(socket)
    }
}

fn spawn(folder: &std::path::Path, listen: &str) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_afterglow-server"))
        .args(["serve", "--listen", listen, "--data-dir"])
        .arg(folder)
        .env("AFTERGLOW_EDITS_PER_SECOND", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    (child, address)
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
