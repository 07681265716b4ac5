//! The rows and columns of a watchlist as one window shows them.

use std::sync::Arc;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::RowId,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Row, Watchlist},
};

use super::{
    blocks::DisplayOrder,
    config::GridConfig,
    cursor::Cursor,
    order::{Order, SeenRows},
    view_column::ViewColumn,
};

/// The rows and columns shown in one frame.
#[derive(Clone)]
pub struct Table<'a> {
    /// The watchlist.
    pub watchlist: &'a Watchlist,
    order: Arc<Order>,
    columns: Arc<[ViewColumn]>,
    /// The column that stores the titles of section rows.
    section: Option<&'a ColumnEntry>,
    /// The rows and columns as the person has seen them, if others have just moved, inserted or removed some.
    before: Option<Arc<(SeenRows, Vec<ColumnKey>)>>,
}

impl<'a> Table<'a> {
    /// Creates a table of a watchlist, with rows in `order` and columns as configured.
    pub fn new(watchlist: &'a Watchlist, order: Arc<Order>, config: &GridConfig) -> Self {
        let columns = config.columns(watchlist).into();
        Self { watchlist, order, columns, section: watchlist.columns().sections(), before: None }
    }

    /// Returns the table with its rows and columns as the person has seen them. Those that have come since are missing,
    /// but for the cell of the cursor.
    pub(super) fn as_seen(&self, rows: &SeenRows, columns: &[ColumnKey], cursor: Option<&Cursor>) -> Self {
        let kept = cursor.and_then(|cursor| cursor.row);
        let order = Arc::new(self.order.as_seen(self.watchlist, rows, kept));
        let known = columns.iter().filter_map(|key| self.column(key));
        let kept = cursor.filter(|cursor| !columns.contains(&cursor.column));
        let kept = kept.and_then(|cursor| self.column(&cursor.column));
        let sequence: Vec<ViewColumn> = known.chain(kept).cloned().collect();
        if sequence.is_empty() {
            return self.clone();
        }
        let before = Some(Arc::new((rows.clone(), columns.to_vec())));
        Self { order, columns: sequence.into(), before, ..self.clone() }
    }

    /// Returns the rows and columns as the person has seen them, with those that are gone, if others have just moved,
    /// inserted or removed some.
    pub(super) fn before(&self) -> Option<(&SeenRows, &[ColumnKey])> {
        self.before.as_deref().map(|(rows, columns)| (rows, &columns[..]))
    }

    /// Returns the shown columns in display order.
    pub fn columns(&self) -> &[ViewColumn] {
        &self.columns
    }

    /// Returns a column's display index.
    pub fn column_index(&self, key: &ColumnKey) -> Option<usize> {
        self.columns.iter().position(|column| column.key() == key)
    }

    /// Returns a column, if it is shown.
    pub fn column(&self, key: &ColumnKey) -> Option<&ViewColumn> {
        self.columns.iter().find(|column| column.key() == key)
    }

    /// Returns the number of shown rows, without the empty one at the end.
    pub fn len(&self) -> usize {
        self.order.len(self.watchlist)
    }

    /// Whether no rows are shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the row at a display index; `None` for the empty row at the end.
    pub fn row_at(&self, index: usize) -> Option<&'a Arc<Row>> {
        self.order.at(self.watchlist, index)
    }

    /// Returns the id of the row at a display index.
    pub fn id_at(&self, index: usize) -> Option<RowId> {
        self.row_at(index).map(|row| row.id)
    }

    /// Returns a row's display index, if the row is shown.
    pub fn index_of(&self, row: RowId) -> Option<usize> {
        self.order.index_of(self.watchlist, row)
    }

    /// Returns the shown row that is nearest to a hidden one in list order.
    pub(super) fn nearest_shown(&self, hidden: RowId) -> Option<RowId> {
        let rows = self.watchlist.rows();
        let from = rows.index_of(hidden)?;
        let shown =
            |index: usize| rows.at(index).map(|row| row.id).filter(|row| self.index_of(*row).is_some());
        let nearest =
            |distance: usize| shown(from + distance).or_else(|| from.checked_sub(distance).and_then(shown));
        (1..rows.len()).find_map(nearest)
    }

    /// Returns a shared handle to the order of the rows.
    pub(super) fn order(&self) -> Arc<Order> {
        self.order.clone()
    }

    /// Whether a row is a section.
    pub fn is_section(&self, row: &Row) -> bool {
        row.section(self.section).is_some()
    }

    /// Whether a row is a section, by its id.
    pub fn is_section_row(&self, row: RowId) -> bool {
        self.watchlist.rows().get(row).is_some_and(|row| self.is_section(row))
    }

    /// Returns the column that stores the value that a row shows in a column. In a section row, the first
    /// column shows the title and the others nothing. A sparkline has no stored value.
    pub fn storage_column<'t>(&'t self, row: &Row, column: &'t ViewColumn) -> Option<&'t ColumnEntry> {
        if self.is_section(row) {
            let is_first = self.columns.first().is_some_and(|first| first.key() == column.key());
            return self.section.filter(|_| is_first);
        }
        column.data()
    }

    /// Returns the value that a row shows in a column.
    pub fn value(&self, row: &Row, column: &ViewColumn) -> Value {
        self.storage_column(row, column).map_or(Value::Empty, |storage| self.watchlist.value(row, storage))
    }

    /// Returns the column that stores a cell and the cell's value, or `None` if the cell is not editable. The
    /// empty row at the end is editable.
    pub fn editable<'t>(
        &'t self,
        row: Option<RowId>,
        column: &'t ViewColumn,
    ) -> Option<(&'t ColumnEntry, Value)> {
        let Some(row) = row else {
            let entry = column.data().filter(|entry| is_editable(entry))?;
            return Some((entry, Value::Empty));
        };
        let row = self.watchlist.rows().get(row)?;
        let storage = self.storage_column(row, column).filter(|storage| is_editable(storage))?;
        Some((storage, row.stored(storage.slot).clone()))
    }
}

impl DisplayOrder for Table<'_> {
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
        between.iter().map(|column| column.key().clone()).collect()
    }
}

/// Whether the cells of a column can be edited.
pub(super) fn is_editable(entry: &ColumnEntry) -> bool {
    entry.column.derive.is_none()
}

/// Returns a change that the server rejects unless the cell still has the value `seen`.
pub(super) fn guarded_set(row: RowId, entry: &ColumnEntry, value: Literal, seen: &Value) -> Change {
    Change::set_guarded(row, &entry.column.key, value, seen.to_literal())
}
