//! The commands of a room, and the handles that send them.

use std::sync::Arc;

use shared::{
    edit::Change,
    ids::{At, ClientId, EditId, Revision, WatchlistId},
    rejection::{Code, Rejection},
    time::Timestamp,
    watchlist::Frozen,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    answer_queue::{AnswerQueue, Answered},
    withheld::Withheld,
};
use crate::{
    access::{Caller, Rights},
    journal::{JournalError, Sender, Verdict},
    unavailable::Unavailable,
};

/// Maximum number of commands that wait for a room. Senders wait beyond that.
pub(super) const MAX_QUEUED: usize = 1024;

/// Something that a room does.
pub(super) enum Command {
    /// Judges an edit.
    Edit(EditRequest),
    /// Returns the durable state, or why it is unavailable.
    Read(oneshot::Sender<Result<(Frozen, At), Unavailable>>),
    /// Releases those of a connection's withheld edits that are stored, and drops `done` once it has tried.
    Resolve { withheld: Arc<Withheld>, done: oneshot::Sender<()> },
    /// Records that a snapshot is stored in the journal at a revision, or could not be.
    SnapshotStored(Option<Revision>),
    /// Writes that the watchlist is deleted, publishes it, and ends the room. If it cannot be written, the
    /// room goes on.
    Delete { at: Timestamp, done: oneshot::Sender<Result<(), JournalError>> },
}

/// Message for an edit that could not be written.
pub(super) const NOT_STORED: &str = "the server cannot store edits right now; send the edit again";

/// An edit, with its author and where its answer goes. An edit of a connection that is dropped without an
/// answer, as when its room fails, is withheld and answered `unavailable`.
pub struct EditRequest {
    pub(super) caller: Caller,
    /// What the author may do with the watchlist.
    pub(super) rights: Rights,
    pub(super) watchlist: WatchlistId,
    /// The outbox that the edit comes from.
    pub(super) client: ClientId,
    /// Number of the edit in the outbox.
    pub(super) edit: EditId,
    pub(super) changes: Result<Vec<Change>, Unreadable>,
    /// Destination of the answer; empty once it is sent.
    reply: Option<Reply>,
}

/// An edit whose changes cannot be read. It is answered and its answer is kept like that of any other edit.
pub struct Unreadable {
    /// The received message.
    pub bytes: Vec<u8>,
    /// The reason, for the person who made the edit.
    pub message: String,
}

/// Destination of the answer to an edit.
pub enum Reply {
    /// A connection, with the edits that are withheld from it.
    Connection(AnswerQueue, Arc<Withheld>),
    /// A caller that waits for this one answer.
    Once(oneshot::Sender<Verdict>),
}

/// A room's owner, which has the only sender that an unused room has.
#[derive(Debug)]
pub struct RoomHandle {
    commands: mpsc::Sender<Command>,
}

/// Sends requests to a room. They wait while its queue is full.
#[derive(Clone, Debug)]
pub struct RoomSender {
    commands: mpsc::Sender<Command>,
}

/// Reads from a room without keeping it running.
#[derive(Clone, Debug)]
pub struct RoomReader {
    commands: mpsc::WeakSender<Command>,
}

impl RoomHandle {
    /// Creates the handle that sends to a room's queue.
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Returns a sender of requests.
    pub fn sender(&self) -> RoomSender {
        RoomSender { commands: self.commands.clone() }
    }

    /// Returns a reader that does not keep the room running.
    pub fn reader(&self) -> RoomReader {
        RoomReader { commands: self.commands.downgrade() }
    }

    /// Writes that the watchlist is deleted, publishes it, and waits until the room has ended: it writes
    /// nothing more. If it cannot be written, the room goes on. Returns `None` if the room has ended without
    /// writing it.
    pub async fn delete(&self, at: Timestamp) -> Option<Result<(), JournalError>> {
        let (done, is_done) = oneshot::channel();
        drop(self.commands.send(Command::Delete { at, done }).await);
        let written = is_done.await.ok();
        if !matches!(written, Some(Err(_))) {
            self.commands.closed().await;
        }
        written
    }

    /// Whether the room has ended.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }
}

impl RoomSender {
    /// Sends an edit, whose answer goes where the edit says.
    pub async fn edit(&self, edit: EditRequest) {
        // A room that has ended drops the edit, which answers it.
        drop(self.commands.send(Command::Edit(edit)).await);
    }

    /// Returns the durable state.
    ///
    /// # Errors
    /// The room cannot load the watchlist, or has ended.
    pub async fn read(&self) -> Result<(Frozen, At), Unavailable> {
        read(&self.commands).await
    }

    /// Releases those of a connection's withheld edits that are stored after all. Those that cannot be looked
    /// up now are looked up later.
    pub async fn resolve(&self, withheld: &Arc<Withheld>) {
        let (done, is_done) = oneshot::channel();
        // A room that has ended cannot look them up.
        drop(self.commands.send(Command::Resolve { withheld: withheld.clone(), done }).await);
        drop(is_done.await);
    }

    /// Whether the room has ended.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }
}

impl RoomReader {
    /// Returns the durable state.
    ///
    /// # Errors
    /// The room cannot load the watchlist, or has ended.
    pub async fn read(&self) -> Result<(Frozen, At), Unavailable> {
        let commands = self.commands.upgrade().ok_or(Unavailable::NotServed)?;
        read(&commands).await
    }
}

async fn read(commands: &mpsc::Sender<Command>) -> Result<(Frozen, At), Unavailable> {
    let (sender, state) = oneshot::channel();
    commands.send(Command::Read(sender)).await.map_err(|_unsent| Unavailable::NotServed)?;
    state.await.map_err(|_dropped| Unavailable::NotServed)?
}

impl EditRequest {
    /// Creates the request for an edit of a watchlist, for which the caller has these rights.
    pub fn new(
        (caller, rights): (Caller, Rights),
        watchlist: WatchlistId,
        (client, edit): (ClientId, EditId),
        changes: Result<Vec<Change>, Unreadable>,
        reply: Reply,
    ) -> Self {
        Self { caller, rights, watchlist, client, edit, changes, reply: Some(reply) }
    }

    /// Returns the name under which the edit is numbered.
    pub(super) fn sender(&self) -> Sender {
        Sender { user: self.caller.user, client: self.client }
    }

    /// Answers the edit.
    pub(super) fn answer(mut self, verdict: Verdict) {
        let (watchlist, edit) = (self.watchlist, self.edit);
        match self.reply.take() {
            // A connection that is gone sends the edit again when it is back.
            Some(Reply::Connection(answers, _)) => answers.push(Answered { watchlist, edit, verdict }),
            Some(Reply::Once(caller)) => drop(caller.send(verdict)),
            None => {}
        }
    }

    /// Returns the edits that are withheld from its connection. A caller that waits for one answer has none.
    pub(super) fn withheld(&self) -> Option<&Arc<Withheld>> {
        match &self.reply {
            Some(Reply::Connection(_, withheld)) => Some(withheld),
            Some(Reply::Once(_)) | None => None,
        }
    }

    /// Makes later edits of its connection wait until the edit is sent again. It is to be answered
    /// `unavailable`.
    pub(super) fn mark_withheld(&self) {
        if let Some(withheld) = self.withheld() {
            withheld.withhold(self.watchlist, self.edit);
        }
    }
}

impl Drop for EditRequest {
    fn drop(&mut self) {
        self.mark_withheld();
        if let Some(Reply::Connection(answers, _)) = self.reply.take() {
            let (watchlist, edit, verdict) = (self.watchlist, self.edit, unavailable(NOT_STORED));
            answers.push(Answered { watchlist, edit, verdict });
        }
    }
}

/// Returns the answer to an edit that cannot be judged now.
pub(super) fn unavailable(reason: &str) -> Verdict {
    Verdict::Rejected(Rejection::new(Code::Unavailable, reason).into())
}
