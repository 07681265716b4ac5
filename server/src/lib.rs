//! The server: orders the edits of watchlists, keeps them and sends them to everyone.
//!
//! [`start`] runs one inside any tokio runtime; `main` is only the command line around it.

pub mod auth;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod data_folder;
pub mod fanout;
pub mod frame;
pub mod http;
pub mod hub;
pub mod journal;
pub mod remote;
pub mod room;
pub mod session;
pub mod settings;
pub mod start;
