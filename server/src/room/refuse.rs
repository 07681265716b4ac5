//! What a room that cannot serve answers, so that nobody waits for ever.

use shared::{
    edit::Code,
    ids::WatchlistId,
    wire::server::{self, ErrorCode, ServerMessage},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{Command, EditRequest, refused};
use crate::{fanout::Outgoing, frame::Frame, journal::JournalError};

/// Why a room does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nothing more is known.
    NotServed,
    /// The journal does not hold what was written.
    Damaged,
}

impl Why {
    pub(super) fn of(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged(_) => Why::Damaged,
            JournalError::Store(_) | JournalError::NotOurs(_) => Why::NotServed,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Why::NotServed => NOT_SERVED,
            Why::Damaged => DAMAGED,
        }
    }
}

/// Said where nothing more is known.
pub const NOT_SERVED: &str = "the watchlist cannot be served at present";

/// Said where the journal does not hold what was written.
pub const DAMAGED: &str = "the watchlist's records on the server's disk are damaged: its administrator can find out \
     more with `afterglow-server check` and restore a backup";

/// Said of an edit that a write failed for.
pub(super) const NOT_STORED: &str = "the server cannot store edits at present; it keeps trying";

/// Answers an edit `unavailable`: later ones of its connection wait until it is sent again.
pub(super) fn withhold(watchlist: WatchlistId, request: EditRequest, why: &'static str) {
    if let Some(withheld) = request.reply.withheld() {
        withheld.withhold(watchlist, request.edit);
    }
    request.reply.answer(watchlist, request.edit, refused(Code::Unavailable, why));
}

/// Answers everything until a moment: whoever asks again finds no reason to look at the disk again before that.
pub(super) async fn refuse_until(
    watchlist: WatchlistId,
    commands: &mut mpsc::Receiver<Command>,
    why: Why,
    until: Instant,
) {
    while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
        let is_deleted = matches!(command, Command::Delete);
        refuse(watchlist, command, why);
        if is_deleted {
            return;
        }
    }
}

/// Answers everything that waits, and takes no more.
pub(super) async fn refuse_all(watchlist: WatchlistId, mut commands: mpsc::Receiver<Command>, why: Why) {
    commands.close();
    while let Some(command) = commands.recv().await {
        refuse(watchlist, command, why);
    }
}

pub(super) fn refuse(watchlist: WatchlistId, command: Command, why: Why) {
    match command {
        // What is damaged stays so: edits of other watchlists are not held up until this one is served.
        Command::Edit(request) if why == Why::Damaged => {
            request.reply.answer(watchlist, request.edit, refused(Code::Unavailable, why.words()));
        }
        Command::Edit(request) => withhold(watchlist, request, why.words()),
        // A caller that is gone wants no answer.
        Command::Read(caller) => drop(caller.send(Err(why.words()))),
        Command::Open { subscriber, .. } => {
            let error = server::Error {
                code: ErrorCode::Unavailable,
                message: why.words().into(),
                request: None,
                watchlist: Some(watchlist),
            };
            let frame = Frame::encode(subscriber.encoding, &ServerMessage::Error(error));
            subscriber.outbox.push_always(Outgoing::Frame(frame));
        }
        Command::Leave(_)
        | Command::CatchUp(_)
        | Command::Presence { .. }
        | Command::Encoded { .. }
        | Command::Saved(_)
        | Command::Delete => {}
    }
}
