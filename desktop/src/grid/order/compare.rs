//! How two values compare when rows are sorted, and a number for each value that mostly decides it.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use shared::value::Value;

/// A value prepared for many comparisons: its text is lower-cased once.
pub(super) struct SortValue {
    value: Value,
    folded: Option<String>,
}

impl SortValue {
    pub(super) fn of(value: Value) -> Self {
        let folded = if let Value::Text(text) = &value { Some(text.to_lowercase()) } else { None };
        Self { value, folded }
    }

    /// Compares two values in a direction. Empty values are last in both.
    pub(super) fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let (a, b) = (&self.value, &other.value);
        let ordering = match (&self.folded, &other.folded) {
            (Some(folded_a), Some(folded_b)) if folded_a != folded_b => folded_a.cmp(folded_b),
            _ => a.sort_order(b),
        };
        if descending && !a.is_empty() && !b.is_empty() { ordering.reverse() } else { ordering }
    }
}

/// Returns a number that orders values as [`SortValue::compare`] does, and whether values with equal numbers
/// are equal.
pub(super) fn coarse_key(value: &Value, descending: bool) -> (u64, bool) {
    let ordered = |signed: i64| signed.cast_unsigned() ^ (1 << 63);
    let (coarse, is_exact) = match value {
        Value::Empty => return (u64::MAX, true),
        Value::Number(number) => {
            let (millionths, is_exact) = millionths(*number);
            (ordered(millionths), is_exact)
        }
        Value::Time(time) => (ordered(time.as_millis()), true),
        Value::Flag(flag) => (u64::from(*flag), true),
        Value::Text(text) => {
            let mut first = [0; 8];
            let mut bytes =
                text.chars().flat_map(char::to_lowercase).take(8).collect::<String>().into_bytes();
            bytes.truncate(8);
            first[..bytes.len()].copy_from_slice(&bytes);
            (u64::from_be_bytes(first), false)
        }
    };
    let coarse = if descending { !coarse } else { coarse };
    // The largest number is reserved for empty cells.
    (coarse.min(u64::MAX - 1), is_exact && coarse != u64::MAX)
}

/// Returns a number in millionths, rounded down and clamped to 64 bits, so that the order is preserved. Also
/// returns whether the result is exact.
fn millionths(number: Decimal) -> (i64, bool) {
    let (mantissa, scale) = (number.mantissa(), number.scale());
    let (whole, is_whole) = match scale.checked_sub(6) {
        Some(finer) => {
            let unit = 10_i128.pow(finer);
            (mantissa.div_euclid(unit), mantissa.rem_euclid(unit) == 0)
        }
        None => (mantissa.saturating_mul(10_i128.pow(6 - scale)), true),
    };
    match i64::try_from(whole) {
        Ok(whole) => (whole, is_whole),
        Err(_) => (if whole < 0 { i64::MIN } else { i64::MAX }, false),
    }
}

#[cfg(test)]
mod tests {
    use shared::{number::parse_exact, time::Timestamp};

    use super::*;

    #[test]
    fn the_coarse_order_never_contradicts_the_exact_one() {
        let numbers = [
            "-99999999999999999999",
            "-1.0000001",
            "-1",
            "-0.5",
            "0",
            "0.0000001",
            "0.0000002",
            "71.8",
            "71.80",
            "9999999999999.999999",
            "99999999999999999999999999",
        ];
        let mut values: Vec<Value> =
            numbers.iter().map(|text| Value::Number(parse_exact(text).unwrap())).collect();
        values.extend([Value::Empty, Value::Flag(false), Value::Flag(true)]);
        values.extend(["", "a", "A", "alphabet soup", "alphabet Soap"].map(|text| Value::Text(text.into())));
        values.extend([i64::MIN, -1, 0, i64::MAX].map(|at| Value::Time(Timestamp::from_millis(at))));
        // A column has values of one kind, and empty ones.
        let kind = |value: &Value| std::mem::discriminant(value);
        let compared = |a: &Value, b: &Value| kind(a) == kind(b) || a.is_empty() || b.is_empty();
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            if !compared(a, b) {
                continue;
            }
            for descending in [false, true] {
                let ((coarse_a, exact_a), (coarse_b, exact_b)) =
                    (coarse_key(a, descending), coarse_key(b, descending));
                let fine = SortValue::of(a.clone()).compare(&SortValue::of(b.clone()), descending);
                let is_exact = exact_a && exact_b;
                let by_coarse = coarse_a.cmp(&coarse_b);
                assert!(by_coarse == fine || by_coarse.is_eq() && !is_exact, "{a:?} {b:?} {descending}");
            }
        }
    }
}
