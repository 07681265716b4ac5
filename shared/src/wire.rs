//! The wire protocol, version 1: the messages ([`client`], [`server`], [`snapshot`]), their two encodings
//! ([`codec`]), and the bodies of the HTTP API ([`api`]).

pub mod account_api;
pub mod api;
pub mod client;
pub mod codec;
pub mod server;
pub mod snapshot;

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;
