//! The part of a migration that SQL cannot do: adds checksums and the row index to records of an older journal.

use shared::ids::WatchlistId;
use sqlx::{Connection, Row, SqlitePool, sqlite::SqliteQueryResult};
use tracing::warn;
use uuid::Uuid;

use super::{
    error::store,
    keys::insert_touched,
    record::{ANSWER, COMMIT, part_sum, read_answer, read_commit, signed},
};
use crate::journal::store::JournalError;

/// Value of `PRAGMA user_version` once every record has the current format.
pub(super) const VERSION: i64 = 2;
/// Maximum number of records that one transaction upgrades.
const UPGRADE_CHUNK: i64 = 1_000;

/// Upgrades the records that are not in the current format. After a crash the next start continues.
pub(super) async fn finish(writer: &SqlitePool) -> Result<(), JournalError> {
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(writer).await.map_err(store)?;
    if version >= VERSION {
        return Ok(());
    }
    let lists: Vec<(i64, Uuid)> =
        sqlx::query_as("SELECT key, id FROM watchlists").fetch_all(writer).await.map_err(store)?;
    for (key, id) in lists {
        let mut from = Some(0);
        while let Some(after) = from {
            from = upgrade_commits(writer, key, WatchlistId(id), after).await?;
        }
        let mut from = Some((Uuid::nil(), Uuid::nil(), 0));
        while let Some(after) = from {
            from = upgrade_answers(writer, key, WatchlistId(id), after).await?;
        }
        while upgrade_part(writer, key, WatchlistId(id)).await? > 0 {}
    }
    let version = format!("PRAGMA user_version = {VERSION}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(version)).execute(writer).await.map_err(store)?;
    Ok(())
}

/// Returns `None` for a damaged record. It is left without a checksum, so that only its own watchlist cannot be loaded.
fn skip_damaged<T>(read: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
    match read {
        Err(JournalError::Damaged(what)) => {
            warn!(what, "skipped a damaged record");
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Upgrades some commits after a revision. Returns the last of them, if any.
async fn upgrade_commits(
    writer: &SqlitePool,
    key: i64,
    id: WatchlistId,
    after: i64,
) -> Result<Option<i64>, JournalError> {
    let mut connection = writer.acquire().await.map_err(store)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
    let query = format!(
        "SELECT {COMMIT} WHERE c.watchlist = ? AND c.revision > ? ORDER BY c.revision LIMIT {UPGRADE_CHUNK}"
    );
    let rows =
        sqlx::query(sqlx::AssertSqlSafe(query)).bind(key).bind(after).fetch_all(&mut *transaction).await;
    let rows = rows.map_err(store)?;
    let mut last = None;
    for row in &rows {
        last = Some(row.try_get::<i64, _>(0).map_err(store)?);
        let Some(read) = skip_damaged(read_commit(id, row))? else { continue };
        sqlx::query("UPDATE commits SET checksum = ? WHERE watchlist = ? AND revision = ?")
            .bind(read.sum)
            .bind(key)
            .bind(signed(read.commit.revision.0))
            .execute(&mut *transaction)
            .await
            .map_err(store)
            .and_then(expect_one_row)?;
        insert_touched(&mut transaction, key, std::iter::once(&read.commit)).await?;
    }
    transaction.commit().await.map_err(store)?;
    // In a damaged table the last revision may not be the greatest. Never go back, or the loop would not end.
    Ok(last.filter(|last| *last > after))
}

/// Upgrades some answers after a sender and edit. Returns the last of them, if any.
async fn upgrade_answers(
    writer: &SqlitePool,
    key: i64,
    id: WatchlistId,
    after: (Uuid, Uuid, i64),
) -> Result<Option<(Uuid, Uuid, i64)>, JournalError> {
    let mut connection = writer.acquire().await.map_err(store)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
    let query = format!(
        "SELECT {ANSWER} WHERE a.watchlist = ? AND (a.user, a.client, a.edit) > (?, ?, ?)
         ORDER BY a.user, a.client, a.edit LIMIT {UPGRADE_CHUNK}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(key)
        .bind(after.0)
        .bind(after.1)
        .bind(after.2)
        .fetch_all(&mut *transaction)
        .await
        .map_err(store)?;
    let mut last = None;
    for row in &rows {
        let uuid = |index| row.try_get::<Uuid, _>(index).map_err(store);
        last = Some((uuid(0)?, uuid(1)?, row.try_get::<i64, _>(2).map_err(store)?));
        let Some((record, sum, _)) = skip_damaged(read_answer(id, row))? else { continue };
        sqlx::query(
            "UPDATE answers SET checksum = ? WHERE watchlist = ? AND user = ? AND client = ? AND edit = ?",
        )
        .bind(sum)
        .bind(key)
        .bind(record.sender.user.0)
        .bind(record.sender.client.0)
        .bind(signed(record.edit.0))
        .execute(&mut *transaction)
        .await
        .map_err(store)
        .and_then(expect_one_row)?;
    }
    transaction.commit().await.map_err(store)?;
    Ok(last.filter(|last| *last > after))
}

/// Upgrades one part of a snapshot. Returns the number of upgraded parts.
async fn upgrade_part(writer: &SqlitePool, key: i64, id: WatchlistId) -> Result<usize, JournalError> {
    let query =
        "SELECT revision, part, parts, data FROM snapshots WHERE watchlist = ? AND checksum IS NULL LIMIT 1";
    let row = sqlx::query(query).bind(key).fetch_optional(writer).await.map_err(store)?;
    let Some(row) = row else { return Ok(0) };
    let number = |index| row.try_get::<i64, _>(index).map_err(store);
    let (revision, part, parts) = (number(0)?, number(1)?, number(2)?);
    let data: Vec<u8> = row.try_get(3).map_err(store)?;
    sqlx::query("UPDATE snapshots SET checksum = ? WHERE watchlist = ? AND revision = ? AND part = ?")
        .bind(part_sum(id, revision, (part, parts), &data))
        .bind(key)
        .bind(revision)
        .bind(part)
        .execute(writer)
        .await
        .map_err(store)
        .and_then(expect_one_row)?;
    Ok(1)
}

/// Fails unless exactly one row was updated: in a damaged table the key of a row may not find it, and the upgrade would
/// never end.
fn expect_one_row(done: SqliteQueryResult) -> Result<(), JournalError> {
    match done.rows_affected() {
        1 => Ok(()),
        other => Err(JournalError::Damaged(format!("{other} records were found by the key of one"))),
    }
}
