//! The client's half of the sync, as a state machine without IO: it is handed messages, the time and the
//! person's edits, and hands back messages to send and what changed. Every rule of the protocol that a client
//! keeps lives here.

pub mod event;
pub mod link;
mod list;
mod renewal;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

pub use event::{Effect, Event, Outcome};
pub use list::{ListReplica, Sync};

use self::renewal::Renewal;
use crate::{
    column::Column,
    edit::{Change, Code, Rejection},
    ids::{ClientId, EditId, RequestId, WatchlistId, WindowId},
    limits::{EDITS_IN_FLIGHT, Limits},
    wire::{
        CellRef,
        client::{self, ClientMessage},
        codec::Encoding,
        server::{ErrorCode, ServerMessage, Summary, User},
    },
};

/// How long a client waits before it sends an edit again that the server could not store, in milliseconds.
pub const RETRY_UNAVAILABLE_MS: u64 = 1_000;

/// What this grows to, doubling, where a watchlist cannot be served for long.
const LONGEST_REOPEN_MS: u64 = 8_000;

/// An edit that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEdit {
    /// Its number.
    pub edit: EditId,
    /// The watchlist that it changes.
    pub watchlist: WatchlistId,
    /// What it changes.
    pub changes: Vec<Change>,
}

/// How far the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Greeting,
    Up(User),
}

/// One client: what it knows of the server's watchlists, and the edits it has yet to have answered.
#[derive(Debug)]
pub struct Replica {
    client: ClientId,
    app: Arc<str>,
    limits: Limits,
    next_edit: EditId,
    next_request: u64,
    link: Link,
    summaries: Option<Vec<Summary>>,
    lists: BTreeMap<WatchlistId, ListReplica>,
    /// Every unanswered edit in order, with its watchlist.
    unanswered: BTreeMap<EditId, WatchlistId>,
    requests: BTreeMap<RequestId, Request>,
    renewal: Renewal,
    /// When edits that could not be stored are sent again.
    retry_at: Option<u64>,
    /// When watchlists that could not be served are asked for again, and how long the next wait is.
    reopen_at: Option<u64>,
    reopen_wait: u64,
    outgoing: VecDeque<ClientMessage>,
    events: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
enum Request {
    Create,
    Delete(WatchlistId),
    Restore(WatchlistId),
    History,
}

impl Replica {
    /// A client that has been told nothing. `next_edit` is beyond every number it ever used; `kept` are the
    /// edits of earlier runs that were never answered, in order.
    pub fn new(client: ClientId, app: &str, limits: Limits, next_edit: EditId, kept: Vec<KeptEdit>) -> Self {
        let mut replica = Self {
            client,
            app: app.into(),
            limits,
            next_edit,
            next_request: 1,
            link: Link::Down,
            summaries: None,
            lists: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            requests: BTreeMap::new(),
            renewal: Renewal::None,
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
            list.push_pending((client, edit.edit), WindowId(0), edit.changes, true, &replica.limits);
        }
        replica
    }

    /// Whose edits these are.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// What edits are held to before they are kept.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who the server takes this client for, while connected.
    pub fn user(&self) -> Option<&User> {
        match &self.link {
            Link::Up(user) => Some(user),
            Link::Down | Link::Greeting => None,
        }
    }

    /// The server's watchlists, oldest first; `None` until it has said.
    pub fn summaries(&self) -> Option<&[Summary]> {
        self.summaries.as_deref()
    }

    /// What is known of a watchlist.
    pub fn list(&self, watchlist: WatchlistId) -> Option<&ListReplica> {
        self.lists.get(&watchlist)
    }

    /// How many edits wait for an answer, over all watchlists.
    pub fn waiting(&self) -> usize {
        self.unanswered.len()
    }

    /// The connection is up: greets the server.
    pub fn connected(&mut self) {
        self.link = Link::Greeting;
        self.outgoing.clear();
        let hello = client::Hello { client: self.client, app: self.app.clone() };
        self.outgoing.push_back(ClientMessage::Hello(hello));
    }

    /// The connection is gone. What was not answered is kept and sent again on the next one.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
        self.outgoing.clear();
        (self.retry_at, self.reopen_at, self.reopen_wait) = (None, None, RETRY_UNAVAILABLE_MS);
        for list in self.lists.values_mut() {
            list.disconnected();
        }
        for (request, what) in std::mem::take(&mut self.requests) {
            let message = "the connection was lost before the server answered".into();
            self.events.push(what.failed(request, ErrorCode::Unavailable, message));
        }
    }

    /// Wants a watchlist: it is opened now and after every reconnect, until it is closed.
    pub fn open(&mut self, watchlist: WatchlistId) {
        let list = self.lists.entry(watchlist).or_default();
        if list.want(true) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(list.ask(watchlist));
        }
    }

    /// No longer wants a watchlist; its unanswered edits are still sent.
    pub fn close(&mut self, watchlist: WatchlistId) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        if list.want(false) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(ClientMessage::Close(client::Close { watchlist }));
        }
        list.settle_accepted(watchlist, &mut self.events);
        list.forget_state();
        self.forget_if_unused(watchlist);
    }

    /// Takes a person's edit: it is shown at once and sent as soon as may be. The caller keeps it on disk.
    ///
    /// # Errors
    /// An edit that the server would refuse for its size or its values is refused here, before it is kept.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<KeptEdit, Rejection> {
        self.check_size(watchlist, &changes)?;
        let list = self
            .lists
            .get_mut(&watchlist)
            .filter(|list| list.state().is_some())
            .ok_or_else(|| Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"))?;
        let edit = self.next_edit;
        list.check(&changes, &self.limits)?;
        list.push_pending((self.client, edit), window, changes.clone(), false, &self.limits);
        self.next_edit = edit.next();
        self.unanswered.insert(edit, watchlist);
        self.events.push(Event::Pending { watchlist });
        self.send_edits();
        Ok(KeptEdit { edit, watchlist, changes })
    }

    /// The guarded edit that would take `changes` back; asked for before they are made.
    pub fn inverse(&mut self, watchlist: WatchlistId, changes: &[Change]) -> Vec<Change> {
        self.lists.get_mut(&watchlist).map(|list| list.inverse(changes)).unwrap_or_default()
    }

    /// Tells the server where a window is.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        if matches!(self.link, Link::Up(_)) && self.lists.get(&watchlist).is_some_and(|list| list.is_asked())
        {
            self.outgoing.push_back(ClientMessage::Presence(client::Presence {
                watchlist,
                window,
                cell,
                editing,
            }));
        }
    }

    /// Asks for a new watchlist; `None` while not connected.
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

    /// Asks for a watchlist to be deleted; `None` while not connected.
    pub fn delete(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Delete(watchlist), |request| {
            ClientMessage::Delete(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Asks for a deleted watchlist back; `None` while not connected.
    pub fn restore(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Restore(watchlist), |request| {
            ClientMessage::Restore(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Asks for commits, newest first; `None` while not connected.
    pub fn history(&mut self, ask: client::History) -> Option<RequestId> {
        self.request(Request::History, |request| ClientMessage::History(client::History { request, ..ask }))
    }

    /// Lets time pass: what the server could not store or serve is asked for again. Call it when [`Self::wake_at`] says.
    pub fn tick(&mut self, now_ms: u64) {
        if self.reopen_at.is_some_and(|at| at <= now_ms) {
            self.reopen_at = None;
            if matches!(self.link, Link::Up(_)) {
                for (watchlist, list) in &mut self.lists {
                    if list.is_wanted() && !list.is_asked() {
                        self.outgoing.push_back(list.ask(*watchlist));
                    }
                }
            }
        }
        if self.retry_at.is_some_and(|at| at <= now_ms) {
            self.retry_at = None;
            self.send_edits();
        }
    }

    /// When [`Self::tick`] has something to do, in the same milliseconds.
    pub fn wake_at(&self) -> Option<u64> {
        [self.retry_at, self.reopen_at].into_iter().flatten().min()
    }

    /// The next message to send.
    pub fn poll_send(&mut self) -> Option<ClientMessage> {
        self.outgoing.pop_front()
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Takes a message from the server.
    pub fn handle(&mut self, message: ServerMessage, now_ms: u64) {
        match message {
            ServerMessage::Welcome(welcome) => self.welcomed(welcome.user),
            ServerMessage::Watchlists(watchlists) => {
                self.summaries = Some(watchlists.list);
                self.events.push(Event::Watchlists);
            }
            ServerMessage::Created(created) => {
                self.requests.remove(&created.request);
                self.events.push(Event::Created { request: created.request, watchlist: created.watchlist });
            }
            ServerMessage::Deleted(done) => self.requested(done.request),
            ServerMessage::Restored(done) => self.requested(done.request),
            ServerMessage::History(history) => {
                self.requests.remove(&history.request);
                self.events.push(Event::History { request: history.request, commits: history.commits });
            }
            ServerMessage::Closed(closed) => {
                self.give_up(closed.watchlist);
            }
            ServerMessage::Snapshot(snapshot) => {
                let watchlist = snapshot.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, limits, events| list.snapshot(snapshot, limits, events));
            }
            ServerMessage::Resumed(resumed) => {
                let watchlist = resumed.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, limits, events| list.resumed(&resumed, limits, events));
            }
            ServerMessage::Changes(changes) => {
                let (watchlist, client) = (changes.watchlist, self.client);
                self.with_list(watchlist, |list, limits, events| {
                    list.changes(&changes, client, limits, events)
                });
            }
            ServerMessage::Accepted(accepted) => {
                let (watchlist, edit, revision) = (accepted.watchlist, accepted.edit, accepted.revision);
                self.answered(watchlist, edit, Outcome::Accepted(revision));
            }
            ServerMessage::Rejected(rejected) if rejected.rejection.code == Code::Unavailable => {
                self.unavailable(rejected.watchlist, rejected.edit, now_ms);
            }
            ServerMessage::Rejected(rejected) if self.is_reused(&rejected) => {
                self.reused(rejected.watchlist, rejected.edit);
            }
            ServerMessage::Rejected(rejected) => {
                self.answered(rejected.watchlist, rejected.edit, Outcome::Rejected(rejected.rejection));
            }
            ServerMessage::Presence(presence) => {
                if let Some(list) = self.lists.get_mut(&presence.watchlist) {
                    list.set_people(presence.people);
                    self.events.push(Event::People { watchlist: presence.watchlist });
                }
            }
            ServerMessage::Error(error) => self.failed(&error, now_ms),
        }
    }

    fn welcomed(&mut self, user: User) {
        self.link = Link::Up(user);
        for (watchlist, list) in &mut self.lists {
            if list.is_wanted() {
                self.outgoing.push_back(list.ask(*watchlist));
            }
        }
        self.events.push(Event::Welcomed);
        self.send_edits();
        self.ask_for_id_if_due();
    }

    fn requested(&mut self, request: RequestId) {
        match self.requests.remove(&request) {
            Some(Request::Delete(watchlist)) => self.events.push(Event::Deleted { request, watchlist }),
            Some(Request::Restore(watchlist)) => self.events.push(Event::Restored { request, watchlist }),
            Some(Request::Create | Request::History) | None => {}
        }
    }

    fn failed(&mut self, error: &crate::wire::server::Error, now_ms: u64) {
        let request = error.request.and_then(|request| Some((request, self.requests.remove(&request)?)));
        if let Some((request, what)) = request {
            self.events.push(what.failed(request, error.code, error.message.clone()));
            return;
        }
        if let (Some(watchlist), ErrorCode::UnknownWatchlist) = (error.watchlist, error.code) {
            self.give_up(watchlist);
            return;
        }
        if let (Some(watchlist), ErrorCode::Unavailable) = (error.watchlist, error.code) {
            if let Some(list) = self.lists.get_mut(&watchlist) {
                list.not_served();
            }
            // Edits of other watchlists do not wait for it.
            if self.reopen_at.is_none() {
                self.reopen_at = Some(now_ms + self.reopen_wait);
                self.reopen_wait = (self.reopen_wait * 2).min(LONGEST_REOPEN_MS);
            }
        }
        let (code, message, watchlist) = (error.code, error.message.clone(), error.watchlist);
        self.events.push(Event::ServerError { code, message, watchlist });
    }

    /// A watchlist is no longer there.
    fn give_up(&mut self, watchlist: WatchlistId) {
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.want(false);
            list.settle_accepted(watchlist, &mut self.events);
            list.forget_state();
        }
        self.forget_if_unused(watchlist);
        self.events.push(Event::Closed { watchlist });
    }

    fn answered(&mut self, watchlist: WatchlistId, edit: EditId, outcome: Outcome) {
        if self.unanswered.remove(&edit).is_none() {
            return;
        }
        let limits = self.limits;
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.answered(watchlist, edit, outcome, &limits, &mut self.events);
        }
        self.forget_if_unused(watchlist);
        self.send_edits();
        self.ask_for_id_if_due();
    }

    /// The server could not store it: it and every later edit of the watchlist are sent again after a while.
    fn unavailable(&mut self, watchlist: WatchlistId, edit: EditId, now_ms: u64) {
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.mark_unsent_from(edit);
        }
        self.retry_at.get_or_insert(now_ms + RETRY_UNAVAILABLE_MS);
        self.events.push(Event::Unavailable { watchlist });
    }

    fn with_list(
        &mut self,
        watchlist: WatchlistId,
        act: impl FnOnce(&mut ListReplica, &Limits, &mut Vec<Event>) -> list::Next,
    ) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        let next = act(list, &self.limits, &mut self.events);
        // Commits that answer our own edits may have come with it.
        for edit in list.take_settled() {
            self.unanswered.remove(&edit);
        }
        let has_reused = list.has_reused();
        match next {
            list::Next::Carry => {}
            list::Next::OpenAgain => {
                let ask = list.ask(watchlist);
                self.outgoing.push_back(ask);
            }
        }
        if has_reused {
            self.begin_renewal();
        }
        self.send_edits();
        self.ask_for_id_if_due();
    }

    /// Sends unanswered edits in their order, as many as may be in flight.
    fn send_edits(&mut self) {
        if !matches!(self.link, Link::Up(_)) || self.retry_at.is_some() {
            return;
        }
        let in_flight: usize = self.lists.values().map(ListReplica::in_flight).sum();
        let mut room = EDITS_IN_FLIGHT.saturating_sub(in_flight);
        if room == 0 || in_flight == self.unanswered.len() {
            return;
        }
        let only_tried = self.renewal != Renewal::None;
        for (edit, watchlist) in &self.unanswered {
            let Some(changes) = self.lists.get_mut(watchlist).and_then(|list| list.send(*edit, only_tried))
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

    fn check_size(&self, watchlist: WatchlistId, changes: &[Change]) -> Result<(), Rejection> {
        if changes.is_empty() {
            return Err(Rejection::new(Code::BadMessage, "the edit changes nothing"));
        }
        if changes.len() > self.limits.changes {
            let message = format!("{} changes; one edit takes {}", changes.len(), self.limits.changes);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let edit =
            ClientMessage::Edit(client::Edit { watchlist, edit: EditId::MAX, changes: changes.to_vec() });
        let bytes = Encoding::Json.encode(&edit).len();
        if bytes > self.limits.message_bytes {
            let message = format!("an edit of {bytes} bytes; {} are taken", self.limits.message_bytes);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        Ok(())
    }

    fn request(
        &mut self,
        what: Request,
        message: impl FnOnce(RequestId) -> ClientMessage,
    ) -> Option<RequestId> {
        if !matches!(self.link, Link::Up(_)) {
            return None;
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.requests.insert(request, what);
        self.outgoing.push_back(message(request));
        Some(request)
    }

    fn forget_if_unused(&mut self, watchlist: WatchlistId) {
        if self.lists.get(&watchlist).is_some_and(ListReplica::is_unused) {
            self.lists.remove(&watchlist);
        }
    }
}

impl Request {
    /// What is said where it was not done.
    fn failed(self, request: RequestId, code: ErrorCode, message: Arc<str>) -> Event {
        let watchlist = match self {
            Request::History => return Event::HistoryFailed { request },
            Request::Create => None,
            Request::Delete(watchlist) | Request::Restore(watchlist) => Some(watchlist),
        };
        Event::RequestFailed { request, code, message, watchlist }
    }
}
