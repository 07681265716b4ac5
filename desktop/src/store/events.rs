//! What the network and time do to the shared state: messages of the server, the loss of the connection, and
//! the events of the replica that follow from them.

use std::time::Duration;

use shared::{
    ids::{ClientId, WatchlistId},
    replica::{Event, Outcome},
    wire::{
        client::ClientMessage,
        server::{ClosedReason, ErrorCode, ServerMessage},
    },
};
use uuid::Uuid;

use super::{
    connection::Connection,
    copies::Copy,
    notices::Offer,
    state::{Absence, Store},
    words::{deletion_text, outbox_fault_text, renewal_text, sentence},
};

impl Store {
    /// Handles the start of an attempt to connect.
    pub fn connecting(&mut self) {
        self.connection.connecting();
    }

    /// Handles an open socket.
    pub fn connected(&mut self) {
        self.connection.connected();
        self.replica.connected();
    }

    /// Records the round trip of the last ping.
    pub fn set_round_trip(&mut self, took: Duration) {
        self.connection.set_round_trip(took);
    }

    /// Records that nothing has been heard from the server for some time, or that something is heard again.
    pub fn set_silence(&mut self, silence: Option<Duration>, now: Duration) {
        self.connection.set_silence(silence.map(|silence| now.saturating_sub(silence)));
    }

    /// Handles the loss of the connection or a failed attempt; the next one is due at `retry_at`, or only on
    /// request.
    pub fn disconnected(&mut self, reason: String, retry_at: Option<Duration>, now: Duration) {
        if matches!(self.connection.shown(), Connection::Up { .. }) {
            self.keep_copies(true, now);
        }
        self.connection.lost(reason, retry_at);
        self.lists.disconnected();
        self.expect_unknown_absences();
        self.replica.disconnected();
        self.handle_events(now);
    }

    /// Handles a message of the server.
    pub fn receive(&mut self, message: ServerMessage, now: Duration) {
        self.keep_closed(&message);
        self.replica.handle(message, millis(now));
        self.handle_events(now);
    }

    /// Advances time: resends edits, removes faded glow and reports faults of the outbox.
    pub fn tick(&mut self, now: Duration) {
        while let Some(Copy { watchlist, state, at, sparklines, saved_at }) = self.copies.take() {
            if self.lists.opened().contains(&watchlist) {
                let is_shown = self.replica.restore_copy(watchlist, state, at);
                self.lists.restored(watchlist, sparklines, is_shown.then_some(saved_at));
                self.absences.insert(watchlist, Some(Absence::Unknown));
            }
        }
        self.edits.now = now;
        self.replica.tick(millis(now));
        self.sparkline_history.request(&mut self.replica, &self.windows.sparkline_columns());
        self.lists.fade(now);
        for watchlist in self.creations.delayed() {
            self.fill(watchlist, now);
        }
        if let Some(fault) = self.edits.new_fault() {
            self.notify_until_dismissed(outbox_fault_text(&fault));
        }
    }

    /// Returns whether edits of an import wait until they can be saved.
    pub fn has_delayed_edits(&self) -> bool {
        !self.creations.delayed().is_empty()
    }

    /// Returns the next message to send.
    pub fn poll_send(&mut self) -> Option<ClientMessage> {
        self.replica.poll_send()
    }

    /// Returns whether the connection must be replaced, and clears that request.
    pub fn take_stale_connection(&mut self) -> bool {
        self.connection.take_stale()
    }

    fn handle_events(&mut self, now: Duration) {
        for event in self.replica.take_events() {
            self.handle_event(event, now);
        }
    }

    /// Closes a watchlist that no longer exists, or that this account may no longer see.
    fn close(&mut self, watchlist: WatchlistId, reason: ClosedReason, now: Duration) {
        if reason == ClosedReason::Forbidden {
            let name = self.known_lists().into_iter().find(|(known, _)| *known == watchlist);
            let name =
                name.map_or_else(|| "a watchlist".to_owned(), |(_, name)| format!("\u{201c}{name}\u{201d}"));
            self.notify(format!("You no longer have access to {name}."), now);
        }
        self.lists.closed(watchlist);
        self.edits.undo.forget_watchlist(watchlist);
    }

    fn handle_event(&mut self, event: Event, now: Duration) {
        match event {
            Event::Welcomed => {
                self.connection.welcomed();
                self.windows.connected();
            }
            Event::Loaded { watchlist, is_other_history } => {
                self.loaded(watchlist, is_other_history, now);
            }
            Event::Committed { watchlist, window, effects, by, .. } => {
                self.windows.committed(watchlist, &by.name, &effects);
                self.lists.committed(watchlist, &effects, window, now);
                if window.is_none() {
                    self.announcements.record(watchlist, &by.name, &effects, now);
                }
            }
            Event::EditAnswered { watchlist, edit, window, outcome, changes } => {
                match outcome {
                    Outcome::Rejected(rejection) => {
                        self.handle_rejection((watchlist, window), edit, &rejection, &changes, now);
                    }
                    Outcome::Accepted(_) => drop(self.resent.remove(&edit)),
                }
                if self.replica.unanswered_count() == 0 {
                    self.superseded.clear();
                    self.closed.clear();
                }
                // Last, so that what remains of a rejected edit is kept already.
                self.edits.outbox.remove(edit);
            }
            Event::Unavailable { .. } => {
                self.notify(
                    "The server cannot save edits right now. Yours are kept here and will be sent again.",
                    now,
                );
            }
            Event::NumbersReused => self.renew_client(now),
            Event::Created { request, watchlist } => self.creations.created(request, watchlist),
            Event::Deleted { watchlist, .. } => {
                let text = deletion_text(self.deleting.remove(&watchlist).as_deref());
                self.notices.add(text, Some(Offer::Restore(watchlist)), Some(now));
            }
            Event::RequestFailed { request, message, .. } => {
                self.creations.failed(request);
                self.notify(sentence(&message), now);
            }
            Event::HistoryFailed { request } => {
                self.sparkline_history.failed(request);
                self.windows.failed(request);
            }
            // The top bar shows the state of the connection.
            Event::ServerError { code: ErrorCode::Restarting, .. } => {}
            Event::ServerError { code: ErrorCode::Unavailable, message, watchlist: Some(watchlist) } => {
                self.set_unserved(watchlist, &message, now);
            }
            Event::ServerError { message, .. } => self.notify(sentence(&message), now),
            // The grid and the list of watchlists read the role when they are drawn.
            Event::Access { .. } => {}
            Event::Closed { watchlist, reason } => self.close(watchlist, reason, now),
            Event::History { request, commits, next } => match self.sparkline_history.answered(request) {
                Some((watchlist, column)) => self.lists.fill_sparkline(watchlist, &column, &commits),
                None => self.windows.answered(request, &commits, next),
            },
            Event::Resumed { watchlist } => self.lists.resumed(watchlist),
            Event::DeletedLists { list, .. } => self.deleted = list,
            Event::Restored { watchlist, .. } => {
                self.deleted.retain(|deleted| deleted.watchlist != watchlist);
                self.notices.withdraw_restoration(watchlist);
            }
            Event::Watchlists => {
                let listed = self.replica.summaries().unwrap_or_default();
                self.copies.retain(|copied| listed.iter().any(|summary| summary.watchlist == copied));
            }
            Event::Pending { .. } | Event::People { .. } => {}
        }
    }

    /// Handles a watchlist that was replaced by a snapshot.
    fn loaded(&mut self, watchlist: WatchlistId, is_other_history: bool, now: Duration) {
        self.windows.loaded(watchlist);
        self.lists.loaded(watchlist);
        self.absences.insert(watchlist, Some(Absence::Deleted));
        if is_other_history {
            self.edits.undo.forget_watchlist(watchlist);
            let name = self.watchlist(watchlist).map(|watchlist| watchlist.name().to_string());
            self.notices.add_restored(name.unwrap_or_default());
        }
        self.fill(watchlist, now);
    }

    /// Records why the server cannot serve a watchlist; adds a notice, once, if the watchlist is loaded.
    fn set_unserved(&mut self, watchlist: WatchlistId, message: &str, now: Duration) {
        let reason = sentence(message);
        let is_new = self.lists.set_unserved(watchlist, &reason);
        if is_new && self.watchlist(watchlist).is_some() {
            self.notify(reason, now);
        }
    }

    /// Changes the client id, because the server has other edits under this client's edit numbers.
    fn renew_client(&mut self, now: Duration) {
        let renewed = self.edits.renew_client(&mut self.replica, ClientId(Uuid::now_v7()));
        self.connection.mark_stale();
        self.notify(renewal_text(&renewed), now);
    }

    /// Inserts the rows of an import into its new watchlist.
    fn fill(&mut self, watchlist: WatchlistId, now: Duration) {
        let Some(mut fill) = self.creations.take_fill(watchlist) else { return };
        while let Some(changes) = fill.edits.pop_front() {
            if !self.edits.can_edit() {
                fill.edits.push_front(changes);
                if !std::mem::replace(&mut fill.is_delayed, true) {
                    self.notify(
                        "The import continues once its edits can be saved to this computer's disk.",
                        now,
                    );
                }
                return self.creations.delay_fill(watchlist, fill);
            }
            let place = (fill.window, watchlist);
            let edited = self.edits.edit(&mut self.replica, place, changes);
            if let Err(rejection) = edited {
                self.notify_until_dismissed(format!("The import stopped: {rejection}."));
                return;
            }
        }
    }
}

fn millis(now: Duration) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
