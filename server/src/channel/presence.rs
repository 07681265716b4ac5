//! People who have the watchlist open, and the cell that each of their windows is at.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    edit::CellRef,
    ids::{ClientId, WatchlistId, WindowId},
    wire::server,
};

use super::outbox::ConnectionId;

/// Maximum number of windows that one connection may announce. Further windows are ignored.
const MAX_WINDOWS: usize = 64;

#[derive(Default)]
pub(super) struct People {
    windows: BTreeMap<(ConnectionId, WindowId), server::Person>,
    pub(super) changed: bool,
}

impl People {
    pub(super) fn set_window(
        &mut self,
        (connection, window): (ConnectionId, WindowId),
        (client, name): (ClientId, Arc<str>),
        (cell, editing): (Option<CellRef>, bool),
    ) {
        let is_known = self.windows.contains_key(&(connection, window));
        if !is_known
            && self.windows.range((connection, WindowId(0))..=(connection, WindowId(u64::MAX))).count()
                >= MAX_WINDOWS
        {
            return;
        }
        let person = server::Person { client, window, name, cell, editing };
        let before = self.windows.insert((connection, window), person.clone());
        self.changed |= before != Some(person);
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) {
        let count = self.windows.len();
        self.windows.retain(|(of, _), _| *of != connection);
        self.changed |= self.windows.len() != count;
    }

    pub(super) fn message(&self, watchlist: WatchlistId) -> server::Presence {
        server::Presence { watchlist, people: self.windows.values().cloned().collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}
