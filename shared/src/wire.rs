//! The wire protocol, version 1: the messages ([`client`], [`server`], [`snapshot`]) and their two encodings
//! ([`codec`]).

pub mod client;
pub mod codec;
pub mod server;
pub mod snapshot;

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;
