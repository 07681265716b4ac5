//! Decimal numbers: the exact form on the wire, and the forms that people type and read.

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

/// Parses a number that a person typed: with grouping (`1,234.50`, `1 234,50`), a suffix (`1.2k`, `3m`), or
/// relative to the current value (`+0.5`, `-2%`). `-5` alone is minus five; a leading `+` is always relative.
///
/// # Errors
/// Text that is not such a number, quoted in the message.
pub fn parse_typed(
    text: &str,
    current: Option<Decimal>,
    separators: Separators,
) -> Result<Decimal, NotANumber> {
    let trimmed = text.trim();
    let shown = || trimmed.chars().take(64).collect::<String>();
    let plain: String = trimmed.chars().map(|c| if c == MINUS { '-' } else { c }).collect();
    let (percent, plain) = match plain.strip_suffix('%') {
        Some(rest) => (true, rest.trim_end().to_owned()),
        None => (false, plain),
    };
    let relative = plain.starts_with('+') || percent && plain.starts_with('-');
    let magnitude = parse_magnitude(plain.trim_start_matches('+'), separators).ok_or_else(|| {
        if plain.chars().filter(char::is_ascii_digit).count() > MAX_DIGITS {
            NotANumber::TooManyDigits(shown())
        } else {
            NotANumber::Malformed(shown())
        }
    })?;
    if percent && !relative {
        return Err(NotANumber::Malformed(shown()));
    }
    if !relative {
        return Ok(magnitude);
    }
    let current = current.ok_or_else(|| NotANumber::NoCurrentValue(shown()))?;
    let step = if percent {
        current.checked_mul(magnitude).map(|product| product / Decimal::ONE_HUNDRED)
    } else {
        Some(magnitude)
    };
    step.and_then(|step| current.checked_add(step))
        .map(|sum| if percent { round(sum, current.scale().max(2)) } else { sum })
        .ok_or_else(|| NotANumber::TooManyDigits(shown()))
}

/// The decimal and group separators of a locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separators {
    /// `1,234.50`
    Point,
    /// `1 234,50` or `1.234,50`
    Comma,
}

impl Separators {
    /// Converts a number formatted by [`format_grouped`] to this locale. Groups are separated by spaces in a
    /// locale with decimal commas, so that the text can be parsed in every locale.
    pub fn localized(self, shown: String) -> String {
        match self {
            Separators::Point => shown,
            Separators::Comma => shown
                .chars()
                .map(|c| match c {
                    ',' => '\u{a0}',
                    '.' => ',',
                    c => c,
                })
                .collect(),
        }
    }

    /// Formats a number for other programs in this locale: with every digit and without grouping.
    pub fn write(self, number: Decimal) -> String {
        match self {
            Separators::Point => number.to_string(),
            Separators::Comma => number.to_string().replace('.', ","),
        }
    }

    /// Returns the separators of a POSIX locale such as `de_DE.UTF-8`, or [`Separators::Point`] if it is
    /// unknown.
    pub fn for_locale(locale: &str) -> Self {
        const COMMA: &[&str] = &[
            "bg", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is",
            "it", "lt", "lv", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr",
            "uk", "vi",
        ];
        const POINT_EXCEPTIONS: &[&str] = &[
            "es_MX", "de_CH", "it_CH", "es_US", "es_PR", "es_GT", "es_HN", "es_NI", "es_PA", "es_PE",
            "es_SV", "es_DO",
        ];
        // POSIX names are `de_CH.UTF-8`, others `de-CH` or, with a script, `de-Latn-CH`.
        let name = locale.split(['.', '@']).next().unwrap_or("");
        let language = name.split(['_', '-']).next().unwrap_or("");
        let country = name.rsplit(['_', '-']).next().unwrap_or("");
        let is_exception =
            POINT_EXCEPTIONS.iter().any(|exception| exception.split_once('_') == Some((language, country)));
        if COMMA.contains(&language) && !is_exception { Separators::Comma } else { Separators::Point }
    }
}

fn parse_magnitude(text: &str, separators: Separators) -> Option<Decimal> {
    let (text, factor) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1_000),
        'm' | 'M' => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let plain = ungroup(text.trim(), separators)?;
    if !plain.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let plain = match plain.strip_prefix('.') {
        Some(rest) => format!("0.{rest}"),
        None => plain.replacen("-.", "-0.", 1),
    };
    let negative = plain.starts_with('-');
    let digits = plain.trim_start_matches('-').trim_start_matches('0');
    let digits =
        if digits.is_empty() || digits.starts_with('.') { format!("0{digits}") } else { digits.to_owned() };
    if plain.matches('-').count() > usize::from(negative) {
        return None;
    }
    let number = parse_exact(&digits).ok()?;
    let number = if factor == 1 { number } else { number.checked_mul(Decimal::from(factor))?.normalize() };
    Some(if negative { -number } else { number })
}

/// Removes the grouping and converts the decimal separator to a point. Returns `None` if a group does not
/// have three digits.
fn ungroup(text: &str, separators: Separators) -> Option<String> {
    let (decimal, group) = match separators {
        Separators::Point => ('.', ','),
        Separators::Comma => (',', '.'),
    };
    // A single separator of the other locale is the decimal separator: `71.80` typed in a German locale is a
    // price.
    let other = text.matches(group).count() == 1 && !text.contains(decimal);
    let tail = text.rsplit(group).next().map_or(0, str::len);
    let decimal = if other && tail != 3 { group } else { decimal };
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_group =
        |c: char| (c == group && group != decimal) || matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'');
    let mut plain = String::with_capacity(text.len());
    for (index, part) in whole.split(is_group).enumerate() {
        if index > 0 && (part.len() != 3 || plain.trim_start_matches('-').is_empty()) {
            return None;
        }
        plain.push_str(part);
    }
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    Some(plain)
}

/// Rounds half away from zero, as is usual for prices.
pub fn round(number: Decimal, decimals: u32) -> Decimal {
    number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// Formats a number for display: fixed decimals, thousands separated by commas, U+2212 as the minus sign.
pub fn format_grouped(number: Decimal, decimals: u32) -> String {
    let mut rounded = round(number, decimals);
    rounded.rescale(decimals);
    let negative = rounded.is_sign_negative() && !rounded.is_zero();
    let digits = rounded.abs().to_string();
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits.as_str(), None),
    };
    let mut shown = String::with_capacity(digits.len() + whole.len() / 3 + 3);
    if negative {
        shown.push(MINUS);
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Option<String> {
        let current = parse_exact("70.00").ok();
        parse_typed(text, current, Separators::Point).ok().map(|number| number.to_string())
    }

    #[test]
    fn the_decimal_separator_is_that_of_the_locale() {
        use Separators::{Comma, Point};
        for (locale, expected) in [
            ("de", Comma),
            ("de_DE.UTF-8", Comma),
            ("de-DE", Comma),
            ("fr", Comma),
            ("fr_FR@euro", Comma),
            ("sr-Latn-RS", Comma),
            ("de-CH", Point),
            ("de_CH.UTF-8", Point),
            ("it-CH", Point),
            ("de-Latn-CH", Point),
            ("en-IN", Point),
            ("en_US.UTF-8", Point),
            ("C", Point),
            ("", Point),
        ] {
            assert_eq!(Separators::for_locale(locale), expected, "{locale}");
        }
    }

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

    #[test]
    fn parse_typed_accepts_grouping_suffixes_and_relative_changes() {
        for (text, number) in [
            ("1,234.50", "1234.50"),
            ("1 234.5", "1234.5"),
            ("1.2k", "1200"),
            ("3m", "3000000"),
            ("+0.5", "70.50"),
            ("-2%", "68.60"),
            ("+10%", "77.00"),
            ("-5", "-5"),
            ("\u{2212}5.25", "-5.25"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("007", "7"),
            ("71,8", "71.8"),
        ] {
            assert_eq!(typed(text).as_deref(), Some(number), "{text}");
        }
        for text in ["", "1.2.3", "abc", "1,23,4", "k", "%", "5%", "--5", "0-5", "1e5", ",123"] {
            assert_eq!(typed(text), None, "{text}");
        }
        let german = parse_typed("1.234,50", None, Separators::Comma).unwrap();
        assert_eq!(german.to_string(), "1234.50");
        assert_eq!(parse_typed("71.80", None, Separators::Comma).unwrap().to_string(), "71.80");
    }

    #[test]
    fn a_relative_change_needs_a_current_value() {
        let error = parse_typed("+1", None, Separators::Point).unwrap_err();
        assert!(matches!(error, NotANumber::NoCurrentValue(_)));
    }

    #[test]
    fn format_grouped_rounds_and_groups() {
        let shown = |text: &str, decimals| format_grouped(parse_exact(text).unwrap(), decimals);
        assert_eq!(shown("1234567.5", 2), "1,234,567.50");
        assert_eq!(shown("-0.005", 2), "\u{2212}0.01");
        assert_eq!(shown("-0.001", 2), "0.00");
        assert_eq!(shown("999", 0), "999");
    }
}
