//! A watchlist's state: columns, and rows in their order. Both ends hold it in this form; changes to it
//! are in [`apply`].

pub mod apply;
mod columns;
mod frozen;
mod inverse;
mod rows;

use std::sync::Arc;

pub use columns::{ColumnEntry, Columns};
pub use frozen::Frozen;
pub use rows::{Row, Rows, Version};

use crate::{
    column::{Column, ColumnKey, check_title},
    edit::Rejection,
    ids::RowId,
    limits::Limits,
    value::Value,
    wire::server::SnapshotRow,
};

/// A named table: columns, and rows in an order of their own. Cloning shares the rows.
#[derive(Clone, Debug)]
pub struct Watchlist {
    name: Arc<str>,
    columns: Columns,
    rows: Rows,
}

impl Watchlist {
    /// An empty watchlist.
    ///
    /// # Errors
    /// A name or columns that are not sound, with the reason.
    pub fn new(name: &str, columns: Vec<Column>, limits: &Limits) -> Result<Self, Rejection> {
        check_title("the watchlist's name", name)?;
        Ok(Self { name: name.into(), columns: Columns::new(columns, limits)?, rows: Rows::default() })
    }

    /// What people call it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its columns, hidden ones among them.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Its rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Where its rows are in their changes.
    pub fn version(&self) -> Version {
        self.rows.version()
    }

    /// Stands in the place of another from here, so that its version is never one that the other had.
    pub fn supersede(&mut self, old: &Watchlist) {
        self.rows.supersede(old.version());
    }

    /// What a cell shows, derived columns included; empty where there is no such row.
    pub fn cell(&self, row: RowId, column: &ColumnKey) -> Value {
        match (self.rows.get(row), self.columns.get(column)) {
            (Some(row), Some(entry)) => self.value(row, entry),
            _ => Value::Empty,
        }
    }

    /// What a row shows in a column.
    pub fn value(&self, row: &Row, entry: &ColumnEntry) -> Value {
        row.value(entry, &self.columns)
    }

    /// Puts a snapshot's row where it stands; its cells are read by their columns' kinds.
    ///
    /// # Errors
    /// A cell that its column cannot hold, or a row that stands here already.
    pub fn load_wire_row(&mut self, wire: &SnapshotRow) -> Result<(), Rejection> {
        let lifted = Limits { text_bytes: usize::MAX, ..Limits::default() };
        let mut row = Row::new(wire.row, wire.position.clone());
        for (key, literal) in &wire.cells {
            let entry = self.columns.known(key)?;
            row.store(entry.slot, entry.column.kind.read(literal, &lifted)?);
        }
        for (key, at) in &wire.changed {
            row.note_changed(self.columns.known(key)?.slot, Some(*at));
        }
        self.rows.insert(Arc::new(row))
    }

    /// Whether two hold the same: name, columns, rows with their values and times, in the same order.
    pub fn same_as(&self, other: &Watchlist) -> bool {
        self.name == other.name
            && self
                .columns
                .iter()
                .map(|entry| &entry.column)
                .eq(other.columns.iter().map(|entry| &entry.column))
            && self.rows.len() == other.rows.len()
            && self.rows.iter().zip(other.rows.iter()).all(|(a, b)| {
                a.id == b.id
                    && a.position == b.position
                    && self.columns.iter().zip(other.columns.iter()).all(|(in_a, in_b)| {
                        a.stored(in_a.slot) == b.stored(in_b.slot)
                            && a.changed(in_a.slot) == b.changed(in_b.slot)
                    })
            })
    }
}
