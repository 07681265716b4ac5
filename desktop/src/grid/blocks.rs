//! Blocks of selected cells. Rows and columns are stored by id and key, not by index, so that a block keeps
//! its rows when they move.

use std::{collections::HashSet, hash::Hash, sync::Arc};

use shared::{column::ColumnKey, ids::RowId};

use super::cursor::Cursor;

/// A set of rows or columns, or all that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span<T: Eq + Hash> {
    /// All that are shown.
    All,
    /// The rows or columns in this set.
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

/// A rectangle of cells, with the rows and columns it had when it was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The fixed corner.
    pub anchor: Cursor,
    /// The opposite corner, which moves with Shift.
    pub end: Cursor,
    /// The rows.
    pub rows: Span<RowId>,
    /// The columns.
    pub columns: Span<ColumnKey>,
    /// The rows in display order at the time of the selection, unless all are selected.
    sequence: Arc<[RowId]>,
}

impl Block {
    fn new(anchor: Cursor, end: Cursor, rows: Vec<RowId>, columns: Span<ColumnKey>) -> Self {
        let sequence = Arc::from(rows.as_slice());
        Self { anchor, end, rows: rows.into_iter().collect(), columns, sequence }
    }

    /// Creates a block of all shown rows.
    fn of_all_rows(anchor: Cursor, end: Cursor, columns: Span<ColumnKey>) -> Self {
        Self { anchor, end, rows: Span::All, columns, sequence: Arc::default() }
    }

    /// Creates a block of one cell.
    pub fn single(cell: Cursor) -> Self {
        let (rows, columns) = (cell.row.into_iter().collect(), [cell.column.clone()].into_iter().collect());
        Self::new(cell.clone(), cell, rows, columns)
    }

    /// Whether the block contains a cell.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        self.rows.contains(&row) && self.columns.contains(column)
    }
}

/// The selected blocks. Empty if only the cursor's cell is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Shared with the thread that computes the totals.
    blocks: Arc<Vec<Block>>,
    /// Number of changes so far. Comparing millions of rows would take too long for one frame.
    version: u64,
}

/// The display order of rows and columns, for selecting a range between two of them.
pub trait DisplayOrder {
    /// Returns the rows between two, inclusive; the two may be in either order.
    fn rows_between(&self, one: Option<RowId>, other: Option<RowId>) -> Vec<RowId>;
    /// Returns the columns between two, inclusive; the two may be in either order.
    fn columns_between(&self, one: &ColumnKey, other: &ColumnKey) -> Vec<ColumnKey>;
}

impl Blocks {
    /// Returns a number that increases with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether only the cursor's cell is selected.
    pub fn is_single(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Reduces the selection to the cursor's cell.
    pub fn clear(&mut self) {
        self.version += 1;
        self.blocks = Arc::default();
    }

    /// Moves the last block's opposite corner. Without a block, starts one at the cursor.
    pub fn extend(&mut self, cursor: &Cursor, to: Cursor, shown: &impl DisplayOrder) {
        self.version += 1;
        let blocks = Arc::make_mut(&mut self.blocks);
        let anchor = blocks.pop().map_or_else(|| cursor.clone(), |block| block.anchor);
        blocks.push(block_between(anchor, to, shown));
    }

    /// Moves the last block's opposite corner by a key: entire rows and columns stay entire.
    pub fn extend_by_key(&mut self, cursor: &Cursor, to: Cursor, shown: &impl DisplayOrder) {
        let last = self.blocks.last();
        let has_all_rows = last.is_some_and(|block| block.rows == Span::All);
        let has_all_columns = last.is_some_and(|block| block.columns == Span::All);
        self.extend(cursor, to, shown);
        let Some(block) = Arc::make_mut(&mut self.blocks).last_mut() else { return };
        if has_all_columns {
            block.columns = Span::All;
        }
        if has_all_rows {
            let Block { anchor, end, columns, .. } = block.clone();
            *block = Block::of_all_rows(anchor, end, columns);
        }
    }

    /// Returns the corner that Shift moves.
    pub fn moving_corner<'a>(&'a self, cursor: &'a Cursor) -> &'a Cursor {
        self.blocks.last().map_or(cursor, |block| &block.end)
    }

    /// Adds one cell to the selection.
    pub fn add_cell(&mut self, cursor: Option<&Cursor>, cell: Cursor) {
        self.version += 1;
        let blocks = Arc::make_mut(&mut self.blocks);
        if let (true, Some(cursor)) = (blocks.is_empty(), cursor) {
            blocks.push(Block::single(cursor.clone()));
        }
        blocks.push(Block::single(cell));
    }

    /// Selects the whole rows between two. `keep_others` keeps the existing blocks.
    pub fn select_rows(&mut self, anchor: Cursor, end: Cursor, keep_others: bool, shown: &impl DisplayOrder) {
        let rows = shown.rows_between(anchor.row, end.row);
        self.push_block(Block::new(anchor, end, rows, Span::All), keep_others);
    }

    /// Selects the entire rows of the only block, if there is one with some rows. Returns whether there is.
    pub fn widen_to_rows(&mut self) -> bool {
        let has_rows = matches!(&**self.blocks, [block] if matches!(block.rows, Span::Some(_)));
        if has_rows {
            self.version += 1;
            Arc::make_mut(&mut self.blocks).iter_mut().for_each(|block| block.columns = Span::All);
        }
        has_rows
    }

    /// Selects the whole columns between two. `keep_others` keeps the existing blocks.
    pub fn select_columns(
        &mut self,
        anchor: Cursor,
        end: Cursor,
        keep_others: bool,
        shown: &impl DisplayOrder,
    ) {
        let columns = shown.columns_between(&anchor.column, &end.column).into_iter().collect();
        self.push_block(Block::of_all_rows(anchor, end, columns), keep_others);
    }

    /// Selects all cells.
    pub fn select_all(&mut self, cursor: Cursor) {
        self.version += 1;
        let all = Block::of_all_rows(cursor.clone(), cursor, Span::All);
        self.blocks = Arc::new(vec![all]);
    }

    /// Selects a block of these rows and columns.
    pub fn select_block(&mut self, anchor: Cursor, end: Cursor, rows: Vec<RowId>, columns: Vec<ColumnKey>) {
        self.push_block(Block::new(anchor, end, rows, columns.into_iter().collect()), false);
    }

    fn push_block(&mut self, block: Block, keep_others: bool) {
        self.version += 1;
        if !keep_others {
            self.blocks = Arc::default();
        }
        Arc::make_mut(&mut self.blocks).push(block);
    }

    /// Returns the rows in display order at the time of the selection, if one block of some rows is selected.
    pub fn sequence(&self) -> Option<&[RowId]> {
        match &**self.blocks {
            [block] if !block.sequence.is_empty() => Some(&block.sequence),
            _ => None,
        }
    }

    /// Forgets that order: the person has chosen another one.
    pub fn forget_sequence(&mut self) {
        if self.sequence().is_some() {
            Arc::make_mut(&mut self.blocks).iter_mut().for_each(|block| block.sequence = Arc::default());
        }
    }

    /// Whether any block contains a cell.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        self.blocks.iter().any(|block| block.contains(row, column))
    }

    /// Whether there are no blocks, or one contains a cell, which may be in the empty last row.
    pub fn include(&self, cell: &Cursor) -> bool {
        let has_row = |block: &Block| match cell.row {
            Some(row) => block.rows.contains(&row),
            None => block.rows == Span::All || block.anchor.row.is_none() || block.end.row.is_none(),
        };
        self.blocks.is_empty()
            || self.blocks.iter().any(|block| has_row(block) && block.columns.contains(&cell.column))
    }

    /// Whether any cell of a row is selected.
    pub fn has_row(&self, row: RowId) -> bool {
        self.blocks.iter().any(|block| block.rows.contains(&row))
    }

    /// Whether every cell of a row is selected.
    pub fn has_whole_row(&self, row: RowId) -> bool {
        self.blocks.iter().any(|block| block.columns == Span::All && block.rows.contains(&row))
    }

    /// Whether entire columns are selected, and this is one of them.
    pub fn has_whole_column(&self, column: &ColumnKey) -> bool {
        let is_whole = |block: &Block| matches!(block.columns, Span::Some(_)) && block.rows == Span::All;
        self.blocks.iter().any(|block| is_whole(block) && block.columns.contains(column))
    }

    /// Whether any cell of a column is selected.
    pub fn has_column(&self, column: &ColumnKey) -> bool {
        self.blocks.iter().any(|block| block.columns.contains(column))
    }
}

fn block_between(anchor: Cursor, end: Cursor, shown: &impl DisplayOrder) -> Block {
    let rows = shown.rows_between(anchor.row, end.row);
    let columns = shown.columns_between(&anchor.column, &end.column).into_iter().collect();
    Block::new(anchor, end, rows, columns)
}
