//! Check of a whole journal: verifies every checksum, and replays every watchlist from its records.

use std::path::Path;

use rusqlite::Connection;
use shared::{
    ids::{ClientId, Revision, UserId, WatchlistId},
    limits::Limits,
    watchlist::{Watchlist, apply::Mode},
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    file::check_header,
    open::{Loaded, load_state},
    prune::newest_whole,
    read::{Blocks, Source, read_segment, visit_blocks},
    readers::open_reader,
    schema::{APPLICATION_ID, VERSION, check_definitions, pragma},
    snapshot::read_part,
};
use crate::journal::{
    form::{
        answer::{StoredAnswer, StoredVerdict, checked_run},
        codec::stored,
        error::{damaged, store},
        segment::Place,
    },
    record::{Record, Sender},
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

/// What a watchlist's records contain.
#[derive(Default)]
struct Counts {
    segments: i64,
    commits: u64,
    answers: u64,
}

/// Checks a journal's file, which may be in use, without changing it. Returns the undamaged watchlists, and a
/// message for each damaged record.
///
/// # Errors
/// The file cannot be read as a journal of this version.
pub async fn check(file: &Path) -> Result<(Vec<CheckedList>, Vec<String>), JournalError> {
    let file = file.to_owned();
    spawn_blocking(move || check_blocking(&file)).await.map_err(store)?
}

fn check_blocking(file: &Path) -> Result<(Vec<CheckedList>, Vec<String>), JournalError> {
    check_header(file)?;
    let unreadable = |error: rusqlite::Error| {
        JournalError::NotOurs(format!(
            "{} is damaged: {error}. Restore a backup with `afterglow-server restore FILE`",
            file.display(),
        ))
    };
    let connection = open_reader(file)?;
    if pragma(&connection, "application_id").map_err(unreadable)? != APPLICATION_ID {
        return Err(JournalError::NotOurs(format!("{} is not a journal of Afterglow", file.display())));
    }
    check_definitions(file, &connection)?;
    if pragma(&connection, "user_version").map_err(unreadable)? != VERSION {
        return Err(JournalError::NotOurs(format!(
            "{} was written by another version of Afterglow: serve it once with this version, or check it with that one",
            file.display()
        )));
    }
    // One transaction, so that every query sees the same state while others write.
    connection.execute_batch("BEGIN").map_err(unreadable)?;
    let (mut undamaged, mut damage) = (Vec::new(), structural_damage(&connection).map_err(unreadable)?);
    let Loaded { state, erasing } = load_state(&connection).map_err(|error| match error {
        JournalError::Store(source) => JournalError::NotOurs(format!(
            "{} is damaged: {source}. Restore a backup with `afterglow-server restore FILE`",
            file.display()
        )),
        other => other,
    })?;
    let mut segments = 0;
    for record in state.records() {
        let (id, name) = (record.id, record.name.clone());
        let Some(list) = state.list(id) else { continue };
        let source = Source { id, key: list.key, tail: list.tail.iter().cloned().collect() };
        let mut counts = Counts::default();
        match check_list(&connection, &source, &record, &mut counts) {
            Ok(()) => {
                segments += counts.segments;
                undamaged.push(CheckedList { record, commits: counts.commits, answers: counts.answers });
            }
            Err(error) => {
                damage.push(format!("watchlist {id} \u{201c}{name}\u{201d}: {}", error_message(&error)));
            }
        }
    }
    let all: i64 =
        connection.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).map_err(unreadable)?;
    if damage.is_empty() && erasing.is_empty() && all != segments {
        damage.push(format!("the log has {all} records, of which {segments} are found by their watchlists"));
    }
    Ok((undamaged, damage))
}

fn structural_damage(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare("PRAGMA integrity_check(20)")?;
    let results = select.query_map([], |row| row.get::<_, String>(0))?;
    Ok(results.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|result| result != "ok").collect())
}

/// Returns the most specific message of an error.
fn error_message(error: &JournalError) -> String {
    match error {
        JournalError::Damaged(message) => message.clone(),
        JournalError::Store(source) => source.to_string(),
        JournalError::NotOurs(_) | JournalError::Refused(_) => error.to_string(),
    }
}

fn check_list(
    connection: &Connection,
    source: &Source,
    record: &Record,
    counts: &mut Counts,
) -> Result<(), JournalError> {
    let (mut state, snapshot) = read_state(connection, (source.id, source.key))?;
    let (mut last, mut seen) = (None::<Revision>, 0);
    let mut check = |place: Place| {
        if place.seq <= seen {
            return Ok(());
        }
        seen = place.seq;
        let read = read_segment(connection, source.id, place)?;
        counts.segments += 1;
        for commit in &read.commits {
            let revision = commit.revision;
            if last.is_some_and(|last| last.next() != revision)
                || last.is_none() && revision > snapshot.next()
            {
                return Err(damaged(format!("revision {} is missing", last.unwrap_or(snapshot).next())));
            }
            if revision > snapshot {
                let applied = state.apply(&commit.changes, &Mode::Confirmed { at: commit.at });
                applied.map_err(|rejection| {
                    damaged(format!("revision {revision} cannot be applied: {rejection}"))
                })?;
            }
            (counts.commits, last) = (counts.commits + 1, Some(revision));
        }
        Ok(())
    };
    visit_blocks(connection, (source.id, source.key), Blocks::After(Revision(0)), |segments, _| {
        segments.iter().try_for_each(|listed| check(listed.place))?;
        Ok(true)
    })?;
    source.tail.iter().try_for_each(|segment| check(segment.place))?;
    if snapshot > Revision(0) && last.is_none_or(|last| last < snapshot) {
        return Err(damaged(format!("revision {snapshot} has a snapshot, but its commit is missing")));
    }
    let head = last.unwrap_or(snapshot);
    let recorded = (record.revision, &*record.name, record.rows);
    if recorded != (head, &**state.name(), state.rows().len()) {
        return Err(damaged(format!(
            "it is recorded as {:?} with {} rows at revision {}, but its commits give {:?} with {} rows at revision \
             {head}",
            record.name,
            record.rows,
            record.revision,
            state.name(),
            state.rows().len(),
        )));
    }
    counts.answers = check_answers(connection, source, head)?;
    Ok(())
}

/// Verifies every answer, and returns their number.
fn check_answers(connection: &Connection, source: &Source, head: Revision) -> Result<u64, JournalError> {
    let check = |(sender, answer): (Sender, &StoredAnswer)| {
        answer.decoded(sender)?;
        match answer.verdict {
            StoredVerdict::Accepted(revision) if revision > head => {
                let (edit, client) = (answer.edit, sender.client);
                Err(damaged(format!(
                    "edit {edit} of client {client} was accepted as revision {revision}, which is missing"
                )))
            }
            StoredVerdict::Accepted(_) | StoredVerdict::Rejected(_) => Ok(()),
        }
    };
    let mut count = 0;
    for (sender, answer) in source.tail.iter().flat_map(|segment| &segment.index.answers) {
        check((*sender, answer))?;
        count += 1;
    }
    let mut select = connection
        .prepare_cached(
            "SELECT user, client, first, last, seq, data, checksum, count FROM runs WHERE watchlist = ?",
        )
        .map_err(store)?;
    let mut rows = select.query([source.key]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let read = || -> rusqlite::Result<_> {
            let uuid = |index| row.get(index).map(Uuid::from_bytes);
            let sender = Sender { user: UserId(uuid(0)?), client: ClientId(uuid(1)?) };
            let numbers = [row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((sender, numbers, row.get::<_, Vec<u8>>(5)?, row.get(6)?, row.get(7)?))
        };
        let (sender, numbers, data, sum, listed): (_, _, _, _, i64) = read().map_err(store)?;
        let answers = checked_run(source.id, sender, numbers, &data, sum)?;
        if stored(answers.len() as u64) != listed {
            return Err(damaged(format!(
                "a run of {} answers is recorded as one of {listed}",
                answers.len()
            )));
        }
        answers.iter().try_for_each(|answer| check((sender, answer)))?;
        count += answers.len() as u64;
    }
    Ok(count)
}

/// Reads the newest complete snapshot, and its revision.
fn read_state(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
) -> Result<(Watchlist, Revision), JournalError> {
    let newest = newest_whole(connection, key)?;
    let revision = newest.ok_or_else(|| damaged("it has no complete snapshot"))?;
    let (mut state, mut part) = (None, 1);
    while let Some(read) = read_part(connection, (id, key), stored(revision.0), part)? {
        part += 1;
        let snapshot = read.snapshot;
        let watchlist = match &mut state {
            Some(state) => state,
            none => {
                let limits = Limits::default().for_stored();
                let watchlist = Watchlist::new(&snapshot.name, snapshot.columns.clone(), &limits);
                none.insert(watchlist.map_err(|error| damaged(error.message))?)
            }
        };
        for row in &snapshot.rows {
            row.load_into(watchlist).map_err(|error| damaged(error.message))?;
        }
    }
    state.map(|state| (state, revision)).ok_or_else(|| damaged("it has no complete snapshot"))
}
