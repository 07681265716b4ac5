//! The binary form of what a journal keeps, with its checksums: the same in every store.

pub(super) mod answer;
pub(super) mod codec;
pub(super) mod error;
pub(super) mod part;
pub(super) mod segment;
