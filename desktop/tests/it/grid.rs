//! The grid by itself, as a person and a screen reader use it: keys in, the accessibility tree out.

mod choosing;
mod columns;
pub mod desk;
mod editing;
mod handles;
mod pictures;
mod reading;
mod rows;
mod sections;
mod selecting;
mod ticking;
