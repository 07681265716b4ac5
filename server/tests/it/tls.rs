//! Encrypted connections.

use rustls::ProtocolVersion;
use serde_json::json;
use server::{
    settings::Settings,
    tls::{Created, create_self_signed},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

use crate::{
    accounts::people::PASSWORD,
    support::{PATIENCE, TestServer},
    tls_client::{NAME, connect_tls, connect_tls_with},
};

/// A server with a certificate for a name.
struct Encrypted {
    server: TestServer,
    created: Created,
    _folder: TempDir,
}

impl Encrypted {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let created =
            create_self_signed(&folder.path().join("tls"), &[NAME.to_owned()], (server::clock::system())())
                .unwrap();
        let (tls_cert, tls_key) = (created.certificate.clone(), created.key.clone());
        let server = TestServer::with(Settings { tls_cert, tls_key, ..Settings::default() }).await;
        assert!(server.running.url.starts_with("https://127.0.0.1:"));
        Self { server, created, _folder: folder }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.server.running.url.strip_prefix("https://").unwrap()).await.unwrap()
    }

    /// Connects as a client that trusts an authority, to a server of a name.
    async fn connect(
        &self,
        authority: &std::path::Path,
        name: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        connect_tls(self.tcp().await, authority, name).await
    }

    /// Sends a request and returns the answer until the connection is closed.
    async fn request(&self, head: &str, body: &str) -> String {
        let mut stream = self.connect(&self.created.authority, NAME).await.unwrap();
        let length = body.len();
        let text =
            format!("{head}\r\nhost: {NAME}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_sockets_are_encrypted_and_the_cookie_is_secure() {
    let desk = Encrypted::start().await;
    let accounts = desk.server.running.accounts();
    accounts.add(&accounts.local_caller(), ("ann", PASSWORD), false, [127, 0, 0, 1].into()).await.unwrap();
    let body = json!({ "name": "ann", "password": PASSWORD }).to_string();
    let answer = desk.request("POST /api/v1/session HTTP/1.1", &body).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("; HttpOnly; SameSite=Strict; Path=/; Secure\r\n"), "{answer}");
    let secret = answer.split("afterglow_session=").nth(1).unwrap().split(';').next().unwrap();
    let stream = desk.connect(&desk.created.authority, NAME).await.unwrap();
    let mut request = format!("wss://{NAME}/ws").into_client_request().unwrap();
    for (name, value) in [
        ("cookie", format!("afterglow_session={secret}")),
        ("sec-websocket-protocol", "afterglow.v1.json".to_owned()),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (_socket, response) = client_async(request, stream).await.unwrap();
    assert_eq!(response.status(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_trust_the_authority_or_expects_another_name_does_not_connect() {
    let (desk, other) = (Encrypted::start().await, Encrypted::start().await);
    assert!(desk.connect(&desk.created.authority, NAME).await.is_ok());
    assert!(desk.connect(&other.created.authority, NAME).await.is_err());
    assert!(desk.connect(&desk.created.authority, "other.example").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_spoken_with_http_1_1_and_nothing_older() {
    let desk = Encrypted::start().await;
    let to = (desk.created.authority.as_path(), NAME);
    for (version, expected) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = connect_tls_with(desk.tcp().await, to, &[version], &["h2", "http/1.1"]).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(expected));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    assert!(connect_tls_with(desk.tcp().await, to, rustls::DEFAULT_VERSIONS, &["h2"]).await.is_err());
    // A hello of TLS 1.1 with one suite is answered by a fatal alert.
    let mut hello = vec![1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x00, 0x2f, 1, 0]);
    let mut stream = desk.tcp().await;
    stream.write_all(&[0x16, 3, 1, 0, 45]).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it ends").unwrap();
    assert_eq!((answer[0], answer[5]), (0x15, 2), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_encrypt_or_never_finish_delay_no_one() {
    let desk = Encrypted::start().await;
    let (started, mut silent) = (std::time::Instant::now(), Vec::new());
    for _ in 0..1_000 {
        let mut stream = desk.tcp().await;
        // The start of a handshake record.
        stream.write_all(&[0x16, 3, 1, 0, 200]).await.unwrap();
        silent.push(stream);
    }
    let mut plain = desk.tcp().await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The connection ends, with an alert or by a reset.
    drop(timeout(PATIENCE, plain.read_to_end(&mut answer)).await.expect("it ends"));
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
    let answer = timeout(PATIENCE, desk.request("GET /healthz HTTP/1.1", "")).await.expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(started.elapsed().as_secs() < 8, "while the others are still connected: they have ten seconds");
    for mut stream in silent {
        let mut rest = Vec::new();
        drop(
            timeout(PATIENCE * 2, stream.read_to_end(&mut rest))
                .await
                .expect("a handshake that never ends is cut"),
        );
    }
}

/// The user of the data folder connects from this machine, as before.
#[tokio::test(flavor = "multi_thread")]
async fn the_local_user_is_served_without_encryption_on_loopback() {
    let desk = Encrypted::start().await;
    let mut client = desk.server.client().await;
    client.greet().await;
    client.create("Desk").await;
    let own = desk.server.bearer();
    for (bearer, status) in [("Bearer x", "401"), (own.as_str(), "200")] {
        let request = format!("GET /api/v1/watchlists HTTP/1.1\r\nauthorization: {bearer}");
        let answer = desk.request(&request, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "encrypted, from this machine: {answer}");
    }
}
