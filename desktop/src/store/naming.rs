//! Names of rows and cells, also of those that are gone.

use std::sync::Arc;

use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId},
    watchlist::Watchlist,
};

use super::{
    state::Store,
    words::{Names, row_name},
};

impl Store {
    /// Returns a watchlist as it is, or as it was when the server closed it.
    pub(super) fn last_state(&self, watchlist: WatchlistId) -> Option<&Watchlist> {
        self.watchlist(watchlist).or_else(|| self.closed.get(&watchlist))
    }

    /// Returns the name of a cell: that of its row and the title of its column.
    pub fn cell_name(&self, watchlist: WatchlistId, row: RowId, column: &ColumnKey) -> Option<String> {
        let row_name = |row| self.row_name(watchlist, row);
        let state = self.last_state(watchlist)?;
        Some(Names { state: Some(state), row_name: &row_name }.cell(row, column))
    }

    /// Returns the name of a row, also of one that was removed not long ago.
    pub fn row_name(&self, watchlist: WatchlistId, row: RowId) -> Option<Arc<str>> {
        let shown = self.last_state(watchlist).and_then(|watchlist| row_name(watchlist, row));
        shown.or_else(|| self.lists.get(watchlist)?.removed_name(row).cloned())
    }
}
