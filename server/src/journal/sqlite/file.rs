//! The journal's file: opening it, and telling it from a file of another program or version.

use std::{
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::AtomicBool,
    time::Duration,
};

use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{error::store, upgrade};
use crate::{
    files::{TOKEN_FILE, create_private},
    journal::store::JournalError,
};

/// Name of the journal's file in the data folder.
pub const FILE: &str = "journal.sqlite";
/// Name of the file that holds a backup until it replaces the journal.
pub const RESTORING: &str = "journal.sqlite.new";
/// Marks the file as ours (`PRAGMA application_id`): "AFGL".
pub(super) const APPLICATION_ID: i64 = 0x4146_474C;
/// Page cache of a reading connection (`PRAGMA cache_size`): 256 KiB, as old pages are seldom read twice.
const READ_CACHE: &str = "-256";
/// Selects the revision of the newest complete snapshot. The watchlist's id is the first parameter.
pub(super) const NEWEST_WHOLE: &str = "SELECT max(revision) FROM (
    SELECT revision FROM snapshots WHERE watchlist = (SELECT key FROM watchlists WHERE id = ?1)
    GROUP BY revision HAVING count(*) = max(parts))";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// A journal in one SQLite file, with one writing and a few reading connections.
#[derive(Debug)]
pub struct SqliteJournal {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
    /// Separate from `readers`, so that rooms do not wait while others load their watchlists.
    pub(super) loads: SqlitePool,
    /// Separate from `readers`, so that a long history query does not delay rooms.
    pub(super) histories: SqlitePool,
    /// Whether the last write failed. The journal is ready again only after a successful write.
    pub(super) is_failing: AtomicBool,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, or creates it.
    ///
    /// # Errors
    /// The file is not a journal, is damaged, or cannot be opened. It is not changed.
    pub async fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join(FILE);
        if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) && data_dir.join(TOKEN_FILE).exists() {
            return Err(JournalError::NotOurs(format!(
                "{} is empty: it was truncated. Restore a backup with `afterglow-server restore FILE`, or delete it to \
                 start over",
                path.display()
            )));
        }
        let half_restored = data_dir.join(RESTORING);
        if !path.exists() && half_restored.exists() {
            return Err(JournalError::NotOurs(format!(
                "restoring a backup as {} was interrupted: restore it again, or delete {} to start over",
                path.display(),
                half_restored.display()
            )));
        }
        Self::open_file(path).await
    }

    /// Opens the journal in a file, or creates it.
    ///
    /// # Errors
    /// See [`Self::open`].
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
                "{} cannot be read as a journal of Afterglow: {error}. Restore a backup with \
                 `afterglow-server restore FILE`, or move the file away to start over",
                path.display()
            ))
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            // After a failed COMMIT sqlx still counts a transaction that SQLite has rolled back, so such a connection
            // is discarded.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(damaged)?;
        // The file is empty if it is new, or if a process crashed while creating it.
        let (tables,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM sqlite_schema").fetch_one(&writer).await.map_err(damaged)?;
        check_schema(&path, &mut *writer.acquire().await.map_err(damaged)?).await?;
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
                "{} was written by a newer version of Afterglow: use that version",
                path.display()
            )),
            other => JournalError::NotOurs(format!(
                "{} cannot be migrated to this version: {other}",
                path.display()
            )),
        })?;
        upgrade::finish(&writer).await?;
        let (result,): (String,) =
            sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&writer).await.map_err(damaged)?;
        if result != "ok" {
            return Err(JournalError::NotOurs(format!(
                "{} is damaged ({result}). Run `afterglow-server check` for details, and restore a backup with \
                 `afterglow-server restore FILE`",
                path.display()
            )));
        }
        let readers = async |count| {
            let options = options.clone().read_only(true).pragma("cache_size", READ_CACHE);
            SqlitePoolOptions::new().max_connections(count).connect_with(options).await.map_err(store)
        };
        let (readers, loads, histories) = (readers(2).await?, readers(3).await?, readers(1).await?);
        Ok(Self { writer, readers, loads, histories, is_failing: AtomicBool::new(false) })
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, JournalError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store)
    }
}

/// Checks that a file, if it exists and is not empty, has the header of an SQLite database.
pub(super) fn check_header(path: &Path) -> Result<(), JournalError> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let mut start = Vec::new();
    file.take(16).read_to_end(&mut start).map_err(|error| JournalError::Store(error.into()))?;
    if start.is_empty() || start == b"SQLite format 3\0" {
        return Ok(());
    }
    Err(JournalError::NotOurs(format!("{} is not a journal of Afterglow: move it away", path.display())))
}

/// Checks that the names and the definitions of the tables are UTF-8. sqlx panics otherwise, and then waits forever.
pub(super) async fn check_schema(path: &Path, connection: &mut SqliteConnection) -> Result<(), JournalError> {
    let damaged = || {
        JournalError::NotOurs(format!(
            "{} is damaged (the definition of a table cannot be read). Restore a backup with \
             `afterglow-server restore FILE`",
            path.display()
        ))
    };
    // As bytes: a text that is not UTF-8 is an error of its own.
    let definitions: Vec<(Vec<u8>,)> = sqlx::query_as(
        "SELECT CAST(name || ' ' || tbl_name || ' ' || ifnull(sql, '') AS BLOB) FROM sqlite_schema",
    )
    .fetch_all(connection)
    .await
    .map_err(|_unreadable| damaged())?;
    let is_text = |(text,): &(Vec<u8>,)| std::str::from_utf8(text).is_ok();
    definitions.iter().all(is_text).then_some(()).ok_or_else(damaged)
}
