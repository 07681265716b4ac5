//! A WebSocket that is read by tungstenite and written with frames that are encoded once for many connections.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use shared::wire::{
    codec::Encoding,
    server::{self, ErrorCode, ServerMessage},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error as SocketError, Message, error::CapacityError},
};

use super::end::End;
use crate::dialect::{Dialect, websocket};

/// How long a client may take to close its end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl<E: Into<SocketError>> From<E> for End {
    fn from(error: E) -> Self {
        match error.into() {
            SocketError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                let message = format!("the message has {size} bytes; at most {max_size} are allowed");
                End::Error(ErrorCode::TooLarge, message)
            }
            SocketError::Utf8(_) => {
                End::Error(ErrorCode::BadMessage, "the text frame is not UTF-8".to_owned())
            }
            SocketError::Protocol(error) => End::Error(ErrorCode::BadMessage, error.to_string()),
            _ => End::Gone,
        }
    }
}

/// One WebSocket connection.
pub struct Socket<S> {
    stream: WebSocketStream<S>,
    encoding: Encoding,
    /// How long a write may take.
    write_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Creates the socket of an upgraded connection.
    pub fn new(stream: WebSocketStream<S>, encoding: Encoding, write_timeout: Duration) -> Self {
        Self { stream, encoding, write_timeout }
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
        let message = self.stream.next().await.ok_or(End::Gone)??;
        match (message, self.encoding) {
            (Message::Text(text), Encoding::Json) => Ok(Some(text.as_bytes().to_vec())),
            (Message::Binary(bytes), Encoding::MessagePack) => Ok(Some(bytes.to_vec())),
            (Message::Text(_), Encoding::MessagePack) | (Message::Binary(_), Encoding::Json) => {
                let kind = if self.encoding == Encoding::Json { "text" } else { "binary" };
                let message = format!("{} uses {kind} frames", self.encoding.subprotocol());
                Err(End::Error(ErrorCode::BadMessage, message))
            }
            (Message::Close(_), _) => {
                // The answer to the close waits in the reader. A client that is gone does not miss it.
                drop(timeout(CLOSE_TIMEOUT, self.stream.flush()).await);
                Err(End::Gone)
            }
            (Message::Ping(_) | Message::Pong(_) | Message::Frame(_), _) => {
                // Answers to pings wait in the reader until something is written.
                self.stream.flush().await?;
                Ok(None)
            }
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
            self.stream.flush().await?;
            let raw = self.stream.get_mut();
            raw.write_all(frames).await.map_err(SocketError::Io)?;
            raw.flush().await.map_err(SocketError::Io)
        };
        timeout(self.write_timeout, write)
            .await
            .map_err(|_elapsed| End::Gone)?
            .map_err(|_lost: SocketError| End::Gone)
    }

    /// Sends an error and closes the connection, whether or not the client reads it.
    pub async fn close(&mut self, code: ErrorCode, message: &str) {
        let error = server::Error { code, message: message.into(), request: None, watchlist: None };
        let mut bytes = self.dialect().encode(&ServerMessage::Error(error)).bytes().to_vec();
        let close = websocket::close(code.close_code().unwrap_or(1000), message);
        bytes.extend_from_slice(close.bytes());
        let goodbye = async {
            self.write(&bytes).await?;
            while self.stream.next().await.is_some_and(|read| read.is_ok()) {}
            self.stream.get_mut().shutdown().await.map_err(SocketError::Io)?;
            Ok::<(), End>(())
        };
        drop(timeout(CLOSE_TIMEOUT, goodbye).await);
    }
}
