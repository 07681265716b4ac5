//! What a room that cannot serve answers, so that nobody waits for ever.

use shared::{
    edit::Code,
    ids::WatchlistId,
    wire::server::{self, ErrorCode, ServerMessage},
};
use tokio::sync::mpsc;

use super::{Command, EditRequest, refused};
use crate::{fanout::Outgoing, frame::Frame};

/// Said where nothing more is known.
pub(super) const NOT_SERVED: &str = "the watchlist cannot be served at present";
/// Said where the journal does not hold what was written.
pub(super) const DAMAGED: &str = "the watchlist's records on the server's disk are damaged: its administrator can find out \
     more with `afterglow-server check` and restore a backup";

/// Answers an edit `unavailable`: later ones of its connection wait until it is sent again.
pub(super) fn withhold(watchlist: WatchlistId, request: EditRequest) {
    if let Some(withheld) = request.reply.withheld() {
        withheld.withhold(watchlist, request.edit);
    }
    let unavailable = refused(Code::Unavailable, "the server cannot store edits at present; it keeps trying");
    request.reply.answer(watchlist, request.edit, unavailable);
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
        Command::Edit(request) => withhold(watchlist, request),
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
        | Command::Read(_)
        | Command::Encoded { .. }
        | Command::Saved(_)
        | Command::Delete => {}
    }
}
