//! The state of a watchlist: its columns, and its rows in order. Client and server use the same type;
//! [`apply`] changes it, and [`Frozen`] is a cheap copy for reading on another thread.

pub mod apply;
mod columns;
mod frozen;
mod inverse;
mod order;
mod row;
mod rows;
pub mod section;
mod size;
mod state;
mod texts;

pub use columns::{ColumnEntry, Columns};
pub use frozen::Frozen;
pub use row::Row;
pub use rows::{Rows, Version};
pub use state::Watchlist;
