//! What is typed into a cell: parsing it, and formatting a value so that it parses back.

use rust_decimal::Decimal;
use shared::{
    column::ColumnKind,
    number,
    time::Timestamp,
    value::{Literal, Value},
};

use super::{filter::parse_timestamp, view::GridView};

/// Parses the typed text. Times are in the user's zone; a time without a date is today's.
pub(super) fn read_typed(
    kind: &ColumnKind,
    text: &str,
    seen: &Value,
    view: &GridView<'_>,
) -> Result<Value, String> {
    let text_only = text.trim();
    if *kind != ColumnKind::Time || text_only.is_empty() {
        return kind.parse_typed(text, seen, view.separators);
    }
    let today = || {
        text_only
            .parse::<jiff::civil::Time>()
            .ok()
            .map(|time| view.today.at(time.hour(), time.minute(), time.second(), 0))
    };
    let moment = parse_timestamp(text_only, view.zone)
        .or_else(|| Some(today()?.to_zoned(view.zone.clone()).ok()?.timestamp()))
        .ok_or_else(|| format!("{text_only:?} is not a time. Use 14:30, 2026-11-22 or 2026-11-22 14:30"))?;
    Ok(Value::Time(Timestamp::from_millis(moment.as_millisecond())))
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
