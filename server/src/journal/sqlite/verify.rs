//! Verifies the records of a journal in the background after an unclean stop. Nothing waits for it: a damaged
//! record is found in any case when it is read. It reads a little at a time, so that neither other reads nor
//! checkpoints wait for it.

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension};
use shared::ids::WatchlistId;
use tokio::task::spawn_blocking;
use tracing::{error, info};
use uuid::Uuid;

use super::{error::store, open::place_of, readers::open_reader, segment::Segment};
use crate::journal::store::JournalError;

/// Number of bytes that one step reads.
const STEP_BYTES: usize = 4 << 20;
/// Pause between two steps, in which the disk serves others.
const PAUSE: Duration = Duration::from_millis(50);

/// The thread that verifies, if there is one.
pub(super) struct Verification {
    running: Mutex<Option<Running>>,
}

struct Running {
    /// The thread stops when this is dropped.
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Verification {
    /// Nothing is verified.
    pub(super) fn none() -> Self {
        Self { running: Mutex::default() }
    }

    /// Starts the thread.
    pub(super) fn start(path: &Path) -> Result<Self, JournalError> {
        let (stop, stopped) = sync_channel(1);
        let (connection, name) = (open_reader(path)?, path.display().to_string());
        let thread = Builder::new()
            .name("journal-verify".to_owned())
            .spawn(move || run(&connection, &name, &stopped))
            .map_err(store)?;
        Ok(Self { running: Mutex::new(Some(Running { stop, thread })) })
    }

    /// Stops the thread and waits until its connection is closed.
    pub(super) async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, thread }) = running {
            drop(stop);
            // A thread that panicked has reported it.
            drop(spawn_blocking(move || thread.join()).await);
        }
    }
}

fn run(connection: &Connection, name: &str, stopped: &Receiver<()>) {
    info!(journal = name, "the journal was not closed; verifying its records in the background");
    let (mut next, mut records, mut damaged) = (0, 0_u64, 0_u64);
    loop {
        match verify_step(connection, next) {
            Ok(step) => {
                records += step.records;
                damaged += step.damaged;
                let Some(after) = step.last else { break };
                next = after;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                error!(journal = name, error, "the journal is damaged; run `afterglow-server check`");
                return;
            }
        }
        if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
    if damaged > 0 {
        error!(journal = name, damaged, "the journal has damaged records; run `afterglow-server check`");
    } else {
        info!(journal = name, records, "verified the journal; it is undamaged");
    }
}

/// What a step has verified.
struct Step {
    records: u64,
    damaged: u64,
    /// Number of the last segment; `None` if there is none.
    last: Option<i64>,
}

/// Verifies the segments after a number.
fn verify_step(connection: &Connection, after: i64) -> Result<Step, JournalError> {
    let mut step = Step { records: 0, damaged: 0, last: None };
    let mut select = connection
        .prepare_cached(
            "SELECT seq, before, last, data, checksum, watchlist FROM log WHERE seq > ? ORDER BY seq",
        )
        .map_err(store)?;
    let (mut rows, mut bytes) = (select.query([after]).map_err(store)?, 0);
    while bytes < STEP_BYTES
        && let Some(row) = rows.next().map_err(store)?
    {
        let read = || Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?, row.get(5)?));
        let (place, data, sum, key): (_, Vec<u8>, _, i64) =
            read().map_err(|error: rusqlite::Error| store(error))?;
        bytes += data.len();
        step.last = Some(place.0);
        step.records += 1;
        // A watchlist may be erased in the meantime.
        let Some(id) = id_of(connection, key)? else { continue };
        if let Err(error) = Segment::read(id, place_of(place)?, &data, sum) {
            error!(watchlist = %id, error = &error as &dyn std::error::Error, "found a damaged record");
            step.damaged += 1;
        }
    }
    Ok(step)
}

fn id_of(connection: &Connection, key: i64) -> Result<Option<WatchlistId>, JournalError> {
    connection
        .prepare_cached("SELECT id FROM watchlists WHERE key = ?")
        .and_then(|mut select| select.query_row([key], |row| row.get::<_, [u8; 16]>(0)).optional())
        .map(|id| id.map(|id| WatchlistId(Uuid::from_bytes(id))))
        .map_err(store)
}
