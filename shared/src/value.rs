//! The value of a cell ([`Value`]), and its form on the wire before a column's kind has parsed it
//! ([`Literal`]).

use std::{cmp::Ordering, fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

/// The value of a cell. A percentage is a number, in percent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// No value.
    #[default]
    Empty,
    /// Text, or one of a choice's options.
    Text(Arc<str>),
    /// A decimal that keeps its trailing zeros, as in `71.80`. Equality ignores them.
    Number(Decimal),
    /// True or false.
    Flag(bool),
    /// A point in time.
    Time(Timestamp),
}

impl Value {
    /// Returns whether the cell is empty.
    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Empty)
    }

    /// Returns the number, if the value is one.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Empty | Value::Text(_) | Value::Flag(_) | Value::Time(_) => None,
        }
    }

    /// Converts the value to its form on the wire.
    pub fn to_literal(&self) -> Literal {
        match self {
            Value::Empty => Literal::Empty,
            Value::Text(text) => Literal::Text(text.clone()),
            Value::Number(number) => Literal::Text(number.to_string().into()),
            Value::Flag(flag) => Literal::Flag(*flag),
            Value::Time(time) => Literal::Text(time.to_string().into()),
        }
    }

    /// Compares two values for sorting: numbers numerically, text case-insensitively, empty values last.
    pub fn sort_order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => {
                let folded = |text: &Arc<str>| text.to_lowercase();
                folded(a).cmp(&folded(b)).then_with(|| a.cmp(b))
            }
            (Value::Flag(a), Value::Flag(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Number(_) => 0,
            Value::Time(_) => 1,
            Value::Flag(_) => 2,
            Value::Text(_) => 3,
            Value::Empty => 4,
        }
    }
}

/// A value on the wire. Its meaning depends on the column's kind, which the same edit may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`.
    Empty,
    /// `true` or `false`.
    Flag(bool),
    /// Text, a decimal, or a time.
    Text(Arc<str>),
    /// A value that no column accepts, such as a bare number or a list. It is kept so that the rejection can
    /// name it.
    Foreign(&'static str),
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Literal::Text(text.into())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Empty => f.write_str("empty"),
            Literal::Flag(flag) => flag.fmt(f),
            Literal::Text(text) => {
                let shown: String = text.chars().take(64).collect();
                write!(f, "{shown:?}")
            }
            Literal::Foreign(what) => f.write_str(what),
        }
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Literal::Empty => serializer.serialize_unit(),
            Literal::Flag(flag) => serializer.serialize_bool(*flag),
            Literal::Text(text) => serializer.serialize_str(text),
            // Such a value is always rejected. It is only serialised to digest the edit, and must not equal a
            // valid value.
            Literal::Foreign(what) => [what].serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LiteralVisitor)
    }
}

struct LiteralVisitor;

impl<'de> de::Visitor<'de> for LiteralVisitor {
    type Value = Literal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value: a string, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Literal, E> {
        Ok(Literal::Empty)
    }

    fn visit_none<E>(self) -> Result<Literal, E> {
        Ok(Literal::Empty)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Literal, E> {
        Ok(Literal::Flag(flag))
    }

    fn visit_str<E>(self, text: &str) -> Result<Literal, E> {
        Ok(Literal::Text(text.into()))
    }

    fn visit_i64<E>(self, _number: i64) -> Result<Literal, E> {
        Ok(Literal::Foreign("a bare number"))
    }

    fn visit_u64<E>(self, _number: u64) -> Result<Literal, E> {
        Ok(Literal::Foreign("a bare number"))
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Literal, E> {
        Ok(Literal::Foreign("a bare number"))
    }

    fn visit_bytes<E>(self, _bytes: &[u8]) -> Result<Literal, E> {
        Ok(Literal::Foreign("bytes"))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Literal, A::Error> {
        while seq.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Literal::Foreign("a list"))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Literal, A::Error> {
        while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Literal::Foreign("an object"))
    }
}

/// Deserialises a `null` field to `Some`, so that it differs from an absent one.
pub(crate) fn deserialize_some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
