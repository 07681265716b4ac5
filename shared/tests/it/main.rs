//! Tests of the crate's public API.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod applying;
mod conflation;
mod fuzz;
mod golden;
mod replica;
mod sizes;
mod structure;
mod undo;
