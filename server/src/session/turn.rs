//! A session reads and writes in turns, so that neither a client that sends much nor one that is sent much
//! delays the other half for long.

use tokio::io::{AsyncRead, AsyncWrite};

use super::writer::{Ready, Writer};
use crate::transport::{End, Socket};

/// What a session does next.
pub(super) enum Turn {
    /// It handles a message, or a frame without one.
    Read(Option<Vec<u8>>),
    /// It writes what is ready.
    Write(Ready),
}

/// Waits until there is something to write or, with `reads`, to read. If there is both, `reads_first`
/// decides: they take turns. The future may be dropped.
pub(super) async fn next_turn<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    writer: &mut Writer,
    reads: bool,
    reads_first: bool,
) -> Result<Turn, End> {
    if reads_first {
        tokio::select! {
            biased;
            message = socket.next(), if reads => message.map(Turn::Read),
            ready = writer.ready() => Ok(Turn::Write(ready)),
        }
    } else {
        tokio::select! {
            biased;
            ready = writer.ready() => Ok(Turn::Write(ready)),
            message = socket.next(), if reads => message.map(Turn::Read),
        }
    }
}
