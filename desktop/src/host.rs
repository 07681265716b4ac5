//! The embedded default: one of this user's processes serves the data folder from inside itself, the others
//! join it, and when it ends another takes over.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use server::{
    cli::user_name,
    clock,
    data_folder::{DataFolder, FolderError},
    remote::{Remote, read_token},
    settings::Settings,
    start::{Running, start},
};
use shared::{
    csv_table::CsvTable,
    ids::{ClientId, EditId, RowId},
    limits::Limits,
};
use tokio::runtime::Runtime;
use tracing::{info, warn};
use uuid::Uuid;

use crate::net::{Endpoint, Locate};

/// The list that a new data folder starts with. Its twenty companies and figures are those that the first
/// realtime grid demonstrations showed.
const STARTING_LIST: &[u8] = include_bytes!("../../assets/data/companies.csv");
const STARTING_NAME: &str = "Companies";
/// Present once the starting list is whole.
const STARTED_FILE: &str = "started";
/// A process that joins looks again this soon: the server is on this machine.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a process that ends lets its server finish.
const STOPPING: Duration = Duration::from_secs(3);

/// Serves the data folder, or finds who does.
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
    /// For a data folder; nothing happens until it is asked.
    pub fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), serving: Arc::default() }
    }

    /// Stops serving, so that another process can. Every edit that was accepted is on disk.
    pub fn stop(&self) {
        let Some(Serving { running, runtime }) = self.serving().take() else { return };
        let stopped = runtime.block_on(async { tokio::time::timeout(STOPPING, running.stop()).await });
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
            .map_err(|error| format!("the embedded server cannot start: {error}"))?;
        let running = runtime.block_on(start(settings, folder, &user_name(), clock::system()));
        let running = running.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        let endpoint = Endpoint {
            base: format!("http://{}", running.serving.address),
            token: running.token().to_owned(),
        };
        info!(base = endpoint.base, "serving the data folder");
        *self.serving() = Some(Serving { running, runtime });
        self.make_starting_list(&endpoint);
        Ok(endpoint)
    }

    /// Gives a new data folder its first list, on the way that every edit takes. What a crash left half done
    /// is finished at the next start.
    fn make_starting_list(&self, endpoint: &Endpoint) {
        let mark = self.data_dir.join(STARTED_FILE);
        if mark.exists() {
            return;
        }
        let remote = Remote::new(&endpoint.base, &endpoint.token);
        let made = || -> anyhow::Result<()> {
            let list = remote.list()?.list;
            let half_made = list.iter().find(|summary| &*summary.name == STARTING_NAME && summary.rows == 0);
            if list.is_empty() || half_made.is_some() {
                let table = CsvTable::read(STARTING_LIST, &Limits::default())?;
                let id = match half_made {
                    Some(summary) => summary.watchlist,
                    None => remote.create(STARTING_NAME, &table.columns)?,
                };
                let client = ClientId(Uuid::new_v4());
                let inserts = table.inserts(&Limits::default(), || RowId(Uuid::now_v7()));
                for (changes, number) in inserts.iter().zip(1..) {
                    remote.edit(id, client, EditId(number), changes)?;
                }
            }
            Ok(fs::write(&mark, "")?)
        };
        if let Err(error) = made() {
            warn!("the starting list could not be made: {error:#}");
        }
    }
}

impl Locate for Host {
    fn locate(&mut self) -> Result<Endpoint, String> {
        if let Some(serving) = &*self.serving() {
            let base = format!("http://{}", serving.running.serving.address);
            return Ok(Endpoint { base, token: serving.running.token().to_owned() });
        }
        match DataFolder::take(&self.data_dir) {
            Ok(folder) => self.serve(folder),
            Err(FolderError::Served { .. }) => {
                let remote = Remote::of_folder(&self.data_dir);
                let remote = remote.ok_or_else(|| "another window is starting up".to_owned())?;
                Ok(Endpoint { base: remote.base().to_owned(), token: remote.token().to_owned() })
            }
            Err(error) => Err(format!("{:#}", anyhow::Error::new(error))),
        }
    }

    fn longest_delay(&self) -> Option<Duration> {
        Some(LOOK_AGAIN)
    }
}

/// A server that somebody else runs.
pub struct Named {
    /// Its address, as `http://HOST:PORT`.
    pub base: String,
    /// The file with its token, read before every try.
    pub token_file: Option<PathBuf>,
    /// Whether the person has agreed to join it.
    pub agreed: Arc<AtomicBool>,
}

impl Locate for Named {
    fn locate(&mut self) -> Result<Endpoint, String> {
        if !self.agreed.load(Ordering::Acquire) {
            return Err(format!("{} is joined once you agree to it", self.base));
        }
        let token = match &self.token_file {
            Some(file) => read_token(file)?,
            None => {
                return Err(format!(
                    "no token for {} is known: name its file with --token-file, or open an .afterglow file that names it",
                    self.base
                ));
            }
        };
        Ok(Endpoint { base: self.base.clone(), token })
    }
}
