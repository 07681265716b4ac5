//! What is typed into a cell: parsing it, and formatting a value so that it parses back.

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};
use rust_decimal::Decimal;
use shared::{
    column::ColumnKind,
    number::{self, MINUS, Separators},
    time::Timestamp,
    value::{Literal, Value},
};

use super::{filter::parse_timestamp, view::GridView};

/// Parses the typed text. Numbers that start with a sign are relative to `current`, if there is one. Times
/// are in the user's zone; a time without a date is today's.
pub(super) fn read_typed(
    kind: &ColumnKind,
    text: &str,
    current: Option<Decimal>,
    view: &GridView<'_>,
) -> Result<Value, String> {
    match kind {
        ColumnKind::Time if !text.trim().is_empty() => {
            read_time(text.trim(), view.zone, view.today).map(Value::Time)
        }
        _ => kind.parse_typed(text, current, view.separators),
    }
}

/// Reads a time in the user's zone: a date, a time of day, which is today's, or both.
///
/// # Errors
/// A text that is none of these, or an ambiguous date.
pub(super) fn read_time(text: &str, zone: &TimeZone, today: Date) -> Result<Timestamp, String> {
    let invalid = || format!("{text:?} is not a time. Use 14:30, 2026-11-22 or 2026-11-22 14:30");
    if let Some(moment) = parse_timestamp(text, zone) {
        return Ok(Timestamp::from_millis(moment.as_millisecond()));
    }
    let splits = text.match_indices(' ').map(|(at, _)| (text[..at].trim_end(), text[at..].trim_start()));
    let both =
        splits.filter_map(|(date, time)| Some((read_date(date.trim_end_matches(','))?, time_of_day(time)?)));
    let whole = [
        time_of_day(text).map(|time| (Ok(today), time)),
        read_date(text).map(|date| (date, Time::midnight())),
    ];
    let (date, time) = whole.into_iter().flatten().chain(both).next().ok_or_else(invalid)?;
    let date = date.map_err(|(one, other)| format!("{text:?} is ambiguous. Type {one} or {other}"))?;
    let zoned = date.to_datetime(time).to_zoned(zone.clone()).map_err(|_out_of_range| invalid())?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

/// Reads a date, such as `2026-12-18`, `18-Dec-26`, `Dec 18, 2026`, `18.12.2026` or `12/18/2026`. The error is the
/// two dates that it may be.
fn read_date(text: &str) -> Option<Result<Date, (Date, Date)>> {
    const FORMATS: [&str; 9] = [
        "%Y-%m-%d",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%d %b %Y",
        "%d %B %Y",
        "%b %d, %Y",
        "%B %d, %Y",
        "%d.%m.%Y",
        "%d.%m.%y",
    ];
    // A year of two digits is not one of the first century.
    let read = |format: &str| Date::strptime(format, text).ok().filter(|date| date.year() >= 1_000);
    if let Some(date) = FORMATS.into_iter().find_map(read) {
        return Some(Ok(date));
    }
    let month_first = read("%m/%d/%Y").or_else(|| read("%m/%d/%y"));
    let day_first = read("%d/%m/%Y").or_else(|| read("%d/%m/%y"));
    match (month_first, day_first) {
        (Some(one), Some(other)) if one != other => Some(Err((one, other))),
        (one, other) => one.or(other).map(Ok),
    }
}

/// Reads a time of day, such as `14:30`, `9:30:05.250`, `3pm` or `3:15 pm`.
fn time_of_day(text: &str) -> Option<Time> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let lower = text.to_ascii_lowercase();
    let half = |suffix: &str, from: i8| lower.strip_suffix(suffix).map(|rest| (rest.trim_end(), Some(from)));
    let (digits, half_day) = half("am", 0).or_else(|| half("pm", 12)).unwrap_or((&lower, None));
    let number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i8>().ok())?;
    let parts: Vec<i8> = digits.split(':').map(number).collect::<Option<_>>()?;
    let (hour, minute, second) = match (parts.as_slice(), half_day) {
        (&[hour], Some(_)) => (hour, 0, 0),
        (&[hour, minute], _) => (hour, minute, 0),
        (&[hour, minute, second], _) => (hour, minute, second),
        _ => return None,
    };
    let hour = match half_day {
        Some(from) if (1..=12).contains(&hour) => hour % 12 + from,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute, second, 0).ok()
}

/// What a typed number means, where that is not what it looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// The number: how it is computed, or all its digits, and how the cell shows it.
    pub(super) text: String,
    /// How to type the number itself instead of a change of the current value.
    pub(super) hint: Option<String>,
}

/// Returns what a typed number means, unless it is plain and shown with all its digits.
pub(super) fn meaning(
    kind: &ColumnKind,
    text: &str,
    current: Option<Decimal>,
    separators: Separators,
) -> Option<Meaning> {
    let decimals = kind.decimals()?;
    let typed = kind.parse_number(text, current, separators).ok()?;
    let exact = |number: Decimal| separators.format(number, number.scale().max(decimals));
    let is_rounded = number::round(typed.number, decimals) != typed.number;
    let (mut meaning, hint) = match typed.step.zip(current) {
        Some((step, current)) => {
            let sign = if step.is_sign_negative() { MINUS } else { '+' };
            let sum = format!("{} {sign} {} = {}", exact(current), exact(step.abs()), exact(typed.number));
            let itself = kind.parse_number(text, None, separators).ok().filter(|_| step.is_sign_negative());
            (sum, itself.map(|value| format!("Type ={} for {}", text.trim(), exact(value.number))))
        }
        None if typed.is_plain && !is_rounded => return None,
        None => (format!("= {}", exact(typed.number)), None),
    };
    if is_rounded {
        meaning.push_str(&format!(", shown as {}", separators.format(typed.number, decimals)));
    }
    Some(Meaning { text: meaning, hint })
}

/// Formats a time in the user's zone so that it parses back to the same time.
pub(super) fn local_text(time: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let pattern = if time.as_millis() % 1_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    let text = time.to_jiff().to_zoned(zone.clone()).strftime(pattern).to_string();
    // When the clocks go back, one hour occurs twice.
    if parse_timestamp(&text, zone) == Some(time.to_jiff()) { text } else { time.to_string() }
}

/// Formats a value for editing: every digit, no grouping.
pub(super) fn plain_text(value: &Value) -> String {
    match value.to_literal() {
        Literal::Text(text) => text.to_string(),
        Literal::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
        Literal::Empty | Literal::Foreign(_) => String::new(),
    }
}

/// Returns a number stepped up or down by the last decimal of its column.
pub(super) fn stepped_number(value: &Value, kind: &ColumnKind, up: bool) -> Option<Decimal> {
    let step = Decimal::new(1, kind.decimals()?);
    let number = value.as_number()?;
    if up { number.checked_add(step) } else { number.checked_sub(step) }
        .filter(|stepped| number::parse_exact(&stepped.to_string()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_with_and_without_half_days() {
        for (text, time) in [
            ("14:30", "14:30:00"),
            ("9:05", "09:05:00"),
            ("09:05:07", "09:05:07"),
            ("3pm", "15:00:00"),
            ("3:15 PM", "15:15:00"),
            ("12am", "00:00:00"),
            ("12:30 pm", "12:30:00"),
            ("11:59:59am", "11:59:59"),
            ("14:30:05.25", "14:30:05.25"),
        ] {
            assert_eq!(time_of_day(text).map(|time| time.to_string()).as_deref(), Some(time), "{text}");
        }
        for text in [
            "", "3", "pm", "13pm", "0am", "24:00", "9:60", "9:5:3:1", "-1:00", "noon", "3 p.m", "+9:30",
            "+3pm", ":30",
        ] {
            assert_eq!(time_of_day(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_read_as_spreadsheets_and_people_write_them() {
        for text in [
            "2026-12-18",
            "18-Dec-2026",
            "18-dec-2026",
            "18 Dec 2026",
            "Dec 18, 2026",
            "December 18, 2026",
            "18.12.2026",
            "12/18/2026",
            "18/12/2026",
            "18-Dec-26",
            "18 December 2026",
            "18.12.26",
            "12/18/26",
        ] {
            let date = read_date(text).and_then(Result::ok);
            assert_eq!(date.map(|date| date.to_string()).as_deref(), Some("2026-12-18"), "{text}");
        }
        assert!(matches!(read_date("5/6/2026"), Some(Err(_))));
        assert!(matches!(read_date("6/6/2026"), Some(Ok(_))));
        for text in ["", "18", "31.2.2026", "2026-13-01", "12/18", "Foo 18, 2026", "14:30", "26-12-18"] {
            assert!(read_date(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_number_that_is_not_what_it_looks_like_has_a_meaning() {
        let kind = ColumnKind::Number { decimals: 2 };
        let current = number::parse_exact("200.58").ok();
        let text = |typed: &str, current| {
            meaning(&kind, typed, current, Separators::ENGLISH).map(|meaning| meaning.text)
        };
        for (typed, expected) in [
            ("-0.5", Some("200.58 \u{2212} 0.50 = 200.08")),
            ("+0.5", Some("200.58 + 0.50 = 201.08")),
            ("-2%", Some("200.58 \u{2212} 4.01 = 196.57")),
            ("+0.125", Some("200.58 + 0.125 = 200.705, shown as 200.71")),
            ("=-0.5", Some("= \u{2212}0.50")),
            ("1.2k", Some("= 1,200.00")),
            ("99 1/4", Some("= 99.25")),
            ("71.726", Some("= 71.726, shown as 71.73")),
            ("1,234.5", None),
            ("71", None),
            ("1,23", None),
            ("words", None),
        ] {
            assert_eq!(text(typed, current).as_deref(), expected, "{typed}");
        }
        assert_eq!(text("-0.5", None), None, "in an empty cell the sign is part of the number");
        let hint = |typed: &str| meaning(&kind, typed, current, Separators::ENGLISH).unwrap().hint;
        assert_eq!(hint("-0.5").as_deref(), Some("Type =-0.5 for \u{2212}0.50"));
        assert_eq!((hint("+0.5"), hint("-2%")), (None, None));
    }
}
