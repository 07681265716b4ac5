//! A cursor whose cell is gone: what the person types is not meant for the cell that has taken its place.

use super::{cursor::Cursor, run::is_removed, table::Table};

/// Why nothing is typed into the row that has slid under the cursor.
const ROW_REMOVED: &str = "The row under the cursor was removed. Choose a cell to go on.";
/// Why nothing is typed into the column that has slid under the cursor.
const COLUMN_REMOVED: &str = "The column under the cursor was removed. Choose a cell to go on.";
/// Why nothing is typed into another watchlist.
pub(super) const LIST_GONE: &str = "Another watchlist is shown now. Choose a cell to go on.";
/// Why nothing is typed after a click on the place of a row or a column that was removed at that
/// moment.
pub(super) const REMOVED_AT_CLICK: &str =
    "The cell that you clicked was just removed. Choose a cell to go on.";
/// Why nothing is typed into the column that takes the place of the one in which a run of Tabs began.
pub(super) const FIRST_COLUMN_REMOVED: &str =
    "The column in which you began to type was removed. Choose a cell to go on.";

/// That the cursor's cell was removed by somebody else. What the person types is not meant for the cell that
/// has slid under the cursor.
#[derive(Clone, Debug)]
pub(super) struct Displacement {
    /// The cell under the cursor now.
    pub(super) cell: Cursor,
    pub(super) why: &'static str,
    /// Whether the person was not told yet.
    pub(super) is_new: bool,
}

/// Returns why a cell no longer exists, if it was removed.
pub(super) fn why_removed(cell: &Cursor, table: &Table<'_>) -> Option<&'static str> {
    if cell.row.is_some_and(|row| table.watchlist.rows().get(row).is_none()) {
        return Some(ROW_REMOVED);
    }
    is_removed(table, &cell.column).then_some(COLUMN_REMOVED)
}
