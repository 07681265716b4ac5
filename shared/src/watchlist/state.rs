//! The state of a watchlist, as both client and server keep it.

use std::sync::Arc;

use super::{
    columns::{ColumnEntry, Columns},
    row::Row,
    rows::{Rows, Version},
};
use crate::{
    column::{Column, ColumnKey, check_title},
    ids::RowId,
    limits::Limits,
    rejection::Rejection,
    value::Value,
};

/// A named table of columns and ordered rows. Clones share the rows.
#[derive(Clone, Debug)]
pub struct Watchlist {
    pub(super) name: Arc<str>,
    pub(super) columns: Columns,
    pub(super) rows: Rows,
}

impl Watchlist {
    /// Creates an empty watchlist.
    ///
    /// # Errors
    /// An invalid name or column, with the reason.
    pub fn new(name: &str, columns: Vec<Column>, limits: &Limits) -> Result<Self, Rejection> {
        check_title("the watchlist's name", name)?;
        Ok(Self { name: name.into(), columns: Columns::new(columns, limits)?, rows: Rows::default() })
    }

    /// Returns the name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns the columns, removed ones included.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Returns the number of rows, without sections.
    pub fn row_count(&self) -> usize {
        let sections = self.columns().sections();
        let count = || self.rows().iter().filter(|row| row.section(sections).is_none()).count();
        sections.map_or_else(|| self.rows().len(), |_| count())
    }

    /// Returns the rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Returns the version of the rows, which every change increases.
    pub fn version(&self) -> Version {
        self.rows.version()
    }

    /// Raises the version so that it differs from every version of `old`, the watchlist that this one
    /// replaces.
    pub fn supersede(&mut self, old: &Watchlist) {
        self.rows.supersede(old.version());
    }

    /// Returns the value of a cell, derived or not; empty if there is no such row or column.
    pub fn cell(&self, row: RowId, column: &ColumnKey) -> Value {
        match (self.rows.get(row), self.columns.get(column)) {
            (Some(row), Some(entry)) => self.value(row, entry),
            _ => Value::Empty,
        }
    }

    /// Returns the value of a row in a column, derived or not.
    pub fn value(&self, row: &Row, entry: &ColumnEntry) -> Value {
        row.value(entry, &self.columns)
    }

    /// Adds a row while a watchlist is loaded from a snapshot.
    ///
    /// # Errors
    /// `duplicateRow` if the watchlist already has a row with that id.
    pub fn load_row(&mut self, row: Row) -> Result<(), Rejection> {
        self.rows.insert(Arc::new(row))?;
        self.rows.end_edit();
        Ok(())
    }

    /// Estimates the encoded size of a snapshot in bytes, from a sample of the rows.
    pub fn approximate_bytes(&self) -> usize {
        const SAMPLED: usize = 64;
        let sampled = self.rows.len().min(SAMPLED);
        let sample = (0..sampled).filter_map(|index| self.rows.at(index * self.rows.len() / sampled));
        let bytes: usize = sample.map(|row| row.approximate_bytes()).sum();
        4 * 1024 + bytes * self.rows.len() / sampled.max(1)
    }

    /// Returns whether both have the same name, columns and rows, with the same values, times and order.
    pub fn has_same_content(&self, other: &Watchlist) -> bool {
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
