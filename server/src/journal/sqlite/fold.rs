//! Folding: moves the tail of the log into the indexes, in bulk. Its segments are listed in a block of each
//! watchlist, and the answers in runs of each sender, which outlive the segments. The segments themselves stay
//! where they are.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension, params};
use shared::{ids::WatchlistId, limits::MAX_KEPT_ANSWERS};

use tracing::warn;

use super::{
    answer::{StoredAnswer, checked_run, encode_run, newest, run_sum},
    block::{Listed, block_sum, encode_block},
    codec::stored,
    error::{damaged, store},
    state::{State, TailSegment},
};
use crate::journal::{record::Sender, store::JournalError};

/// Maximum number of senders whose answers one step folds: each costs a few pages.
const STEP_SENDERS: usize = 128;
/// Number of answers of a run below which later answers are added to it.
pub(super) const RUN_ANSWERS: u32 = 512;

/// What one step folds.
pub(super) struct Fold {
    /// Number of the last segment.
    pub(super) up_to: i64,
    lists: BTreeMap<WatchlistId, FoldedList>,
}

struct FoldedList {
    key: i64,
    name: Arc<str>,
    rows: usize,
    segments: Vec<Arc<TailSegment>>,
}

impl Fold {
    /// Chooses what the next step folds: the oldest segments of the tail. Returns `None` if the tail is empty.
    pub(super) fn next(state: &State) -> Option<Self> {
        let mut fold = Self { up_to: 0, lists: BTreeMap::new() };
        let mut senders = HashSet::new();
        for (id, segment) in state.tail() {
            senders.extend(segment.index.answers.iter().map(|(sender, _)| (id, *sender)));
            if senders.len() > STEP_SENDERS && fold.up_to > 0 {
                break;
            }
            let list = state.list(id)?;
            fold.up_to = segment.place.seq;
            let (key, name, rows) = (list.key, list.name.clone(), list.rows);
            let folded = FoldedList { key, name, rows, segments: Vec::new() };
            fold.lists.entry(id).or_insert(folded).segments.push(segment.clone());
        }
        (fold.up_to > 0).then_some(fold)
    }

    /// Writes the step, within a transaction.
    pub(super) fn write(&self, connection: &Connection) -> Result<(), JournalError> {
        for (id, list) in &self.lists {
            let listed: Vec<Listed> = list.segments.iter().map(|segment| segment.listed()).collect();
            insert_block(connection, (*id, list.key), &listed)?;
            let mut answers: BTreeMap<Sender, Vec<StoredAnswer>> = BTreeMap::new();
            for (sender, answer) in list.segments.iter().flat_map(|segment| &segment.index.answers) {
                answers.entry(*sender).or_default().push(answer.clone());
            }
            for (sender, answers) in answers {
                fold_answers(connection, (*id, list.key), sender, answers)?;
            }
            let last = listed.last().map_or(0, |last| stored(last.place.last.0));
            connection
                .prepare_cached("UPDATE watchlists SET name = ?, revision = ?, rows = ? WHERE key = ?")
                .and_then(|mut update| {
                    update.execute(params![&*list.name, last, stored(list.rows as u64), list.key])
                })
                .map_err(store)?;
        }
        connection
            .prepare_cached("UPDATE folded SET seq = ?")
            .and_then(|mut update| update.execute([self.up_to]))
            .map_err(store)?;
        Ok(())
    }
}

/// Lists segments of a watchlist in a block.
pub(super) fn insert_block(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    segments: &[Listed],
) -> Result<(), JournalError> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
    let (before, last) = (stored(first.place.before.0), stored(last.place.last.0));
    let bytes = stored(segments.iter().map(|segment| segment.bytes as u64).sum());
    let data = encode_block(segments);
    let sum = block_sum(id, (before, last), (first.place.seq, bytes), &data);
    let values = params![key, last, first.place.seq, before, bytes, data, sum];
    connection
        .prepare_cached(
            "INSERT INTO blocks (watchlist, last, seq, before, bytes, data, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| insert.execute(values))
        .map_err(store)?;
    connection
        .prepare_cached("UPDATE watchlists SET bytes = bytes + ? WHERE key = ?")
        .and_then(|mut update| update.execute([bytes, key]))
        .map_err(store)?;
    Ok(())
}

/// Adds answers to the runs of a sender, and deletes the runs that no longer count.
pub(super) fn fold_answers(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
    answers: Vec<StoredAnswer>,
) -> Result<(), JournalError> {
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    let mut select = connection
        .prepare_cached("SELECT first, last, count FROM runs WHERE watchlist = ? AND user = ? AND client = ?")
        .map_err(store)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let runs = select.query_map(params![key, user, client], read).map_err(store)?;
    let mut runs: Vec<(i64, i64, u32)> = runs.collect::<Result<_, _>>().map_err(store)?;
    let delete = |first: i64| {
        connection
            .prepare_cached("DELETE FROM runs WHERE watchlist = ? AND user = ? AND client = ? AND first = ?")
            .and_then(|mut delete| delete.execute(params![key, user, client, first]))
            .map_err(store)
    };
    let mut answers = newest(answers);
    if let Some(index) = runs.iter().position(|(_, _, count)| *count < RUN_ANSWERS) {
        let (first, _, _) = runs.remove(index);
        match read_run(connection, (id, key), sender, first) {
            Ok(earlier) => {
                answers.extend(earlier);
                delete(first)?;
                answers = newest(answers);
            }
            // It stays where it is and makes only the edits of its sender unavailable.
            Err(JournalError::Damaged(what)) => warn!(what, "found damaged answers"),
            Err(error) => return Err(error),
        }
    }
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else { return Ok(()) };
    let range = (stored(first.edit.0), stored(last.edit.0));
    insert_run(connection, (id, key), sender, &answers)?;
    runs.push((range.0, range.1, u32::try_from(answers.len()).unwrap_or(u32::MAX)));
    runs.sort_unstable();
    for (index, (first, last, _)) in runs.iter().enumerate() {
        let above = runs[index + 1..].iter().filter(|(first, _, _)| first > last);
        if above.map(|(_, _, count)| count).sum::<u32>() as usize >= MAX_KEPT_ANSWERS {
            delete(*first)?;
        }
    }
    Ok(())
}

/// Writes a run of answers, which are ordered by edit.
fn insert_run(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
    answers: &[StoredAnswer],
) -> Result<(), JournalError> {
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else { return Ok(()) };
    let (first, last) = (stored(first.edit.0), stored(last.edit.0));
    let data = encode_run(answers);
    let sum = run_sum(id, sender, (first, last), &data);
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    connection
        .prepare_cached(
            "INSERT INTO runs (watchlist, user, client, first, last, count, data, checksum)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![key, user, client, first, last, stored(answers.len() as u64), data, sum])
        })
        .map_err(store)?;
    Ok(())
}

fn read_run(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
    first: i64,
) -> Result<Vec<StoredAnswer>, JournalError> {
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    let found: Option<(i64, Vec<u8>, i64)> = connection
        .prepare_cached(
            "SELECT last, data, checksum FROM runs WHERE watchlist = ? AND user = ? AND client = ? AND first = ?",
        )
        .and_then(|mut select| {
            select
                .query_row(params![key, user, client, first], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(store)?;
    let (last, data, sum) = found.ok_or_else(|| damaged("a run of answers cannot be found by its key"))?;
    checked_run(id, sender, (first, last), &data, sum)
}
