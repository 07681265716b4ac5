//! Transports: a session reads messages from a [`Socket`], a WebSocket over any stream of bytes, and writes
//! frames of its dialect to it.

mod end;
mod frames;
mod websocket;

pub use self::{end::End, websocket::Socket};
