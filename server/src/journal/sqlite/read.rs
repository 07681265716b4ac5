//! Reads of commits and answers: from the tail, as it was before the read began, and from the blocks and
//! runs.
//!
//! A segment that is folded in the meantime is found in both. Its number in the log tells that.

use std::{collections::BTreeSet, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
};

use super::{
    block::{Listed, block_sum, decode_block},
    state::TailSegment,
};
use crate::journal::{
    form::{
        answer::{StoredAnswer, checked_run, newest},
        codec::stored,
        error::{damaged, store, verify},
        segment::{Place, Segment, terms_of_filter, without_replaced},
    },
    record::{AnswerRecord, HistoryFilter, HistoryPage, ReadLimit, Sender},
    store::JournalError,
};

/// Number of bytes, read or decoded, after which one read of a history stops, so that others get their turn.
const HISTORY_BYTES: usize = 1 << 20;
/// Approximate size of a decoded change, in bytes. Stored it may be much smaller.
const CHANGE_BYTES: usize = 128;

/// A watchlist to read from, with its part of the tail.
pub(super) struct Source {
    pub(super) id: WatchlistId,
    pub(super) key: i64,
    pub(super) tail: Vec<Arc<TailSegment>>,
}

/// A row of `blocks`.
struct BlockRow {
    last: i64,
    seq: i64,
    before: i64,
    bytes: i64,
    data: Vec<u8>,
    sum: i64,
}

/// Which blocks to read, and in which order.
#[derive(Clone, Copy)]
pub(super) enum Blocks {
    /// Those with commits after a revision, oldest first.
    After(Revision),
    /// Those with commits before a revision, newest first.
    Before(Revision),
}

/// Reads a segment and verifies it.
pub(super) fn read_segment(
    connection: &Connection,
    id: WatchlistId,
    place: Place,
) -> Result<Segment, JournalError> {
    let (data, sum) = read_data(connection, place)?;
    Segment::read(id, place, &data, sum)
}

/// Reads the data of a segment, and its checksum.
pub(super) fn read_data(connection: &Connection, place: Place) -> Result<(Vec<u8>, i64), JournalError> {
    let found: Option<(i64, i64, Vec<u8>, i64)> = connection
        .prepare_cached("SELECT before, last, data, checksum FROM log WHERE seq = ?")
        .and_then(|mut select| {
            select
                .query_row([place.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
                .optional()
        })
        .map_err(store)?;
    let missing = || damaged(format!("revision {} is missing", place.before.next()));
    let (before, last, data, sum) = found.ok_or_else(missing)?;
    if (before, last) != (stored(place.before.0), stored(place.last.0)) {
        return Err(damaged(format!("the checksum of {} does not match", place.name())));
    }
    Ok((data, sum))
}

/// Reads the runs of a sender, and verifies them. A run may repeat answers of another.
pub(super) fn runs_of(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    sender: Sender,
) -> Result<Vec<StoredAnswer>, JournalError> {
    let mut answers = Vec::new();
    let mut select = connection
        .prepare_cached(
            "SELECT first, last, seq, data, checksum FROM runs WHERE watchlist = ? AND user = ? AND client = ?",
        )
        .map_err(store)?;
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    let mut rows = select.query(params![key, user, client]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let read = || Ok(([row.get(0)?, row.get(1)?, row.get(2)?], row.get(3)?, row.get(4)?));
        let (numbers, data, sum): (_, Vec<u8>, _) = read().map_err(|error: rusqlite::Error| store(error))?;
        answers.extend(checked_run(id, sender, numbers, &data, sum)?);
    }
    Ok(answers)
}

/// Returns the number of the last segment that is pruned.
pub(super) fn pruned(connection: &Connection, key: i64) -> Result<i64, JournalError> {
    connection
        .prepare_cached("SELECT pruned FROM watchlists WHERE key = ?")
        .and_then(|mut select| select.query_row([key], |row| row.get(0)).optional())
        .map(Option::unwrap_or_default)
        .map_err(store)
}

/// Reads blocks, and passes the segments of each that are not pruned to `visit` until it returns false. The
/// size of the block comes with them.
pub(super) fn visit_blocks(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    blocks: Blocks,
    mut visit: impl FnMut(Vec<Listed>, usize) -> Result<bool, JournalError>,
) -> Result<(), JournalError> {
    let (condition, revision) = match blocks {
        Blocks::After(revision) => ("last >= ? ORDER BY last, seq", revision),
        Blocks::Before(revision) => ("before < ? ORDER BY last DESC, seq DESC", revision),
    };
    let pruned = pruned(connection, key)?;
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT last, seq, before, bytes, data, checksum FROM blocks WHERE watchlist = ? AND {condition}"
        ))
        .map_err(store)?;
    let mut rows = select.query(params![key, stored(revision.0)]).map_err(store)?;
    while let Some(row) = rows.next().map_err(store)? {
        let row = BlockRow::read(row).map_err(store)?;
        let size = row.data.len();
        let segments = row.segments(id)?.into_iter().filter(|listed| listed.place.seq > pruned).collect();
        if !visit(segments, size)? {
            break;
        }
    }
    Ok(())
}

impl BlockRow {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            last: row.get(0)?,
            seq: row.get(1)?,
            before: row.get(2)?,
            bytes: row.get(3)?,
            data: row.get(4)?,
            sum: row.get(5)?,
        })
    }

    fn segments(&self, id: WatchlistId) -> Result<Vec<Listed>, JournalError> {
        let Self { last, seq, before, bytes, data, sum } = self;
        let name = || format!("the index of revisions {} to {last}", before + 1);
        verify(block_sum(id, (*before, *last), (*seq, *bytes), data), *sum, name)?;
        decode_block(data).ok_or_else(|| damaged(format!("{} cannot be decoded", name())))
    }
}

impl Source {
    /// Returns the part of the tail that was not folded and pruned since.
    fn unpruned(&self, connection: &Connection) -> Result<&[Arc<TailSegment>], JournalError> {
        let pruned = pruned(connection, self.key)?;
        Ok(&self.tail[self.tail.partition_point(|segment| segment.place.seq <= pruned)..])
    }

    /// Reads commits after a revision, oldest first, without the replaced values.
    pub(super) fn commits(
        &self,
        connection: &Connection,
        after: Revision,
        limit: ReadLimit,
    ) -> Result<Vec<Commit>, JournalError> {
        let (mut commits, mut bytes, mut seen) = (Vec::new(), 0, 0);
        let mut add = |place: Place, size: usize| -> Result<bool, JournalError> {
            if place.last > after && place.seq > seen {
                let read = read_segment(connection, self.id, place)?.commits;
                // A part of a segment counts as such a part of its bytes.
                let share = size / read.len().max(1);
                for commit in read.into_iter().filter(|commit| commit.revision > after) {
                    if commits.len() >= limit.commits || !commits.is_empty() && bytes >= limit.bytes {
                        break;
                    }
                    bytes += share;
                    commits.push(without_replaced(commit));
                }
            }
            seen = place.seq.max(seen);
            Ok(commits.len() < limit.commits && bytes < limit.bytes)
        };
        let is_in_tail = self.tail.first().is_some_and(|first| first.place.before <= after);
        let mut goes_on = true;
        if !is_in_tail {
            visit_blocks(connection, (self.id, self.key), Blocks::After(after), |segments, _| {
                for listed in segments {
                    goes_on = add(listed.place, listed.bytes)?;
                    if !goes_on {
                        return Ok(false);
                    }
                }
                Ok(true)
            })?;
        }
        for segment in self.unpruned(connection)? {
            goes_on = goes_on && add(segment.place, segment.index.bytes)?;
        }
        Ok(commits)
    }

    /// Reads commits that match a filter, newest first, with the replaced values. Stops after a number of
    /// bytes.
    pub(super) fn history(
        &self,
        connection: &Connection,
        filter: &HistoryFilter,
    ) -> Result<HistoryPage, JournalError> {
        let terms = terms_of_filter(filter);
        let before = filter.before.unwrap_or(Revision(u64::MAX));
        let mut page = Search { filter, before, commits: Vec::new(), bytes: 0, next: None };
        let mut goes_on = true;
        for segment in self.unpruned(connection)?.iter().rev() {
            goes_on = goes_on && page.add(connection, self.id, &segment.listed(), &terms)?;
        }
        if goes_on {
            let oldest = self.tail.first().map_or(i64::MAX, |first| first.place.seq);
            visit_blocks(connection, (self.id, self.key), Blocks::Before(before), |segments, size| {
                page.bytes += size;
                for listed in segments.iter().rev().filter(|listed| listed.place.seq < oldest) {
                    if !page.add(connection, self.id, listed, &terms)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            })?;
        }
        Ok(HistoryPage { commits: page.commits, next: page.next })
    }

    /// Reads the kept answers to a sender's edits, ordered by edit.
    pub(super) fn answers(
        &self,
        connection: &Connection,
        sender: Sender,
    ) -> Result<Vec<AnswerRecord>, JournalError> {
        let in_tail = self.tail.iter().flat_map(|segment| &segment.index.answers);
        let mut answers: Vec<StoredAnswer> =
            in_tail.filter(|(of, _)| *of == sender).map(|(_, answer)| answer.clone()).collect();
        answers.extend(runs_of(connection, (self.id, self.key), sender)?);
        newest(answers).iter().map(|answer| answer.decoded(sender)).collect()
    }
}

/// A history that is being read.
struct Search<'a> {
    filter: &'a HistoryFilter,
    before: Revision,
    commits: Vec<Commit>,
    bytes: usize,
    /// See `HistoryPage::next`.
    next: Option<Revision>,
}

impl Search<'_> {
    /// Adds the matching commits of a segment. Returns false once the page is complete.
    fn add(
        &mut self,
        connection: &Connection,
        id: WatchlistId,
        listed: &Listed,
        terms: &BTreeSet<u32>,
    ) -> Result<bool, JournalError> {
        let place = listed.place;
        if place.before.next() >= self.before {
            // The search began here or before, so it could not continue from here.
            return Ok(true);
        }
        if place.before == place.last || !listed.may_have(terms) {
            return Ok(!self.is_over_budget(place));
        }
        self.bytes += listed.bytes;
        let commits = read_segment(connection, id, place)?.commits;
        self.bytes += commits.iter().map(|commit| commit.changes.len() * CHANGE_BYTES).sum::<usize>();
        for commit in commits.into_iter().rev() {
            if commit.revision < self.before && self.filter.matches(&commit) {
                if self.commits.len() == self.filter.limit {
                    self.next = self.commits.last().map(|last| last.revision);
                    return Ok(false);
                }
                self.commits.push(commit);
            }
        }
        Ok(!self.is_over_budget(place))
    }

    fn is_over_budget(&mut self, place: Place) -> bool {
        let is_over = self.bytes >= HISTORY_BYTES && place.before > Revision(0);
        if is_over {
            self.next = Some(place.before.next());
        }
        is_over
    }
}

#[cfg(test)]
mod tests;
