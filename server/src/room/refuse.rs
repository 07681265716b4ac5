//! Answers of a room that cannot serve its watchlist, so that no caller waits forever.

use shared::{
    ids::WatchlistId,
    wire::server::{self, ErrorCode, ServerMessage},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::command::{Command, Request, unavailable};
use crate::{channel::Outgoing, journal::JournalError};

/// Reason a room does not serve its watchlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The journal failed, or the room has ended.
    NotServed,
    /// The watchlist's records are damaged.
    Damaged,
}

impl Reason {
    pub(super) fn of(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged(_) => Reason::Damaged,
            JournalError::Store(_) | JournalError::NotOurs(_) => Reason::NotServed,
        }
    }

    pub(super) fn message(self) -> &'static str {
        match self {
            Reason::NotServed => NOT_SERVED,
            Reason::Damaged => DAMAGED,
        }
    }
}

/// Message of a room that the journal's failure or its own end keeps from serving its watchlist.
pub const NOT_SERVED: &str = "the watchlist is temporarily unavailable";

/// Message of a room whose watchlist has damaged records.
pub const DAMAGED: &str = "the watchlist's records on the server's disk are damaged: its administrator can run \
     `afterglow-server check` for details and restore a backup";

/// Message for an edit that could not be written.
pub(super) const NOT_STORED: &str = "the server cannot store edits right now; send the edit again";

/// Rejects all commands until a time, so that retries do not read a damaged journal again before that.
pub(super) async fn refuse_until(
    watchlist: WatchlistId,
    commands: &mut mpsc::Receiver<Command>,
    reason: Reason,
    until: Instant,
) {
    while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
        let is_deleted = matches!(command, Command::Delete);
        refuse(watchlist, command, reason);
        if is_deleted {
            return;
        }
    }
}

/// Closes the queue and rejects the commands in it.
pub(super) async fn refuse_all(
    watchlist: WatchlistId,
    mut commands: mpsc::Receiver<Command>,
    reason: Reason,
) {
    commands.close();
    while let Some(command) = commands.recv().await {
        refuse(watchlist, command, reason);
    }
}

pub(super) fn refuse(watchlist: WatchlistId, command: Command, reason: Reason) {
    match command {
        // Damage does not go away by itself, so edits of other watchlists must not wait until this one is served.
        Command::Request(Request::Edit(request)) if reason == Reason::Damaged => {
            request.answer(watchlist, unavailable(reason.message()));
        }
        Command::Request(Request::Edit(request)) => {
            request.mark_withheld(watchlist);
            request.answer(watchlist, unavailable(reason.message()));
        }
        // The caller may have gone away.
        Command::Request(Request::Read(caller)) => drop(caller.send(Err(reason.message()))),
        Command::Request(Request::Subscribe { subscriber, .. }) => {
            let error = server::Error {
                code: ErrorCode::Unavailable,
                message: reason.message().into(),
                request: None,
                watchlist: Some(watchlist),
            };
            let frame = subscriber.dialect.encode(&ServerMessage::Error(error));
            subscriber.outbox.push_always(Outgoing::Frame(frame));
        }
        Command::Request(Request::Unsubscribe(_) | Request::CatchUp(_) | Request::Presence { .. })
        | Command::SnapshotEncoded { .. }
        | Command::SnapshotStored(_)
        | Command::Delete => {}
    }
}
