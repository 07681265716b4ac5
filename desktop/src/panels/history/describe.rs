//! Changes and edits of the history in words.

use shared::{
    column::ColumnKey,
    edit::{Change, Set},
    ids::RowId,
    limits::Limits,
    value::{Literal, Value},
    watchlist::ColumnEntry,
};

use super::view::View;
use crate::{
    grid::filter::{self, ValueFormat},
    store::log::{Entry, Log},
};

/// Describes a change in words.
pub(super) fn describe(log: &Log, index: usize, view: &View<'_>) -> String {
    let row_name = |row| row_name(row, view);
    match &log.entries()[index].change {
        Change::Set(Set { row, column, value, was }) => {
            let from = was.as_ref().map_or_else(|| "?".to_owned(), |from| formatted(from, column, view));
            let (name, to) = (column_name(column, view), formatted(value, column, view));
            format!("{} {name}: {from} \u{203a} {to}", row_name(*row))
        }
        Change::Insert(insert) => {
            let asked = log.query.column.as_ref().and_then(|key| Some((key, insert.cells.get(key)?)));
            let with = asked.map(|(key, value)| {
                format!(" with {} {}", column_name(key, view), formatted(value, key, view))
            });
            format!("{} added{}", row_name(insert.row), with.unwrap_or_default())
        }
        Change::Move(moved) => format!("{} moved", row_name(moved.row)),
        Change::Remove(removed) => format!("{} removed", row_name(removed.row)),
        Change::AddColumn(add) => format!("Column {} added", column_name(&add.key, view)),
        Change::SetColumn(set) => format!("Column {} changed", column_name(&set.key, view)),
        Change::RemoveColumn(named) => format!("Column {} removed", column_name(&named.key, view)),
        Change::RestoreColumn(named) => {
            format!("Column {} restored", column_name(&named.key, view))
        }
        Change::Rename(rename) => match log.name_before(index) {
            Some(before) => format!("Watchlist renamed from {before} to {}", rename.name),
            None => format!("Watchlist named {}", rename.name),
        },
    }
}

/// Describes an edit by what its changes do, in counts.
pub(super) fn describe_edit(entries: &[Entry], view: &View<'_>) -> String {
    let count =
        |is_counted: fn(&Change) -> bool| entries.iter().filter(|entry| is_counted(&entry.change)).count();
    let counts = [
        (count(|change| matches!(change, Change::Insert(_))), ("row", "rows"), "added"),
        (count(|change| matches!(change, Change::Remove(_))), ("row", "rows"), "removed"),
        (count(|change| matches!(change, Change::Move(_))), ("row", "rows"), "moved"),
        (count(|change| matches!(change, Change::Set(_))), ("cell", "cells"), "changed"),
        (count(|change| matches!(change, Change::AddColumn(_))), ("column", "columns"), "added"),
        (count(|change| matches!(change, Change::SetColumn(_))), ("column", "columns"), "changed"),
        (count(|change| matches!(change, Change::RemoveColumn(_))), ("column", "columns"), "removed"),
        (count(|change| matches!(change, Change::RestoreColumn(_))), ("column", "columns"), "restored"),
    ];
    let mut parts: Vec<String> = Vec::new();
    for (count, (one, several), done) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        parts.push(format!("{} {done}", view.separators.format_count(count, one, several)));
    }
    if entries.iter().any(|entry| matches!(entry.change, Change::Rename(_))) {
        parts.push("watchlist renamed".to_owned());
    }
    parts.join(", ")
}

/// Returns a row's first text as its name; for a removed row, the last known text.
pub(super) fn row_name(row: RowId, view: &View<'_>) -> String {
    let columns = view.watchlist.columns();
    let current = view.watchlist.rows().get(row);
    let value = |entry: &ColumnEntry| match current {
        Some(row) => Some(row.value(entry, columns)),
        None => {
            let last = view.log?.last_value(row, &entry.column.key)?;
            entry.column.kind.read(last, &Limits::default()).ok()
        }
    };
    let mut texts = columns.iter().filter(|entry| !entry.column.removed);
    let first = texts.find_map(|entry| match value(entry)? {
        Value::Text(text) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    });
    let nameless = if current.is_some() { "Unnamed row" } else { "Unknown row" };
    first.unwrap_or_else(|| nameless.to_owned())
}

pub(super) fn column_name(key: &ColumnKey, view: &View<'_>) -> String {
    view.watchlist.columns().get(key).map_or_else(|| key.to_string(), |entry| entry.column.title.to_string())
}

/// Formats a value as its cell would show it.
pub(super) fn formatted(literal: &Literal, key: &ColumnKey, view: &View<'_>) -> String {
    let Some(entry) = view.watchlist.columns().get(key) else { return literal.to_string() };
    let kind = &entry.column.kind;
    match kind.read(literal, &Limits::default()) {
        Ok(Value::Empty) => "empty".to_owned(),
        Ok(value) => {
            filter::display_text(&value, ValueFormat { kind, separators: view.separators, zone: view.zone })
        }
        // The column had another kind at that time.
        Err(_) => literal.to_string(),
    }
}
