//! Copied text into cells: planned whole, asked about where it adds rows, cannot be read or is too much for one edit,
//! and sent only then.

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
    edit::{local_text, plain},
    filter::{Reading, moment},
    ops::{guarded, insert_at, is_editable},
    tsv,
};

/// How many unreadable cells are listed.
const LISTED: usize = 8;
/// How many characters of each are shown.
const SHOWN: usize = 40;
/// Room in an edit's message for what is not changes, in bytes.
const ENVELOPE: usize = 4 * 1024;

/// What the person is asked before something is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    /// What is about to be done.
    pub title: String,
    /// What there is to know about it.
    pub lines: Vec<String>,
    /// What the button that does it says.
    pub yes: String,
    edits: Vec<Vec<Change>>,
}

/// Text that its column cannot read.
struct Unread {
    /// Which of the pasted rows it is in, from 1 on.
    line: usize,
    text: String,
    column: String,
    why: String,
}

#[derive(Default)]
struct Plan {
    /// The pasted row that is being planned, from 1 on.
    line: usize,
    changes: Vec<Change>,
    new_rows: Vec<(RowId, BTreeMap<ColumnKey, Literal>)>,
    unread: Vec<Unread>,
    computed: Vec<String>,
    beyond: usize,
}

/// The selected cells as text.
pub(super) fn copied(state: &GridState, frame: &Frame<'_>) -> String {
    let columns = state.selected_columns(frame.table);
    let rows = state.selected_rows(frame.table).into_iter().map(|row| {
        let row = frame.view.watchlist.rows().get(row);
        // Between several blocks what is not selected stays out, and its place empty.
        let cell = |entry: &&ColumnEntry| {
            let row = row.filter(|row| state.is_selected(row.id, &entry.column.key));
            row.map_or_else(String::new, |row| as_text(&frame.table.value(row, entry), frame))
        };
        columns.iter().map(cell).collect::<Vec<String>>()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    tsv::write(rows.iter().map(|row| row.iter().map(String::as_str)))
}

/// A value as spreadsheets read it: every digit and no grouping, times in the person's zone.
fn as_text(value: &Value, frame: &Frame<'_>) -> String {
    match value {
        Value::Number(number) => frame.view.separators.write(*number),
        Value::Time(time) => local_text(*time, frame.view.zone),
        Value::Flag(flag) => if *flag { "TRUE" } else { "FALSE" }.to_owned(),
        Value::Text(_) | Value::Empty => plain(value),
    }
}

/// Puts text into cells, from the selection's first on: one cell's text into all that are selected.
pub(super) fn paste(state: &mut GridState, frame: &Frame<'_>, text: &str, actions: &mut Vec<GridAction>) {
    let cells = tsv::read(text);
    let plan = match cells.as_slice() {
        [] => return,
        [row] if row.len() == 1 && !state.selection.is_single() => plan_one(state, frame, &row[0]),
        rows => plan_block(state, frame, rows),
    };
    let plan = plan.unwrap_or_default();
    plan.propose(state, frame, actions);
}

fn plan_one(state: &GridState, frame: &Frame<'_>, text: &str) -> Option<Plan> {
    let mut plan = Plan { line: 1, ..Plan::default() };
    let columns = state.selected_columns(frame.table);
    for row in state.selected_rows(frame.table) {
        for entry in &columns {
            if state.is_selected(row, &entry.column.key) {
                plan.put(row, entry, text, frame);
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
                texts.iter().zip(columns).for_each(|(text, entry)| plan.put(row, entry, text, frame));
            }
            None => {
                let mut cells = BTreeMap::new();
                for (text, entry) in texts.iter().zip(columns) {
                    if let Some(value) =
                        plan.read(entry, text, &Value::Empty, frame).filter(|value| !value.is_empty())
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
    fn put(&mut self, row: RowId, entry: &ColumnEntry, text: &str, frame: &Frame<'_>) {
        let Some((kept, present)) = frame.table.editable(Some(row), entry) else {
            self.pass_over(row, entry, text, frame);
            return;
        };
        if let Some(value) = self.read(kept, text, &present, frame)
            && value != present
        {
            self.changes.push(guarded(row, kept, value.to_literal(), &present));
        }
    }

    /// A cell that cannot be edited: of a computed one the text is expected, of a section it would be lost.
    fn pass_over(&mut self, row: RowId, entry: &ColumnEntry, text: &str, frame: &Frame<'_>) {
        let is_section = frame.view.watchlist.rows().get(row).is_some_and(|row| frame.table.is_section(row));
        if !is_section {
            self.note_computed(entry);
        } else if !text.trim().is_empty() {
            self.note_unread(entry, text, "a section has only its title".to_owned());
        }
    }

    fn note_unread(&mut self, entry: &ColumnEntry, text: &str, why: String) {
        let column = entry.column.title.to_string();
        self.unread.push(Unread { line: self.line, text: shortened(text), column, why });
    }

    fn note_computed(&mut self, entry: &ColumnEntry) {
        let title = entry.column.title.to_string();
        if !self.computed.contains(&title) {
            self.computed.push(title);
        }
    }

    /// What a text means in a column. What was copied is meant as it stands: `+5` is five.
    fn read(&mut self, entry: &ColumnEntry, text: &str, present: &Value, frame: &Frame<'_>) -> Option<Value> {
        if !is_editable(entry) {
            self.note_computed(entry);
            return None;
        }
        match read_pasted(text, frame.view.reading(&entry.column.kind), present) {
            Ok(value) => Some(value),
            Err(why) => {
                self.note_unread(entry, text, why);
                None
            }
        }
    }

    fn propose(self, state: &mut GridState, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
        let Plan { mut changes, new_rows, unread, computed, beyond, line: _ } = self;
        let added = new_rows.len();
        if added > 0 {
            let end = frame.view.watchlist.rows().len();
            changes.extend(insert_at(frame.view.watchlist, end, new_rows).unwrap_or_default());
        }
        let mut lines = Vec::new();
        if added > 0 {
            lines.push(format!("{} added at the end of the list.", count(added, "row is", "rows are")));
        }
        if !unread.is_empty() {
            lines.push(format!(
                "{} cannot be read and would be left as {}:",
                count(unread.len(), "cell", "cells"),
                if unread.len() == 1 { "it is" } else { "they are" }
            ));
            lines.extend(unread.iter().take(LISTED).map(|unread| {
                let Unread { line, text, column, why } = unread;
                format!("Row {line}, {column}, \u{201c}{text}\u{201d}: {why}")
            }));
            if unread.len() > LISTED {
                lines.push(format!(
                    "\u{2026} and {} more.",
                    format_grouped((unread.len() - LISTED).into(), 0)
                ));
            }
        }
        if beyond > 0 {
            lines.push(format!(
                "{} beyond the last column and would be left out.",
                count(beyond, "cell is", "cells are")
            ));
        }
        if !computed.is_empty() && changes.is_empty() && unread.is_empty() {
            let verb = if computed.len() == 1 { "is" } else { "are" };
            actions.push(GridAction::Say(format!(
                "{} {verb} computed from other columns.",
                computed.join(", ")
            )));
        }
        ask_or_do(state, "Paste", lines, changes, actions);
    }
}

/// Sends changes, or asks first where there is anything to say of them or they are too many for one edit.
pub(super) fn ask_or_do(
    state: &mut GridState,
    what: &str,
    mut lines: Vec<String>,
    changes: Vec<Change>,
    actions: &mut Vec<GridAction>,
) {
    let edits = split(changes);
    if edits.len() > 1 {
        let changes: usize = edits.iter().map(Vec::len).sum();
        lines.push(format!(
            "{} changes are more than one edit takes: they are sent as {}, and undone one by one.",
            format_grouped(changes.into(), 0),
            edits.len()
        ));
    }
    if lines.is_empty() {
        actions.extend(edits.into_iter().map(GridAction::Edit));
    } else {
        let yes = if edits.is_empty() { "Close" } else { what };
        state.question = Some(Question { title: what.to_owned(), lines, yes: yes.to_owned(), edits });
    }
}

impl Question {
    /// What the person agreed to.
    pub(super) fn agreed(self) -> impl Iterator<Item = GridAction> {
        self.edits.into_iter().map(GridAction::Edit)
    }
}

/// As few edits as the limits allow, in order.
fn split(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let limits = Limits::default();
    let most = limits.message_bytes - ENVELOPE;
    let mut edits: Vec<Vec<Change>> = Vec::new();
    let mut bytes = usize::MAX;
    for change in changes {
        let size = Encoding::Json.encode(&change).len() + 1;
        match edits.last_mut().filter(|edit| edit.len() < limits.changes && bytes + size <= most) {
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

fn read_pasted(text: &str, reading: Reading<'_>, present: &Value) -> Result<Value, String> {
    let trimmed = text.trim();
    match reading.kind {
        ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
            let text = trimmed.strip_prefix('+').unwrap_or(trimmed).trim_end_matches('%');
            reading.kind.parse_typed(text, &Value::Empty, reading.separators)
        }
        ColumnKind::Time if !trimmed.is_empty() => moment(trimmed, reading.zone)
            .map(|moment| Value::Time(Timestamp::from_millis(moment.as_millisecond())))
            .ok_or_else(|| format!("{trimmed:?} is not a time")),
        _ => reading.kind.parse_typed(text, present, reading.separators),
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", format_grouped(number.into(), 0), if number == 1 { one } else { many })
}

/// The beginning of a text, with a mark where there is more of it.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}
