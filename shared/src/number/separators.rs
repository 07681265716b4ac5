//! How numbers are written in a locale.

use rust_decimal::Decimal;

use super::exact::{MINUS, round};

/// The decimal separator and the grouping of a locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Separators {
    /// Separates the whole part from the fraction.
    pub decimal: char,
    /// Separates groups of digits of the whole part.
    pub group: char,
    /// Number of digits of each group but the last, which has three.
    pub group_digits: usize,
}

impl Separators {
    /// `1,234,567.50`
    pub const ENGLISH: Self = Self { decimal: '.', group: ',', group_digits: 3 };

    /// Formats a number for display: rounded, with fixed decimals and grouping, and U+2212 as the minus sign.
    pub fn format(self, number: Decimal, decimals: u32) -> String {
        let mut rounded = round(number, decimals);
        rounded.rescale(decimals);
        let digits = rounded.abs().to_string();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        let mut shown = String::with_capacity(digits.len() + whole.len() + 3);
        if rounded.is_sign_negative() && !rounded.is_zero() {
            shown.push(MINUS);
        }
        for (index, digit) in whole.chars().enumerate() {
            let left = whole.len() - index;
            if index > 0 && left >= 3 && (left - 3).is_multiple_of(self.group_digits) {
                shown.push(self.group);
            }
            shown.push(digit);
        }
        if !fraction.is_empty() {
            shown.push(self.decimal);
            shown.push_str(fraction);
        }
        shown
    }

    /// Formats a number of things, such as `1,234 rows`.
    pub fn format_count(self, number: usize, one: &str, many: &str) -> String {
        format!("{} {}", self.format(number.into(), 0), if number == 1 { one } else { many })
    }

    /// Formats a number for editing and for other programs: with every digit and without grouping.
    pub fn write(self, number: Decimal) -> String {
        let text = number.to_string();
        if self.decimal == '.' { text } else { text.replace('.', self.decimal.encode_utf8(&mut [0; 4])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::exact::parse_exact;

    const SWISS: Separators = Separators { decimal: '.', group: '\u{2019}', group_digits: 3 };
    const INDIAN: Separators = Separators { decimal: '.', group: ',', group_digits: 2 };
    const FRENCH: Separators = Separators { decimal: ',', group: '\u{202f}', group_digits: 3 };

    #[test]
    fn format_rounds_and_groups() {
        for (separators, text, decimals, shown) in [
            (Separators::ENGLISH, "1234567.5", 2, "1,234,567.50"),
            (Separators::ENGLISH, "-0.005", 2, "\u{2212}0.01"),
            (Separators::ENGLISH, "-0.001", 2, "0.00"),
            (Separators::ENGLISH, "999", 0, "999"),
            (Separators::ENGLISH, "-1000", 0, "\u{2212}1,000"),
            (FRENCH, "-1234567.891", 2, "\u{2212}1\u{202f}234\u{202f}567,89"),
            (SWISS, "1234567.5", 1, "1\u{2019}234\u{2019}567.5"),
            (INDIAN, "999", 0, "999"),
            (INDIAN, "1234", 0, "1,234"),
            (INDIAN, "12345", 0, "12,345"),
            (INDIAN, "123456", 0, "1,23,456"),
            (INDIAN, "-1234567890.125", 3, "\u{2212}1,23,45,67,890.125"),
        ] {
            assert_eq!(separators.format(parse_exact(text).unwrap(), decimals), shown, "{text}");
        }
        assert_eq!(FRENCH.write(parse_exact("-1234.50").unwrap()), "-1234,50");
        assert_eq!(SWISS.format_count(1_234, "row", "rows"), "1\u{2019}234 rows");
        assert_eq!(SWISS.format_count(1, "row", "rows"), "1 row");
    }
}
