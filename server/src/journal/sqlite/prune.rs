//! Removes what is no longer kept, in steps of a few milliseconds each: old segments, older snapshots, erased
//! watchlists, and the space that they leave in the file.

use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::{Revision, WatchlistId};

use super::{
    block::Listed,
    read::{Blocks, visit_blocks},
    schema::pragma,
    writer::{Durability, Writer},
};
use crate::journal::{
    form::{codec::stored, error::store},
    record::Retention,
    store::JournalError,
};

/// Maximum number of segments that one step deletes.
const STEP_SEGMENTS: usize = 64;
/// Number of bytes of segments after which a step deletes no more.
const STEP_BYTES: usize = 1 << 20;
/// Maximum number of parts of snapshots, or of runs of answers, that one step deletes.
const STEP_PARTS: usize = 16;
/// Number of pages by which one step shortens the file.
const STEP_PAGES: i64 = 64;
/// Number of free pages that a file may have regardless of its size: 1 MiB.
const FREE_PAGES: i64 = 256;
/// Selects the revision of the newest complete snapshot. The watchlist's key is the first parameter.
pub(super) const NEWEST_WHOLE: &str = "SELECT max(revision) FROM (
    SELECT revision FROM snapshots WHERE watchlist = ?1 GROUP BY revision HAVING count(*) = max(parts))";

/// Which segments of a watchlist are not kept.
struct Limits {
    /// Revision of the newest complete snapshot. Its own commit is kept, because later commits must not have
    /// an earlier time.
    snapshot: Revision,
    /// The newest revision that is beyond the number of kept commits.
    beyond: Revision,
    retention: Retention,
}

impl Limits {
    /// Whether a segment, before which everything is pruned, is pruned as well. `bytes` is the size of what
    /// is left with it.
    fn prunes(&self, segment: &Listed, bytes: i64) -> bool {
        let Retention { before, bytes: most, .. } = self.retention;
        let (place, has_commits) = (segment.place, segment.place.before < segment.place.last);
        place.last < self.snapshot
            && (!has_commits
                || segment.at < before.as_millis()
                || place.last <= self.beyond
                || bytes > stored(most))
    }
}

/// Returns the revision of the newest complete snapshot.
pub(super) fn newest_whole(connection: &Connection, key: i64) -> Result<Option<Revision>, JournalError> {
    let newest: Option<i64> = connection
        .prepare_cached(NEWEST_WHOLE)
        .and_then(|mut select| select.query_row([key], |row| row.get(0)))
        .map_err(store)?;
    Ok(newest.and_then(|revision| u64::try_from(revision).ok()).map(Revision))
}

impl Writer {
    /// Deletes some of the oldest segments that are not kept. Returns whether there may be more.
    pub(super) fn prune_step(&mut self, id: WatchlistId, retention: Retention) -> Result<bool, JournalError> {
        let (key, head, first) = {
            let state = self.state();
            let Some(list) = state.list(id) else { return Ok(false) };
            (list.key, list.revision, list.tail.front().map(|first| first.listed()))
        };
        let snapshot = newest_whole(&self.connection, key)?.unwrap_or_default();
        let beyond = Revision(head.0.saturating_sub(retention.commits));
        let limits = Limits { snapshot, beyond, retention };
        let is_done = self
            .transaction(Durability::WithTheNext, |connection| prune_block(connection, (id, key), &limits))?;
        if let Some(has_more) = is_done {
            self.may_shrink |= !has_more;
            return Ok(has_more);
        }
        // Every block is pruned. Only what is folded can be pruned, as its answers outlive it.
        let is_due = first.is_some_and(|first| limits.prunes(&first, stored(first.bytes as u64)));
        if is_due { self.fold_step() } else { Ok(false) }
    }

    /// Deletes some parts of snapshots that are older than the newest complete one. Returns whether there may
    /// be more.
    pub(super) fn drop_snapshots_step(&mut self, id: WatchlistId) -> Result<bool, JournalError> {
        let Some(key) = self.state().list(id).map(|list| list.key) else { return Ok(false) };
        let Some(newest) = newest_whole(&self.connection, key)? else { return Ok(false) };
        let deleted = self.transaction(Durability::WithTheNext, |connection| {
            delete_parts(connection, key, stored(newest.0))
        })?;
        Ok(deleted == STEP_PARTS)
    }

    /// Erases a part of a watchlist that was purged: of this one, or of any. Returns whether there may be
    /// more to erase.
    pub(super) fn erase_step(&mut self, of: Option<WatchlistId>) -> Result<bool, JournalError> {
        let is_meant = |(id, _): &(WatchlistId, i64)| of.is_none_or(|of| of == *id);
        let Some(index) = self.erasing.iter().rposition(is_meant) else { return Ok(false) };
        let list = self.erasing[index];
        let erased = self.transaction(Durability::WithTheNext, |connection| erase(connection, list));
        if matches!(erased, Ok(true)) {
            self.erasing.remove(index);
            self.may_shrink = true;
        }
        erased.map(|is_erased| !is_erased)
    }

    /// Shortens the file by a few pages if a large part of it is free.
    pub(super) fn shrink_step(&mut self) -> Result<(), JournalError> {
        let free = pragma(&self.connection, "freelist_count").map_err(store)?;
        let pages = pragma(&self.connection, "page_count").map_err(store)?;
        let is_incremental = pragma(&self.connection, "auto_vacuum").map_err(store)? == 2;
        if !is_incremental || free < FREE_PAGES || free < pages / 8 {
            self.may_shrink = false;
            return Ok(());
        }
        let shrunk = self.transaction(Durability::WithTheNext, |connection| {
            let mut vacuum =
                connection.prepare(&format!("PRAGMA incremental_vacuum({STEP_PAGES})")).map_err(store)?;
            let mut rows = vacuum.query([]).map_err(store)?;
            while rows.next().map_err(store)?.is_some() {}
            Ok(())
        });
        self.may_shrink = shrunk.is_ok();
        shrunk
    }
}

/// Deletes segments of the oldest block. Returns whether there may be more to delete, or `None` if there is
/// no block.
fn prune_block(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    limits: &Limits,
) -> Result<Option<bool>, JournalError> {
    let Some(segments) = oldest_block(connection, (id, key))? else { return Ok(None) };
    let mut bytes: i64 = connection
        .prepare_cached("SELECT bytes FROM watchlists WHERE key = ?")
        .and_then(|mut select| select.query_row([key], |row| row.get(0)))
        .map_err(store)?;
    let (mut deleted, mut freed) = (Vec::new(), 0);
    for segment in &segments {
        if deleted.len() == STEP_SEGMENTS || freed >= STEP_BYTES || !limits.prunes(segment, bytes) {
            break;
        }
        deleted.push(segment.place.seq);
        freed += segment.bytes;
        bytes -= stored(segment.bytes as u64);
    }
    let Some(last) = deleted.last().copied() else { return Ok(Some(false)) };
    delete_segments(connection, &deleted)?;
    connection
        .prepare_cached("UPDATE watchlists SET pruned = ?, bytes = ? WHERE key = ?")
        .and_then(|mut update| update.execute([last, bytes, key]))
        .map_err(store)?;
    if deleted.len() == segments.len() {
        delete_oldest_block(connection, key)?;
    }
    Ok(Some(true))
}

/// Deletes segments, each range of consecutive ones at once.
fn delete_segments(connection: &Connection, seqs: &[i64]) -> Result<(), JournalError> {
    let mut delete = connection.prepare_cached("DELETE FROM log WHERE seq BETWEEN ? AND ?").map_err(store)?;
    for range in seqs.chunk_by(|left, right| left + 1 == *right) {
        delete.execute([range.first(), range.last()]).map_err(store)?;
    }
    Ok(())
}

/// Returns the segments of the oldest block that are not pruned.
fn oldest_block(
    connection: &Connection,
    list: (WatchlistId, i64),
) -> Result<Option<Vec<Listed>>, JournalError> {
    let mut oldest = None;
    visit_blocks(connection, list, Blocks::After(Revision(0)), |segments, _| {
        oldest = Some(segments);
        Ok(false)
    })?;
    Ok(oldest)
}

fn delete_oldest_block(connection: &Connection, key: i64) -> Result<(), JournalError> {
    connection
        .prepare_cached(
            "DELETE FROM blocks WHERE rowid =
             (SELECT rowid FROM blocks WHERE watchlist = ? ORDER BY last, seq LIMIT 1)",
        )
        .and_then(|mut delete| delete.execute([key]))
        .map_err(store)?;
    Ok(())
}

/// Deletes some parts of snapshots before a revision. Returns their number.
fn delete_parts(connection: &Connection, key: i64, before: i64) -> Result<usize, JournalError> {
    connection
        .prepare_cached(
            "DELETE FROM snapshots WHERE rowid IN
             (SELECT rowid FROM snapshots WHERE watchlist = ? AND revision < ? LIMIT ?)",
        )
        .and_then(|mut delete| delete.execute([key, before, stored(STEP_PARTS as u64)]))
        .map_err(store)
}

/// Erases a part of a watchlist. Returns whether nothing is left of it.
fn erase(connection: &Connection, (id, key): (WatchlistId, i64)) -> Result<bool, JournalError> {
    if let Some(segments) = oldest_block(connection, (id, key))? {
        let seqs: Vec<i64> = segments.iter().take(STEP_SEGMENTS).map(|segment| segment.place.seq).collect();
        delete_segments(connection, &seqs)?;
        if seqs.len() == segments.len() {
            delete_oldest_block(connection, key)?;
        } else {
            connection
                .prepare_cached("UPDATE watchlists SET pruned = ? WHERE key = ?")
                .and_then(|mut update| update.execute(params![seqs.last(), key]))
                .map_err(store)?;
        }
        return Ok(false);
    }
    let runs = connection
        .prepare_cached(
            "DELETE FROM runs WHERE watchlist = ?1 AND (user, client, first) IN
             (SELECT user, client, first FROM runs WHERE watchlist = ?1 LIMIT ?2)",
        )
        .and_then(|mut delete| delete.execute([key, stored(STEP_PARTS as u64)]))
        .map_err(store)?;
    if runs > 0 || delete_parts(connection, key, i64::MAX)? > 0 {
        return Ok(false);
    }
    connection.execute("DELETE FROM watchlists WHERE key = ?", [key]).map_err(store)?;
    Ok(true)
}

/// Marks watchlists that were deleted before a time as being erased, and deletes their part of the tail.
pub(super) fn start_erasing(
    connection: &Connection,
    lists: &[(WatchlistId, i64)],
) -> Result<(), JournalError> {
    let folded: i64 = connection
        .query_row("SELECT seq FROM folded", [], |row| row.get(0))
        .optional()
        .map_err(store)?
        .unwrap_or_default();
    for (_, key) in lists {
        connection.execute("UPDATE watchlists SET erasing = 1 WHERE key = ?", [key]).map_err(store)?;
        connection
            .execute("DELETE FROM log WHERE seq > ? AND watchlist = ?", [folded, *key])
            .map_err(store)?;
    }
    Ok(())
}
