//! What a filter's text means for a column: which values it lets through.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use shared::{
    column::ColumnKind,
    number::{self, Separators},
    value::Value,
};

/// Which values of a column are shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Those whose text has this in it; in lower case.
    Contains(String),
    /// Those whose text is this; in lower case.
    Is(String),
    /// Numbers, or moments in milliseconds, between two bounds.
    Between(Bound, Bound),
    /// Those that are empty.
    Empty,
    /// Those that another filter holds back.
    Not(Box<Filter>),
}

/// One end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// There is none.
    Open,
    /// The value itself is within.
    With(Decimal),
    /// The value itself is outside.
    Without(Decimal),
}

/// How a column's values are read and shown.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// What the column holds.
    pub kind: &'a ColumnKind,
    /// How numbers are typed.
    pub separators: Separators,
    /// Where times are shown.
    pub zone: &'a TimeZone,
}

impl Filter {
    /// Reads what was typed into a column's filter: a text, `=text`, `!text`, `>70`, `<=70`, `70..80`, `=` or
    /// `empty` for empty cells, `!` for the others. No text is no filter.
    ///
    /// # Errors
    /// A sentence for the person: a bound that is no number, or no time.
    pub fn read(text: &str, reading: Reading<'_>) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(rest) = text.strip_prefix('!') {
            let inner = Self::read(rest, reading)?.unwrap_or(Filter::Empty);
            return Ok(Some(Filter::Not(Box::new(inner))));
        }
        let filter = if text == "=" || text.eq_ignore_ascii_case("empty") {
            Filter::Empty
        } else if let Some(rest) = text.strip_prefix(">=") {
            Filter::Between(Bound::With(bound(rest, reading)?), Bound::Open)
        } else if let Some(rest) = text.strip_prefix('>') {
            Filter::Between(Bound::Without(bound(rest, reading)?), Bound::Open)
        } else if let Some(rest) = text.strip_prefix("<=") {
            Filter::Between(Bound::Open, Bound::With(bound(rest, reading)?))
        } else if let Some(rest) = text.strip_prefix('<') {
            Filter::Between(Bound::Open, Bound::Without(bound(rest, reading)?))
        } else if let Some(rest) = text.strip_prefix('=') {
            match reading.kind {
                ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
                    let number = bound(rest, reading)?;
                    Filter::Between(Bound::With(number), Bound::With(number))
                }
                _ => Filter::Is(rest.trim().to_lowercase()),
            }
        } else if let Some((from, to)) = text.split_once("..").filter(|_| is_ordered(reading.kind)) {
            let end = |text: &str| match text.trim() {
                "" => Ok(Bound::Open),
                text => bound(text, reading).map(Bound::With),
            };
            Filter::Between(end(from)?, end(to)?)
        } else {
            Filter::Contains(text.to_lowercase())
        };
        Ok(Some(filter))
    }

    /// Whether a value is shown.
    pub fn admits(&self, value: &Value, reading: Reading<'_>) -> bool {
        match self {
            Filter::Contains(part) => shown(value, reading).to_lowercase().contains(part),
            Filter::Is(text) => shown(value, reading).to_lowercase() == *text,
            Filter::Between(from, to) => ordinal(value).is_some_and(|ordinal| {
                let above = match from {
                    Bound::Open => true,
                    Bound::With(bound) => ordinal >= *bound,
                    Bound::Without(bound) => ordinal > *bound,
                };
                let below = match to {
                    Bound::Open => true,
                    Bound::With(bound) => ordinal <= *bound,
                    Bound::Without(bound) => ordinal < *bound,
                };
                above && below
            }),
            Filter::Empty => value.is_empty(),
            Filter::Not(inner) => !inner.admits(value, reading),
        }
    }
}

/// A value as filters and finding see it: times in the person's zone, everything else as it is shown.
pub fn shown(value: &Value, reading: Reading<'_>) -> String {
    match value {
        Value::Time(time) => {
            let local = time.to_jiff().to_zoned(reading.zone.clone());
            local.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Value::Number(_) => reading.separators.localized(reading.kind.format(value)),
        Value::Text(_) | Value::Flag(_) | Value::Empty => reading.kind.format(value),
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

fn bound(text: &str, reading: Reading<'_>) -> Result<Decimal, String> {
    let text = text.trim();
    match reading.kind {
        ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
            let text = text.trim_end_matches('%');
            number::parse_typed(text, None, reading.separators).map_err(|error| error.to_string())
        }
        ColumnKind::Time => moment(text, reading.zone)
            .map(|moment| Decimal::from(moment.as_millisecond()))
            .ok_or_else(|| format!("{text:?} is not a time: write it as 2026-11-22 or 2026-11-22 14:30")),
        ColumnKind::Text | ColumnKind::Flag | ColumnKind::Choice(_) => {
            Err("this column holds no numbers to compare; type a text, =text or !text".to_owned())
        }
    }
}

/// Reads a day or a moment in a zone, or one with its own offset.
pub fn moment(text: &str, zone: &TimeZone) -> Option<jiff::Timestamp> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment);
    }
    let local = text.parse::<jiff::civil::DateTime>().ok();
    let local = local.or_else(|| text.parse::<jiff::civil::Date>().ok().map(jiff::civil::DateTime::from));
    Some(local?.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use shared::{number::parse_exact, time::Timestamp};

    use super::*;

    const NUMBER: ColumnKind = ColumnKind::Number { decimals: 2 };

    fn admits(kind: &ColumnKind, filter: &str, value: &Value) -> bool {
        let reading = Reading { kind, separators: Separators::Point, zone: &TimeZone::UTC };
        Filter::read(filter, reading).unwrap().unwrap().admits(value, reading)
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
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
            let admits = |text: &&str| admits(&NUMBER, filter, &Value::Number(parse_exact(text).unwrap()));
            assert!(within.iter().all(admits), "{filter}");
            assert!(!outside.iter().any(admits), "{filter}");
        }
    }

    #[test]
    fn texts_are_found_without_regard_to_case_and_empty_cells_by_name() {
        let text = |text: &str| Value::Text(text.into());
        assert!(admits(&ColumnKind::Text, "corp", &text("Intel Corp")));
        assert!(!admits(&ColumnKind::Text, "=intel", &text("Intel Corp")));
        assert!(admits(&ColumnKind::Text, "=intel corp", &text("Intel Corp")));
        assert!(admits(&ColumnKind::Text, "!corp", &text("Alcoa")));
        for empty in ["=", "empty"] {
            assert!(admits(&NUMBER, empty, &Value::Empty) && !admits(&ColumnKind::Text, empty, &text("x")));
        }
        assert!(admits(&ColumnKind::Text, "!", &text("x")) && !admits(&ColumnKind::Text, "!", &Value::Empty));
        assert!(!admits(&NUMBER, ">0", &Value::Empty), "an empty cell is no number");
    }

    #[test]
    fn times_are_compared_in_the_persons_zone() {
        let noon = Value::Time("2026-11-22T12:00:00.000Z".parse::<Timestamp>().unwrap());
        let kind = ColumnKind::Time;
        assert!(admits(&kind, ">2026-11-22", &noon) && !admits(&kind, ">2026-11-22 12:30", &noon));
        assert!(admits(&kind, "2026-11-22", &noon), "as text, the whole day");
    }

    #[test]
    fn a_bound_that_is_none_is_said() {
        let reading = Reading { kind: &NUMBER, separators: Separators::Point, zone: &TimeZone::UTC };
        assert_eq!(Filter::read(">abc", reading).unwrap_err(), "\"abc\" is not a number");
        assert!(Filter::read("1..x", reading).is_err());
        let reading = Reading { kind: &ColumnKind::Text, ..reading };
        assert!(Filter::read(">abc", reading).unwrap_err().contains("no numbers"));
        assert_eq!(Filter::read("a..b", reading), Ok(Some(Filter::Contains("a..b".to_owned()))));
        assert_eq!(Filter::read("  ", reading), Ok(None));
    }
}
