//! Transports: the kinds of connection that a session speaks over. A session reads messages from a [`Socket`] and writes frames of
//! its dialect; it does not know what carries them.

mod end;
mod websocket;

pub use self::{end::End, websocket::Socket};
