//! The rows of a list of values that a person types, one below the other.

use shared::ids::RowId;

use super::table::Table;
use crate::command::Step;

/// Maximum number of rows before and after the first value that are remembered.
const MAX_ROWS: usize = 2_000;

/// The rows as they were shown when the first value was typed. Rows that others insert or remove while the
/// person goes on, looking at other things, shift no value.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    rows: Vec<RowId>,
    /// Whether the empty row at the end follows.
    has_end: bool,
}

/// Where the next value of a list goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To this row; `None` is the empty row at the end.
    Row(Option<RowId>),
    /// The row was removed.
    Removed,
    /// The list does not say.
    Unknown,
}

impl Run {
    /// Begins a list of values at the row of an index.
    pub(super) fn starting(table: &Table<'_>, index: usize) -> Self {
        let end = (index + MAX_ROWS).min(table.len());
        let rows = (index.saturating_sub(MAX_ROWS)..end).filter_map(|index| table.row_at(index));
        let rows = rows.filter(|row| !table.is_section(row)).map(|row| row.id).collect();
        Self { rows, has_end: end == table.len() }
    }

    /// Returns where a step up or down from a row leads.
    pub(super) fn next(&self, table: &Table<'_>, row: RowId, step: Step) -> Next {
        let Some(place) = self.rows.iter().position(|known| *known == row) else { return Next::Unknown };
        let next = match step {
            Step::Down => self.rows.get(place + 1),
            Step::Up => place.checked_sub(1).and_then(|above| self.rows.get(above)),
            _ => return Next::Unknown,
        };
        match next {
            Some(next) if table.watchlist.rows().get(*next).is_none() => Next::Removed,
            Some(next) if table.index_of(*next).is_some() => Next::Row(Some(*next)),
            None if step == Step::Down && self.has_end => Next::Row(None),
            Some(_) | None => Next::Unknown,
        }
    }
}
