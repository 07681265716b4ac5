//! Count, sum, average, least and greatest of what is selected, kept until the selection or the rows change.

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

use super::{
    GridState, config::GridConfig, section, selection::Selection, state::Cursor, table::Table, trend,
};

/// How often sums follow rows that change.
const INTERVAL: Duration = Duration::from_millis(250);
/// So many cells are summed at once; more are looked through beside the window.
const AT_ONCE: usize = 20_000;

/// What is said of the selected cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Cells that are selected.
    pub cells: usize,
    /// Those of them that hold anything.
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

    /// Of what is selected among rows. A section has a title, and no values.
    fn of<'r>(rows: impl Iterator<Item = &'r Row>, columns: &Columns, selected: &Selected) -> Self {
        let mut summary = Self { sum: Some(Decimal::ZERO), ..Self::default() };
        let section = section::column(columns);
        for row in rows.filter(|row| selected.cells.has_row(row.id) && !section::is_section(section, row)) {
            let cells =
                selected.columns.iter().filter(|entry| selected.cells.contains(row.id, &entry.column.key));
            cells.for_each(|entry| summary.take(&row.value(entry, columns)));
        }
        summary
    }

    fn take(&mut self, value: &Value) {
        self.cells += 1;
        self.filled += usize::from(!value.is_empty());
        let Some(number) = value.as_number() else { return };
        self.numbers += 1;
        self.sum = self.sum.and_then(|sum| sum.checked_add(number));
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.greatest = Some(self.greatest.map_or(number, |greatest| greatest.max(number)));
    }
}

/// Which cells.
struct Selected {
    cells: Selection,
    columns: Vec<ColumnEntry>,
}

/// What a summary is of: the selection's version, the cursor, and what is shown.
type Of = (u64, Option<Cursor>, GridConfig);

/// The summary of the last selection.
#[derive(Default)]
pub struct Sums {
    summary: Option<Summary>,
    of: Option<Of>,
    version: Version,
    at: Duration,
    /// A summary of many cells, made on a thread of its own.
    making: Option<mpsc::Receiver<Summary>>,
}

impl Sums {
    /// The summary, where more than one cell is selected.
    pub fn get(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }
}

impl GridState {
    /// Sums up what is selected, where that is not what it was. `wake` is called when more is known. Gives when to
    /// look again.
    pub(super) fn sum_up(
        &mut self,
        table: &Table<'_>,
        now: Duration,
        wake: impl FnOnce() + Send + 'static,
    ) -> Option<Duration> {
        if self.selection.is_single() {
            self.sums = Sums::default();
            return None;
        }
        if let Some(making) = &self.sums.making {
            match making.try_recv() {
                Ok(summary) => (self.sums.summary, self.sums.making) = (Some(summary), None),
                Err(mpsc::TryRecvError::Disconnected) => self.sums.making = None,
                Err(mpsc::TryRecvError::Empty) => return None,
            }
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
        let columns = self.selected_columns(table).into_iter().filter(|entry| trend::source(entry).is_none());
        let selected = Selected { cells: self.selection.clone(), columns: columns.cloned().collect() };
        self.sums.of = Some((self.selection.version(), self.cursor.clone(), self.config.clone()));
        (self.sums.version, self.sums.at) = (version, now);
        if table.len() * selected.columns.len() <= AT_ONCE {
            let rows = (0..table.len()).filter_map(|index| table.row_at(index)).map(Arc::as_ref);
            self.sums.summary = Some(Summary::of(rows, table.watchlist.columns(), &selected));
            return None;
        }
        let (frozen, order) = (table.watchlist.freeze(), table.order());
        let (sender, made) = mpsc::sync_channel(1);
        let work = move || {
            let shown =
                (0..frozen.len()).filter(|index| order.shows(frozen.handle(*index), frozen.row(*index).id));
            let rows = shown.map(|index| &**frozen.row(index));
            // The window is gone where nobody takes it.
            drop(sender.send(Summary::of(rows, &frozen.columns, &selected)));
            wake();
        };
        // Where the system gives no thread the sums stay as they are until something changes.
        if thread::Builder::new().name("afterglow-sums".to_owned()).spawn(work).is_ok() {
            self.sums.making = Some(made);
        }
        None
    }
}
