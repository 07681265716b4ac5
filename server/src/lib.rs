//! The server: orders the edits of watchlists, keeps them and sends them to everyone.
//!
//! [`start`] runs one inside any tokio runtime; `main` is only the command line around it.

pub mod access;
pub mod accounts;
pub mod answer_slots;
pub mod bus;
pub mod channel;
pub mod cli;
pub mod client;
pub mod clock;
pub mod descriptors;
pub mod dialect;
pub mod event;
pub mod files;
pub mod folder;
pub mod http;
pub mod hub;
pub mod journal;
pub mod long_work;
pub mod pace;
pub mod room;
pub mod session;
pub mod settings;
pub mod start;
pub mod timer;
pub mod tls;
pub mod transport;
pub mod unavailable;
