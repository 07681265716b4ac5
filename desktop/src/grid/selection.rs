//! What is selected: the cursor's cell, and blocks of cells. Rows and columns are remembered by what they are, not by
//! where they stand, so that a selection stays on its rows whatever moves.

use std::{collections::HashSet, hash::Hash, sync::Arc};

use shared::{column::ColumnKey, ids::RowId};

use super::Cursor;

/// Some of the rows or columns, or all that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span<T: Eq + Hash> {
    /// Every one.
    All,
    /// These.
    Some(HashSet<T>),
}

impl<T: Eq + Hash> Span<T> {
    fn contains(&self, item: &T) -> bool {
        match self {
            Span::All => true,
            Span::Some(items) => items.contains(item),
        }
    }
}

impl<T: Eq + Hash> FromIterator<T> for Span<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Span::Some(items.into_iter().collect())
    }
}

/// A rectangle as it was when it was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it began.
    pub anchor: Cursor,
    /// Its other corner, which Shift moves.
    pub end: Cursor,
    /// Its rows.
    pub rows: Span<RowId>,
    /// Its columns.
    pub columns: Span<ColumnKey>,
}

impl Block {
    /// One cell.
    pub fn of(cell: Cursor) -> Self {
        let (rows, columns) = (cell.row.into_iter().collect(), [cell.column.clone()].into_iter().collect());
        Self { anchor: cell.clone(), end: cell, rows, columns }
    }

    /// Whether a cell is in it.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        self.rows.contains(&row) && self.columns.contains(column)
    }
}

/// What is selected beside the cursor's own cell. Empty where that is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Shared with who sums it up.
    blocks: Arc<Vec<Block>>,
    /// Counts its changes: to compare millions of rows takes too long for a frame.
    version: u64,
}

/// Rows and columns as they are shown, for selecting between two of them.
pub trait Shown {
    /// The rows between two, both among them, in any order.
    fn rows_between(&self, one: Option<RowId>, other: Option<RowId>) -> Vec<RowId>;
    /// The columns between two, both among them, in any order.
    fn columns_between(&self, one: &ColumnKey, other: &ColumnKey) -> Vec<ColumnKey>;
}

impl Selection {
    /// Where it is in its changes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether only the cursor's cell is selected.
    pub fn is_single(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Only the cursor's cell.
    pub fn clear(&mut self) {
        self.version += 1;
        self.blocks = Arc::default();
    }

    /// Moves the last block's free corner; the first block begins at the cursor.
    pub fn extend(&mut self, cursor: &Cursor, to: Cursor, shown: &impl Shown) {
        self.version += 1;
        let blocks = Arc::make_mut(&mut self.blocks);
        let anchor = blocks.pop().map_or_else(|| cursor.clone(), |block| block.anchor);
        blocks.push(between(anchor, to, shown));
    }

    /// Where Shift moves from.
    pub fn end<'a>(&'a self, cursor: &'a Cursor) -> &'a Cursor {
        self.blocks.last().map_or(cursor, |block| &block.end)
    }

    /// Adds one cell, beside what is selected.
    pub fn add(&mut self, cursor: Option<&Cursor>, cell: Cursor) {
        self.version += 1;
        let blocks = Arc::make_mut(&mut self.blocks);
        if let (true, Some(cursor)) = (blocks.is_empty(), cursor) {
            blocks.push(Block::of(cursor.clone()));
        }
        blocks.push(Block::of(cell));
    }

    /// Selects whole rows, between two; beside what is selected where `beside`.
    pub fn rows(&mut self, anchor: Cursor, end: Cursor, beside: bool, shown: &impl Shown) {
        let rows = shown.rows_between(anchor.row, end.row).into_iter().collect();
        self.put(Block { anchor, end, rows, columns: Span::All }, beside);
    }

    /// Selects whole columns, between two; beside what is selected where `beside`.
    pub fn columns(&mut self, anchor: Cursor, end: Cursor, beside: bool, shown: &impl Shown) {
        let columns = shown.columns_between(&anchor.column, &end.column).into_iter().collect();
        self.put(Block { anchor, end, rows: Span::All, columns }, beside);
    }

    /// Selects everything.
    pub fn all(&mut self, cursor: Cursor) {
        self.version += 1;
        let all = Block { anchor: cursor.clone(), end: cursor, rows: Span::All, columns: Span::All };
        self.blocks = Arc::new(vec![all]);
    }

    fn put(&mut self, block: Block, beside: bool) {
        self.version += 1;
        if !beside {
            self.blocks = Arc::default();
        }
        Arc::make_mut(&mut self.blocks).push(block);
    }

    /// Whether a cell is selected by a block.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        self.blocks.iter().any(|block| block.contains(row, column))
    }

    /// Whether any cell of a row is.
    pub fn has_row(&self, row: RowId) -> bool {
        self.blocks.iter().any(|block| block.rows.contains(&row))
    }

    /// Whether every cell of a row is.
    pub fn has_whole_row(&self, row: RowId) -> bool {
        self.blocks.iter().any(|block| block.columns == Span::All && block.rows.contains(&row))
    }

    /// Whether any cell of a column is.
    pub fn has_column(&self, column: &ColumnKey) -> bool {
        self.blocks.iter().any(|block| block.columns.contains(column))
    }
}

fn between(anchor: Cursor, end: Cursor, shown: &impl Shown) -> Block {
    let rows = shown.rows_between(anchor.row, end.row).into_iter().collect();
    let columns = shown.columns_between(&anchor.column, &end.column).into_iter().collect();
    Block { anchor, end, rows, columns }
}
