//! Pruning: commits that are no longer kept are taken away, the oldest first.

use shared::{edit::Commit, ids::WatchlistId, time::Timestamp};
use sqlx::SqliteConnection;

use super::{
    NEWEST_WHOLE, SqliteJournal,
    record::{COMMIT, read_commit, signed, touched},
    store,
    write::key_of,
};
use crate::journal::JournalError;

/// Commits that are taken away in one write.
const PRUNED_AT_ONCE: i64 = 200;

impl SqliteJournal {
    /// Takes commits away, some at a time, so that edits are written in between.
    pub(super) async fn forget_commits(
        &self,
        id: WatchlistId,
        before: Timestamp,
        keep: u64,
    ) -> Result<(), JournalError> {
        loop {
            // Of the newest whole snapshot the commit itself stays: times go on from it. What goes are the oldest, so no more
            // than those are looked at.
            let query = format!(
                "SELECT {COMMIT} JOIN watchlists w ON w.key = c.watchlist
                 WHERE w.id = ?1 AND (c.at < ?3 OR c.revision <= w.revision - ?4) AND c.revision IN (
                     SELECT revision FROM commits WHERE watchlist = (SELECT key FROM watchlists WHERE id = ?1)
                     AND revision < ({NEWEST_WHOLE}) ORDER BY revision LIMIT ?2)
                 ORDER BY c.revision"
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(query))
                .bind(id.0)
                .bind(PRUNED_AT_ONCE)
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
                forget_commit(&mut transaction, key, &commit).await?;
            }
            transaction.commit().await.map_err(store)?;
        }
    }
}

/// Takes a commit away, and that it is about its rows.
async fn forget_commit(
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
    let gone = sqlx::query("DELETE FROM commits WHERE watchlist = ? AND revision = ?")
        .bind(key)
        .bind(signed(commit.revision.0))
        .execute(connection)
        .await
        .map_err(store)?;
    match gone.rows_affected() {
        1 => Ok(()),
        _ => Err(JournalError::Damaged(format!("revision {} is not found by its key", commit.revision))),
    }
}
