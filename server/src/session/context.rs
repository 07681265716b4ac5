//! Dependencies of sessions.

use std::{net::IpAddr, sync::Arc, time::Duration};

use shared::{ids::WatchlistId, wire::codec::Encoding};
use tokio_util::sync::CancellationToken;

use super::lists::EncodedLists;
use crate::{
    access::Caller, answer_slots::AnswerSlots, channel::ConnectionId, clock::Clock, hub::Hub,
    settings::Settings,
};

/// Dependencies shared by all sessions.
#[derive(Clone)]
pub struct SessionContext {
    /// The watchlists.
    pub hub: Arc<Hub>,
    /// The encoded lists of watchlists.
    pub lists: Arc<EncodedLists>,
    /// Limits and intervals.
    pub settings: Arc<Settings>,
    /// The answers to history requests that are in memory.
    pub histories: Arc<AnswerSlots>,
    /// The wall clock.
    pub clock: Clock,
    /// Ends the session.
    pub stop: CancellationToken,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The connection's id.
    pub connection: ConnectionId,
    /// The authenticated caller.
    pub caller: Caller,
    /// The address that it connects from, if it is known.
    pub address: Option<IpAddr>,
    /// The encoding of its messages.
    pub encoding: Encoding,
}

impl Peer {
    /// Adds to the audit log that the caller may not do something with a watchlist.
    pub(super) fn record_denial(&self, hub: &Hub, message: &str, watchlist: WatchlistId) {
        hub.accounts().record_denial(&self.caller, self.address, &format!("{message} {watchlist}"));
    }
}

impl SessionContext {
    /// Creates the dependencies of the sessions of a hub.
    pub fn new(hub: Arc<Hub>, settings: Arc<Settings>, clock: Clock, stop: CancellationToken) -> Self {
        Self { hub, lists: Arc::default(), settings, histories: Arc::default(), clock, stop }
    }

    /// Returns how long a connection may be silent, and a write may take.
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.settings.silence_seconds.max(1))
    }
}
