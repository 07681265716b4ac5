//! The journal in SQLite: one file, write-ahead logging, every commit synced.

mod check;
mod prune;
mod record;
mod upgrade;
mod write;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::TryStreamExt;
use shared::{
    edit::Commit,
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
};
use sqlx::{
    Connection, QueryBuilder, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

pub use self::check::{Sound, check};
use self::record::{
    ANSWER, COMMIT, PART, checked_answer, read_commit, read_part, read_record, signed, without_replaced,
};
use crate::data_folder::create_private;

use super::{
    Answer, AnswerRecord, Batch, HistoryFilter, Journal, JournalError, Most, Record, Sender, StoredPart,
};

/// The journal's file in the data folder.
pub const FILE: &str = "journal.sqlite";
/// A backup that is about to become the journal.
pub const RESTORING: &str = "journal.sqlite.new";
/// Stands beside every journal that was ever served.
const TOKEN_FILE: &str = "local.token";
/// Marks the file as ours (`PRAGMA application_id`): "AFGL".
const APPLICATION_ID: i64 = 0x4146_474C;
/// What a reading connection keeps of the file: it reads what was written long ago, and seldom twice.
const READ_CACHE: &str = "-256";
/// The revision of the newest whole snapshot of the watchlist whose id is the first parameter.
const NEWEST_WHOLE: &str = "SELECT max(revision) FROM (
    SELECT revision FROM snapshots WHERE watchlist = (SELECT key FROM watchlists WHERE id = ?1)
    GROUP BY revision HAVING count(*) = max(parts))";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// One writer and a few readers on the file.
#[derive(Debug)]
pub struct SqliteJournal {
    writer: SqlitePool,
    readers: SqlitePool,
    /// A long look through the history keeps no room waiting.
    histories: SqlitePool,
    /// Whether the last write failed: then only one that does not says that the store is ready.
    is_failing: AtomicBool,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, making it where there is none.
    ///
    /// # Errors
    /// The file is not ours, is damaged, or cannot be opened; it is left as it is.
    pub async fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join(FILE);
        if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) && data_dir.join(TOKEN_FILE).exists() {
            return Err(JournalError::NotOurs(format!(
                "{} is empty: it was cut short. Put a backup in its place with `afterglow-server restore FILE`, or \
                 delete it to begin anew",
                path.display()
            )));
        }
        let half_restored = data_dir.join(RESTORING);
        if !path.exists() && half_restored.exists() {
            return Err(JournalError::NotOurs(format!(
                "a backup was being restored as {} when something broke it off: restore it again, or delete {} to \
                 begin anew",
                path.display(),
                half_restored.display()
            )));
        }
        Self::open_file(path).await
    }

    /// Opens a journal by its file, making it where there is none.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_file(path: PathBuf) -> Result<Self, JournalError> {
        check_header(&path)?;
        match create_private(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(store(error)),
            _ => {}
        }
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(store)?
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let damaged = |error: sqlx::Error| {
            JournalError::NotOurs(format!(
                "{} cannot be read as a journal of Afterglow: {error}. Put a backup in its place with `afterglow-server \
                 restore FILE`, or move it away to begin anew",
                path.display()
            ))
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // After a failed COMMIT sqlx still counts a transaction that SQLite has rolled back: such a connection
            // is not used again.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(damaged)?;
        // Empty: new, or left so by a process that died while it made the file.
        let (tables,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM sqlite_schema").fetch_one(&writer).await.map_err(damaged)?;
        if tables == 0 {
            sqlx::raw_sql("PRAGMA application_id = 0x4146474C").execute(&writer).await.map_err(store)?;
        }
        let (id,): (i64,) =
            sqlx::query_as("PRAGMA application_id").fetch_one(&writer).await.map_err(damaged)?;
        if id != APPLICATION_ID {
            return Err(JournalError::NotOurs(format!(
                "{} is not a journal of Afterglow: move it away",
                path.display()
            )));
        }
        MIGRATIONS.run(&writer).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(_) => JournalError::NotOurs(format!(
                "{} was written by a newer Afterglow: use that version",
                path.display()
            )),
            other => JournalError::NotOurs(format!(
                "{} cannot be brought to this version: {other}",
                path.display()
            )),
        })?;
        upgrade::finish(&writer).await?;
        let (sound,): (String,) =
            sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&writer).await.map_err(damaged)?;
        if sound != "ok" {
            return Err(JournalError::NotOurs(format!(
                "{} is damaged ({sound}). `afterglow-server check` says where; put a backup in its place with \
                 `afterglow-server restore FILE`",
                path.display()
            )));
        }
        let readers = async |count| {
            let options = options.clone().read_only(true).pragma("cache_size", READ_CACHE);
            SqlitePoolOptions::new().max_connections(count).connect_with(options).await.map_err(store)
        };
        let (readers, histories) = (readers(3).await?, readers(1).await?);
        Ok(Self { writer, readers, histories, is_failing: AtomicBool::new(false) })
    }

    /// Begins to write: what is done is done whole, once it is committed.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, JournalError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store)
    }

    async fn read_snapshot(&self, id: WatchlistId) -> Result<Vec<StoredPart>, JournalError> {
        let query = format!(
            "SELECT {PART} JOIN watchlists w ON w.key = s.watchlist
             WHERE w.id = ?1 AND s.revision = ({NEWEST_WHOLE}) ORDER BY s.part"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch_all(&self.readers).await;
        rows.map_err(store)?.iter().map(|row| read_part(id, row)).collect()
    }

    async fn read_history(
        &self,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<Vec<Commit>, JournalError> {
        let before = filter.before.map_or(i64::MAX, |revision| signed(revision.0));
        let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMIT}"));
        query.push(" JOIN watchlists w ON w.key = c.watchlist");
        if let Some(row) = filter.row {
            query.push(
                " JOIN touched t ON t.watchlist = c.watchlist AND t.revision = c.revision AND t.row = ",
            );
            query.push_bind(row.0);
        }
        query.push(" WHERE w.id = ").push_bind(id.0).push(" AND c.revision < ").push_bind(before);
        if let Some(user) = filter.user {
            query.push(" AND c.user = ").push_bind(user.0);
        }
        if let Some(column) = &filter.column {
            // A coarse sieve in the store, the exact one below.
            query.push(" AND instr(c.changes, ").push_bind(column.to_string()).push(") > 0");
        }
        query.push(" ORDER BY c.revision DESC");
        let mut rows = query.build().fetch(&self.histories);
        let mut found = Vec::new();
        while found.len() < filter.limit
            && let Some(row) = rows.try_next().await.map_err(store)?
        {
            let (commit, _) = read_commit(id, &row)?.checked()?;
            if commit.changes.iter().any(|change| change.is_about(filter.row, filter.column.as_ref())) {
                found.push(commit);
            }
        }
        Ok(found)
    }

    /// A write that changes nothing but has to reach the disk.
    async fn try_write(&self) -> Result<(), JournalError> {
        let version = format!("PRAGMA user_version = {}", upgrade::VERSION);
        sqlx::raw_sql(sqlx::AssertSqlSafe(version)).execute(&self.writer).await.map_err(store)?;
        self.is_failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Begins a new history of every watchlist: what clients hold is of another.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn renew_epochs(&self) -> Result<(), JournalError> {
        let records = Journal::watchlists(self).await?;
        let mut transaction = self.begin().await?;
        for record in records {
            sqlx::query("UPDATE watchlists SET epoch = ? WHERE id = ?")
                .bind(Epoch(Uuid::new_v4()).0)
                .bind(record.id.0)
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        transaction.commit().await.map_err(store)
    }
}

/// Writes a copy of a journal's file as it is now, which may be in use.
///
/// # Errors
/// The journal cannot be read, or the copy not be written.
pub async fn copy(journal: &Path, file: &Path) -> Result<(), JournalError> {
    let name = file.to_str().ok_or_else(|| store(format!("{} is not a name in UTF-8", file.display())))?;
    let options = SqliteConnectOptions::new().filename(journal).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(store)?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut connection).await.map_err(store)?;
    connection.close().await.map_err(store)
}

impl Journal for SqliteJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(async {
            let rows = sqlx::query(
                "SELECT id, epoch, name, revision, rows, deleted_at FROM watchlists ORDER BY key",
            )
            .fetch_all(&self.readers)
            .await
            .map_err(store)?;
            rows.iter().map(read_record).collect()
        })
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_new(record, first))
    }

    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(async move {
            sqlx::query("UPDATE watchlists SET deleted_at = ? WHERE id = ?")
                .bind(at.map(Timestamp::as_millis))
                .bind(id.0)
                .execute(&self.writer)
                .await
                .map_err(store)?;
            Ok(())
        })
    }

    fn purge(&self, before: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            sqlx::query("DELETE FROM watchlists WHERE deleted_at < ?")
                .bind(before.as_millis())
                .execute(&self.writer)
                .await
                .map_err(store)?;
            Ok(())
        })
    }

    fn snapshot(&self, id: WatchlistId) -> Answer<'_, Vec<StoredPart>> {
        Box::pin(self.read_snapshot(id))
    }

    fn commits(&self, id: WatchlistId, after: Revision, most: Most) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMIT}"));
            query.push(" JOIN watchlists w ON w.key = c.watchlist WHERE w.id = ").push_bind(id.0);
            query.push(" AND c.revision > ").push_bind(signed(after.0)).push(" ORDER BY c.revision LIMIT ");
            query.push_bind(i64::try_from(most.commits).unwrap_or(i64::MAX));
            let mut rows = query.build().fetch(&self.readers);
            let (mut commits, mut bytes) = (Vec::new(), 0);
            while bytes < most.bytes
                && let Some(row) = rows.try_next().await.map_err(store)?
            {
                let (commit, size) = read_commit(id, &row)?.checked()?;
                bytes += size;
                commits.push(without_replaced(commit));
            }
            Ok(commits)
        })
    }

    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, Vec<Commit>> {
        Box::pin(self.read_history(id, filter))
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            let query = format!(
                "SELECT {ANSWER} JOIN watchlists w ON w.key = a.watchlist
                 WHERE w.id = ? AND a.user = ? AND a.client = ? ORDER BY a.edit"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(query))
                .bind(id.0)
                .bind(sender.user.0)
                .bind(sender.client.0)
                .fetch_all(&self.readers)
                .await
                .map_err(store)?;
            rows.iter().map(|row| checked_answer(id, row)).collect()
        })
    }

    fn append(&self, id: WatchlistId, batch: Batch) -> Answer<'_, ()> {
        Box::pin(async move {
            let written = self.write_batch(id, batch).await;
            self.is_failing.store(written.is_err(), Ordering::Relaxed);
            written
        })
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_part(id, part))
    }

    fn prune(&self, id: WatchlistId, before: Timestamp, keep: u64) -> Answer<'_, ()> {
        Box::pin(self.forget_commits(id, before, keep))
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async {
            if self.is_failing.load(Ordering::Relaxed) {
                self.try_write().await?;
            }
            sqlx::query("SELECT count(*) FROM watchlists").fetch_one(&self.readers).await.map_err(store)?;
            Ok(())
        })
    }

    fn close(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {
            self.histories.close().await;
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}

/// A file that is there has to begin as SQLite's do; an empty one is as none.
fn check_header(path: &Path) -> Result<(), JournalError> {
    use std::io::Read;
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let mut start = Vec::new();
    file.take(16).read_to_end(&mut start).map_err(|error| JournalError::Store(error.into()))?;
    if start.is_empty() || start == b"SQLite format 3\0" {
        return Ok(());
    }
    Err(JournalError::NotOurs(format!("{} is not a journal of Afterglow: move it away", path.display())))
}

fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
    JournalError::Store(error.into())
}
