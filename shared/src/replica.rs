//! The client's half of the sync, as a state machine without IO. It receives messages, the time and the
//! person's edits, and returns messages to send and events. All of the protocol's rules for clients are
//! implemented here.

mod effect;
pub mod event;
mod kept;
pub mod link;
mod list;
mod renewal;
mod requests;

use std::{collections::BTreeMap, collections::VecDeque, sync::Arc};

pub use event::{Effect, Event, Outcome};
pub use kept::KeptEdit;
pub use list::{ListReplica, Sync};

use self::{
    renewal::Renewal,
    requests::{Request, Requests},
};
use crate::{
    column::Column,
    edit::{CellRef, Change},
    ids::{ClientId, EditId, RequestId, WatchlistId, WindowId},
    limits::{EDITS_IN_FLIGHT, Limits},
    rejection::{Code, Rejection},
    wire::{
        client::{self, ClientMessage},
        server::{self, ErrorCode, ServerMessage, Summary, User},
    },
};

/// Delay before a client resends an edit that the server could not store, in milliseconds.
pub const RETRY_UNAVAILABLE_MS: u64 = 1_000;

/// Maximum delay before a client reopens a watchlist that the server cannot serve, in milliseconds. The delay
/// starts at [`RETRY_UNAVAILABLE_MS`] and doubles.
const MAX_REOPEN_WAIT_MS: u64 = 8_000;

/// State of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Greeting,
    Up(User),
}

/// A client's copy of the server's watchlists, and its unanswered edits.
#[derive(Debug)]
pub struct Replica {
    client: ClientId,
    app: Arc<str>,
    limits: Limits,
    next_edit: EditId,
    link: Link,
    summaries: Option<Vec<Summary>>,
    lists: BTreeMap<WatchlistId, ListReplica>,
    /// All unanswered edits in order, with their watchlists.
    unanswered: BTreeMap<EditId, WatchlistId>,
    requests: Requests,
    renewal: Renewal,
    /// When to resend edits that the server could not store.
    retry_at: Option<u64>,
    /// When to reopen watchlists that the server could not serve, and the delay after the next failure.
    reopen_at: Option<u64>,
    reopen_wait: u64,
    outgoing: VecDeque<ClientMessage>,
    events: Vec<Event>,
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

    /// Opens a watchlist, now and after every reconnect, until it is closed.
    pub fn open(&mut self, watchlist: WatchlistId) {
        let list = self.lists.entry(watchlist).or_default();
        if list.set_wanted(true) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(list.start_open(watchlist));
        }
    }

    /// Closes a watchlist. Its unanswered edits are still sent.
    pub fn close(&mut self, watchlist: WatchlistId) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        if list.set_wanted(false) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(ClientMessage::Close(client::Close { watchlist }));
        }
        list.finish_accepted(watchlist, &mut self.events);
        list.clear_state();
        self.remove_if_unused(watchlist);
    }

    /// Adds a person's edit, which is shown at once and sent as soon as possible. Returns the edit, which the
    /// caller stores on disk, and the guarded changes that undo it.
    ///
    /// # Errors
    /// An edit that the server would reject for its size or its values is rejected here, before it is kept.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<(KeptEdit, Vec<Change>), Rejection> {
        kept::check_size(watchlist, &changes, &self.limits)?;
        let list = self
            .lists
            .get_mut(&watchlist)
            .filter(|list| list.state().is_some())
            .ok_or_else(|| Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"))?;
        let edit = self.next_edit;
        let inverse = list.push_new((self.client, edit), window, changes.clone(), &self.limits)?;
        self.next_edit = edit.next();
        self.unanswered.insert(edit, watchlist);
        self.events.push(Event::Pending { watchlist });
        self.send_edits();
        Ok((KeptEdit { edit, watchlist, changes }, inverse))
    }

    /// Sends the position of a window's cursor.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        if matches!(self.link, Link::Up(_))
            && self.lists.get(&watchlist).is_some_and(|list| list.is_requested())
        {
            self.outgoing.push_back(ClientMessage::Presence(client::Presence {
                watchlist,
                window,
                cell,
                editing,
            }));
        }
    }

    /// Requests a new watchlist. Returns `None` while not connected.
    pub fn create(
        &mut self,
        watchlist: WatchlistId,
        name: &str,
        columns: Option<Vec<Column>>,
    ) -> Option<RequestId> {
        self.request(Request::Create, |request| {
            ClientMessage::Create(client::Create {
                request,
                watchlist: Some(watchlist),
                name: name.into(),
                columns,
            })
        })
    }

    /// Requests that a watchlist be deleted. Returns `None` while not connected.
    pub fn delete(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Delete(watchlist), |request| {
            ClientMessage::Delete(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Requests that a deleted watchlist be restored. Returns `None` while not connected.
    pub fn restore(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Restore(watchlist), |request| {
            ClientMessage::Restore(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Requests the deleted watchlists that this account may restore. Returns `None` while not connected.
    pub fn deleted_lists(&mut self) -> Option<RequestId> {
        self.request(Request::DeletedLists, |request| {
            ClientMessage::DeletedLists(client::DeletedLists { request })
        })
    }

    /// Requests commits, newest first. The `request` of `query` is replaced. Returns `None` while not
    /// connected.
    pub fn history(&mut self, query: client::History) -> Option<RequestId> {
        self.request(Request::History, |request| ClientMessage::History(client::History { request, ..query }))
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

    /// Handles a message from the server.
    pub fn handle(&mut self, message: ServerMessage, now_ms: u64) {
        match message {
            ServerMessage::Welcome(welcome) => self.on_welcome(welcome.user),
            ServerMessage::Watchlists(watchlists) => {
                self.summaries = Some(watchlists.list);
                self.events.push(Event::Watchlists);
            }
            ServerMessage::Created(created) => {
                self.requests.finish(created.request);
                self.events.push(Event::Created { request: created.request, watchlist: created.watchlist });
            }
            ServerMessage::Deleted(done) => self.on_request_done(done.request),
            ServerMessage::Restored(done) => self.on_request_done(done.request),
            ServerMessage::History(history) => {
                self.requests.finish(history.request);
                self.events.push(Event::History { request: history.request, commits: history.commits });
            }
            ServerMessage::DeletedLists(server::DeletedLists { request, list }) => {
                self.requests.finish(request);
                self.events.push(Event::DeletedLists { request, list });
            }
            ServerMessage::Closed(closed) => {
                self.drop_watchlist(closed.watchlist);
            }
            ServerMessage::Snapshot(snapshot) => {
                let watchlist = snapshot.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, limits, events| list.on_snapshot(snapshot, limits, events));
            }
            ServerMessage::Resumed(resumed) => {
                let watchlist = resumed.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, limits, events| list.on_resumed(&resumed, limits, events));
            }
            ServerMessage::Changes(changes) => {
                let (watchlist, client) = (changes.watchlist, self.client);
                self.with_list(watchlist, |list, limits, events| {
                    list.on_changes(&changes, client, limits, events)
                });
            }
            ServerMessage::Accepted(accepted) => {
                let (watchlist, edit, revision) = (accepted.watchlist, accepted.edit, accepted.revision);
                self.on_answer(watchlist, edit, Outcome::Accepted(revision));
            }
            ServerMessage::Rejected(rejected) if rejected.rejection.code == Code::Unavailable => {
                self.on_unavailable(rejected.watchlist, rejected.edit, now_ms);
            }
            ServerMessage::Rejected(rejected) if self.is_number_conflict(&rejected) => {
                self.on_number_reused(rejected.watchlist, rejected.edit);
            }
            ServerMessage::Rejected(rejected) => {
                self.on_answer(rejected.watchlist, rejected.edit, Outcome::Rejected(rejected.rejection));
            }
            ServerMessage::Presence(presence) => {
                if let Some(list) = self.lists.get_mut(&presence.watchlist) {
                    list.set_people(presence.people);
                    self.events.push(Event::People { watchlist: presence.watchlist });
                }
            }
            ServerMessage::Error(error) => self.on_error(&error, now_ms),
        }
    }

    fn on_welcome(&mut self, user: User) {
        self.link = Link::Up(user);
        for (watchlist, list) in &mut self.lists {
            if list.is_wanted() {
                self.outgoing.push_back(list.start_open(*watchlist));
            }
        }
        self.events.push(Event::Welcomed);
        self.send_edits();
        self.request_new_id_if_drained();
    }

    fn on_request_done(&mut self, request: RequestId) {
        match self.requests.finish(request) {
            Some(Request::Delete(watchlist)) => self.events.push(Event::Deleted { request, watchlist }),
            Some(Request::Restore(watchlist)) => self.events.push(Event::Restored { request, watchlist }),
            Some(Request::Create | Request::History | Request::DeletedLists) | None => {}
        }
    }

    fn on_error(&mut self, error: &server::Error, now_ms: u64) {
        let request = error.request.and_then(|request| Some((request, self.requests.finish(request)?)));
        if let Some((request, what)) = request {
            self.events.push(what.failed(request, error.code, error.message.clone()));
            return;
        }
        if let (Some(watchlist), ErrorCode::UnknownWatchlist) = (error.watchlist, error.code) {
            self.drop_watchlist(watchlist);
            return;
        }
        if let (Some(watchlist), ErrorCode::Unavailable) = (error.watchlist, error.code) {
            if let Some(list) = self.lists.get_mut(&watchlist) {
                list.mark_unavailable();
            }
            // Only the watchlist is delayed, not the edits of others.
            if self.reopen_at.is_none() {
                self.reopen_at = Some(now_ms + self.reopen_wait);
                self.reopen_wait = (self.reopen_wait * 2).min(MAX_REOPEN_WAIT_MS);
            }
        }
        let (code, message, watchlist) = (error.code, error.message.clone(), error.watchlist);
        self.events.push(Event::ServerError { code, message, watchlist });
    }

    /// Drops a watchlist that no longer exists on the server.
    fn drop_watchlist(&mut self, watchlist: WatchlistId) {
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.set_wanted(false);
            list.finish_accepted(watchlist, &mut self.events);
            list.clear_state();
        }
        self.remove_if_unused(watchlist);
        self.events.push(Event::Closed { watchlist });
    }

    fn on_answer(&mut self, watchlist: WatchlistId, edit: EditId, outcome: Outcome) {
        if self.unanswered.remove(&edit).is_none() {
            return;
        }
        let limits = self.limits;
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.on_answer(watchlist, edit, outcome, &limits, &mut self.events);
        }
        self.remove_if_unused(watchlist);
        self.send_edits();
        self.request_new_id_if_drained();
    }

    /// Schedules an edit that the server could not store, and every later edit of the watchlist, to be sent
    /// again.
    fn on_unavailable(&mut self, watchlist: WatchlistId, edit: EditId, now_ms: u64) {
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.mark_unsent_from(edit);
        }
        self.retry_at.get_or_insert(now_ms + RETRY_UNAVAILABLE_MS);
        self.events.push(Event::Unavailable { watchlist });
    }

    fn with_list(
        &mut self,
        watchlist: WatchlistId,
        handler: impl FnOnce(&mut ListReplica, &Limits, &mut Vec<Event>) -> list::Next,
    ) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        let next = handler(list, &self.limits, &mut self.events);
        // The message may have contained commits of our own edits, which answer them.
        for edit in list.take_finished() {
            self.unanswered.remove(&edit);
        }
        let has_reused = list.has_reused();
        match next {
            list::Next::Continue => {}
            list::Next::Reopen => {
                let open = list.start_open(watchlist);
                self.outgoing.push_back(open);
            }
        }
        if has_reused {
            self.renewal.begin();
        }
        self.send_edits();
        self.request_new_id_if_drained();
    }

    /// Queues unanswered edits in order, up to the limit of edits in flight.
    fn send_edits(&mut self) {
        if !matches!(self.link, Link::Up(_)) || self.retry_at.is_some() {
            return;
        }
        let in_flight: usize = self.lists.values().map(ListReplica::in_flight).sum();
        let mut room = EDITS_IN_FLIGHT.saturating_sub(in_flight);
        if room == 0 || in_flight == self.unanswered.len() {
            return;
        }
        let only_attempted = self.renewal.is_under_way();
        for (edit, watchlist) in &self.unanswered {
            let Some(changes) =
                self.lists.get_mut(watchlist).and_then(|list| list.mark_sent(*edit, only_attempted))
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

    fn request(
        &mut self,
        what: Request,
        message: impl FnOnce(RequestId) -> ClientMessage,
    ) -> Option<RequestId> {
        if !matches!(self.link, Link::Up(_)) {
            return None;
        }
        let request = self.requests.start(what);
        self.outgoing.push_back(message(request));
        Some(request)
    }

    /// Continues under a new client id, in response to [`Event::NumbersReused`]. The unanswered edits get new
    /// numbers that were never used. Returns each edit with its old number. The caller reconnects.
    pub fn renew(&mut self, client: ClientId) -> Vec<(EditId, KeptEdit)> {
        self.disconnected();
        self.client = client;
        self.renewal = Renewal::default();
        let mut renumbered = Vec::with_capacity(self.unanswered.len());
        for (old, watchlist) in std::mem::take(&mut self.unanswered) {
            let edit = self.next_edit;
            self.next_edit = edit.next();
            self.unanswered.insert(edit, watchlist);
            let Some(list) = self.lists.get_mut(&watchlist) else { continue };
            list.renumber(old, client, edit);
            let changes = list.pending_changes(edit).unwrap_or_default().to_vec();
            renumbered.push((old, KeptEdit { edit, watchlist, changes }));
        }
        renumbered
    }

    /// Returns whether the server has another edit with this number: it reports the number as reused, or it
    /// reports the number of an edit from this run as too old.
    fn is_number_conflict(&self, rejected: &server::Rejected) -> bool {
        match rejected.rejection.code {
            Code::EditReused => true,
            Code::TooOld => {
                self.lists.get(&rejected.watchlist).is_some_and(|list| list.is_from_this_run(rejected.edit))
            }
            _ => false,
        }
    }

    /// Handles an edit whose number the server knows from another edit, sent by a copy of this client's data.
    /// The edit waits for a new number.
    fn on_number_reused(&mut self, watchlist: WatchlistId, edit: EditId) {
        if !self.unanswered.contains_key(&edit) {
            return;
        }
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.mark_reused(edit);
        }
        self.renewal.begin();
        self.send_edits();
        self.request_new_id_if_drained();
    }

    fn request_new_id_if_drained(&mut self) {
        let can_be_answered = |(edit, watchlist): (&EditId, &WatchlistId)| {
            self.lists.get(watchlist).is_some_and(|list| list.can_be_answered(*edit))
        };
        if self.renewal.is_draining() && !self.unanswered.iter().any(can_be_answered) {
            self.renewal = Renewal::Requested;
            self.events.push(Event::NumbersReused);
        }
    }

    fn remove_if_unused(&mut self, watchlist: WatchlistId) {
        if self.lists.get(&watchlist).is_some_and(ListReplica::is_unused) {
            self.lists.remove(&watchlist);
        }
    }
}
