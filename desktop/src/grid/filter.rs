//! Column filters: parsing their text and matching values.

use jiff::{civil::Date, tz::TimeZone};
use rust_decimal::Decimal;
use shared::{
    column::ColumnKind,
    number::{self, Separators},
    time::Timestamp,
    value::Value,
};

use super::times::{read_span, read_time};

/// A condition on the values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Values whose text contains this lower-case text.
    Contains(String),
    /// Values whose text equals this lower-case text.
    Equals(String),
    /// Numbers, or times in Unix milliseconds, between two bounds.
    Between(Bound, Bound),
    /// Empty values.
    Empty,
    /// Values that the inner filter does not match.
    Not(Box<Filter>),
}

/// A text to find in cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needle {
    /// The text in lower case.
    text: String,
    /// Whether a cell has to equal the text, and not only to contain it.
    is_whole: bool,
}

impl Needle {
    /// Reads a text, or `=text`.
    pub fn new(text: &str) -> Self {
        let whole = text.strip_prefix('=').map(str::trim).filter(|rest| !rest.is_empty());
        Self { text: whole.unwrap_or(text).to_lowercase(), is_whole: whole.is_some() }
    }

    /// Whether the text of a cell matches.
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        if self.is_whole { text == self.text } else { text.contains(&self.text) }
    }
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Unbounded.
    Unbounded,
    /// Inclusive bound.
    Inclusive(Decimal),
    /// Exclusive bound.
    Exclusive(Decimal),
}

/// How a column's values are parsed and shown.
#[derive(Clone, Copy)]
pub struct ValueFormat<'a> {
    /// The kind of the column.
    pub kind: &'a ColumnKind,
    /// Decimal and thousands separators.
    pub separators: Separators,
    /// The time zone in which times are shown.
    pub zone: &'a TimeZone,
}

impl Filter {
    /// Parses the text of a column's filter: a text, `=text`, `!text`, `>70`, `<=70`, `70..80`, `=` or
    /// `empty` for empty cells, `!` for non-empty cells. Returns `None` for an empty text.
    ///
    /// # Errors
    /// A message for the user if a bound is not a number or not a time. A time without a date is of `today`.
    pub fn read(text: &str, format: ValueFormat<'_>, today: Date) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(rest) = text.strip_prefix('!') {
            let inner = Self::read(rest, format, today)?.unwrap_or(Filter::Empty);
            return Ok(Some(Filter::Not(Box::new(inner))));
        }
        let filter = if text == "=" || text.eq_ignore_ascii_case("empty") {
            Filter::Empty
        } else if let Some(rest) = text.strip_prefix(">=") {
            Filter::Between(Bound::Inclusive(parse_span(rest, format, today)?.0), Bound::Unbounded)
        } else if let Some(rest) = text.strip_prefix('>') {
            Filter::Between(Bound::Exclusive(parse_span(rest, format, today)?.1), Bound::Unbounded)
        } else if let Some(rest) = text.strip_prefix("<=") {
            Filter::Between(Bound::Unbounded, Bound::Inclusive(parse_span(rest, format, today)?.1))
        } else if let Some(rest) = text.strip_prefix('<') {
            Filter::Between(Bound::Unbounded, Bound::Exclusive(parse_span(rest, format, today)?.0))
        } else if let Some(rest) = text.strip_prefix('=') {
            match format.kind {
                kind if is_ordered(kind) => {
                    let (first, last) = parse_span(rest, format, today)?;
                    Filter::Between(Bound::Inclusive(first), Bound::Inclusive(last))
                }
                _ => Filter::Equals(rest.trim().to_lowercase()),
            }
        } else if let Some((from, to)) = text.split_once("..").filter(|_| is_ordered(format.kind)) {
            let span = |text: &str| match text.trim() {
                "" => Ok(None),
                text => parse_span(text, format, today).map(Some),
            };
            let (from, to) = (span(from)?, span(to)?);
            let bound = |end: Option<Decimal>| end.map_or(Bound::Unbounded, Bound::Inclusive);
            Filter::Between(bound(from.map(|(first, _)| first)), bound(to.map(|(_, last)| last)))
        } else if let (ColumnKind::Time, Some(span)) = (format.kind, read_span(text, format.zone)) {
            let span = span?;
            let bound = |time: &Timestamp| Bound::Inclusive(Decimal::from(time.as_millis()));
            Filter::Between(bound(span.start()), bound(span.end()))
        } else {
            Filter::Contains(text.to_lowercase())
        };
        Ok(Some(filter))
    }

    /// Whether a value matches the filter.
    pub fn matches(&self, value: &Value, format: ValueFormat<'_>) -> bool {
        match self {
            Filter::Contains(part) => display_text(value, format).to_lowercase().contains(part),
            Filter::Equals(text) => display_text(value, format).to_lowercase() == *text,
            Filter::Between(from, to) => ordinal(value).is_some_and(|ordinal| {
                let above = match from {
                    Bound::Unbounded => true,
                    Bound::Inclusive(bound) => ordinal >= *bound,
                    Bound::Exclusive(bound) => ordinal > *bound,
                };
                let below = match to {
                    Bound::Unbounded => true,
                    Bound::Inclusive(bound) => ordinal <= *bound,
                    Bound::Exclusive(bound) => ordinal < *bound,
                };
                above && below
            }),
            Filter::Empty => value.is_empty(),
            Filter::Not(inner) => !inner.matches(value, format),
        }
    }
}

/// Formats a value for filtering and finding: times in the user's zone, everything else as shown in the cell.
pub fn display_text(value: &Value, format: ValueFormat<'_>) -> String {
    match value {
        Value::Time(time) => {
            let local = time.to_jiff().to_zoned(format.zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Value::Number(_) | Value::Text(_) | Value::Flag(_) | Value::Empty => {
            format.kind.format(value, format.separators)
        }
    }
}

fn is_ordered(kind: &ColumnKind) -> bool {
    kind.is_numeric() || *kind == ColumnKind::Time
}

fn ordinal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Time(time) => Some(Decimal::from(time.as_millis())),
        Value::Text(_) | Value::Flag(_) | Value::Empty => None,
    }
}

/// Parses a number, or a time, of which a date is a whole day: returns the first and the last value.
fn parse_span(text: &str, format: ValueFormat<'_>, today: Date) -> Result<(Decimal, Decimal), String> {
    let text = text.trim();
    match format.kind {
        ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
            let text = text.trim_end_matches('%');
            let typed = number::parse_typed(text, None, format.separators);
            typed.map(|typed| (typed.number, typed.number)).map_err(|error| error.to_string())
        }
        ColumnKind::Time => {
            let moment = || read_time(text, format.zone, today).map(|moment| moment..=moment);
            let span = read_span(text, format.zone).unwrap_or_else(moment)?;
            Ok((Decimal::from(span.start().as_millis()), Decimal::from(span.end().as_millis())))
        }
        ColumnKind::Text | ColumnKind::Flag | ColumnKind::Choice(_) => {
            Err("this column has no numbers to compare. Use text, =text or !text".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::number::parse_exact;

    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 22);
    const NUMBER: ColumnKind = ColumnKind::Number { decimals: 2 };

    fn matches(kind: &ColumnKind, filter: &str, value: &Value) -> bool {
        let format = ValueFormat { kind, separators: Separators::ENGLISH, zone: &TimeZone::UTC };
        Filter::read(filter, format, TODAY).unwrap().unwrap().matches(value, format)
    }

    #[test]
    fn numbers_are_compared_numerically() {
        for (filter, within, outside) in [
            (">70", &["70.01", "900"][..], &["70", "7", "-71"][..]),
            (">= 70", &["70.00"], &["69.99"]),
            ("<1.2k", &["1199.99", "-5"], &["1200"]),
            ("<=1,200", &["1200"], &["1200.01"]),
            ("70..80", &["70", "75.5", "80.00"], &["69.99", "80.01"]),
            ("70..", &["70"], &["69"]),
            ("=71.8", &["71.80"], &["71.81"]),
            ("!=71.8", &["71.81"], &["71.80"]),
            ("71", &["71.80", "1710"], &["17"]),
            ("!71", &["17"], &["71.80"]),
        ] {
            let matches = |text: &&str| matches(&NUMBER, filter, &Value::Number(parse_exact(text).unwrap()));
            assert!(within.iter().all(matches), "{filter}");
            assert!(!outside.iter().any(matches), "{filter}");
        }
    }

    #[test]
    fn text_filters_ignore_case_and_empty_cells_match_by_name() {
        let text = |text: &str| Value::Text(text.into());
        assert!(matches(&ColumnKind::Text, "corp", &text("Intel Corp")));
        assert!(!matches(&ColumnKind::Text, "=intel", &text("Intel Corp")));
        assert!(matches(&ColumnKind::Text, "=intel corp", &text("Intel Corp")));
        assert!(matches(&ColumnKind::Text, "!corp", &text("Alcoa")));
        for empty in ["=", "empty"] {
            assert!(matches(&NUMBER, empty, &Value::Empty) && !matches(&ColumnKind::Text, empty, &text("x")));
        }
        assert!(
            matches(&ColumnKind::Text, "!", &text("x")) && !matches(&ColumnKind::Text, "!", &Value::Empty)
        );
        assert!(!matches(&NUMBER, ">0", &Value::Empty), "an empty cell is not a number");
    }

    #[test]
    fn times_are_compared_in_the_users_zone() {
        let noon = Value::Time("2026-11-22T12:00:00.000Z".parse::<Timestamp>().unwrap());
        let kind = ColumnKind::Time;
        assert!(matches(&kind, ">2026-11-22 11:30", &noon) && !matches(&kind, ">2026-11-22 12:30", &noon));
        assert!(matches(&kind, "2026-11-22", &noon), "a date matches the whole day");
        for day in ["2026-11-22", "22-Nov-2026", "22.11.2026", "11/22/2026"] {
            for (filter, is_match) in [
                ("", true),
                ("=", true),
                ("!=", false),
                (">=", true),
                (">", false),
                ("<=", true),
                ("<", false),
            ] {
                assert_eq!(matches(&kind, &format!("{filter}{day}"), &noon), is_match, "{filter}{day}");
            }
        }
        assert!(matches(&kind, "2026-11-20..2026-11-22", &noon), "the last day counts");
        assert!(!matches(&kind, "..2026-11-21", &noon) && matches(&kind, "22 Nov 2026..", &noon));
        let format = ValueFormat { kind: &kind, separators: Separators::ENGLISH, zone: &TimeZone::UTC };
        assert!(matches(&kind, ">11:30", &noon) && !matches(&kind, ">3pm", &noon), "of today");
        assert!(matches(&kind, "11:30..12:00", &noon) && !matches(&kind, "<12:00", &noon));
        assert!(matches(&kind, "12:00", &noon) && !matches(&kind, "23-Nov-2026", &noon));
        for ambiguous in [">5/6/2026", "5/6/2026"] {
            assert!(Filter::read(ambiguous, format, TODAY).unwrap_err().contains("is ambiguous"));
        }
        assert!(Filter::read("=soon", format, TODAY).unwrap_err().contains("is not a time"));
    }

    #[test]
    fn an_invalid_bound_is_an_error() {
        let format = ValueFormat { kind: &NUMBER, separators: Separators::ENGLISH, zone: &TimeZone::UTC };
        assert_eq!(Filter::read(">abc", format, TODAY).unwrap_err(), "\"abc\" is not a number");
        assert!(Filter::read("1..x", format, TODAY).is_err());
        let format = ValueFormat { kind: &ColumnKind::Text, ..format };
        assert!(Filter::read(">abc", format, TODAY).unwrap_err().contains("no numbers"));
        assert_eq!(Filter::read("a..b", format, TODAY), Ok(Some(Filter::Contains("a..b".to_owned()))));
        assert_eq!(Filter::read("  ", format, TODAY), Ok(None));
    }
}
