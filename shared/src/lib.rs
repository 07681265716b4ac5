//! The words both ends of Afterglow share: the domain (values, columns, watchlists, edits), the wire
//! messages in both encodings, and [`replica`], the client's half of the sync.
//!
//! Nothing here does IO, reads a clock, or knows tokio or egui: time and messages are handed in.

pub mod address;
pub mod column;
pub mod conflate;
pub mod csv_table;
pub mod derive;
pub mod edit;
pub mod ids;
pub mod limits;
pub mod number;
pub mod position;
pub mod replica;
pub mod time;
pub mod value;
pub mod watchlist;
pub mod wire;
