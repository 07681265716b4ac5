//! A whole journal in SQLite, as the records that it consists of, while no server uses it.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};
use shared::{
    ids::{ClientId, Revision, UserId, WatchlistId},
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    block::Listed,
    file,
    fold::{RUN_ANSWERS, insert_block, insert_run},
    open::load_state,
    prune::newest_whole,
    read::{Blocks, read_data, runs_of, visit_blocks},
    snapshot::{read_encoded, write_part},
};
use crate::files::{remove_if_exists, with_suffix};
use crate::journal::{
    archive::Archive,
    form::{
        answer::{StoredAnswer, newest},
        codec::stored,
        error::{damaged, store},
        part::EncodedPart,
        segment::{NewSegment, Place, Segment, segment_sum},
    },
    record::{Record, Sender},
    store::{Answer, JournalError},
};

/// Number of bytes of segments that are read at once.
const PAGE_BYTES: usize = 4 << 20;
/// Number of senders whose answers are read at once.
const PAGE_SENDERS: i64 = 64;

/// A journal that was closed, so that its log is folded.
pub(in crate::journal) struct SqliteArchive(Mutex<Connection>);

impl SqliteArchive {
    /// Opens a journal, or creates it.
    ///
    /// # Errors
    /// The file is not a journal of this version, or its log is not folded.
    pub(in crate::journal) fn open(path: &Path) -> Result<Self, JournalError> {
        let connection = file::open(path)?.connection;
        // Otherwise the log of a copy would grow to its size.
        connection.pragma_update(None, "wal_autocheckpoint", 1_000).map_err(store)?;
        if load_state(&connection)?.state.tail().next().is_some() {
            return Err(JournalError::NotOurs(format!(
                "{} was not closed properly: serve it once, and stop the server",
                path.display()
            )));
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// Opens a file for a copy, or the one in which a copy of the same source was begun.
    ///
    /// # Errors
    /// The file has something else.
    pub(in crate::journal) fn target(path: &Path, source: &str) -> Result<Self, JournalError> {
        let mut archive = Self::open(path)?;
        if archive.source()?.is_none() {
            // A copy that was marked as complete and not moved into its place, or nothing.
            archive.close()?;
            for suffix in ["", "-wal", "-shm"] {
                remove_if_exists(&with_suffix(path, suffix)).map_err(store)?;
            }
            archive = Self::open(path)?;
            let begin = "BEGIN; CREATE TABLE copying (source TEXT NOT NULL) STRICT";
            let connection = archive.connection();
            connection.execute_batch(begin).map_err(store)?;
            connection.execute("INSERT INTO copying VALUES (?)", [source]).map_err(store)?;
            connection.execute_batch("COMMIT").map_err(store)?;
        }
        if archive.source()?.as_deref() == Some(source) {
            return Ok(archive);
        }
        let path = path.display();
        Err(JournalError::NotOurs(format!("{path} is a copy of another journal: delete it to start over")))
    }

    /// Returns what the journal is being copied from.
    fn source(&self) -> Result<Option<String>, JournalError> {
        let connection = self.connection();
        let exists = "SELECT count(*) FROM sqlite_schema WHERE name = 'copying'";
        match connection.query_row(exists, [], |row| row.get::<_, i64>(0)).map_err(store)? {
            0 => Ok(None),
            _ => connection
                .query_row("SELECT source FROM copying", [], |row| row.get(0))
                .optional()
                .map_err(store),
        }
    }

    /// Marks the copy as complete.
    pub(in crate::journal) fn complete(&self) -> Result<(), JournalError> {
        self.connection().execute_batch("DROP TABLE copying").map_err(store)
    }

    /// Writes everything to the disk, and closes the file.
    pub(in crate::journal) fn close(self) -> Result<(), JournalError> {
        let connection = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| store(error))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in a transaction, with the key of a watchlist.
    fn write<T>(
        &self,
        id: WatchlistId,
        work: impl FnOnce(&Connection, i64) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(store)?;
        let key = key_of(&transaction, id)?;
        let done = work(&transaction, key)?;
        transaction.commit().map_err(store)?;
        Ok(done)
    }

    fn read_segments(&self, id: WatchlistId, after: Revision) -> Result<Vec<NewSegment>, JournalError> {
        let connection = self.connection();
        let key = key_of(&connection, id)?;
        let (mut segments, mut bytes) = (Vec::new(), 0);
        visit_blocks(&connection, (id, key), Blocks::After(after), |listed, _| {
            for Listed { place, .. } in listed {
                // The answers are copied by themselves.
                if place.last > after && place.before < place.last && bytes < PAGE_BYTES {
                    let (data, sum) = read_data(&connection, place)?;
                    let index = Segment::read(id, place, &data, sum)?.index(data.len());
                    bytes += data.len();
                    segments.push(NewSegment { before: place.before, last: place.last, data, index });
                }
            }
            Ok(bytes < PAGE_BYTES)
        })?;
        Ok(segments)
    }

    fn read_answers(
        &self,
        id: WatchlistId,
        after: Option<Sender>,
    ) -> Result<Vec<(Sender, Vec<StoredAnswer>)>, JournalError> {
        let connection = self.connection();
        let key = key_of(&connection, id)?;
        let (user, client) = after
            .map_or(([0; 16], [0; 16]), |after| (after.user.0.into_bytes(), after.client.0.into_bytes()));
        let condition = if after.is_some() { ">" } else { ">=" };
        let mut select = connection
            .prepare_cached(&format!(
                "SELECT DISTINCT user, client FROM runs WHERE watchlist = ? AND (user, client) {condition} (?, ?)
                 ORDER BY user, client LIMIT ?"
            ))
            .map_err(store)?;
        let sender = |row: &rusqlite::Row<'_>| {
            let uuid = |index| row.get(index).map(Uuid::from_bytes);
            Ok(Sender { user: UserId(uuid(0)?), client: ClientId(uuid(1)?) })
        };
        let senders = select.query_map(params![key, user, client, PAGE_SENDERS], sender).map_err(store)?;
        let senders: Vec<Sender> = senders.collect::<Result<_, _>>().map_err(store)?;
        let read = |sender| Ok((sender, newest(runs_of(&connection, (id, key), sender)?)));
        senders.into_iter().map(read).collect()
    }

    fn add_list(&self, record: &Record) -> Result<(), JournalError> {
        let Record { id, epoch, name, revision, rows, deleted_at } = record;
        let values = params![
            id.0.as_bytes(),
            epoch.0.as_bytes(),
            &**name,
            stored(revision.0),
            stored(*rows as u64),
            deleted_at.map(Timestamp::as_millis),
        ];
        let insert = "INSERT INTO watchlists (id, epoch, name, revision, rows, deleted_at)
            VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
        self.connection().execute(insert, values).map(drop).map_err(store)
    }

    fn reset_list(&self, record: &Record) -> Result<(), JournalError> {
        let Record { id, epoch, name, revision, rows, deleted_at } = record;
        self.write(*id, |connection, key| {
            delete_records(connection, key)?;
            let values = params![
                epoch.0.as_bytes(),
                &**name,
                stored(revision.0),
                stored(*rows as u64),
                deleted_at.map(Timestamp::as_millis),
                key,
            ];
            let update =
                "UPDATE watchlists SET epoch = ?, name = ?, revision = ?, rows = ?, deleted_at = ?, bytes = 0
                WHERE key = ?";
            connection.execute(update, values).map(drop).map_err(store)
        })
    }

    fn remove_list(&self, id: WatchlistId) -> Result<(), JournalError> {
        self.write(id, |connection, key| {
            delete_records(connection, key)?;
            connection.execute("DELETE FROM watchlists WHERE key = ?", [key]).map(drop).map_err(store)
        })
    }

    fn write_segments(&self, id: WatchlistId, segments: &[NewSegment]) -> Result<(), JournalError> {
        self.write(id, |connection, key| {
            let last: i64 = connection
                .query_row("SELECT seq FROM folded", [], |row| row.get(0))
                .map_err(store)?;
            let (mut seq, mut listed) = (last, Vec::new());
            let mut insert = connection
                .prepare_cached("INSERT INTO log (seq, watchlist, before, last, data, checksum) VALUES (?, ?, ?, ?, ?, ?)")
                .map_err(store)?;
            for NewSegment { before, last, data, index } in segments {
                seq += 1;
                let place = Place { seq, before: *before, last: *last };
                let sum = segment_sum(id, place, data);
                insert.execute(params![seq, key, stored(before.0), stored(last.0), data, sum]).map_err(store)?;
                listed.push(Listed { place, at: index.at, bytes: index.bytes, terms: index.terms.clone() });
            }
            insert_block(connection, (id, key), &listed)?;
            connection.execute("UPDATE folded SET seq = ?", [seq]).map(drop).map_err(store)
        })
    }

    fn write_answers(
        &self,
        id: WatchlistId,
        answers: Vec<(Sender, Vec<StoredAnswer>)>,
    ) -> Result<(), JournalError> {
        self.write(id, |connection, key| {
            let seq: i64 =
                connection.query_row("SELECT seq FROM folded", [], |row| row.get(0)).map_err(store)?;
            for (sender, answers) in answers {
                let values = params![key, sender.user.0.into_bytes(), sender.client.0.into_bytes()];
                connection
                    .execute("DELETE FROM runs WHERE watchlist = ? AND user = ? AND client = ?", values)
                    .map_err(store)?;
                for run in answers.chunks(RUN_ANSWERS as usize) {
                    insert_run(connection, (id, key), sender, (run, seq))?;
                }
            }
            Ok(())
        })
    }
}

/// Deletes everything of a watchlist but its record.
fn delete_records(connection: &Connection, key: i64) -> Result<(), JournalError> {
    for table in ["log", "blocks", "runs", "snapshots"] {
        let delete = format!("DELETE FROM {table} WHERE watchlist = ?");
        connection.execute(&delete, [key]).map_err(store)?;
    }
    Ok(())
}

fn key_of(connection: &Connection, id: WatchlistId) -> Result<i64, JournalError> {
    let select = "SELECT key FROM watchlists WHERE id = ?";
    let key = connection.query_row(select, [id.0.as_bytes()], |row| row.get(0)).optional().map_err(store)?;
    key.ok_or_else(|| damaged(format!("watchlist {id} does not exist")))
}

/// Answers at once: a command line has nothing else to do.
fn done<'a, T: Send + 'a>(result: Result<T, JournalError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(result))
}

impl Archive for SqliteArchive {
    fn records(&self) -> Answer<'_, Vec<Record>> {
        done(load_state(&self.connection()).map(|loaded| loaded.state.records()))
    }

    fn segments(&self, id: WatchlistId, after: Revision) -> Answer<'_, Vec<NewSegment>> {
        done(self.read_segments(id, after))
    }

    fn answers(
        &self,
        id: WatchlistId,
        after: Option<Sender>,
    ) -> Answer<'_, Vec<(Sender, Vec<StoredAnswer>)>> {
        done(self.read_answers(id, after))
    }

    fn part(&self, id: WatchlistId, number: i64) -> Answer<'_, Option<EncodedPart>> {
        let connection = self.connection();
        let read = || {
            let key = key_of(&connection, id)?;
            let Some(revision) = newest_whole(&connection, key)? else { return Ok(None) };
            let part = read_encoded(&connection, key, stored(revision.0), number)?;
            part.map(|part| part.decode(id).map(|_valid| part)).transpose()
        };
        done(read())
    }

    fn add(&self, record: Record) -> Answer<'_, ()> {
        done(self.add_list(&record))
    }

    fn reset(&self, record: Record) -> Answer<'_, ()> {
        done(self.reset_list(&record))
    }

    fn remove(&self, id: WatchlistId) -> Answer<'_, ()> {
        done(self.remove_list(id))
    }

    fn append(&self, id: WatchlistId, segments: Vec<NewSegment>) -> Answer<'_, ()> {
        done(self.write_segments(id, &segments))
    }

    fn add_answers(&self, id: WatchlistId, answers: Vec<(Sender, Vec<StoredAnswer>)>) -> Answer<'_, ()> {
        done(self.write_answers(id, answers))
    }

    fn add_part(&self, id: WatchlistId, part: EncodedPart) -> Answer<'_, ()> {
        done(self.write(id, |connection, key| write_part(connection, key, &part)))
    }

    fn head(&self, id: WatchlistId) -> Answer<'_, Revision> {
        let connection = self.connection();
        let head = key_of(&connection, id).and_then(|key| {
            let select = "SELECT coalesce(max(last), 0) FROM blocks WHERE watchlist = ?";
            connection.query_row(select, [key], |row| row.get::<_, i64>(0)).map_err(store)
        });
        done(head.and_then(|head| u64::try_from(head).map(Revision).map_err(store)))
    }
}
