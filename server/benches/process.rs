//! A server in a separate process: its memory use and its address.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use server::accounts::TOKEN_FILE;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

pub type Socket = WebSocketStream<TcpStream>;

/// Lets the system choose a free port.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// A server process, which is killed on drop.
pub struct Server {
    pub child: Child,
    endpoint: Endpoint,
}

/// The address and token of a server, which stay valid after it is restarted.
#[derive(Clone)]
pub struct Endpoint {
    pub address: String,
    token: String,
}

impl Server {
    /// Starts a server for a data folder.
    pub fn start(folder: &Path, listen: &str) -> Self {
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
        let token = fs::read_to_string(folder.join(TOKEN_FILE)).unwrap().trim().to_owned();
        Self { child, endpoint: Endpoint { address, token } }
    }

    pub fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Endpoint {
    /// Connects without sending anything. Returns `None` if the server is not reachable.
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

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
