//! Gives an open connection to the WebSocket client, which can connect only by itself and without TLS: a
//! listener on the loopback interface accepts one connection, which has to name a secret, and passes its
//! bytes on.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tracing::debug;
use uuid::Uuid;

use super::dial::{DialError, Stream};

/// Time limit until the client connects.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit for the head of a request, so that another process keeps the client out for a moment only.
const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum size of the head of a request in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// A connection that waits for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Base of the address that the client connects to, as `http://127.0.0.1:PORT/SECRET`.
    pub base: String,
}

/// Starts a relay, which ends with the connection or if the client does not come.
///
/// # Errors
/// No port is free.
pub async fn relay(stream: Box<dyn Stream>, authority: String) -> Result<Relay, DialError> {
    let failed = |error| DialError(format!("no local port is free ({error})"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let secret = Uuid::new_v4().simple().to_string();
    let base = format!("http://127.0.0.1:{port}/{secret}");
    tokio::spawn(async move {
        let prefix = format!("/{secret}/");
        // Other processes that connect do not know the secret.
        let accepted = timeout(TIMEOUT, accept(&listener, &prefix, &authority)).await;
        drop(listener);
        if let Ok(Some((client, head))) = accepted
            && let Err(error) = pass_on(client, &head, stream).await
        {
            debug!(%error, "the relayed connection ended");
        }
    });
    Ok(Relay { base })
}

/// Waits for the client; returns its connection and the head of its request as the server expects it.
async fn accept(listener: &TcpListener, prefix: &str, authority: &str) -> Option<(TcpStream, Vec<u8>)> {
    loop {
        let (mut client, _) = listener.accept().await.ok()?;
        let head = timeout(HEAD_TIMEOUT, read_head(&mut client)).await.ok().flatten();
        if let Some(head) = head.and_then(|head| rewritten(&head, prefix, authority)) {
            client.set_nodelay(true).ok()?;
            return Some((client, head));
        }
    }
}

async fn read_head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    // Byte by byte, because what follows is passed on as it is.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return None;
        }
        head.push(client.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Removes the secret from a request and names the server as its host. Returns `None` if the secret is not in
/// it.
fn rewritten(head: &str, prefix: &str, authority: &str) -> Option<Vec<u8>> {
    let rest = head.strip_prefix("GET ")?.strip_prefix(prefix)?;
    let (path, headers) = rest.split_once("\r\n")?;
    let is_host = |line: &&str| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("host:"));
    let others = headers.split("\r\n").filter(|line| !is_host(line)).collect::<Vec<_>>().join("\r\n");
    Some(format!("GET /{path}\r\nHost: {authority}\r\n{others}").into_bytes())
}

async fn pass_on(mut client: TcpStream, head: &[u8], mut stream: Box<dyn Stream>) -> std::io::Result<()> {
    stream.write_all(head).await?;
    copy_bidirectional(&mut client, &mut stream).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_passed_on_without_the_secret_and_only_with_it() {
        let head = "GET /s3cret/ws HTTP/1.1\r\nHost: 127.0.0.1:4\r\nCookie: a=b\r\nhost: x\r\n\r\n";
        let passed = rewritten(head, "/s3cret/", "desk:443").unwrap();
        assert_eq!(
            String::from_utf8(passed).unwrap(),
            "GET /ws HTTP/1.1\r\nHost: desk:443\r\nCookie: a=b\r\n\r\n"
        );
        assert_eq!(rewritten(head, "/other/", "desk:443"), None);
        assert_eq!(rewritten("POST /s3cret/ws HTTP/1.1\r\n\r\n", "/s3cret/", "desk:443"), None);
    }

    #[tokio::test]
    async fn a_stranger_on_the_relays_port_gets_nothing_and_does_not_keep_the_client_out() {
        let (near, mut far) = tokio::io::duplex(1024);
        let relay = relay(Box::new(near), "desk:443".to_owned()).await.unwrap();
        let (address, path) = relay.base.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stranger = TcpStream::connect(address).await.unwrap();
        stranger.write_all(b"GET /guess/ws HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(stranger.read(&mut [0; 8]).await.unwrap_or_default(), 0);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(format!("GET /{path}/ws HTTP/1.1\r\n\r\nmore").as_bytes()).await.unwrap();
        let expected = b"GET /ws HTTP/1.1\r\nHost: desk:443\r\n\r\nmore";
        let mut got = vec![0; expected.len()];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, expected);
        far.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        assert!(TcpStream::connect(address).await.is_err(), "one connection only");
    }
}
