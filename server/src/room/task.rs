//! The room's task: it takes commands, lets the sequencer judge and write edits, and passes what is durable to the channel.

use std::sync::Arc;

use shared::{
    edit::Commit,
    ids::{At, Epoch, Revision, WatchlistId},
    wire::{
        server::{Closed, ClosedReason, Resumed, ServerMessage},
        snapshot::Snapshot,
    },
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    command::{Command, EditRequest, MAX_QUEUED, Request, RoomHandle, unavailable},
    context::RoomContext,
    judge::Judge,
    live::Live,
    load::load,
    recovery::Recovery,
    refuse::{NOT_STORED, Reason, refuse, refuse_all, refuse_until},
    saver::Saver,
    sequencer::{Judged, Sequencer},
    withheld::Withheld,
};
use crate::{
    channel::{Channel, ConnectionId, Need, Outgoing, SnapshotFrames, Subscriber, conflated_bytes},
    dialect::{Dialect, frame::Frame},
    journal::{JournalError, ReadLimit, Verdict},
};

/// Size of a part of a snapshot as it is sent, in bytes.
const PART_BYTES: usize = 16 * 1024;
/// How much of the journal a catch-up reads at once.
const CATCH_UP: ReadLimit = ReadLimit { commits: 128, bytes: 512 * 1024 };
/// How long a watchlist with damaged records is rejected before the records are read again.
const DAMAGED_REST: Duration = Duration::from_secs(30);

/// Starts the room of a watchlist. It loads the watchlist first; commands wait in its queue.
pub fn spawn(context: RoomContext, watchlist: WatchlistId, epoch: Epoch, live: Arc<Live>) -> RoomHandle {
    let (sender, mut commands) = mpsc::channel(MAX_QUEUED);
    let own = sender.downgrade();
    let tasks = context.tasks.clone();
    tasks.spawn(async move {
        let loaded = load(&context, watchlist).await.and_then(|(judge, saved)| {
            let (_, known, _) = live.get();
            let is_whole = judge.revision >= known;
            let missing =
                || JournalError::Damaged(format!("watchlist {watchlist}: revision {known} is missing"));
            is_whole.then_some((judge, saved)).ok_or_else(missing)
        });
        match loaded {
            Ok((judge, saved)) => {
                let mut room = Room::new(context, (watchlist, epoch), live, (judge, saved), own);
                room.start();
                room.run(commands).await;
            }
            Err(error) => {
                error!(%watchlist, error = &error as &dyn std::error::Error, "failed to load a watchlist");
                let reason = Reason::of(&error);
                if reason == Reason::Damaged {
                    // It does not recover by itself.
                    let until = Instant::now() + DAMAGED_REST;
                    tokio::select! {
                        () = refuse_until(watchlist, &mut commands, reason, until) => {}
                        () = context.stop.cancelled() => {}
                    }
                }
                refuse_all(watchlist, commands, reason).await;
            }
        }
    });
    RoomHandle::new(sender)
}

struct Room {
    context: RoomContext,
    watchlist: WatchlistId,
    epoch: Epoch,
    live: Arc<Live>,
    sequencer: Sequencer,
    channel: Channel,
    recovery: Recovery,
    saver: Saver,
    own: mpsc::WeakSender<Command>,
}

impl Room {
    fn new(
        context: RoomContext,
        (watchlist, epoch): (WatchlistId, Epoch),
        live: Arc<Live>,
        (judge, saved): (Judge, Revision),
        own: mpsc::WeakSender<Command>,
    ) -> Self {
        let channel = Channel::new(watchlist, judge.revision, context.settings.flush_interval());
        Self {
            channel,
            sequencer: Sequencer::new(context.clone(), watchlist, judge),
            saver: Saver::new(context.clone(), watchlist, own.clone(), saved),
            recovery: Recovery::default(),
            context,
            watchlist,
            epoch,
            live,
            own,
        }
    }

    fn start(&mut self) {
        let at = self.at();
        self.saver.save_if_due(&self.sequencer.state, at);
        self.saver.prune_old(&self.sequencer.state, at, Instant::now());
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let stop = self.context.stop.clone();
        loop {
            let mut received = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = until(self.channel.wake_at()) => self.channel.wake(),
                () = until(self.recovery.resolve_at()) => self.resolve().await,
                () = until(self.saver.prune_at()) => {
                    let at = self.at();
                    self.saver.prune_old(&self.sequencer.state, at, Instant::now());
                }
                count = commands.recv_many(&mut received, MAX_QUEUED) => {
                    if count == 0 || !self.execute_all(received).await {
                        break;
                    }
                }
            }
            while let Some(connection) = self.channel.pop_behind() {
                let need = self.channel.catch_up(connection);
                self.catch_up_from_journal(connection, need).await;
            }
        }
        self.channel.flush();
        refuse_all(self.watchlist, commands, Reason::NotServed).await;
    }

    /// Executes the edits first, so that every other command sees what is on disk. Returns false once the watchlist is deleted.
    async fn execute_all(&mut self, commands: Vec<Command>) -> bool {
        let (mut edits, mut others) = (Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Request(Request::Edit(edit)) => edits.push(edit),
                other => others.push(other),
            }
        }
        if !edits.is_empty() {
            self.edit(edits).await;
        }
        let mut others = others.into_iter();
        while let Some(command) = others.next() {
            if !self.execute(command).await {
                others.for_each(|rest| refuse(self.watchlist, rest, Reason::NotServed));
                return false;
            }
        }
        true
    }

    async fn execute(&mut self, command: Command) -> bool {
        match command {
            Command::Request(request) => self.serve(request).await,
            Command::SnapshotEncoded { dialect, frames } => {
                debug_assert!(frames.revision <= self.at().revision, "snapshots show what is on disk");
                self.channel.snapshot_encoded(dialect, &frames);
            }
            Command::SnapshotStored(revision) => self.saver.stored(revision),
            Command::Delete => {
                self.delete();
                return false;
            }
        }
        true
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Edit(edit) => self.edit(vec![edit]).await,
            Request::Subscribe { subscriber, at, withheld } => {
                self.resolve_before_subscribing(&withheld).await;
                self.subscribe(subscriber, at).await;
            }
            Request::Unsubscribe(connection) => self.channel.leave(connection),
            Request::CatchUp(connection) => {
                let need = self.channel.catch_up(connection);
                self.catch_up_from_journal(connection, need).await;
            }
            Request::Presence { connection, window, cell, editing } => {
                let columns = self.sequencer.state.watchlist.columns();
                let cell = cell.filter(|cell| columns.get(&cell.column).is_some());
                self.channel.set_presence(connection, window, (cell, editing));
            }
            Request::Read(caller) => {
                // A caller that is gone needs no answer.
                drop(caller.send(Ok((self.sequencer.state.watchlist.freeze(), self.at()))));
            }
        }
    }

    fn at(&self) -> At {
        At { epoch: self.epoch, revision: self.sequencer.state.revision }
    }

    async fn edit(&mut self, requests: Vec<EditRequest>) {
        if !self.recover_if_suspect().await {
            let requests = requests.into_iter().map(|request| self.sequencer.withhold(request));
            return self.answer_unavailable(requests.collect());
        }
        let mut judged = self.sequencer.judge(requests).await;
        self.answer(std::mem::take(&mut judged.answered));
        self.answer_unavailable(std::mem::take(&mut judged.withheld));
        let written = if judged.has_nothing_to_write() { Ok(()) } else { self.write(&mut judged).await };
        let published = self.channel.published();
        let sequenced = self.sequencer.finish(judged, written, published).await;
        self.answer(sequenced.answered);
        self.answer_unavailable(sequenced.withheld);
        self.publish(&sequenced.commits);
    }

    /// Reads the state from the journal again after a failed write, and publishes commits that were stored after all. Returns
    /// false while the journal cannot be read.
    async fn recover_if_suspect(&mut self) -> bool {
        let recovered = self.sequencer.recover_if_suspect(self.channel.published()).await;
        let is_recovered = recovered.is_some();
        self.publish(&recovered.unwrap_or_default());
        is_recovered
    }

    /// Writes judged edits, and sends what is due in the meantime.
    async fn write(&mut self, judged: &mut Judged) -> Result<(), JournalError> {
        let write = self.sequencer.write(judged);
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                written = &mut write => return written,
                () = until(self.channel.wake_at()) => self.channel.wake(),
            }
        }
    }

    fn answer(&self, answered: Vec<(EditRequest, Verdict)>) {
        for (request, verdict) in answered {
            request.answer(self.watchlist, verdict);
        }
    }

    /// Answers edits that are withheld. Those that are stored after all are found later.
    fn answer_unavailable(&mut self, requests: Vec<EditRequest>) {
        for request in requests {
            if let Some(withheld) = request.withheld() {
                self.recovery.add(withheld, Instant::now());
            }
            request.answer(self.watchlist, unavailable(NOT_STORED));
        }
    }

    /// Publishes durable commits. The state is the one after the last of them.
    fn publish(&mut self, commits: &[Arc<Commit>]) {
        if commits.is_empty() {
            return;
        }
        let (watchlist, at) = (&self.sequencer.state.watchlist, self.at());
        let is_renamed = self.live.set(watchlist.name(), at.revision, watchlist.rows().len());
        self.channel.publish(commits);
        debug_assert_eq!(at.revision, self.channel.published(), "only what is on disk is published");
        if is_renamed {
            self.context.renamed.send_replace(());
        }
        self.saver.save_if_due(&self.sequencer.state, at);
    }

    /// Finds out which of the withheld edits that may be stored are.
    async fn resolve(&mut self) {
        let uncertain = self.recovery.start();
        let is_recovered = self.recover_if_suspect().await;
        for withheld in uncertain {
            if !is_recovered || !self.sequencer.resolve(&withheld).await {
                self.recovery.add(&withheld, Instant::now());
            }
        }
    }

    /// Looks up what was withheld from a connection while this room was not running.
    async fn resolve_before_subscribing(&mut self, withheld: &Arc<Withheld>) {
        if !withheld.edits_of(self.watchlist).is_empty() {
            self.recovery.add(withheld, Instant::now());
            self.resolve().await;
        }
    }

    async fn subscribe(&mut self, subscriber: Subscriber, at: Option<At>) {
        // Subscribing again starts over.
        self.channel.unsubscribe(subscriber.connection);
        let head = self.at().revision;
        let at = at.filter(|at| at.epoch == self.epoch && at.revision <= head);
        let Some(at) = at else { return self.send_snapshot(subscriber) };
        if !self.is_worth_resuming(at.revision).await {
            return self.send_snapshot(subscriber);
        }
        let resumed = Resumed { watchlist: self.watchlist, epoch: self.epoch, revision: head };
        let frame = subscriber.dialect.encode(&ServerMessage::Resumed(resumed));
        if !subscriber.outbox.push(Outgoing::Frame(frame)) {
            // More is queued for this connection than fits: it gets a snapshot in its turn.
            return self.send_snapshot(subscriber);
        }
        self.channel.subscribe(subscriber, at.revision);
    }

    /// Whether the commits after a revision are smaller, once conflated, than a snapshot.
    async fn is_worth_resuming(&self, from: Revision) -> bool {
        let whole = self.sequencer.state.watchlist.approximate_bytes();
        if self.channel.bytes_since(from).is_some_and(|bytes| bytes <= whole) {
            return true;
        }
        if let Some(bytes) = self.channel.conflated_bytes_since(from) {
            return bytes <= whole;
        }
        let limit = ReadLimit { commits: usize::MAX, bytes: whole.max(CATCH_UP.bytes) };
        let missed = self.context.journal.commits(self.watchlist, from, limit).await.unwrap_or_default();
        // Pruned commits leave a gap, and a client must not skip commits.
        let is_complete = missed.first().is_some_and(|first| first.revision == from.next())
            && missed.last().is_some_and(|last| last.revision == self.at().revision);
        is_complete && conflated_bytes(&missed) <= whole
    }

    async fn catch_up_from_journal(&mut self, connection: ConnectionId, mut need: Need) {
        while let Need::Journal(from) = need {
            if !self.is_worth_resuming(from).await {
                if let Some(subscriber) = self.channel.unsubscribe(connection) {
                    self.send_snapshot(subscriber);
                }
                return;
            }
            let commits = match self.context.journal.commits(self.watchlist, from, CATCH_UP).await {
                Ok(commits) => commits,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "failed to read commits for a catch-up");
                    // Only a snapshot of this moment will do.
                    self.channel.invalidate_snapshots();
                    if let Some(subscriber) = self.channel.unsubscribe(connection) {
                        self.send_snapshot(subscriber);
                    }
                    return;
                }
            };
            need = self.channel.catch_up_from(connection, &commits);
        }
    }

    /// Sends a snapshot: one that others are being sent if it is recent, else a new one.
    fn send_snapshot(&mut self, subscriber: Subscriber) {
        let dialect = subscriber.dialect;
        let whole = self.sequencer.state.watchlist.approximate_bytes();
        if self.channel.send_snapshot(subscriber, whole) {
            self.encode_snapshot(dialect);
        }
    }

    /// Encodes a snapshot on another thread. [`Command::SnapshotEncoded`] brings it back.
    fn encode_snapshot(&self, dialect: Dialect) {
        let (frozen, at, watchlist) = (self.sequencer.state.watchlist.freeze(), self.at(), self.watchlist);
        let encode = move || {
            let parts = Snapshot::parts(&frozen, watchlist, at, PART_BYTES);
            parts.map(|part| dialect.encode(&ServerMessage::Snapshot(part))).collect::<Vec<Frame>>()
        };
        let own = self.own.clone();
        self.context.tasks.spawn(async move {
            let frames = tokio::task::spawn_blocking(encode).await.expect("encoding does not panic");
            let frames = Arc::new(SnapshotFrames { revision: at.revision, frames });
            if let Some(own) = own.upgrade() {
                // A room that has ended has no subscribers to send it to.
                drop(own.send(Command::SnapshotEncoded { dialect, frames }).await);
            }
        });
    }

    fn delete(&mut self) {
        let reason = ClosedReason::Deleted;
        let message = ServerMessage::Closed(Closed { watchlist: self.watchlist, reason });
        self.recovery.forget(self.watchlist);
        self.channel.close(&message);
        info!(watchlist = %self.watchlist, "deleted a watchlist");
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
