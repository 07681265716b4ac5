//! The end of a connection, on any transport.

use shared::wire::server::ErrorCode;

/// Why a connection ends.
#[derive(Debug)]
pub enum End {
    /// The peer has disconnected.
    Gone,
    /// The client is sent this error, then closed.
    Error(ErrorCode, String),
}
