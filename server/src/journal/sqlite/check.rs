//! Check of a whole journal: verifies every checksum, and replays every watchlist from its records.

use std::path::Path;

use futures_util::TryStreamExt;
use shared::{
    ids::{Revision, WatchlistId},
    limits::Limits,
    watchlist::{Watchlist, apply::Mode},
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    error::store,
    file::{APPLICATION_ID, NEWEST_WHOLE, check_header, check_schema},
    record::{ANSWER, COMMIT, PART, checked_answer, read_commit, read_part, read_record},
    upgrade,
};
use crate::journal::{
    record::{Record, Verdict},
    store::JournalError,
};

/// A watchlist whose records are all undamaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedList {
    /// The watchlist as the list of watchlists records it.
    pub record: Record,
    /// Number of kept commits.
    pub commits: u64,
    /// Number of kept answers.
    pub answers: u64,
}

/// Checks a journal's file, which may be in use, without changing it. Returns the undamaged watchlists, and a message
/// for each damaged record.
///
/// # Errors
/// The file cannot be read as a journal of this version.
pub async fn check(file: &Path) -> Result<(Vec<CheckedList>, Vec<String>), JournalError> {
    check_header(file)?;
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(store)?;
    let unreadable = |error: sqlx::Error| {
        JournalError::NotOurs(format!(
            "{} is damaged: {}. Restore a backup with `afterglow-server restore FILE`",
            file.display(),
            sqlite_message(&error)
        ))
    };
    let (id,): (i64,) =
        sqlx::query_as("PRAGMA application_id").fetch_one(&mut connection).await.map_err(unreadable)?;
    if id != APPLICATION_ID {
        return Err(JournalError::NotOurs(format!("{} is not a journal of Afterglow", file.display())));
    }
    check_schema(file, &mut connection).await?;
    let (version,): (i64,) =
        sqlx::query_as("PRAGMA user_version").fetch_one(&mut connection).await.map_err(unreadable)?;
    if version != upgrade::VERSION {
        return Err(JournalError::NotOurs(format!(
            "{} was written by another version of Afterglow: serve it once with this version, or check it with that one",
            file.display()
        )));
    }
    // One transaction, so that every query sees the same state while others write.
    let mut transaction = connection.begin().await.map_err(store)?;
    let structure: Vec<(String,)> = sqlx::query_as("PRAGMA integrity_check(20)")
        .fetch_all(&mut *transaction)
        .await
        .map_err(unreadable)?;
    let (mut undamaged, mut damage) = (Vec::new(), Vec::new());
    damage.extend(structure.into_iter().map(|(result,)| result).filter(|result| result != "ok"));
    let lists =
        sqlx::query("SELECT id, epoch, name, revision, rows, deleted_at FROM watchlists ORDER BY key")
            .fetch_all(&mut *transaction)
            .await
            .map_err(unreadable)?;
    for row in &lists {
        let record = read_record(row)?;
        let (id, name) = (record.id, record.name.clone());
        match check_list(&mut transaction, record).await {
            Ok(list) => undamaged.push(list),
            Err(error) => {
                damage.push(format!("watchlist {id} \u{201c}{name}\u{201d}: {}", error_message(&error)));
            }
        }
    }
    Ok((undamaged, damage))
}

/// Returns SQLite's own message, without the prefix that sqlx adds.
fn sqlite_message(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// Returns the most specific message of an error.
fn error_message(error: &JournalError) -> String {
    match error {
        JournalError::Damaged(message) => message.clone(),
        JournalError::Store(source) => source.to_string(),
        JournalError::NotOurs(_) | JournalError::Refused(_) => error.to_string(),
    }
}

async fn check_list(connection: &mut SqliteConnection, record: Record) -> Result<CheckedList, JournalError> {
    let id = record.id;
    let (mut state, snapshot) = read_state(connection, id).await?;
    let query = format!(
        "SELECT {COMMIT} JOIN watchlists w ON w.key = c.watchlist WHERE w.id = ? ORDER BY c.revision"
    );
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch(&mut *connection);
    let (mut commits, mut last) = (0_u64, None::<Revision>);
    while let Some(row) = rows.try_next().await.map_err(store)? {
        let (commit, _) = read_commit(id, &row)?.checked()?;
        let revision = commit.revision;
        if last.is_some_and(|last| last.next() != revision) || last.is_none() && revision > snapshot.next() {
            let missing = last.unwrap_or(snapshot).next();
            return Err(JournalError::Damaged(format!("revision {missing} is missing")));
        }
        if revision > snapshot {
            state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).map_err(|rejection| {
                JournalError::Damaged(format!("revision {revision} cannot be applied: {rejection}"))
            })?;
        }
        (commits, last) = (commits + 1, Some(revision));
    }
    drop(rows);
    if snapshot > Revision(0) && last.is_none_or(|last| last < snapshot) {
        return Err(JournalError::Damaged(format!(
            "revision {snapshot} has a snapshot, but its commit is missing"
        )));
    }
    let head = last.unwrap_or(snapshot);
    let recorded = (record.revision, &*record.name, record.rows);
    if recorded != (head, &**state.name(), state.rows().len()) {
        return Err(JournalError::Damaged(format!(
            "it is recorded as {:?} with {} rows at revision {}, but its commits give {:?} with {} rows at revision \
             {head}",
            record.name,
            record.rows,
            record.revision,
            state.name(),
            state.rows().len(),
        )));
    }
    let query = format!("SELECT {ANSWER} JOIN watchlists w ON w.key = a.watchlist WHERE w.id = ?");
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch(&mut *connection);
    let mut answers = 0;
    while let Some(row) = rows.try_next().await.map_err(store)? {
        let answer = checked_answer(id, &row)?;
        if let Verdict::Accepted(revision) = answer.verdict
            && revision > head
        {
            let (edit, client) = (answer.edit, answer.sender.client);
            return Err(JournalError::Damaged(format!(
                "edit {edit} of client {client} was accepted as revision {revision}, which is missing"
            )));
        }
        answers += 1;
    }
    drop(rows);
    Ok(CheckedList { record, commits, answers })
}

/// Reads the newest complete snapshot, and its revision.
async fn read_state(
    connection: &mut SqliteConnection,
    id: WatchlistId,
) -> Result<(Watchlist, Revision), JournalError> {
    let query = format!(
        "SELECT {PART} JOIN watchlists w ON w.key = s.watchlist
         WHERE w.id = ?1 AND s.revision = ({NEWEST_WHOLE}) ORDER BY s.part"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch_all(&mut *connection).await;
    let damaged = JournalError::Damaged;
    let mut state = None;
    for row in &rows.map_err(store)? {
        let snapshot = read_part(id, row)?.snapshot;
        let (watchlist, _) = match &mut state {
            Some(state) => state,
            none => {
                let limits = Limits::default().for_stored();
                let watchlist = Watchlist::new(&snapshot.name, snapshot.columns.clone(), &limits);
                none.insert((watchlist.map_err(|error| damaged(error.message))?, snapshot.revision))
            }
        };
        for row in &snapshot.rows {
            row.load_into(watchlist).map_err(|error| damaged(error.message))?;
        }
    }
    state.ok_or_else(|| damaged("it has no complete snapshot".to_owned()))
}
