//! Commands of a channel, and the handle that sends them.

use std::sync::Arc;

use shared::{
    account::ListRole,
    edit::{CellRef, Commit},
    ids::{At, WindowId},
};
use tokio::sync::mpsc;

use super::{
    outbox::{ConnectionId, SnapshotFrames},
    snapshots::Form,
    subscribers::{Recipient, Subscriber},
};
use crate::unavailable::Unavailable;

/// Maximum number of commands that wait for a channel. Senders wait beyond that.
pub(super) const MAX_QUEUED: usize = 1024;

/// A command of a channel: a request of a connection, or the result of its own reading.
pub(super) enum Command {
    /// Sends the watchlist to a connection, from the revision that it has, and keeps it up to date.
    Subscribe { subscriber: Subscriber, at: Option<At> },
    /// Stops sending to a connection.
    Unsubscribe(ConnectionId),
    /// Stops sending to a connection whose caller may no longer see the watchlist, and tells it.
    Forbid(Recipient),
    /// Changes the role of a connection's caller.
    SetRole { connection: ConnectionId, role: ListRole },
    /// Continues a connection that had fallen behind and has written everything.
    CatchUp(ConnectionId),
    /// Records where a window is.
    Presence { connection: ConnectionId, window: WindowId, cell: Option<CellRef>, editing: bool },
    /// Adds the commits that were read, or `None` if a snapshot is to be sent instead.
    CommitsRead(Result<Option<Vec<Commit>>, Unavailable>),
    /// Adds a snapshot that is encoded.
    SnapshotEncoded { form: Form, frames: Result<Arc<SnapshotFrames>, Unavailable> },
}

/// Sends requests to a channel. They wait while its queue is full.
#[derive(Clone, Debug)]
pub struct ChannelSender {
    commands: mpsc::Sender<Command>,
}

impl ChannelSender {
    /// Creates the handle that sends to a channel's queue.
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Sends the watchlist to a connection, and keeps it up to date. `at` is the revision that the connection
    /// has, if it has one.
    ///
    /// # Errors
    /// The channel has ended.
    pub async fn subscribe(&self, subscriber: Subscriber, at: Option<At>) -> Result<(), Unavailable> {
        let subscribe = Command::Subscribe { subscriber, at };
        self.commands.send(subscribe).await.map_err(|_unsent| Unavailable::NotServed)
    }

    /// Stops sending to a connection, and removes its windows.
    pub async fn unsubscribe(&self, connection: ConnectionId) {
        self.send(Command::Unsubscribe(connection)).await;
    }

    /// Stops sending to a connection whose caller may no longer see the watchlist, and tells it after
    /// everything that it was sent before.
    ///
    /// # Errors
    /// The channel has ended, and has not told it.
    pub async fn forbid(&self, recipient: Recipient) -> Result<(), Unavailable> {
        let forbid = Command::Forbid(recipient);
        self.commands.send(forbid).await.map_err(|_unsent| Unavailable::NotServed)
    }

    /// Tells a connection its caller's new role.
    pub async fn set_role(&self, connection: ConnectionId, role: ListRole) {
        self.send(Command::SetRole { connection, role }).await;
    }

    /// Continues a connection that had fallen behind and has written everything.
    pub async fn catch_up(&self, connection: ConnectionId) {
        self.send(Command::CatchUp(connection)).await;
    }

    /// Records the cell that a window of a connection is at, and whether the cell's editor is open.
    pub async fn set_presence(
        &self,
        connection: ConnectionId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        self.send(Command::Presence { connection, window, cell, editing }).await;
    }

    /// Waits until the channel has ended.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    /// Sends a command that a channel without subscribers, such as one that has ended, need not execute.
    async fn send(&self, command: Command) {
        drop(self.commands.send(command).await);
    }
}
