//! People who have the watchlist open, and the cell that each of their windows is at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use shared::{
    edit::CellRef,
    ids::{ClientId, WatchlistId, WindowId},
    wire::server::{Person, Presence, WindowRef},
};

use super::outbox::ConnectionId;

/// Maximum number of windows that one connection may announce. Further windows are ignored.
const MAX_WINDOWS: usize = 64;
/// Maximum number of windows of all connections, so that they fit into a message. Further windows are
/// ignored.
const MAX_ALL_WINDOWS: usize = 2_048;

type Window = (ConnectionId, WindowId);

#[derive(Default)]
pub(super) struct People {
    windows: BTreeMap<Window, Person>,
    /// Windows that are new or have moved since the last difference.
    moved: BTreeSet<Window>,
    /// Windows that have left since the last difference.
    gone: BTreeSet<WindowRef>,
}

impl People {
    pub(super) fn set_window(
        &mut self,
        (connection, window): Window,
        (client, name): (ClientId, Arc<str>),
        (cell, editing): (Option<CellRef>, bool),
    ) {
        let person = Person { client, window, name, cell, editing };
        let known = self.windows.get(&(connection, window));
        if known == Some(&person) {
            return;
        }
        if known.is_none() {
            let of_connection = (connection, WindowId(0))..=(connection, WindowId(u64::MAX));
            if self.windows.len() >= MAX_ALL_WINDOWS
                || self.windows.range(of_connection).count() >= MAX_WINDOWS
            {
                return;
            }
        }
        self.gone.remove(&WindowRef { client, window });
        self.windows.insert((connection, window), person);
        self.moved.insert((connection, window));
    }

    pub(super) fn leave(&mut self, connection: ConnectionId) {
        let of_connection = (connection, WindowId(0))..=(connection, WindowId(u64::MAX));
        let left: Vec<Window> = self.windows.range(of_connection).map(|(window, _)| *window).collect();
        for window in left {
            self.moved.remove(&window);
            let Some(Person { client, window, .. }) = self.windows.remove(&window) else { continue };
            let is_same = |other: &Person| other.client == client && other.window == window;
            // A client that has reconnected is there by its new connection.
            if !self.windows.values().any(is_same) {
                self.gone.insert(WindowRef { client, window });
            }
        }
    }

    /// Returns whether there is a difference to send.
    pub(super) fn has_changed(&self) -> bool {
        !self.moved.is_empty() || !self.gone.is_empty()
    }

    /// Returns what has changed since the last difference, if anything.
    pub(super) fn take_difference(&mut self, watchlist: WatchlistId) -> Option<Presence> {
        if !self.has_changed() {
            return None;
        }
        let moved = std::mem::take(&mut self.moved);
        let people = moved.iter().filter_map(|window| self.windows.get(window).cloned()).collect();
        let gone = std::mem::take(&mut self.gone).into_iter().collect();
        Some(Presence { watchlist, whole: false, people, gone })
    }

    /// Returns every window.
    pub(super) fn whole(&self, watchlist: WatchlistId) -> Presence {
        Presence {
            watchlist,
            whole: true,
            people: self.windows.values().cloned().collect(),
            gone: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        ids::RowId,
        limits::SERVER_MESSAGE_BYTES,
        wire::{codec::Encoding, server::ServerMessage},
    };
    use uuid::Uuid;

    use super::*;

    const LIST: WatchlistId = WatchlistId(Uuid::nil());

    fn client(number: u64) -> ClientId {
        ClientId(Uuid::from_u128(u128::from(number)))
    }

    fn cell(number: u128) -> Option<CellRef> {
        Some(CellRef { row: RowId(Uuid::from_u128(number)), column: "price".into() })
    }

    fn set(people: &mut People, connection: u64, of: u64, window: u64, at: u128) {
        let (window, name) = (WindowId(window), "\u{1}".repeat(256).into());
        people.set_window((ConnectionId(connection), window), (client(of), name), (cell(at), false));
    }

    /// The windows of a difference that are there, and those that are gone.
    fn difference(people: &mut People) -> Option<(Vec<u64>, Vec<u64>)> {
        let difference = people.take_difference(LIST)?;
        assert!(!difference.whole);
        let there = difference.people.iter().map(|person| person.window.0).collect();
        Some((there, difference.gone.iter().map(|gone| gone.window.0).collect()))
    }

    #[test]
    fn a_difference_has_what_changed_since_the_last() {
        let mut people = People::default();
        assert_eq!(difference(&mut people), None);
        set(&mut people, 1, 1, 10, 1);
        set(&mut people, 2, 2, 20, 1);
        assert_eq!(difference(&mut people), Some((vec![10, 20], vec![])));
        set(&mut people, 1, 1, 10, 1);
        assert_eq!(difference(&mut people), None, "nothing moved");
        set(&mut people, 1, 1, 10, 2);
        set(&mut people, 1, 1, 10, 3);
        assert_eq!(difference(&mut people), Some((vec![10], vec![])));
        set(&mut people, 2, 2, 20, 4);
        people.leave(ConnectionId(2));
        assert_eq!(difference(&mut people), Some((vec![], vec![20])), "a window that moved and left is gone");
        assert_eq!(people.whole(LIST).people.len(), 1);
    }

    #[test]
    fn a_client_that_reconnects_is_not_gone_when_its_old_connection_ends() {
        let mut people = People::default();
        set(&mut people, 1, 1, 10, 1);
        set(&mut people, 2, 1, 10, 2);
        difference(&mut people);
        people.leave(ConnectionId(1));
        assert_eq!(difference(&mut people), None);
        people.leave(ConnectionId(2));
        set(&mut people, 3, 1, 10, 2);
        assert_eq!(difference(&mut people), Some((vec![10], vec![])), "it was back before anyone was told");
    }

    #[test]
    fn windows_are_limited_so_that_all_of_them_fit_into_a_message() {
        let mut people = People::default();
        for connection in 0..100 {
            for window in 0..100 {
                set(&mut people, connection, connection, u64::MAX - window, 1);
            }
        }
        let whole = people.whole(LIST);
        assert_eq!(whole.people.len(), MAX_ALL_WINDOWS);
        assert!(whole.people.iter().filter(|person| person.client == client(1)).count() == MAX_WINDOWS);
        let bytes = Encoding::Json.size(&ServerMessage::Presence(whole));
        assert!(bytes <= SERVER_MESSAGE_BYTES, "{bytes}");
    }
}
