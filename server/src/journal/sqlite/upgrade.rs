//! What a migration cannot do in SQL: records of an older journal are given their checksums and noted by row.

use sqlx::{Connection, Row, SqlitePool, sqlite::SqliteQueryResult};
use tracing::warn;
use uuid::Uuid;

use shared::ids::WatchlistId;

use super::{
    record::{ANSWER, COMMIT, part_sum, read_answer, read_commit, signed},
    store,
    write::insert_touched,
};
use crate::journal::JournalError;

/// What `PRAGMA user_version` says once every record is as this program writes it.
pub(super) const VERSION: i64 = 2;
/// Records that are brought up to date in one write.
const AT_ONCE: i64 = 1_000;

/// Brings records up to date, where they are not; a process that dies meanwhile leaves the rest to the next one.
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
            from = commits(writer, key, WatchlistId(id), after).await?;
        }
        let mut from = Some((Uuid::nil(), Uuid::nil(), 0));
        while let Some(after) = from {
            from = answers(writer, key, WatchlistId(id), after).await?;
        }
        while parts(writer, key, WatchlistId(id)).await? > 0 {}
    }
    let version = format!("PRAGMA user_version = {VERSION}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(version)).execute(writer).await.map_err(store)?;
    Ok(())
}

/// A record that cannot be read is left without a checksum: it closes its watchlist when that is opened, and no other.
fn readable<T>(read: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
    match read {
        Err(JournalError::Damaged(what)) => {
            warn!(what, "a record is damaged");
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Brings some commits after a revision up to date; gives the last of them, where there were any.
async fn commits(
    writer: &SqlitePool,
    key: i64,
    id: WatchlistId,
    after: i64,
) -> Result<Option<i64>, JournalError> {
    let mut connection = writer.acquire().await.map_err(store)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
    let query = format!(
        "SELECT {COMMIT} WHERE c.watchlist = ? AND c.revision > ? ORDER BY c.revision LIMIT {AT_ONCE}"
    );
    let rows =
        sqlx::query(sqlx::AssertSqlSafe(query)).bind(key).bind(after).fetch_all(&mut *transaction).await;
    let rows = rows.map_err(store)?;
    let mut last = None;
    for row in &rows {
        last = Some(row.try_get::<i64, _>(0).map_err(store)?);
        let Some(read) = readable(read_commit(id, row))? else { continue };
        sqlx::query("UPDATE commits SET checksum = ? WHERE watchlist = ? AND revision = ?")
            .bind(read.sum)
            .bind(key)
            .bind(signed(read.commit.revision.0))
            .execute(&mut *transaction)
            .await
            .map_err(store)
            .and_then(one)?;
        insert_touched(&mut transaction, key, std::iter::once(&read.commit)).await?;
    }
    transaction.commit().await.map_err(store)?;
    // In a damaged table what comes last may not be the greatest: it never goes back.
    Ok(last.filter(|last| *last > after))
}

/// The same for answers, by sender and edit.
async fn answers(
    writer: &SqlitePool,
    key: i64,
    id: WatchlistId,
    after: (Uuid, Uuid, i64),
) -> Result<Option<(Uuid, Uuid, i64)>, JournalError> {
    let mut connection = writer.acquire().await.map_err(store)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(store)?;
    let query = format!(
        "SELECT {ANSWER} WHERE a.watchlist = ? AND (a.user, a.client, a.edit) > (?, ?, ?)
         ORDER BY a.user, a.client, a.edit LIMIT {AT_ONCE}"
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
        let name = |index| row.try_get::<Uuid, _>(index).map_err(store);
        last = Some((name(0)?, name(1)?, row.try_get::<i64, _>(2).map_err(store)?));
        let Some((record, sum, _)) = readable(read_answer(id, row))? else { continue };
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
        .and_then(one)?;
    }
    transaction.commit().await.map_err(store)?;
    Ok(last.filter(|last| *last > after))
}

async fn parts(writer: &SqlitePool, key: i64, id: WatchlistId) -> Result<usize, JournalError> {
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
        .and_then(one)?;
    Ok(1)
}

/// In a damaged table a record that was read may not be found by its key: without this it would be read for ever.
fn one(done: SqliteQueryResult) -> Result<(), JournalError> {
    match done.rows_affected() {
        1 => Ok(()),
        other => Err(JournalError::Damaged(format!("a record stands {other} times under its key"))),
    }
}
