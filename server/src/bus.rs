//! The bus: carries the events of a watchlist from its room to its channel. It knows neither.
//!
//! It makes delivery quick. What is true is in the journal.

pub mod local;
