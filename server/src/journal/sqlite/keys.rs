//! Keys: the row of a watchlist, and which commits changed which row.

use shared::{edit::Commit, ids::WatchlistId};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::{
    error::store,
    record::{signed, touched},
};
use crate::journal::store::JournalError;

/// Maximum number of rows of one INSERT. SQLite allows 32,766 parameters in a statement.
pub(super) const INSERT_CHUNK: usize = 256;

/// Records which rows the commits change.
pub(super) async fn insert_touched(
    connection: &mut SqliteConnection,
    key: i64,
    commits: impl Iterator<Item = &Commit>,
) -> Result<(), JournalError> {
    let pairs: Vec<_> =
        commits.flat_map(|commit| touched(commit).into_iter().map(|row| (row, commit.revision))).collect();
    for pairs in pairs.chunks(INSERT_CHUNK) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT OR IGNORE INTO touched (watchlist, row, revision) ");
        insert.push_values(pairs, |mut values, (row, revision)| {
            values.push_bind(key).push_bind(row.0).push_bind(signed(revision.0));
        });
        insert.build().execute(&mut *connection).await.map_err(store)?;
    }
    Ok(())
}

pub(super) async fn key_of(connection: &mut SqliteConnection, id: WatchlistId) -> Result<i64, JournalError> {
    let found: Option<(i64,)> = sqlx::query_as("SELECT key FROM watchlists WHERE id = ?")
        .bind(id.0)
        .fetch_optional(connection)
        .await
        .map_err(store)?;
    found.map(|(key,)| key).ok_or_else(|| JournalError::Damaged(format!("watchlist {id} does not exist")))
}
