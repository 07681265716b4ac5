//! Who is in the room, window by window.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    ids::{ClientId, WatchlistId, WindowId},
    wire::{CellRef, server},
};

use crate::fanout::ConnectionId;

/// Windows that one connection may announce; more are not shown.
const WINDOWS: usize = 64;

#[derive(Default)]
pub(super) struct People {
    windows: BTreeMap<(ConnectionId, WindowId), server::Person>,
    pub(super) changed: bool,
}

impl People {
    pub(super) fn place(
        &mut self,
        connection: ConnectionId,
        who: (ClientId, Arc<str>),
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        let known = self.windows.contains_key(&(connection, window));
        if !known
            && self.windows.range((connection, WindowId(0))..=(connection, WindowId(u64::MAX))).count()
                >= WINDOWS
        {
            return;
        }
        let person = server::Person { client: who.0, window, name: who.1, cell, editing };
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
