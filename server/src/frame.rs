//! A message as it leaves: encoded once, with its WebSocket header, and shared by every connection it goes to.

use bytes::Bytes;
use serde::Serialize;
use shared::wire::codec::Encoding;

/// No message of the server is larger than this, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// One unmasked, unfragmented WebSocket frame (RFC 6455, section 5.2), header and payload.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Bytes,
    header: usize,
}

impl Frame {
    /// Encodes a message.
    pub fn encode<T: Serialize>(encoding: Encoding, message: &T) -> Self {
        let opcode = match encoding {
            Encoding::Json => 0x1,
            Encoding::MessagePack => 0x2,
        };
        Self::new(opcode, &encoding.encode(message))
    }

    /// A ping without a payload.
    pub fn ping() -> Self {
        Self::new(0x9, &[])
    }

    /// A close with its code and a reason of at most 123 bytes.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
        Self::new(0x8, &payload)
    }

    fn new(opcode: u8, payload: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(payload.len() + 10);
        bytes.push(0x80 | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..=125), _) => bytes.push(length),
            (_, Ok(length)) => {
                bytes.push(126);
                bytes.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                bytes.push(127);
                bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        let header = bytes.len();
        bytes.extend_from_slice(payload);
        Self { bytes: bytes.into(), header }
    }

    /// What goes onto the socket.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The message alone.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_three_lengths_of_the_rfc() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::new(0x2, &vec![7; length]);
            assert_eq!((frame.bytes().len(), frame.payload().len()), (header + length, length));
        }
        assert_eq!(&Frame::new(0x1, b"hi").bytes()[..], b"\x81\x02hi");
        assert_eq!(&Frame::close(1012, "restarting").bytes()[..4], b"\x88\x0c\x03\xf4");
    }
}
