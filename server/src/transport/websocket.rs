//! A WebSocket connection, written with frames that are encoded once for many connections.

use std::time::Duration;

use shared::wire::{
    codec::Encoding,
    server::{self, ErrorCode, ServerMessage},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{
    end::End,
    frames::{FrameReader, ReadError, Received},
};
use crate::dialect::{Dialect, websocket};

/// Code of a close without an error.
const NORMAL_CLOSE: u16 = 1000;
/// How long a client may take to close its end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Gone => End::Gone,
            ReadError::Protocol(_) => End::Error(ErrorCode::BadMessage, error.to_string()),
            ReadError::TooLarge { .. } => End::Error(ErrorCode::TooLarge, error.to_string()),
        }
    }
}

/// One WebSocket connection.
pub struct Socket<S> {
    stream: S,
    reader: FrameReader,
    /// The payload of a ping that is not answered.
    pong: Option<Vec<u8>>,
    encoding: Encoding,
    /// How long a write may take.
    write_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Creates the socket of an upgraded connection, whose messages may have at most `limit` bytes.
    pub fn new(stream: S, encoding: Encoding, limit: usize, write_timeout: Duration) -> Self {
        Self { stream, reader: FrameReader::new(limit), pong: None, encoding, write_timeout }
    }

    /// Returns what the connection speaks.
    pub fn dialect(&self) -> Dialect {
        Dialect::WebSocket(self.encoding)
    }

    /// Returns the encoding of the client's messages.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the next data message, or `None` for a frame that carries none. The future may be dropped.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, End> {
        match (self.reader.next(&mut self.stream).await?, self.encoding) {
            (Received::Text(text), Encoding::Json) if std::str::from_utf8(&text).is_ok() => Ok(Some(text)),
            (Received::Text(_), Encoding::Json) => {
                Err(End::Error(ErrorCode::BadMessage, "the text frame is not UTF-8".to_owned()))
            }
            (Received::Binary(bytes), Encoding::MessagePack) => Ok(Some(bytes)),
            (Received::Text(_), Encoding::MessagePack) | (Received::Binary(_), Encoding::Json) => {
                let kind = if self.encoding == Encoding::Json { "text" } else { "binary" };
                let message = format!("{} uses {kind} frames", self.encoding.subprotocol());
                Err(End::Error(ErrorCode::BadMessage, message))
            }
            (Received::Close, _) => {
                let answer = websocket::close(NORMAL_CLOSE, "");
                // A client that is gone does not miss it.
                drop(timeout(CLOSE_TIMEOUT, self.write(answer.bytes())).await);
                Err(End::Gone)
            }
            (Received::Ping(payload), _) => {
                self.pong = Some(payload);
                Ok(None)
            }
            (Received::Pong, _) => Ok(None),
        }
    }

    /// Answers the last ping, if it is not answered yet. The future must not be dropped.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn answer_ping(&mut self) -> Result<(), End> {
        match self.pong.take() {
            Some(payload) => self.write(websocket::pong(&payload).bytes()).await,
            None => Ok(()),
        }
    }

    /// Encodes and writes a message.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn send(&mut self, message: &ServerMessage) -> Result<(), End> {
        self.write(self.dialect().encode(message).bytes()).await
    }

    /// Writes a ping.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn ping(&mut self) -> Result<(), End> {
        self.write(websocket::ping().bytes()).await
    }

    /// Writes whole frames. The future must not be dropped: half a frame would be left on the socket.
    ///
    /// # Errors
    /// The connection ends.
    pub async fn write(&mut self, frames: &[u8]) -> Result<(), End> {
        let write = async {
            self.stream.write_all(frames).await?;
            self.stream.flush().await
        };
        let written: std::io::Result<()> =
            timeout(self.write_timeout, write).await.map_err(|_elapsed| End::Gone)?;
        written.map_err(|_lost| End::Gone)
    }

    /// Sends an error and closes the connection, whether or not the client reads it.
    pub async fn close(&mut self, code: ErrorCode, message: &str) {
        let error = server::Error { code, message: message.into(), request: None, watchlist: None };
        let mut bytes = self.dialect().encode(&ServerMessage::Error(error)).bytes().to_vec();
        let close = websocket::close(code.close_code().unwrap_or(NORMAL_CLOSE), message);
        bytes.extend_from_slice(close.bytes());
        let goodbye = async {
            self.write(&bytes).await?;
            // Reads until the client has closed its end, so that the system does not discard what was just
            // written.
            while !matches!(self.reader.next(&mut self.stream).await, Ok(Received::Close) | Err(_)) {}
            self.stream.shutdown().await.map_err(|_lost| End::Gone)
        };
        drop(timeout(CLOSE_TIMEOUT, goodbye).await);
    }
}
