//! The system's regional settings, which are read once at the start.

use icu_decimal::{
    DecimalFormatter,
    input::Decimal,
    options::{DecimalFormatterOptions, GroupingStrategy},
};
use icu_locale_core::Locale;
use jiff::tz::TimeZone;
use shared::number::Separators;

/// Time zone and number format of the person.
#[derive(Clone, Debug)]
pub struct Region {
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// How numbers are shown and typed.
    pub separators: Separators,
}

impl Default for Region {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, separators: Separators::ENGLISH }
    }
}

impl Region {
    /// Reads the settings of the system. The POSIX locale variables take precedence.
    pub fn of_system() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|locale| !locale.is_empty());
        let locale = ["LC_ALL", "LC_NUMERIC", "LANG"].into_iter().find_map(variable);
        let locale = locale.or_else(sys_locale::get_locale).unwrap_or_default();
        Self { zone: TimeZone::system(), separators: separators(&locale) }
    }
}

/// Returns the separators of a locale such as `de_CH.UTF-8` or `de-Latn-CH`, from the Unicode CLDR. Those of
/// an unknown locale are English.
pub fn separators(locale: &str) -> Separators {
    // POSIX names have an encoding and a modifier, as in `sr_RS.UTF-8@latin`.
    let name = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let Ok(locale) = name.parse::<Locale>() else { return Separators::ENGLISH };
    // Numbers are shown and typed with Latin digits in every language.
    let Ok(locale) = format!("{}-u-nu-latn", locale.id).parse::<Locale>() else { return Separators::ENGLISH };
    let options = DecimalFormatterOptions::from(GroupingStrategy::Always);
    let Ok(formatter) = DecimalFormatter::try_new((&locale).into(), options) else {
        return Separators::ENGLISH;
    };
    let mut sample = Decimal::from(12_345_678_905_u64);
    sample.multiply_pow10(-1);
    separators_of(&formatter.format(&sample).to_string()).unwrap_or(Separators::ENGLISH)
}

/// Reads the separators from the number 1234567890.5, formatted.
fn separators_of(formatted: &str) -> Option<Separators> {
    let (whole, "5") = formatted.split_at_checked(formatted.len().checked_sub(1)?)? else { return None };
    let decimal = whole.chars().next_back()?;
    let mut groups = whole.trim_end_matches(decimal).rsplit(|c: char| !c.is_ascii_digit());
    let (last, before) = (groups.next()?, groups.next()?);
    let group = whole.chars().find(|c| !c.is_ascii_digit())?;
    (last.len() == 3 && group != decimal).then_some(Separators { decimal, group, group_digits: before.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separators_are_those_of_the_locale() {
        for (locale, formatted) in [
            ("de", "1.234.567,50"),
            ("de_DE.UTF-8", "1.234.567,50"),
            ("de-DE", "1.234.567,50"),
            ("en-DE", "1.234.567,50"),
            ("fr", "1\u{202f}234\u{202f}567,50"),
            ("fr_FR@euro", "1\u{202f}234\u{202f}567,50"),
            ("pl_PL", "1\u{a0}234\u{a0}567,50"),
            ("es_ES.UTF-8", "1.234.567,50"),
            ("es_MX.UTF-8", "1,234,567.50"),
            ("pt-BR", "1.234.567,50"),
            ("sr-Latn-RS", "1.234.567,50"),
            ("sr_RS.UTF-8@latin", "1.234.567,50"),
            ("de-CH", "1'234'567.50"),
            ("de_CH.UTF-8", "1'234'567.50"),
            ("it-CH", "1'234'567.50"),
            ("de-Latn-CH", "1'234'567.50"),
            ("fr_CH.UTF-8", "1'234'567,50"),
            ("en-IN", "12,34,567.50"),
            ("hi_IN.UTF-8", "12,34,567.50"),
            ("ar-EG", "1,234,567.50"),
            ("ja_JP.UTF-8", "1,234,567.50"),
            ("en_US.UTF-8", "1,234,567.50"),
            ("en-US-u-hc-h12", "1,234,567.50"),
            ("C", "1,234,567.50"),
            ("C.UTF-8", "1,234,567.50"),
            ("POSIX", "1,234,567.50"),
            ("xx_YY", "1,234,567.50"),
            ("\u{fffd}", "1,234,567.50"),
            ("", "1,234,567.50"),
        ] {
            let shown = separators(locale).format(rust_decimal::Decimal::new(123_456_750, 2), 2);
            assert_eq!(shown, formatted, "{locale}");
        }
    }
}
