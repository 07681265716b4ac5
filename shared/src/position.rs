//! Where a row stands in its watchlist's own order: a fraction between nought and one, written in
//! hexadecimal, so that there is always room between two rows without renumbering the others.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::POSITION_BYTES;

/// A row's place. Compared bytewise; never empty, never ending in a zero byte, at most 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(Box<[u8]>);

/// Why a text is not a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a position: lower-case hexadecimal of whole bytes, 2 to 256 characters, not ending in 00"
)]
pub struct NotAPosition {
    text: String,
}

impl Position {
    /// Reads hexadecimal.
    ///
    /// # Errors
    /// [`NotAPosition`] with the text.
    pub fn from_hex(text: &str) -> Result<Self, NotAPosition> {
        let refuse = || NotAPosition { text: text.chars().take(64).collect() };
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
        Self::from_bytes(bytes.ok_or_else(refuse)?).ok_or_else(refuse)
    }

    fn from_bytes(bytes: Box<[u8]>) -> Option<Self> {
        let sound = (1..=POSITION_BYTES).contains(&bytes.len()) && bytes.last() != Some(&0);
        sound.then_some(Self(bytes))
    }

    /// `count` places, in order and evenly spread, strictly between two others; an absent one is the list's
    /// end. `None` where the places would be longer than a position may be (or the two are not in order):
    /// a neighbour has to move then.
    pub fn between(
        after: Option<&Position>,
        before: Option<&Position>,
        count: usize,
    ) -> Option<Vec<Position>> {
        match (after, before) {
            (Some(after), None) => Some(Self::following(after, count)),
            _ => Self::spread(after, before, count),
        }
    }

    /// Places after everything: counted on in the third byte after the leading `ff`s, so that a list that
    /// only ever grows at its end keeps short positions.
    fn following(after: &Position, count: usize) -> Vec<Position> {
        let mut places = Vec::with_capacity(count);
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
            places.push(Position(last.clone().into()));
        }
        places
    }

    fn spread(after: Option<&Position>, before: Option<&Position>, count: usize) -> Option<Vec<Position>> {
        let low = after.map_or(&[][..], |position| &position.0);
        let high = before.map(|position| &*position.0);
        if high.is_some_and(|high| low >= high) {
            return None;
        }
        // Work in a window of eight bytes that starts where the two part, and slide it on until it has room.
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
            // What `low` has beyond the window pushes the first free place up by one.
            let steps = count as u128 + 1;
            let room = top.saturating_sub(bottom);
            if room < steps + 1 {
                continue;
            }
            return shortest(&prefix, bottom, room, count);
        }
        None
    }

    /// The position as the protocol writes it.
    pub fn to_hex(&self) -> String {
        self.to_string()
    }
}

/// Writes `count` even steps of `room` above `bottom`, cut to as few bytes as keep them apart.
fn shortest(prefix: &[u8], bottom: u128, room: u128, count: usize) -> Option<Vec<Position>> {
    let steps = count as u128 + 1;
    // Bits that may be dropped from every place while neighbours stay distinct and above `bottom`.
    let slack = (room / steps).checked_ilog2().unwrap_or(0).saturating_sub(1) / 8 * 8;
    let mut places = Vec::with_capacity(count);
    for step in 1..=count as u128 {
        let place = bottom + room * step / steps;
        let cut = place >> slack << slack;
        let place = if cut > bottom { cut } else { place };
        let mut bytes = prefix.to_vec();
        bytes.extend_from_slice(&u64::try_from(place).ok()?.to_be_bytes());
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        places.push(Position::from_bytes(bytes.into())?);
    }
    Some(places)
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
        fn places_lie_between_and_in_order(a in position(), b in position(), count in 1usize..40) {
            prop_assume!(a != b);
            let (a, b) = if a < b { (a, b) } else { (b, a) };
            for (after, before) in [(Some(&a), Some(&b)), (None, Some(&a)), (Some(&b), None), (None, None)] {
                let places = Position::between(after, before, count).unwrap();
                let all: Vec<_> = after.into_iter().chain(&places).chain(before).collect();
                prop_assert_eq!(places.len(), count);
                prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", all);
                for place in &places {
                    prop_assert_eq!(&Position::from_hex(&place.to_hex()).unwrap(), place);
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
    fn there_is_room_for_hundreds_in_the_same_gap_and_then_it_says_so() {
        let (mut low, high) = (Position::from_hex("80").unwrap(), Position::from_hex("81").unwrap());
        let mut count = 0;
        while let Some(mut places) = Position::between(Some(&low), Some(&high), 1) {
            assert!(low < places[0] && places[0] < high);
            low = places.remove(0);
            count += 1;
            assert!(count < 100_000);
        }
        assert!(count > 500, "{count}");
        assert_eq!(Position::between(Some(&high), Some(&high), 1), None);
    }

    #[test]
    fn refuses_what_is_no_position() {
        for text in ["", "8", "8g", "8A", "00", "8000", &"80".repeat(129)] {
            assert!(Position::from_hex(text).is_err(), "{text}");
        }
        assert!(Position::from_hex(&"80".repeat(128)).is_ok());
    }
}
