//! A server in a separate process: its memory use and its address.

#[path = "../tests/it/served.rs"]
mod served;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use server::accounts::TOKEN_FILE;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

use self::served::Served;

pub type Socket = WebSocketStream<TcpStream>;

/// Lets the system choose a free port.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// A server process without a rate limit, which is killed on drop.
pub struct Server {
    pub served: Served,
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
        let mut program = Command::new(env!("CARGO_BIN_EXE_afterglow-server"));
        program.env("AFTERGLOW_EDITS_PER_SECOND", "0").stderr(Stdio::null());
        let served = Served::listen(program, folder, listen);
        let token = fs::read_to_string(folder.join(TOKEN_FILE)).unwrap().trim().to_owned();
        let endpoint = Endpoint { address: served.address.clone(), token };
        Self { served, endpoint }
    }

    pub fn resident_kib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.served.child.id())).unwrap();
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
