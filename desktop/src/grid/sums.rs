//! Count, sum, average, least and greatest of what is selected, kept until the selection or the rows change.

use std::time::Duration;

use rust_decimal::Decimal;
use shared::{value::Value, watchlist::Version};

use super::{GridState, config::GridConfig, state::Cursor, table::Table};

/// How often sums follow rows that change.
const INTERVAL: Duration = Duration::from_millis(250);

/// What is said of the selected cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Cells that hold anything.
    pub filled: usize,
    /// Cells that hold numbers.
    pub numbers: usize,
    /// Their sum; `None` where it is more than a decimal takes.
    pub sum: Option<Decimal>,
    /// The least of them.
    pub least: Option<Decimal>,
    /// The greatest.
    pub greatest: Option<Decimal>,
}

impl Summary {
    /// The numbers' average.
    pub fn average(&self) -> Option<Decimal> {
        self.sum?.checked_div(Decimal::from(self.numbers))
    }

    fn of(values: impl Iterator<Item = Value>) -> Self {
        let mut summary = Self { sum: Some(Decimal::ZERO), ..Self::default() };
        for value in values {
            summary.filled += usize::from(!value.is_empty());
            let Some(number) = value.as_number() else { continue };
            summary.numbers += 1;
            summary.sum = summary.sum.and_then(|sum| sum.checked_add(number));
            summary.least = Some(summary.least.map_or(number, |least| least.min(number)));
            summary.greatest = Some(summary.greatest.map_or(number, |greatest| greatest.max(number)));
        }
        summary
    }
}

/// The summary of the last selection.
#[derive(Default)]
pub struct Sums {
    summary: Option<Summary>,
    of: Option<(u64, Option<Cursor>, GridConfig)>,
    version: Version,
    at: Duration,
}

impl Sums {
    /// The summary, where more than one cell is selected.
    pub fn get(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

impl GridState {
    /// Sums up what is selected, where that is not what it was. Gives when to look again.
    pub(super) fn sum_up(&mut self, table: &Table<'_>, now: Duration) -> Option<Duration> {
        if self.selection.is_single() {
            self.sums = Sums::default();
            return None;
        }
        let is_same = self.sums.of.as_ref().is_some_and(|(selection, cursor, config)| {
            *selection == self.selection.version() && *cursor == self.cursor && *config == self.config
        });
        let version = table.watchlist.version();
        if is_same && version == self.sums.version {
            return None;
        }
        let due = self.sums.at + INTERVAL;
        if is_same && now < due {
            return Some(due - now);
        }
        let columns = self.selected_columns(table);
        let rows = (0..table.len()).filter_map(|index| table.row_at(index));
        let values = rows.filter(|row| self.selection.has_row(row.id)).flat_map(|row| {
            let selected = columns.iter().filter(|entry| self.selection.contains(row.id, &entry.column.key));
            selected.map(|entry| table.value(row, entry))
        });
        let summary = Summary::of(values);
        let of = Some((self.selection.version(), self.cursor.clone(), self.config.clone()));
        self.sums = Sums { summary: Some(summary), of, version, at: now };
        None
    }
}
