//! Unmasked, unfragmented WebSocket frames (RFC 6455, section 5.2).

use serde::Serialize;
use shared::wire::codec::Encoding;

use super::frame::Frame;

/// Encodes a message as a text or binary frame.
pub fn data<T: Serialize>(encoding: Encoding, message: &T) -> Frame {
    let opcode = match encoding {
        Encoding::Json => 0x1,
        Encoding::MessagePack => 0x2,
    };
    frame(opcode, &encoding.encode(message))
}

/// Returns a ping without a payload.
pub fn ping() -> Frame {
    frame(0x9, &[])
}

/// Returns a pong with the payload of the ping that it answers.
pub fn pong(payload: &[u8]) -> Frame {
    frame(0xa, payload)
}

/// Returns a close with its code and a reason, of which at most 123 bytes are sent.
pub fn close(code: u16, reason: &str) -> Frame {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
    frame(0x8, &payload)
}

fn frame(opcode: u8, payload: &[u8]) -> Frame {
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
    Frame::new(bytes, header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_length_form_of_its_size() {
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = frame(0x2, &vec![7; length]);
            assert_eq!((frame.bytes().len(), frame.payload().len()), (header + length, length));
        }
        assert_eq!(frame(0x1, b"hi").bytes(), b"\x81\x02hi");
        assert_eq!(&close(1012, "restarting").bytes()[..4], b"\x88\x0c\x03\xf4");
    }
}
