//! A connection that breaks off after so many bytes, wherever in a frame that is.

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
    /// Bytes that may still be written.
    left: usize,
}

/// Both ends; each takes as many bytes as it is told and then breaks off.
pub fn wire(near_bytes: usize, far_bytes: usize) -> (Wire, Wire) {
    let (near, far) = tokio::io::duplex(8 * 1024);
    (Wire { stream: near, left: near_bytes }, Wire { stream: far, left: far_bytes })
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
        if self.left == 0 {
            // The other end hears of it, too.
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let most = bytes.len().min(self.left);
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..most]))?;
        self.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
