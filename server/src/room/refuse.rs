//! Answers of a room that cannot serve its watchlist, so that no caller waits forever.

use shared::ids::WatchlistId;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::command::{Command, unavailable};
use crate::unavailable::Unavailable;

/// Message for an edit that could not be written.
pub(super) const NOT_STORED: &str = "the server cannot store edits right now; send the edit again";

/// Rejects all commands until a time, so that retries do not read a damaged journal again before that.
pub(super) async fn refuse_until(
    watchlist: WatchlistId,
    commands: &mut mpsc::Receiver<Command>,
    reason: Unavailable,
    until: Instant,
) {
    while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
        let is_deleted = matches!(command, Command::Delete { .. });
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
    reason: Unavailable,
) {
    commands.close();
    while let Some(command) = commands.recv().await {
        refuse(watchlist, command, reason);
    }
}

pub(super) fn refuse(watchlist: WatchlistId, command: Command, reason: Unavailable) {
    match command {
        // Damage does not go away by itself, so edits of other watchlists must not wait until this one is served.
        Command::Edit(request) if reason == Unavailable::Damaged => {
            request.answer(watchlist, unavailable(reason.message()));
        }
        Command::Edit(request) => {
            request.mark_withheld(watchlist);
            request.answer(watchlist, unavailable(reason.message()));
        }
        // The caller may have gone away.
        Command::Read(caller) => drop(caller.send(Err(reason))),
        Command::Resolve { .. } | Command::SnapshotStored(_) | Command::Delete { .. } => {}
    }
}
