//! The channel's task: it takes events and commands, and starts what has to be read. It waits for neither the journal nor the
//! room, because the room waits for it when the bus is full.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt};
use shared::{
    ids::WatchlistId,
    wire::server::{Closed, ClosedReason, ServerMessage},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    catch_up::encode_snapshot,
    command::{ChannelSender, Command, MAX_QUEUED},
    fan_out::{FanOut, Job, unavailable},
    source::Source,
};
use crate::{
    event::{Event, Published},
    unavailable::Unavailable,
};

/// Dependencies that all channels share.
#[derive(Clone)]
pub struct ChannelContext {
    /// Minimum time between two batches of changes to a connection.
    pub flush_interval: Duration,
    /// Owns the channels' tasks.
    pub tasks: TaskTracker,
    /// Whether the server is stopping: then sessions tell their clients, not channels.
    pub stop: CancellationToken,
}

/// Starts the channel of a watchlist. Commands wait in its queue until the first event, and it ends with the events.
pub fn spawn(
    context: ChannelContext,
    watchlist: WatchlistId,
    events: impl Stream<Item = Event> + Send + Unpin + 'static,
    source: Arc<dyn Source>,
) -> ChannelSender {
    let (sender, commands) = mpsc::channel(MAX_QUEUED);
    let own = sender.downgrade();
    let events = events.fuse();
    let task = Task { context: context.clone(), watchlist, events, commands, source, own };
    context.tasks.spawn(task.run());
    ChannelSender::new(sender)
}

struct Task<E> {
    context: ChannelContext,
    watchlist: WatchlistId,
    events: E,
    commands: mpsc::Receiver<Command>,
    source: Arc<dyn Source>,
    own: mpsc::WeakSender<Command>,
}

/// Why a channel no longer serves its subscribers.
enum End {
    Deleted,
    Unavailable(Unavailable),
    /// The room has ended without a last event: the server is stopping, or the room has failed.
    RoomEnded,
}

impl<E: Stream<Item = Event> + Unpin> Task<E> {
    async fn run(mut self) {
        let end = match self.events.next().await {
            Some(Event::Published(first)) => self.serve(first).await,
            Some(Event::Unavailable(reason)) => End::Unavailable(reason),
            Some(Event::Deleted) => End::Deleted,
            None => End::RoomEnded,
        };
        let reason = match end {
            End::Unavailable(reason) => reason,
            End::Deleted | End::RoomEnded => Unavailable::NotServed,
        };
        // A room that does not serve its watchlist may go on, so that its damaged records are not read again at once.
        loop {
            tokio::select! {
                biased;
                event = self.events.next() => if event.is_none() { break },
                Some(command) = self.commands.recv() => self.refuse(command, reason),
            }
        }
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            self.refuse(command, reason);
        }
    }

    /// Serves the subscribers until the room ends, and tells them.
    async fn serve(&mut self, first: Published) -> End {
        let mut fan_out = FanOut::new(self.watchlist, first, self.context.flush_interval);
        let end = loop {
            while let Some(job) = fan_out.next_job() {
                self.start(job);
            }
            tokio::select! {
                biased;
                () = until(fan_out.wake_at()) => fan_out.wake(),
                // Before the commands, so that a subscriber gets what was published before it subscribed.
                event = self.events.next() => match event {
                    Some(Event::Published(published)) => fan_out.publish(published),
                    Some(Event::Unavailable(reason)) => break End::Unavailable(reason),
                    Some(Event::Deleted) => break End::Deleted,
                    None => break End::RoomEnded,
                },
                Some(command) = self.commands.recv() => execute(&mut fan_out, command),
            }
        };
        match end {
            End::Deleted => {
                let (watchlist, reason) = (self.watchlist, ClosedReason::Deleted);
                fan_out.close(&ServerMessage::Closed(Closed { watchlist, reason }));
            }
            End::RoomEnded if self.context.stop.is_cancelled() => fan_out.flush(),
            // The clients subscribe again, to a room that is started then.
            End::RoomEnded => fan_out.close(&unavailable(self.watchlist, Unavailable::NotServed)),
            End::Unavailable(reason) => fan_out.close(&unavailable(self.watchlist, reason)),
        }
        end
    }

    /// Starts a task that reads something and sends the result to this channel's own queue.
    fn start(&self, job: Job) {
        let (source, own, watchlist) = (self.source.clone(), self.own.clone(), self.watchlist);
        self.context.tasks.spawn(async move {
            let result = match job {
                Job::Read(missed) => Command::CommitsRead(missed.read(&*source).await),
                Job::EncodeSnapshot(dialect) => {
                    let frames = encode_snapshot(&*source, watchlist, dialect).await;
                    Command::SnapshotEncoded { dialect, frames }
                }
            };
            if let Some(own) = own.upgrade() {
                // A channel that has ended has no subscribers to send it to.
                drop(own.send(result).await);
            }
        });
    }

    fn refuse(&self, command: Command, reason: Unavailable) {
        if let Command::Subscribe { subscriber, .. } = command {
            subscriber.send_always(&unavailable(self.watchlist, reason));
        }
    }
}

fn execute(fan_out: &mut FanOut, command: Command) {
    match command {
        Command::Subscribe { subscriber, at } => fan_out.subscribe(subscriber, at),
        Command::Unsubscribe(connection) => fan_out.leave(connection),
        Command::CatchUp(connection) => fan_out.catch_up(connection),
        Command::Presence { connection, window, cell, editing } => {
            fan_out.set_presence(connection, window, (cell, editing));
        }
        Command::CommitsRead(commits) => fan_out.commits_read(commits),
        Command::SnapshotEncoded { dialect, frames } => fan_out.snapshot_encoded(dialect, frames),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
