//! Accounts over the network: signing in, what each account may do, and what ends when.

mod changes;
mod commands;
mod ending;
pub mod people;
mod rights;
mod signing_in;
