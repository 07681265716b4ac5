//! The desktop application: windows that show shared watchlists. `main` only parses the command line for
//! [`app::run`].

pub mod account;
pub mod app;
pub mod args;
pub mod command;
pub mod destination;
pub mod files;
pub mod focus;
pub mod follow;
pub mod grid;
pub mod host;
pub mod key_order;
pub mod less_motion;
pub mod net;
pub mod panels;
pub mod placement;
pub mod preferences;
pub mod region;
pub mod remote;
pub mod servers;
pub mod settings;
mod shortened;
pub mod state;
pub mod store;
pub mod text_field;
pub mod theme;
mod tsv;
pub mod updates;
pub mod wake;
pub mod window;
