//! Upgrades a journal of version 1 or 2, in which each commit and each answer was a row of its own. It goes
//! in chunks, of which each is moved in one transaction, so that the next start continues after a crash.

use std::{ops::ControlFlow, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Row, params};
use shared::{
    edit::{Author, Change, Commit},
    ids::{ClientId, EditId, Revision, UserId, WatchlistId},
    rejection::Rejection,
    time::Timestamp,
};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    block::Listed,
    fold::{FoldedSender, RUN_ANSWERS, fold_answers, insert_block},
    schema::{VERSION, add_current, newest_recorded, pragma},
};
use crate::journal::{
    form::{
        answer::{StoredAnswer, StoredVerdict},
        codec::{checksum, stored},
        error::{damaged, store},
        part::part_sum,
        segment::{Place, encode, segment_sum},
    },
    record::{Batch, NewCommit, Sender},
    store::JournalError,
};

/// Maximum number of records that one transaction moves.
const CHUNK: usize = 1_000;
/// Maximum size of a file that is rewritten, so that it can be shortened later. Larger ones keep their free
/// pages for new records.
const REWRITTEN_BYTES: i64 = 256 << 20;
/// A checksum that no record has.
const NO_SUM: i64 = -1;

/// Upgrades the journal to the current version.
pub(super) fn run(connection: &Connection) -> Result<(), JournalError> {
    // Nothing else checkpoints yet, and the write-ahead log would become as large as the file.
    connection.pragma_update(None, "wal_autocheckpoint", 1_000).map_err(store)?;
    upgrade(connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(store)
}

fn upgrade(connection: &Connection) -> Result<(), JournalError> {
    if newest_recorded(connection).map_err(store)? < VERSION {
        for table in ["commits", "answers", "snapshots"] {
            let has_sums = connection.column_exists(None, table, "checksum").map_err(store)?;
            if !has_sums {
                let add = format!("ALTER TABLE {table} ADD COLUMN checksum INTEGER");
                connection.execute_batch(&add).map_err(store)?;
            }
        }
        add_current(connection)?;
    }
    info!("upgrading the journal");
    let mut select = connection.prepare("SELECT key, id FROM watchlists").map_err(store)?;
    let lists = select
        .query_map([], |row| Ok((row.get(0)?, WatchlistId(Uuid::from_bytes(row.get(1)?)))))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(store)?;
    drop(select);
    if connection.table_exists(None, "commits").map_err(store)? {
        for (key, id) in lists {
            while in_transaction(connection, || move_commits(connection, (id, key)))?.is_continue() {}
            while in_transaction(connection, || move_answers(connection, (id, key)))?.is_continue() {}
            while in_transaction(connection, || add_part_sum(connection, (id, key)))?.is_continue() {}
        }
        drop_tables(connection)?;
    }
    connection.pragma_update(None, "user_version", VERSION).map_err(store)?;
    let pages = pragma(connection, "page_count").map_err(store)?;
    if pages * pragma(connection, "page_size").map_err(store)? < REWRITTEN_BYTES
        && let Err(error) = connection.execute_batch("VACUUM")
    {
        warn!(error = &error as &dyn std::error::Error, "failed to rewrite the journal");
    }
    Ok(())
}

fn in_transaction<T>(
    connection: &Connection,
    work: impl FnOnce() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(store)?;
    let done = work().and_then(|value| {
        connection.execute_batch("COMMIT").map_err(store)?;
        Ok(value)
    });
    if !connection.is_autocommit() {
        drop(connection.execute_batch("ROLLBACK"));
    }
    done
}

/// Drops the tables of the old version. The large ones are emptied in chunks first.
fn drop_tables(connection: &Connection) -> Result<(), JournalError> {
    if connection.table_exists(None, "touched").map_err(store)? {
        let delete = "DELETE FROM touched WHERE (watchlist, row, revision) IN
            (SELECT watchlist, row, revision FROM touched LIMIT 20000)";
        while connection.execute(delete, []).map_err(store)? > 0 {}
    }
    connection
        .execute_batch("DROP TABLE IF EXISTS touched; DROP TABLE commits; DROP TABLE answers;")
        .map_err(store)
}

/// Moves the oldest commits of a watchlist into the log, and lists them in a block.
fn move_commits(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
) -> Result<ControlFlow<()>, JournalError> {
    let mut select = connection
        .prepare_cached(&format!(
            "SELECT revision, at, user, name, client, edit, changes, checksum FROM commits
             WHERE watchlist = ? ORDER BY revision LIMIT {CHUNK}"
        ))
        .map_err(store)?;
    let mut rows = select.query([key]).map_err(store)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(store)? {
        let revision: i64 = row.get(0).map_err(store)?;
        found.push((revision, read_commit(id, row)));
    }
    drop(rows);
    let Some((last, _)) = found.last() else { return Ok(ControlFlow::Break(())) };
    let last = *last;
    let mut moved = Moved { connection, id, key, seq: folded(connection)?, listed: Vec::new() };
    let mut piece: Vec<Commit> = Vec::new();
    for (revision, commit) in found {
        let is_next = |last: &Commit| stored(last.revision.0) + 1 == revision;
        if !piece.last().is_none_or(is_next) || commit.is_err() {
            moved.insert(std::mem::take(&mut piece))?;
        }
        match commit {
            Ok(commit) => piece.push(commit),
            Err(what) => {
                warn!(watchlist = %id, revision, what, "found a damaged record");
                moved.insert_damaged(revision)?;
            }
        }
    }
    moved.insert(piece)?;
    insert_block(connection, (id, key), &moved.listed)?;
    connection.execute("UPDATE folded SET seq = ?", [moved.seq]).map_err(store)?;
    let deleted = connection
        .execute("DELETE FROM commits WHERE watchlist = ? AND revision <= ?", [key, last])
        .map_err(store)?;
    // In a damaged table the key of a row may not find it. Without progress the upgrade would never end.
    if deleted == 0 {
        return Err(damaged(format!("revision {last} cannot be found by its key")));
    }
    Ok(ControlFlow::Continue(()))
}

fn folded(connection: &Connection) -> Result<i64, JournalError> {
    connection.query_row("SELECT seq FROM folded", [], |row| row.get(0)).map_err(store)
}

/// Commits on their way into the log.
struct Moved<'a> {
    connection: &'a Connection,
    id: WatchlistId,
    key: i64,
    /// Number of the last segment.
    seq: i64,
    listed: Vec<Listed>,
}

impl Moved<'_> {
    /// Inserts consecutive commits. The answers to their edits are moved on their own.
    fn insert(&mut self, commits: Vec<Commit>) -> Result<(), JournalError> {
        let Some(first) = commits.first() else { return Ok(()) };
        let expected = Revision(first.revision.0 - 1);
        let commits = commits.into_iter().map(|commit| {
            let sets = commit.changes.iter().filter_map(|change| match change {
                Change::Set(set) => Some(set.was.clone()),
                _ => None,
            });
            // Version 1 did not record the replaced values.
            let replaced = sets.collect::<Option<Vec<_>>>().unwrap_or_default();
            NewCommit { commit: Arc::new(commit), replaced, removed: Vec::new() }
        });
        let batch = Batch { expected, commits: commits.collect(), ..Batch::default() };
        for segment in encode(&batch) {
            let place = Place { seq: self.seq + 1, before: segment.before, last: segment.last };
            let sum = segment_sum(self.id, place, &segment.data);
            self.write(place, &segment.data, sum)?;
            let (at, bytes) = (segment.index.at, segment.index.bytes);
            self.listed.push(Listed { place, at, bytes, terms: segment.index.terms });
        }
        Ok(())
    }

    /// Inserts a segment that is reported as damaged when it is read.
    fn insert_damaged(&mut self, revision: i64) -> Result<(), JournalError> {
        let last = Revision(u64::try_from(revision).map_err(|error| damaged(error.to_string()))?);
        let place = Place { seq: self.seq + 1, before: Revision(last.0.saturating_sub(1)), last };
        self.write(place, &[], NO_SUM)?;
        self.listed.push(Listed { place, at: i64::MIN, bytes: 0, terms: Box::default() });
        Ok(())
    }

    fn write(&mut self, place: Place, data: &[u8], sum: i64) -> Result<(), JournalError> {
        self.seq = place.seq;
        let values = params![place.seq, self.key, stored(place.before.0), stored(place.last.0), data, sum];
        self.connection
            .prepare_cached(
                "INSERT INTO log (seq, watchlist, before, last, data, checksum) VALUES (?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut insert| insert.execute(values))
            .map_err(store)?;
        Ok(())
    }
}

/// Reads a commit and verifies its checksum, if it has one. The error says what is damaged.
fn read_commit(id: WatchlistId, row: &Row<'_>) -> Result<Commit, String> {
    let read = || -> rusqlite::Result<_> {
        let uuid = |index| row.get(index).map(Uuid::from_bytes);
        let by = (uuid(2)?, row.get::<_, String>(3)?, uuid(4)?, row.get::<_, i64>(5)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, by, row.get::<_, String>(6)?, row.get(7)?))
    };
    let (revision, at, (user, name, client, edit), changes, sum) =
        read().map_err(|error| error.to_string())?;
    let sum: Option<i64> = sum;
    let computed = checksum(&[
        id.0.as_bytes(),
        &revision.to_le_bytes(),
        &at.to_le_bytes(),
        user.as_bytes(),
        name.as_bytes(),
        client.as_bytes(),
        &edit.to_le_bytes(),
        changes.as_bytes(),
    ]);
    if sum.is_some_and(|sum| sum != computed) {
        return Err("the checksum does not match".to_owned());
    }
    let number = |number: i64| u64::try_from(number).map_err(|error| error.to_string());
    let by = Author {
        user: UserId(user),
        name: name.into(),
        client: ClientId(client),
        edit: EditId(number(edit)?),
    };
    let changes = serde_json::from_str(&changes).map_err(|error| error.to_string())?;
    let revision = Revision(number(revision)?);
    if revision == Revision(0) {
        return Err("revision 0 has no commit".to_owned());
    }
    Ok(Commit { revision, by, at: Timestamp::from_millis(at), changes })
}

/// Moves the answers of one sender into runs.
fn move_answers(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
) -> Result<ControlFlow<()>, JournalError> {
    let sender: Option<(Vec<u8>, Vec<u8>)> = connection
        .query_row("SELECT user, client FROM answers WHERE watchlist = ? LIMIT 1", [key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
        .map_err(store)?;
    let Some((user, client)) = sender else { return Ok(ControlFlow::Break(())) };
    let ids = (Uuid::from_slice(&user), Uuid::from_slice(&client));
    if let (Ok(user_id), Ok(client_id)) = ids {
        let sender = Sender { user: UserId(user_id), client: ClientId(client_id) };
        let mut select = connection
            .prepare_cached(
                "SELECT edit, digest, revision, rejection, checksum FROM answers
                 WHERE watchlist = ? AND user = ? AND client = ? ORDER BY edit",
            )
            .map_err(store)?;
        let mut rows = select.query(params![key, user, client]).map_err(store)?;
        let mut answers = Vec::new();
        while let Some(row) = rows.next().map_err(store)? {
            match read_answer(id, sender, row) {
                Ok(answer) => answers.push(answer),
                Err(what) => {
                    warn!(watchlist = %id, %client_id, what, "found a damaged answer");
                    insert_damaged_run(connection, key, sender, row.get(0).map_err(store)?)?;
                }
            }
        }
        drop(rows);
        let answers = answers.into_iter().map(|answer| (0, answer)).collect();
        fold_answers(connection, &FoldedSender { list: (id, key), sender, answers })?;
    } else {
        warn!(watchlist = %id, "dropped the answers of a client whose id is damaged");
    }
    let deleted = connection
        .execute(
            "DELETE FROM answers WHERE watchlist = ? AND user = ? AND client = ?",
            params![key, user, client],
        )
        .map_err(store)?;
    if deleted == 0 {
        return Err(damaged("the answers of a client cannot be found by their key"));
    }
    Ok(ControlFlow::Continue(()))
}

/// Inserts a run that is reported as damaged when it is read.
fn insert_damaged_run(
    connection: &Connection,
    key: i64,
    sender: Sender,
    edit: i64,
) -> Result<(), JournalError> {
    let (user, client) = (sender.user.0.into_bytes(), sender.client.0.into_bytes());
    connection
        .execute(
            "INSERT OR IGNORE INTO runs (watchlist, user, client, first, last, seq, count, data, checksum)
             VALUES (?, ?, ?, ?, ?, 0, ?, x'', ?)",
            params![key, user, client, edit, edit, RUN_ANSWERS, NO_SUM],
        )
        .map_err(store)?;
    Ok(())
}

/// Reads an answer and verifies its checksum, if it has one. The error says what is damaged.
fn read_answer(id: WatchlistId, sender: Sender, row: &Row<'_>) -> Result<StoredAnswer, String> {
    let read = || -> rusqlite::Result<_> {
        let verdict = (row.get::<_, Option<i64>>(2)?, row.get::<_, Option<String>>(3)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, verdict, row.get::<_, Option<i64>>(4)?))
    };
    let (edit, digest, (revision, rejection), sum) = read().map_err(|error| error.to_string())?;
    let computed = checksum(&[
        id.0.as_bytes(),
        sender.user.0.as_bytes(),
        sender.client.0.as_bytes(),
        &edit.to_le_bytes(),
        &digest,
        &revision.map(i64::to_le_bytes).unwrap_or_default(),
        rejection.as_deref().unwrap_or_default().as_bytes(),
    ]);
    if sum.is_some_and(|sum| sum != computed) {
        return Err("the checksum does not match".to_owned());
    }
    let number = |number: i64| u64::try_from(number).map_err(|error| error.to_string());
    let verdict = match (revision, rejection) {
        (Some(revision), None) => StoredVerdict::Accepted(Revision(number(revision)?)),
        (None, Some(json)) => {
            serde_json::from_str::<Rejection>(&json).map_err(|error| error.to_string())?;
            StoredVerdict::Rejected(json.into())
        }
        _ => return Err("it is neither accepted nor rejected".to_owned()),
    };
    let digest =
        digest.try_into().map_err(|digest: Vec<u8>| format!("its digest has {} bytes", digest.len()))?;
    Ok(StoredAnswer { edit: EditId(number(edit)?), digest, verdict })
}

/// Adds the checksum of one part of a snapshot of version 1.
fn add_part_sum(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
) -> Result<ControlFlow<()>, JournalError> {
    let found: Option<((i64, i64, i64), Vec<u8>)> = connection
        .query_row(
            "SELECT revision, part, parts, data FROM snapshots WHERE watchlist = ? AND checksum IS NULL LIMIT 1",
            [key],
            |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)),
        )
        .optional()
        .map_err(store)?;
    let Some((place, data)) = found else { return Ok(ControlFlow::Break(())) };
    let updated = connection
        .execute(
            "UPDATE snapshots SET checksum = ? WHERE watchlist = ? AND revision = ? AND part = ?",
            params![part_sum(id, place, &data), key, place.0, place.1],
        )
        .map_err(store)?;
    if updated == 1 {
        Ok(ControlFlow::Continue(()))
    } else {
        Err(damaged(format!("{updated} parts of a snapshot were found by the key of one")))
    }
}
