//! Accepts connections and serves HTTP on them. The limits on time and number also hold for callers without a
//! token.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_service::Service;
use tracing::{debug, warn};

use super::{
    connection_limit::{ConnectionLimit, Place},
    origin::Connection,
};
use crate::tls::Tls;

/// Maximum time that a client may take to send the head of a request, and that it may be idle between two
/// requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time that a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time without progress while a response is written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum size of a request's head, and of what is queued of a response, in bytes.
const BUFFER: usize = 32 * 1024;
/// Maximum number of bytes that the system queues for a connection beyond those on the network.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 64 * 1024;
/// Time that requests of authenticated callers have to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause after a connection could not be accepted, for instance because no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a listener is for.
#[derive(Clone)]
pub struct Listening {
    /// The certificate, if connections are encrypted.
    pub tls: Option<Arc<Tls>>,
    /// Whether only the user of the data folder connects to it, and no proxy.
    pub is_own: bool,
}

/// Serves every connection until the server stops.
pub async fn serve(
    listener: TcpListener,
    kind: Listening,
    app: Router,
    limit: Arc<ConnectionLimit>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                let place = Arc::new(limit.admit(remote.ip()));
                tasks.spawn(accept(stream, kind.clone(), app.clone(), place, stop.clone()));
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Returns whether a connection failed before it was accepted, which says nothing about the next one.
fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves a connection, encrypted if there is a certificate.
async fn accept(
    stream: TcpStream,
    Listening { tls, is_own }: Listening,
    app: Router,
    place: Arc<Place>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true).and_then(|()| limit_unsent_bytes(&stream)) {
        debug!(%error, "failed to set the options of a connection");
    }
    let (Ok(remote), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let connection =
        Connection { remote: remote.ip(), local: local.ip(), is_encrypted: tls.is_some(), is_own };
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let stream = Box::pin(stream);
    let Some(tls) = tls else { return serve_connection(stream, connection, app, place, stop).await };
    let encrypted = tokio::select! {
        encrypted = timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)) => encrypted,
        () = place.evicted() => return,
        () = stop.cancelled() => return,
    };
    match encrypted {
        // On the heap, so that a plain connection has no room for it.
        Ok(Ok(stream)) => Box::pin(serve_connection(stream, connection, app, place, stop)).await,
        Ok(Err(error)) => debug!(%error, "a TLS handshake failed"),
        Err(_elapsed) => debug!("a TLS handshake took too long"),
    }
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    connection: Connection,
    app: Router,
    place: Arc<Place>,
    stop: CancellationToken,
) {
    let of_request = place.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(of_request.clone());
        request.extensions_mut().insert(connection);
        let response = app.clone().call(request);
        async { Ok::<_, Infallible>(response.await.unwrap_or_else(|never| match never {})) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = pin!(served);
    tokio::select! {
        ended = &mut served => return log_end(ended),
        () = place.evicted() => return,
        () = stop.cancelled() => {}
    }
    if place.is_authenticated() {
        served.as_mut().graceful_shutdown();
        if let Ok(ended) = timeout(STOP_TIMEOUT, served).await {
            log_end(ended);
        }
    }
}

fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        debug!(%error, "a connection failed");
    }
}

/// Limits what the system queues for a slow reader. Data that is queued here is conflated; data in the
/// system's buffer is not.
#[cfg(target_os = "linux")]
fn limit_unsent_bytes(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn limit_unsent_bytes(_stream: &TcpStream) -> io::Result<()> {
    Ok(())
}
