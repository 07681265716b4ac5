//! Blocks: the index of folded segments. A block lists consecutive segments of one watchlist with the hashes
//! of what their commits can be searched by, so that a search reads only segments that may match.

use std::collections::BTreeSet;

use crate::journal::form::{
    codec::{Decoder, Encoder, checksum},
    segment::Place,
};
use shared::ids::{Revision, WatchlistId};

/// A segment in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) place: Place,
    /// Time of the last commit in milliseconds; the least if there are only rejections.
    pub(super) at: i64,
    /// Size of the stored data.
    pub(super) bytes: usize,
    /// See `Index::terms`.
    pub(super) terms: Box<[u32]>,
}

/// Encodes a block.
pub(super) fn encode_block(segments: &[Listed]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.count(segments.len());
    let (mut seq, mut revision) = (0, segments.first().map_or(0, |first| first.place.before.0));
    encoder.number(revision);
    for Listed { place, at, bytes, terms } in segments {
        encoder.number((place.seq - seq).cast_unsigned());
        encoder.number(place.before.0 - revision);
        encoder.number(place.last.0 - place.before.0);
        encoder.signed(*at);
        encoder.count(*bytes);
        encoder.count(terms.len());
        terms.iter().for_each(|term| encoder.raw(&term.to_le_bytes()));
        (seq, revision) = (place.seq, place.last.0);
    }
    encoder.0
}

/// Decodes a block.
pub(super) fn decode_block(data: &[u8]) -> Option<Vec<Listed>> {
    let mut decoder = Decoder::new(data);
    let (count, mut revision, mut seq) = (decoder.count()?, decoder.number()?, 0_i64);
    let mut segments = Vec::new();
    for _ in 0..count {
        seq = seq.checked_add_unsigned(decoder.number()?)?;
        let before = Revision(revision.checked_add(decoder.number()?)?);
        let last = Revision(before.0.checked_add(decoder.number()?)?);
        let (at, bytes) = (decoder.signed()?, usize::try_from(decoder.number()?).ok()?);
        let terms = (0..decoder.count()?).map(|_| decoder.raw().map(u32::from_le_bytes));
        let terms = terms.collect::<Option<Box<[u32]>>>()?;
        segments.push(Listed { place: Place { seq, before, last }, at, bytes, terms });
        revision = last.0;
    }
    decoder.end(segments)
}

/// Returns the checksum of a block.
pub(super) fn block_sum(
    id: WatchlistId,
    (before, last): (i64, i64),
    (seq, bytes): (i64, i64),
    data: &[u8],
) -> i64 {
    let numbers = [before, last, seq, bytes].map(i64::to_le_bytes);
    checksum(&[id.0.as_bytes(), numbers.as_flattened(), data])
}

impl Listed {
    /// Whether the segment may have commits with all of the terms.
    pub(super) fn may_have(&self, searched: &BTreeSet<u32>) -> bool {
        searched.iter().all(|term| self.terms.binary_search(term).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let listed = |seq, before, last, terms: &[u32]| Listed {
            place: Place { seq, before: Revision(before), last: Revision(last) },
            at: seq * 10,
            bytes: 100,
            terms: terms.into(),
        };
        let segments = [listed(4, 7, 9, &[1, 5, u32::MAX]), listed(6, 9, 9, &[]), listed(7, 9, 10, &[3])];
        let data = encode_block(&segments);
        assert_eq!(decode_block(&data).unwrap(), segments);
        assert_eq!(decode_block(&data[..data.len() - 1]), None);
        assert!(segments[0].may_have(&BTreeSet::from([1, u32::MAX])));
        assert!(!segments[0].may_have(&BTreeSet::from([1, 3])));
    }
}
