//! An encoded message, ready for the socket.

use bytes::Bytes;

/// The bytes of one message, framing included. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Bytes,
    header: usize,
}

impl Frame {
    /// Creates a frame from its bytes, of which the first `header` are framing.
    pub(super) fn new(bytes: Vec<u8>, header: usize) -> Self {
        Self { bytes: bytes.into(), header }
    }

    /// Returns the bytes to write to the socket.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the message without its framing.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header..]
    }
}
