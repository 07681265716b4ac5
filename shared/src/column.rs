//! Columns: their kinds, which parse and validate values, and the standard set.

use std::{fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    limits::{Limits, NAME_BYTES},
    number::{self, NotANumber, Separators, Typed},
    rejection::{Code, Rejection},
    time::Timestamp,
    value::{Literal, Value},
};

/// A column's key, unique within its watchlist: a slug such as `price`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ColumnKey(pub Arc<str>);

impl From<&str> for ColumnKey {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

impl fmt::Display for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The type of a column's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ColumnKind {
    /// Any text.
    Text,
    /// A decimal number. `decimals` only affects how it is displayed.
    Number {
        /// Digits shown after the decimal point, 0 to 28.
        decimals: u8,
    },
    /// A decimal number in percent.
    Percent {
        /// Digits shown after the decimal point, 0 to 28. Derived percentages are rounded to it.
        decimals: u8,
    },
    /// True or false.
    Flag,
    /// A point in time.
    Time,
    /// One of the given options.
    Choice(Arc<[Arc<str>]>),
}

/// How a derived column is computed from other columns of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Derive {
    /// `of` minus `from`.
    Difference {
        /// The column to subtract from.
        of: ColumnKey,
        /// The column to subtract.
        from: ColumnKey,
    },
    /// `of` minus `from`, in percent of `from`.
    PercentDifference {
        /// The column to subtract from.
        of: ColumnKey,
        /// The column to subtract, and to divide by.
        from: ColumnKey,
    },
    /// The time at which `of` was last set.
    ChangedAt {
        /// The column whose changes are tracked.
        of: ColumnKey,
    },
}

/// A column as the protocol writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The column's key, unique within the watchlist.
    pub key: ColumnKey,
    /// The title shown in the header.
    pub title: Arc<str>,
    /// The type of the column's values.
    pub kind: ColumnKind,
    /// How the column is computed, if it is a derived column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derive: Option<Derive>,
    /// Whether the column is removed: hidden from everyone, with its cells kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Column {
    /// Creates a column that is not derived.
    pub fn new(key: &str, title: &str, kind: ColumnKind) -> Self {
        Self { key: key.into(), title: title.into(), kind, derive: None, removed: false }
    }

    fn derived(key: &str, title: &str, kind: ColumnKind, derive: Derive) -> Self {
        Self { derive: Some(derive), ..Self::new(key, title, kind) }
    }
}

impl Derive {
    /// Returns the columns that the computation reads.
    pub fn inputs(&self) -> impl Iterator<Item = &ColumnKey> {
        let (of, from) = match self {
            Derive::Difference { of, from } | Derive::PercentDifference { of, from } => (of, Some(from)),
            Derive::ChangedAt { of } => (of, None),
        };
        std::iter::once(of).chain(from)
    }
}

/// Returns the default columns of a new watchlist, in order.
pub fn standard_columns() -> Vec<Column> {
    let money = ColumnKind::Number { decimals: 2 };
    let percent = ColumnKind::Percent { decimals: 2 };
    let (price, close) = (ColumnKey::from("price"), ColumnKey::from("previousClose"));
    let change = Derive::Difference { of: price.clone(), from: close.clone() };
    let change_pct = Derive::PercentDifference { of: price.clone(), from: close };
    let last_change = Derive::ChangedAt { of: price };
    vec![
        Column::new("symbol", "Symbol", ColumnKind::Text),
        Column::new("company", "Company", ColumnKind::Text),
        Column::new("price", "Price", money.clone()),
        Column::derived("change", "Change", money.clone(), change),
        Column::derived("changePct", "Change %", percent, change_pct),
        Column::derived("lastChange", "Last change", ColumnKind::Time, last_change),
        Column::new("previousClose", "Previous close", money.clone()),
        Column::new("target", "Target", money),
        Column::new("note", "Note", ColumnKind::Text),
    ]
}

impl ColumnKind {
    /// Parses a value from the wire.
    ///
    /// # Errors
    /// `invalidValue` or `tooLong`, with a message that says what this kind accepts.
    pub fn read(&self, literal: &Literal, limits: &Limits) -> Result<Value, Rejection> {
        let text = match literal {
            Literal::Empty => return Ok(Value::Empty),
            Literal::Flag(flag) => {
                return if *self == ColumnKind::Flag {
                    Ok(Value::Flag(*flag))
                } else {
                    Err(self.type_mismatch(literal))
                };
            }
            Literal::Foreign(_) => return Err(self.type_mismatch(literal)),
            Literal::Text(text) => text,
        };
        match self {
            ColumnKind::Text => {
                if text.len() > limits.text_bytes {
                    let message =
                        format!("the text has {} bytes; the limit is {}", text.len(), limits.text_bytes);
                    return Err(Rejection::new(Code::TooLong, message));
                }
                Ok(if text.is_empty() { Value::Empty } else { Value::Text(text.clone()) })
            }
            ColumnKind::Number { .. } | ColumnKind::Percent { .. } => number::parse_exact(text)
                .map(Value::Number)
                .map_err(|error| Rejection::new(Code::InvalidValue, error.to_string())),
            ColumnKind::Time => text
                .parse::<Timestamp>()
                .map(Value::Time)
                .map_err(|error| Rejection::new(Code::InvalidValue, error.to_string())),
            ColumnKind::Choice(words) => match words.iter().find(|word| *word == text) {
                Some(word) => Ok(Value::Text(word.clone())),
                None => Err(self.type_mismatch(literal)),
            },
            ColumnKind::Flag => Err(self.type_mismatch(literal)),
        }
    }

    fn type_mismatch(&self, literal: &Literal) -> Rejection {
        let expected = match self {
            ColumnKind::Text => "text".to_owned(),
            ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
                "a number as a decimal string, such as \"71.80\"".to_owned()
            }
            ColumnKind::Flag => "true or false".to_owned(),
            ColumnKind::Time => "a time, such as \"2026-11-22T20:00:00.000Z\"".to_owned(),
            ColumnKind::Choice(words) => format!("one of: {}", words.join(", ")),
        };
        Rejection::new(Code::InvalidValue, format!("invalid value {literal}; the column accepts {expected}"))
    }

    /// Converts a value of another kind to this one. Returns `None` if this kind cannot represent it.
    pub fn convert(&self, value: &Value, limits: &Limits) -> Option<Value> {
        let literal = match (self, value) {
            (ColumnKind::Text, Value::Flag(flag)) => Literal::Text(flag.to_string().into()),
            (ColumnKind::Flag, Value::Text(text)) => match text.as_ref() {
                "true" => Literal::Flag(true),
                "false" => Literal::Flag(false),
                _ => return None,
            },
            _ => value.to_literal(),
        };
        self.read(&literal, limits).ok()
    }

    /// Returns the digits shown after the decimal point, for numeric kinds.
    pub fn decimals(&self) -> Option<u32> {
        match self {
            ColumnKind::Number { decimals } | ColumnKind::Percent { decimals } => Some(u32::from(*decimals)),
            ColumnKind::Text | ColumnKind::Flag | ColumnKind::Time | ColumnKind::Choice(_) => None,
        }
    }

    /// Returns whether the values are numbers.
    pub fn is_numeric(&self) -> bool {
        self.decimals().is_some()
    }

    /// Formats a value for display. Times are in UTC: only the desktop knows the time zone. An empty cell is
    /// an empty string.
    pub fn format(&self, value: &Value, separators: Separators) -> String {
        match (self, value) {
            (ColumnKind::Number { decimals } | ColumnKind::Percent { decimals }, Value::Number(number)) => {
                separators.format(*number, u32::from(*decimals))
            }
            (_, Value::Number(number)) => separators.write(*number),
            (_, Value::Text(text)) => text.to_string(),
            (_, Value::Flag(true)) => "yes".to_owned(),
            (_, Value::Flag(false)) => "no".to_owned(),
            (_, Value::Time(time)) => time.to_string(),
            (_, Value::Empty) => String::new(),
        }
    }

    /// Parses text that a person typed into a cell. Empty text clears it. Numbers that start with a sign are
    /// relative to `current`, if there is one: see [`number::parse_typed`].
    ///
    /// # Errors
    /// A message to show to the person.
    pub fn parse_typed(
        &self,
        text: &str,
        current: Option<Decimal>,
        separators: Separators,
    ) -> Result<Value, String> {
        if text.trim().is_empty() {
            return Ok(Value::Empty);
        }
        let limits = Limits::default();
        match self {
            ColumnKind::Number { .. } | ColumnKind::Percent { .. } => {
                let typed = self.parse_number(text, current, separators);
                typed.map(|typed| Value::Number(typed.number)).map_err(|error| error.to_string())
            }
            ColumnKind::Flag => match text.trim().to_lowercase().as_str() {
                "yes" | "y" | "true" | "1" | "x" => Ok(Value::Flag(true)),
                "no" | "n" | "false" | "0" => Ok(Value::Flag(false)),
                _ => Err(format!("{:?} is not yes or no", text.trim())),
            },
            ColumnKind::Choice(words) => {
                let typed = text.trim().to_lowercase();
                let found = words.iter().find(|word| word.to_lowercase() == typed);
                found
                    .map(|word| Value::Text(word.clone()))
                    .ok_or_else(|| format!("choose one of: {}", words.join(", ")))
            }
            ColumnKind::Text | ColumnKind::Time => {
                let literal = Literal::from(if *self == ColumnKind::Time { text.trim() } else { text });
                self.read(&literal, &limits).map_err(|rejection| rejection.message)
            }
        }
    }

    /// Parses a number that a person typed. A percentage may end with its sign.
    ///
    /// # Errors
    /// See [`number::parse_typed`].
    pub fn parse_number(
        &self,
        text: &str,
        current: Option<Decimal>,
        separators: Separators,
    ) -> Result<Typed, NotANumber> {
        let is_percent = matches!(self, ColumnKind::Percent { .. });
        let text = if is_percent { text.trim().trim_end_matches('%') } else { text };
        number::parse_typed(text, current, separators)
    }

    /// Validates the kind itself.
    ///
    /// # Errors
    /// `invalidValue` for too many decimals, and for a choice without options or with empty or duplicate
    /// ones; `tooLong` if the options are too long.
    pub fn check(&self, limits: &Limits) -> Result<(), Rejection> {
        let invalid = |message: String| Err(Rejection::new(Code::InvalidValue, message));
        match self {
            ColumnKind::Number { decimals } | ColumnKind::Percent { decimals } if *decimals > 28 => {
                invalid(format!("{decimals} decimals; the limit is 28"))
            }
            ColumnKind::Choice(words) => {
                if words.is_empty() || words.iter().any(|word| word.trim().is_empty()) {
                    return invalid("a choice needs at least one option, and none may be empty".to_owned());
                }
                let bytes: usize = words.iter().map(|word| word.len()).sum();
                if bytes > limits.text_bytes {
                    let message =
                        format!("the options have {bytes} bytes; the limit is {}", limits.text_bytes);
                    return Err(Rejection::new(Code::TooLong, message));
                }
                let mut sorted: Vec<_> = words.iter().collect();
                sorted.sort();
                match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                    Some(pair) => invalid(format!("duplicate option {:?}", pair[0])),
                    None => Ok(()),
                }
            }
            ColumnKind::Number { .. }
            | ColumnKind::Percent { .. }
            | ColumnKind::Text
            | ColumnKind::Flag
            | ColumnKind::Time => Ok(()),
        }
    }
}

impl ColumnKey {
    /// Validates that the key is a slug: 1 to 64 ASCII letters, digits, `_` or `-`.
    ///
    /// # Errors
    /// `invalidValue`, with the key.
    pub fn check(&self) -> Result<(), Rejection> {
        let is_slug_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&self.0.len()) && self.0.bytes().all(is_slug_byte) {
            Ok(())
        } else {
            let message = format!(
                "invalid column key {}; use 1 to 64 letters, digits, _ or -",
                Literal::from(&*self.0)
            );
            Err(Rejection::new(Code::InvalidValue, message))
        }
    }

    /// Derives a key from a title: `previousClose` from `Previous close`.
    pub fn from_title(title: &str) -> Self {
        let mut key = String::new();
        for word in title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let lower = word.to_ascii_lowercase();
            if key.is_empty() {
                key.push_str(&lower);
            } else {
                key.push_str(&lower[..1].to_ascii_uppercase());
                key.push_str(&lower[1..]);
            }
        }
        key.truncate(48);
        if key.is_empty() { Self::from("column") } else { Self(key.into()) }
    }
}

/// Validates a name or a title: not blank, at most 256 bytes. `what` names it in the error.
///
/// # Errors
/// `invalidValue` or `tooLong`.
pub fn check_title(what: &str, title: &str) -> Result<(), Rejection> {
    if title.trim().is_empty() {
        return Err(Rejection::new(Code::InvalidValue, format!("{what} is empty")));
    }
    if title.len() > NAME_BYTES {
        let message = format!("{what} has {} bytes; the limit is {NAME_BYTES}", title.len());
        return Err(Rejection::new(Code::TooLong, message));
    }
    Ok(())
}
