//! Decimal numbers in the exact form of the wire.

use rust_decimal::{Decimal, RoundingStrategy};

/// U+2212, the minus sign as wide as a plus sign.
pub const MINUS: char = '\u{2212}';

/// Maximum number of significant digits of a decimal.
pub const MAX_DIGITS: usize = 28;

/// Why text cannot be parsed as a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    /// The text is not a number.
    #[error("{0:?} is not a number")]
    Malformed(String),
    /// The number has more digits than a decimal can represent exactly.
    #[error("{0:?} has more than 28 digits")]
    TooManyDigits(String),
    /// A relative change such as `+5%`, of an empty cell.
    #[error("{0:?} is relative to the current value, and the cell is empty")]
    NoCurrentValue(String),
    /// A percentage that is not a change of the current value.
    #[error("{0:?} is not a number; write +5% or -5% to change the value by a percentage")]
    Percent(String),
    /// A fraction such as `1/3`.
    #[error("{0:?} cannot be written exactly as a decimal")]
    Inexact(String),
    /// The locale's group separator where it separates no groups, such as `1,23`.
    #[error("{text:?}: {separator:?} separates groups of digits here; the decimal separator is {decimal:?}")]
    Misplaced {
        /// The text.
        text: String,
        /// The locale's group separator.
        separator: char,
        /// The locale's decimal separator.
        decimal: char,
    },
    /// The number may be read in two ways: as groups of digits or as decimals.
    #[error(
        "{text:?} is ambiguous: {separator:?} is not a separator here; the decimal separator is {decimal:?}"
    )]
    Ambiguous {
        /// The text.
        text: String,
        /// The separator that this locale does not have.
        separator: char,
        /// The locale's decimal separator.
        decimal: char,
    },
}

/// Parses a decimal in the protocol's form, `-?digits(.digits)?` with at most 28 significant digits.
///
/// # Errors
/// Any other form, including exponents and a leading plus.
pub fn parse_exact(text: &str) -> Result<Decimal, NotANumber> {
    let malformed = || NotANumber::Malformed(text.chars().take(64).collect());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || fraction.is_some_and(|part| !digits(part)) {
        return Err(malformed());
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(malformed());
    }
    let too_many = || NotANumber::TooManyDigits(text.chars().take(64).collect());
    let fraction = fraction.unwrap_or("");
    let significant =
        if whole == "0" { fraction.trim_start_matches('0').len() } else { whole.len() + fraction.len() };
    if significant > MAX_DIGITS || fraction.len() > MAX_DIGITS {
        return Err(too_many());
    }
    Decimal::from_str_exact(text).map_err(|_out_of_range| too_many())
}

/// Rounds half away from zero, as is usual for prices.
pub fn round(number: Decimal, decimals: u32) -> Decimal {
    number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_exact_keeps_trailing_zeros() {
        for text in ["71.80", "0", "-0.5", "9999999999999999999999999999", "0.0000000000000000000000000001"] {
            assert_eq!(parse_exact(text).unwrap().to_string(), text);
        }
        for text in ["", ".", "1.", ".5", "+1", "1e3", "1.2.3", " 1", "01", "1,2", "٣", "1e9999", "NaN"] {
            assert!(parse_exact(text).is_err(), "{text}");
        }
        assert!(matches!(parse_exact("12345678901234567890123456789"), Err(NotANumber::TooManyDigits(_))));
        assert!(parse_exact("0.00000000000000000000000000001").is_err());
    }
}
