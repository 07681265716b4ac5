//! The number of rows, without sections.

use shared::watchlist::Version;

use super::table::Table;

/// The number of rows of the watchlist and how many of them are shown. Rows are counted again only when they
/// change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    of: Option<(Version, u64)>,
    all: usize,
    shown: usize,
}

impl Counts {
    /// Counts the rows in an order, which is identified by a number. Returns whether the numbers have
    /// changed.
    pub(super) fn update(&mut self, table: &Table<'_>, order: u64) -> bool {
        let watchlist = table.watchlist;
        let of = Some((watchlist.version(), order));
        if self.of == of {
            return false;
        }
        let before = self.get();
        self.of = of;
        (self.all, self.shown) = (watchlist.row_count(), table.len());
        if watchlist.columns().sections().is_some() {
            let shown = (0..table.len()).filter_map(|index| table.row_at(index));
            self.shown -= shown.filter(|row| table.is_section(row)).count();
        }
        self.get() != before
    }

    /// Returns the number of all rows and of the shown ones.
    pub(super) fn get(&self) -> (usize, usize) {
        (self.all, self.shown)
    }
}
