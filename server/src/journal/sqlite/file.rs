//! The journal's file: opening it, and telling it from a file of another program or version.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    checkpoint::BUSY,
    schema::{
        APPLICATION_ID, VERSION, add_days, check_definitions, create, newer, newest_recorded, not_ours,
        pragma,
    },
    upgrade,
};
use crate::journal::form::error::store;
use crate::{
    files::{TOKEN_FILE, create_private, with_suffix},
    journal::store::JournalError,
};

/// Name of the journal's file in the data folder.
pub const FILE: &str = "journal.sqlite";
/// Name of the file that holds a backup until it replaces the journal.
pub const RESTORING: &str = "journal.sqlite.new";
/// Suffix of a journal that a backup has replaced, before its number.
pub const REPLACED: &str = ".replaced-";
/// Size to which the write-ahead log is truncated when it starts over, in bytes.
const LOG_BYTES: i64 = 64 << 20;

/// A file that was opened for writing.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// Whether the journal was not closed by the process that wrote it last.
    pub(super) was_unclean: bool,
}

/// Returns the path of the journal in a data folder.
///
/// # Errors
/// The folder is what a truncation or an interrupted restore left.
pub(super) fn path_in(data_dir: &Path) -> Result<PathBuf, JournalError> {
    let path = data_dir.join(FILE);
    if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) && data_dir.join(TOKEN_FILE).exists() {
        return Err(JournalError::NotOurs(format!(
            "{} is empty: it was truncated. Restore a backup with `afterglow-server restore FILE`, or delete it to \
             start over",
            path.display()
        )));
    }
    let half_restored = data_dir.join(RESTORING);
    if !path.exists() && half_restored.exists() {
        let instead = match newest_replaced(&path) {
            Some(replaced) => format!("restore {}, the journal that it was to replace", replaced.display()),
            None => format!("delete {} to start over", half_restored.display()),
        };
        return Err(JournalError::NotOurs(format!(
            "restoring a backup as {} was interrupted: restore it again, or {instead}",
            path.display()
        )));
    }
    Ok(path)
}

/// Returns the journal that the last restore has renamed, if there is one.
fn newest_replaced(journal: &Path) -> Option<PathBuf> {
    let replaced = |number: u32| with_suffix(journal, &format!("{REPLACED}{number}"));
    (1..).map(replaced).take_while(|path| path.exists()).last()
}

/// Opens a journal's file for writing, or creates it, and upgrades it to the current version.
///
/// # Errors
/// The file is not a journal, is damaged, or cannot be opened. It is not changed.
pub(super) fn open(path: &Path) -> Result<Opened, JournalError> {
    check_header(path)?;
    let log = std::fs::metadata(with_suffix(path, "-wal"));
    let was_unclean = log.is_ok_and(|log| log.len() > 0);
    match create_private(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(store(error)),
        _ => {}
    }
    let unreadable = |error: rusqlite::Error| {
        JournalError::NotOurs(format!(
            "{} cannot be read as a journal of Afterglow: {error}. Restore a backup with \
             `afterglow-server restore FILE`, or move the file away to start over",
            path.display()
        ))
    };
    let connection = connect(path).map_err(unreadable)?;
    // The file is empty if it is new, or if a process crashed while creating it.
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unreadable)?;
    check_definitions(path, &connection)?;
    if tables == 0 {
        create(&connection)?;
    }
    if pragma(&connection, "application_id").map_err(unreadable)? != APPLICATION_ID {
        return Err(not_ours(path));
    }
    if newest_recorded(&connection).map_err(unreadable)? > VERSION {
        return Err(newer(path));
    }
    if pragma(&connection, "user_version").map_err(unreadable)? < VERSION {
        upgrade::run(&connection)?;
    }
    add_days(&connection)?;
    Ok(Opened { connection, was_unclean })
}

/// Opens the writing connection.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Takes effect for a new file only, and has to precede everything else.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    Ok(connection)
}

/// Checks that a file, if it exists and is not empty, has the header of an SQLite database.
pub(super) fn check_header(path: &Path) -> Result<(), JournalError> {
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    let mut start = Vec::new();
    file.take(16).read_to_end(&mut start).map_err(store)?;
    if start.is_empty() || start == b"SQLite format 3\0" {
        return Ok(());
    }
    Err(not_ours(path))
}
