//! Numbers as people type them.

use rust_decimal::Decimal;

use super::{
    exact::{MAX_DIGITS, MINUS, NotANumber, parse_exact, round},
    separators::Separators,
};

/// Maximum number of digits of the parts of a fraction, such as `99 1/4`.
const FRACTION_DIGITS: usize = 6;

/// A number that a person typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The number.
    pub number: Decimal,
    /// What is added to the current value, if the text is relative to it.
    pub step: Option<Decimal>,
    /// Whether the text has digits, a sign and the separators of the locale only.
    pub is_plain: bool,
}

/// Parses a number that a person typed: with grouping (`1,234.50`, `1 234,50`, `1,23,456` where that is
/// usual), a suffix (`1.2k`, `3m`, `2b`), an exponent (`5e3`), a fraction (`99 1/4`), a currency sign (`$5`,
/// `5 €`), or in parentheses if it is negative (`(5)`).
///
/// With a current value, text that starts with a sign is relative to it: `+0.5`, `-0.5`, `-2%`. After `=` it
/// is the number itself: `=-0.5`. Without a current value a sign is always part of the number.
///
/// # Errors
/// Text that is not such a number, quoted in the message.
pub fn parse_typed(
    text: &str,
    current: Option<Decimal>,
    separators: Separators,
) -> Result<Typed, NotANumber> {
    let trimmed = text.trim();
    let shown = || trimmed.chars().take(64).collect::<String>();
    let normal: String = trimmed.chars().map(|c| if c == MINUS { '-' } else { c }).collect();
    // Accountants write negative numbers in parentheses.
    let normal = match normal.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) if !inner.contains(['-', '+', '%', '=', '(']) => format!("=-{}", inner.trim()),
        _ => normal,
    };
    let (is_value, rest) = match normal.strip_prefix('=') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, &*normal),
    };
    let (is_percent, rest) = match rest.strip_suffix('%') {
        Some(rest) => (true, rest.trim_end()),
        None => (false, rest),
    };
    let without_currency = trim_currency(rest);
    let (sign, unsigned) = match without_currency.strip_prefix(['+', '-']) {
        Some(unsigned) => (without_currency.chars().next(), trim_currency(unsigned.trim_start())),
        None => (None, without_currency),
    };
    if let Some(other) = ambiguous_separator(unsigned, separators) {
        return Err(NotANumber::Ambiguous { text: shown(), separator: other, decimal: separators.decimal });
    }
    let (magnitude, is_simple) = match parse_magnitude(unsigned, separators) {
        Ok(parsed) => parsed,
        Err(Unparsed::Inexact) => return Err(NotANumber::Inexact(shown())),
        Err(Unparsed::Malformed) if is_misplaced(unsigned, separators) => {
            return Err(NotANumber::Misplaced {
                text: shown(),
                separator: separators.group,
                decimal: separators.decimal,
            });
        }
        Err(Unparsed::Malformed) => {
            let has_too_many = unsigned.chars().filter(char::is_ascii_digit).count() > MAX_DIGITS;
            let error = if has_too_many { NotANumber::TooManyDigits } else { NotANumber::Malformed };
            return Err(error(shown()));
        }
    };
    let signed = if sign == Some('-') && !magnitude.is_zero() { -magnitude } else { magnitude };
    if is_percent && (is_value || sign.is_none()) {
        return Err(NotANumber::Percent(shown()));
    }
    let base = match current {
        Some(current) if sign.is_some() && !is_value => current,
        None if is_percent => return Err(NotANumber::NoCurrentValue(shown())),
        _ => {
            let is_plain = is_simple && unsigned.len() == rest.trim_start_matches('-').len();
            return Ok(Typed { number: signed, step: None, is_plain: is_plain && !is_value });
        }
    };
    let step = if is_percent {
        let product = base.checked_mul(signed);
        product.map(|product| round(product / Decimal::ONE_HUNDRED, base.scale().max(2)))
    } else {
        Some(signed)
    };
    let added = step.and_then(|step| Some((step, base.checked_add(step)?)));
    let (step, number) = added.ok_or_else(|| NotANumber::TooManyDigits(shown()))?;
    Ok(Typed { number, step: Some(step), is_plain: false })
}

/// Why a text without a sign is not a number.
enum Unparsed {
    Malformed,
    /// A fraction that no decimal equals.
    Inexact,
}

/// Parses a number without a sign. Returns whether it is written with digits and the separators of the locale
/// only.
fn parse_magnitude(text: &str, separators: Separators) -> Result<(Decimal, bool), Unparsed> {
    if let Some((front, denominator)) = text.split_once('/') {
        return parse_fraction(front.trim_end(), denominator.trim_start(), separators)
            .map(|number| (number, false));
    }
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let number = parse_digits(mantissa, separators).and_then(|(number, _)| scaled(number, exponent));
        return number.map(|number| (number, false)).ok_or(Unparsed::Malformed);
    }
    let factor = match text.chars().last() {
        Some('k' | 'K') => 1_000,
        Some('m' | 'M') => 1_000_000,
        Some('b' | 'B') => 1_000_000_000,
        _ => return parse_digits(text, separators).ok_or(Unparsed::Malformed),
    };
    let number = parse_digits(text[..text.len() - 1].trim_end(), separators)
        .and_then(|(number, _)| number.checked_mul(Decimal::from(factor)));
    number.map(|number| (number.normalize(), false)).ok_or(Unparsed::Malformed)
}

/// Parses `1/4`, or `99 1/4` with the whole part before the last space.
fn parse_fraction(front: &str, denominator: &str, separators: Separators) -> Result<Decimal, Unparsed> {
    let part = |text: &str| {
        let is_short = (1..=FRACTION_DIGITS).contains(&text.len());
        (is_short && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u32>().ok())?
    };
    let (whole, numerator) = match front.rsplit_once(' ') {
        Some((whole, numerator)) => (Some(whole.trim_end()), numerator),
        None => (None, front),
    };
    let whole = match whole {
        Some(text) => {
            let parsed = parse_digits(text, separators).filter(|(number, _)| number.scale() == 0);
            parsed.ok_or(Unparsed::Malformed)?.0
        }
        None => Decimal::ZERO,
    };
    let (Some(numerator), Some(denominator @ 1..)) = (part(numerator), part(denominator)) else {
        return Err(Unparsed::Malformed);
    };
    if !is_exact(numerator, denominator) {
        return Err(Unparsed::Inexact);
    }
    let quotient = (Decimal::from(numerator) / Decimal::from(denominator)).normalize();
    let sum = whole.checked_add(quotient).ok_or(Unparsed::Malformed)?;
    // A sum of more digits would be rounded.
    let is_whole = sum - whole == quotient && parse_exact(&sum.to_string()).is_ok();
    is_whole.then_some(sum).ok_or(Unparsed::Malformed)
}

/// Returns whether a fraction equals a decimal: in lowest terms its denominator divides a power of ten.
fn is_exact(numerator: u32, denominator: u32) -> bool {
    let (mut divisor, mut rest) = (denominator, numerator);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let mut left = denominator / divisor;
    for factor in [2, 5] {
        while left.is_multiple_of(factor) {
            left /= factor;
        }
    }
    left == 1
}

/// Multiplies a number by a power of ten. Returns `None` if a decimal cannot hold the result exactly.
fn scaled(number: Decimal, exponent: &str) -> Option<Decimal> {
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if !(1..=2).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power: u32 = digits.parse().ok()?;
    let number = number.normalize();
    if exponent.starts_with('-') {
        let mut divided = number;
        divided.set_scale(number.scale() + power).ok()?;
        return Some(divided);
    }
    let mut product = number;
    for _ in 0..power {
        product = product.checked_mul(Decimal::TEN)?;
    }
    Some(product.normalize())
}

/// Parses digits with separators. Returns whether the separators are those of the locale.
fn parse_digits(text: &str, separators: Separators) -> Option<(Decimal, bool)> {
    let (plain, is_own) = ungroup(text, separators)?;
    if plain.contains('-') || !plain.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = plain.trim_start_matches('0');
    let digits =
        if digits.is_empty() || digits.starts_with('.') { format!("0{digits}") } else { digits.to_owned() };
    Some((parse_exact(&digits).ok()?, is_own))
}

/// Removes a currency sign at either end.
fn trim_currency(text: &str) -> &str {
    let is_currency = |c: char| matches!(c, '$' | '\u{a2}'..='\u{a5}' | '\u{e3f}' | '\u{20a0}'..='\u{20cf}');
    match (text.strip_prefix(is_currency), text.strip_suffix(is_currency)) {
        (Some(rest), _) => rest.trim_start(),
        (None, Some(rest)) => rest.trim_end(),
        (None, None) => text,
    }
}

/// Returns whether a text is a number but for the places of its group separators.
fn is_misplaced(text: &str, separators: Separators) -> bool {
    let group = separators.group;
    text.contains(group) && parse_magnitude(&text.replace(group, ""), separators).is_ok()
}

/// Returns the point or the comma of a text such as `1.234` in a locale where it separates neither decimals
/// nor groups, so that the text may mean 1234 or 1.234.
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

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// Returns whether a character separates groups. Spaces and apostrophes do in every locale.
fn is_group(c: char, separators: Separators) -> bool {
    c == separators.group || is_space(c) || is_apostrophe(c)
}

/// Returns whether a character is the group separator of the locale, or a form of it that is on a keyboard.
fn is_own_group(c: char, Separators { group, .. }: Separators) -> bool {
    c == group || is_space(c) && is_space(group) || is_apostrophe(c) && is_apostrophe(group)
}

/// Removes the grouping and converts the decimal separator to a point. Returns whether the separators are
/// those of the locale, or `None` if the groups have not the lengths that are usual, or different separators.
fn ungroup(text: &str, separators: Separators) -> Option<(String, bool)> {
    let other = other_separator(separators);
    // A single separator that this locale does not have is the decimal separator: `71.80` typed in a French
    // locale is a price.
    let is_decimal =
        other != separators.group && text.matches(other).count() == 1 && !text.contains(separators.decimal);
    let decimal = if is_decimal { other } else { separators.decimal };
    let (whole, fraction) = match text.split_once(decimal) {
        // A typist stops after the separator: `7701.` is 7701.
        Some((whole, "")) => (whole, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_separator = |c: char| c != decimal && (c == other || is_group(c, separators));
    let mut found = whole.chars().filter(|c| is_separator(*c));
    let first = found.next();
    if found.any(|c| Some(c) != first) {
        return None;
    }
    let groups: Vec<_> = whole.split(is_separator).collect();
    if !are_usual_groups(&groups, separators) {
        return None;
    }
    let is_own = !is_decimal && first.is_none_or(|separator| is_own_group(separator, separators));
    let fraction = fraction.map(|fraction| format!(".{fraction}")).unwrap_or_default();
    Some((format!("{}{fraction}", groups.concat()), is_own))
}

/// Returns whether the last group has three digits, and the others as many as groups of the locale, or three.
/// The first may be shorter, and does not start with a zero: `0,125` is meant as a decimal number. A single
/// group may have any length.
fn are_usual_groups(groups: &[&str], separators: Separators) -> bool {
    let [first, middle @ .., last] = groups else { return true };
    let fits = |digits: usize| {
        (1..=digits).contains(&first.len()) && middle.iter().all(|group| group.len() == digits)
    };
    !first.starts_with('0') && last.len() == 3 && (fits(3) || fits(separators.group_digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GERMAN: Separators = Separators { decimal: ',', group: '.', group_digits: 3 };
    const FRENCH: Separators = Separators { decimal: ',', group: '\u{202f}', group_digits: 3 };
    const SWISS: Separators = Separators { decimal: '.', group: '\u{2019}', group_digits: 3 };
    const INDIAN: Separators = Separators { decimal: '.', group: ',', group_digits: 2 };

    fn typed(text: &str, separators: Separators) -> Option<String> {
        parse_typed(text, None, separators).ok().map(|typed| typed.number.to_string())
    }

    #[test]
    fn no_group_starts_with_a_zero() {
        let forms = ["", "$", "=", "+", "-", "(", "00"];
        let texts = ["0,125", "0,500", "01,234", "0,001,000", "0,125k", "0,125e3", "0,125 1/2", "0,125.5"];
        for text in texts {
            for form in forms {
                let text = format!("{form}{text}{}", if form == "(" { ")" } else { "" });
                for current in [None, Some(Decimal::ONE_HUNDRED)] {
                    for separators in [Separators::ENGLISH, INDIAN, SWISS] {
                        let read = parse_typed(&text, current, separators);
                        assert!(read.is_err(), "{text} {separators:?} {read:?}");
                    }
                }
            }
        }
        for text in ["0.125", "01.234", "0.001.000", "0\u{202f}125", "0 125", "0'125"] {
            assert_eq!(typed(text, GERMAN), None, "{text}");
        }
        assert!(matches!(
            parse_typed("0,125", None, Separators::ENGLISH),
            Err(NotANumber::Misplaced { separator: ',', decimal: '.', .. })
        ));
        assert_eq!(typed("10,125", Separators::ENGLISH).as_deref(), Some("10125"));
        assert_eq!((typed("0", GERMAN).as_deref(), typed("007", GERMAN).as_deref()), (Some("0"), Some("7")));
    }

    #[test]
    fn the_shorthands_of_people_are_accepted() {
        for (text, number) in [
            ("1,234.50", "1234.50"),
            ("1 234.5", "1234.5"),
            ("1.2k", "1200"),
            ("3m", "3000000"),
            ("1.2b", "1200000000"),
            ("2 B", "2000000000"),
            ("5e3", "5000"),
            ("1.5E-3", "0.0015"),
            ("1,234e+2", "123400"),
            ("99 1/4", "99.25"),
            ("1,099 31/32", "1099.96875"),
            ("3/8", "0.375"),
            ("$5", "5"),
            ("-$1,234.50", "-1234.50"),
            ("$-5", "-5"),
            ("\u{20ac} 5", "5"),
            ("5 \u{20ac}", "5"),
            ("\u{a3}1.2k", "1200"),
            ("+5", "5"),
            ("=5", "5"),
            ("=-0.5", "-0.5"),
            ("-5", "-5"),
            ("(5)", "-5"),
            ("( $1,234.50 )", "-1234.50"),
            ("\u{2212}5.25", "-5.25"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("-1,234,567", "-1234567"),
            ("007", "7"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("7701.", "7701"),
            ("1,234.", "1234"),
        ] {
            assert_eq!(typed(text, Separators::ENGLISH).as_deref(), Some(number), "{text}");
        }
        for text in [
            "", "1.2.3", "abc", "1,23,4", "1,23", "71,8", "k", "%", "5%", "+5%", "--5", "+-5", "0-5", "e5",
            "1e", "1e100", "1e2e3", "1e3k", "1/0", "1/3", "10/09", "1/7", "1.5 1/4", "99 1/4k", "1/2/3", "$",
            "$$5", "==5", ",123", "1,,234", "1e28e",
        ] {
            assert_eq!(typed(text, Separators::ENGLISH), None, "{text}");
        }
    }

    #[test]
    fn a_sign_is_relative_to_the_current_value_unless_it_follows_an_equals_sign() {
        let current = parse_exact("200.58").ok();
        for (text, number, step) in [
            ("+0.5", "201.08", Some("0.5")),
            ("-0.5", "200.08", Some("-0.5")),
            ("\u{2212}0.5", "200.08", Some("-0.5")),
            ("- 0.5", "200.08", Some("-0.5")),
            ("-$1k", "-799.42", Some("-1000")),
            ("-2%", "196.57", Some("-4.01")),
            ("+10%", "220.64", Some("20.06")),
            ("+1/4", "200.83", Some("0.25")),
            ("=-0.5", "-0.5", None),
            ("= -0.5", "-0.5", None),
            ("70", "70", None),
        ] {
            let typed = parse_typed(text, current, Separators::ENGLISH).unwrap();
            assert_eq!(typed.number.to_string(), number, "{text}");
            assert_eq!(typed.step.map(|step| step.to_string()).as_deref(), step, "{text}");
        }
    }

    #[test]
    fn only_digits_with_the_separators_of_the_locale_are_plain() {
        for (separators, text, is_plain) in [
            (Separators::ENGLISH, "1,234.50", true),
            (Separators::ENGLISH, "-1234.5", true),
            (Separators::ENGLISH, "\u{2212}5", true),
            (Separators::ENGLISH, "1 234.50", false),
            (Separators::ENGLISH, "1.2k", false),
            (Separators::ENGLISH, "$5", false),
            (Separators::ENGLISH, "5e3", false),
            (Separators::ENGLISH, "1/4", false),
            (Separators::ENGLISH, "=5", false),
            (Separators::ENGLISH, "+5", false),
            (FRENCH, "1 234,50", true),
            (FRENCH, "71.80", false),
            (SWISS, "1'234.50", true),
            (SWISS, "1,234.50", false),
        ] {
            assert_eq!(parse_typed(text, None, separators).unwrap().is_plain, is_plain, "{text}");
        }
        let relative = parse_typed("-5", Some(Decimal::TEN), Separators::ENGLISH).unwrap();
        assert!(!relative.is_plain);
    }

    #[test]
    fn numbers_are_parsed_as_is_usual_in_the_locale() {
        for (separators, text, number) in [
            (GERMAN, "1.234,50", Some("1234.50")),
            (GERMAN, "1.234", Some("1234")),
            (GERMAN, "1.234.567", Some("1234567")),
            (GERMAN, "71.80", None),
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
            (INDIAN, "1,23", None),
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
    fn errors_say_what_is_wrong() {
        let error = |text: &str, separators| parse_typed(text, None, separators).unwrap_err().to_string();
        for (text, message) in [
            ("1,23", "\"1,23\": ',' separates groups of digits here; the decimal separator is '.'"),
            ("+1%", "\"+1%\" is relative to the current value, and the cell is empty"),
            ("5%", "\"5%\" is not a number; write +5% or -5% to change the value by a percentage"),
            ("1/3", "\"1/3\" cannot be written exactly as a decimal"),
            ("words", "\"words\" is not a number"),
        ] {
            assert_eq!(error(text, Separators::ENGLISH), message);
        }
        assert!(
            error("71.80", GERMAN)
                .contains("'.' separates groups of digits here; the decimal separator is ','")
        );
        assert!(error("12345678901234567890123456789", Separators::ENGLISH).contains("28 digits"));
    }
}
