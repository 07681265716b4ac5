//! Accounts on disk: an SQLite file in the data folder. It is read as a whole when it is opened, because the
//! server keeps all of it in memory; the records are JSON.

use std::{io, path::Path};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    audit::{self, Entry, Stored},
    record::{Account, Change, Grant, Session, Token},
};
use crate::files::create_private;

/// Name of the file in a data folder.
pub const FILE: &str = "accounts.sqlite";
/// Version of the file's tables. The records of the first one had no checksums.
const VERSION: i64 = 2;
/// How long a write waits for another program that has locked the file, in milliseconds.
const BUSY_MILLIS: u32 = 2_000;

/// Why accounts cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be created.
    #[error("the file of the accounts cannot be created")]
    Create(#[source] io::Error),
    /// SQLite reports an error.
    #[error("the accounts cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// A record is not what this version writes.
    #[error("the record {key} of the accounts is damaged")]
    Damaged {
        /// The record.
        key: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A record does not have its checksum.
    #[error("the record {0} of the accounts was changed by another program, or is damaged")]
    Changed(String),
    /// An entry of the audit log is missing or was changed.
    #[error("entry {0} of the audit log is missing or was changed")]
    AuditBroken(i64),
    /// A newer version wrote the file.
    #[error("the accounts were written by a newer version of Afterglow")]
    Newer,
}

/// Writes a consistent copy of the accounts of a data folder, which may be served, to a new private file.
/// Returns whether the folder has accounts.
///
/// # Errors
/// The accounts cannot be read, or the copy cannot be written.
pub fn copy(data_dir: &Path, file: &Path) -> Result<bool, StoreError> {
    let Some(store) = Store::open_existing(data_dir)? else { return Ok(false) };
    create_private(file).map_err(StoreError::Create)?;
    store.connection.execute("VACUUM INTO ?1", [file.to_string_lossy()])?;
    Ok(true)
}

/// Writes a copy of a file with accounts, and of its write-ahead log, into an empty file.
///
/// # Errors
/// The file cannot be read, or the copy cannot be written.
pub fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}

/// Checks a copy and prepares it for a data folder: all sessions end, because someone may have been signed
/// out since.
///
/// # Errors
/// The copy is damaged or was written by a newer version.
pub fn prepare_copy(file: &Path) -> Result<(), StoreError> {
    check(file)?;
    let connection = Connection::open(file)?;
    let store = Store::prepare(connection)?;
    store.load()?;
    store.connection.execute("DELETE FROM record WHERE key LIKE 'session/%'", [])?;
    Ok(())
}

/// Checks every record of a file with accounts, and its audit log, without changing it.
///
/// # Errors
/// The file is damaged, or was written by a newer version.
pub fn check(file: &Path) -> Result<(), StoreError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MILLIS.into()))?;
    let found: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if found != "ok" {
        return Err(StoreError::Sqlite(rusqlite::Error::InvalidQuery));
    }
    let store = Store::read(connection)?;
    store.load()?;
    match store.audit()?.1 {
        Some(number) => Err(StoreError::AuditBroken(number)),
        None => Ok(()),
    }
}

/// The open file.
pub(super) struct Store {
    connection: Connection,
    /// Number and hash of the last entry of the audit log.
    last: (i64, String),
}

impl Store {
    /// Opens the file of a data folder, if it has one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) fn open_existing(folder: &Path) -> Result<Option<Self>, StoreError> {
        let file = folder.join(FILE);
        if file.exists() { Self::open(&file).map(Some) } else { Ok(None) }
    }

    /// Creates the file of a data folder.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) fn create(folder: &Path) -> Result<Self, StoreError> {
        let file = folder.join(FILE);
        match create_private(&file) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::Create(error)),
            Ok(_) | Err(_) => Self::open(&file),
        }
    }

    /// Creates accounts that are kept in memory only.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn open(file: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        Self::prepare(connection)
    }

    fn prepare(mut connection: Connection) -> Result<Self, StoreError> {
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MILLIS.into()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        match version_of(&connection)? {
            1 => upgrade(&mut connection)?,
            version if version > VERSION => return Err(StoreError::Newer),
            _ => {}
        }
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS record (key TEXT PRIMARY KEY, body TEXT NOT NULL, sum TEXT NOT NULL) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS audit_end (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, hash TEXT NOT NULL);
             INSERT OR IGNORE INTO audit_end SELECT 1, number, hash FROM audit ORDER BY number DESC LIMIT 1;",
        )?;
        connection.pragma_update(None, "user_version", VERSION)?;
        Self::read(connection)
    }

    /// Returns a store whose tables are there.
    fn read(connection: Connection) -> Result<Self, StoreError> {
        // Not the last entry that is there: if it was removed, the next one must not take its place.
        let last = "SELECT number, hash FROM audit_end";
        let last = connection.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(Self { connection, last: last.unwrap_or((0, audit::START.to_owned())) })
    }

    /// Reads every record, as the changes that lead to it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) fn load(&self) -> Result<Vec<Change>, StoreError> {
        let sum = match version_of(&self.connection)? {
            1 => "NULL",
            version if version > VERSION => return Err(StoreError::Newer),
            _ => "sum",
        };
        let select = format!("SELECT key, body, {sum} FROM record ORDER BY key");
        let mut statement = self.connection.prepare(&select)?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        rows.map(|row| {
            let (key, body, sum) = row?;
            if sum.is_some_and(|sum| sum != sum_of(&key, &body)) {
                return Err(StoreError::Changed(key));
            }
            match key.split('/').next() {
                Some("account") => read(&key, &body).map(Change::Account),
                Some("session") => read(&key, &body).map(Change::Session),
                Some("token") => read(&key, &body).map(Change::Token),
                _ => read(&key, &body).map(Change::Grant),
            }
        })
        .collect()
    }

    /// Writes changes and entries of the audit log in one transaction, which is on disk when this returns.
    ///
    /// # Errors
    /// See [`StoreError`]. Nothing is written then.
    pub(super) fn write(&mut self, changes: &[Change], entries: &[Entry]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for change in changes {
            match row_of(change) {
                (key, Some(body)) => {
                    let put = "INSERT INTO record (key, body, sum) VALUES (?1, ?2, ?3)
                               ON CONFLICT (key) DO UPDATE SET body = ?2, sum = ?3";
                    let sum = sum_of(&key, &body);
                    transaction.prepare_cached(put)?.execute(params![key, body, sum])?;
                }
                (key, None) => {
                    transaction.prepare_cached("DELETE FROM record WHERE key = ?1")?.execute([key])?;
                }
            }
        }
        let mut last = self.last.clone();
        for entry in entries {
            let stored = Stored::after((last.0, &last.1), entry);
            let insert = "INSERT INTO audit (number, entry, hash) VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(insert)?.execute(params![stored.number, stored.entry, stored.hash])?;
            last = (stored.number, stored.hash);
        }
        if !entries.is_empty() {
            let end = "INSERT INTO audit_end (one, number, hash) VALUES (1, ?1, ?2)
                       ON CONFLICT (one) DO UPDATE SET number = ?1, hash = ?2";
            transaction.prepare_cached(end)?.execute(params![last.0, last.1])?;
        }
        transaction.commit()?;
        self.last = last;
        Ok(())
    }

    /// Reads the audit log, oldest entry first, and the number of the first entry that is missing or was
    /// changed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) fn audit(&self) -> Result<(Vec<Stored>, Option<i64>), StoreError> {
        let mut statement =
            self.connection.prepare("SELECT number, entry, hash FROM audit ORDER BY number")?;
        let rows = statement
            .query_map([], |row| Ok(Stored { number: row.get(0)?, entry: row.get(1)?, hash: row.get(2)? }))?;
        let entries: Vec<Stored> = rows.collect::<Result<_, _>>()?;
        let broken_at = audit::first_broken(&entries, (self.last.0, &self.last.1));
        Ok((entries, broken_at))
    }
}

fn version_of(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Adds the checksums to the records of the first version.
fn upgrade(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    transaction.execute("ALTER TABLE record ADD COLUMN sum TEXT NOT NULL DEFAULT ''", [])?;
    let mut statement = transaction.prepare("SELECT key, body FROM record")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let records: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    drop(statement);
    for (key, body) in &records {
        let set = "UPDATE record SET sum = ?2 WHERE key = ?1";
        transaction.prepare_cached(set)?.execute(params![key, sum_of(key, body)])?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Returns the checksum of a record: the SHA-256 of its key and its body.
fn sum_of(key: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(key.as_bytes());
    hasher.update([0]);
    hasher.update(body.as_bytes());
    hex::encode(hasher.finalize())
}

fn read<T: DeserializeOwned>(key: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|source| StoreError::Damaged { key: key.to_owned(), source })
}

/// Returns the key of the record that a change is about, and its new body; `None` if it is removed.
fn row_of(change: &Change) -> (String, Option<String>) {
    fn json<T: Serialize>(record: &T) -> Option<String> {
        Some(serde_json::to_string(record).expect("a record is plain data"))
    }
    let grant_key = |watchlist, user: Option<_>| match user {
        Some(user) => format!("grant/{watchlist}/{user}"),
        None => format!("grant/{watchlist}/everyone"),
    };
    match change {
        Change::Account(account) => (key::<Account>(account.id), json(account)),
        Change::Session(session) => (key::<Session>(session.id), json(session)),
        Change::EndSession(id) => (key::<Session>(id), None),
        Change::Token(token) => (key::<Token>(token.id), json(token)),
        Change::RevokeToken(id) => (key::<Token>(id), None),
        Change::Grant(grant @ Grant { watchlist, user, .. }) => (grant_key(*watchlist, *user), json(grant)),
        Change::Revoke(watchlist, user) => (grant_key(*watchlist, *user), None),
    }
}

/// A record that has an id.
trait Keyed {
    const KIND: &'static str;
}

impl Keyed for Account {
    const KIND: &'static str = "account";
}

impl Keyed for Session {
    const KIND: &'static str = "session";
}

impl Keyed for Token {
    const KIND: &'static str = "token";
}

fn key<T: Keyed>(id: impl std::fmt::Display) -> String {
    format!("{}/{id}", T::KIND)
}

#[cfg(test)]
mod tests {
    use shared::{
        account::ListRole,
        ids::{UserId, WatchlistId},
        time::Timestamp,
    };
    use uuid::Uuid;

    use super::*;
    use crate::accounts::{audit::Event, secret::Secret};

    fn changes() -> Vec<Change> {
        let session = Session {
            id: Uuid::from_u128(1),
            account: UserId(Uuid::from_u128(2)),
            digest: Secret::of_session().digest(),
            created: Timestamp::from_millis(5),
            last_used: Timestamp::from_millis(6),
            address: "127.0.0.1".to_owned(),
            app: "test/1".to_owned(),
        };
        let watchlist = WatchlistId(Uuid::from_u128(3));
        let grant = |user| Change::Grant(Grant { watchlist, user, role: ListRole::Editor });
        vec![grant(Some(session.account)), grant(None), Change::Session(session)]
    }

    fn entry() -> Entry {
        Entry { at: Timestamp::from_millis(1), by: "ann".to_owned(), address: None, event: Event::SignedOut }
    }

    #[test]
    fn what_is_written_is_read_again_and_the_log_continues() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Store::open_existing(folder.path()).unwrap().is_none());
        let mut store = Store::create(folder.path()).unwrap();
        store.write(&changes(), &[entry()]).unwrap();
        let before = store.load().unwrap();
        assert_eq!(before.len(), 3);
        drop(store);
        let mut store = Store::open_existing(folder.path()).unwrap().unwrap();
        assert_eq!(store.load().unwrap(), before);
        store.write(&[Change::EndSession(Uuid::from_u128(1))], &[entry(), entry()]).unwrap();
        assert_eq!(store.load().unwrap().len(), 2);
        let (log, broken_at) = store.audit().unwrap();
        assert_eq!((log.len(), broken_at), (3, None));
        drop(store);
        // The last entries are removed.
        let other = Connection::open(folder.path().join(FILE)).unwrap();
        other.execute("DELETE FROM audit WHERE number > 1", []).unwrap();
        let mut store = Store::open_existing(folder.path()).unwrap().unwrap();
        assert_eq!(store.audit().unwrap().1, Some(2));
        store.write(&[], &[entry()]).unwrap();
        let (log, broken_at) = store.audit().unwrap();
        assert_eq!((log.last().unwrap().number, broken_at), (4, Some(2)), "no later entry hides it");
    }

    #[test]
    fn every_record_and_entry_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let mut store = Store::create(folder.path()).unwrap();
        store.write(&changes(), &[entry(), entry()]).unwrap();
        check(&file).unwrap();
        for (damage, mend) in [
            (
                "UPDATE record SET body = replace(body, 'test/1', 'test/2')",
                "UPDATE record SET body = replace(body, 'test/2', 'test/1')",
            ),
            (
                "UPDATE record SET body = replace(body, 'editor', 'viewer')",
                "UPDATE record SET body = replace(body, 'viewer', 'editor')",
            ),
            (
                "UPDATE audit SET entry = replace(entry, 'ann', 'bob') WHERE number = 1",
                "UPDATE audit SET entry = replace(entry, 'bob', 'ann')",
            ),
        ] {
            assert!(store.connection.execute(damage, []).unwrap() > 0);
            assert!(check(&file).is_err(), "{damage}");
            store.connection.execute(mend, []).unwrap();
            check(&file).unwrap();
        }
    }

    #[test]
    fn a_file_of_the_first_version_gets_checksums() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path()).unwrap();
        store.write(&changes(), &[entry()]).unwrap();
        let before = store.load().unwrap();
        store
            .connection
            .execute_batch("ALTER TABLE record DROP COLUMN sum; PRAGMA user_version = 1")
            .unwrap();
        drop(store);
        let file = folder.path().join(FILE);
        check(&file).unwrap();
        let store = Store::open_existing(folder.path()).unwrap().unwrap();
        assert_eq!(store.load().unwrap(), before);
        store.connection.execute("UPDATE record SET body = '{}' WHERE key LIKE 'grant/%'", []).unwrap();
        assert!(matches!(check(&file), Err(StoreError::Changed(_))));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_by_its_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        drop(Store::create(folder.path()).unwrap());
        let mode = std::fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_newer_or_damaged_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        let insert = "INSERT INTO record VALUES ('token/x', '{}', ?1)";
        store.connection.execute(insert, [sum_of("token/x", "{}")]).unwrap();
        assert!(store.load().unwrap_err().to_string().contains("token/x"));
        store.connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(store);
        assert!(matches!(Store::open_existing(folder.path()), Err(StoreError::Newer)));
    }

    #[test]
    fn nothing_is_written_while_another_program_has_locked_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path()).unwrap();
        store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = Connection::open(folder.path().join(FILE)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(store.write(&changes(), &[entry()]).is_err());
        other.execute_batch("ROLLBACK").unwrap();
        assert!(store.load().unwrap().is_empty() && store.audit().unwrap().0.is_empty());
        store.write(&changes(), &[entry()]).unwrap();
        assert_eq!(store.audit().unwrap().1, None);
    }

    #[test]
    fn a_write_for_which_the_disk_has_no_room_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::create(folder.path()).unwrap();
        store.write(&changes(), &[entry()]).unwrap();
        let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        // SQLite reports the limit as it reports a full disk.
        store.connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
        let (mut written, entries) = (1, vec![entry(); 10]);
        while store.write(&[], &entries).is_ok() {
            written += entries.len();
        }
        let records = store.load().unwrap().len();
        assert!(store.write(&changes(), &entries).is_err());
        assert_eq!((store.load().unwrap().len(), store.audit().unwrap().0.len()), (records, written));
        assert_eq!(store.audit().unwrap().1, None, "the log is whole");
        store.connection.pragma_update(None, "max_page_count", pages + 1_000).unwrap();
        store.write(&changes(), &entries).unwrap();
        assert_eq!(store.audit().unwrap().0.len(), written + entries.len());
    }
}
