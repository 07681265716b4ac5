//! The binary form of records: numbers of variable length, bytes and texts, and their checksum.

use std::str;

/// Appends values to a record.
#[derive(Default)]
pub(in crate::journal) struct Encoder(pub(in crate::journal) Vec<u8>);

impl Encoder {
    /// Appends a number in 1 to 10 bytes: seven bits a byte, the lowest first.
    pub(in crate::journal) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push((number & 0x7F) as u8);
    }

    /// Appends a number that may be negative.
    pub(in crate::journal) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// Appends a number of elements.
    pub(in crate::journal) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// Appends bytes without their length.
    pub(in crate::journal) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends bytes and their length.
    pub(in crate::journal) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.raw(bytes);
    }
}

/// Reads the values of a record in the order in which they were appended. Each is `None` if the record is
/// damaged.
pub(in crate::journal) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(in crate::journal) fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    pub(in crate::journal) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(in crate::journal) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Reads a number of elements, of which each takes at least one byte.
    pub(in crate::journal) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(in crate::journal) fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(in crate::journal) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(in crate::journal) fn text(&mut self) -> Option<&'a str> {
        str::from_utf8(self.bytes()?).ok()
    }

    /// Returns a value that was decoded, if nothing follows it.
    pub(in crate::journal) fn end<T>(self, decoded: T) -> Option<T> {
        self.0.is_empty().then_some(decoded)
    }
}

/// Returns a checksum over fields. Each field's length is included, so that bytes cannot move between fields.
pub(in crate::journal) fn checksum(fields: &[&[u8]]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    i64::from(hasher.finalize())
}

/// Returns a number as SQLite stores it.
pub(in crate::journal) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_written() {
        let mut encoder = Encoder::default();
        let numbers = [0, 1, 127, 128, 16_384, u64::from(u32::MAX), u64::MAX];
        numbers.iter().for_each(|number| encoder.number(*number));
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        signed.iter().for_each(|number| encoder.signed(*number));
        encoder.bytes("ab\u{e9}".as_bytes());
        encoder.raw(&[7; 16]);
        let mut decoder = Decoder::new(&encoder.0);
        assert!(numbers.iter().all(|number| decoder.number() == Some(*number)));
        assert!(signed.iter().all(|number| decoder.signed() == Some(*number)));
        assert_eq!((decoder.text(), decoder.raw()), (Some("ab\u{e9}"), Some([7; 16])));
        assert_eq!(decoder.end(()), Some(()));
    }

    #[test]
    fn a_damaged_record_is_neither_read_past_its_end_nor_allocated_for() {
        assert_eq!(Decoder::new(&[0x80; 12]).number(), None);
        assert_eq!(Decoder::new(&[0xFF, 0xFF, 0xFF, 0x7F, 1]).count(), None);
        assert_eq!(Decoder::new(&[3, b'a', b'b']).bytes(), None);
        assert_eq!(Decoder::new(&[1, 0xFF]).text(), None);
        assert_eq!(Decoder::new(&[1]).end(()), None);
    }

    #[test]
    fn a_checksum_distinguishes_field_boundaries() {
        assert_ne!(checksum(&[b"ab", b"c"]), checksum(&[b"a", b"bc"]));
        assert_ne!(checksum(&[b"", b"a"]), checksum(&[b"a", b""]));
        assert_eq!(checksum(&[b"ab", b"c"]), checksum(&[b"ab", b"c"]));
    }
}
