//! The journal in SQLite: one file, write-ahead logging, every commit synced.

use std::{path::Path, str::FromStr, time::Duration};

use futures_util::TryStreamExt;
use shared::{
    edit::{Author, Change, Commit, Rejection},
    ids::{ClientId, EditId, Epoch, Revision, UserId, WatchlistId},
    time::Timestamp,
    wire::codec::Encoding,
};
use sqlx::{
    Connection, QueryBuilder, Row, Sqlite, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use uuid::Uuid;

use super::{
    Answer, AnswerRecord, Batch, HistoryFilter, Journal, JournalError, Most, Record, Sender, StoredPart,
    Verdict,
};

/// The journal's file in the data folder.
pub const FILE: &str = "journal.sqlite";
/// Stands beside every journal that was ever served.
const TOKEN_FILE: &str = "local.token";
/// Marks the file as ours (`PRAGMA application_id`): "AFGL".
const APPLICATION_ID: i64 = 0x4146_474C;
/// Rows of one INSERT; SQLite takes 32,766 parameters in a statement.
const CHUNK: usize = 256;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// One writer and a few readers on the file.
#[derive(Debug)]
pub struct SqliteJournal {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteJournal {
    /// Opens the journal of a data folder, making it where there is none.
    ///
    /// # Errors
    /// The file is not ours, is damaged, or cannot be opened; it is left as it is.
    pub async fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join(FILE);
        check_header(&path)?;
        if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) && data_dir.join(TOKEN_FILE).exists() {
            return Err(JournalError::NotOurs(format!(
                "{} is empty: it was cut short. Restore a backup in its place, or delete it to begin anew",
                path.display()
            )));
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
                "{} cannot be read as a journal of Afterglow: {error}. Move it away, or restore a backup in its place",
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
        let (sound,): (String,) =
            sqlx::query_as("PRAGMA quick_check(1)").fetch_one(&writer).await.map_err(damaged)?;
        if sound != "ok" {
            return Err(JournalError::NotOurs(format!(
                "{} is damaged ({sound}): restore a backup in its place",
                path.display()
            )));
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(3)
            .connect_with(options.read_only(true))
            .await
            .map_err(store)?;
        Ok(Self { writer, readers })
    }

    async fn write_batch(&self, id: WatchlistId, batch: Batch) -> Result<(), JournalError> {
        let mut connection = self.writer.acquire().await.map_err(store)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
        let key = key_of(&mut transaction, id).await?;
        for commits in batch.commits.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO commits (watchlist, revision, at, user, name, client, edit, changes) ",
            );
            insert.push_values(commits, |mut row, commit| {
                row.push_bind(key)
                    .push_bind(signed(commit.revision.0))
                    .push_bind(commit.at.as_millis())
                    .push_bind(commit.by.user.0)
                    .push_bind(commit.by.name.to_string())
                    .push_bind(commit.by.client.0)
                    .push_bind(signed(commit.by.edit.0))
                    .push_bind(serde_json::to_string(&commit.changes).expect("changes are plain data"));
            });
            insert.build().execute(&mut *transaction).await.map_err(store)?;
        }
        for answers in batch.answers.chunks(CHUNK) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO answers (watchlist, user, client, edit, digest, revision, rejection) ",
            );
            insert.push_values(answers, |mut row, answer| {
                let (revision, rejection) = match &answer.verdict {
                    Verdict::Accepted(revision) => (Some(signed(revision.0)), None),
                    Verdict::Rejected(rejection) => {
                        (None, Some(serde_json::to_string(rejection).expect("a rejection is plain data")))
                    }
                };
                row.push_bind(key)
                    .push_bind(answer.sender.user.0)
                    .push_bind(answer.sender.client.0)
                    .push_bind(signed(answer.edit.0))
                    .push_bind(answer.digest.to_vec())
                    .push_bind(revision)
                    .push_bind(rejection);
            });
            insert.build().execute(&mut *transaction).await.map_err(store)?;
        }
        for (sender, below) in &batch.forgotten {
            sqlx::query("DELETE FROM answers WHERE watchlist = ? AND user = ? AND client = ? AND edit < ?")
                .bind(key)
                .bind(sender.user.0)
                .bind(sender.client.0)
                .bind(signed(below.0))
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        if let Some(last) = batch.commits.last() {
            sqlx::query("UPDATE watchlists SET name = ?, revision = ?, rows = ? WHERE key = ?")
                .bind(batch.name.to_string())
                .bind(signed(last.revision.0))
                .bind(i64::try_from(batch.rows).unwrap_or(i64::MAX))
                .bind(key)
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        transaction.commit().await.map_err(store)
    }

    async fn write_part(&self, id: WatchlistId, part: StoredPart) -> Result<(), JournalError> {
        let mut connection = self.writer.acquire().await.map_err(store)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
        let key = key_of(&mut transaction, id).await?;
        insert_part(&mut transaction, key, &part).await?;
        if part.snapshot.part == part.snapshot.parts {
            sqlx::query("DELETE FROM snapshots WHERE watchlist = ? AND revision < ?")
                .bind(key)
                .bind(signed(part.snapshot.revision.0))
                .execute(&mut *transaction)
                .await
                .map_err(store)?;
        }
        transaction.commit().await.map_err(store)
    }

    async fn write_new(&self, record: Record, first: StoredPart) -> Result<(), JournalError> {
        let mut connection = self.writer.acquire().await.map_err(store)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
        let (key,): (i64,) = sqlx::query_as(
            "INSERT INTO watchlists (id, epoch, name, revision, rows) VALUES (?, ?, ?, 0, 0) RETURNING key",
        )
        .bind(record.id.0)
        .bind(record.epoch.0)
        .bind(record.name.to_string())
        .fetch_one(&mut *transaction)
        .await
        .map_err(store)?;
        insert_part(&mut transaction, key, &first).await?;
        transaction.commit().await.map_err(store)
    }

    async fn read_snapshot(&self, id: WatchlistId) -> Result<Vec<StoredPart>, JournalError> {
        let rows = sqlx::query(
            "SELECT s.data, s.parts FROM snapshots s JOIN watchlists w ON w.key = s.watchlist WHERE w.id = ?1 AND s.revision = (
                SELECT max(revision) FROM (
                    SELECT revision FROM snapshots WHERE watchlist = w.key GROUP BY revision HAVING count(*) = max(parts)))
             ORDER BY s.part",
        )
        .bind(id.0)
        .fetch_all(&self.readers)
        .await
        .map_err(store)?;
        rows.iter()
            .map(|row| {
                let data: Vec<u8> = row.try_get(0).map_err(store)?;
                Encoding::MessagePack
                    .decode(&data)
                    .map_err(|error| JournalError::Damaged(format!("a snapshot: {error}")))
            })
            .collect()
    }

    async fn read_history(
        &self,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<Vec<Commit>, JournalError> {
        let before = filter.before.map_or(i64::MAX, |revision| signed(revision.0));
        let mut query = QueryBuilder::<Sqlite>::new(format!("{COMMITS} WHERE w.id = "));
        query.push_bind(id.0).push(" AND c.revision < ").push_bind(before);
        // A coarse sieve in the store, the exact one below.
        let needles = filter.row.map(|row| row.to_string()).into_iter();
        for needle in needles.chain(filter.column.as_ref().map(|key| key.to_string())) {
            query.push(" AND instr(c.changes, ").push_bind(needle).push(") > 0");
        }
        query.push(" ORDER BY c.revision DESC");
        let mut rows = query.build().fetch(&self.readers);
        let mut found = Vec::new();
        while found.len() < filter.limit
            && let Some(row) = rows.try_next().await.map_err(store)?
        {
            let (commit, _) = read_commit(&row)?;
            if commit.changes.iter().any(|change| filter.matches(change)) {
                found.push(commit);
            }
        }
        Ok(found)
    }
}

impl HistoryFilter {
    fn matches(&self, change: &Change) -> bool {
        let row = self.row.is_none() || change.row() == self.row;
        let column = self.column.as_ref().is_none_or(|column| match change {
            Change::Set(set) => set.column == *column,
            Change::Insert(insert) => insert.cells.contains_key(column),
            Change::AddColumn(add) => add.key == *column,
            Change::SetColumn(set) => set.key == *column,
            Change::RemoveColumn(named) | Change::RestoreColumn(named) => named.key == *column,
            Change::Move(_) | Change::Remove(_) | Change::Rename(_) => false,
        });
        row && column
    }
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
            let mut query = QueryBuilder::<Sqlite>::new(format!("{COMMITS} WHERE w.id = "));
            query.push_bind(id.0).push(" AND c.revision > ").push_bind(signed(after.0));
            query.push(" ORDER BY c.revision LIMIT ");
            query.push_bind(i64::try_from(most.commits).unwrap_or(i64::MAX));
            let mut rows = query.build().fetch(&self.readers);
            let (mut commits, mut bytes) = (Vec::new(), 0);
            while bytes < most.bytes
                && let Some(row) = rows.try_next().await.map_err(store)?
            {
                let (commit, size) = read_commit(&row)?;
                bytes += size;
                commits.push(commit);
            }
            Ok(commits)
        })
    }

    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, Vec<Commit>> {
        Box::pin(self.read_history(id, filter))
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT a.edit, a.digest, a.revision, a.rejection FROM answers a JOIN watchlists w ON w.key = a.watchlist
                 WHERE w.id = ? AND a.user = ? AND a.client = ? ORDER BY a.edit",
            )
            .bind(id.0)
            .bind(sender.user.0)
            .bind(sender.client.0)
            .fetch_all(&self.readers)
            .await
            .map_err(store)?;
            rows.iter().map(|row| read_answer(row, sender)).collect()
        })
    }

    fn append(&self, id: WatchlistId, batch: Batch) -> Answer<'_, ()> {
        Box::pin(self.write_batch(id, batch))
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_part(id, part))
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async {
            sqlx::query("SELECT count(*) FROM watchlists").fetch_one(&self.readers).await.map_err(store)?;
            Ok(())
        })
    }

    fn close(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}

const COMMITS: &str = "SELECT c.revision, c.at, c.user, c.name, c.client, c.edit, c.changes
     FROM commits c JOIN watchlists w ON w.key = c.watchlist";

async fn key_of(connection: &mut SqliteConnection, id: WatchlistId) -> Result<i64, JournalError> {
    let found: Option<(i64,)> = sqlx::query_as("SELECT key FROM watchlists WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(store)?;
    found.map(|(key,)| key).ok_or_else(|| JournalError::Damaged(format!("there is no watchlist {id} in it")))
}

async fn insert_part(
    connection: &mut SqliteConnection,
    key: i64,
    part: &StoredPart,
) -> Result<(), JournalError> {
    sqlx::query(
        "INSERT OR REPLACE INTO snapshots (watchlist, revision, part, parts, data) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(key)
    .bind(signed(part.snapshot.revision.0))
    .bind(i64::try_from(part.snapshot.part).unwrap_or(i64::MAX))
    .bind(i64::try_from(part.snapshot.parts).unwrap_or(i64::MAX))
    .bind(Encoding::MessagePack.encode(part))
    .execute(connection)
    .await
    .map_err(store)?;
    Ok(())
}

fn read_record(row: &SqliteRow) -> Result<Record, JournalError> {
    Ok(Record {
        id: WatchlistId(row.try_get::<Uuid, _>(0).map_err(store)?),
        epoch: Epoch(row.try_get::<Uuid, _>(1).map_err(store)?),
        name: row.try_get::<String, _>(2).map_err(store)?.into(),
        revision: Revision(unsigned(row.try_get(3).map_err(store)?)?),
        rows: usize::try_from(unsigned(row.try_get(4).map_err(store)?)?).unwrap_or(usize::MAX),
        deleted_at: row.try_get::<Option<i64>, _>(5).map_err(store)?.map(Timestamp::from_millis),
    })
}

/// A commit, and the bytes that its changes take.
fn read_commit(row: &SqliteRow) -> Result<(Commit, usize), JournalError> {
    let revision = Revision(unsigned(row.try_get(0).map_err(store)?)?);
    let changes: String = row.try_get(6).map_err(store)?;
    let commit = Commit {
        revision,
        at: Timestamp::from_millis(row.try_get(1).map_err(store)?),
        by: Author {
            user: UserId(row.try_get::<Uuid, _>(2).map_err(store)?),
            name: row.try_get::<String, _>(3).map_err(store)?.into(),
            client: ClientId(row.try_get::<Uuid, _>(4).map_err(store)?),
            edit: EditId(unsigned(row.try_get(5).map_err(store)?)?),
        },
        changes: serde_json::from_str(&changes)
            .map_err(|error| JournalError::Damaged(format!("the changes of revision {revision}: {error}")))?,
    };
    Ok((commit, changes.len()))
}

fn read_answer(row: &SqliteRow, sender: Sender) -> Result<AnswerRecord, JournalError> {
    let edit = EditId(unsigned(row.try_get(0).map_err(store)?)?);
    let damaged = |what: String| JournalError::Damaged(format!("the answer to edit {edit}: {what}"));
    let digest: Vec<u8> = row.try_get(1).map_err(store)?;
    let revision: Option<i64> = row.try_get(2).map_err(store)?;
    let rejection: Option<String> = row.try_get(3).map_err(store)?;
    let verdict = match (revision, rejection) {
        (Some(revision), None) => Verdict::Accepted(Revision(unsigned(revision)?)),
        (None, Some(json)) => Verdict::Rejected(
            serde_json::from_str::<Rejection>(&json).map_err(|error| damaged(error.to_string()))?,
        ),
        _ => return Err(damaged("neither accepted nor rejected".to_owned())),
    };
    let digest = <[u8; 16]>::try_from(digest)
        .map_err(|digest| damaged(format!("a digest of {} bytes", digest.len())))?;
    Ok(AnswerRecord { sender, edit, digest, verdict })
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

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> Result<u64, JournalError> {
    u64::try_from(number).map_err(|error| JournalError::Damaged(format!("the number {number}: {error}")))
}

fn store(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> JournalError {
    JournalError::Store(error.into())
}
