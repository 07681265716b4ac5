//! Starting and stopping a server inside a running tokio runtime.

use std::{
    env, io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    accounts::{Accounts, Lifetimes, LocalAccount, StoreError},
    clock::Clock,
    descriptors,
    folder::{DataFolder, JournalPlaceError, Serving, check_journal_place, set_journal_place},
    http::{Budgets, ConnectionLimit, HttpContext, Listening, MAX_UNAUTHENTICATED, router, serve},
    hub::Hub,
    journal::{
        Journal, JournalError,
        postgres::{self, PostgresJournal},
        sqlite::SqliteJournal,
    },
    room::RoomContext,
    session::SessionContext,
    settings::Settings,
    tls::{Tls, TlsError, TlsFiles},
};

/// Number of files that the server itself has open at most: the journal, its copies, the log.
const OWN_FILES: usize = 64;
/// How long connections that do not close may delay the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Without encryption a server must not be reachable from other machines.
    #[error(
        "{0} is not a loopback address: name a certificate with --tls-cert and --tls-key, or, if everyone on the network may \
         read passwords and prices, use --insecure-lan"
    )]
    NotEncrypted(SocketAddr),
    /// Only one of the two files is named.
    #[error("a certificate needs both --tls-cert and --tls-key")]
    HalfCertificate,
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The port is in use or not allowed.
    #[error("cannot listen on {address}; choose another port with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The token could not be read or written.
    #[error("the data folder's token cannot be used")]
    Token(#[source] io::Error),
    /// The accounts cannot be read.
    #[error("the accounts of the data folder cannot be used")]
    Accounts(#[from] StoreError),
    /// The address could not be written into the data folder.
    #[error("the data folder cannot be written")]
    Announce(#[source] io::Error),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The setting `journal` is no URL of a database.
    #[error(transparent)]
    JournalUrl(postgres::UrlError),
    /// The journal of the data folder is elsewhere.
    #[error(transparent)]
    JournalPlace(#[from] JournalPlaceError),
}

/// A running server.
pub struct Running {
    /// The address for the user of the data folder, and the id of this run.
    pub serving: Serving,
    /// Where clients reach it: `https://` if it has a certificate.
    pub url: String,
    accounts: Arc<Accounts>,
    stop: CancellationToken,
    tasks: TaskTracker,
    journal: Arc<dyn Journal>,
    folder: DataFolder,
}

/// Returns the name of this machine's user, as others see it.
pub fn system_user_name() -> String {
    let name = ["USER", "USERNAME", "LOGNAME"].into_iter().find_map(|variable| env::var(variable).ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "local".to_owned())
}

/// Starts a server on a data folder that this process has locked.
///
/// # Errors
/// See [`StartError`]. Nothing keeps running then.
pub async fn start(
    settings: Settings,
    folder: DataFolder,
    user_name: &str,
    clock: Clock,
) -> Result<Running, StartError> {
    let tls = tls_of(&settings, clock.clone())?;
    if !settings.listen.ip().is_loopback() && tls.is_none() && !settings.insecure_lan {
        return Err(StartError::NotEncrypted(settings.listen));
    }
    // The journal first: an empty one next to a token was truncated.
    let journal = open_journal(&settings, folder.path()).await?;
    let local = LocalAccount::open(folder.path(), user_name).map_err(StartError::Token)?;
    let accounts = Arc::new(Accounts::open(folder.path(), local, lifetimes(&settings), clock.clone())?);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let settings = Arc::new(settings);
    let context = RoomContext {
        journal: journal.clone(),
        clock: clock.clone(),
        settings: settings.clone(),
        tasks: tasks.clone(),
        stop: stop.clone(),
        renamed: watch::channel(0).0,
    };
    let hub = Arc::new(Hub::open(context, accounts.clone()).await?);
    let listener = listen(settings.listen).await?;
    let public = local_address(&listener)?;
    // The user of the data folder connects without encryption, from this machine only.
    let is_own = tls.is_none() && public.ip().is_loopback() && settings.trusted_proxies.is_empty();
    let own = if is_own { None } else { Some(listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?) };
    let address = own.as_ref().map_or(Ok(public), local_address)?;
    let serving = Serving { address, instance: Uuid::new_v4() };
    let limit = Arc::new(ConnectionLimit::new(allowed_connections(settings.connections)));
    let budgets = Arc::new(Budgets::new(&settings));
    let session = SessionContext::new(hub, settings, clock, stop.clone());
    let http = HttpContext {
        session,
        budgets,
        tls: tls.clone(),
        instance: serving.instance,
        tasks: tasks.clone(),
        next_connection: Arc::new(AtomicU64::new(1)),
    };
    let app = router(http);
    if let Some(own) = own {
        tasks.spawn(serve(
            own,
            Listening { tls: None, is_own: true },
            app.clone(),
            limit.clone(),
            tasks.clone(),
            stop.clone(),
        ));
    }
    if let Some(tls) = &tls {
        tasks.spawn(tls.clone().run(stop.clone()));
    }
    let url = format!("{}://{public}", if tls.is_some() { "https" } else { "http" });
    tasks.spawn(serve(listener, Listening { tls, is_own: false }, app, limit, tasks.clone(), stop.clone()));
    tasks.spawn(accounts.clone().run(stop.clone()));
    folder.announce(&serving).map_err(StartError::Announce)?;
    info!(%url, "listening");
    Ok(Running { serving, url, accounts, stop, tasks, journal, folder })
}

/// Opens the journal in the database of the settings, or in the data folder.
async fn open_journal(settings: &Settings, folder: &Path) -> Result<Arc<dyn Journal>, StartError> {
    if settings.journal.is_empty() {
        check_journal_place(folder, None)?;
        return Ok(Arc::new(SqliteJournal::open(folder).await?));
    }
    let database = postgres::place(&settings.journal).map_err(StartError::JournalUrl)?;
    check_journal_place(folder, Some(&database))?;
    let journal = PostgresJournal::open(&settings.journal).await?;
    set_journal_place(folder, &database)?;
    info!(database, "the journal is in PostgreSQL");
    Ok(Arc::new(journal))
}

/// Reads the certificate of the settings, if they name one.
fn tls_of(settings: &Settings, clock: Clock) -> Result<Option<Arc<Tls>>, StartError> {
    let (certificate, key) = (settings.tls_cert.clone(), settings.tls_key.clone());
    match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some(Arc::new(Tls::open(TlsFiles { certificate, key }, clock)?))),
        (true, false) | (false, true) => Err(StartError::HalfCertificate),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    listener.local_addr().map_err(|source| StartError::Listen { address: unknown, source })
}

/// Returns how long sessions last.
fn lifetimes(settings: &Settings) -> Lifetimes {
    let hours = |hours: u32| Duration::from_secs(60 * 60) * hours.max(1);
    let absolute = hours(settings.session_days.saturating_mul(24));
    Lifetimes { idle: hours(settings.session_idle_hours).min(absolute), absolute }
}

/// Returns how many connections may be open, which is fewer than configured if the system does not allow as
/// many files.
fn allowed_connections(configured: usize) -> usize {
    let possible = descriptors::raise_limit().saturating_sub(OWN_FILES + MAX_UNAUTHENTICATED);
    if configured > possible {
        warn!(configured, possible, "the limit of open files allows fewer connections than configured");
    }
    configured.min(possible)
}

impl Running {
    /// Returns the accounts.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Returns the token of the local account.
    pub fn token(&self) -> &str {
        self.accounts.local().token()
    }

    /// Notifies every client, waits for writes to complete, and closes the journal. Another process may lock
    /// the data folder afterwards.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        if timeout(STOP_TIMEOUT, self.tasks.wait()).await.is_err() {
            warn!("some connections did not close in time");
        }
        if timeout(STOP_TIMEOUT, self.journal.close()).await.is_err() {
            warn!("the journal did not close in time");
        }
        drop(self.folder);
        info!("stopped");
    }
}
