//! Where a step of the cursor leads.

use crate::command::Step;

use super::{cursor::Cursor, table::Table};

/// Returns the index of a cell's row, if that row is shown. The empty row at the end has the last one.
pub(super) fn index_of(cursor: &Cursor, table: &Table<'_>) -> Option<usize> {
    match cursor.row {
        Some(row) => table.index_of(row),
        None => Some(table.len()),
    }
}

/// Returns the row and column index that a step leads to.
pub(super) fn step_target(
    table: &Table<'_>,
    from: &Cursor,
    last_index: usize,
    step: Step,
    page: usize,
) -> Option<(usize, usize)> {
    let column = table.column_index(&from.column)?;
    let index = index_of(from, table).unwrap_or(last_index);
    let last_row = table.len();
    let last_data = last_row.saturating_sub(1);
    let last_column = table.columns().len() - 1;
    Some(match step {
        Step::Up => (index.saturating_sub(1), column),
        Step::Down => ((index + 1).min(last_row), column),
        Step::Left => (index, column.saturating_sub(1)),
        Step::Right => (index, (column + 1).min(last_column)),
        Step::PageUp => (index.saturating_sub(page), column),
        Step::PageDown => ((index + page).min(last_row), column),
        Step::Top => (data_edge(index, 0, |row| is_filled(table, row, column)), column),
        Step::Bottom => (data_edge(index, last_data, |row| is_filled(table, row, column)), column),
        Step::FarLeft => (index, data_edge(column, 0, |column| is_filled(table, index, column))),
        Step::FarRight => (index, data_edge(column, last_column, |column| is_filled(table, index, column))),
        Step::RowStart => (index, 0),
        Step::RowEnd => (index, last_column),
        Step::First => (0, 0),
        Step::Last => (last_data, last_column),
        Step::Next | Step::Previous => editable_neighbour(table, index, column, step == Step::Next),
    })
}

fn is_filled(table: &Table<'_>, index: usize, column: usize) -> bool {
    let row = table.row_at(index);
    row.is_some_and(|row| !table.value(row, &table.columns()[column]).is_empty())
}

/// Returns the target of Ctrl+arrow, as in a spreadsheet: the last filled cell before a gap, the next filled
/// cell after a gap, or the end.
fn data_edge(from: usize, end: usize, is_filled: impl Fn(usize) -> bool) -> usize {
    let next = |at: usize| if end > at { at + 1 } else { at.saturating_sub(1).max(end) };
    if from == end {
        return end;
    }
    let mut at = next(from);
    if is_filled(from) && is_filled(at) {
        while at != end && is_filled(next(at)) {
            at = next(at);
        }
    } else {
        while at != end && !is_filled(at) {
            at = next(at);
        }
    }
    at
}

/// Returns the next or previous editable cell, wrapping to the adjacent row.
fn editable_neighbour(table: &Table<'_>, index: usize, column: usize, forward: bool) -> (usize, usize) {
    let columns = table.columns();
    let is_section = |index: &usize| table.row_at(*index).is_some_and(|row| table.is_section(row));
    let (mut row, mut at) = (index, column);
    for _ in 0..=columns.len() {
        // Past sections, whose titles the next figure would replace.
        let below = || (row + 1..=table.len()).find(|index| !is_section(index));
        let above = || (0..row).rev().find(|index| !is_section(index));
        let is_in_row = if forward { at + 1 < columns.len() } else { at > 0 };
        let next_row = if forward { below() } else { above() };
        match next_row {
            _ if is_in_row => at = if forward { at + 1 } else { at - 1 },
            Some(next) => (row, at) = (next, if forward { 0 } else { columns.len() - 1 }),
            None => break,
        }
        if table.editable(table.id_at(row), &columns[at]).is_some() {
            return (row, at);
        }
    }
    (index, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_arrow_moves_to_the_edge_of_the_data() {
        let filled = |cells: [bool; 7]| move |at: usize| cells[at];
        let cells = [true, true, true, false, false, true, false];
        for (from, end, expected) in
            [(0, 6, 2), (2, 6, 5), (5, 6, 6), (6, 0, 5), (5, 0, 2), (2, 0, 0), (0, 0, 0)]
        {
            assert_eq!(data_edge(from, end, filled(cells)), expected, "{from} to {end}");
        }
    }
}
