//! The tables of a journal, and the versions of their layout.

use std::path::Path;

use rusqlite::Connection;

use crate::journal::{form::error::store, store::JournalError};

/// Marks the file as ours (`PRAGMA application_id`): "AFGL".
pub(super) const APPLICATION_ID: i64 = 0x4146_474C;
/// Version of the layout (`PRAGMA user_version`). A journal of an older version is upgraded when it is
/// opened.
pub(super) const VERSION: i64 = 3;

/// Tables that every version has.
const BASE: &str = include_str!("../../../migrations/base.sql");
/// Tables of the current version.
const CURRENT: &str = include_str!("../../../migrations/log.sql");
/// A table that the first journals of the current version do not have. Programs that do not know it ignore
/// it.
const DAYS: &str = include_str!("../../../migrations/days.sql");

/// Creates the tables of a new journal.
pub(super) fn create(connection: &Connection) -> Result<(), JournalError> {
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};");
    let transaction = format!("BEGIN IMMEDIATE; {BASE} {CURRENT} {marks} COMMIT;");
    connection.execute_batch(&transaction).map_err(store)
}

/// Adds the tables of the current version to a journal of an older one. From then on older programs refuse
/// it.
pub(super) fn add_current(connection: &Connection) -> Result<(), JournalError> {
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {CURRENT} COMMIT;")).map_err(store)
}

/// Adds the table that the first journals of the current version do not have.
pub(super) fn add_days(connection: &Connection) -> Result<(), JournalError> {
    connection.execute_batch(DAYS).map_err(store)
}

/// Returns the value of a pragma that is a number.
pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Returns the newest version that a program recorded in the file. Programs up to version 2 refuse a file
/// that has one that they do not know.
pub(super) fn newest_recorded(connection: &Connection) -> rusqlite::Result<i64> {
    let recorded = connection
        .query_row("SELECT max(version) FROM _sqlx_migrations", [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(recorded.unwrap_or(0).max(pragma(connection, "user_version")?))
}

/// Returns the error of a file that is no journal.
pub(super) fn not_ours(path: &Path) -> JournalError {
    JournalError::NotOurs(format!("{} is not a journal of Afterglow: move it away", path.display()))
}

/// Returns the error of a file that a newer program has written.
pub(super) fn newer(path: &Path) -> JournalError {
    JournalError::NotOurs(format!(
        "{} was written by a newer version of Afterglow: use that version",
        path.display()
    ))
}

/// Checks that the names and the definitions of the tables are UTF-8.
pub(super) fn check_definitions(path: &Path, connection: &Connection) -> Result<(), JournalError> {
    let damaged = || {
        JournalError::NotOurs(format!(
            "{} is damaged (the definition of a table cannot be read). Restore a backup with \
             `afterglow-server restore FILE`",
            path.display()
        ))
    };
    let read = || -> rusqlite::Result<bool> {
        // As bytes: a text that is not UTF-8 is an error of its own.
        let mut select = connection.prepare(
            "SELECT CAST(name || ' ' || tbl_name || ' ' || ifnull(sql, '') AS BLOB) FROM sqlite_schema",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if std::str::from_utf8(row.get_ref(0)?.as_bytes()?).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    if read().unwrap_or(false) { Ok(()) } else { Err(damaged()) }
}
