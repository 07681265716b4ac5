//! Dialects: how messages leave on a kind of connection. A message is encoded once for each dialect, and the
//! frame is shared by every connection that speaks it.

pub mod frame;
pub mod websocket;

use serde::Serialize;
use shared::wire::codec::Encoding;

use self::frame::Frame;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// The protocol's messages as WebSocket frames in one of its encodings.
    WebSocket(Encoding),
}

impl Dialect {
    /// Encodes a message as this dialect sends it.
    pub fn encode<T: Serialize>(self, message: &T) -> Frame {
        match self {
            Dialect::WebSocket(encoding) => websocket::data(encoding, message),
        }
    }
}
