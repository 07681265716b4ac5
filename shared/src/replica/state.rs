//! The state of a client: its connection, its copies of the watchlists, its unanswered edits, and what it
//! does as time passes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{event::Event, kept::KeptEdit, list::ListReplica, renewal::Renewal, requests::Requests};
use crate::{
    account::User,
    ids::{ClientId, EditId, WatchlistId},
    limits::{EDITS_IN_FLIGHT, Limits},
    wire::{
        client::{self, ClientMessage},
        server::{ErrorCode, Summary},
    },
};

/// Delay before a client resends an edit that the server could not store, in milliseconds.
pub const RETRY_UNAVAILABLE_MS: u64 = 1_000;

/// State of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Down,
    Greeting,
    Up(User),
}

/// A client's copy of the server's watchlists, and its unanswered edits: one field for each thing that the
/// protocol asks a client to keep.
#[derive(Debug)]
pub struct Replica {
    pub(super) client: ClientId,
    pub(super) app: Arc<str>,
    pub(super) limits: Limits,
    pub(super) next_edit: EditId,
    pub(super) link: Link,
    pub(super) summaries: Option<Vec<Summary>>,
    pub(super) lists: BTreeMap<WatchlistId, ListReplica>,
    /// All unanswered edits in order, with their watchlists.
    pub(super) unanswered: BTreeMap<EditId, WatchlistId>,
    pub(super) requests: Requests,
    pub(super) renewal: Renewal,
    /// When to resend edits that the server could not store.
    pub(super) retry_at: Option<u64>,
    /// When to reopen watchlists that the server could not serve, and the delay after the next failure.
    pub(super) reopen_at: Option<u64>,
    pub(super) reopen_wait: u64,
    pub(super) outgoing: VecDeque<ClientMessage>,
    pub(super) events: Vec<Event>,
}

impl Replica {
    /// Creates a client that has no data yet. `next_edit` is greater than every number that it ever used.
    /// `kept` are the unanswered edits of earlier runs, in order.
    pub fn new(client: ClientId, app: &str, limits: Limits, next_edit: EditId, kept: Vec<KeptEdit>) -> Self {
        let mut replica = Self {
            client,
            app: app.into(),
            limits,
            next_edit,
            link: Link::Down,
            summaries: None,
            lists: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            requests: Requests::default(),
            renewal: Renewal::default(),
            retry_at: None,
            reopen_at: None,
            reopen_wait: RETRY_UNAVAILABLE_MS,
            outgoing: VecDeque::new(),
            events: Vec::new(),
        };
        for edit in kept {
            replica.next_edit = replica.next_edit.max(edit.edit.next());
            replica.unanswered.insert(edit.edit, edit.watchlist);
            let list = replica.lists.entry(edit.watchlist).or_default();
            list.push_kept((client, edit.edit), edit.changes);
        }
        replica
    }

    /// Returns the id that this client sends its edits under.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Returns the limits that edits are checked against before they are kept.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the account that the connection belongs to, while connected.
    pub fn user(&self) -> Option<&User> {
        match &self.link {
            Link::Up(user) => Some(user),
            Link::Down | Link::Greeting => None,
        }
    }

    /// Returns the server's watchlists, oldest first; `None` until the server has sent them.
    pub fn summaries(&self) -> Option<&[Summary]> {
        self.summaries.as_deref()
    }

    /// Returns the client's copy of a watchlist, if it has one.
    pub fn list(&self, watchlist: WatchlistId) -> Option<&ListReplica> {
        self.lists.get(&watchlist)
    }

    /// Returns the number of unanswered edits in all watchlists.
    pub fn unanswered_count(&self) -> usize {
        self.unanswered.len()
    }

    /// Handles a new connection: queues `hello`.
    pub fn connected(&mut self) {
        self.link = Link::Greeting;
        self.outgoing.clear();
        let hello = client::Hello { client: self.client, app: self.app.clone() };
        self.outgoing.push_back(ClientMessage::Hello(hello));
    }

    /// Handles the loss of the connection. Unanswered edits are kept and resent on the next one.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
        self.outgoing.clear();
        (self.retry_at, self.reopen_at, self.reopen_wait) = (None, None, RETRY_UNAVAILABLE_MS);
        for list in self.lists.values_mut() {
            list.disconnected();
        }
        let message: Arc<str> = "connection lost before the server responded".into();
        self.events.extend(self.requests.fail_all(ErrorCode::Unavailable, &message));
    }

    /// Resends edits that the server could not store and reopens watchlists that it could not serve, if their
    /// delay has passed. Call it at [`Self::wake_at`].
    pub fn tick(&mut self, now_ms: u64) {
        if self.reopen_at.is_some_and(|at| at <= now_ms) {
            self.reopen_at = None;
            if matches!(self.link, Link::Up(_)) {
                for (watchlist, list) in &mut self.lists {
                    if list.is_wanted() && !list.is_requested() {
                        self.outgoing.push_back(list.start_open(*watchlist));
                    }
                }
            }
        }
        if self.retry_at.is_some_and(|at| at <= now_ms) {
            self.retry_at = None;
            self.send_edits();
        }
    }

    /// Returns the time at which to call [`Self::tick`] next, in milliseconds of the clock passed to it.
    pub fn wake_at(&self) -> Option<u64> {
        [self.retry_at, self.reopen_at].into_iter().flatten().min()
    }

    /// Removes and returns the next message to send.
    pub fn poll_send(&mut self) -> Option<ClientMessage> {
        self.outgoing.pop_front()
    }

    /// Removes and returns the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Queues unanswered edits in order, up to the limit of edits in flight.
    pub(super) fn send_edits(&mut self) {
        if !matches!(self.link, Link::Up(_)) || self.retry_at.is_some() {
            return;
        }
        let in_flight: usize = self.lists.values().map(|list| list.pending().in_flight()).sum();
        let mut room = EDITS_IN_FLIGHT.saturating_sub(in_flight);
        if room == 0 || in_flight == self.unanswered.len() {
            return;
        }
        let only_attempted = self.renewal.is_under_way();
        for (edit, watchlist) in &self.unanswered {
            let Some(changes) = self
                .lists
                .get_mut(watchlist)
                .and_then(|list| list.pending_mut().mark_sent(*edit, only_attempted))
            else {
                continue;
            };
            self.outgoing.push_back(ClientMessage::Edit(client::Edit {
                watchlist: *watchlist,
                edit: *edit,
                changes,
            }));
            room -= 1;
            if room == 0 {
                break;
            }
        }
    }

    /// Drops a watchlist that is neither open nor has unanswered edits.
    pub(super) fn remove_if_unused(&mut self, watchlist: WatchlistId) {
        if self.lists.get(&watchlist).is_some_and(ListReplica::is_unused) {
            self.lists.remove(&watchlist);
        }
    }
}
