//! The grid by itself, as a person and a screen reader use it: keys in, the accessibility tree out.

mod desk;
mod editing;
mod reading;
mod rows;
mod selecting;
