//! Folding: moves the tail of the log into the indexes, in bulk. Its segments are listed in a block of each
//! watchlist, and the answers in runs of each sender, which outlive the segments. The segments themselves
//! stay where they are.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};
use shared::{ids::WatchlistId, limits::MAX_KEPT_ANSWERS};

use tracing::warn;

use super::{
    block::{Listed, block_sum, encode_block},
    state::{State, TailSegment},
};
use crate::journal::{
    form::{
        answer::{StoredAnswer, checked_run, encode_run, newest, run_sum},
        codec::stored,
        error::{damaged, store},
    },
    record::Sender,
    store::JournalError,
};

/// Maximum number of senders whose answers one step folds: each costs a few pages.
const STEP_SENDERS: usize = 128;
/// Maximum number of watchlists that are folded at once: their blocks are written in one step.
const MAX_LISTS: usize = 1_024;
/// Number of answers of a run below which later answers are added to it.
pub(super) const RUN_ANSWERS: u32 = 512;

/// A part of the tail that is being folded: first the answers, some senders in each step, and then the
/// segments. If it is interrupted, it starts over, and skips the answers that are folded already.
pub(super) struct Fold {
    /// Number of the last segment.
    up_to: i64,
    lists: BTreeMap<WatchlistId, FoldedList>,
    /// The senders whose answers are not folded yet.
    senders: Vec<FoldedSender>,
}

struct FoldedList {
    key: i64,
    name: Arc<str>,
    rows: usize,
    segments: Vec<Arc<TailSegment>>,
}

/// The answers of a sender, with the numbers of their segments.
pub(super) struct FoldedSender {
    /// The watchlist and its key.
    pub(super) list: (WatchlistId, i64),
    pub(super) sender: Sender,
    pub(super) answers: Vec<(i64, StoredAnswer)>,
}

impl Fold {
    /// Chooses what is folded: the oldest segments of the tail, up to all of them. Returns `None` if it is
    /// empty.
    pub(super) fn start(state: &State) -> Option<Self> {
        let (mut up_to, mut lists) = (0, BTreeMap::<_, FoldedList>::new());
        let mut senders: BTreeMap<(WatchlistId, Sender), FoldedSender> = BTreeMap::new();
        for (id, segment) in state.tail() {
            if lists.len() == MAX_LISTS && !lists.contains_key(&id) {
                break;
            }
            let list = state.list(id)?;
            up_to = segment.place.seq;
            let (key, name, rows) = (list.key, list.name.clone(), list.rows);
            let folded = FoldedList { key, name, rows, segments: Vec::new() };
            lists.entry(id).or_insert(folded).segments.push(segment.clone());
            for (sender, answer) in &segment.index.answers {
                let folded = FoldedSender { list: (id, key), sender: *sender, answers: Vec::new() };
                let folded = senders.entry((id, *sender)).or_insert(folded);
                folded.answers.push((up_to, answer.clone()));
            }
        }
        (up_to > 0).then_some(Self { up_to, lists, senders: senders.into_values().collect() })
    }

    /// Writes the next step, within a transaction.
    pub(super) fn write_step(&self, connection: &Connection) -> Result<(), JournalError> {
        if self.senders.is_empty() {
            return self.write_blocks(connection);
        }
        let step = self.senders.len().saturating_sub(STEP_SENDERS)..;
        self.senders[step].iter().try_for_each(|folded| fold_answers(connection, folded))
    }

    /// Continues after a step that is written. Returns the number of the last segment if it was the last
    /// step.
    pub(super) fn finish_step(&mut self) -> Option<i64> {
        if self.senders.is_empty() {
            return Some(self.up_to);
        }
        self.senders.truncate(self.senders.len().saturating_sub(STEP_SENDERS));
        None
    }

    fn write_blocks(&self, connection: &Connection) -> Result<(), JournalError> {
        for (id, list) in &self.lists {
            let listed: Vec<Listed> = list.segments.iter().map(|segment| segment.listed()).collect();
            insert_block(connection, (*id, list.key), &listed)?;
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

/// A run of a sender, without its answers.
pub(super) struct Run {
    first: i64,
    last: i64,
    count: u32,
    /// Number of the last segment whose answers it has.
    seq: i64,
}

/// Adds answers to the runs of a sender, and deletes the runs that no longer count.
pub(super) fn fold_answers(connection: &Connection, folded: &FoldedSender) -> Result<(), JournalError> {
    let FoldedSender { list: (id, key), sender, answers } = folded;
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    let mut select = connection
        .prepare_cached(
            "SELECT first, last, count, seq FROM runs WHERE watchlist = ? AND user = ? AND client = ?",
        )
        .map_err(store)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Run { first: row.get(0)?, last: row.get(1)?, count: row.get(2)?, seq: row.get(3)? })
    };
    let runs = select.query_map(params![key, user, client], read).map_err(store)?;
    let mut runs: Vec<Run> = runs.collect::<Result<_, _>>().map_err(store)?;
    let delete = |first: i64| {
        connection
            .prepare_cached("DELETE FROM runs WHERE watchlist = ? AND user = ? AND client = ? AND first = ?")
            .and_then(|mut delete| delete.execute(params![key, user, client, first]))
            .map_err(store)
    };
    // Those up to this segment were folded before an interruption.
    let done = runs.iter().map(|run| run.seq).max().unwrap_or(-1);
    let seq = answers.last().map_or(0, |(seq, _)| *seq);
    let new = answers.iter().filter(|(seq, _)| *seq > done || *seq == 0).map(|(_, answer)| answer.clone());
    let mut answers = newest(new.collect());
    if answers.is_empty() {
        return Ok(());
    }
    if let Some(index) = runs.iter().position(|run| run.count < RUN_ANSWERS) {
        match read_run(connection, (*id, *key), *sender, runs[index].first) {
            Ok(earlier) => {
                delete(runs.remove(index).first)?;
                answers.extend(earlier);
                answers = newest(answers);
            }
            // It stays where it is and makes only the edits of its sender unavailable.
            Err(JournalError::Damaged(what)) => warn!(what, "found damaged answers"),
            Err(error) => return Err(error),
        }
    }
    runs.extend(insert_run(connection, (*id, *key), *sender, (&answers, seq))?);
    for run in &runs {
        let above = runs.iter().filter(|other| other.first > run.last);
        if above.map(|other| other.count).sum::<u32>() as usize >= MAX_KEPT_ANSWERS {
            delete(run.first)?;
        }
    }
    Ok(())
}

/// Writes a run of answers, which are ordered by edit.
pub(super) fn insert_run(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
    (answers, seq): (&[StoredAnswer], i64),
) -> Result<Option<Run>, JournalError> {
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else { return Ok(None) };
    let (first, last) = (stored(first.edit.0), stored(last.edit.0));
    let count = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    let data = encode_run(answers);
    let sum = run_sum(id, sender, [first, last, seq], &data);
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    connection
        .prepare_cached(
            "INSERT INTO runs (watchlist, user, client, first, last, seq, count, data, checksum)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| insert.execute(params![key, user, client, first, last, seq, count, data, sum]))
        .map_err(store)?;
    Ok(Some(Run { first, last, count, seq }))
}

fn read_run(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
    first: i64,
) -> Result<Vec<StoredAnswer>, JournalError> {
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    let found: Option<(i64, i64, Vec<u8>, i64)> = connection
        .prepare_cached(
            "SELECT last, seq, data, checksum FROM runs
             WHERE watchlist = ? AND user = ? AND client = ? AND first = ?",
        )
        .and_then(|mut select| {
            select
                .query_row(params![key, user, client, first], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()
        })
        .map_err(store)?;
    let missing = || damaged("a run of answers cannot be found by its key");
    let (last, seq, data, sum) = found.ok_or_else(missing)?;
    checked_run(id, sender, [first, last, seq], &data, sum)
}
