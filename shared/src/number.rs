//! Decimal numbers: the exact form on the wire, and the forms that people type and read.

mod exact;
mod separators;
mod typed;

pub use self::{
    exact::{MAX_DIGITS, MINUS, NotANumber, parse_exact, round},
    separators::Separators,
    typed::{Typed, parse_typed},
};
