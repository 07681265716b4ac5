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
use crate::{fanout::Outgoing, frame::Frame};

/// Said where nothing more is known.
pub(super) const NOT_SERVED: &str = "the watchlist cannot be served at present";
/// Said where the journal does not hold what was written.
pub const DAMAGED: &str = "the watchlist's records on the server's disk are damaged: its administrator can find out \
     more with `afterglow-server check` and restore a backup";

/// Said of an edit that a write failed for.
pub(super) const NOT_STORED: &str = "the server cannot store edits at present; it keeps trying";

/// Answers an edit `unavailable`: later ones of its connection wait until it is sent again.
pub(super) fn withhold(watchlist: WatchlistId, request: EditRequest, why: &str) {
    if let Some(withheld) = request.reply.withheld() {
        withheld.withhold(watchlist, request.edit);
    }
    request.reply.answer(watchlist, request.edit, refused(Code::Unavailable, why));
}

/// Answers everything until a moment: whoever asks again finds no reason to look at the disk again before that.
pub(super) async fn refuse_until(
    watchlist: WatchlistId,
    commands: &mut mpsc::Receiver<Command>,
    why: &'static str,
    until: Instant,
) {
    while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
        refuse(watchlist, command, why);
    }
}

/// Answers everything that waits, and takes no more.
pub(super) async fn refuse_all(
    watchlist: WatchlistId,
    mut commands: mpsc::Receiver<Command>,
    why: &'static str,
) {
    commands.close();
    while let Some(command) = commands.recv().await {
        refuse(watchlist, command, why);
    }
}

pub(super) fn refuse(watchlist: WatchlistId, command: Command, why: &'static str) {
    match command {
        Command::Edit(request) => withhold(watchlist, request, why),
        // A caller that is gone wants no answer.
        Command::Read(caller) => drop(caller.send(Err(why))),
        Command::Open { subscriber, .. } => {
            let error = server::Error {
                code: ErrorCode::Unavailable,
                message: why.into(),
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
