//! Watchlists from CSV files and back: which header fills which column, what kind the others are, and the
//! edits that insert the rows.

use std::collections::{BTreeMap, HashSet};

use crate::{
    column::{Column, ColumnKey, ColumnKind, standard_columns},
    edit::Change,
    ids::RowId,
    limits::Limits,
    number::{self, Separators},
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::Frozen,
};

/// A file read: the columns of the watchlist that it makes, and its rows' cells in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvTable {
    /// The standard columns, then the file's own.
    pub columns: Vec<Column>,
    /// Cells by column; empty ones are left out.
    pub rows: Vec<BTreeMap<ColumnKey, Literal>>,
}

/// Why a file cannot be read. Each says where and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// Nothing in it.
    #[error("the file is empty: its first line has to name the columns")]
    Empty,
    /// A line with more or fewer fields than the header.
    #[error(
        "line {line} has {found} fields and the first line names {expected} columns: mend that line (a comma inside a field needs quotes around the field)"
    )]
    Ragged {
        /// Where, from 1.
        line: u64,
        /// Fields there.
        found: u64,
        /// Fields in the header.
        expected: u64,
    },
    /// Bytes that are no text.
    #[error("line {line} is not UTF-8 text: save the file as CSV in UTF-8")]
    NotText {
        /// Where, from 1.
        line: u64,
    },
    /// A quote that is opened and never closed.
    #[error("the quote opened on line {line} is never closed")]
    OpenQuote {
        /// Where, from 1.
        line: u64,
    },
    /// A standard number column with something else in it.
    #[error("line {line}, column {title}: {message}")]
    BadValue {
        /// Where, from 1.
        line: u64,
        /// The column's title in the file.
        title: String,
        /// What is wrong.
        message: String,
    },
    /// More than a watchlist takes.
    #[error("the file has {found} {what}, and a watchlist takes {limit}")]
    TooLarge {
        /// Rows or columns.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are taken.
        limit: usize,
    },
}

/// Where a column of the file goes.
enum Goes {
    Standard(Column),
    /// A derived column: its figures are computed here, and only `change` is of use, for the previous close.
    Nowhere,
    Own,
}

impl CsvTable {
    /// Reads a file whose first line names its columns.
    ///
    /// # Errors
    /// See [`CsvError`]; nothing is read of a file that is wrong anywhere.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, CsvError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let separator = separator(bytes);
        check_quotes(bytes, separator)?;
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
        let header: Vec<String> =
            reader.headers().map_err(|error| refusal(&error, bytes))?.iter().map(str::to_owned).collect();
        if header.iter().all(|title| title.trim().is_empty()) && header.len() <= 1 {
            return Err(CsvError::Empty);
        }
        let mut lines = Vec::new();
        let (mut line, mut counted) = (1, 0);
        let mut fields: Vec<Vec<String>> = vec![Vec::new(); header.len()];
        for record in reader.records() {
            let record = record.map_err(|error| refusal(&error, bytes))?;
            // Counted on from the record before: the file may be long.
            let byte = record_start(bytes, record.position());
            line += newlines(&bytes[counted..byte]);
            counted = byte;
            lines.push(line);
            if let Some((title, field)) =
                header.iter().zip(record.iter()).find(|(_, field)| field.len() > limits.text_bytes)
            {
                let message = format!("a text of {} bytes; a cell takes {}", field.len(), limits.text_bytes);
                return Err(bad_value(line, title, &message));
            }
            for (column, field) in fields.iter_mut().zip(record.iter()) {
                column.push(field.to_owned());
            }
        }
        if separator == b';' {
            fields.iter_mut().for_each(|fields| point_decimals(fields));
        }
        if lines.len() > limits.rows {
            return Err(CsvError::TooLarge { what: "rows", found: lines.len(), limit: limits.rows });
        }
        let mut table = Self { columns: standard_columns(), rows: vec![BTreeMap::new(); lines.len()] };
        let mut filled = HashSet::new();
        let mut change: Option<&[String]> = None;
        for (title, fields) in header.iter().zip(&fields) {
            match goes(title, &filled) {
                Goes::Standard(column) => {
                    filled.insert(column.key.clone());
                    table.fill_standard(&column, title, fields, &lines)?;
                }
                Goes::Nowhere => {
                    if folded(title) == "change" {
                        change = Some(fields);
                    }
                }
                Goes::Own => table.fill_own(title, fields),
            }
        }
        if table.columns.len() > limits.columns {
            return Err(CsvError::TooLarge {
                what: "columns",
                found: table.columns.len(),
                limit: limits.columns,
            });
        }
        let (price, close) = (ColumnKey::from("price"), ColumnKey::from("previousClose"));
        if let Some(change) = change
            && filled.contains(&price)
            && !filled.contains(&close)
        {
            table.derive_close(&price, &close, change);
        }
        Ok(table)
    }

    /// The edits that insert the rows behind everything that stands in an empty watchlist, each within the
    /// limits, with ids from `new_row`.
    pub fn inserts(&self, limits: &Limits, mut new_row: impl FnMut() -> RowId) -> Vec<Vec<Change>> {
        let positions =
            Position::between(None, None, self.rows.len()).expect("an empty list has room for every row");
        let budget = limits.message_bytes / 2;
        let mut edits: Vec<Vec<Change>> = Vec::new();
        let mut bytes = usize::MAX;
        for (cells, position) in self.rows.iter().zip(&positions) {
            let change = Change::insert(new_row(), position, cells.clone());
            let size = serde_json::to_vec(&change).map_or(0, |json| json.len());
            if bytes.saturating_add(size) > budget
                || edits.last().is_some_and(|edit| edit.len() >= limits.changes)
            {
                edits.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            edits.last_mut().expect("an edit was just pushed").push(change);
        }
        edits
    }

    fn fill_standard(
        &mut self,
        column: &Column,
        title: &str,
        fields: &[String],
        lines: &[u64],
    ) -> Result<(), CsvError> {
        for ((row, field), line) in self.rows.iter_mut().zip(fields).zip(lines) {
            let literal = if column.kind.is_numeric() {
                if field.trim().is_empty() {
                    continue;
                }
                let number = number::parse_exact(field.trim()).or_else(|_strict| {
                    number::parse_typed(field.trim_start_matches(['$', '€', '£']), None, Separators::Point)
                });
                Literal::Text(
                    number.map_err(|error| bad_value(*line, title, &error.to_string()))?.to_string().into(),
                )
            } else {
                Literal::from(field.as_str())
            };
            if field.is_empty() {
                continue;
            }
            row.insert(column.key.clone(), literal);
        }
        Ok(())
    }

    fn fill_own(&mut self, title: &str, fields: &[String]) {
        let title = if title.trim().is_empty() {
            format!("Column {}", self.columns.len() + 1)
        } else {
            title.to_owned()
        };
        let mut key = ColumnKey::from_title(&title);
        let stem = key.clone();
        let mut count = 2;
        while self.columns.iter().any(|column| column.key == key) {
            key = ColumnKey(format!("{stem}{count}").into());
            count += 1;
        }
        let kind = guess_kind(fields);
        for (row, field) in self.rows.iter_mut().zip(fields).filter(|(_, field)| !field.is_empty()) {
            let literal = match kind {
                ColumnKind::Flag => Literal::Flag(field == "true"),
                _ => Literal::from(field.as_str()),
            };
            row.insert(key.clone(), literal);
        }
        self.columns.push(Column { key, ..Column::new("", &title, kind) });
    }

    fn derive_close(&mut self, price: &ColumnKey, close: &ColumnKey, change: &[String]) {
        for (row, change) in self.rows.iter_mut().zip(change) {
            let Some(Literal::Text(price)) = row.get(price) else { continue };
            let difference = number::parse_exact(price)
                .ok()
                .zip(number::parse_exact(change.trim().trim_start_matches('+')).ok());
            if let Some(previous) = difference.and_then(|(price, change)| price.checked_sub(change)) {
                row.insert(close.clone(), Literal::Text(previous.to_string().into()));
            }
        }
    }
}

/// Writes a watchlist's visible columns, derived ones among them, as CSV with the columns' titles above.
pub fn write(watchlist: &Frozen) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns: Vec<_> = watchlist.columns.visible().collect();
    let titles = columns.iter().map(|entry| entry.column.title.to_string());
    writer.write_record(titles).expect("writing to memory does not fail");
    for row in watchlist.rows() {
        let fields = columns.iter().map(|entry| match watchlist.value(row, entry).to_literal() {
            Literal::Empty | Literal::Foreign(_) => String::new(),
            Literal::Flag(flag) => flag.to_string(),
            Literal::Text(text) => text.to_string(),
        });
        writer.write_record(fields).expect("writing to memory does not fail");
    }
    writer.into_inner().expect("writing to memory does not fail")
}

fn goes(title: &str, filled: &HashSet<ColumnKey>) -> Goes {
    let wanted = folded(title);
    let aliases: &[(&str, &str)] = &[
        ("security", "company"),
        ("ticker", "symbol"),
        ("%change", "changepct"),
        ("change%", "changepct"),
        ("prevclose", "previousclose"),
    ];
    let wanted = aliases.iter().find(|(alias, _)| *alias == wanted).map_or(wanted.as_str(), |(_, key)| key);
    let standard = standard_columns().into_iter().find(|column| folded(&column.key.0) == wanted);
    match standard {
        Some(column) if column.derive.is_some() => Goes::Nowhere,
        Some(column) if !filled.contains(&column.key) => Goes::Standard(column),
        _ => Goes::Own,
    }
}

fn folded(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric() || *c == '%').flat_map(char::to_lowercase).collect()
}

/// The narrowest kind that keeps every field exactly as it is written.
fn guess_kind(fields: &[String]) -> ColumnKind {
    let filled = || fields.iter().filter(|field| !field.is_empty());
    if filled().next().is_none() {
        return ColumnKind::Text;
    }
    let exact =
        |field: &String| number::parse_exact(field).ok().filter(|number| number.to_string() == **field);
    if let Some(scales) =
        filled().map(|field| exact(field).map(|number| number.scale())).collect::<Option<Vec<u32>>>()
    {
        let decimals = scales.into_iter().max().and_then(|scale| u8::try_from(scale).ok()).unwrap_or(0);
        return ColumnKind::Number { decimals: decimals.min(8) };
    }
    if filled().all(|field| field == "true" || field == "false") {
        return ColumnKind::Flag;
    }
    if filled().all(|field| field.parse::<Timestamp>().is_ok_and(|time| time.to_string() == *field)) {
        return ColumnKind::Time;
    }
    ColumnKind::Text
}

/// What stands between fields: a comma, or where the first line has none, the semicolon or tab that it has.
fn separator(bytes: &[u8]) -> u8 {
    let mut is_quoted = false;
    let mut found = b',';
    for byte in bytes.iter().take_while(|byte| **byte != b'\n') {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return b',',
            b';' | b'\t' if !is_quoted && found == b',' => found = *byte,
            _ => {}
        }
    }
    found
}

/// Where fields stand between semicolons, decimals have commas: a column of such numbers is written with points.
fn point_decimals(fields: &mut [String]) {
    let pointed = |field: &String| {
        let field = field.trim();
        let (whole, decimals) = field.split_once(',').unwrap_or((field, ""));
        let whole = without_groups(whole)?;
        let exact = if decimals.is_empty() { whole } else { format!("{whole}.{decimals}") };
        (exact.is_empty() || number::parse_exact(exact.trim_start_matches('+')).is_ok()).then_some(exact)
    };
    if fields.iter().any(|field| field.contains(','))
        && let Some(exact) = fields.iter().map(pointed).collect::<Option<Vec<String>>>()
    {
        fields.clone_from_slice(&exact);
    }
}

/// Whole numbers without the points or spaces between their groups of three; nothing where those stand elsewhere.
fn without_groups(whole: &str) -> Option<String> {
    let mut groups = whole.split(['.', ' ', '\u{a0}', '\u{202f}']);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = rest.is_empty() || (1..=3).contains(&first.trim_start_matches(['+', '-']).len());
    (is_grouped && rest.iter().all(|group| group.len() == 3)).then(|| format!("{first}{}", rest.concat()))
}

/// The CSV reader takes an open quote to the file's end as one field; people mean a mistake.
fn check_quotes(bytes: &[u8], separator: u8) -> Result<(), CsvError> {
    let (mut line, mut opened, mut at_field_start) = (1, None, true);
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match (byte, opened) {
            (b'"', None) if at_field_start => opened = Some(line),
            (b'"', Some(_)) if rest.peek() == Some(&b'"') => {
                rest.next();
            }
            (b'"', Some(_)) => opened = None,
            _ => {}
        }
        at_field_start = opened.is_none() && (byte == separator || matches!(byte, b'\n' | b'\r'));
        line += u64::from(byte == b'\n');
    }
    opened.map_or(Ok(()), |line| Err(CsvError::OpenQuote { line }))
}

fn bad_value(line: u64, title: &str, message: &str) -> CsvError {
    CsvError::BadValue { line, title: title.to_owned(), message: message.to_owned() }
}

/// Where a record begins: the reader says where the one before ended, before its line break or within it.
fn record_start(bytes: &[u8], position: Option<&csv::Position>) -> usize {
    let end =
        position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0).min(bytes.len());
    let breaks = bytes[end..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    end + breaks
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn refusal(error: &csv::Error, bytes: &[u8]) -> CsvError {
    let line = 1 + newlines(&bytes[..record_start(bytes, error.position())]);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            CsvError::Ragged { line, found: *len, expected: *expected_len }
        }
        csv::ErrorKind::Utf8 { .. } => CsvError::NotText { line },
        _ => CsvError::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CsvTable, CsvError> {
        CsvTable::read(text.as_bytes(), &Limits::default())
    }

    fn cell<'a>(table: &'a CsvTable, row: usize, key: &str) -> Option<&'a Literal> {
        table.rows[row].get(&ColumnKey::from(key))
    }

    #[test]
    fn standard_headers_fill_standard_columns_and_the_close_is_computed() {
        let table = read("Symbol,Company,Price,Change,% Change\nMMM,3m Co,71.72,0.02,0.03\nT,\"AT&T, Inc.\",31.61,-0.48,-1.54\n").unwrap();
        assert_eq!(table.columns, standard_columns());
        assert_eq!(cell(&table, 0, "previousClose"), Some(&"71.70".into()));
        assert_eq!(cell(&table, 1, "company"), Some(&"AT&T, Inc.".into()));
        assert_eq!(cell(&table, 1, "previousClose"), Some(&"32.09".into()));
        assert_eq!(cell(&table, 0, "change"), None);
    }

    #[test]
    fn other_headers_become_columns_of_the_kind_that_keeps_them_exactly() {
        let table = read(
            "\"\",Date,Founded,CIK,Code,Done\n1,2007-01-03,1902,66740.5,007,true\n2,,2013 (1888),7,1,false\n",
        )
        .unwrap();
        let kinds: Vec<_> = table.columns[9..].iter().map(|column| column.kind.clone()).collect();
        let number = |decimals| ColumnKind::Number { decimals };
        assert_eq!(
            kinds,
            [number(0), ColumnKind::Text, ColumnKind::Text, number(1), ColumnKind::Text, ColumnKind::Flag]
        );
        assert_eq!(cell(&table, 0, "code"), Some(&"007".into()));
        assert_eq!(cell(&table, 1, "date"), None);
    }

    #[test]
    fn files_with_semicolons_or_tabs_are_read_and_their_decimals_with_commas() {
        let table =
            read("Symbol;Company;Price;Note\nMMM;\"3m; Co\";1.171,72;1,5 or 2\nT;AT&T;31,6;\n").unwrap();
        assert_eq!(cell(&table, 0, "company"), Some(&"3m; Co".into()));
        assert_eq!(cell(&table, 0, "price"), Some(&"1171.72".into()));
        assert_eq!(cell(&table, 1, "price"), Some(&"31.6".into()));
        assert_eq!(cell(&table, 0, "note"), Some(&"1,5 or 2".into()), "a text stays as it is");
        let table = read("Symbol\tPrice\nMMM\t71.72\n").unwrap();
        assert_eq!(cell(&table, 0, "price"), Some(&"71.72".into()));
        assert!(read("Symbol;Price\nMMM;71,7x\n").is_err());
        let table = read("Symbol;Price\nMMM;31,60\nT;1.200\nAA;\n").unwrap();
        assert_eq!(cell(&table, 1, "price"), Some(&"1200".into()), "beside decimal commas a point groups");
        assert!(read("Symbol;Price\nMMM;1.2.3,4\n").is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(read(""), Err(CsvError::Empty));
        assert_eq!(
            read("Symbol,Price\nMMM,71.72\nAA\n"),
            Err(CsvError::Ragged { line: 3, found: 1, expected: 2 })
        );
        assert!(matches!(read("Symbol,Price\nMMM,1.2.3\n"), Err(CsvError::BadValue { line: 2, .. })));
        assert!(matches!(read("Symbol,Price\r\nA,1\r\nB,2x\r\n"), Err(CsvError::BadValue { line: 3, .. })));
        assert!(matches!(read("Symbol,Price\nA,1\n\n\nB,2x\n"), Err(CsvError::BadValue { line: 5, .. })));
        assert_eq!(
            read("Symbol,Price\r\nA,1\r\n\r\nB\r\n"),
            Err(CsvError::Ragged { line: 4, found: 1, expected: 2 })
        );
        assert_eq!(read("Symbol,Note\nMMM,\"never closed\nAA,x\n"), Err(CsvError::OpenQuote { line: 2 }));
        assert_eq!(
            CsvTable::read(b"Symbol\n\xff\xfe\n", &Limits::default()),
            Err(CsvError::NotText { line: 2 })
        );
    }
}
