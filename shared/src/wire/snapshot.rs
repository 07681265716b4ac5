//! Snapshots, a whole watchlist on the wire: their parts and rows, and the conversions to and from the
//! domain's types.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    account::ListRole,
    column::{Column, ColumnKey},
    ids::{At, Epoch, Revision, RowId, WatchlistId},
    limits::Limits,
    position::Position,
    rejection::Rejection,
    time::Timestamp,
    value::Literal,
    watchlist::{Columns, Frozen, Row, Watchlist},
};

/// One part of a whole watchlist at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The watchlist's id.
    pub watchlist: WatchlistId,
    /// The watchlist's name.
    pub name: Arc<str>,
    /// The columns in order, removed ones included.
    pub columns: Vec<Column>,
    /// The history that the revision belongs to.
    pub epoch: Epoch,
    /// The revision that the snapshot shows.
    pub revision: Revision,
    /// Number of this part, from 1.
    pub part: usize,
    /// Number of parts of the whole snapshot.
    pub parts: usize,
    /// The caller's role on the watchlist; left out where a snapshot is stored, and by servers without
    /// accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ListRole>,
    /// The rows of this part, in order.
    pub rows: Vec<SnapshotRow>,
}

/// A row of a snapshot. Empty cells are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRow {
    /// The row's id.
    pub row: RowId,
    /// The row's position in the list's own order.
    pub position: Position,
    /// The values of the cells that are not empty.
    pub cells: BTreeMap<ColumnKey, Literal>,
    /// When cells were last set, for the columns that a `changedAt` column reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<ColumnKey, Timestamp>,
}

impl Snapshot {
    /// Splits a watchlist into parts of about `part_bytes` each once encoded, or as large as its columns if
    /// those are larger, because every part contains them. There is at least one.
    pub fn parts(
        frozen: &Frozen,
        watchlist: WatchlistId,
        at: At,
        part_bytes: usize,
    ) -> impl Iterator<Item = Snapshot> {
        let part_bytes = part_bytes.max(frozen.columns.approximate_bytes());
        let mut ends = Vec::new();
        let mut bytes = 0;
        for (index, row) in frozen.rows().enumerate() {
            let of_row = row.approximate_bytes();
            // A row that is larger than a part has one of its own.
            if bytes > 0 && bytes + of_row > part_bytes {
                ends.push(index);
                bytes = 0;
            }
            bytes += of_row;
        }
        ends.push(frozen.len());
        let parts = ends.len();
        (0..parts).map(move |part| {
            let start = if part == 0 { 0 } else { ends[part - 1] };
            Snapshot {
                watchlist,
                name: frozen.name.clone(),
                columns: columns(&frozen.columns),
                epoch: at.epoch,
                revision: at.revision,
                part: part + 1,
                parts,
                role: None,
                rows: (start..ends[part])
                    .map(|index| SnapshotRow::stored(frozen, frozen.row(index)))
                    .collect(),
            }
        })
    }
}

impl Snapshot {
    /// Converts a watchlist to a snapshot of one part, whatever its size.
    pub fn whole(frozen: &Frozen, watchlist: WatchlistId, at: At) -> Self {
        let mut parts = Self::parts(frozen, watchlist, at, usize::MAX);
        parts.next().expect("there is at least one part")
    }

    /// Returns the watchlist of a snapshot of one part.
    ///
    /// # Errors
    /// A column or a row that no watchlist can have.
    pub fn load(&self) -> Result<(Watchlist, At), Rejection> {
        let mut watchlist =
            Watchlist::new(&self.name, self.columns.clone(), &Limits::default().for_stored())?;
        for row in &self.rows {
            row.load_into(&mut watchlist)?;
        }
        Ok((watchlist, At { epoch: self.epoch, revision: self.revision }))
    }
}

impl SnapshotRow {
    /// Converts a row without its derived cells, as snapshots send it.
    pub fn stored(frozen: &Frozen, row: &Row) -> Self {
        Self::convert(frozen, row, false)
    }

    /// Converts a row with its derived cells, as HTTP answers show it.
    pub fn with_derived(frozen: &Frozen, row: &Row) -> Self {
        Self::convert(frozen, row, true)
    }

    fn convert(frozen: &Frozen, row: &Row, with_derived: bool) -> Self {
        let mut cells = BTreeMap::new();
        let mut changed = BTreeMap::new();
        for entry in frozen.columns.iter() {
            if entry.column.derive.is_some() && !with_derived {
                continue;
            }
            let literal = frozen.value(row, entry).to_literal();
            if literal != Literal::Empty {
                cells.insert(entry.column.key.clone(), literal);
            }
            if let Some(at) = row.changed(entry.slot) {
                changed.insert(entry.column.key.clone(), at);
            }
        }
        Self { row: row.id, position: row.position.clone(), cells, changed }
    }

    /// Adds the row to a watchlist that is being loaded. Each cell is read by its column's kind.
    ///
    /// # Errors
    /// A cell that its column cannot hold, or a row that the watchlist already has.
    pub fn load_into(&self, watchlist: &mut Watchlist) -> Result<(), Rejection> {
        let limits = Limits::default().for_stored();
        let mut row = Row::new(self.row, self.position.clone());
        for (key, literal) in &self.cells {
            let entry = watchlist.columns().known(key)?;
            let value = entry.column.kind.read(literal, &limits)?;
            // The cells of derived columns are computed.
            if entry.column.derive.is_none() {
                row.store(entry.slot, value);
            }
        }
        for (key, at) in &self.changed {
            let entry = watchlist.columns().known(key)?;
            if entry.column.derive.is_none() {
                row.set_changed(entry.slot, Some(*at));
            }
        }
        watchlist.load_row(row)
    }
}

/// Returns the columns as the protocol writes them, removed ones included.
pub fn columns(columns: &Columns) -> Vec<Column> {
    columns.iter().map(|entry| entry.column.clone()).collect()
}
