//! Copy and paste. A paste is planned as a whole. It needs confirmation if it adds rows, has text that cannot
//! be parsed or is too large for one edit.

use std::collections::BTreeMap;

use shared::{
    column::{ColumnKey, ColumnKind},
    edit::Change,
    ids::RowId,
    limits::Limits,
    number::format_grouped,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::ColumnEntry,
    wire::codec::Encoding,
};

use super::{
    Frame, GridAction, GridState,
    edit::{local_text, plain_text},
    filter::{ValueFormat, parse_timestamp},
    ops::{guarded_set, insert_changes, is_editable},
    tsv,
};

/// Maximum number of invalid cells that the confirmation lists.
const MAX_LISTED: usize = 8;
/// Maximum number of characters shown of each.
const MAX_SHOWN_CHARS: usize = 40;
/// Bytes reserved in an edit's message for everything but the changes.
const ENVELOPE_BYTES: usize = 4 * 1024;

/// A confirmation dialog that is shown before edits are sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    /// The operation, such as "Paste".
    pub title: String,
    /// The messages, one per line.
    pub lines: Vec<String>,
    /// The label of the button that confirms.
    pub confirm_label: String,
    edits: Vec<Vec<Change>>,
}

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
    /// Titles of the computed columns that were skipped.
    computed: Vec<String>,
    /// Number of cells beyond the last column.
    beyond: usize,
}

/// Returns the selected cells as tab-separated text.
pub(super) fn selection_text(state: &GridState, frame: &Frame<'_>) -> String {
    let columns = state.selected_columns(frame.table);
    let rows = state.selected_rows(frame.table).into_iter().map(|row| {
        let row = frame.view.watchlist.rows().get(row);
        // Cells between several blocks that are not selected stay empty.
        let cell = |entry: &&ColumnEntry| {
            let row = row.filter(|row| state.is_selected(row.id, &entry.column.key));
            row.map_or_else(String::new, |row| as_text(&frame.table.value(row, entry), frame))
        };
        columns.iter().map(cell).collect::<Vec<String>>()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    tsv::write(rows.iter().map(|row| row.iter().map(String::as_str)))
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

/// Pastes text into cells, starting at the first selected one. A single value fills the whole selection.
pub(super) fn paste(state: &mut GridState, frame: &Frame<'_>, text: &str, actions: &mut Vec<GridAction>) {
    let cells = tsv::read(text);
    let plan = match cells.as_slice() {
        [] => return,
        [row] if row.len() == 1 && !state.selection.is_single() => plan_one(state, frame, &row[0]),
        rows => plan_block(state, frame, rows),
    };
    let plan = plan.unwrap_or_default();
    plan.submit(state, frame, actions);
}

fn plan_one(state: &GridState, frame: &Frame<'_>, text: &str) -> Option<Plan> {
    let mut plan = Plan { line: 1, ..Plan::default() };
    let columns = state.selected_columns(frame.table);
    for row in state.selected_rows(frame.table) {
        for entry in &columns {
            if state.is_selected(row, &entry.column.key) {
                plan.plan_cell(row, entry, text, frame);
            }
        }
    }
    Some(plan)
}

fn plan_block(state: &GridState, frame: &Frame<'_>, rows: &[Vec<String>]) -> Option<Plan> {
    let table = frame.table;
    let cursor = state.cursor.as_ref()?;
    let first_row = match state.selected_rows(table).first() {
        Some(row) => table.index_of(*row)?,
        None => cursor.row.map_or(Some(table.len()), |row| table.index_of(row))?,
    };
    let first_column = match state.selected_columns(table).first() {
        Some(entry) => table.column_index(&entry.column.key)?,
        None => table.column_index(&cursor.column)?,
    };
    let mut plan = Plan::default();
    for (index, texts) in rows.iter().enumerate() {
        plan.line = index + 1;
        let columns = table.columns().get(first_column..).unwrap_or_default();
        plan.beyond += texts.len().saturating_sub(columns.len());
        match table.id_at(first_row + index) {
            Some(row) => {
                texts.iter().zip(columns).for_each(|(text, entry)| plan.plan_cell(row, entry, text, frame));
            }
            None => {
                let mut cells = BTreeMap::new();
                for (text, entry) in texts.iter().zip(columns) {
                    if let Some(value) =
                        plan.parse_cell(entry, text, &Value::Empty, frame).filter(|value| !value.is_empty())
                    {
                        cells.insert(entry.column.key.clone(), value.to_literal());
                    }
                }
                if !cells.is_empty() {
                    plan.new_rows.push(((frame.view.new_row)(), cells));
                }
            }
        }
    }
    Some(plan)
}

impl Plan {
    fn plan_cell(&mut self, row: RowId, entry: &ColumnEntry, text: &str, frame: &Frame<'_>) {
        let Some((storage, current)) = frame.table.editable(Some(row), entry) else {
            self.skip_cell(row, entry, text, frame);
            return;
        };
        if let Some(value) = self.parse_cell(storage, text, &current, frame)
            && value != current
        {
            self.changes.push(guarded_set(row, storage, value.to_literal(), &current));
        }
    }

    /// Skips a cell that cannot be edited. Text over a computed cell is expected; text over a section is
    /// reported, because it would be lost.
    fn skip_cell(&mut self, row: RowId, entry: &ColumnEntry, text: &str, frame: &Frame<'_>) {
        let is_section = frame.view.watchlist.rows().get(row).is_some_and(|row| frame.table.is_section(row));
        if !is_section {
            self.note_computed(entry);
        } else if !text.trim().is_empty() {
            self.note_invalid(entry, text, "a section has only a title".to_owned());
        }
    }

    fn note_invalid(&mut self, entry: &ColumnEntry, text: &str, why: String) {
        let column = entry.column.title.to_string();
        self.invalid.push(InvalidCell { line: self.line, text: truncated(text), column, why });
    }

    fn note_computed(&mut self, entry: &ColumnEntry) {
        let title = entry.column.title.to_string();
        if !self.computed.contains(&title) {
            self.computed.push(title);
        }
    }

    /// Parses a text for a column. Pasted text is absolute: `+5` is five.
    fn parse_cell(
        &mut self,
        entry: &ColumnEntry,
        text: &str,
        current: &Value,
        frame: &Frame<'_>,
    ) -> Option<Value> {
        if !is_editable(entry) {
            self.note_computed(entry);
            return None;
        }
        match read_pasted(text, frame.view.value_format(&entry.column.kind), current) {
            Ok(value) => Some(value),
            Err(why) => {
                self.note_invalid(entry, text, why);
                None
            }
        }
    }

    fn submit(self, state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
        let Plan { mut changes, new_rows, invalid, computed, beyond, line: _ } = self;
        let added = new_rows.len();
        if added > 0 {
            let end = frame.view.watchlist.rows().len();
            changes.extend(insert_changes(frame.view.watchlist, end, new_rows).unwrap_or_default());
        }
        let mut lines = Vec::new();
        if added > 0 {
            lines.push(format!("{} will be added at the end of the list.", counted(added, "row", "rows")));
        }
        if !invalid.is_empty() {
            lines.push(format!(
                "{} not valid and will be skipped:",
                counted(invalid.len(), "cell is", "cells are")
            ));
            lines.extend(invalid.iter().take(MAX_LISTED).map(|invalid| {
                let InvalidCell { line, text, column, why } = invalid;
                format!("Row {line}, {column}, \u{201c}{text}\u{201d}: {why}")
            }));
            if invalid.len() > MAX_LISTED {
                lines.push(format!(
                    "\u{2026} and {} more.",
                    format_grouped((invalid.len() - MAX_LISTED).into(), 0)
                ));
            }
        }
        if beyond > 0 {
            lines.push(format!(
                "{} beyond the last column and will be skipped.",
                counted(beyond, "cell is", "cells are")
            ));
        }
        if !computed.is_empty() && changes.is_empty() && invalid.is_empty() {
            let verb = if computed.len() == 1 { "is" } else { "are" };
            actions.push(GridAction::Notify(format!(
                "{} {verb} computed from other columns.",
                computed.join(", ")
            )));
        }
        confirm_or_send(state, "Paste", lines, changes, actions);
    }
}

/// Sends changes, or asks for confirmation if there are messages or the changes are too many for one edit.
pub(super) fn confirm_or_send(
    state: &mut GridState,
    what: &str,
    mut lines: Vec<String>,
    changes: Vec<Change>,
    actions: &mut Vec<GridAction>,
) {
    let edits = split_into_edits(changes);
    if edits.len() > 1 {
        let changes: usize = edits.iter().map(Vec::len).sum();
        lines.push(format!(
            "{} changes exceed the limit of one edit. They will be sent and undone as {} edits.",
            format_grouped(changes.into(), 0),
            edits.len()
        ));
    }
    if lines.is_empty() {
        actions.extend(edits.into_iter().map(GridAction::Edit));
    } else {
        let confirm_label = if edits.is_empty() { "Close" } else { what };
        state.question =
            Some(Question { title: what.to_owned(), lines, confirm_label: confirm_label.to_owned(), edits });
    }
}

impl Question {
    /// Returns the confirmed edits.
    pub(super) fn into_actions(self) -> impl Iterator<Item = GridAction> {
        self.edits.into_iter().map(GridAction::Edit)
    }
}

/// Splits changes into as few edits as the limits allow, in order.
fn split_into_edits(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let limits = Limits::default();
    let max_bytes = limits.message_bytes - ENVELOPE_BYTES;
    let mut edits: Vec<Vec<Change>> = Vec::new();
    let mut bytes = usize::MAX;
    for change in changes {
        let size = Encoding::Json.encode(&change).len() + 1;
        match edits.last_mut().filter(|edit| edit.len() < limits.changes && bytes + size <= max_bytes) {
            Some(edit) => {
                edit.push(change);
                bytes += size;
            }
            None => {
                edits.push(vec![change]);
                bytes = size;
            }
        }
    }
    edits
}

fn read_pasted(text: &str, format: ValueFormat<'_>, current: &Value) -> Result<Value, String> {
    let trimmed = text.trim();
    match format.kind {
        ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
            let text = trimmed.strip_prefix('+').unwrap_or(trimmed).trim_end_matches('%');
            format.kind.parse_typed(text, &Value::Empty, format.separators)
        }
        ColumnKind::Time if !trimmed.is_empty() => parse_timestamp(trimmed, format.zone)
            .map(|moment| Value::Time(Timestamp::from_millis(moment.as_millisecond())))
            .ok_or_else(|| format!("{trimmed:?} is not a time")),
        _ => format.kind.parse_typed(text, current, format.separators),
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", format_grouped(number.into(), 0), if number == 1 { one } else { many })
}

/// Truncates a text and ends it with an ellipsis if it is too long.
fn truncated(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}
