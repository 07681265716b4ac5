//! A running watchlist: its room and its channel, and what a caller can do with them.

use std::sync::Arc;

use shared::{
    account::ListRole,
    edit::{CellRef, Change},
    ids::{At, ClientId, EditId, Epoch, WatchlistId, WindowId},
    rejection::Rejection,
    time::Timestamp,
    watchlist::Frozen,
};
use tokio::sync::oneshot;

use super::{refusal::unknown, source::JournalAndRoom};
use crate::{
    access::{Caller, Rights},
    accounts::Accounts,
    bus::local,
    channel::{self, ChannelContext, ChannelSender, ConnectionId, Recipient, Subscriber},
    journal::{JournalError, Verdict},
    room::{self, EditRequest, Live, Reply, RoomContext, RoomHandle, RoomSender, Unreadable, Withheld},
    unavailable::Unavailable,
};

/// The room and the channel of a watchlist. They are started together, and if one ends, so does the other.
pub(super) struct Running {
    watchlist: WatchlistId,
    room: RoomHandle,
    channel: ChannelSender,
}

/// A running watchlist as one caller may use it.
#[derive(Clone)]
pub struct OpenList {
    watchlist: WatchlistId,
    caller: Caller,
    accounts: Arc<Accounts>,
    room: RoomSender,
    channel: ChannelSender,
}

impl Running {
    /// Starts the room and the channel of a watchlist, joined by a bus.
    pub(super) fn start(
        context: &RoomContext,
        (watchlist, epoch): (WatchlistId, Epoch),
        live: Arc<Live>,
    ) -> Self {
        let (publisher, events) = local::bus();
        let room = room::spawn(context.clone(), (watchlist, epoch), live, publisher);
        let source = JournalAndRoom { journal: context.journal.clone(), watchlist, room: room.reader() };
        let channel_context = ChannelContext {
            flush_interval: context.settings.flush_interval(),
            tasks: context.tasks.clone(),
            stop: context.stop.clone(),
        };
        let channel = channel::spawn(channel_context, watchlist, events, Arc::new(source));
        Self { watchlist, room, channel }
    }

    /// Returns the watchlist for a caller that sees it.
    pub(super) fn open(&self, caller: &Caller, accounts: &Arc<Accounts>) -> OpenList {
        OpenList {
            watchlist: self.watchlist,
            caller: caller.clone(),
            accounts: accounts.clone(),
            room: self.room.sender(),
            channel: self.channel.clone(),
        }
    }

    /// Whether the room has ended, and with it the channel.
    pub(super) fn is_gone(&self) -> bool {
        self.room.is_gone()
    }

    /// Deletes the watchlist in the journal. Once that is written, the room ends, and the channel after it
    /// has told every subscriber. Returns `None` if the room has ended without writing it.
    pub(super) async fn delete(&self, at: Timestamp) -> Option<Result<(), JournalError>> {
        self.room.delete(at).await
    }

    /// Waits until the channel has ended.
    pub(super) async fn channel_ended(&self) {
        self.channel.ended().await;
    }
}

impl OpenList {
    /// Returns what the caller may do with the watchlist now.
    ///
    /// # Errors
    /// `unknownWatchlist` if the watchlist no longer exists for the caller.
    pub fn rights(&self) -> Result<Rights, Rejection> {
        self.accounts.rights(&self.caller, self.watchlist).ok_or_else(|| unknown(self.watchlist))
    }

    /// Sends an edit to be judged by these rights of the caller. Its answer goes to `reply`: `unavailable` if
    /// the room has ended.
    pub async fn edit(
        &self,
        rights: Rights,
        name: (ClientId, EditId),
        changes: Result<Vec<Change>, Unreadable>,
        reply: Reply,
    ) {
        let by = (self.caller.clone(), rights);
        self.room.edit(EditRequest::new(by, self.watchlist, name, changes, reply)).await;
    }

    /// Sends an edit to be judged, and returns its answer.
    ///
    /// # Errors
    /// `unknownWatchlist` if the watchlist no longer exists for the caller; `unavailable` if the room has ended. The edit may be
    /// stored nevertheless.
    pub async fn edit_answered(
        &self,
        name: (ClientId, EditId),
        changes: Result<Vec<Change>, Unreadable>,
    ) -> Result<Verdict, Rejection> {
        let (reply, answer) = oneshot::channel();
        self.edit(self.rights()?, name, changes, Reply::Once(reply)).await;
        answer.await.map_err(|_dropped| Unavailable::NotServed.into())
    }

    /// Returns the state, of which everything is durable.
    ///
    /// # Errors
    /// The watchlist cannot be loaded, or its room has ended.
    pub async fn read(&self) -> Result<(Frozen, At), Unavailable> {
        self.room.read().await
    }

    /// Sends the watchlist to a connection and keeps it up to date. `at` is the revision that the connection
    /// has, if it has one. Those of its `withheld` edits that are stored after all are released first: once
    /// the connection is up to date, it does not send them again.
    ///
    /// # Errors
    /// The channel has ended.
    pub async fn subscribe(
        &self,
        subscriber: Subscriber,
        at: Option<At>,
        withheld: &Arc<Withheld>,
    ) -> Result<(), Unavailable> {
        if !withheld.edits_of(self.watchlist).is_empty() {
            self.room.resolve(withheld).await;
        }
        self.channel.subscribe(subscriber, at).await
    }

    /// Stops sending to a connection, and removes its windows.
    pub async fn unsubscribe(&self, connection: ConnectionId) {
        self.channel.unsubscribe(connection).await;
    }

    /// Stops sending to a connection whose caller may no longer see the watchlist, and tells it after
    /// everything that it was sent before.
    ///
    /// # Errors
    /// The channel has ended, and has not told it.
    pub async fn forbid(&self, recipient: Recipient) -> Result<(), Unavailable> {
        self.channel.forbid(recipient).await
    }

    /// Tells a connection its caller's new role.
    pub async fn set_role(&self, connection: ConnectionId, role: ListRole) {
        self.channel.set_role(connection, role).await;
    }

    /// Continues a connection that had fallen behind and has written everything.
    pub async fn catch_up(&self, connection: ConnectionId) {
        self.channel.catch_up(connection).await;
    }

    /// Records the cell that a window of a connection is at, and whether the cell's editor is open.
    pub async fn set_presence(
        &self,
        connection: ConnectionId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        self.channel.set_presence(connection, window, cell, editing).await;
    }

    /// Whether the watchlist no longer runs. Opening it again starts it.
    pub fn is_gone(&self) -> bool {
        self.room.is_gone()
    }
}
