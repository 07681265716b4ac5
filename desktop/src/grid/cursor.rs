//! A cell by its ids.

use serde::{Deserialize, Serialize};
use shared::{column::ColumnKey, ids::RowId};

/// A cell identified by its row and column ids, so that it follows its row when rows move.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The row; `None` is the empty row at the end.
    pub row: Option<RowId>,
    /// The column.
    pub column: ColumnKey,
}
