//! The list of watchlists as connections are sent it: encoded once for all connections of an account, and at
//! most a few times a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use shared::{
    ids::{UserId, WatchlistId},
    limits::SERVER_MESSAGE_BYTES,
    wire::server::{ServerMessage, Watchlists},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    access::{Caller, Credential},
    dialect::{Dialect, frame::Frame},
    hub::{Hub, ListState},
    pace::Pace,
};

/// Maximum age of the revisions and numbers of rows in a list.
const MAX_AGE: Duration = Duration::from_millis(250);
/// Sustained number of lists to a connection per second.
const PER_SECOND: u32 = 4;
/// Number of lists that a connection may be sent at once.
const BURST: u32 = 8;

/// The lists that were encoded last.
#[derive(Default)]
pub struct EncodedLists(Mutex<HashMap<(UserId, Credential, Dialect), EncodedList>>);

struct EncodedList {
    /// Versions of the list and of the callers' rights.
    version: (u64, u64),
    at: Instant,
    state: Arc<ListState>,
    frame: Frame,
}

impl EncodedLists {
    /// Returns the list of the watchlists that a caller sees, and its state.
    pub(super) fn get(&self, hub: &Hub, caller: &Caller, dialect: Dialect) -> (Frame, Arc<ListState>) {
        let version = (*hub.changes().borrow(), *hub.accounts().changes().borrow());
        let now = Instant::now();
        let mut encoded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        encoded.retain(|_, list| now < list.at + MAX_AGE && list.version == version);
        let encode = || {
            let (list, state) = hub.list_with_state(caller);
            let frame = dialect.encode(&ServerMessage::Watchlists(Watchlists { list }));
            debug_assert!(frame.bytes().len() <= SERVER_MESSAGE_BYTES, "the number of watchlists is limited");
            EncodedList { version, at: now, state: Arc::new(state), frame }
        };
        // The tokens of an account may see different watchlists; its sessions all see the same.
        let credential = match caller.credential {
            Credential::Local | Credential::Session(_) => Credential::Local,
            Credential::Token(id) => Credential::Token(id),
        };
        let list = encoded.entry((caller.user, credential, dialect)).or_insert_with(encode);
        (list.frame.clone(), list.state.clone())
    }
}

/// When a connection is sent the list again: when the list that its caller sees has changed. Changes of other
/// watchlists do not show.
pub(super) struct ListUpdates {
    /// State of the list that was sent last.
    sent: Option<Arc<ListState>>,
    /// Whether the list is sent again although it may not have changed.
    is_requested: bool,
    lists: watch::Receiver<u64>,
    access: watch::Receiver<u64>,
    pace: Pace,
}

impl ListUpdates {
    /// Starts before the first list is sent.
    pub(super) fn new(hub: &Hub) -> Self {
        Self {
            sent: None,
            is_requested: false,
            lists: hub.changes(),
            access: hub.accounts().changes(),
            pace: Pace::new(PER_SECOND, BURST, Instant::now()),
        }
    }

    /// Returns whether the list with a state is to be sent: it differs from the one that was sent last, which
    /// it replaces then.
    pub(super) fn is_new(&mut self, state: Arc<ListState>) -> bool {
        if self.sent.as_ref() == Some(&state) {
            return false;
        }
        self.sent = Some(state);
        true
    }

    /// Requests that the list is sent again: the client was told that a watchlist is closed, which may be on the
    /// list again by now.
    pub(super) fn request(&mut self) {
        (self.sent, self.is_requested) = (None, true);
    }

    /// Whether the list that was sent last names a watchlist.
    pub(super) fn names(&self, watchlist: WatchlistId) -> bool {
        self.sent.as_ref().is_some_and(|state| state.names(watchlist))
    }

    /// Waits until a list may have changed and may be sent. The future may be dropped.
    pub(super) async fn due(&mut self) {
        // `changed` marks the change as seen, so it comes last: until then the future may be dropped.
        let has_changed = |changes: &watch::Receiver<u64>| changes.has_changed().is_ok_and(|changed| changed);
        if !self.is_requested && !has_changed(&self.lists) && !has_changed(&self.access) {
            let (mut lists, mut access) = (self.lists.clone(), self.access.clone());
            let changed = tokio::select! {
                changed = lists.changed() => changed,
                changed = access.changed() => changed,
            };
            if changed.is_err() {
                return std::future::pending().await;
            }
        }
        self.pace.fill(Instant::now());
        if let Some(at) = self.pace.wait_until() {
            sleep_until(at).await;
        }
        self.is_requested = false;
        self.lists.mark_unchanged();
        self.access.mark_unchanged();
        self.pace.consume(Instant::now());
    }
}
