//! What holds for the crate as others use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arrows;
mod conflation;
mod fuzz;
mod golden;
mod replica;
mod undo;
