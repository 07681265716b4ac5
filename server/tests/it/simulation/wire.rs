//! A connection that breaks after a number of bytes, possibly in the middle of a frame.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// One end of a connection.
#[derive(Debug)]
pub struct Wire {
    stream: DuplexStream,
    /// Number of bytes that can still be written.
    remaining: usize,
}

/// Returns both ends. Each breaks after the given number of bytes.
pub fn wire(near_bytes: usize, far_bytes: usize) -> (Wire, Wire) {
    let (near, far) = tokio::io::duplex(8 * 1024);
    (Wire { stream: near, remaining: near_bytes }, Wire { stream: far, remaining: far_bytes })
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.remaining == 0 {
            // Also close the other end.
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let limit = bytes.len().min(self.remaining);
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..limit]))?;
        self.remaining -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
