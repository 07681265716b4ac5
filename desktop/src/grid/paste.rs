//! Copy and paste. A paste is planned as a whole. It needs confirmation if it adds rows, has text that cannot
//! be parsed or is too large for one edit.

use std::{collections::BTreeMap, sync::Arc};

use egui::{Id, Ui};
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::Change,
    ids::RowId,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Row},
};

use super::{
    confirm::edit_or_confirm,
    place::{ListIndex, insert_changes},
    selection::Selection,
    table::{Table, guarded_set, is_editable},
    times::local_text,
    typed::{plain_text, read_typed},
    view::{Frame, GridView},
    view_column::ViewColumn,
};
use crate::{
    command::{Command, GridCommand},
    shortened::shortened,
    tsv,
};

/// Why nothing is pasted.
const JUST_GONE: &str = "A row or column here was just removed, or hidden by a filter. Paste again.";
/// Why nothing is pasted into rows that were selected together.
const SCATTERED: &str = "The selected rows were sorted apart by changes of others, and you paste more rows than are \
                         selected. Select one cell and paste again.";
/// Maximum number of invalid cells that the confirmation lists.
const MAX_LISTED: usize = 8;
/// Maximum number of characters shown of each.
const MAX_SHOWN_CHARS: usize = 40;

/// The cells that a grid copied last.
#[derive(Clone)]
struct CopiedCells(Arc<str>);

/// A pasted cell that is not valid in its column.
struct InvalidCell {
    /// Number of the pasted row, from 1.
    line: usize,
    text: String,
    column: String,
    why: String,
}

/// The changes of a paste, and the cells that it leaves out.
#[derive(Default)]
struct Plan {
    /// Number of the pasted row that is being planned, from 1.
    line: usize,
    changes: Vec<Change>,
    new_rows: Vec<(RowId, BTreeMap<ColumnKey, Literal>)>,
    invalid: Vec<InvalidCell>,
    /// Titles of the computed columns for which there was text.
    computed: Vec<String>,
    /// Texts with a single separator of groups, such as `1,234`, with the titles of their columns.
    grouped: Vec<String>,
    /// Whether a separator of groups is the decimal separator of another pasted number.
    has_other_decimals: bool,
    /// Whether more rows are pasted than are selected, and those were sorted apart.
    is_too_long: bool,
    /// Number of cells beyond the last column.
    beyond: usize,
    /// Titles of sections that are replaced, with the new ones.
    titles: Vec<(String, String)>,
    /// The rows that were pasted into, and their columns.
    rows: Vec<RowId>,
    columns: Vec<ColumnKey>,
}

/// Copies the selected cells to the clipboard as tab-separated text.
pub(super) fn copy(ui: &Ui, selection: &Selection, frame: &Frame<'_>) {
    let text = selection_text(selection, frame);
    ui.data_mut(|data| data.insert_temp(Id::NULL, CopiedCells(text.as_str().into())));
    ui.copy_text(text);
}

/// Whether a text was copied from a grid of this program.
fn is_own(ui: &Ui, text: &str) -> bool {
    let copied = ui.data(|data| data.get_temp::<CopiedCells>(Id::NULL));
    copied.is_some_and(|CopiedCells(copied)| copied.lines().eq(text.lines()))
}

/// Returns the selected cells as tab-separated text. Sections of which the title is not selected are left out:
/// their empty lines would empty cells where they are pasted.
fn selection_text(selection: &Selection, frame: &Frame<'_>) -> String {
    let columns = selection.columns(frame.table);
    let selected = selection.rows_as_selected(frame.table);
    let has_cells = |row: &&Arc<Row>| {
        !frame.table.is_section(row)
            || columns.iter().any(|column| {
                selection.contains(row.id, column.key()) && frame.table.storage_column(row, column).is_some()
            })
    };
    let rows = selected.into_iter().filter_map(|row| frame.view.watchlist.rows().get(row));
    let rows: Vec<Vec<String>> = rows
        .filter(has_cells)
        .map(|row| {
            // Cells between several blocks that are not selected stay empty.
            let cell = |column: &&ViewColumn| match selection.contains(row.id, column.key()) {
                true => as_text(&read_value(row, column, frame), frame),
                false => String::new(),
            };
            columns.iter().map(cell).collect()
        })
        .collect();
    tsv::write(rows.iter().map(|row| row.iter().map(String::as_str)))
}

/// Returns the value that the person has read in a cell: not one that others have just set.
fn read_value(row: &Row, column: &ViewColumn, frame: &Frame<'_>) -> Value {
    let value = frame.table.value(row, column);
    match frame.table.storage_column(row, column).filter(|storage| is_editable(storage)) {
        Some(storage) => frame.view.read_value(row.id, &storage.column.key, value),
        None => value,
    }
}

/// Formats a value for spreadsheets: every digit, no grouping, times in the user's zone.
fn as_text(value: &Value, frame: &Frame<'_>) -> String {
    match value {
        Value::Number(number) => frame.view.separators.write(*number),
        Value::Time(time) => local_text(*time, frame.view.zone),
        Value::Flag(flag) => if *flag { "TRUE" } else { "FALSE" }.to_owned(),
        Value::Text(_) | Value::Empty => plain_text(value),
    }
}

/// Pastes text into cells, starting at the first selected one, and selects what it pasted. A single value
/// fills the whole selection.
pub(super) fn paste(ui: &Ui, selection: &mut Selection, frame: &Frame<'_>, text: &str) -> Vec<Command> {
    let cells = tsv::read(text);
    if let Some(why) = gone_target(selection, frame.table, cells.len()) {
        return vec![Command::notify(why)];
    }
    if cells.len() > 1 && selection.has_lost_rows(frame.table) {
        // The next paste goes to what is selected now.
        selection.blocks.forget_sequence();
        return vec![Command::notify(JUST_GONE)];
    }
    let plan = match cells.as_slice() {
        [] => return Vec::new(),
        [row] if row.len() == 1 && !selection.blocks.is_single() => plan_one(selection, frame, &row[0]),
        rows => plan_block(selection, frame, rows, is_own(ui, text)),
    };
    let mut plan = plan.unwrap_or_default();
    if plan.is_too_long {
        return vec![Command::notify(SCATTERED)];
    }
    let pasted = (std::mem::take(&mut plan.rows), std::mem::take(&mut plan.columns));
    selection.select_once_shown(pasted.0, pasted.1);
    plan.edit(frame)
}

/// Returns why a number of rows is not pasted: others have just removed one of the rows or columns that the person
/// saw there.
fn gone_target(selection: &Selection, table: &Table<'_>, count: usize) -> Option<&'static str> {
    let (rows, columns) = table.before()?;
    let cursor = selection.cursor.as_ref().filter(|_| selection.blocks.is_single())?;
    let rows = &rows.rows;
    let first = rows.iter().position(|row| Some(*row) == cursor.row)?;
    let is_gone = |row: &RowId| table.index_of(*row).is_none();
    let has_row_gone = rows.iter().skip(first).take(count).any(is_gone);
    let has_column_gone = columns.iter().any(|column| table.column(column).is_none());
    (has_row_gone || has_column_gone).then_some(JUST_GONE)
}

fn plan_one(selection: &Selection, frame: &Frame<'_>, text: &str) -> Option<Plan> {
    let mut plan = Plan { line: 1, ..Plan::default() };
    let columns = selection.columns(frame.table);
    for row in selection.rows(frame.table) {
        for column in &columns {
            if selection.contains(row, column.key()) {
                plan.plan_cell(row, column, text, frame);
            }
        }
    }
    Some(plan)
}

fn plan_block(selection: &Selection, frame: &Frame<'_>, rows: &[Vec<String>], is_own: bool) -> Option<Plan> {
    let table = frame.table;
    let cursor = selection.cursor.as_ref()?;
    // Others may have sorted the rows apart since they were selected.
    let scattered = selection.scattered_rows(table);
    let row_at = |place: usize| match &scattered {
        Some(rows) => rows.get(place).copied(),
        None => table.id_at(place),
    };
    let first_row = match selection.rows(table).first() {
        _ if scattered.is_some() => 0,
        Some(row) => table.index_of(*row)?,
        None => cursor.row.map_or(Some(table.len()), |row| table.index_of(row))?,
    };
    let first_column = match selection.columns(table).first() {
        Some(column) => table.column_index(column.key())?,
        None => table.column_index(&cursor.column)?,
    };
    let mut plan = Plan::default();
    let mut next_row = first_row;
    for (index, texts) in rows.iter().enumerate() {
        plan.line = index + 1;
        let columns = table.columns().get(first_column..).unwrap_or_default();
        // As when they are typed one below the other, figures pass over the titles of sections. In a sheet with
        // the same sections, an empty line is beside a title.
        let is_beside_title = !is_own && texts.iter().all(|text| text.trim().is_empty());
        let is_title = |row: Option<RowId>| row.is_some_and(|row| table.is_section_row(row));
        while first_column > 0 && !is_beside_title && is_title(row_at(next_row)) {
            next_row += 1;
        }
        let at = next_row;
        next_row += 1;
        plan.beyond += texts.len().saturating_sub(columns.len());
        let own = columns.iter().take(texts.len()).map(|column| column.key().clone());
        plan.columns.extend(own.skip(plan.columns.len()));
        match row_at(at) {
            Some(row) => {
                plan.rows.push(row);
                let cells = texts.iter().zip(columns);
                cells.for_each(|(text, column)| plan.plan_cell(row, column, text, frame));
            }
            None if scattered.is_some() => plan.is_too_long = true,
            None => {
                let mut cells = BTreeMap::new();
                for (text, column) in texts.iter().zip(columns) {
                    let Some(entry) = column.data() else {
                        plan.note_computed(column.title(), text);
                        continue;
                    };
                    if let Some(value) = plan.parse_cell(entry, text, frame).filter(|value| !value.is_empty())
                    {
                        cells.insert(entry.column.key.clone(), value.to_literal());
                    }
                }
                if !cells.is_empty() {
                    let row = (frame.view.new_row)();
                    plan.rows.push(row);
                    plan.new_rows.push((row, cells));
                }
            }
        }
    }
    Some(plan)
}

impl Plan {
    fn plan_cell(&mut self, row: RowId, column: &ViewColumn, text: &str, frame: &Frame<'_>) {
        let Some((storage, current)) = frame.table.editable(Some(row), column) else {
            self.skip_cell(row, column, text, frame);
            return;
        };
        if let Some(value) = self.parse_cell(storage, text, frame)
            && value != current
        {
            if frame.table.is_section_row(row) {
                self.titles.push((
                    shortened(&plain_text(&current), MAX_SHOWN_CHARS),
                    shortened(&plain_text(&value), MAX_SHOWN_CHARS),
                ));
            }
            let read = frame.view.read_value(row, &storage.column.key, current);
            self.changes.push(guarded_set(row, storage, value.to_literal(), &read));
        }
    }

    /// Skips a cell that cannot be edited. Text over a computed cell is expected; text over a section is
    /// reported, because it would be lost.
    fn skip_cell(&mut self, row: RowId, column: &ViewColumn, text: &str, frame: &Frame<'_>) {
        if !frame.table.is_section_row(row) {
            self.note_computed(column.title(), text);
        } else if !text.trim().is_empty() {
            self.note_invalid(column.title(), text, "a section has only a title".to_owned());
        }
    }

    fn note_invalid(&mut self, title: &str, text: &str, why: String) {
        let column = title.to_owned();
        self.invalid.push(InvalidCell {
            line: self.line,
            text: shortened(text, MAX_SHOWN_CHARS),
            column,
            why,
        });
    }

    fn note_computed(&mut self, title: &str, text: &str) {
        if !text.trim().is_empty() && !self.computed.iter().any(|known| known == title) {
            self.computed.push(title.to_owned());
        }
    }

    /// Parses a text for a column. Pasted text is absolute: `+5` is five.
    fn parse_cell(&mut self, entry: &ColumnEntry, text: &str, frame: &Frame<'_>) -> Option<Value> {
        if !is_editable(entry) {
            self.note_computed(&entry.column.title, text);
            return None;
        }
        let group = frame.view.separators.group;
        match read_pasted(text, &entry.column.kind, frame.view) {
            Ok(value) => {
                if entry.column.kind.is_numeric() && text.matches(group).count() == 1 {
                    self.grouped.push(shortened(text.trim(), MAX_SHOWN_CHARS));
                }
                Some(value)
            }
            Err(why) => {
                self.has_other_decimals |= entry.column.kind.is_numeric()
                    && read_pasted(&text.replace(group, ""), &entry.column.kind, frame.view).is_ok();
                self.note_invalid(&entry.column.title, text, why);
                None
            }
        }
    }

    fn edit(self, frame: &Frame<'_>) -> Vec<Command> {
        let Plan { mut changes, new_rows, invalid, computed, beyond, titles, .. } = self;
        let (grouped, has_other_decimals) = (self.grouped, self.has_other_decimals);
        let added = new_rows.len();
        if added > 0 {
            let end = ListIndex::end(frame.view.watchlist);
            changes.extend(insert_changes(frame.view.watchlist, end, new_rows).unwrap_or_default());
        }
        let separators = frame.view.separators;
        let mut lines = Vec::new();
        if added > 0 {
            lines.push(format!("This adds {} at the end.", separators.format_count(added, "row", "rows")));
        }
        // A block that was made for rows is one row off if it covers a section. A single text is meant.
        if changes.len() > 1 {
            lines.extend(titles.iter().take(MAX_LISTED).map(|(old, new)| {
                format!("The section \u{201c}{old}\u{201d} will be renamed \u{201c}{new}\u{201d}.")
            }));
        }
        if !invalid.is_empty() {
            lines.push(format!(
                "{} not valid and will be skipped:",
                separators.format_count(invalid.len(), "cell is", "cells are")
            ));
            lines.extend(invalid.iter().take(MAX_LISTED).map(|invalid| {
                let InvalidCell { line, text, column, why } = invalid;
                // Most reasons quote the text.
                match why.contains(text.as_str()) {
                    true => format!("Line {line}, {column}: {why}"),
                    false => format!("Line {line}, {column}, \u{201c}{text}\u{201d}: {why}"),
                }
            }));
            if invalid.len() > MAX_LISTED {
                lines.push(format!(
                    "\u{2026} and {} more.",
                    separators.format((invalid.len() - MAX_LISTED).into(), 0)
                ));
            }
        }
        if has_other_decimals && !grouped.is_empty() {
            let named = grouped.iter().take(MAX_LISTED).map(|text| format!("\u{201c}{text}\u{201d}"));
            lines.push(format!(
                "Read as thousands, although others have decimals there: {}{}.",
                named.collect::<Vec<_>>().join(", "),
                if grouped.len() > MAX_LISTED { " \u{2026}" } else { "" }
            ));
        }
        if beyond > 0 {
            lines.push(format!(
                "{} beyond the last column and will be skipped.",
                separators.format_count(beyond, "cell is", "cells are")
            ));
        }
        let left_out = (!computed.is_empty()).then(|| {
            let verb = if computed.len() == 1 { "is" } else { "are" };
            format!("{} {verb} computed from other columns and not pasted.", computed.join(", "))
        });
        if lines.is_empty() {
            let edits = edit_or_confirm(&GridCommand::RequestPaste, lines, changes, frame.view);
            return edits.into_iter().chain(left_out.map(Command::notify)).collect();
        }
        lines.extend(left_out);
        edit_or_confirm(&GridCommand::RequestPaste, lines, changes, frame.view)
    }
}

fn read_pasted(text: &str, kind: &ColumnKind, view: &GridView<'_>) -> Result<Value, String> {
    let trimmed = text.trim();
    match kind {
        ColumnKind::Number { .. } if trimmed.ends_with('%') => {
            Err(format!("{trimmed:?} is a percentage, and the column has plain numbers"))
        }
        ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
            read_typed(kind, trimmed.strip_prefix('+').unwrap_or(trimmed), None, view)
        }
        _ => read_typed(kind, text, None, view),
    }
}
