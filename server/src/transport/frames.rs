//! Reads WebSocket frames of clients (RFC 6455, section 5). Between two messages it holds no buffer, so that
//! an idle connection takes little memory, however large its messages were.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Maximum number of bytes that are read at once.
const READ_BYTES: usize = 8 * 1024;
/// Maximum length of the payload of a control frame, in bytes.
const MAX_CONTROL: usize = 125;

/// What a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole text message, which is not checked to be UTF-8.
    Text(Vec<u8>),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A ping with its payload, which the pong repeats.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// The client closes the connection.
    Close,
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The connection has ended.
    #[error("the connection has ended")]
    Gone,
    /// The client does not follow the protocol.
    #[error("WebSocket protocol error: {0}")]
    Protocol(&'static str),
    /// A message is larger than allowed.
    #[error("the message has {bytes} bytes; at most {limit} are allowed")]
    TooLarge {
        /// Size of the message, as far as it is known.
        bytes: u64,
        /// Maximum size.
        limit: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    is_final: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Length of the head itself, in bytes.
    bytes: usize,
    /// Length of the payload, in bytes.
    payload: usize,
}

/// The reading half of a connection.
#[derive(Debug)]
pub(super) struct FrameReader {
    /// What has arrived and is not a whole frame yet.
    buffer: Vec<u8>,
    /// The fragments of a message that is not complete.
    message: Option<(Opcode, Vec<u8>)>,
    limit: usize,
}

impl FrameReader {
    /// Creates a reader of messages of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), message: None, limit }
    }

    /// Returns the next message or control frame. The future may be dropped.
    pub(super) async fn next<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Result<Received, ReadError> {
        loop {
            let head = self.head()?;
            let frame = head.map_or(usize::MAX, |head| head.bytes + head.payload);
            let needed = frame.saturating_sub(self.buffer.len());
            if let Some(head) = head.filter(|_| needed == 0) {
                if let Some(received) = self.take(head)? {
                    return Ok(received);
                }
                continue;
            }
            let read = poll_fn(|context| self.poll_read(Pin::new(&mut *stream), needed, context)).await;
            if read.map_err(|_lost| ReadError::Gone)? == 0 {
                return Err(ReadError::Gone);
            }
        }
    }

    /// Reads at most `needed` bytes, and returns how many. What a client has not sent yet costs no memory:
    /// the bytes are read to the stack first.
    fn poll_read<S: AsyncRead>(
        &mut self,
        stream: Pin<&mut S>,
        needed: usize,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut read = ReadBuf::new(&mut bytes[..needed.min(READ_BYTES)]);
        ready!(stream.poll_read(context, &mut read))?;
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Parses the head of the next frame, once it has arrived, and checks its payload's length.
    fn head(&self) -> Result<Option<Head>, ReadError> {
        let [first, second, rest @ ..] = self.buffer.as_slice() else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(ReadError::Protocol("a reserved bit is set"));
        }
        let opcode = match first & 0x0f {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(ReadError::Protocol("unknown opcode")),
        };
        if second & 0x80 == 0 {
            return Err(ReadError::Protocol("a frame is not masked"));
        }
        let (payload, extended) = match second & 0x7f {
            126 => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 2),
                _ => return Ok(None),
            },
            127 => match rest {
                [a, b, c, d, e, f, g, h, ..] => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8),
                _ => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        let is_final = first & 0x80 != 0;
        let is_control = matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong);
        let before = self.message.as_ref().filter(|_| !is_control).map_or(0, |(_, message)| message.len());
        let bytes = payload.saturating_add(before as u64);
        if is_control && (!is_final || payload > MAX_CONTROL as u64) {
            return Err(ReadError::Protocol("a control frame is fragmented or too long"));
        }
        if !is_control && (opcode == Opcode::Continuation) != self.message.is_some() {
            return Err(ReadError::Protocol("a fragment is out of place"));
        }
        let limit = self.limit;
        let payload = usize::try_from(payload).ok().filter(|_| is_control || bytes <= limit as u64);
        let payload = payload.ok_or(ReadError::TooLarge { bytes, limit })?;
        let Some([a, b, c, d]) = rest.get(extended..extended + 4) else { return Ok(None) };
        Ok(Some(Head { is_final, opcode, mask: [*a, *b, *c, *d], bytes: 2 + extended + 4, payload }))
    }

    /// Removes the next frame, which has arrived. Returns `None` if it is a fragment that others follow.
    fn take(&mut self, head: Head) -> Result<Option<Received>, ReadError> {
        let end = head.bytes + head.payload;
        let mut payload = self.buffer[head.bytes..end].to_vec();
        payload.iter_mut().zip(head.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        // What is left starts a buffer of its own size, or none.
        self.buffer = self.buffer[end..].to_vec();
        let (opcode, payload) = match head.opcode {
            Opcode::Ping => return Ok(Some(Received::Ping(payload))),
            Opcode::Pong => return Ok(Some(Received::Pong)),
            Opcode::Close if payload.len() == 1 => {
                return Err(ReadError::Protocol("a close frame has half a code"));
            }
            Opcode::Close => return Ok(Some(Received::Close)),
            Opcode::Continuation => match self.message.take() {
                Some((opcode, mut message)) => {
                    message.extend_from_slice(&payload);
                    (opcode, message)
                }
                None => return Err(ReadError::Protocol("a fragment is out of place")),
            },
            first @ (Opcode::Text | Opcode::Binary) => (first, payload),
        };
        if !head.is_final {
            self.message = Some((opcode, payload));
            return Ok(None);
        }
        Ok(Some(if opcode == Opcode::Text { Received::Text(payload) } else { Received::Binary(payload) }))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Returns a masked frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
            length @ 126..=0xffff => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(0xff);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Bytes that arrive in pieces of a length.
    struct Pieces<'a>(&'a [u8], usize);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let (piece, rest) = self.0.split_at(self.1.min(self.0.len()).min(buffer.remaining()));
            buffer.put_slice(piece);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// Reads everything, with a limit of 100,000 bytes a message.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Received>, ReadError, FrameReader) {
        let (mut reader, mut stream) = (FrameReader::new(100_000), Pieces(bytes, piece));
        let mut received = Vec::new();
        loop {
            match reader.next(&mut stream).now_or_never().expect("the stream is always ready") {
                Ok(next) => received.push(next),
                Err(error) => return (received, error, reader),
            }
        }
    }

    #[test]
    fn messages_are_read_however_their_bytes_arrive() {
        let long: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        let mut bytes = Vec::new();
        for part in [
            frame(0x81, b"{}"),
            frame(0x82, &long),
            frame(0x89, b"ping"),
            frame(0x01, b"fir"),
            frame(0x8a, b""),
            frame(0x00, b""),
            frame(0x80, b"st"),
            frame(0x82, &long[..300]),
            frame(0x81, b""),
            frame(0x88, &[3, 232]),
        ] {
            bytes.extend(part);
        }
        let expected = [
            Received::Text(b"{}".to_vec()),
            Received::Binary(long.clone()),
            Received::Ping(b"ping".to_vec()),
            Received::Pong,
            Received::Text(b"first".to_vec()),
            Received::Binary(long[..300].to_vec()),
            Received::Text(Vec::new()),
            Received::Close,
        ];
        for piece in [1, 2, 7, 2_048, 100_000] {
            let (received, error, reader) = read(&bytes, piece);
            assert_eq!(received, expected, "{piece}");
            assert!(matches!(error, ReadError::Gone), "{error}");
            assert_eq!(
                (reader.buffer.capacity(), reader.message),
                (0, None),
                "nothing is held between messages"
            );
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_before_it_costs_memory() {
        let with = |first: u8, second: u8, rest: &[u8]| [&[first, second], rest].concat();
        let endless: Vec<u8> = frame(0x01, b"x").into_iter().chain(frame(0x00, &[0; 100_000])).collect();
        for (bytes, text) in [
            (with(0x81, 0x02, b"{}"), "not masked"),
            (with(0xc1, 0x80, b"...."), "reserved"),
            (with(0x83, 0x80, b"...."), "opcode"),
            (with(0x8b, 0x80, b"...."), "opcode"),
            (with(0x80, 0x80, b"...."), "out of place"),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), "out of place"),
            (with(0x09, 0x80, b"...."), "fragmented"),
            (frame(0x89, &[0; 126]), "too long"),
            (frame(0x88, &[3]), "half a code"),
            (with(0x82, 0xff, &[0xff; 8]), "18446744073709551615 bytes; at most 100000"),
            (with(0x82, 0xff, &100_001_u64.to_be_bytes()), "100001 bytes; at most 100000"),
            (endless, "100001 bytes; at most 100000"),
        ] {
            for piece in [1, 100_000] {
                let (received, error, reader) = read(&bytes, piece);
                assert!(
                    received.is_empty() && error.to_string().contains(text),
                    "{text}: {error}, {received:?}"
                );
                assert!(reader.buffer.capacity() <= 4 * READ_BYTES, "{text}: {}", reader.buffer.capacity());
            }
        }
        // A client that announces a long message and sends little of it costs little.
        let (_, _, reader) = read(&frame(0x82, &[0; 90_000])[..3_000], 100_000);
        assert!(reader.buffer.capacity() <= 4 * READ_BYTES, "{}", reader.buffer.capacity());
    }
}
