//! An encoded message, ready for the socket.

use std::sync::Arc;

/// The bytes of one message, framing included. Cloning shares them. It is no larger than a pointer, because
/// each connection has a queue of them.
#[derive(Clone, Debug)]
pub struct Frame(Arc<Encoded>);

#[derive(Debug)]
struct Encoded {
    bytes: Vec<u8>,
    header: usize,
}

impl Frame {
    /// Creates a frame from its bytes, of which the first `header` are framing.
    pub(super) fn new(bytes: Vec<u8>, header: usize) -> Self {
        Self(Arc::new(Encoded { bytes, header }))
    }

    /// Returns the bytes to write to the socket.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Returns the message without its framing.
    pub fn payload(&self) -> &[u8] {
        &self.0.bytes[self.0.header..]
    }
}
