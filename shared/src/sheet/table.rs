//! A table to import into a watchlist: its columns with guessed kinds, its rows, and the edits that insert
//! them.

use std::collections::{BTreeMap, HashSet};

use rust_decimal::Decimal;

use crate::{
    column::{Column, ColumnKey, ColumnKind, standard_columns},
    edit::Change,
    ids::RowId,
    limits::Limits,
    number::{self, Separators},
    position::Position,
    time::Timestamp,
    value::Literal,
    wire::codec::Encoding,
};

/// Number of decimals that a change in percent is shown with.
const PERCENT_DECIMALS: u32 = 2;
/// Maximum number of decimals that a column shows at first.
const MAX_DECIMALS: u8 = 8;

/// The columns of a new watchlist and the cells of its rows, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The standard columns, or if the file has no prices those that it has, then the file's own.
    pub columns: Vec<Column>,
    /// Cells by column. Empty cells are left out.
    pub rows: Vec<BTreeMap<ColumnKey, Literal>>,
}

/// A value that its column cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadValue {
    /// Index of the row.
    pub(super) row: usize,
    /// The column's title in the file.
    pub(super) title: String,
    /// A sentence that says what is wrong.
    pub(super) message: String,
}

/// The column of the watchlist that a column of the file fills.
enum Target {
    Standard(Column),
    /// A derived column. Its values are computed, so if the file has prices its own are ignored, except that
    /// the change, as a number or in percent, yields the previous close.
    Derived(Column),
    Own,
}

impl Table {
    /// Creates a table from the columns of a file: their titles, and for each title the fields of its rows.
    pub(super) fn fill(titles: &[String], fields: &[Vec<String>]) -> Result<Self, BadValue> {
        let rows = fields.first().map_or(0, Vec::len);
        let (price, close) = (ColumnKey::from("price"), ColumnKey::from("previousClose"));
        let known: HashSet<ColumnKey> = titles.iter().filter_map(|title| standard_key(title)).collect();
        let has_price = known.contains(&price);
        // Without prices, the standard columns that the file does not have would stay empty.
        let columns =
            standard_columns().into_iter().filter(|column| has_price || known.contains(&column.key));
        let mut table = Self { columns: columns.collect(), rows: vec![BTreeMap::new(); rows] };
        let mut filled = HashSet::new();
        let mut derived: BTreeMap<ColumnKey, (&str, &[String])> = BTreeMap::new();
        for ((number, title), fields) in (1..).zip(titles).zip(fields) {
            match target_of(title, &filled) {
                // There is nothing to compute it from.
                Target::Derived(_) if !has_price => table.fill_own(number, title, fields),
                Target::Standard(column) => {
                    filled.insert(column.key.clone());
                    table.fill_standard(&column, title, fields)?;
                }
                Target::Derived(column) => {
                    derived.entry(column.key).or_insert((title, fields));
                }
                Target::Own => table.fill_own(number, title, fields),
            }
        }
        table.show_decimals();
        for (key, is_percent) in [("change", false), ("changePct", true)] {
            if let Some((title, fields)) = derived.get(&ColumnKey::from(key)) {
                table.derive_close((&price, &close), title, fields, is_percent)?;
            }
        }
        Ok(table)
    }

    /// Returns the edits that insert the rows into an empty watchlist, each within the limits. `new_row`
    /// generates the ids.
    pub fn inserts(&self, limits: &Limits, mut new_row: impl FnMut() -> RowId) -> Vec<Vec<Change>> {
        let positions =
            Position::between(None, None, self.rows.len()).expect("an empty list has room for every row");
        let budget = limits.message_bytes / 2;
        let mut edits: Vec<Vec<Change>> = Vec::new();
        let mut bytes = usize::MAX;
        for (cells, position) in self.rows.iter().zip(&positions) {
            let change = Change::insert(new_row(), position, cells.clone());
            let size = Encoding::Json.size(&change);
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

    fn fill_standard(&mut self, column: &Column, title: &str, fields: &[String]) -> Result<(), BadValue> {
        for (index, (row, field)) in self.rows.iter_mut().zip(fields).enumerate() {
            let literal = if column.kind.is_numeric() {
                if field.trim().is_empty() {
                    continue;
                }
                Literal::Text(read_number(index, title, field)?.to_string().into())
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

    /// Adds a column of the file's own. Without a title it is called by its number in the file.
    fn fill_own(&mut self, number: usize, title: &str, fields: &[String]) {
        let title = if title.trim().is_empty() { format!("Column {number}") } else { title.to_owned() };
        let mut key = ColumnKey::from_title(&title);
        let stem = key.clone();
        let mut suffix = 2;
        while self.columns.iter().any(|column| column.key == key) {
            key = ColumnKey(format!("{stem}{suffix}").into());
            suffix += 1;
        }
        let kind = guess_kind(fields);
        for (row, field) in self.rows.iter_mut().zip(fields).filter(|(_, field)| !field.is_empty()) {
            let literal = match kind {
                ColumnKind::Flag => Literal::Flag(field == "true"),
                ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
                    let exact = Written::read(field).map(|written| written.number.to_string());
                    Literal::from(exact.as_deref().unwrap_or(field))
                }
                _ => Literal::from(field.as_str()),
            };
            row.insert(key.clone(), literal);
        }
        self.columns.push(Column { key, ..Column::new("", &title, kind) });
    }

    /// Computes the previous close of the rows that have none from their price and change, which may be written
    /// in percent.
    fn derive_close(
        &mut self,
        (price, close): (&ColumnKey, &ColumnKey),
        title: &str,
        changes: &[String],
        is_percent: bool,
    ) -> Result<(), BadValue> {
        for (index, (row, field)) in self.rows.iter_mut().zip(changes).enumerate() {
            if field.trim().is_empty() || row.contains_key(close) {
                continue;
            }
            let is_percent = is_percent || field.contains('%');
            let change = read_number(index, title, &field.replace('%', ""))?;
            let Some(Literal::Text(price)) = row.get(price) else { continue };
            let price = number::parse_exact(price).ok();
            let close_before = if is_percent { close_before_percent } else { Decimal::checked_sub };
            if let Some(previous) = price.and_then(|price| close_before(price, change)) {
                row.insert(close.clone(), Literal::Text(previous.to_string().into()));
            }
        }
        Ok(())
    }

    /// Lets the columns of prices show all decimals of those in the file.
    fn show_decimals(&mut self) {
        const PRICES: [&str; 3] = ["price", "previousClose", "target"];
        let cells = self.rows.iter().flat_map(|row| PRICES.iter().filter_map(|key| row.get(&(*key).into())));
        let scales = cells.filter_map(|cell| match cell {
            Literal::Text(text) => Some(number::parse_exact(text).ok()?.normalize().scale()),
            _ => None,
        });
        let most = scales.max().and_then(|scale| u8::try_from(scale).ok()).unwrap_or(0).min(MAX_DECIMALS);
        for column in &mut self.columns {
            let is_price = PRICES.contains(&&*column.key.0) || &*column.key.0 == "change";
            if let ColumnKind::Number { decimals } = &mut column.kind
                && is_price
            {
                *decimals = most.max(*decimals);
            }
        }
    }
}

/// Reads a number of a column that has numbers only.
fn read_number(row: usize, title: &str, field: &str) -> Result<Decimal, BadValue> {
    let strict = number::parse_exact(field.trim());
    let read =
        strict.or_else(|_| number::parse_typed(field, None, Separators::ENGLISH).map(|typed| typed.number));
    read.map_err(|error| BadValue { row, title: title.to_owned(), message: error.to_string() })
}

/// Returns the previous close of a price that has changed by a percentage of it: the one with the fewest decimals, but
/// no fewer than the price, from which the same percentage is computed.
fn close_before_percent(price: Decimal, percent: Decimal) -> Option<Decimal> {
    let share = percent.checked_div(Decimal::ONE_HUNDRED)?;
    // The percentage is one of the close without its sign.
    let factor = Decimal::ONE.checked_add(if price.is_sign_negative() { -share } else { share })?;
    if factor <= Decimal::ZERO {
        return None;
    }
    let exact = price.checked_div(factor)?;
    let decimals = percent.scale().max(PERCENT_DECIMALS);
    let computes_it = |close: &Decimal| {
        let computed = price.checked_sub(*close).and_then(|change| change.checked_div(close.abs()));
        let computed = computed.and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
        computed.is_some_and(|computed| number::round(computed, decimals) == percent)
    };
    let mut rounded = (price.scale()..exact.scale()).map(|scale| number::round(exact, scale));
    Some(rounded.find(computes_it).unwrap_or(exact).normalize())
}

fn target_of(title: &str, filled: &HashSet<ColumnKey>) -> Target {
    let key = folded(title);
    let aliases: &[(&str, &str)] = &[
        ("security", "company"),
        ("ticker", "symbol"),
        ("last", "price"),
        ("lastprice", "price"),
        ("currentprice", "price"),
        ("pxlast", "price"),
        ("chg", "change"),
        ("%change", "changepct"),
        ("change%", "changepct"),
        ("%chg", "changepct"),
        ("chg%", "changepct"),
        ("prevclose", "previousclose"),
    ];
    let key = aliases.iter().find(|(alias, _)| *alias == key).map_or(key.as_str(), |(_, key)| key);
    let standard = standard_columns().into_iter().find(|column| folded(&column.key.0) == key);
    match standard {
        Some(column) if column.derive.is_some() => Target::Derived(column),
        Some(column) if !filled.contains(&column.key) => Target::Standard(column),
        _ => Target::Own,
    }
}

/// Returns the key of the standard column that a column of a file fills, if it fills one.
fn standard_key(title: &str) -> Option<ColumnKey> {
    match target_of(title, &HashSet::new()) {
        Target::Standard(column) => Some(column.key),
        Target::Derived(_) | Target::Own => None,
    }
}

/// Returns the kind of the standard column that a column of a file is for, if it is for one.
pub(super) fn standard_kind(title: &str) -> Option<ColumnKind> {
    match target_of(title, &HashSet::new()) {
        Target::Standard(column) | Target::Derived(column) => Some(column.kind),
        Target::Own => None,
    }
}

fn folded(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric() || *c == '%').flat_map(char::to_lowercase).collect()
}

/// A number as spreadsheets write it: with groups, a currency sign, a percent sign, or in parentheses.
struct Written {
    number: Decimal,
    is_percent: bool,
    has_exponent: bool,
}

impl Written {
    /// Reads a field, unless it may be something else: a code with leading zeros, a fraction, a date, an
    /// ordinal, or a number with a letter that is no exponent.
    fn read(field: &str) -> Option<Self> {
        let (text, is_percent) = match field.trim().strip_suffix('%') {
            Some(text) => (text.trim_end(), true),
            None => (field.trim(), false),
        };
        let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let has_leading_zero =
            digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
        let has_exponent = has_exponent(text);
        if has_leading_zero
            || text.contains('/')
            || text.contains(char::is_alphabetic) && !has_exponent
            || text.contains(['=', ':'])
            || text.ends_with('.')
        {
            return None;
        }
        let number = number::parse_typed(text, None, Separators::ENGLISH).ok()?.number;
        Some(Self { number, is_percent, has_exponent })
    }
}

/// Whether a number has an exponent as spreadsheets write it, with a fraction or a sign: `1.5e3`, `2E+10`. `77E2` may be
/// a code.
fn has_exponent(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once(['e', 'E']) else { return false };
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_exponent = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number && is_exponent && (number.contains('.') || digits.len() < exponent.len())
}

/// Returns the narrowest kind that represents every field: exactly as written, or as a number that is written
/// in another way.
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
        return ColumnKind::Number { decimals: decimals.min(MAX_DECIMALS) };
    }
    let written: Option<Vec<Written>> = filled().map(|field| Written::read(field)).collect();
    if let Some(written) = written
        && written.iter().all(|number| number.is_percent == written[0].is_percent)
        // A column of codes may have nothing else.
        && !written.iter().all(|number| number.has_exponent)
    {
        let scales = written.iter().map(|written| written.number.scale());
        let decimals = scales.max().and_then(|scale| u8::try_from(scale).ok()).unwrap_or(0).min(MAX_DECIMALS);
        return match written[0].is_percent {
            true => ColumnKind::Percent { decimals },
            false => ColumnKind::Number { decimals },
        };
    }
    if filled().all(|field| field == "true" || field == "false") {
        return ColumnKind::Flag;
    }
    if filled().all(|field| field.parse::<Timestamp>().is_ok_and(|time| time.to_string() == *field)) {
        return ColumnKind::Time;
    }
    ColumnKind::Text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::watchlist::{Watchlist, apply::Mode};

    /// Returns a table with a symbol in each of its rows.
    fn table(rows: usize) -> Table {
        let symbols = (0..rows).map(|row| format!("S{row}")).collect();
        Table::fill(&["Symbol".to_owned()], &[symbols]).unwrap()
    }

    #[test]
    fn numbers_as_spreadsheets_write_them_are_numbers() {
        let kind = |fields: &[&str]| guess_kind(&fields.iter().map(ToString::to_string).collect::<Vec<_>>());
        let (number, percent) =
            (|decimals| ColumnKind::Number { decimals }, |decimals| ColumnKind::Percent { decimals });
        assert_eq!(kind(&["9%", "10%", "", "-2.5%"]), percent(1));
        assert_eq!(kind(&["$1,200.50", "$90.00", "$700", "(8)"]), number(2));
        assert_eq!(kind(&["1,234", "+5", "7"]), number(0));
        assert_eq!(kind(&["1E+3", "-2.5E2", "7.25"]), number(2));
        assert_eq!(kind(&["2e-3", "1"]), number(3));
        for fields in [
            &["9%", "7"][..],
            &["007", "1"],
            &["1/4"],
            &["1.2k"],
            &["12:30"],
            &["n/a", "1"],
            &["1,23"],
            &["1.", "2."],
            &["1.5e3", "2E+10"],
            &["1200", "77E2", "998"],
            &["e3", "1"],
            &["1e", "1"],
            &["1e300", "1"],
        ] {
            assert_eq!(kind(fields), ColumnKind::Text, "{fields:?}");
        }
        let fields = vec!["$1,200.50".to_owned(), "(8)".to_owned()];
        let table = Table::fill(
            &["Symbol".to_owned(), "Notional".to_owned()],
            &[vec!["A".into(), "B".into()], fields],
        );
        let cells: Vec<_> = table.unwrap().rows.iter().map(|row| row[&"notional".into()].clone()).collect();
        assert_eq!(cells, [Literal::from("1200.50"), Literal::from("-8")]);
    }

    #[test]
    fn the_previous_close_comes_from_the_change_or_else_from_the_change_in_percent() {
        let column = |fields: &[&str]| fields.iter().map(ToString::to_string).collect::<Vec<_>>();
        let titles = ["Symbol", "Price", "Change", "Change %"].map(str::to_owned);
        let fields = [
            column(&["A", "B", "C", "D", "E", "F"]),
            column(&["187.15", "0.05", "100", "10", "10", ""]),
            column(&["", "(0.01)", "+1,000", "", "", "1"]),
            column(&["1.23", "3.2%", "1", "+3.2%", "-100", "1"]),
        ];
        let table = Table::fill(&titles, &fields).unwrap();
        let closes = table.rows.iter().map(|row| row.get(&"previousClose".into()));
        let expected = ["184.88", "0.06", "-900", "9.69", "", ""];
        for (close, expected) in closes.zip(expected) {
            assert_eq!(close.cloned(), (!expected.is_empty()).then(|| Literal::from(expected)));
        }
        let mut watchlist = Watchlist::new("List", table.columns.clone(), &Limits::default()).unwrap();
        for edit in inserts(&table, &Limits::default()) {
            watchlist.apply(&edit, &Mode::Pending { limits: &Limits::default() }).unwrap();
        }
        let percents: Vec<String> = watchlist
            .rows()
            .iter()
            .map(|row| watchlist.cell(row.id, &"changePct".into()).to_literal().to_string())
            .collect();
        assert_eq!(percents, ["\"1.23\"", "\"-16.67\"", "\"111.11\"", "\"3.20\"", "empty", "empty"]);
    }

    #[test]
    fn a_change_in_percent_is_the_same_when_it_is_computed_from_the_close() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        for (price, percent) in [
            ("123456.7891", "0"),
            ("123456.7891", "0.01"),
            ("-7.5", "25"),
            ("0.00000853", "1.43"),
            ("1", "-99.9"),
        ] {
            let (price, percent) = (decimal(price), decimal(percent));
            let close = close_before_percent(price, percent).unwrap();
            let computed = (price - close) / close.abs() * Decimal::ONE_HUNDRED;
            assert_eq!(number::round(computed, 2), percent, "{price} {close}");
            let again = close_before_percent(price, number::round(computed, 2)).unwrap();
            assert_eq!(again, close, "what is exported is imported as it was");
        }
        assert_eq!(close_before_percent(decimal("1"), decimal("-100")), None);
    }

    #[test]
    fn a_change_that_is_no_number_is_refused_as_a_price_is() {
        let column = |fields: &[&str]| fields.iter().map(ToString::to_string).collect::<Vec<_>>();
        let titles = ["Price", "Change"].map(str::to_owned);
        for (change, is_read) in [
            ("-1,250.00", true),
            ("(0.14)", true),
            ("$-1.00", true),
            ("\u{2212}0.48", true),
            ("1e1", true),
            ("words", false),
        ] {
            let fields = [column(&["700,000.00", "1"]), column(&["", change])];
            let table = Table::fill(&titles, &fields);
            let has_close =
                table.as_ref().is_ok_and(|table| table.rows[1].contains_key(&"previousClose".into()));
            assert_eq!(has_close, is_read, "{change}");
            assert_eq!(
                table.err().map(|error| (error.row, error.title)),
                (!is_read).then(|| (1, "Change".to_owned()))
            );
        }
    }

    #[test]
    fn columns_of_prices_show_all_their_decimals() {
        let titles = ["Price", "Previous close"].map(str::to_owned);
        let table = Table::fill(&titles, &[vec!["1".to_owned()], vec!["0.875".to_owned()]]).unwrap();
        assert_eq!(
            table.columns.iter().find(|column| &*column.key.0 == "price").unwrap().kind.decimals(),
            Some(3)
        );
        let decimals = |price: &str| {
            let table =
                Table::fill(&["Price".to_owned()], &[vec![price.to_owned(), "1".to_owned()]]).unwrap();
            let of = |key: &str| {
                table.columns.iter().find(|column| *column.key.0 == *key).unwrap().kind.decimals()
            };
            ["price", "previousClose", "change", "target"].map(of)
        };
        assert_eq!(decimals("71.7"), [Some(2); 4]);
        assert_eq!(decimals("1.08534"), [Some(5); 4]);
        assert_eq!(decimals("0.00000853"), [Some(8); 4]);
        assert_eq!(decimals("0.0000085312345"), [Some(8); 4]);
        assert_eq!(decimals("71.5000"), [Some(2); 4]);
    }

    fn inserts(table: &Table, limits: &Limits) -> Vec<Vec<Change>> {
        let mut number = 0;
        table.inserts(limits, || {
            number += 1;
            RowId(Uuid::from_u128(number))
        })
    }

    fn lengths(edits: &[Vec<Change>]) -> Vec<usize> {
        edits.iter().map(Vec::len).collect()
    }

    fn column(title: &str, fields: &[&str]) -> Column {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        let mut table = Table::fill(&[title.to_owned()], &[fields]).unwrap();
        table.columns.pop().unwrap()
    }

    #[test]
    fn the_rows_are_inserted_in_order() {
        let limits = Limits { changes: 4, ..Limits::default() };
        let edits = inserts(&table(10), &limits);
        assert_eq!(lengths(&edits), [4, 4, 2]);
        let mut watchlist = Watchlist::new("List", standard_columns(), &limits).unwrap();
        for edit in edits {
            watchlist.apply(&edit, &Mode::Pending { limits: &limits }).unwrap();
        }
        let symbols: Vec<Literal> = watchlist
            .rows()
            .iter()
            .map(|row| watchlist.cell(row.id, &"symbol".into()).to_literal())
            .collect();
        assert_eq!(symbols, (0..10).map(|row| Literal::from(&*format!("S{row}"))).collect::<Vec<_>>());
    }

    #[test]
    fn an_edit_is_half_as_large_as_a_message_at_most() {
        let size = Encoding::Json.size(&inserts(&table(1), &Limits::default())[0][0]);
        let lengths_of =
            |message_bytes| lengths(&inserts(&table(6), &Limits { message_bytes, ..Limits::default() }));
        assert_eq!(lengths_of(2 * 3 * size), [3, 3]);
        assert_eq!(lengths_of(2 * 3 * size - 2), [2, 2, 2]);
        assert_eq!(lengths_of(1), [1; 6], "a row is not divided");
    }

    #[test]
    fn columns_with_equal_titles_have_keys_of_their_own() {
        let titles = ["Code", "Code", "Code", "Symbol", "Symbol"].map(str::to_owned);
        let fields = ["a", "b", "c", "MMM", "AA"].map(|field| vec![field.to_owned()]);
        let table = Table::fill(&titles, &fields).unwrap();
        let keys: Vec<&str> = table.columns.iter().map(|column| &*column.key.0).collect();
        assert_eq!(keys, ["symbol", "code", "code2", "code3", "symbol2"]);
        let cells: Vec<(&str, &Literal)> = table.rows[0].iter().map(|(key, cell)| (&*key.0, cell)).collect();
        let expected = [("code", "a"), ("code2", "b"), ("code3", "c"), ("symbol", "MMM"), ("symbol2", "AA")];
        assert_eq!(
            cells,
            expected.map(|(key, cell)| (key, Literal::from(cell))).each_ref().map(|(k, c)| (*k, c))
        );
    }

    #[test]
    fn flags_and_times_are_recognised_if_they_are_written_exactly() {
        let fields = ["true", "false", ""].map(str::to_owned).to_vec();
        let table = Table::fill(&["Done".to_owned()], &[fields]).unwrap();
        let cells: Vec<Option<&Literal>> = table.rows.iter().map(|row| row.get(&"done".into())).collect();
        assert_eq!(cells, [Some(&Literal::Flag(true)), Some(&Literal::Flag(false)), None]);
        let time = "2026-11-22T20:00:00.000Z";
        assert_eq!(column("Seen", &[time, "", time]).kind, ColumnKind::Time);
        assert_eq!(column("Seen", &[time, "2026-11-22T20:00:00Z"]).kind, ColumnKind::Text);
        assert_eq!(column("Seen", &["", ""]).kind, ColumnKind::Text);
        assert_eq!(column("Done", &["true", "yes"]).kind, ColumnKind::Text);
    }
}
