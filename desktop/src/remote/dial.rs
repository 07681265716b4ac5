//! Opens a connection to a server.

use std::{io, time::Duration};

use data_encoding::BASE64;
use rustls::pki_types::ServerName;
use shared::address::Parts;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use ureq::{Proxy, ProxyProtocol, http::Uri};

use super::trust::Trust;

/// Time limit for a connection, of the proxy and of TLS together.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of a proxy's answer in bytes.
const MAX_PROXY_ANSWER: usize = 16 * 1024;

/// A server, with how it is reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its address, as `https://HOST:PORT`.
    pub base: String,
    /// The authorities that its certificate may be from.
    pub trust: Trust,
    /// The proxy of the system, if there is one. Servers on this machine and connections that are not
    /// encrypted do without.
    pub proxy: Option<Proxy>,
}

/// Why no connection was opened: a clause for the person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DialError(pub String);

/// An open connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection to a server.
///
/// # Errors
/// The reason, for the person: which part could not be reached or is not trusted, and what to do.
pub async fn dial(server: &Server) -> Result<Box<dyn Stream>, DialError> {
    let parts = Parts::of(&server.base).map_err(DialError)?;
    let opened = timeout(TIMEOUT, open(server, &parts)).await;
    opened.unwrap_or_else(|_late| {
        Err(DialError(format!("{} does not respond within {} seconds", server.base, TIMEOUT.as_secs())))
    })
}

async fn open(server: &Server, parts: &Parts) -> Result<Box<dyn Stream>, DialError> {
    let (host, port) = (parts.host_name(), parts.port);
    let proxy = server.proxy.as_ref().filter(|proxy| parts.is_encrypted && !is_direct(proxy, parts));
    let stream = match proxy {
        None => connect(&host, port).await.map_err(|error| unreachable(&server.base, &error))?,
        Some(proxy) => through_proxy(proxy, &parts.authority()).await?,
    };
    if !parts.is_encrypted {
        return Ok(Box::new(stream));
    }
    let config = server.trust.config().map_err(DialError)?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_invalid| DialError(format!("{host} cannot be the name of a certificate")))?;
    let tls = TlsConnector::from(config).connect(name, stream).await;
    let tls = tls.map_err(|error| DialError(explain(server, &host, error)))?;
    Ok(Box::new(tls))
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn is_direct(proxy: &Proxy, parts: &Parts) -> bool {
    let uri = Uri::builder().scheme("https").authority(parts.authority()).path_and_query("/").build();
    parts.is_loopback() || uri.is_ok_and(|uri| proxy.is_no_proxy(&uri))
}

fn unreachable(base: &str, error: &io::Error) -> DialError {
    DialError(match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("no server is running at {base}"),
        _ => format!("{base} cannot be reached ({error})"),
    })
}

fn explain(server: &Server, host: &str, error: io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(inner) => server.trust.explain(host, inner),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!(
                "{host} closed the connection instead of encrypting it. Check the address and the network"
            )
        }
        None => format!("no encrypted connection to {host} ({error})"),
    }
}

/// Asks a proxy for a connection.
async fn through_proxy(proxy: &Proxy, authority: &str) -> Result<TcpStream, DialError> {
    let name = format!("{}:{}", proxy.host(), proxy.port());
    if proxy.protocol() != ProxyProtocol::Http {
        return Err(DialError(format!(
            "the proxy {name} is not supported: use one that begins with http://"
        )));
    }
    let failed =
        |error: &dyn std::fmt::Display| DialError(format!("the proxy {name} cannot be used ({error})"));
    let mut stream = connect(proxy.host(), proxy.port()).await.map_err(|error| failed(&error))?;
    let credentials = proxy.username().map(|user| {
        let pair = format!("{user}:{}", proxy.password().unwrap_or_default());
        format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(pair.as_bytes()))
    });
    let head = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{}\r\n",
        credentials.unwrap_or_default()
    );
    stream.write_all(head.as_bytes()).await.map_err(|error| failed(&error))?;
    let mut answer = Vec::new();
    // Byte by byte, because what follows the head belongs to the server.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_PROXY_ANSWER {
            return Err(failed(&"its answer is too long"));
        }
        answer.push(stream.read_u8().await.map_err(|error| failed(&error))?);
    }
    let status = String::from_utf8_lossy(&answer);
    let status = status.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some(code) if code.starts_with('2') => Ok(stream),
        Some("407") => Err(failed(
            &"it asks for a name and a password: set them in HTTPS_PROXY, as http://NAME:PASSWORD@HOST:PORT",
        )),
        _ => Err(failed(&format_args!("it answers {status:?} for {authority}"))),
    }
}
