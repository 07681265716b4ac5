//! The journal in SQLite: one file, write-ahead logging, every commit synced.

mod check;
mod error;
mod file;
mod keys;
mod prune;
mod record;
mod upgrade;
mod write;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use futures_util::{StreamExt, TryStreamExt};
use shared::{
    edit::Commit,
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
};
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

pub use self::{
    check::{CheckedList, check},
    file::{FILE, RESTORING, SqliteJournal},
};
use self::{
    error::store,
    file::NEWEST_WHOLE,
    record::{
        ANSWER, COMMIT, PART, checked_answer, read_commit, read_part, read_record, signed, without_replaced,
    },
};

use super::{
    record::{AnswerRecord, Batch, HistoryFilter, ReadLimit, Record, Sender, StoredPart},
    store::{Answer, Journal, JournalError, Parts},
};

impl SqliteJournal {
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
            // Only a prefilter: the exact condition is checked below.
            query.push(" AND instr(c.changes, ").push_bind(column.to_string()).push(") > 0");
        }
        query.push(" ORDER BY c.revision DESC");
        let mut rows = query.build().fetch(&self.histories);
        let mut found = Vec::new();
        while found.len() < filter.limit
            && let Some(row) = rows.try_next().await.map_err(store)?
        {
            let (commit, _) = read_commit(id, &row)?.checked()?;
            if commit.changes.iter().any(|change| change.affects(filter.row, filter.column.as_ref())) {
                found.push(commit);
            }
        }
        Ok(found)
    }

    /// Writes the current schema version again, to check that writes reach the disk.
    async fn try_write(&self) -> Result<(), JournalError> {
        let version = format!("PRAGMA user_version = {}", upgrade::VERSION);
        sqlx::raw_sql(sqlx::AssertSqlSafe(version)).execute(&self.writer).await.map_err(store)?;
        self.is_failing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Starts a new epoch of every watchlist, so that clients discard their copies.
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

/// Writes a consistent copy of a journal's file, which may be in use.
///
/// # Errors
/// The journal cannot be read, or the copy cannot be written.
pub async fn copy(journal: &Path, file: &Path) -> Result<(), JournalError> {
    let name =
        file.to_str().ok_or_else(|| store(format!("the path {} is not valid UTF-8", file.display())))?;
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

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let query = format!(
            "SELECT {PART} JOIN watchlists w ON w.key = s.watchlist
             WHERE w.id = ?1 AND s.revision = ({NEWEST_WHOLE}) ORDER BY s.part"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch(&self.loads);
        rows.map(move |row| row.map_err(store).and_then(|row| read_part(id, &row))).boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COMMIT}"));
            query.push(" JOIN watchlists w ON w.key = c.watchlist WHERE w.id = ").push_bind(id.0);
            query.push(" AND c.revision > ").push_bind(signed(after.0)).push(" ORDER BY c.revision LIMIT ");
            query.push_bind(i64::try_from(limit.commits).unwrap_or(i64::MAX));
            let mut rows = query.build().fetch(&self.readers);
            let (mut commits, mut bytes) = (Vec::new(), 0);
            while bytes < limit.bytes
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

    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(async move {
            let written = self.write_batch(id, &batch).await;
            // A refused batch says nothing about the disk.
            if !matches!(written, Err(JournalError::Refused(_))) {
                self.is_failing.store(written.is_err(), Ordering::Relaxed);
            }
            written
        })
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write_part(id, part))
    }

    fn prune(&self, id: WatchlistId, before: Timestamp, keep: u64) -> Answer<'_, ()> {
        Box::pin(self.prune_commits(id, before, keep))
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
            self.loads.close().await;
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}
