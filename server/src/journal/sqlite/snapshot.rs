//! Parts of snapshots.

use rusqlite::{Connection, OptionalExtension, params};
use shared::ids::WatchlistId;

use crate::journal::{
    form::{
        error::{damaged, store},
        part::EncodedPart,
    },
    record::StoredPart,
    store::JournalError,
};

/// Writes a part, and replaces one that an interrupted snapshot left.
pub(super) fn write_part(connection: &Connection, key: i64, part: &EncodedPart) -> Result<(), JournalError> {
    let EncodedPart { revision, part, parts, data, sum } = part;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO snapshots (watchlist, revision, part, parts, data, checksum)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| insert.execute(params![key, revision, part, parts, data, sum]))
        .map_err(store)?;
    Ok(())
}

/// Reads the part of a snapshot with a number, if there is one, and verifies its checksum.
pub(super) fn read_part(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    revision: i64,
    part: i64,
) -> Result<Option<StoredPart>, JournalError> {
    read_encoded(connection, key, revision, part)?.map(|part| part.decode(id)).transpose()
}

/// Reads the part of a snapshot with a number, if there is one, as it is stored.
pub(super) fn read_encoded(
    connection: &Connection,
    key: i64,
    revision: i64,
    part: i64,
) -> Result<Option<EncodedPart>, JournalError> {
    let found: Option<(i64, Vec<u8>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT parts, data, checksum FROM snapshots WHERE watchlist = ? AND revision = ? AND part = ?",
        )
        .and_then(|mut select| {
            select
                .query_row([key, revision, part], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()
        })
        .map_err(store)?;
    let Some((parts, data, sum)) = found else { return Ok(None) };
    let no_sum = || damaged(format!("part {part} of the snapshot at revision {revision} has no checksum"));
    let sum = sum.ok_or_else(no_sum)?;
    Ok(Some(EncodedPart { revision, part, parts, data, sum }))
}
