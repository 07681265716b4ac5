//! The embedded server: one of the user's processes serves the data folder, the others join it, and when it
//! ends another takes over.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use server::{
    accounts::read_token,
    client::{Client, verify},
    clock,
    files::write_atomically,
    folder::{DataFolder, ServeOrJoin, serve_or_join},
    settings::Settings,
    start::{Running, start, system_user_name},
};
use shared::{address::Parts, limits::Limits, sheet};
use tokio::runtime::{Handle, Runtime};
use tracing::{info, warn};

use crate::{
    account::Identity,
    net::{Endpoint, Locate, LocateError},
    remote::{Credential, Server, dial, relay},
};

/// The watchlist of a new data folder: the twenty companies of the first realtime grid demonstrations.
const STARTING_LIST: &[u8] = include_bytes!("../../assets/data/companies.csv");
const STARTING_NAME: &str = "Companies";
/// Name of the file that marks the starting list as complete.
const STARTED_FILE: &str = "started";
/// Maximum delay between attempts to join; short, because the server is on this machine.
const MAX_DELAY: Duration = Duration::from_millis(200);
/// Timeout for stopping the embedded server.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves the data folder, or finds the process that does.
#[derive(Clone)]
pub struct Host {
    data_dir: PathBuf,
    serving: Arc<Mutex<Option<Serving>>>,
}

struct Serving {
    running: Running,
    runtime: Runtime,
}

impl Host {
    /// Creates a host for a data folder. It serves nothing until [`Locate::locate`] is called.
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), serving: Arc::default() }
    }

    /// Stops serving, so that another process can take over. Every accepted edit is on disk.
    pub fn stop(&self) {
        let Some(Serving { running, runtime }) = self.serving().take() else { return };
        let stopped = runtime.block_on(async { tokio::time::timeout(STOP_TIMEOUT, running.stop()).await });
        if stopped.is_err() {
            warn!("the embedded server did not stop in time");
        }
        runtime.shutdown_background();
    }

    fn serving(&self) -> std::sync::MutexGuard<'_, Option<Serving>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, folder: DataFolder) -> Result<Endpoint, String> {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = Settings { listen, data_dir: self.data_dir.clone(), ..Settings::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("afterglow-serve")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start the embedded server: {error}"))?;
        let running = runtime.block_on(start(settings, folder, &system_user_name(), clock::system()));
        let running = running.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        let client = Client::new(&format!("http://{}", running.serving.address), running.token());
        info!(base = client.base(), "serving the data folder");
        *self.serving() = Some(Serving { running, runtime });
        self.create_starting_list(&client);
        Ok(endpoint(&client))
    }

    /// Creates the first watchlist of a new data folder with ordinary edits. If a crash interrupts it, the
    /// next start completes it.
    fn create_starting_list(&self, client: &Client) {
        let mark = self.data_dir.join(STARTED_FILE);
        if mark.exists() {
            return;
        }
        let create = || -> anyhow::Result<()> {
            let list = client.list()?.list;
            let table = sheet::csv::read(STARTING_LIST, &Limits::default())?;
            let incomplete = list.iter().find(|summary| &*summary.name == STARTING_NAME && summary.rows == 0);
            match incomplete {
                Some(summary) => client.fill(summary.watchlist, &table)?,
                None if list.is_empty() => drop(client.import(STARTING_NAME, &table)?),
                None => {}
            }
            Ok(write_atomically(&mark, b"")?)
        };
        if let Err(error) = create() {
            warn!("failed to create the starting list: {error:#}");
        }
    }
}

impl Locate for Host {
    fn locate(&mut self) -> Result<Endpoint, LocateError> {
        if let Some(serving) = &*self.serving() {
            let base = format!("http://{}", serving.running.serving.address);
            return Ok(endpoint(&Client::new(&base, serving.running.token())));
        }
        match serve_or_join(&self.data_dir) {
            Ok(ServeOrJoin::Serve(folder)) => Ok(self.serve(folder)?),
            Ok(ServeOrJoin::Join(client)) => Ok(endpoint(&client)),
            Err(error) => Err(LocateError::Failed(format!("{:#}", anyhow::Error::new(error)))),
        }
    }

    fn max_delay(&self) -> Option<Duration> {
        Some(MAX_DELAY)
    }
}

/// Returns where a client connects to.
fn endpoint(client: &Client) -> Endpoint {
    let (base, token) = (client.base().to_owned(), client.token().to_owned());
    Endpoint { server: base.clone(), base, credential: Credential::Token(token) }
}

/// A server outside this user's processes.
pub struct RemoteServer {
    /// The server.
    pub server: Server,
    /// File with a token, read before every attempt to connect. Without one the person signs in.
    pub token_file: Option<PathBuf>,
    /// Whether the person has agreed to join the server.
    pub has_consent: Arc<AtomicBool>,
    /// The credential in use.
    pub identity: Identity,
}

impl RemoteServer {
    fn credential(&self) -> Result<Credential, LocateError> {
        let base = &self.server.base;
        let Some(file) = &self.token_file else {
            let is_ended = self.identity.was_rejected();
            return self.identity.credential(base).ok_or(LocateError::SignIn { is_ended });
        };
        let token = read_token(file)?;
        // A certificate shows who the server is. Without one it has to prove that it knows the token.
        if !Parts::of(base)?.is_encrypted {
            verify(base, &token).map_err(|error| error.to_string())?;
        }
        let credential = Credential::Token(token);
        self.identity.set(Some(credential.clone()));
        Ok(credential)
    }
}

impl Locate for RemoteServer {
    fn locate(&mut self) -> Result<Endpoint, LocateError> {
        let server = self.server.base.clone();
        if !self.has_consent.load(Ordering::Acquire) {
            return Err(LocateError::Failed(format!("waiting for your consent to join {server}")));
        }
        let parts = Parts::of(&server)?;
        let open = || Handle::current().block_on(dial(&self.server)).map_err(|error| error.to_string());
        let credential = match self.credential() {
            Err(LocateError::SignIn { is_ended }) => {
                // The person is not asked for a password for a server that cannot be reached or is not
                // trusted.
                drop(open()?);
                return Err(LocateError::SignIn { is_ended });
            }
            credential => credential?,
        };
        if !parts.is_encrypted {
            return Ok(Endpoint { base: server.clone(), server, credential });
        }
        let stream = open()?;
        let relay = Handle::current().block_on(relay(stream, parts.authority()));
        let base = relay.map_err(|error| error.to_string())?.base;
        Ok(Endpoint { base, server, credential })
    }

    fn reject(&mut self, credential: &Credential) -> bool {
        let is_session = matches!(credential, Credential::Session(_));
        if is_session {
            self.identity.reject(credential);
        }
        is_session
    }
}
