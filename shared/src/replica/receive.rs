//! What the messages of the server do to a client.

use super::{
    event::{Event, Outcome},
    list::{ListReplica, Next},
    requests::Request,
    state::{Link, RETRY_UNAVAILABLE_MS, Replica},
};
use crate::{
    account::User,
    ids::{EditId, RequestId, WatchlistId},
    limits::Limits,
    rejection::Code,
    wire::server::{self, ClosedReason, ErrorCode, ServerMessage},
};

/// Maximum delay before a client reopens a watchlist that the server cannot serve, in milliseconds. The delay
/// starts at [`RETRY_UNAVAILABLE_MS`] and doubles.
const MAX_REOPEN_WAIT_MS: u64 = 8_000;

impl Replica {
    /// Handles a message from the server.
    pub fn handle(&mut self, message: ServerMessage, now_ms: u64) {
        match message {
            ServerMessage::Welcome(welcome) => self.on_welcome(welcome.user.into()),
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
                let server::History { request, commits, next } = history;
                self.events.push(Event::History { request, commits, next });
            }
            ServerMessage::DeletedLists(server::DeletedLists { request, list }) => {
                self.requests.finish(request);
                self.events.push(Event::DeletedLists { request, list });
            }
            ServerMessage::Closed(closed) => self.drop_watchlist(closed.watchlist, closed.reason),
            ServerMessage::Access(server::Access { watchlist, role }) => {
                if let Some(list) = self.lists.get_mut(&watchlist) {
                    list.set_role(Some(role));
                    self.events.push(Event::Access { watchlist });
                }
            }
            ServerMessage::Snapshot(snapshot) => {
                let watchlist = snapshot.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, limits, events| list.on_snapshot(&snapshot, limits, events));
            }
            ServerMessage::Resumed(resumed) => {
                let watchlist = resumed.watchlist;
                self.reopen_wait = RETRY_UNAVAILABLE_MS;
                self.with_list(watchlist, |list, _limits, events| list.on_resumed(&resumed, events));
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
                let watchlist = presence.watchlist;
                if let Some(list) = self.lists.get_mut(&watchlist) {
                    list.on_presence(presence);
                    self.events.push(Event::People { watchlist });
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
            self.drop_watchlist(watchlist, ClosedReason::Deleted);
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

    /// Drops a watchlist that no longer exists on the server, or that the caller may no longer see.
    fn drop_watchlist(&mut self, watchlist: WatchlistId, reason: ClosedReason) {
        if let Some(list) = self.lists.get_mut(&watchlist) {
            list.set_wanted(false);
            list.finish_accepted(watchlist, &mut self.events);
            list.clear_state();
        }
        self.remove_if_unused(watchlist);
        self.events.push(Event::Closed { watchlist, reason });
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
            list.pending_mut().mark_unsent_from(edit);
        }
        self.retry_at.get_or_insert(now_ms + RETRY_UNAVAILABLE_MS);
        self.events.push(Event::Unavailable { watchlist });
    }

    fn with_list(
        &mut self,
        watchlist: WatchlistId,
        handler: impl FnOnce(&mut ListReplica, &Limits, &mut Vec<Event>) -> Next,
    ) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        let next = handler(list, &self.limits, &mut self.events);
        // The message may have contained commits of our own edits, which answer them.
        for edit in list.take_finished() {
            self.unanswered.remove(&edit);
        }
        let has_reused = list.pending().has_reused();
        match next {
            Next::Continue => {}
            Next::Reopen => {
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
}
