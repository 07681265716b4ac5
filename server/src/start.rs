//! Starting and stopping a server inside a running tokio runtime.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use axum::serve::ListenerExt;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    auth::Auth,
    clock::Clock,
    data_folder::{DataFolder, Serving},
    http::{HttpContext, router},
    hub::Hub,
    journal::{Journal, JournalError, sqlite::SqliteJournal},
    room::RoomContext,
    session::SessionContext,
    settings::Settings,
};

/// Bytes that the system takes of a connection beyond what is on its way.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 64 * 1024;
/// How long connections that do not listen may hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a server does not start. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Without accounts, whoever reaches the port could ask for the token's rights.
    #[error("{0} is not a loopback address: without accounts this server listens on 127.0.0.1 or [::1] only")]
    NotLoopback(SocketAddr),
    /// The port is taken, or not allowed.
    #[error("cannot listen on {address}; choose another port with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The token could not be read or written.
    #[error("the data folder's token cannot be used")]
    Token(#[source] io::Error),
    /// The address could not be written into the data folder.
    #[error("the data folder cannot be written")]
    Announce(#[source] io::Error),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A server that runs.
pub struct Running {
    /// Where it listens and which run it is.
    pub serving: Serving,
    auth: Arc<Auth>,
    stop: CancellationToken,
    tasks: TaskTracker,
    journal: Arc<dyn Journal>,
    folder: DataFolder,
}

/// Starts a server on a data folder that this process has taken.
///
/// # Errors
/// See [`StartError`]; nothing is left behind.
pub async fn start(
    settings: Settings,
    folder: DataFolder,
    user_name: &str,
    clock: Clock,
) -> Result<Running, StartError> {
    if !settings.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(settings.listen));
    }
    // The journal first: one that is empty beside a token was cut short.
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(folder.path()).await?);
    let auth = Arc::new(Auth::open(folder.path(), user_name).map_err(StartError::Token)?);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let settings = Arc::new(settings);
    let context = RoomContext {
        journal: journal.clone(),
        clock: clock.clone(),
        settings: settings.clone(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        renamed: watch::channel(()).0,
    };
    let hub = Arc::new(Hub::open(context).await?);
    let address = settings.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    let serving = Serving { address, instance: Uuid::new_v4() };
    let places = settings.connections.clamp(1, Semaphore::MAX_PERMITS);
    let session = SessionContext { hub, settings, clock, stop: stop.clone() };
    let http = HttpContext {
        session,
        auth: auth.clone(),
        instance: serving.instance,
        tasks: tasks.clone(),
        connections: Arc::new(AtomicU64::new(1)),
        places: Arc::new(Semaphore::new(places)),
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true).and_then(|()| hold_little(stream)) {
            warn!(%error, "a connection keeps the system's own settings");
        }
    });
    let app = router(http);
    let stopped = stop.clone().cancelled_owned();
    tasks.spawn(async move {
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
            warn!(%error, "the listener ended");
        }
    });
    folder.announce(&serving).map_err(StartError::Announce)?;
    info!(%address, "listening");
    Ok(Running { serving, auth, stop, tasks, journal, folder })
}

/// What waits for a slow reader waits here, where it is conflated, and not in the system, where it grows old.
#[cfg(target_os = "linux")]
fn hold_little(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
}

#[cfg(not(target_os = "linux"))]
fn hold_little(_stream: &TcpStream) -> io::Result<()> {
    Ok(())
}

impl Running {
    /// The token of the local account.
    pub fn token(&self) -> &str {
        self.auth.token()
    }

    /// Tells every client, lets what is being written be written, and closes the journal. The data folder is
    /// free for another process afterwards.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(PATIENCE, self.tasks.wait()).await.is_err() {
            warn!("some connections did not end in time");
        }
        self.journal.close().await;
        drop(self.folder);
        info!("stopped");
    }
}
