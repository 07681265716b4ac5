//! Answers of a room that cannot serve its watchlist, so that no caller waits forever.

use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::command::{Command, unavailable};
use crate::unavailable::Unavailable;

/// Rejects all commands until a time, so that retries do not read a damaged journal again before that.
pub(super) async fn refuse_until(
    commands: &mut mpsc::Receiver<Command>,
    reason: Unavailable,
    until: Instant,
) {
    while let Ok(Some(command)) = timeout_at(until, commands.recv()).await {
        let is_deleted = matches!(command, Command::Delete { .. });
        refuse(command, reason);
        if is_deleted {
            return;
        }
    }
}

/// Closes the queue and rejects the commands in it.
pub(super) async fn refuse_all(mut commands: mpsc::Receiver<Command>, reason: Unavailable) {
    commands.close();
    while let Some(command) = commands.recv().await {
        refuse(command, reason);
    }
}

pub(super) fn refuse(command: Command, reason: Unavailable) {
    match command {
        // Damage does not go away by itself, so edits of other watchlists must not wait until this one is
        // served.
        Command::Edit(request) if reason == Unavailable::Damaged => {
            request.answer(unavailable(reason.message()));
        }
        Command::Edit(request) => {
            request.mark_withheld();
            request.answer(unavailable(reason.message()));
        }
        // The caller may have gone away.
        Command::Read(caller) => drop(caller.send(Err(reason))),
        Command::Resolve { .. } | Command::SnapshotStored(_) | Command::Delete { .. } => {}
    }
}
