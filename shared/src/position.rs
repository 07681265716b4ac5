//! The position of a row in its watchlist's own order: a fraction between zero and one, written in
//! hexadecimal, so that a row can be inserted between two others without renumbering the rest.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::POSITION_BYTES;

/// A row's position. Compared bytewise. Never empty, never ends in a zero byte, at most 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(Box<[u8]>);

/// Error for text that is not a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a position; use 2 to 256 lower-case hexadecimal digits, an even number, not ending in 00"
)]
pub struct NotAPosition {
    text: String,
}

impl Position {
    /// Parses hexadecimal.
    ///
    /// # Errors
    /// [`NotAPosition`] with the text.
    pub fn from_hex(text: &str) -> Result<Self, NotAPosition> {
        let invalid = || NotAPosition { text: text.chars().take(64).collect() };
        let nibble = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let bytes: Option<Box<[u8]>> = text
            .as_bytes()
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
                _ => None,
            })
            .collect();
        Self::from_bytes(bytes.ok_or_else(invalid)?).ok_or_else(invalid)
    }

    fn from_bytes(bytes: Box<[u8]>) -> Option<Self> {
        let is_valid = (1..=POSITION_BYTES).contains(&bytes.len()) && bytes.last() != Some(&0);
        is_valid.then_some(Self(bytes))
    }

    /// Returns `count` positions in order and evenly spread, strictly between two others. An absent one is
    /// the start or end of the list. Returns `None` if the positions would be too long, in which case a
    /// neighbour must be moved first, or if the two are not in order.
    pub fn between(
        after: Option<&Position>,
        before: Option<&Position>,
        count: usize,
    ) -> Option<Vec<Position>> {
        match (after, before) {
            (Some(after), None) => Self::following(after, count),
            _ => Self::spread(after, before, count),
        }
    }

    /// Returns positions after every other. They count up in the third byte after the leading `ff`s, so that
    /// a list that only grows at its end keeps short positions. Returns `None` if a position would be too
    /// long.
    fn following(after: &Position, count: usize) -> Option<Vec<Position>> {
        let mut positions = Vec::with_capacity(count);
        let mut last = after.0.to_vec();
        for _ in 0..count {
            let full = last.iter().take_while(|byte| **byte == 0xff).count();
            last.resize(full + 3, 0);
            for byte in last.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
            while last.last() == Some(&0) {
                last.pop();
            }
            positions.push(Position::from_bytes(last.as_slice().into())?);
        }
        Some(positions)
    }

    fn spread(after: Option<&Position>, before: Option<&Position>, count: usize) -> Option<Vec<Position>> {
        let low = after.map_or(&[][..], |position| &position.0);
        let high = before.map(|position| &*position.0);
        if high.is_some_and(|high| low >= high) {
            return None;
        }
        // Use a window of eight bytes that starts where the two differ, and slide it until it has room.
        let common = high.map_or(0, |high| low.iter().zip(high).take_while(|(a, b)| a == b).count());
        for start in (common.saturating_sub(1)..POSITION_BYTES).step_by(4) {
            let prefix: Vec<u8> = (0..start).map(|index| low.get(index).copied().unwrap_or(0)).collect();
            let window = |bytes: &[u8]| {
                (start..start + 8)
                    .fold(0u128, |sum, index| sum << 8 | u128::from(bytes.get(index).copied().unwrap_or(0)))
            };
            let bottom = window(low);
            let shares_prefix = high.is_some_and(|high| high.len() >= start && high[..start] == prefix[..]);
            let top = match high {
                Some(high) if shares_prefix || start == 0 => window(high),
                _ => 1 << 64,
            };
            // The bytes of `low` beyond the window move the first free value up by one.
            let steps = count as u128 + 1;
            let room = top.saturating_sub(bottom);
            if room < steps + 1 {
                continue;
            }
            return shortest(&prefix, bottom, room, count);
        }
        None
    }

    /// Formats the position as the protocol writes it.
    pub fn to_hex(&self) -> String {
        self.to_string()
    }
}

/// Returns `count` positions evenly spread over `room` above `bottom`, truncated to as few bytes as keep them
/// distinct.
fn shortest(prefix: &[u8], bottom: u128, room: u128, count: usize) -> Option<Vec<Position>> {
    let steps = count as u128 + 1;
    // Bits that can be dropped from every value while neighbours stay distinct and above `bottom`.
    let slack = (room / steps).checked_ilog2().unwrap_or(0).saturating_sub(1) / 8 * 8;
    let mut positions = Vec::with_capacity(count);
    for step in 1..=count as u128 {
        let value = bottom + room * step / steps;
        let truncated = value >> slack << slack;
        let value = if truncated > bottom { truncated } else { value };
        let mut bytes = prefix.to_vec();
        bytes.extend_from_slice(&u64::try_from(value).ok()?.to_be_bytes());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        positions.push(Position::from_bytes(bytes.into())?);
    }
    Some(positions)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        prop::collection::vec(any::<u8>(), 1..12)
            .prop_filter_map("ends in 00", |bytes| Position::from_bytes(bytes.into()))
    }

    proptest! {
        #[test]
        fn positions_are_between_their_neighbours_and_in_order(a in position(), b in position(), count in 1usize..40) {
            prop_assume!(a != b);
            let (a, b) = if a < b { (a, b) } else { (b, a) };
            for (after, before) in [(Some(&a), Some(&b)), (None, Some(&a)), (Some(&b), None), (None, None)] {
                let positions = Position::between(after, before, count).unwrap();
                let all: Vec<_> = after.into_iter().chain(&positions).chain(before).collect();
                prop_assert_eq!(positions.len(), count);
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", all);
                for position in &positions {
                    prop_assert_eq!(&Position::from_hex(&position.to_hex()).unwrap(), position);
                }
            }
        }
    }

    #[test]
    fn a_list_that_grows_at_its_end_keeps_short_positions() {
        let first = Position::between(None, None, 1).unwrap().remove(0);
        let last = Position::between(Some(&first), None, 100_000).unwrap().pop().unwrap();
        assert_eq!(first.to_hex(), "80");
        assert!(last.to_hex().len() <= 8, "{last}");
    }

    #[test]
    fn one_gap_has_room_for_hundreds_of_positions_before_it_is_full() {
        let (mut low, high) = (Position::from_hex("80").unwrap(), Position::from_hex("81").unwrap());
        let mut count = 0;
        while let Some(mut positions) = Position::between(Some(&low), Some(&high), 1) {
            assert!(low < positions[0] && positions[0] < high);
            low = positions.remove(0);
            count += 1;
            assert!(count < 100_000);
        }
        assert!(count > 500, "{count}");
        assert_eq!(Position::between(Some(&high), Some(&high), 1), None);
    }

    #[test]
    fn there_is_no_position_after_the_last_possible_one() {
        for full in [125, 126, 127, 128] {
            let last = Position::from_hex(&"ff".repeat(full)).unwrap();
            let next = Position::between(Some(&last), None, 1);
            assert_eq!(next.is_some(), full == 125, "{full}: {next:?}");
            assert!(next.iter().flatten().all(|next| *next > last && next.0.len() <= POSITION_BYTES));
        }
    }

    #[test]
    fn invalid_positions_are_rejected() {
        for text in ["", "8", "8g", "8A", "00", "8000", &"80".repeat(129)] {
            assert!(Position::from_hex(text).is_err(), "{text}");
        }
        assert!(Position::from_hex(&"80".repeat(128)).is_ok());
    }
}
