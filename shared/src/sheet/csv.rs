//! CSV files: reads one into a [`Table`], with errors that name the line, and writes a watchlist to one.

mod decimals;
mod error;
mod write;

pub use self::error::CsvError;
pub use self::write::{Extent, Separator, write, write_extent};
use self::{
    decimals::{clear_missing, use_decimal_points},
    error::bad_value,
};
use super::table::{BadValue, Table, standard_kind};
use crate::limits::Limits;

/// Reads a file whose first line names its columns. A line that names the separator may be before it.
///
/// # Errors
/// See [`CsvError`]. A file with any error is rejected as a whole.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Table, CsvError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match named_separator(bytes) {
        Some((separator, rest)) => read_separated(rest, separator, limits).map_err(CsvError::on_next_line),
        None => read_separated(bytes, separator(bytes), limits),
    }
}

/// Returns the separator that a first line such as `sep=;` names, which spreadsheets write, and what follows the line.
fn named_separator(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (name, rest) = bytes.split_at_checked(b"sep=".len())?;
    let (separator, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"))?;
    let is_separator = name.eq_ignore_ascii_case(b"sep=") && b",;\t|".contains(separator);
    is_separator.then_some((*separator, rest))
}

fn read_separated(bytes: &[u8], separator: u8, limits: &Limits) -> Result<Table, CsvError> {
    check_quotes(bytes, separator)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(bytes);
    let header: Vec<String> =
        reader.headers().map_err(|error| csv_error(&error, bytes))?.iter().map(str::to_owned).collect();
    if header.iter().all(|title| title.trim().is_empty()) && header.len() <= 1 {
        return Err(CsvError::Empty);
    }
    let mut lines = Vec::new();
    let (mut line, mut counted) = (1, 0);
    let mut fields: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(&error, bytes))?;
        // Only counts the lines since the previous record: the file may be long.
        let byte = record_start(bytes, record.position());
        line += newlines(&bytes[counted..byte]);
        counted = byte;
        lines.push(line);
        if let Some((title, field)) =
            header.iter().zip(record.iter()).find(|(_, field)| field.len() > limits.text_bytes)
        {
            let message = format!("the text has {} bytes; the limit is {}", field.len(), limits.text_bytes);
            return Err(bad_value(line, title, &message));
        }
        for (column, field) in fields.iter_mut().zip(record.iter()) {
            column.push(field.to_owned());
        }
    }
    let mut numbers: Vec<(&str, &mut Vec<String>)> = header
        .iter()
        .map(String::as_str)
        .zip(&mut fields)
        .filter(|(title, _)| standard_kind(title).is_none_or(|kind| kind.is_numeric()))
        .collect();
    numbers.iter_mut().for_each(|(title, fields)| clear_missing(title, fields));
    if separator == b';' {
        use_decimal_points(&lines, &mut numbers)?;
    }
    if lines.len() > limits.rows {
        return Err(CsvError::TooLarge { what: "rows", found: lines.len(), limit: limits.rows });
    }
    let table = Table::fill(&header, &fields)
        .map_err(|BadValue { row, title, message }| bad_value(lines[row], &title, &message))?;
    if table.columns.len() > limits.columns {
        return Err(CsvError::TooLarge {
            what: "columns",
            found: table.columns.len(),
            limit: limits.columns,
        });
    }
    Ok(table)
}

/// Returns the field separator: a comma, or if the first line has none, the semicolon or tab that it
/// contains.
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

/// Rejects an unclosed quote. The CSV reader would read everything up to the end of the file as one field.
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
    opened.map_or(Ok(()), |line| Err(CsvError::UnclosedQuote { line }))
}

/// Returns the byte at which a record starts. The reader's position is the end of the previous record, before
/// or within its line break.
fn record_start(bytes: &[u8], position: Option<&csv::Position>) -> usize {
    let end =
        position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(0).min(bytes.len());
    let breaks = bytes[end..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    end + breaks
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn csv_error(error: &csv::Error, bytes: &[u8]) -> CsvError {
    let line = 1 + newlines(&bytes[..record_start(bytes, error.position())]);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            CsvError::Ragged { line, found: *len, expected: *expected_len }
        }
        csv::ErrorKind::Utf8 { .. } => CsvError::NotUtf8 { line },
        _ => CsvError::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        column::{ColumnKey, ColumnKind, standard_columns},
        edit::Change,
        ids::RowId,
        position::Position,
        value::Literal,
        watchlist::{Watchlist, apply::Mode},
    };

    fn read(text: &str) -> Result<Table, CsvError> {
        super::read(text.as_bytes(), &Limits::default())
    }

    fn cell<'a>(table: &'a Table, row: usize, key: &str) -> Option<&'a Literal> {
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
        let table = read("Symbol,Price,Change,Previous close\nA,5,0.5,\nB,5,0.5,4\n").unwrap();
        let closes = [0, 1].map(|row| cell(&table, row, "previousClose").cloned());
        assert_eq!(closes, [Some("4.5".into()), Some("4".into())]);
    }

    #[test]
    fn a_file_without_prices_has_only_its_own_columns() {
        let keys = |text: &str| -> Vec<String> {
            read(text).unwrap().columns.iter().map(|column| column.key.to_string()).collect()
        };
        assert_eq!(keys("Symbol\nMMM\nAA\n"), ["symbol"]);
        assert_eq!(keys("Code,Note,Change\nX,y,1\n"), ["note", "code", "change"]);
        assert_eq!(keys("Symbol,Ask,% Change\nX,2,1\n"), ["symbol", "ask", "change"]);
        for title in ["Price", "Last", "Last price", "Px Last"] {
            assert_eq!(keys(&format!("Symbol,{title}\nMMM,\n")).len(), standard_columns().len(), "{title}");
        }
    }

    #[test]
    fn other_headers_become_columns_of_the_narrowest_exact_kind() {
        let table = read(
            "\"\",Date,Founded,CIK,Code,Done\n1,2007-01-03,1902,66740.5,007,true\n2,,2013 (1888),7,1,false\n",
        )
        .unwrap();
        let kinds: Vec<_> = table.columns.iter().map(|column| column.kind.clone()).collect();
        let number = |decimals| ColumnKind::Number { decimals };
        assert_eq!(
            kinds,
            [number(0), ColumnKind::Text, ColumnKind::Text, number(1), ColumnKind::Text, ColumnKind::Flag]
        );
        assert_eq!(cell(&table, 0, "code"), Some(&"007".into()));
        assert_eq!(cell(&table, 1, "date"), None);
    }

    #[test]
    fn files_with_semicolons_tabs_or_decimal_commas_are_read() {
        let table =
            read("Symbol;Company;Price;Note\nMMM;\"3m; Co\";1.171,72;1,5 or 2\nT;AT&T;31,6;\n").unwrap();
        assert_eq!(cell(&table, 0, "company"), Some(&"3m; Co".into()));
        assert_eq!(cell(&table, 0, "price"), Some(&"1171.72".into()));
        assert_eq!(cell(&table, 1, "price"), Some(&"31.6".into()));
        assert_eq!(cell(&table, 0, "note"), Some(&"1,5 or 2".into()), "text is unchanged");
        let table = read("Symbol\tPrice\nMMM\t71.72\n").unwrap();
        assert_eq!(cell(&table, 0, "price"), Some(&"71.72".into()));
        assert!(read("Symbol;Price\nMMM;71,7x\n").is_err());
        let table = read("Symbol;Price\nMMM;31,60\nT;1.200\nAA;\n").unwrap();
        assert_eq!(
            cell(&table, 1, "price"),
            Some(&"1200".into()),
            "a point is a group separator if the column has decimal commas"
        );
        assert!(read("Symbol;Price\nMMM;1.2.3,4\n").is_err());
    }

    #[test]
    fn a_first_line_may_name_the_separator() {
        for text in ["sep=;\r\nSymbol;Price\r\nMMM;71,72\r\n", "Sep=|\nSymbol|Price\nMMM|71.72\n"] {
            let table = read(text).unwrap();
            assert_eq!(cell(&table, 0, "price"), Some(&"71.72".into()), "{text}");
        }
        let error = read("sep=,\nSymbol,Price\nMMM,words\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3, column Price"), "{error}");
    }

    /// Thousands must not become decimals, a thousand times less.
    #[test]
    fn the_numbers_of_a_file_with_semicolons_have_one_format() {
        let values = |text: &str, key: &str| {
            let table = read(text).unwrap();
            table.rows.iter().map(|row| row.get(&key.into()).map(ToString::to_string)).collect::<Vec<_>>()
        };
        let some = |texts: &[&str]| {
            texts.iter().map(|text| Some(Literal::from(*text).to_string())).collect::<Vec<_>>()
        };
        assert_eq!(values("Symbol;Kurs;Vol\nA;10,5;1.234\nB;11,5;950\n", "vol"), some(&["1234", "950"]));
        let german = "Symbol;Kurs;Menge\nSAP;1.234,50;1.000\nBMW;98,7;2.500\n";
        assert_eq!(values(german, "menge"), some(&["1000", "2500"]));
        assert_eq!(values(german, "kurs"), some(&["1234.50", "98.7"]));
        let english = "Symbol;Price;Qty\nA;1.5;1,000\nB;2.25;2,500\n";
        assert_eq!(values(english, "qty"), some(&["1000", "2500"]));
        assert_eq!(values("Symbol;Kurs;Diff\nA;1,5;0,5%\nB;2,5;-1,25%\n", "diff"), some(&["0.5", "-1.25"]));
        // A whole part of zero is no group of thousands.
        for small in ["Symbol;Target;Price\nA;1,5;0.125\n", "Symbol;Target;Price\nA;1.5;0,125\n"] {
            assert_eq!(values(small, "price"), some(&["0.125"]));
        }
        assert_eq!(values("Symbol;Factor\nA;0.125\n", "factor"), some(&["0.125"]));
        assert_eq!(values("Symbol;Kurs;Datum\nA;1,5;03.11.2026\n", "datum"), some(&["03.11.2026"]));
        assert_eq!(values("Symbol;Preis\nA;\u{20ac} 1.234,5\nB;7\n", "preis"), some(&["1234.5", "7"]));
        // The columns contradict each other, and each settles its own.
        let mixed = "Symbol;Kurs;Faktor\nA;1.234,5;0.75\n";
        assert_eq!((values(mixed, "kurs"), values(mixed, "faktor")), (some(&["1234.5"]), some(&["0.75"])));
        for ambiguous in
            ["Symbol;Menge\nA;1\nB;1.000\n", "Symbol;Kurs;Faktor;Menge\nA;1,5;0.75;1\nB;1,5;0.75;1.000\n"]
        {
            let Err(CsvError::BadValue { line, title, .. }) = read(ambiguous) else { panic!("{ambiguous}") };
            assert_eq!((line, &*title), (3, "Menge"));
        }
    }

    #[test]
    fn numbers_that_are_not_known_are_left_out() {
        for missing in ["N/A", "#N/A", "n/a", "-", "NaN", "null", "\u{2013}"] {
            let table = read(&format!("Symbol,Price,Last\nA,100,7.5\nB,,\nC,{missing},{missing}\n")).unwrap();
            assert_eq!(cell(&table, 2, "price"), None, "{missing}");
            assert_eq!(cell(&table, 2, "last"), None, "{missing}");
            assert_eq!(table.columns.last().unwrap().kind, ColumnKind::Number { decimals: 1 });
        }
        let table = read("Symbol,Note,Price\n700,5,1\nNA,-,2\n").unwrap();
        let texts = [cell(&table, 1, "symbol"), cell(&table, 1, "note")];
        assert_eq!(texts, [Some(&"NA".into()), Some(&"-".into())], "columns of texts are unchanged");
        let table = read("Symbol,Note\nA,N/A\nB,x\n").unwrap();
        assert_eq!(cell(&table, 0, "note"), Some(&"N/A".into()), "a text is unchanged");
        let error = read("Symbol,Price\nA,5\nB,N/A\nC,99-16\n").unwrap_err();
        assert!(matches!(error, CsvError::BadValue { line: 4, .. }), "the field that is wrong: {error}");
    }

    #[test]
    fn chosen_rows_and_columns_are_written_in_their_order() {
        let limits = Limits::default();
        let mut watchlist = Watchlist::new("List", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, 3).unwrap();
        let row = |number| RowId(uuid::Uuid::from_u128(number));
        for ((number, position), symbol) in (1..).zip(&positions).zip(["A", "B, Inc.", "C\tD"]) {
            let cells = [("symbol".into(), Literal::from(symbol)), ("price".into(), Literal::from("1.50"))];
            let insert = Change::insert(row(number), position, cells.into());
            watchlist.apply(&[insert], &Mode::Pending { limits: &limits }).unwrap();
        }
        let written = |extent| {
            let pieces: Vec<Vec<u8>> = write_extent(watchlist.freeze(), extent).collect();
            String::from_utf8(pieces.concat()).unwrap()
        };
        let rows = Some(vec![row(3), row(9), row(2)]);
        let columns = Some(vec!["price".into(), "gone".into(), "symbol".into()]);
        let extent = Extent { rows, columns, separator: Separator::Comma };
        assert_eq!(written(extent.clone()), "Price,Symbol\n1.50,C\tD\n1.50,\"B, Inc.\"\n");
        let tabs = Extent { separator: Separator::Tab, ..extent };
        assert_eq!(written(tabs), "Price\tSymbol\n1.50\t\"C\tD\"\n1.50\tB, Inc.\n");
        let none =
            Extent { rows: Some(Vec::new()), columns: Some(vec!["symbol".into()]), ..Extent::default() };
        assert_eq!(written(none), "Symbol\n");
        assert_eq!(written(Extent::default()).lines().count(), 4);
    }

    #[test]
    fn errors_name_the_line() {
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
        assert_eq!(read("Symbol,Note\nMMM,\"never closed\nAA,x\n"), Err(CsvError::UnclosedQuote { line: 2 }));
        assert_eq!(
            super::read(b"Symbol\n\xff\xfe\n", &Limits::default()),
            Err(CsvError::NotUtf8 { line: 2 })
        );
    }
}
