//! What a cell holds ([`Value`]) and how it travels before a column's kind has read it ([`Literal`]).

use std::{cmp::Ordering, fmt, sync::Arc};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

/// What a cell holds. A percent is a number, in per cent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    #[default]
    Empty,
    /// Text, or one of a choice's words.
    Text(Arc<str>),
    /// A decimal with the digits as they were given: `71.80` keeps its nought. Equality is by value.
    Number(Decimal),
    /// Yes or no.
    Flag(bool),
    /// A moment.
    Time(Timestamp),
}

impl Value {
    /// Whether there is nothing in the cell.
    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Empty)
    }

    /// The number, where this is one.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Empty | Value::Text(_) | Value::Flag(_) | Value::Time(_) => None,
        }
    }

    /// The value as it travels.
    pub fn to_literal(&self) -> Literal {
        match self {
            Value::Empty => Literal::Empty,
            Value::Text(text) => Literal::Text(text.clone()),
            Value::Number(number) => Literal::Text(number.to_string().into()),
            Value::Flag(flag) => Literal::Flag(*flag),
            Value::Time(time) => Literal::Text(time.to_string().into()),
        }
    }

    /// How a column sorts: numbers as numbers, text without regard to case, empties last.
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

/// A value as it travels: what it means depends on its column's kind, which may change within the same edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`.
    Empty,
    /// `true` or `false`.
    Flag(bool),
    /// Text, a decimal, or a time.
    Text(Arc<str>),
    /// Something no column takes (a bare number, a list); kept only to be refused with a reason.
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
            // What is refused is never sent on, only digested to know it again: not to be taken for another.
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
