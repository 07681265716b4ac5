//! Finds out how the numbers of a file are written: with decimal points or decimal commas, and with what for
//! those that are not known.

use super::error::{CsvError, bad_value};
use crate::sheet::table::standard_kind;

/// Texts that stand for a number that is not known.
const MISSING: [&str; 10] = ["n/a", "#n/a", "na", "nan", "null", "none", "-", "--", "\u{2013}", "\u{2014}"];

/// How a field may be read as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It is the same with a decimal comma and with a decimal point.
    Either,
    /// With a decimal comma only.
    Comma,
    /// With a decimal point only.
    Point,
    /// As two numbers: `1.000` is one or a thousand.
    Ambiguous,
    /// It is no number.
    Text,
}

/// Empties the fields of a column of numbers that stand for an unknown number.
pub(super) fn clear_missing(title: &str, fields: &mut [String]) {
    let is_missing = |field: &str| MISSING.contains(&field.trim().to_lowercase().as_str());
    let is_number = |field: &str| !field.trim().is_empty() && reading(field) != Reading::Text;
    let is_empty = |field: &str| field.trim().is_empty();
    let is_of_numbers = standard_kind(title).is_some_and(|kind| kind.is_numeric())
        || fields.iter().any(|field| is_number(field))
            && fields.iter().all(|field| is_number(field) || is_empty(field) || is_missing(field));
    if is_of_numbers {
        fields.iter_mut().filter(|field| is_missing(field)).for_each(String::clear);
    }
}

/// Rewrites the numbers of a file with semicolons, in which they may have decimal commas, to decimal points. A
/// number that can be read in two ways is read as those of the other columns, which settle it for the file.
pub(super) fn use_decimal_points(
    lines: &[u64],
    columns: &mut [(&str, &mut Vec<String>)],
) -> Result<(), CsvError> {
    let readings: Vec<Vec<Reading>> =
        columns.iter().map(|(_, fields)| fields.iter().map(|field| reading(field)).collect()).collect();
    // A column with texts is no evidence: codes and versions have points, too.
    let is_of_numbers = |readings: &Vec<Reading>| !readings.contains(&Reading::Text);
    let has = |wanted: Reading| {
        readings.iter().filter(|readings| is_of_numbers(readings)).any(|readings| readings.contains(&wanted))
    };
    let of_file = match (has(Reading::Comma), has(Reading::Point)) {
        (true, false) => Some(Reading::Comma),
        (false, true) => Some(Reading::Point),
        _ => None,
    };
    for ((title, fields), readings) in columns.iter_mut().zip(&readings) {
        if !is_of_numbers(readings) {
            continue;
        }
        let of_column = match (readings.contains(&Reading::Comma), readings.contains(&Reading::Point)) {
            (true, false) => Some(Reading::Comma),
            (false, true) => Some(Reading::Point),
            (true, true) => None,
            (false, false) => of_file,
        };
        let ambiguous = readings.iter().position(|reading| *reading == Reading::Ambiguous);
        match (of_column, ambiguous) {
            (None, Some(index)) => {
                let message = format!(
                    "{:?} may be a decimal number or have groups of thousands, and no other number of the file \
                     tells which; write it without the separator, or with another number of decimals",
                    fields[index]
                );
                return Err(bad_value(lines[index], title, &message));
            }
            (Some(Reading::Comma), _) => fields.iter_mut().for_each(|field| *field = with_point(field)),
            _ => {}
        }
    }
    Ok(())
}

/// Returns how a field may be read as a number.
fn reading(field: &str) -> Reading {
    let digits: String = unsigned(field);
    if digits.is_empty() {
        return if field.trim().is_empty() { Reading::Either } else { Reading::Text };
    }
    if digits.chars().any(|c| !c.is_ascii_digit() && !['.', ','].contains(&c)) {
        return Reading::Text;
    }
    match (is_number(&digits, ',', '.'), is_number(&digits, '.', ',')) {
        (true, true) if digits.contains(['.', ',']) => Reading::Ambiguous,
        (true, true) => Reading::Either,
        (true, false) => Reading::Comma,
        (false, true) => Reading::Point,
        (false, false) => Reading::Text,
    }
}

/// Returns a number without its sign, its currency, its percent sign, and spaces between its groups.
fn unsigned(field: &str) -> String {
    let around = |c: char| !c.is_ascii_digit() && !c.is_alphabetic() && !['.', ','].contains(&c);
    let trimmed = field.trim().trim_matches(around);
    trimmed.replace([' ', '\u{a0}', '\u{202f}'], "")
}

/// Whether digits are a number with a decimal separator and groups of three digits.
fn is_number(digits: &str, decimal: char, group: char) -> bool {
    let (whole, fraction) = digits.split_once(decimal).unwrap_or((digits, "0"));
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = rest.is_empty() || (1..=3).contains(&first.len()) && !first.starts_with('0');
    is_digits(fraction)
        && is_digits(first)
        && is_grouped
        && rest.iter().all(|group| group.len() == 3 && is_digits(group))
}

/// Rewrites a number with a decimal comma to one with a decimal point and without groups.
fn with_point(field: &str) -> String {
    let spaces = |c: char| c == ' ' || c == '\u{a0}' || c == '\u{202f}';
    let kept = field.trim().chars().filter(|c| *c != '.' && !spaces(*c));
    kept.map(|c| if c == ',' { '.' } else { c }).collect()
}
