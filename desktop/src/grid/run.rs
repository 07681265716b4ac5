//! The cells of a list of values that a person types, one below or beside the other.

use shared::{column::ColumnKey, ids::RowId};

use super::{
    cursor::Cursor,
    displacement::{Reason, is_removed},
    order::SeenRows,
    table::Table,
};
use crate::command::Step;

/// Maximum number of rows before and after the first value that are remembered.
const MAX_ROWS: usize = 2_000;

/// The rows and columns as they were shown when the first value was typed. Those that others insert, remove
/// or move while the person goes on, looking at other things, shift no value.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    rows: Vec<RowId>,
    /// Whether the first of them is the first of the list.
    has_start: bool,
    /// Whether the empty row at the end follows.
    has_end: bool,
    /// The columns, and whether values can be typed into each.
    columns: Vec<(ColumnKey, bool)>,
}

/// Where the next value of a list goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To this cell.
    Cell(Cursor),
    /// Its row or column is gone.
    Gone(Reason),
    /// The list does not say.
    Unknown,
}

/// The row after one of a list, or before it.
enum NextRow {
    Row(RowId),
    /// The empty row at the end.
    New,
    /// There is none: the row is the first of the list.
    Start,
    /// The list does not say.
    Unknown,
}

impl Run {
    /// Begins a list of values at a row; `None` is the empty row at the end.
    pub(super) fn starting(table: &Table<'_>, row: Option<RowId>) -> Self {
        if let (Some((rows, columns)), Some(row)) = (table.before(), row)
            && rows.rows.contains(&row)
        {
            return Self::of_shown(table, (rows, columns), false);
        }
        let index = row.and_then(|row| table.index_of(row)).unwrap_or(table.len());
        let end = (index + MAX_ROWS).min(table.len());
        let start = index.saturating_sub(MAX_ROWS);
        let rows = (start..end).filter_map(|index| table.row_at(index));
        let rows: Vec<RowId> = rows.filter(|row| !table.is_section(row)).map(|row| row.id).collect();
        let has_start = start == 0 && table.id_at(0) == rows.first().copied();
        let is_editable = |column| table.editable(None, column).is_some();
        let columns = table.columns().iter().map(|column| (column.key().clone(), is_editable(column)));
        Self { rows, has_start, has_end: end == table.len(), columns: columns.collect() }
    }

    /// Returns the list of the rows and columns that a person has seen, with those that are gone.
    fn of_shown(table: &Table<'_>, (seen, columns): (&SeenRows, &[ColumnKey]), has_sections: bool) -> Self {
        let takes_values =
            |key: &ColumnKey| table.column(key).is_none_or(|column| table.editable(None, column).is_some());
        let rows = seen.above.iter().chain(&seen.rows).chain(&seen.below).copied();
        let rows: Vec<RowId> = rows.filter(|row| has_sections || !table.is_section_row(*row)).collect();
        Self {
            has_start: seen.above.is_none() && seen.rows.first() == rows.first(),
            rows,
            has_end: seen.below.is_none(),
            columns: columns.iter().map(|key| (key.clone(), takes_values(key))).collect(),
        }
    }

    /// Returns this list, or if there is none the rows and columns that a person has seen if others have just
    /// moved or removed some: a step leads to a neighbour, or to none if that is gone.
    pub(super) fn or_seen(&self, table: &Table<'_>, step: Step) -> Self {
        match table.before().filter(|_| self.rows.is_empty()) {
            Some(before) => Self::of_shown(table, before, !matches!(step, Step::Next | Step::Previous)),
            None => self.clone(),
        }
    }

    /// Returns where a step from a cell leads.
    pub(super) fn next(&self, table: &Table<'_>, cell: &Cursor, step: Step) -> Next {
        let Some(row) = cell.row else { return Next::Unknown };
        match step {
            Step::Down | Step::Up => match self.next_row(table, row, step == Step::Down) {
                Ok(NextRow::Row(row)) => Next::Cell(Cursor { row: Some(row), column: cell.column.clone() }),
                Ok(NextRow::New) => Next::Cell(Cursor { row: None, column: cell.column.clone() }),
                Ok(NextRow::Start) => Next::Cell(cell.clone()),
                Ok(NextRow::Unknown) => Next::Unknown,
                Err(reason) => Next::Gone(reason),
            },
            Step::Next | Step::Previous => self.next_editable(table, (row, cell), step == Step::Next),
            Step::Left | Step::Right => {
                let place = self.place(&cell.column);
                let next = place.and_then(|place| self.beside(place, step == Step::Right));
                next.map_or(Next::Unknown, |next| self.cell(table, row, next))
            }
            _ => Next::Unknown,
        }
    }

    /// Returns the next row, or the one before.
    fn next_row(&self, table: &Table<'_>, row: RowId, forward: bool) -> Result<NextRow, Reason> {
        let Some(place) = self.rows.iter().position(|known| *known == row) else {
            return Ok(NextRow::Unknown);
        };
        let next = if forward { Some(place + 1) } else { place.checked_sub(1) };
        match next.and_then(|next| self.rows.get(next)) {
            Some(next) if table.watchlist.rows().get(*next).is_none() => Err(Reason::NextRowRemoved),
            Some(next) if table.index_of(*next).is_some() => Ok(NextRow::Row(*next)),
            Some(_) => Err(Reason::NextRowHidden),
            None if forward && self.has_end => Ok(NextRow::New),
            None if !forward && self.has_start => Ok(NextRow::Start),
            None => Ok(NextRow::Unknown),
        }
    }

    /// Returns the next cell that can be edited, or the one before, also of the adjacent row.
    fn next_editable(&self, table: &Table<'_>, (row, cell): (RowId, &Cursor), forward: bool) -> Next {
        let Some(from) = self.place(&cell.column) else { return Next::Unknown };
        let count = self.columns.len();
        let takes_values = |place: &usize| self.columns[*place].1 && !self.is_hidden(table, *place);
        let in_row =
            if forward { (from + 1..count).find(takes_values) } else { (0..from).rev().find(takes_values) };
        if let Some(next) = in_row {
            return self.cell(table, row, next);
        }
        let first = if forward { (0..count).find(takes_values) } else { (0..count).rev().find(takes_values) };
        match (self.next_row(table, row, forward), first) {
            (Ok(NextRow::Row(row)), Some(first)) => self.cell(table, row, first),
            (Ok(NextRow::Start), _) => Next::Cell(cell.clone()),
            (Err(reason), _) => Next::Gone(reason),
            _ => Next::Unknown,
        }
    }

    fn place(&self, column: &ColumnKey) -> Option<usize> {
        self.columns.iter().position(|(known, _)| known == column)
    }

    /// Returns the place of the column beside one.
    fn beside(&self, place: usize, forward: bool) -> Option<usize> {
        let next = if forward { place + 1 } else { place.checked_sub(1)? };
        (next < self.columns.len()).then_some(next)
    }

    /// Whether this window has hidden a column.
    fn is_hidden(&self, table: &Table<'_>, place: usize) -> bool {
        let (column, _) = &self.columns[place];
        table.column(column).is_none() && !is_removed(table, column)
    }

    fn cell(&self, table: &Table<'_>, row: RowId, place: usize) -> Next {
        let (column, _) = &self.columns[place];
        if table.column(column).is_some() {
            Next::Cell(Cursor { row: Some(row), column: column.clone() })
        } else if is_removed(table, column) {
            Next::Gone(Reason::NextColumnRemoved)
        } else {
            Next::Unknown
        }
    }
}
