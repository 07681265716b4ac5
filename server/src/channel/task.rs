//! The channel's task: it takes events and commands, and starts what has to be read. It waits for neither the
//! journal nor the room, because the room waits for it when the bus is full.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt};
use shared::{
    ids::WatchlistId,
    wire::server::{Closed, ClosedReason, ServerMessage},
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    catch_up::{encode_snapshot, result_of},
    command::{ChannelSender, Command, MAX_QUEUED},
    fan_out::{FanOut, Job, unavailable},
    source::Source,
};
use crate::{
    event::{Event, Published},
    timer::until,
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

/// Starts the channel of a watchlist. Commands wait in its queue until the first event, and it ends with the
/// events.
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
        // A room that does not serve its watchlist may go on, so that its damaged records are not read again
        // at once.
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
        let mut received = None;
        let end = loop {
            while let Some(job) = fan_out.next_job() {
                self.start(job);
            }
            tokio::select! {
                biased;
                () = until(fan_out.wake_at()) => fan_out.wake(),
                event = self.events.next() => match event {
                    Some(Event::Published(published)) => fan_out.publish(published),
                    Some(Event::Unavailable(reason)) => break End::Unavailable(reason),
                    Some(Event::Deleted) => break End::Deleted,
                    None => break End::RoomEnded,
                },
                // Executed only once there are no more events: what was published before a command was sent
                // comes before it.
                () = std::future::ready(()), if received.is_some() => {
                    received.take().into_iter().for_each(|command| execute(&mut fan_out, command));
                }
                Some(command) = self.commands.recv(), if received.is_none() => received = Some(command),
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
        if let Some(command) = received {
            self.refuse(command, Unavailable::NotServed);
        }
        end
    }

    /// Starts a task that reads something and sends the result to this channel's own queue.
    fn start(&self, job: Job) {
        let (source, own, watchlist) = (self.source.clone(), self.own.clone(), self.watchlist);
        let tasks = self.context.tasks.clone();
        self.context.tasks.spawn(async move {
            let result = match job {
                Job::Read(missed) => {
                    let read = tasks.spawn(async move { missed.read(&*source).await });
                    Command::CommitsRead(result_of(watchlist, read).await)
                }
                Job::EncodeSnapshot(form) => {
                    let encoded =
                        tasks.spawn(async move { encode_snapshot(&*source, watchlist, form).await });
                    Command::SnapshotEncoded { form, frames: result_of(watchlist, encoded).await }
                }
            };
            if let Some(own) = own.upgrade() {
                // A channel that has ended has no subscribers to send it to.
                drop(own.send(result).await);
            }
        });
    }

    fn refuse(&self, command: Command, reason: Unavailable) {
        match command {
            Command::Subscribe { subscriber, .. } => {
                subscriber.send_always(&unavailable(self.watchlist, reason));
            }
            Command::Forbid(recipient) => recipient.send_forbidden(self.watchlist),
            Command::Unsubscribe(_)
            | Command::SetRole { .. }
            | Command::CatchUp(_)
            | Command::Presence { .. }
            | Command::CommitsRead(_)
            | Command::SnapshotEncoded { .. } => {}
        }
    }
}

fn execute(fan_out: &mut FanOut, command: Command) {
    match command {
        Command::Subscribe { subscriber, at } => fan_out.subscribe(subscriber, at),
        Command::Unsubscribe(connection) => fan_out.leave(connection),
        Command::Forbid(recipient) => fan_out.forbid(&recipient),
        Command::SetRole { connection, role } => fan_out.set_role(connection, role),
        Command::CatchUp(connection) => fan_out.catch_up(connection),
        Command::Presence { connection, window, cell, editing } => {
            fan_out.set_presence(connection, window, (cell, editing));
        }
        Command::CommitsRead(commits) => fan_out.commits_read(commits),
        Command::SnapshotEncoded { form, frames } => fan_out.snapshot_encoded(form, frames),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Mutex,
        task::{Context, Poll},
    };

    use futures_util::{FutureExt, future::BoxFuture, stream::poll_fn};
    use shared::{
        account::ListRole,
        column::standard_columns,
        edit::{Author, Commit},
        ids::{At, ClientId, EditId, Epoch, Revision, UserId},
        limits::Limits,
        time::Timestamp,
        watchlist::{Frozen, Watchlist},
        wire::codec::Encoding,
    };
    use uuid::Uuid;

    use super::{
        super::{ConnectionId, Outbox, Outgoing, Subscriber},
        *,
    };
    use crate::dialect::Dialect;

    /// Called when the channel has found no event, before it looks for a command.
    type Hook = Box<dyn FnOnce() + Send>;

    struct NoSource;

    impl Source for NoSource {
        fn commits_after(&self, _: Revision, _: usize) -> BoxFuture<'_, Result<Vec<Commit>, Unavailable>> {
            panic!("everything is in memory")
        }

        fn state(&self) -> BoxFuture<'_, Result<(Frozen, At), Unavailable>> {
            panic!("the connection resumes")
        }
    }

    fn published(revision: u64) -> Event {
        let watchlist = Watchlist::new("List", standard_columns(), &Limits::default()).unwrap();
        let at = At { epoch: Epoch(Uuid::nil()), revision: Revision(revision) };
        let by = Author {
            user: UserId(Uuid::nil()),
            name: "ann".into(),
            client: ClientId(Uuid::nil()),
            edit: EditId(1),
        };
        let commit = |revision| Commit { revision, by, at: Timestamp::default(), changes: vec![] };
        let commits = if revision == 0 { vec![] } else { vec![Arc::new(commit(at.revision))] };
        let columns = watchlist.columns().clone();
        Event::Published(Published { commits: commits.into(), at, columns, approximate_bytes: 1_000 })
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscriber_gets_what_was_published_between_the_looks_for_events_and_for_commands() {
        let (sender, mut events) = mpsc::channel(4);
        let hook: Arc<Mutex<Option<Hook>>> = Arc::default();
        let pending = hook.clone();
        let events = poll_fn(move |context: &mut Context<'_>| {
            let event = events.poll_recv(context);
            if event.is_pending()
                && let Some(hook) = pending.lock().unwrap().take()
            {
                hook();
                return Poll::Pending;
            }
            event
        });
        let context = ChannelContext {
            flush_interval: Duration::from_millis(16),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let channel = spawn(context, WatchlistId(Uuid::nil()), events, Arc::new(NoSource));
        sender.send(published(0)).await.unwrap();
        let (outbox, mut items, _state) = Outbox::new(1_000);
        let subscriber = Subscriber {
            connection: ConnectionId(1),
            client: ClientId(Uuid::nil()),
            name: "ann".into(),
            dialect: Dialect::WebSocket(Encoding::Json),
            role: ListRole::Editor,
            outbox,
        };
        let at = At { epoch: Epoch(Uuid::nil()), revision: Revision(0) };
        *hook.lock().unwrap() = Some(Box::new(move || {
            sender.try_send(published(1)).unwrap();
            channel.subscribe(subscriber, Some(at)).now_or_never().unwrap().unwrap();
            std::mem::forget((sender, channel));
        }));
        let Some(Outgoing::Frame(frame)) = items.recv().await else { panic!("the connection resumes") };
        match Encoding::Json.decode_server(frame.payload()).unwrap() {
            ServerMessage::Resumed(resumed) => assert_eq!(resumed.revision, Revision(1)),
            other => panic!("{other:?}"),
        }
    }
}
