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

use super::{open::place_of, readers::open_reader};
use crate::journal::{
    form::{error::store, segment::Segment},
    store::JournalError,
};

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
    match verify_all(connection, stopped) {
        Ok(Some(Verified { records, damaged: 0 })) => {
            info!(journal = name, records, "verified the journal; it is undamaged");
        }
        Ok(Some(Verified { damaged, .. })) => {
            error!(journal = name, damaged, "the journal has damaged records; run `afterglow-server check`");
        }
        Ok(None) => {}
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            error!(journal = name, error, "the journal is damaged; run `afterglow-server check`");
        }
    }
}

/// Numbers of records.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verified {
    records: u64,
    damaged: u64,
}

/// Verifies all segments, in steps. Returns `None` if it is stopped before the end.
fn verify_all(connection: &Connection, stopped: &Receiver<()>) -> Result<Option<Verified>, JournalError> {
    let (mut all, mut next) = (Verified::default(), 0);
    loop {
        let Step { verified, last } = verify_step(connection, next)?;
        all.records += verified.records;
        all.damaged += verified.damaged;
        let Some(last) = last else { return Ok(Some(all)) };
        next = last;
        if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return Ok(None);
        }
    }
}

/// What a step has verified.
struct Step {
    verified: Verified,
    /// Number of the last segment; `None` if there is none.
    last: Option<i64>,
}

/// Verifies the segments after a number.
fn verify_step(connection: &Connection, after: i64) -> Result<Step, JournalError> {
    let mut step = Step { verified: Verified::default(), last: None };
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
        step.verified.records += 1;
        // A watchlist may be erased in the meantime.
        let Some(id) = id_of(connection, key)? else { continue };
        if let Err(error) = Segment::read(id, place_of(place)?, &data, sum) {
            error!(watchlist = %id, error = &error as &dyn std::error::Error, "found a damaged record");
            step.verified.damaged += 1;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::params;
    use shared::{
        edit::{Author, Change, Commit},
        ids::{ClientId, EditId, Revision, UserId},
        time::Timestamp,
    };

    use super::*;
    use crate::journal::{
        form::segment::{Place, encode, segment_sum},
        record::{Batch, NewCommit},
        sqlite::file,
    };

    /// Writes records of a number of bytes, of a watchlist that exists and of one that does not.
    fn write(path: &Path, count: u64, bytes: usize) {
        let connection = file::open(path).unwrap().connection;
        let id = WatchlistId(Uuid::from_u128(1));
        let list =
            "INSERT INTO watchlists (key, id, epoch, name, revision, rows) VALUES (1, ?, ?, 'List', 0, 0)";
        connection.execute(list, [id.0.as_bytes(), id.0.as_bytes()]).unwrap();
        for number in 0..count {
            let by = Author {
                user: UserId(Uuid::nil()),
                name: "ann".into(),
                client: ClientId(Uuid::nil()),
                edit: EditId(number + 1),
            };
            let (revision, at) = (Revision(number + 1), Timestamp::default());
            let commit =
                Arc::new(Commit { revision, by, at, changes: vec![Change::rename(&"x".repeat(bytes))] });
            let commits = vec![NewCommit { commit, replaced: Vec::new(), removed: Vec::new() }];
            let batch =
                Batch { expected: Revision(number), commits, name: "List".into(), ..Batch::default() };
            let segment = encode(&batch).remove(0);
            let seq = i64::try_from(number + 1).unwrap();
            let place = Place { seq, before: segment.before, last: segment.last };
            let sum = segment_sum(id, place, &segment.data);
            let insert =
                "INSERT INTO log (seq, watchlist, before, last, data, checksum) VALUES (?, ?, ?, ?, ?, ?)";
            let key = if number == 0 { 9 } else { 1 };
            connection.execute(insert, params![seq, key, seq - 1, seq, segment.data, sum]).unwrap();
        }
    }

    #[test]
    fn all_records_are_verified_in_steps_and_the_damaged_ones_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        write(&path, 5, STEP_BYTES / 2);
        let connection = open_reader(&path).unwrap();
        let step = |after| {
            let Step { verified: Verified { records, damaged }, last } =
                verify_step(&connection, after).unwrap();
            (records, damaged, last)
        };
        assert_eq!((step(0), step(2), step(4)), ((2, 0, Some(2)), (2, 0, Some(4)), (1, 0, Some(5))));
        assert_eq!(step(5), (0, 0, None));
        let (_stop, stopped) = sync_channel(1);
        let verified = verify_all(&connection, &stopped).unwrap();
        assert_eq!(verified, Some(Verified { records: 5, damaged: 0 }));
        file::open(&path)
            .unwrap()
            .connection
            .execute("UPDATE log SET checksum = 0 WHERE seq < 4", [])
            .unwrap();
        let verified = verify_all(&connection, &stopped).unwrap();
        let expected = Verified { records: 5, damaged: 2 };
        assert_eq!(verified, Some(expected), "a record without a watchlist is not verified");
    }

    #[test]
    fn the_verification_ends_when_the_journal_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        write(&path, 2, 10);
        let (stop, stopped) = sync_channel(1);
        drop(stop);
        assert_eq!(verify_all(&open_reader(&path).unwrap(), &stopped).unwrap(), None);
    }

    #[tokio::test]
    async fn a_verification_that_is_stopped_has_closed_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.sqlite");
        let connection = file::open(&path).unwrap().connection;
        let verification = Verification::start(&path).unwrap();
        verification.stop().await;
        connection.close().unwrap();
        // The last connection that is closed removes the write-ahead log.
        assert!(!path.with_extension("sqlite-wal").exists());
        Verification::none().stop().await;
    }
}
