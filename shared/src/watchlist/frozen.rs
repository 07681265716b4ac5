//! A read-only copy of a watchlist at one point in time. It shares the rows instead of copying them.

use std::sync::Arc;

use super::{
    columns::{ColumnEntry, Columns},
    row::Row,
    rows::Slab,
    state::Watchlist,
};
use crate::value::Value;

/// The name, columns and ordered rows of a watchlist, shared with the watchlist that it was created from.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// The watchlist's name.
    pub name: Arc<str>,
    /// The columns, removed ones included.
    pub columns: Columns,
    rows: Slab,
    /// The handles of the rows, in order.
    handles: Vec<u32>,
}

impl Watchlist {
    /// Returns a copy of the current state, which does not change with the watchlist.
    pub fn freeze(&self) -> Frozen {
        let (rows, handles) = self.rows.share();
        Frozen { name: self.name.clone(), columns: self.columns.clone(), rows, handles }
    }
}

impl Frozen {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Returns the row at an index.
    ///
    /// # Panics
    /// If the index is out of bounds.
    pub fn row(&self, index: usize) -> &Arc<Row> {
        self.rows.get(self.handles[index]).expect("handles in use point at rows")
    }

    /// Returns the handle of the row at an index: see [`super::Rows::handle`].
    ///
    /// # Panics
    /// If the index is out of bounds.
    pub fn handle(&self, index: usize) -> u32 {
        self.handles[index]
    }

    /// Returns the rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Arc<Row>> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// Returns the value of a row in a column, derived or not.
    pub fn value(&self, row: &Row, entry: &ColumnEntry) -> Value {
        row.value(entry, &self.columns)
    }
}
