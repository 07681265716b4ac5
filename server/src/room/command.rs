//! What a room is asked to do, and the handle to ask it.

use std::sync::Arc;

use shared::{
    edit::{CellRef, Change},
    ids::{At, ClientId, EditId, Revision, WatchlistId, WindowId},
    rejection::{Code, Rejection},
    watchlist::Frozen,
};
use tokio::sync::{mpsc, oneshot};

use super::withheld::Withheld;
use crate::{
    access::{Caller, ListRole},
    channel::{ConnectionId, SnapshotFrames, Subscriber},
    dialect::Dialect,
    journal::{Sender, Verdict},
};

/// Maximum number of commands that wait for a room. Senders wait beyond that.
pub(super) const MAX_QUEUED: usize = 1024;

/// Something that connections and HTTP calls ask a room to do.
pub enum Request {
    /// Judges an edit.
    Edit(EditRequest),
    /// Returns the state, or why it is unavailable.
    Read(oneshot::Sender<Result<(Frozen, At), &'static str>>),
    /// Sends the watchlist to a connection and keeps it up to date.
    Subscribe {
        /// The connection.
        subscriber: Subscriber,
        /// The revision that the connection has, if it has one.
        at: Option<At>,
        /// The connection's edits that have to be sent again before later ones.
        withheld: Arc<Withheld>,
    },
    /// Stops sending to a connection.
    Unsubscribe(ConnectionId),
    /// Continues a connection that had fallen behind and has written everything.
    CatchUp(ConnectionId),
    /// Records where a window is.
    Presence {
        /// The window's connection.
        connection: ConnectionId,
        /// The window.
        window: WindowId,
        /// The cell that it is at.
        cell: Option<CellRef>,
        /// Whether the cell's editor is open.
        editing: bool,
    },
}

/// Something that a room does: a request, or what only the server itself may order.
pub(super) enum Command {
    /// Executes a request.
    Request(Request),
    /// Adds a snapshot that is encoded.
    SnapshotEncoded {
        /// The dialect that it is encoded in.
        dialect: Dialect,
        /// Its parts.
        frames: Arc<SnapshotFrames>,
    },
    /// Records that a snapshot is stored in the journal at a revision, or could not be.
    SnapshotStored(Option<Revision>),
    /// Tells every subscriber that the watchlist is deleted, and ends the room.
    Delete,
}

/// An edit, with its author and where its answer goes.
pub struct EditRequest {
    /// Who makes it.
    pub caller: Caller,
    /// The author's role on the watchlist.
    pub role: ListRole,
    /// The outbox that it comes from.
    pub client: ClientId,
    /// Its number in the outbox.
    pub edit: EditId,
    /// What it changes.
    pub changes: Result<Vec<Change>, Unreadable>,
    /// Where the answer goes.
    pub reply: Reply,
}

/// An edit whose changes cannot be read. It is answered, and the answer is kept, like that of any other edit.
pub struct Unreadable {
    /// The message as it came.
    pub bytes: Vec<u8>,
    /// What is wrong with it.
    pub message: String,
}

/// Where an edit's answer goes.
pub enum Reply {
    /// To a connection.
    Connection(mpsc::Sender<Answered>, Arc<Withheld>),
    /// To a caller that waits for this one answer.
    Once(oneshot::Sender<Verdict>),
}

/// An edit's answer on its way to a connection.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The watchlist that the edit is for.
    pub watchlist: WatchlistId,
    /// The edit's number.
    pub edit: EditId,
    /// The answer.
    pub verdict: Verdict,
}

/// A room's owner. It alone ends the room.
#[derive(Debug)]
pub struct RoomHandle {
    commands: mpsc::Sender<Command>,
}

/// Sends requests to a room.
#[derive(Clone, Debug)]
pub struct RoomSender {
    commands: mpsc::Sender<Command>,
}

/// The room has ended.
#[derive(Debug, thiserror::Error)]
#[error("the watchlist is no longer served")]
pub struct RoomGone;

impl RoomHandle {
    /// Creates the handle that sends to a room's queue.
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Returns a sender of requests.
    pub fn sender(&self) -> RoomSender {
        RoomSender { commands: self.commands.clone() }
    }

    /// Tells every subscriber that the watchlist is deleted, and ends the room.
    pub async fn delete(self) {
        // A room that has ended has no subscribers.
        drop(self.commands.send(Command::Delete).await);
    }

    /// Whether the room has ended.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }
}

impl RoomSender {
    /// Sends a request, and waits while the room's queue is full.
    ///
    /// # Errors
    /// The room has ended.
    pub async fn send(&self, request: Request) -> Result<(), RoomGone> {
        self.commands.send(Command::Request(request)).await.map_err(|_unsent| RoomGone)
    }

    /// Whether the room has ended.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }
}

impl EditRequest {
    /// Returns the name under which the edit is numbered.
    pub(super) fn sender(&self) -> Sender {
        Sender { user: self.caller.user().id, client: self.client }
    }

    /// Answers the edit.
    pub(super) fn answer(self, watchlist: WatchlistId, verdict: Verdict) {
        match self.reply {
            // The channel has room for every edit that a connection may have in flight. A connection that is gone sends the
            // edit again when it is back.
            Reply::Connection(answers, _) => {
                drop(answers.try_send(Answered { watchlist, edit: self.edit, verdict }));
            }
            Reply::Once(caller) => drop(caller.send(verdict)),
        }
    }

    /// Returns the edits that are withheld from its connection. A caller that waits for one answer has none.
    pub(super) fn withheld(&self) -> Option<&Arc<Withheld>> {
        match &self.reply {
            Reply::Connection(_, withheld) => Some(withheld),
            Reply::Once(_) => None,
        }
    }

    /// Makes later edits of its connection wait until the edit is sent again. It is to be answered `unavailable`.
    pub(super) fn mark_withheld(&self, watchlist: WatchlistId) {
        if let Some(withheld) = self.withheld() {
            withheld.withhold(watchlist, self.edit);
        }
    }
}

/// Returns the answer to an edit that cannot be judged now.
pub(super) fn unavailable(reason: &str) -> Verdict {
    Verdict::Rejected(Rejection::new(Code::Unavailable, reason))
}
