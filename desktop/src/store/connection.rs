//! The state of the connection to the server, as the network thread and the replica report it.

use std::time::Duration;

/// State of the connection, as shown to the person.
#[derive(Clone, Debug, PartialEq)]
pub enum Connection {
    /// An attempt to connect is in progress.
    Connecting,
    /// The server has welcomed this client.
    Up {
        /// Last reported round trip.
        round_trip: Option<Duration>,
        /// Since when nothing has been heard from the server, if that is long ago. What is shown may be out of
        /// date then.
        silent_since: Option<Duration>,
    },
    /// Not connected.
    Down {
        /// Reason for the person.
        reason: String,
        /// When the next attempt to connect starts; `None` if that is only on request.
        retry_at: Option<Duration>,
    },
}

/// The connection with what is known of it before the server's welcome.
#[derive(Debug)]
pub(super) struct ConnectionState {
    shown: Connection,
    /// Last round trip of this connection; it may be measured before the server's welcome.
    round_trip: Option<Duration>,
    /// Whether the connection was opened under a client id that is no longer used.
    is_stale: bool,
}

impl Default for ConnectionState {
    fn default() -> Self {
        Self { shown: Connection::Connecting, round_trip: None, is_stale: false }
    }
}

impl ConnectionState {
    /// Returns the state that the person sees.
    pub(super) fn shown(&self) -> &Connection {
        &self.shown
    }

    /// Handles the start of an attempt: the reason of the last failure stays visible.
    pub(super) fn connecting(&mut self) {
        if !matches!(self.shown, Connection::Down { .. }) {
            self.shown = Connection::Connecting;
        }
    }

    /// Handles an open socket.
    pub(super) fn connected(&mut self) {
        self.shown = Connection::Connecting;
        self.round_trip = None;
    }

    /// Handles the server's welcome.
    pub(super) fn welcomed(&mut self) {
        self.shown = Connection::Up { round_trip: self.round_trip, silent_since: None };
    }

    /// Records the round trip of the last ping.
    pub(super) fn set_round_trip(&mut self, took: Duration) {
        self.round_trip = Some(took);
        if let Connection::Up { round_trip, .. } = &mut self.shown {
            *round_trip = Some(took);
        }
    }

    /// Records since when nothing has been heard from the server.
    pub(super) fn set_silence(&mut self, since: Option<Duration>) {
        if let Connection::Up { silent_since, .. } = &mut self.shown {
            *silent_since = since;
        }
    }

    /// Handles the loss of the connection or a failed attempt.
    pub(super) fn lost(&mut self, reason: String, retry_at: Option<Duration>) {
        self.shown = Connection::Down { reason, retry_at };
    }

    /// Requests that the connection is replaced.
    pub(super) fn mark_stale(&mut self) {
        self.is_stale = true;
    }

    /// Returns whether the connection must be replaced, and clears that request.
    pub(super) fn take_stale(&mut self) -> bool {
        std::mem::take(&mut self.is_stale)
    }
}
