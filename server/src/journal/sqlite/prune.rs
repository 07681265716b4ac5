//! Pruning: deletes commits that are no longer kept, oldest first.

use shared::{edit::Commit, ids::WatchlistId, time::Timestamp};
use sqlx::SqliteConnection;

use super::{
    error::store,
    file::{NEWEST_WHOLE, SqliteJournal},
    keys::key_of,
    record::{COMMIT, read_commit, signed, touched},
};
use crate::journal::store::JournalError;

/// Maximum number of commits that one transaction deletes.
const PRUNE_CHUNK: i64 = 200;

impl SqliteJournal {
    /// Deletes commits in several transactions, so that edits are written in between.
    pub(super) async fn prune_commits(
        &self,
        id: WatchlistId,
        before: Timestamp,
        keep: u64,
    ) -> Result<(), JournalError> {
        loop {
            // The commit of the newest complete snapshot is kept, because later commits must not have an earlier time.
            // Only the oldest commits are deleted, so only those are read.
            let query = format!(
                "SELECT {COMMIT} JOIN watchlists w ON w.key = c.watchlist
                 WHERE w.id = ?1 AND (c.at < ?3 OR c.revision <= w.revision - ?4) AND c.revision IN (
                     SELECT revision FROM commits WHERE watchlist = (SELECT key FROM watchlists WHERE id = ?1)
                     AND revision < ({NEWEST_WHOLE}) ORDER BY revision LIMIT ?2)
                 ORDER BY c.revision"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(query))
                .bind(id.0)
                .bind(PRUNE_CHUNK)
                .bind(before.as_millis())
                .bind(signed(keep))
                .fetch_all(&self.histories)
                .await
                .map_err(store)?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut transaction = self.begin().await?;
            let key = key_of(&mut transaction, id).await?;
            for row in &rows {
                let commit = read_commit(id, row)?.commit;
                delete_commit(&mut transaction, key, &commit).await?;
            }
            transaction.commit().await.map_err(store)?;
        }
    }
}

/// Deletes a commit and its entries in `touched`.
async fn delete_commit(
    connection: &mut SqliteConnection,
    key: i64,
    commit: &Commit,
) -> Result<(), JournalError> {
    for row in touched(commit) {
        sqlx::query("DELETE FROM touched WHERE watchlist = ? AND row = ? AND revision = ?")
            .bind(key)
            .bind(row.0)
            .bind(signed(commit.revision.0))
            .execute(&mut *connection)
            .await
            .map_err(store)?;
    }
    let deleted = sqlx::query("DELETE FROM commits WHERE watchlist = ? AND revision = ?")
        .bind(key)
        .bind(signed(commit.revision.0))
        .execute(connection)
        .await
        .map_err(store)?;
    match deleted.rows_affected() {
        1 => Ok(()),
        _ => Err(JournalError::Damaged(format!("revision {} cannot be found by its key", commit.revision))),
    }
}
