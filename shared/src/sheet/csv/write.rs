//! Writes a watchlist to a CSV file.

use std::collections::HashMap;

use crate::{
    column::{ColumnKey, ColumnKind},
    ids::RowId,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Frozen, Row},
};

/// Number of rows in a piece of a written file.
const PIECE_ROWS: usize = 100;

/// Which part of a watchlist is written, and how. The default is everything, with commas.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// The rows, in order; `None` for all of them.
    pub rows: Option<Vec<RowId>>,
    /// The columns, in order; `None` for all that are visible.
    pub columns: Option<Vec<ColumnKey>>,
    /// What separates the fields of a row.
    pub separator: Separator,
}

/// What separates the fields of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separator {
    /// CSV.
    #[default]
    Comma,
    /// TSV.
    Tab,
}

/// Writes a watchlist's visible columns as CSV, derived ones included, with their titles in the first line. A
/// section's title is written to the first text column of its row, if the cell there is empty. The file is
/// returned in pieces of some rows each.
pub fn write(watchlist: Frozen) -> impl Iterator<Item = Vec<u8>> + Send {
    write_extent(watchlist, Extent::default())
}

/// Writes a part of a watchlist, as [`write()`] does. Rows and columns that it does not have are left out.
pub fn write_extent(watchlist: Frozen, extent: Extent) -> impl Iterator<Item = Vec<u8>> + Send {
    let Extent { rows, columns, separator } = extent;
    let columns: Vec<ColumnEntry> = match columns {
        None => watchlist.columns.data().cloned().collect(),
        Some(keys) => {
            keys.iter().filter_map(|key| watchlist.columns.visible_column(key).ok()).cloned().collect()
        }
    };
    let rows: Option<Vec<usize>> = rows.map(|rows| {
        let indices: HashMap<RowId, usize> =
            watchlist.rows().enumerate().map(|(index, row)| (row.id, index)).collect();
        rows.iter().filter_map(|row| indices.get(row).copied()).collect()
    });
    let count = rows.as_ref().map_or(watchlist.len(), Vec::len);
    let delimiter = match separator {
        Separator::Comma => b',',
        Separator::Tab => b'\t',
    };
    let mut next = None;
    std::iter::from_fn(move || {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        let start = match next {
            None => {
                let titles = columns.iter().map(|entry| &*entry.column.title);
                writer.write_record(titles).expect("writing to memory does not fail");
                0
            }
            Some(row) if row < count => row,
            Some(_) => return None,
        };
        let end = count.min(start + PIECE_ROWS);
        for place in start..end {
            let index = rows.as_ref().map_or(place, |rows| rows[place]);
            write_row(&mut writer, &watchlist, &columns, watchlist.row(index));
        }
        next = Some(end);
        Some(writer.into_inner().expect("writing to memory does not fail"))
    })
}

fn write_row(writer: &mut csv::Writer<Vec<u8>>, watchlist: &Frozen, columns: &[ColumnEntry], row: &Row) {
    let section = row.section(watchlist.columns.sections()).map(Value::to_literal);
    let mut is_titled = section.is_none();
    let fields = columns.iter().map(|entry| {
        let literal = watchlist.value(row, entry).to_literal();
        // The title is written once, into the first text column.
        if !is_titled && entry.column.kind == ColumnKind::Text {
            is_titled = true;
            if literal == Literal::Empty {
                return field(section.clone().unwrap_or(Literal::Empty));
            }
        }
        field(literal)
    });
    writer.write_record(fields).expect("writing to memory does not fail");
}

fn field(literal: Literal) -> String {
    match literal {
        Literal::Empty | Literal::Foreign(_) => String::new(),
        Literal::Flag(flag) => flag.to_string(),
        Literal::Text(text) => text.to_string(),
    }
}
