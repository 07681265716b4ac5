//! The state that the windows share: the replica, the glow, unsent edits, undo and notices. It knows neither
//! the network nor egui.

mod act;
mod actions;
mod announcement;
mod connection;
mod copies;
mod creations;
mod edits;
mod events;
pub mod glow;
pub mod history;
mod list_view;
pub mod log;
mod naming;
mod notices;
pub mod outbox;
pub mod recent;
mod rejected;
mod rest;
mod sparkline_history;
pub mod sparklines;
mod state;
pub mod undo;
mod window_reads;
mod words;

pub use self::{
    act::Act,
    announcement::Announcement,
    connection::Connection,
    list_view::SparklineColumns,
    notices::{Notice, Offer},
    rest::RejectedValue,
    state::{Absence, Store},
    undo::{Direction, Spot},
    words::sentence,
};
