//! Numbers as people type them.

use rust_decimal::Decimal;

use super::{
    exact::{MAX_DIGITS, MINUS, NotANumber, parse_exact, round},
    separators::Separators,
};

/// Parses a number that a person typed: with grouping (`1,234.50`, `1 234,50`, `1,23,456` where that is usual), a suffix
/// (`1.2k`, `3m`), or relative to the current value (`+0.5`, `-2%`). `-5` alone is minus five; a leading `+` is always
/// relative.
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
    if let Some(other) = ambiguous_separator(&plain, separators) {
        return Err(NotANumber::Ambiguous { text: shown(), separator: other, decimal: separators.decimal });
    }
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
    Some(if negative && !number.is_zero() { -number } else { number })
}

/// Returns the point or the comma of a text such as `1.234` in a locale where it separates neither decimals nor groups,
/// so that the text may mean 1234 or 1.234.
fn ambiguous_separator(text: &str, separators: Separators) -> Option<char> {
    let other = other_separator(separators);
    let (_, tail) = text.split_once(other)?;
    let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
    let has_others = text.contains(|c| c == separators.decimal || is_group(c, separators));
    let is_ambiguous = other != separators.group && digits == 3 && !tail.contains(other) && !has_others;
    is_ambiguous.then_some(other)
}

/// Returns the decimal separator of locales that have another one.
fn other_separator(separators: Separators) -> char {
    if separators.decimal == '.' { ',' } else { '.' }
}

/// Returns whether a character separates groups. Spaces and apostrophes do in every locale.
fn is_group(c: char, separators: Separators) -> bool {
    c == separators.group || matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '\u{2019}')
}

/// Removes the grouping and converts the decimal separator to a point. Returns `None` if the groups have not the lengths
/// that are usual, or different separators.
fn ungroup(text: &str, separators: Separators) -> Option<String> {
    let other = other_separator(separators);
    // A single separator of another locale is the decimal separator: `71.80` typed in a German locale is a price.
    let is_single = text.matches(other).count() == 1 && !text.contains(separators.decimal);
    let tail = text.rsplit(other).next().map_or(0, str::len);
    let is_decimal = is_single && (tail != 3 || other != separators.group);
    let decimal = if is_decimal { other } else { separators.decimal };
    let (whole, fraction) = match text.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_separator = |c: char| c != decimal && (c == other || is_group(c, separators));
    let mut found = whole.chars().filter(|c| is_separator(*c));
    let first = found.next();
    if found.any(|c| Some(c) != first) {
        return None;
    }
    let (sign, digits) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
    let groups: Vec<_> = digits.split(is_separator).collect();
    if !are_usual_groups(&groups, separators) {
        return None;
    }
    let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
    Some(format!("{sign}{}{fraction}", groups.concat()))
}

/// Returns whether the last group has three digits, and the others as many as groups of the locale, or three. The first
/// may be shorter. A single group may have any length.
fn are_usual_groups(groups: &[&str], separators: Separators) -> bool {
    let [first, middle @ .., last] = groups else { return true };
    let fits = |digits: usize| {
        (1..=digits).contains(&first.len()) && middle.iter().all(|group| group.len() == digits)
    };
    last.len() == 3 && (fits(3) || fits(separators.group_digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: Separators = Separators { decimal: ',', group: '.', group_digits: 3 };
    const FRENCH: Separators = Separators { decimal: ',', group: '\u{202f}', group_digits: 3 };
    const SWISS: Separators = Separators { decimal: '.', group: '\u{2019}', group_digits: 3 };
    const INDIAN: Separators = Separators { decimal: '.', group: ',', group_digits: 2 };

    fn typed(text: &str, separators: Separators) -> Option<String> {
        let current = parse_exact("70.00").ok();
        parse_typed(text, current, separators).ok().map(|number| number.to_string())
    }

    #[test]
    fn grouping_suffixes_and_relative_changes_are_accepted() {
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
            ("-1,234,567", "-1234567"),
            ("007", "7"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("71,8", "71.8"),
        ] {
            assert_eq!(typed(text, Separators::ENGLISH).as_deref(), Some(number), "{text}");
        }
        for text in ["", "1.2.3", "abc", "1,23,4", "k", "%", "5%", "--5", "0-5", "1e5", ",123", "1,,234"] {
            assert_eq!(typed(text, Separators::ENGLISH), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_parsed_as_is_usual_in_the_locale() {
        for (separators, text, number) in [
            (GERMAN, "1.234,50", Some("1234.50")),
            (GERMAN, "1.234", Some("1234")),
            (GERMAN, "1.234.567", Some("1234567")),
            (GERMAN, "71.80", Some("71.80")),
            (GERMAN, "1 234,50", Some("1234.50")),
            (GERMAN, "1 234.567", None),
            (GERMAN, "1234.567", None),
            (GERMAN, "12.34.567", None),
            (FRENCH, "1\u{202f}234,50", Some("1234.50")),
            (FRENCH, "1\u{a0}234,50", Some("1234.50")),
            (FRENCH, "1 234 567,5", Some("1234567.5")),
            (FRENCH, "71.80", Some("71.80")),
            (FRENCH, "1.234.567,50", Some("1234567.50")),
            (FRENCH, "1 234.567", Some("1234.567")),
            (FRENCH, "1.234", None),
            (FRENCH, "1.234k", None),
            (SWISS, "1\u{2019}234\u{2019}567.50", Some("1234567.50")),
            (SWISS, "1'234.50", Some("1234.50")),
            (SWISS, "1'234\u{2019}567", None),
            (SWISS, "1,234.50", Some("1234.50")),
            (SWISS, "71,80", Some("71.80")),
            (SWISS, "1,234", None),
            (INDIAN, "12,34,567", Some("1234567")),
            (INDIAN, "1,23,45,678.50", Some("12345678.50")),
            (INDIAN, "12,345", Some("12345")),
            (INDIAN, "1,234,567", Some("1234567")),
            (INDIAN, "123,45,678", None),
            (INDIAN, "1,23", Some("1.23")),
            (Separators::ENGLISH, "12,34,567", None),
            (Separators::ENGLISH, "1234,567", None),
        ] {
            assert_eq!(typed(text, separators).as_deref(), number, "{text} in {separators:?}");
        }
        let error = parse_typed("1.234", None, FRENCH).unwrap_err().to_string();
        assert_eq!(
            error,
            "\"1.234\" is ambiguous: '.' is not a separator here; the decimal separator is ','"
        );
    }

    #[test]
    fn a_relative_change_needs_a_current_value() {
        let error = parse_typed("+1", None, Separators::ENGLISH).unwrap_err();
        assert!(matches!(error, NotANumber::NoCurrentValue(_)));
    }
}
