//! Derived columns: pure functions of a row, computed by client and server and never sent.

use rust_decimal::Decimal;

use crate::{
    column::{ColumnKey, ColumnKind, Derive},
    number,
    time::Timestamp,
    value::Value,
};

/// Computes a derived cell from the row's own cells. It is empty if an input is empty or the divisor is zero.
///
/// `number` returns the number in a column of the row, `changed` the time at which it was last set.
pub fn value(
    derive: &Derive,
    kind: &ColumnKind,
    number: impl Fn(&ColumnKey) -> Option<Decimal>,
    changed: impl Fn(&ColumnKey) -> Option<Timestamp>,
) -> Value {
    let derived = match derive {
        Derive::Difference { of, from } => difference(number(of), number(from)).map(Value::Number),
        Derive::PercentDifference { of, from } => {
            let decimals = kind.decimals().unwrap_or(2);
            percent_difference(number(of), number(from), decimals).map(Value::Number)
        }
        Derive::ChangedAt { of } => changed(of).map(Value::Time),
    };
    derived.unwrap_or_default()
}

fn difference(of: Option<Decimal>, from: Option<Decimal>) -> Option<Decimal> {
    of?.checked_sub(from?)
}

/// Computes the difference in per cent of the absolute value, so that it is positive if the number has risen.
fn percent_difference(of: Option<Decimal>, from: Option<Decimal>, decimals: u32) -> Option<Decimal> {
    let from = from?;
    let ratio = difference(of, Some(from))?.checked_div(from.abs())?;
    let mut percent = number::round(ratio.checked_mul(Decimal::ONE_HUNDRED)?, decimals);
    percent.rescale(decimals);
    Some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(of: &str, from: &str) -> Option<String> {
        let number = |text: &str| number::parse_exact(text).ok();
        percent_difference(number(of), number(from), 2).map(|percent| percent.to_string())
    }

    /// Computes a column from the price 30, set at 7 ms, and the previous close 20.
    fn derived(derive: &Derive, kind: &ColumnKind) -> Value {
        let numbers = [(ColumnKey::from("price"), 30), (ColumnKey::from("previousClose"), 20)];
        let number =
            |key: &ColumnKey| numbers.iter().find(|(known, _)| known == key).map(|(_, n)| Decimal::from(*n));
        let changed = |key: &ColumnKey| (key.0.as_ref() == "price").then(|| Timestamp::from_millis(7));
        value(derive, kind, number, changed)
    }

    #[test]
    fn each_derived_column_is_computed_from_its_inputs() {
        let (of, from) = (ColumnKey::from("price"), ColumnKey::from("previousClose"));
        let difference = Derive::Difference { of: of.clone(), from: from.clone() };
        assert_eq!(derived(&difference, &ColumnKind::Number { decimals: 2 }), Value::Number(Decimal::TEN));
        let percent = Derive::PercentDifference { of: of.clone(), from: from.clone() };
        let shown = |kind| derived(&percent, &kind).to_literal();
        assert_eq!(shown(ColumnKind::Percent { decimals: 1 }), "50.0".into());
        assert_eq!(shown(ColumnKind::Percent { decimals: 3 }), "50.000".into());
        let changed_at = |of| derived(&Derive::ChangedAt { of }, &ColumnKind::Time);
        assert_eq!(changed_at(of), Value::Time(Timestamp::from_millis(7)));
        assert_eq!(changed_at(from), Value::Empty);
    }

    #[test]
    fn percentages_are_rounded_half_away_from_zero() {
        assert_eq!(percent("71.72", "71.70").as_deref(), Some("0.03"));
        assert_eq!(percent("100.005", "100").as_deref(), Some("0.01"));
        assert_eq!(percent("99.995", "100").as_deref(), Some("-0.01"));
        assert_eq!(percent("30", "20").as_deref(), Some("50.00"));
    }

    #[test]
    fn a_percentage_has_the_sign_of_the_difference() {
        for (of, from, shown) in [
            ("-7.5", "-10", "25.00"),
            ("-12.5", "-10", "-25.00"),
            ("5", "-10", "150.00"),
            ("-5", "10", "-150.00"),
        ] {
            assert_eq!(percent(of, from).as_deref(), Some(shown), "{of} from {from}");
        }
    }

    #[test]
    fn a_missing_input_or_zero_divisor_or_overflow_yields_no_value() {
        assert_eq!(percent("71.72", "0"), None);
        assert_eq!(percent("", "70"), None);
        assert_eq!(percent("9999999999999999999999999999", "0.0000000000000000000000000001"), None);
    }
}
