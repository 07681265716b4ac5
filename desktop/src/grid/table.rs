//! What is shown: the watchlist's rows in the window's order, and its columns in the window's.

use std::sync::Arc;

use shared::{
    column::ColumnKey,
    ids::RowId,
    value::Value,
    watchlist::{ColumnEntry, Row, Watchlist},
};

use super::{config::GridConfig, order::Order, section, selection::Shown, trend};

/// Rows and columns as they are shown in one frame.
#[derive(Clone)]
pub struct Table<'a> {
    /// What they are of.
    pub watchlist: &'a Watchlist,
    order: Arc<Order>,
    columns: Arc<[Arc<ColumnEntry>]>,
    /// Keeps the titles of section rows.
    section: Option<&'a ColumnEntry>,
}

impl<'a> Table<'a> {
    /// A watchlist in an order, with the columns that a person arranged.
    pub fn new(watchlist: &'a Watchlist, order: Arc<Order>, config: &GridConfig) -> Self {
        let columns = config.columns(watchlist).into_iter().map(Arc::new).collect();
        Self { watchlist, order, columns, section: section::column(watchlist.columns()) }
    }

    /// The columns, first to last.
    pub fn columns(&self) -> &[Arc<ColumnEntry>] {
        &self.columns
    }

    /// A column's place, from 0.
    pub fn column_index(&self, key: &ColumnKey) -> Option<usize> {
        self.columns.iter().position(|entry| entry.column.key == *key)
    }

    /// A column that is shown.
    pub fn column(&self, key: &ColumnKey) -> Option<&ColumnEntry> {
        self.columns.iter().find(|entry| entry.column.key == *key).map(Arc::as_ref)
    }

    /// How many rows there are; an empty one stands behind them.
    pub fn len(&self) -> usize {
        self.order.len(self.watchlist)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row at a place, from 0; `None` is the empty one.
    pub fn row_at(&self, index: usize) -> Option<&'a Arc<Row>> {
        self.order.at(self.watchlist, index)
    }

    /// The id of the row at a place.
    pub fn id_at(&self, index: usize) -> Option<RowId> {
        self.row_at(index).map(|row| row.id)
    }

    /// A row's place, from 0, where it is shown.
    pub fn index_of(&self, row: RowId) -> Option<usize> {
        self.order.index_of(self.watchlist, row)
    }

    /// The order of the rows, to be read elsewhere.
    pub(super) fn order(&self) -> Arc<Order> {
        self.order.clone()
    }

    /// Whether a row is a title across the list.
    pub fn is_section(&self, row: &Row) -> bool {
        section::is_section(self.section, row)
    }

    /// The column that keeps what a row shows in a column: of a section row the first shows the title, the others
    /// nothing. A sparkline is kept nowhere.
    pub fn kept_in<'t>(&'t self, row: &Row, entry: &'t ColumnEntry) -> Option<&'t ColumnEntry> {
        if self.is_section(row) {
            let is_first = self.columns.first().is_some_and(|first| first.column.key == entry.column.key);
            return self.section.filter(|_| is_first);
        }
        Some(entry).filter(|entry| trend::source(entry).is_none())
    }

    /// What a row shows in a column.
    pub fn value(&self, row: &Row, entry: &ColumnEntry) -> Value {
        self.kept_in(row, entry).map_or(Value::Empty, |kept| self.watchlist.value(row, kept))
    }

    /// The column that keeps a cell, and what is there; nothing where the cell cannot be edited. The empty row at the
    /// end is edited as any other.
    pub fn editable<'t>(
        &'t self,
        row: Option<RowId>,
        entry: &'t ColumnEntry,
    ) -> Option<(&'t ColumnEntry, Value)> {
        let Some(row) = row else {
            return Some((entry, Value::Empty)).filter(|_| entry.column.derive.is_none());
        };
        let row = self.watchlist.rows().get(row)?;
        let kept = self.kept_in(row, entry).filter(|kept| kept.column.derive.is_none())?;
        Some((kept, row.stored(kept.slot).clone()))
    }
}

impl Shown for Table<'_> {
    fn rows_between(&self, one: Option<RowId>, other: Option<RowId>) -> Vec<RowId> {
        let place = |row: Option<RowId>| row.map_or(Some(self.len()), |row| self.index_of(row));
        let (Some(one), Some(other)) = (place(one), place(other)) else { return Vec::new() };
        (one.min(other)..=one.max(other)).filter_map(|index| self.id_at(index)).collect()
    }

    fn columns_between(&self, one: &ColumnKey, other: &ColumnKey) -> Vec<ColumnKey> {
        let (Some(one), Some(other)) = (self.column_index(one), self.column_index(other)) else {
            return Vec::new();
        };
        let between = &self.columns[one.min(other)..=one.max(other)];
        between.iter().map(|entry| entry.column.key.clone()).collect()
    }
}
