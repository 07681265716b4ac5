//! A watchlist as it was at one moment, for reading elsewhere: rows are shared, not copied.

use std::{collections::BTreeMap, sync::Arc};

use super::{ColumnEntry, Columns, Row, Watchlist, rows::Slab};
use crate::{
    column::Column,
    ids::WatchlistId,
    value::{Literal, Value},
    wire::{
        At,
        server::{Snapshot, SnapshotRow},
    },
};

/// Name, columns and rows in order, all shared with the watchlist that they were taken from.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// What people call it.
    pub name: Arc<str>,
    /// Its columns, hidden ones among them.
    pub columns: Columns,
    rows: Slab,
    /// In their order.
    handles: Vec<u32>,
}

impl Watchlist {
    /// What is there now, to be read while the watchlist goes on.
    pub fn freeze(&self) -> Frozen {
        let (rows, handles) = self.rows.share();
        Frozen { name: self.name.clone(), columns: self.columns.clone(), rows, handles }
    }
}

impl Frozen {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// The row at a place, from 0, which has to be there.
    pub fn row(&self, index: usize) -> &Arc<Row> {
        self.rows.get(self.handles[index]).expect("handles in use point at rows")
    }

    /// The handle of the row at a place: see [`super::Rows::handle`].
    pub fn handle(&self, index: usize) -> u32 {
        self.handles[index]
    }

    /// Its rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Arc<Row>> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// What a row shows in a column, derived or not.
    pub fn value(&self, row: &Row, entry: &ColumnEntry) -> Value {
        row.value(entry, &self.columns)
    }

    /// The columns as the protocol writes them.
    pub fn wire_columns(&self) -> Vec<Column> {
        self.columns.iter().map(|entry| entry.column.clone()).collect()
    }

    /// A row as the protocol writes it; derived columns only where asked for, as HTTP answers have them.
    pub fn wire_row(&self, row: &Row, with_derived: bool) -> SnapshotRow {
        let mut cells = BTreeMap::new();
        let mut changed = BTreeMap::new();
        for entry in self.columns.iter() {
            if entry.column.derive.is_some() && !with_derived {
                continue;
            }
            let literal = self.value(row, entry).to_literal();
            if literal != Literal::Empty {
                cells.insert(entry.column.key.clone(), literal);
            }
            if let Some(at) = row.changed(entry.slot) {
                changed.insert(entry.column.key.clone(), at);
            }
        }
        SnapshotRow { row: row.id, position: row.position.clone(), cells, changed }
    }

    /// The parts of a snapshot, each of about `part_bytes` once written.
    pub fn parts(&self, watchlist: WatchlistId, at: At, part_bytes: usize) -> impl Iterator<Item = Snapshot> {
        let per_row = |row: &Row| {
            80 + self.columns.iter().map(|entry| cell_bytes(row.stored(entry.slot))).sum::<usize>()
        };
        let mut ends = Vec::new();
        let mut bytes = 0;
        for (index, row) in self.rows().enumerate() {
            bytes += per_row(row);
            if bytes >= part_bytes {
                ends.push(index + 1);
                bytes = 0;
            }
        }
        if ends.last() != Some(&self.len()) || ends.is_empty() {
            ends.push(self.len());
        }
        let parts = ends.len();
        (0..parts).map(move |part| {
            let start = if part == 0 { 0 } else { ends[part - 1] };
            Snapshot {
                watchlist,
                name: self.name.clone(),
                columns: self.wire_columns(),
                epoch: at.epoch,
                revision: at.revision,
                part: part + 1,
                parts,
                rows: (start..ends[part]).map(|index| self.wire_row(self.row(index), false)).collect(),
            }
        })
    }
}

impl Watchlist {
    /// About what a snapshot of it takes once written, in bytes: by the size of some of its rows.
    pub fn approximate_bytes(&self) -> usize {
        const SAMPLED: usize = 64;
        let rows = self.rows();
        let sampled = rows.len().min(SAMPLED);
        let of_row = |row: &Row| {
            80 + self.columns().iter().map(|entry| cell_bytes(row.stored(entry.slot))).sum::<usize>()
        };
        let sample = (0..sampled).filter_map(|index| rows.at(index * rows.len() / sampled));
        let bytes: usize = sample.map(|row| of_row(row)).sum();
        4 * 1024 + bytes * rows.len() / sampled.max(1)
    }
}

/// About what a cell takes once written, its key with it.
fn cell_bytes(value: &Value) -> usize {
    match value {
        Value::Empty => 0,
        // A control character is written as six.
        Value::Text(text) => 16 + text.len() + 5 * text.bytes().filter(u8::is_ascii_control).count(),
        Value::Number(_) => 22,
        Value::Flag(_) => 20,
        Value::Time(_) => 40,
    }
}
