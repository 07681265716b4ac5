//! Count, sum, average, minimum and maximum of the selection, cached until the selection or the rows change.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use rust_decimal::Decimal;
use shared::{
    value::Value,
    watchlist::{ColumnEntry, Columns, Row, Version},
};

use super::{blocks::Blocks, config::GridConfig, cursor::Cursor, selection::Selection, table::Table};

/// Minimum time between two updates while rows change.
const INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of cells that are summed on the calling thread.
const MAX_INLINE_CELLS: usize = 20_000;

/// Totals of the selected cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Number of selected cells.
    pub cells: usize,
    /// Number of non-empty cells.
    pub filled: usize,
    /// Number of cells with numbers.
    pub numbers: usize,
    /// Sum of the numbers; `None` if it overflows a decimal.
    pub sum: Option<Decimal>,
    /// Smallest number.
    pub min: Option<Decimal>,
    /// Largest number.
    pub max: Option<Decimal>,
}

impl Summary {
    /// Returns the average of the numbers.
    pub fn average(&self) -> Option<Decimal> {
        self.sum?.checked_div(Decimal::from(self.numbers))
    }

    /// Computes the totals of the selected cells in `rows`. Sections are skipped: they have no values.
    fn of<'r>(rows: impl Iterator<Item = &'r Row>, columns: &Columns, selected: &Selected) -> Self {
        let mut summary = Self { sum: Some(Decimal::ZERO), ..Self::default() };
        let sections = columns.sections();
        for row in rows.filter(|row| selected.cells.has_row(row.id) && row.section(sections).is_none()) {
            let cells =
                selected.columns.iter().filter(|entry| selected.cells.contains(row.id, &entry.column.key));
            cells.for_each(|entry| summary.add(&row.value(entry, columns)));
        }
        summary
    }

    fn add(&mut self, value: &Value) {
        self.cells += 1;
        self.filled += usize::from(!value.is_empty());
        let Some(number) = value.as_number() else { return };
        self.numbers += 1;
        self.sum = self.sum.and_then(|sum| sum.checked_add(number));
        self.min = Some(self.min.map_or(number, |min| min.min(number)));
        self.max = Some(self.max.map_or(number, |max| max.max(number)));
    }
}

/// The selected cells and columns, for use on another thread.
struct Selected {
    cells: Blocks,
    columns: Vec<ColumnEntry>,
}

/// What a summary depends on besides the values.
#[derive(Clone, Debug, PartialEq)]
struct SummaryKey {
    blocks: u64,
    cursor: Option<Cursor>,
    config: GridConfig,
    /// Number of orders that were applied.
    orders: u64,
}

/// The summary of the last selection.
#[derive(Default)]
pub struct Sums {
    summary: Option<Summary>,
    key: Option<SummaryKey>,
    /// The version of the watchlist.
    version: Version,
    /// When the last update started.
    at: Duration,
    /// Receives a summary that is computed on another thread.
    computing: Option<mpsc::Receiver<Summary>>,
}

impl Sums {
    /// Returns the summary if more than one cell is selected.
    pub fn get(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// Updates the totals if the selection or the rows have changed. `wake` is called when a computation on
    /// another thread has finished. Returns the time until the next update is due.
    pub(super) fn update(
        &mut self,
        selection: &Selection,
        config: &GridConfig,
        (table, orders): (&Table<'_>, u64),
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) -> Option<Duration> {
        if selection.blocks.is_single() {
            *self = Self::default();
            return None;
        }
        if let Some(computing) = &self.computing {
            match computing.try_recv() {
                Ok(summary) => (self.summary, self.computing) = (Some(summary), None),
                Err(mpsc::TryRecvError::Disconnected) => self.computing = None,
                Err(mpsc::TryRecvError::Empty) => return None,
            }
        }
        let key = SummaryKey {
            blocks: selection.blocks.version(),
            cursor: selection.cursor.clone(),
            config: config.clone(),
            orders,
        };
        let is_same = self.key.as_ref() == Some(&key);
        let version = table.watchlist.version();
        if is_same && version == self.version {
            return None;
        }
        let due = self.at + INTERVAL;
        if is_same && now < due {
            return Some(due - now);
        }
        let columns = selection.columns(table).into_iter().filter_map(|column| column.data());
        let selected = Selected { cells: selection.blocks.clone(), columns: columns.cloned().collect() };
        self.key = Some(key);
        (self.version, self.at) = (version, now);
        if table.len() * selected.columns.len() <= MAX_INLINE_CELLS {
            let rows = (0..table.len()).filter_map(|index| table.row_at(index)).map(Arc::as_ref);
            self.summary = Some(Summary::of(rows, table.watchlist.columns(), &selected));
            return None;
        }
        let (frozen, order) = (table.watchlist.freeze(), table.order());
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = move || {
            let shown = (0..frozen.len())
                .filter(|index| order.contains(frozen.handle(*index), frozen.row(*index).id));
            let rows = shown.map(|index| &**frozen.row(index));
            // Sending fails only if the window was closed.
            drop(sender.send(Summary::of(rows, &frozen.columns, &selected)));
            wake();
        };
        // If no thread can be started, the totals stay as they are until the next change.
        if thread::Builder::new().name("afterglow-sums".to_owned()).spawn(work).is_ok() {
            self.computing = Some(receiver);
        }
        None
    }
}
