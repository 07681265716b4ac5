//! Import and export of tables: [`csv`] reads and writes CSV, [`Table`] becomes the columns and rows of a
//! watchlist.

pub mod csv;
mod table;

pub use table::Table;
