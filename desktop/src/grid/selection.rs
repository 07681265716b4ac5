//! The selection: the active cell, and the selected blocks beside it.

use shared::{column::ColumnKey, ids::RowId};

use super::{
    blocks::Blocks,
    cursor::Cursor,
    steps::{index_of, step_target},
    table::Table,
    view_column::ViewColumn,
};
use crate::command::{GridCommand, Step};

/// The active cell and the selected blocks.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The active cell.
    pub cursor: Option<Cursor>,
    /// The selected blocks, in addition to the cursor's cell.
    pub blocks: Blocks,
    /// Last known index of the cursor's row, used if that row is removed.
    pub(super) last_index: usize,
    /// A row that was inserted in this window: the filters ignore it while the cursor is on it.
    pub(super) inserted_row: Option<RowId>,
    /// The row, and optionally the column, that the cursor moves to once the row exists.
    target: Option<(RowId, Option<ColumnKey>)>,
}

impl Selection {
    /// Creates a selection of one cell, or of none.
    pub fn at(cursor: Option<Cursor>) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// Moves the cursor to a row, and optionally to another column, once the row exists.
    pub fn move_to_row(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.target = Some((row, column));
    }

    /// Whether the cursor has reached the row of the last [`move_to_row`](Self::move_to_row).
    pub fn has_reached_target(&self) -> bool {
        self.target.is_none()
    }

    /// Moves the cursor to the pending target row if it is shown, and returns whether it did.
    pub(super) fn go_to_target(&mut self, table: &Table<'_>) -> bool {
        let Some((row, column)) = self.target.take() else { return false };
        if let (Some(cursor), Some(_)) = (&mut self.cursor, table.index_of(row)) {
            cursor.row = Some(row);
            if let Some(column) = column.filter(|column| table.column(column).is_some()) {
                cursor.column = column;
            }
            self.blocks.clear();
            return true;
        }
        false
    }

    /// Returns the index of the cursor's row, if that row is still shown.
    pub fn cursor_index(&self, table: &Table<'_>) -> Option<usize> {
        index_of(self.cursor.as_ref()?, table)
    }

    /// Moves the cursor to a valid cell if it has none, or if its row or column is gone.
    pub(super) fn ensure_cursor(&mut self, table: &Table<'_>) {
        let Some(first) = table.columns().first() else {
            self.cursor = None;
            return;
        };
        let cursor =
            self.cursor.get_or_insert_with(|| Cursor { row: table.id_at(0), column: first.key().clone() });
        if table.column(&cursor.column).is_none() {
            cursor.column = first.key().clone();
        }
        match index_of(cursor, table) {
            Some(index) => self.last_index = index,
            None => cursor.row = table.id_at(self.last_index.min(table.len().saturating_sub(1))),
        }
    }

    /// Moves the cursor by one step and clears the selection.
    pub(super) fn step(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        if let Some((index, column)) = step_target(table, &cursor, self.last_index, step, page) {
            self.blocks.clear();
            self.go_to(table, index, column);
        }
    }

    /// Extends the selection by one step.
    pub(super) fn extend(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.blocks.moving_corner(&cursor).clone();
        if let Some((index, column)) = step_target(table, &end, self.last_index, step, page) {
            let index = index.min(table.len().saturating_sub(1));
            let to = Cursor { row: table.id_at(index), column: table.columns()[column].key().clone() };
            self.blocks.extend(&cursor, to, table);
        }
    }

    /// Whether the row inserted in this window is now hidden by the filters. Returns true only once per row.
    pub(super) fn clear_hidden_insertion(&mut self, table: &Table<'_>) -> bool {
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        let is_lost = |inserted_row: &mut RowId| {
            at_cursor != Some(*inserted_row)
                && table.watchlist.rows().get(*inserted_row).is_some()
                && table.index_of(*inserted_row).is_none()
        };
        self.inserted_row.take_if(is_lost).is_some()
    }

    /// Selects all cells, or all cells of the selected rows or columns.
    pub(super) fn select_whole(&mut self, what: &GridCommand, table: &Table<'_>) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.blocks.moving_corner(&cursor).clone();
        match what {
            GridCommand::SelectRows => self.blocks.select_rows(cursor, end, false, table),
            GridCommand::SelectColumns => self.blocks.select_columns(cursor, end, false, table),
            _ => self.blocks.select_all(cursor),
        }
    }

    /// Moves the cursor to a cell by its row and column index.
    pub(super) fn go_to(&mut self, table: &Table<'_>, index: usize, column: usize) {
        if let Some(column) = table.columns().get(column) {
            self.cursor = Some(Cursor { row: table.id_at(index), column: column.key().clone() });
            self.last_index = index;
        }
    }

    /// Returns the selected rows in display order, or the cursor's row if there is no selection.
    pub fn rows(&self, table: &Table<'_>) -> Vec<RowId> {
        if self.blocks.is_single() {
            return self.cursor.iter().filter_map(|cursor| cursor.row).collect();
        }
        let selected = (0..table.len()).filter_map(|index| table.id_at(index));
        selected.filter(|row| self.blocks.has_row(*row)).collect()
    }

    /// Returns the selected columns in display order, or the cursor's column if there is no selection.
    pub fn columns<'t>(&self, table: &'t Table<'_>) -> Vec<&'t ViewColumn> {
        let is_selected = |column: &&ViewColumn| {
            let key = column.key();
            if self.blocks.is_single() {
                self.cursor.as_ref().is_some_and(|cursor| cursor.column == *key)
            } else {
                self.blocks.has_column(key)
            }
        };
        table.columns().iter().filter(is_selected).collect()
    }

    /// Whether a cell is selected.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        if self.blocks.is_single() {
            self.cursor.as_ref().is_some_and(|cursor| cursor.row == Some(row) && cursor.column == *column)
        } else {
            self.blocks.contains(row, column)
        }
    }

    /// Forgets the pending target row, because a cell is being edited.
    pub(super) fn drop_target(&mut self) {
        self.target = None;
    }

    /// Moves the cursor to a cell and clears the blocks.
    pub(super) fn move_to(&mut self, cell: Cursor) {
        self.blocks.clear();
        self.cursor = Some(cell);
    }

    /// Returns the cell that Shift moves, and that stays in view.
    pub(super) fn moving_corner(&self) -> Option<&Cursor> {
        self.cursor.as_ref().map(|cursor| self.blocks.moving_corner(cursor))
    }

    /// Returns the inserted row while the cursor is on it: the filters ignore it.
    pub(super) fn inserted_at_cursor(&self) -> Option<RowId> {
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        self.inserted_row.filter(|inserted_row| at_cursor == Some(*inserted_row))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use shared::{
        column::standard_columns,
        edit::Change,
        limits::Limits,
        number::Separators,
        position::Position,
        watchlist::{Watchlist, apply::Mode},
    };
    use uuid::Uuid;

    use super::*;
    use crate::grid::{
        config::GridConfig,
        order::{Locale, Order, OrderSpec, SortKey},
    };

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    fn watchlist(rows: u128) -> Watchlist {
        let limits = Limits::default();
        let mut watchlist = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, usize::try_from(rows).unwrap()).unwrap();
        let inserts: Vec<Change> = (1..=rows)
            .zip(&positions)
            .map(|(number, position)| Change::insert(row(number), position, BTreeMap::new()))
            .collect();
        watchlist.apply(&inserts, &Mode::Pending { limits: &limits }).unwrap();
        watchlist
    }

    fn plain(watchlist: &Watchlist) -> Table<'_> {
        Table::new(watchlist, Arc::default(), &GridConfig::default())
    }

    fn at(selection: &Selection) -> (Option<RowId>, String) {
        let cursor = selection.cursor.clone().unwrap();
        (cursor.row, cursor.column.to_string())
    }

    #[test]
    fn steps_stop_at_the_edges_and_tab_skips_computed_columns() {
        let watchlist = watchlist(3);
        let table = plain(&watchlist);
        let mut selection = Selection::default();
        selection.ensure_cursor(&table);
        let mut step = |step| {
            selection.step(&table, step, 10);
            at(&selection)
        };
        assert_eq!(step(Step::Up), (Some(row(1)), "symbol".to_owned()));
        assert_eq!(step(Step::Previous), (Some(row(1)), "symbol".to_owned()));
        for key in ["company", "price", "previousClose", "target", "note"] {
            assert_eq!(step(Step::Next), (Some(row(1)), key.to_owned()));
        }
        assert_eq!(step(Step::Next), (Some(row(2)), "symbol".to_owned()));
        assert_eq!(step(Step::Previous), (Some(row(1)), "note".to_owned()));
        assert_eq!(step(Step::Last), (Some(row(3)), "note".to_owned()));
        assert_eq!(step(Step::Down), (None, "note".to_owned()));
        assert_eq!(step(Step::Down), (None, "note".to_owned()));
        assert_eq!(step(Step::PageUp), (Some(row(1)), "note".to_owned()));
        assert_eq!(step(Step::First), (Some(row(1)), "symbol".to_owned()));
    }

    #[test]
    fn the_cursor_follows_its_row_and_moves_to_a_neighbour_when_the_row_is_removed() {
        let mut watchlist = watchlist(3);
        let limits = Limits::default();
        let mut selection = Selection::at(Some(Cursor { row: Some(row(2)), column: "price".into() }));
        selection.ensure_cursor(&plain(&watchlist));
        let first =
            Position::between(None, Some(&watchlist.rows().at(0).unwrap().position), 1).unwrap().remove(0);
        watchlist
            .apply(&[Change::insert(row(9), &first, BTreeMap::new())], &Mode::Pending { limits: &limits })
            .unwrap();
        selection.ensure_cursor(&plain(&watchlist));
        assert_eq!(selection.cursor_index(&plain(&watchlist)), Some(2));
        watchlist.apply(&[Change::remove(row(2), None)], &Mode::Pending { limits: &limits }).unwrap();
        selection.ensure_cursor(&plain(&watchlist));
        assert_eq!(at(&selection), (Some(row(3)), "price".to_owned()));
    }

    #[test]
    fn a_selection_keeps_its_rows_when_they_are_reordered() {
        let watchlist = watchlist(5);
        let table = plain(&watchlist);
        let mut selection = Selection::default();
        selection.ensure_cursor(&table);
        selection.step(&table, Step::Down, 10);
        selection.extend(&table, Step::Down, 10);
        selection.extend(&table, Step::Right, 10);
        assert_eq!(selection.rows(&table), [row(2), row(3)]);
        let keys: Vec<String> =
            selection.columns(&table).iter().map(|column| column.key().to_string()).collect();
        assert_eq!(keys, ["symbol", "company"]);
        assert!(
            selection.contains(row(3), &"company".into()) && !selection.contains(row(4), &"company".into())
        );
        let frozen = watchlist.freeze();
        let by_symbol = OrderSpec {
            sort: vec![SortKey { column: "symbol".into(), descending: true }],
            filters: Vec::new(),
        };
        let locale = Locale { separators: Separators::ENGLISH, zone: jiff::tz::TimeZone::UTC };
        let order = Order::arrange(&frozen, &by_symbol, &locale, None);
        let sorted = Table::new(&watchlist, Arc::new(order), &GridConfig::default());
        let mut selected = selection.rows(&sorted);
        selected.sort();
        assert_eq!(selected, [row(2), row(3)]);
        selection.step(&table, Step::Up, 10);
        assert_eq!(selection.rows(&table), [row(1)]);
    }
}
