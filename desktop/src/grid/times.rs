//! Times as people write them, in their zone.

use std::ops::RangeInclusive;

use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use shared::time::Timestamp;

/// Reads a time in the user's zone: a date, a time of day, which is today's, or both.
///
/// # Errors
/// A text that is none of these, or an ambiguous date.
pub(super) fn read_time(text: &str, zone: &TimeZone, today: Date) -> Result<Timestamp, String> {
    let invalid = || format!("{text:?} is not a time. Use 14:30, 2026-11-22 or 2026-11-22 14:30");
    if let Some(span) = read_span(text, zone) {
        return span.map(|span| *span.start());
    }
    let time = time_of_day(text).ok_or_else(invalid)?;
    moment(today.to_datetime(time), zone).ok_or_else(invalid)
}

/// Reads a date, which is a whole day in the user's zone, or a date with a time: `None` if it is neither.
///
/// # Errors
/// An ambiguous date.
pub(super) fn read_span(text: &str, zone: &TimeZone) -> Option<Result<RangeInclusive<Timestamp>, String>> {
    let ambiguous = |(one, other): (Date, Date)| format!("{text:?} is ambiguous. Type {one} or {other}");
    if let Some(date) = read_date(text) {
        return date.map_err(ambiguous).map(|date| day(date, zone)).transpose();
    }
    if let Some(moment) = parse_timestamp(text, zone) {
        let moment = Timestamp::from_millis(moment.as_millisecond());
        return Some(Ok(moment..=moment));
    }
    let mut splits = text.match_indices(' ').map(|(at, _)| (text[..at].trim_end(), text[at..].trim_start()));
    let (date, time) =
        splits.find_map(|(date, time)| Some((read_date(date.trim_end_matches(','))?, time_of_day(time)?)))?;
    let moment = date.map_err(ambiguous).map(|date| moment(date.to_datetime(time), zone));
    moment.transpose().map(|moment| moment.map(|moment| moment..=moment))
}

/// Returns a day in a zone.
fn day(date: Date, zone: &TimeZone) -> Option<RangeInclusive<Timestamp>> {
    let start = moment(date.to_datetime(Time::midnight()), zone)?;
    let next = moment(date.tomorrow().ok()?.to_datetime(Time::midnight()), zone)?;
    Some(start..=Timestamp::from_millis(next.as_millis() - 1))
}

fn moment(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let zoned = local.to_zoned(zone.clone()).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
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

/// Parses a date or a date and time in a zone, or a timestamp with its own offset.
fn parse_timestamp(text: &str, zone: &TimeZone) -> Option<jiff::Timestamp> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment);
    }
    let local = text.parse::<DateTime>().ok();
    let local = local.or_else(|| text.parse::<Date>().ok().map(DateTime::from));
    Some(local?.to_zoned(zone.clone()).ok()?.timestamp())
}

/// Formats a time in the user's zone so that it parses back to the same time.
pub(super) fn local_text(time: Timestamp, zone: &TimeZone) -> String {
    let pattern = if time.as_millis() % 1_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.3f" };
    let text = time.to_jiff().to_zoned(zone.clone()).strftime(pattern).to_string();
    // When the clocks go back, one hour occurs twice.
    if parse_timestamp(&text, zone) == Some(time.to_jiff()) { text } else { time.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_date_is_of_today_and_a_date_is_a_whole_day() {
        let (zone, today) =
            (TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(), Date::constant(2026, 11, 28));
        let read = |text| read_time(text, &zone, today).map(|time| time.to_string());
        assert_eq!(read("14:30").unwrap(), "2026-11-28T13:30:00.000Z");
        assert_eq!(read("2026-11-22T14:30").unwrap(), "2026-11-22T13:30:00.000Z");
        assert_eq!(read("22 Nov 2026, 2:30pm").unwrap(), "2026-11-22T13:30:00.000Z");
        assert_eq!(read("2026-11-22T14:30Z").unwrap(), "2026-11-22T14:30:00.000Z");
        assert!(read("5/6/2026").unwrap_err().contains("is ambiguous"));
        let day = read_span("29.3.2026", &zone).unwrap().unwrap();
        let hours = (day.end().as_millis() + 1 - day.start().as_millis()) / 3_600_000;
        assert_eq!(hours, 23, "clocks go forward on that day");
    }

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
}
