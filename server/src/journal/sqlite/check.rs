//! Looking through a whole journal: every record as it was written, and every watchlist as its records say.

use std::path::Path;

use futures_util::TryStreamExt;
use shared::{
    ids::{Revision, WatchlistId},
    limits::Limits,
    watchlist::{Watchlist, apply::Mode},
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::{
    ANSWER, APPLICATION_ID, COMMIT, NEWEST_WHOLE, PART, check_header, checked_answer, read_commit, read_part,
    read_record, store, upgrade,
};
use crate::journal::{JournalError, Record, Verdict};

/// A watchlist whose records are all sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Which, as it was last written.
    pub record: Record,
    /// The commits that are kept of it.
    pub commits: u64,
    /// The answers.
    pub answers: u64,
}

/// Looks through a journal's file, which may be in use, and changes nothing. Gives what is sound, and what is not in
/// words.
///
/// # Errors
/// The file cannot be read as a journal of this version.
pub async fn check(file: &Path) -> Result<(Vec<Sound>, Vec<String>), JournalError> {
    check_header(file)?;
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(store)?;
    let unreadable = |error: sqlx::Error| {
        JournalError::NotOurs(format!(
            "{} is damaged: {}. Put a backup in its place with `afterglow-server restore FILE`",
            file.display(),
            in_words(&error)
        ))
    };
    let (id,): (i64,) =
        sqlx::query_as("PRAGMA application_id").fetch_one(&mut connection).await.map_err(unreadable)?;
    if id != APPLICATION_ID {
        return Err(JournalError::NotOurs(format!("{} is not a journal of Afterglow", file.display())));
    }
    let (version,): (i64,) =
        sqlx::query_as("PRAGMA user_version").fetch_one(&mut connection).await.map_err(unreadable)?;
    if version != upgrade::VERSION {
        return Err(JournalError::NotOurs(format!(
            "{} was written by another version of Afterglow: serve it once with this one, or use that one",
            file.display()
        )));
    }
    // One view of everything, whatever is written meanwhile.
    let mut view = connection.begin().await.map_err(store)?;
    let structure: Vec<(String,)> =
        sqlx::query_as("PRAGMA integrity_check(20)").fetch_all(&mut *view).await.map_err(unreadable)?;
    let (mut sound, mut wrong) = (Vec::new(), Vec::new());
    wrong.extend(structure.into_iter().map(|(said,)| said).filter(|said| said != "ok"));
    let lists =
        sqlx::query("SELECT id, epoch, name, revision, rows, deleted_at FROM watchlists ORDER BY key")
            .fetch_all(&mut *view)
            .await
            .map_err(unreadable)?;
    for row in &lists {
        let record = read_record(row)?;
        let (id, name) = (record.id, record.name.clone());
        match check_list(&mut view, record).await {
            Ok(list) => sound.push(list),
            Err(error) => wrong.push(format!("watchlist {id} \u{201c}{name}\u{201d}: {}", words(&error))),
        }
    }
    Ok((sound, wrong))
}

/// What SQLite says, without what stands around it.
fn in_words(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |said| said.message().to_owned())
}

/// An error and what caused it.
fn words(error: &JournalError) -> String {
    match error {
        JournalError::Damaged(what) => what.clone(),
        JournalError::Store(source) => source.to_string(),
        JournalError::NotOurs(_) => error.to_string(),
    }
}

async fn check_list(view: &mut SqliteConnection, record: Record) -> Result<Sound, JournalError> {
    let id = record.id;
    let (mut state, snapshot) = read_state(view, id).await?;
    let query = format!(
        "SELECT {COMMIT} JOIN watchlists w ON w.key = c.watchlist WHERE w.id = ? ORDER BY c.revision"
    );
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch(&mut *view);
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
            "revision {snapshot}, of which there is a snapshot, is missing"
        )));
    }
    let head = last.unwrap_or(snapshot);
    let says = (record.revision, &*record.name, record.rows);
    if says != (head, &**state.name(), state.rows().len()) {
        return Err(JournalError::Damaged(format!(
            "it is said to be {:?} with {} rows at revision {}, and its records make {:?} with {} rows at revision {head}",
            record.name,
            record.rows,
            record.revision,
            state.name(),
            state.rows().len(),
        )));
    }
    let query = format!("SELECT {ANSWER} JOIN watchlists w ON w.key = a.watchlist WHERE w.id = ?");
    let mut rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch(&mut *view);
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
    Ok(Sound { record, commits, answers })
}

/// The newest whole snapshot, and its revision.
async fn read_state(
    view: &mut SqliteConnection,
    id: WatchlistId,
) -> Result<(Watchlist, Revision), JournalError> {
    let query = format!(
        "SELECT {PART} JOIN watchlists w ON w.key = s.watchlist
         WHERE w.id = ?1 AND s.revision = ({NEWEST_WHOLE}) ORDER BY s.part"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch_all(&mut *view).await;
    let damaged = JournalError::Damaged;
    let mut state = None;
    for row in &rows.map_err(store)? {
        let snapshot = read_part(id, row)?.snapshot;
        let (watchlist, _) = match &mut state {
            Some(state) => state,
            none => {
                let limits = Limits { columns: usize::MAX, text_bytes: usize::MAX, ..Limits::default() };
                let watchlist = Watchlist::new(&snapshot.name, snapshot.columns.clone(), &limits);
                none.insert((watchlist.map_err(|error| damaged(error.message))?, snapshot.revision))
            }
        };
        for row in &snapshot.rows {
            watchlist.load_wire_row(row).map_err(|error| damaged(error.message))?;
        }
    }
    state.ok_or_else(|| damaged("it has no whole snapshot".to_owned()))
}
