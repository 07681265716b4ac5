//! A server in a separate process: its memory use and its address.

#[path = "../tests/it/served.rs"]
mod served;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use server::{
    accounts::TOKEN_FILE,
    clock,
    tls::{Created, create_self_signed},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

use tokio_util::either::Either;

use self::served::Served;

pub type Socket = WebSocketStream<Either<TcpStream, TlsStream<TcpStream>>>;

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
    pub token: String,
    /// The cookie of a session, which is used instead of the token.
    pub session: Option<String>,
    /// How connections are encrypted, if they are.
    tls: Option<TlsConnector>,
}

impl Server {
    /// Starts a server for a data folder, whose connections may be encrypted.
    pub fn start(folder: &Path, listen: &str, is_encrypted: bool) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_afterglow-server"));
        program.env("AFTERGLOW_EDITS_PER_SECOND", "0").stderr(Stdio::null());
        let tls = is_encrypted.then(|| {
            let now = (clock::system())();
            let created = create_self_signed(&folder.join("tls"), &["localhost".to_owned()], now).unwrap();
            program.env("AFTERGLOW_TLS_CERT", &created.certificate).env("AFTERGLOW_TLS_KEY", &created.key);
            connector(&created)
        });
        let served = Served::listen(program, folder, listen);
        let token = fs::read_to_string(folder.join(TOKEN_FILE)).unwrap().trim().to_owned();
        let endpoint = Endpoint { address: served.address.clone(), token, session: None, tls };
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

/// Returns what encrypts the connections to a server with a certificate for `localhost`.
fn connector(created: &Created) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&created.authority).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(std::sync::Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Endpoint {
    /// Connects without sending anything. Returns `None` if the server is not reachable.
    pub async fn connect(&self) -> Option<Socket> {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().unwrap();
        let (header, credential) = match &self.session {
            Some(session) => ("cookie", session.clone()),
            None => ("authorization", format!("Bearer {}", self.token)),
        };
        request.headers_mut().insert(header, credential.parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", "afterglow.v1.msgpack".parse().unwrap());
        let stream = TcpStream::connect(&self.address).await.ok()?;
        let stream = match &self.tls {
            None => Either::Left(stream),
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                Either::Right(tls.connect(name, stream).await.ok()?)
            }
        };
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.ok()?;
        Some(socket)
    }
}
