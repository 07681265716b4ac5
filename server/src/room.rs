//! One task owns one watchlist: it judges edits, orders them, has them written, and tells everyone.
//!
//! The state runs ahead of the disk only while a write is under way, and nothing is read from it then:
//! edits that arrive meanwhile wait in the channel and share the next write.

mod answers;
pub mod authorship;
mod judge;
mod load;
mod presence;
mod refuse;
mod task;
mod withheld;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use shared::{
    edit::{Change, Rejection},
    ids::{ClientId, EditId, Revision, WatchlistId, WindowId},
    watchlist::Frozen,
    wire::{At, CellRef, codec::Encoding, server::User},
};
use tokio::sync::{mpsc, oneshot};

pub use refuse::{DAMAGED, NOT_SERVED};
pub use task::{RoomContext, spawn};
pub use withheld::Withheld;

use crate::{
    fanout::{ConnectionId, SnapshotFrames, Subscriber},
    journal::Verdict,
};

/// Commands that may wait for a room; senders wait beyond that.
pub const QUEUE: usize = 1024;

/// What a room is asked to do.
pub enum Command {
    /// A connection wants the watchlist, whole or from where it stands.
    Open {
        /// Who.
        subscriber: Subscriber,
        /// From where.
        at: Option<At>,
        /// Its edits that have to come again before others.
        withheld: Arc<Withheld>,
    },
    /// A connection wants no more of it.
    Leave(ConnectionId),
    /// A connection that could not keep up has written everything it had.
    CatchUp(ConnectionId),
    /// An edit to be judged.
    Edit(EditRequest),
    /// Where a window is.
    Presence {
        /// On which connection.
        connection: ConnectionId,
        /// Which window.
        window: WindowId,
        /// At which cell.
        cell: Option<CellRef>,
        /// Whether it is being edited.
        editing: bool,
    },
    /// The state, for an HTTP answer, or why there is none.
    Read(oneshot::Sender<Result<(Frozen, At), &'static str>>),
    /// A snapshot for connections was encoded.
    Encoded {
        /// In which encoding.
        encoding: Encoding,
        /// Of which revision.
        revision: Revision,
        /// The parts.
        frames: Arc<SnapshotFrames>,
    },
    /// A snapshot for the journal was written, up to this revision, or was not.
    Saved(Option<Revision>),
    /// The watchlist was deleted: everyone is told and the room ends.
    Delete,
}

/// An edit, and where its answer goes.
pub struct EditRequest {
    /// Whose.
    pub user: Arc<User>,
    /// Of which outbox.
    pub client: ClientId,
    /// Its number there.
    pub edit: EditId,
    /// What it changes.
    pub changes: Result<Vec<Change>, Unreadable>,
    /// Where the answer goes.
    pub reply: Reply,
}

/// An edit whose changes cannot be read. It is answered, and the answer kept, as any other's.
pub struct Unreadable {
    /// Its bytes as they came.
    pub bytes: Vec<u8>,
    /// What is wrong with them.
    pub message: String,
}

/// Where an edit's answer goes.
pub enum Reply {
    /// To a connection.
    Connection(mpsc::Sender<Answered>, Arc<Withheld>),
    /// To a caller that waits for this one.
    Once(oneshot::Sender<Verdict>),
}

/// An edit's answer on its way to a connection.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Which edit.
    pub edit: EditId,
    /// How it was answered.
    pub verdict: Verdict,
}

/// What the list of watchlists shows of a room, as of now.
#[derive(Debug)]
pub struct Live {
    name: Mutex<Arc<str>>,
    revision: AtomicU64,
    rows: AtomicUsize,
}

/// A way to ask a room.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    commands: mpsc::Sender<Command>,
}

/// The room is no longer there.
#[derive(Debug, thiserror::Error)]
#[error("the watchlist is not being served any longer")]
pub struct RoomGone;

impl RoomHandle {
    /// Asks, waiting while the room's queue is full.
    ///
    /// # Errors
    /// The room has ended.
    pub async fn send(&self, command: Command) -> Result<(), RoomGone> {
        self.commands.send(command).await.map_err(|_unsent| RoomGone)
    }

    /// Whether the room has ended.
    pub fn is_gone(&self) -> bool {
        self.commands.is_closed()
    }
}

impl Reply {
    fn answer(self, watchlist: WatchlistId, edit: EditId, verdict: Verdict) {
        match self {
            // The channel holds as many answers as a connection may have edits under way; one that is gone
            // asks again when it is back.
            Reply::Connection(answers, _) => drop(answers.try_send(Answered { watchlist, edit, verdict })),
            Reply::Once(caller) => drop(caller.send(verdict)),
        }
    }

    /// The edits that are withheld from its connection; a caller that waits for one edit has no others.
    fn withheld(&self) -> Option<&Arc<Withheld>> {
        match self {
            Reply::Connection(_, withheld) => Some(withheld),
            Reply::Once(_) => None,
        }
    }
}

impl Live {
    /// As the journal has it.
    pub fn new(name: Arc<str>, revision: Revision, rows: usize) -> Self {
        Self { name: Mutex::new(name), revision: AtomicU64::new(revision.0), rows: AtomicUsize::new(rows) }
    }

    /// Its name, revision and rows.
    pub fn get(&self) -> (Arc<str>, Revision, usize) {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (name, Revision(self.revision.load(Ordering::Relaxed)), self.rows.load(Ordering::Relaxed))
    }

    /// Notes them and says whether the name is another.
    fn set(&self, name: &Arc<str>, revision: Revision, rows: usize) -> bool {
        self.revision.store(revision.0, Ordering::Relaxed);
        self.rows.store(rows, Ordering::Relaxed);
        let mut held = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        let renamed = *held != *name;
        if renamed {
            *held = name.clone();
        }
        renamed
    }
}

/// A refusal as a verdict.
fn refused(code: shared::edit::Code, message: impl Into<String>) -> Verdict {
    Verdict::Rejected(Rejection::new(code, message))
}
