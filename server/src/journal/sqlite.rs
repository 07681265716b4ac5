//! The journal in SQLite: one file with a write-ahead log.
//!
//! Batches are appended to one table in the order in which they are written (`append`), by one thread
//! (`thread`), so that a commit changes few pages however many watchlists and clients there are. Whatever
//! finds commits and answers is derived from it later, in bulk (`fold`): until then it is in memory
//! (`state`).

mod append;
pub(super) mod archive;
mod block;
mod check;
mod checkpoint;
mod expire;
mod file;
mod fold;
mod open;
mod prune;
mod read;
mod readers;
mod schema;
mod snapshot;
mod state;
mod thread;
mod upgrade;
mod verify;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt, future::BoxFuture, stream};
use rusqlite::params;
use shared::{
    edit::Commit,
    ids::{Epoch, Revision, WatchlistId},
    time::{MILLIS_PER_DAY, Timestamp},
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use self::{
    append::Append,
    open::load_state,
    prune::{newest_whole, start_erasing},
    read::Source,
    readers::{Lease, Readers, open_reader},
    snapshot::{read_part, write_part},
    state::{ListState, State},
    thread::WriterHandle,
    verify::Verification,
    writer::{Durability, Writer},
};
pub use self::{
    check::{CheckedList, check},
    file::{FILE, REPLACED, RESTORING},
};
use super::{
    form::{codec, error::store, part::EncodedPart, segment},
    record::{
        AnswerRecord, Batch, HistoryFilter, HistoryPage, ReadLimit, Record, Retention, Sender, StoredPart,
    },
    store::{Answer, Journal, JournalError, Parts},
};

/// A journal in one SQLite file, with one writing and a few reading connections.
pub struct SqliteJournal {
    writer: WriterHandle,
    state: Arc<Mutex<State>>,
    readers: Readers,
    /// Separate from `readers`, so that rooms do not wait while others load their watchlists.
    loads: Readers,
    /// Separate from `readers`, so that history queries do not delay rooms.
    histories: Readers,
    /// Whether the last write failed. The journal is ready again only after a successful write.
    is_failing: Arc<AtomicBool>,
    verification: Verification,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, or creates it.
    ///
    /// # Errors
    /// The file is not a journal, is damaged, or cannot be opened. It is not changed.
    pub async fn open(data_dir: &Path) -> Result<Self, JournalError> {
        Self::open_file(file::path_in(data_dir)?).await
    }

    /// Opens the journal in a file, or creates it. After an unclean stop its records are verified in the
    /// background.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub async fn open_file(path: PathBuf) -> Result<Self, JournalError> {
        spawn_blocking(move || Self::open_blocking(&path)).await.map_err(store)?
    }

    fn open_blocking(path: &Path) -> Result<Self, JournalError> {
        let opened = file::open(path)?;
        let loaded = load_state(&opened.connection)?;
        let (state, is_failing) = (Arc::new(Mutex::new(loaded.state)), Arc::<AtomicBool>::default());
        let writer = Writer::new(opened.connection, (state.clone(), is_failing.clone()), loaded.erasing);
        Ok(Self {
            writer: WriterHandle::start(path, writer)?,
            state,
            readers: Readers::open(path, 2)?,
            loads: Readers::open(path, 3)?,
            histories: Readers::open(path, 2)?,
            is_failing,
            verification: if opened.was_unclean { Verification::start(path)? } else { Verification::none() },
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what a watchlist is read from. A watchlist that does not exist has no records.
    fn source(&self, id: WatchlistId) -> Option<Source> {
        let state = self.state();
        let list = state.list(id)?;
        Some(Source { id, key: list.key, tail: list.tail.iter().cloned().collect() })
    }

    /// Starts a new epoch of every watchlist, so that clients discard their copies.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn renew_epochs(&self) -> Result<(), JournalError> {
        let ids: Vec<WatchlistId> = self.state().records().iter().map(|record| record.id).collect();
        let renew = move |writer: &mut Writer| {
            let epochs: Vec<_> = ids.into_iter().map(|id| (id, Epoch(Uuid::new_v4()))).collect();
            writer.transaction(Durability::Synced, |connection| {
                for (id, epoch) in &epochs {
                    let values = params![epoch.0.as_bytes(), id.0.as_bytes()];
                    connection
                        .execute("UPDATE watchlists SET epoch = ? WHERE id = ?", values)
                        .map_err(store)?;
                }
                Ok(())
            })?;
            let mut state = writer.state();
            for (id, epoch) in epochs {
                state.list_mut(id).into_iter().for_each(|list| list.epoch = epoch);
            }
            Ok(())
        };
        self.writer.now(renew).await
    }

    async fn write_new(&self, record: Record, first: StoredPart) -> Result<(), JournalError> {
        let (part, id) = (EncodedPart::new(record.id, &first), record.id);
        // A watchlist that was purged may still have its record.
        while self.writer.step(move |writer| writer.erase_step(Some(id))).await? {}
        let create = move |writer: &mut Writer| {
            let Record { epoch, name, .. } = record;
            let written = writer.transaction(Durability::Synced, |connection| {
                let values = params![id.0.as_bytes(), epoch.0.as_bytes(), &*name];
                connection
                    .execute(
                        "INSERT INTO watchlists (id, epoch, name, revision, rows) VALUES (?, ?, ?, 0, 0)",
                        values,
                    )
                    .map_err(store)?;
                let key = connection.last_insert_rowid();
                write_part(connection, key, &part)?;
                Ok(key)
            });
            writer.set_failing(written.is_err());
            let (revision, rows, deleted_at, tail) = (Revision(0), 0, None, Default::default());
            let list = ListState { key: written?, epoch, name, revision, rows, deleted_at, tail };
            writer.state().insert(id, list);
            Ok(())
        };
        self.writer.now(create).await
    }

    async fn write_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Result<(), JournalError> {
        let mark = move |writer: &mut Writer| {
            let key = writer.key_of(id)?;
            let written = writer.transaction(Durability::Synced, |connection| {
                let values = params![at.map(Timestamp::as_millis), key];
                connection
                    .execute("UPDATE watchlists SET deleted_at = ? WHERE key = ?", values)
                    .map_err(store)
            });
            writer.set_failing(written.is_err());
            written?;
            writer.state().list_mut(id).into_iter().for_each(|list| list.deleted_at = at);
            Ok(())
        };
        self.writer.now(mark).await
    }

    async fn start_purge(&self, before: Timestamp) -> Result<Vec<WatchlistId>, JournalError> {
        let purge = move |writer: &mut Writer| {
            let records = writer.state().records();
            let is_due = |record: &Record| record.deleted_at.is_some_and(|at| at < before);
            let due: Vec<_> = records
                .iter()
                .filter(|record| is_due(record))
                .filter_map(|record| Some((record.id, writer.state().list(record.id)?.key)))
                .collect();
            if due.is_empty() {
                return Ok(Vec::new());
            }
            writer.transaction(Durability::Synced, |connection| start_erasing(connection, &due))?;
            due.iter().for_each(|(id, _)| writer.state().remove(*id));
            writer.restart_folding();
            writer.erasing.extend(&due);
            Ok(due.into_iter().map(|(id, _)| id).collect())
        };
        self.writer.now(purge).await
    }

    async fn write_part(&self, id: WatchlistId, part: StoredPart) -> Result<(), JournalError> {
        let part = EncodedPart::new(id, &part);
        let is_last = part.is_last();
        let write = move |writer: &mut Writer| {
            let key = writer.key_of(id)?;
            writer.transaction(Durability::WithTheNext, |connection| write_part(connection, key, &part))
        };
        self.writer.step(write).await?;
        while is_last && self.writer.step(move |writer| writer.drop_snapshots_step(id)).await? {}
        Ok(())
    }

    /// Opens the newest complete snapshot at one point in time.
    async fn open_snapshot(&self, id: WatchlistId) -> Result<Option<OpenSnapshot>, JournalError> {
        let Some(key) = self.state().list(id).map(|list| list.key) else { return Ok(None) };
        let lease = self.loads.lease().await?;
        let open = move |connection: &rusqlite::Connection| {
            connection.execute_batch("BEGIN").map_err(store)?;
            newest_whole(connection, key)
        };
        let (lease, revision) = lease.run(open).await?;
        let revision = revision.map(|revision| codec::stored(revision.0));
        Ok(revision.map(|revision| OpenSnapshot { lease, id, key, revision, part: 1 }))
    }

    /// Writes the version again, to check that writes reach the disk.
    async fn try_write(&self) -> Result<(), JournalError> {
        let write = |writer: &mut Writer| {
            let version = schema::VERSION;
            writer.transaction(Durability::Synced, |connection| {
                connection.pragma_update(None, "user_version", version).map_err(store)
            })?;
            writer.set_failing(false);
            Ok(())
        };
        self.writer.now(write).await
    }
}

impl fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteJournal").field("is_failing", &self.is_failing).finish_non_exhaustive()
    }
}

/// A snapshot that is being read.
struct OpenSnapshot {
    lease: Lease,
    id: WatchlistId,
    key: i64,
    revision: i64,
    /// Number of the next part.
    part: i64,
}

impl OpenSnapshot {
    async fn next(self) -> Result<Option<(StoredPart, Self)>, JournalError> {
        let Self { lease, id, key, revision, part } = self;
        let (lease, read) =
            lease.run(move |connection| read_part(connection, (id, key), revision, part)).await?;
        Ok(read.map(|read| (read, Self { lease, id, key, revision, part: part + 1 })))
    }
}

/// Writes a consistent copy of a journal's file, which may be in use.
///
/// # Errors
/// The journal cannot be read, or the copy cannot be written.
pub async fn copy(journal: &Path, file: &Path) -> Result<(), JournalError> {
    let name =
        file.to_str().ok_or_else(|| store(format!("the path {} is not valid UTF-8", file.display())))?;
    let (journal, name) = (journal.to_owned(), name.to_owned());
    let copy = move || {
        let connection = open_reader(&journal)?;
        if schema::pragma(&connection, "auto_vacuum").map_err(store)? == 0 {
            // The journal is from before files could be shortened. This makes it possible for the copy, and
            // fails to do so for the journal, which it must not change.
            drop(connection.pragma_update(None, "auto_vacuum", "INCREMENTAL"));
        }
        connection.execute("VACUUM INTO ?", [name]).map_err(store)?;
        Ok(())
    };
    spawn_blocking(copy).await.map_err(store)?
}

impl Journal for SqliteJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(async { Ok(self.state().records()) })
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_new(record, first))
    }

    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(self.write_deleted(id, at))
    }

    fn purge(&self, before: Timestamp) -> Answer<'_, Vec<WatchlistId>> {
        Box::pin(self.start_purge(before))
    }

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let parts = stream::once(self.open_snapshot(id)).map(|opened| {
            let parts = opened.map(|snapshot| {
                stream::try_unfold(snapshot, async |snapshot| match snapshot {
                    Some(snapshot) => {
                        Ok(OpenSnapshot::next(snapshot).await?.map(|(part, rest)| (part, Some(rest))))
                    }
                    None => Ok(None),
                })
            });
            match parts {
                Ok(parts) => parts.boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            }
        });
        parts.flatten().boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            let Some(source) = self.source(id) else { return Ok(Vec::new()) };
            self.readers.read(move |connection| source.commits(connection, after, limit)).await
        })
    }

    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, HistoryPage> {
        Box::pin(async move {
            let Some(source) = self.source(id) else { return Ok(HistoryPage::default()) };
            self.histories.read(move |connection| source.history(connection, &filter)).await
        })
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            let Some(source) = self.source(id) else { return Ok(Vec::new()) };
            self.readers.read(move |connection| source.answers(connection, sender)).await
        })
    }

    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(async move {
            let (segments, expected) = (segment::encode(&batch), batch.expected);
            let (name, rows) = (batch.name.clone(), batch.rows);
            drop(batch);
            self.writer.append(|reply| Append { id, expected, name, rows, segments, reply }).await
        })
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_part(id, part))
    }

    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()> {
        Box::pin(async move {
            while self.writer.step(move |writer| writer.prune_step(id, retention)).await? {}
            Ok(())
        })
    }

    fn expire_answers(&self, now: Timestamp, days: u32) -> Answer<'_, ()> {
        Box::pin(async move {
            let today = now.as_millis().div_euclid(MILLIS_PER_DAY);
            let start = move |writer: &mut Writer| writer.start_expiry(today, days);
            let mut next = self.writer.step(start).await?;
            while let Some(expiry) = next {
                next = self.writer.step(move |writer| writer.expire_step(expiry)).await?;
            }
            Ok(())
        })
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async {
            if self.is_failing.load(Ordering::Relaxed) {
                self.try_write().await?;
            }
            let count = |connection: &rusqlite::Connection| {
                connection
                    .query_row("SELECT count(*) FROM folded", [], |row| row.get::<_, i64>(0))
                    .map_err(store)
            };
            self.readers.read(count).await.map(drop)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.verification.stop().await;
            tokio::join!(self.histories.close(), self.loads.close(), self.readers.close());
            self.writer.close().await;
        })
    }
}
