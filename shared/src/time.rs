//! Timestamps in UTC with millisecond precision, as the protocol writes them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01 UTC, from the year 0000 to the last day but one of 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Error for text that is not a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a time; use the form 2026-11-22T20:00:00.000Z")]
pub struct NotATime {
    text: String,
}

/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

const FIRST: i64 = -62_167_219_200_000;
/// The last moment that has a day in every time zone.
const LAST: i64 = 253_402_207_200_000;

impl Timestamp {
    /// Creates a timestamp from milliseconds since 1970-01-01 UTC, clamped to the times that there are.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(FIRST, LAST))
    }

    /// Returns the milliseconds since 1970-01-01 UTC.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Converts it to a `jiff` timestamp, for time zone conversions.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).expect("it is within jiff's range")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Parses RFC 3339 with any offset. Digits beyond milliseconds are truncated.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let not_a_time = || NotATime { text: text.chars().take(64).collect() };
        let moment: jiff::Timestamp = text.parse().map_err(|_parse_error| not_a_time())?;
        let millis = moment.as_millisecond();
        if (FIRST..=LAST).contains(&millis) { Ok(Self(millis)) } else { Err(not_a_time()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_parses_utc_with_milliseconds() {
        let moment: Timestamp = "2026-11-22T20:00:00Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-22T20:00:00.000Z");
        assert_eq!("2026-11-22T21:00:00.0004+01:00".parse::<Timestamp>().unwrap(), moment);
    }

    #[test]
    fn the_first_and_the_last_time_are_written_and_read() {
        for (millis, text) in [(i64::MIN, "0000-01-01T00:00:00.000Z"), (i64::MAX, "9999-12-30T22:00:00.000Z")]
        {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
    }

    #[test]
    fn rejects_invalid_and_out_of_range_times() {
        for text in ["", "yesterday", "2026-11-22", "300000-01-01T00:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
