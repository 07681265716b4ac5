//! Parts of snapshots.

use rusqlite::{Connection, OptionalExtension, params};
use shared::{ids::WatchlistId, wire::codec::Encoding};

use super::{
    codec::{checksum, stored},
    error::{damaged, store, verify},
};
use crate::journal::{record::StoredPart, store::JournalError};

/// An encoded part.
pub(super) struct EncodedPart {
    revision: i64,
    part: i64,
    parts: i64,
    data: Vec<u8>,
    sum: i64,
}

/// Returns the checksum of a part.
pub(super) fn part_sum(id: WatchlistId, (revision, part, parts): (i64, i64, i64), data: &[u8]) -> i64 {
    checksum(&[id.0.as_bytes(), &revision.to_le_bytes(), &part.to_le_bytes(), &parts.to_le_bytes(), data])
}

impl EncodedPart {
    pub(super) fn new(id: WatchlistId, part: &StoredPart) -> Self {
        let data = Encoding::MessagePack.encode(part);
        let revision = stored(part.snapshot.revision.0);
        let (part, parts) = (stored(part.snapshot.part as u64), stored(part.snapshot.parts as u64));
        let sum = part_sum(id, (revision, part, parts), &data);
        Self { revision, part, parts, data, sum }
    }

    /// Whether the snapshot is complete once this part is written.
    pub(super) fn is_last(&self) -> bool {
        self.part == self.parts
    }

    /// Writes the part, and replaces one that an interrupted snapshot left.
    pub(super) fn write(&self, connection: &Connection, key: i64) -> Result<(), JournalError> {
        let Self { revision, part, parts, data, sum } = self;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshots (watchlist, revision, part, parts, data, checksum)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut insert| insert.execute(params![key, revision, part, parts, data, sum]))
            .map_err(store)?;
        Ok(())
    }
}

/// Reads the part of a snapshot with a number, if there is one, and verifies its checksum.
pub(super) fn read_part(
    connection: &Connection,
    (id, key): (WatchlistId, i64),
    revision: i64,
    part: i64,
) -> Result<Option<StoredPart>, JournalError> {
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
    let name = || format!("part {part} of the snapshot at revision {revision}");
    let sum = sum.ok_or_else(|| damaged(format!("{} has no checksum", name())))?;
    verify(part_sum(id, (revision, part, parts), &data), sum, name)?;
    let decoded = Encoding::MessagePack.decode(&data);
    decoded.map(Some).map_err(|error| damaged(format!("{}: {error}", name())))
}
