//! What is typed into a cell: parsing it, and formatting a value so that it parses back.

use rust_decimal::Decimal;
use shared::{
    column::ColumnKind,
    number::{self, MINUS, Separators},
    value::{Literal, Value},
};

use super::{times::read_time, view::GridView};

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
