//! The form of the parts of a snapshot.

use shared::{ids::WatchlistId, wire::codec::Encoding};

use super::{
    codec::{checksum, stored},
    error::{damaged, verify},
};
use crate::journal::{record::StoredPart, store::JournalError};

/// An encoded part.
pub(in crate::journal) struct EncodedPart {
    pub(in crate::journal) revision: i64,
    pub(in crate::journal) part: i64,
    pub(in crate::journal) parts: i64,
    pub(in crate::journal) data: Vec<u8>,
    pub(in crate::journal) sum: i64,
}

impl EncodedPart {
    pub(in crate::journal) fn new(id: WatchlistId, part: &StoredPart) -> Self {
        let data = Encoding::MessagePack.encode(part);
        let revision = stored(part.snapshot.revision.0);
        let (part, parts) = (stored(part.snapshot.part as u64), stored(part.snapshot.parts as u64));
        let sum = part_sum(id, (revision, part, parts), &data);
        Self { revision, part, parts, data, sum }
    }

    /// Whether the snapshot is complete once this part is written.
    pub(in crate::journal) fn is_last(&self) -> bool {
        self.part == self.parts
    }

    /// Decodes the part and verifies its checksum.
    pub(in crate::journal) fn decode(&self, id: WatchlistId) -> Result<StoredPart, JournalError> {
        let Self { revision, part, parts, ref data, sum } = *self;
        let name = || format!("part {part} of the snapshot at revision {revision}");
        verify(part_sum(id, (revision, part, parts), data), sum, name)?;
        let decoded = Encoding::MessagePack.decode(data);
        decoded.map_err(|error| damaged(format!("{}: {error}", name())))
    }
}

/// Returns the checksum of a part.
pub(in crate::journal) fn part_sum(
    id: WatchlistId,
    (revision, part, parts): (i64, i64, i64),
    data: &[u8],
) -> i64 {
    checksum(&[id.0.as_bytes(), &revision.to_le_bytes(), &part.to_le_bytes(), &parts.to_le_bytes(), data])
}
