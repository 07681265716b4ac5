//! Code that client and server share: the domain (values, columns, watchlists, edits), the wire messages in
//! both encodings, and [`replica`], the client's half of the sync.
//!
//! Nothing here performs IO, reads a clock, or depends on tokio or egui: time and messages are passed in.

pub mod account;
pub mod address;
pub mod column;
pub mod conflate;
pub mod derive;
pub mod edit;
pub mod ids;
pub mod limits;
pub mod number;
pub mod position;
pub mod rejection;
pub mod replica;
pub mod sheet;
pub mod time;
pub mod value;
pub mod watchlist;
pub mod wire;
