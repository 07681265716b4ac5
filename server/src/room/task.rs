//! The room's task: it takes commands, has batches written, and paces what leaves.

mod edits;
mod snapshots;

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use shared::{
    conflate::conflate,
    edit::{Change, Commit},
    ids::{Epoch, Revision, WatchlistId},
    value::Literal,
    wire::{
        At,
        codec::Encoding,
        server::{Closed, ClosedReason, Resumed, ServerMessage},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use super::{
    Command, EditRequest, Live, QUEUE, RoomHandle,
    judge::Judge,
    load::load,
    presence::People,
    refuse::{Why, refuse, refuse_all, refuse_until},
    withheld::Withheld,
};
use crate::{
    clock::Clock,
    fanout::{ConnectionId, Fanout, Need, Outgoing, SnapshotFrames, Subscriber},
    frame::Frame,
    journal::{Journal, JournalError, Most},
    settings::Settings,
};

/// Commits that one catch-up reads from the journal.
const CATCH_UP_COMMITS: usize = 128;
/// A catch-up from the journal is cut before so many bytes.
const CATCH_UP_BYTES: usize = 512 * 1024;
/// How long a watchlist whose records are damaged is refused before they are read again.
const DAMAGED_REST: Duration = Duration::from_secs(30);
/// How often people who move are told about.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(100);

/// What every room is given.
#[derive(Clone)]
pub struct RoomContext {
    /// Where commits go.
    pub journal: Arc<dyn Journal>,
    /// The time of day.
    pub clock: Clock,
    /// Limits and pace.
    pub settings: Arc<Settings>,
    /// Owns the tasks.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
    /// Told when a watchlist's name changes.
    pub renamed: watch::Sender<()>,
}

/// Starts the room of a watchlist. It loads itself; commands wait meanwhile.
pub fn spawn(context: RoomContext, watchlist: WatchlistId, epoch: Epoch, live: Arc<Live>) -> RoomHandle {
    let (sender, mut commands) = mpsc::channel(QUEUE);
    let own = sender.downgrade();
    let tasks = context.tasks.clone();
    tasks.spawn(async move {
        let loaded = load(&context, watchlist).await.and_then(|(judge, saved)| {
            let (_, known, _) = live.get();
            let is_whole = judge.revision >= known;
            let missing = || JournalError::Damaged(format!("watchlist {watchlist}: revision {known} is missing"));
            is_whole.then_some((judge, saved)).ok_or_else(missing)
        });
        match loaded {
            Ok((judge, saved)) => {
                let mut room = Room::new(context.clone(), watchlist, epoch, live, judge, own);
                room.saved = saved;
                room.save_if_due();
                room.prune_old();
                room.run(commands).await;
            }
            Err(error) => {
                error!(%watchlist, error = &error as &dyn std::error::Error, "the watchlist cannot be loaded");
                let why = Why::of(&error);
                if why == Why::Damaged {
                    // It does not mend by itself.
                    let until = Instant::now() + DAMAGED_REST;
                    let refused = refuse_until(watchlist, &mut commands, why, until);
                    tokio::select! {
                        () = refused => {}
                        () = context.stop.cancelled() => {}
                    }
                }
                refuse_all(watchlist, commands, why).await;
            }
        }
    });
    RoomHandle { commands: sender }
}

struct Room {
    context: RoomContext,
    watchlist: WatchlistId,
    epoch: Epoch,
    live: Arc<Live>,
    judge: Judge,
    own: mpsc::WeakSender<Command>,
    fanout: Fanout,
    people: People,
    /// When the last flush was, and when the next is due.
    last_flush: Option<Instant>,
    flush_at: Option<Instant>,
    people_at: Option<Instant>,
    /// Connections from which edits were withheld that may be stored, and when to find out.
    uncertain: Vec<Weak<Withheld>>,
    resolve_at: Option<Instant>,
    /// The state may not be what the journal holds: a write failed.
    suspect: bool,
    encoded: BTreeMap<Encoding, Weak<SnapshotFrames>>,
    waiting: BTreeMap<Encoding, Vec<Subscriber>>,
    /// Connections that wait for older commits than memory holds.
    owed: Vec<ConnectionId>,
    saved: Revision,
    saving: bool,
    /// When commits that are older than they are kept are looked for next.
    prune_at: Option<Instant>,
}

impl Room {
    fn new(
        context: RoomContext,
        watchlist: WatchlistId,
        epoch: Epoch,
        live: Arc<Live>,
        judge: Judge,
        own: mpsc::WeakSender<Command>,
    ) -> Self {
        let revision = judge.revision;
        Self {
            context,
            watchlist,
            epoch,
            live,
            judge,
            own,
            fanout: Fanout::new(watchlist, revision),
            people: People::default(),
            last_flush: None,
            flush_at: None,
            people_at: None,
            uncertain: Vec::new(),
            resolve_at: None,
            suspect: false,
            encoded: BTreeMap::new(),
            waiting: BTreeMap::new(),
            owed: Vec::new(),
            saved: revision,
            saving: false,
            prune_at: None,
        }
    }

    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let stop = self.context.stop.clone();
        loop {
            let mut taken = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = until(self.flush_at) => self.flush(),
                () = until(self.people_at) => self.send_people(),
                () = until(self.resolve_at) => self.resolve().await,
                () = until(self.prune_at) => self.prune_old(),
                count = commands.recv_many(&mut taken, QUEUE) => {
                    if count == 0 || !self.take(taken).await {
                        break;
                    }
                }
            }
            while let Some(connection) = self.owed.pop() {
                let need = self.fanout.catch_up(connection);
                self.serve_need(connection, need).await;
            }
        }
        self.flush();
        refuse_all(self.watchlist, commands, Why::NotServed).await;
    }

    /// Judges and writes the edits first, so that everything else sees what is on disk. False once deleted.
    async fn take(&mut self, taken: Vec<Command>) -> bool {
        let (edits, others): (Vec<Command>, Vec<Command>) =
            taken.into_iter().partition(|command| matches!(command, Command::Edit(_)));
        let edits: Vec<EditRequest> = edits
            .into_iter()
            .filter_map(|command| if let Command::Edit(edit) = command { Some(edit) } else { None })
            .collect();
        if !edits.is_empty() {
            self.edits(edits).await;
        }
        let mut others = others.into_iter();
        while let Some(command) = others.next() {
            if !self.act(command).await {
                others.for_each(|rest| refuse(self.watchlist, rest, Why::NotServed));
                return false;
            }
        }
        true
    }

    async fn act(&mut self, command: Command) -> bool {
        match command {
            Command::Edit(edit) => self.edits(vec![edit]).await,
            Command::Open { subscriber, at, withheld } => {
                self.look_up(&withheld).await;
                self.open(subscriber, at).await;
            }
            Command::Leave(connection) => self.leave(connection),
            Command::CatchUp(connection) => {
                let need = self.fanout.catch_up(connection);
                self.serve_need(connection, need).await;
                self.pace_people();
            }
            Command::Presence { connection, window, cell, editing } => {
                let waiting =
                    || self.waiting.values().flatten().find(|waiting| waiting.connection == connection);
                let cell = cell.filter(|cell| self.judge.watchlist.columns().get(&cell.column).is_some());
                if let Some(subscriber) = self.fanout.subscriber(connection).or_else(waiting) {
                    let who = (subscriber.client, subscriber.name.clone());
                    self.people.place(connection, who, window, cell, editing);
                    self.pace_people();
                }
            }
            // A caller that is gone wants no answer.
            Command::Read(caller) => drop(caller.send(Ok((self.judge.watchlist.freeze(), self.at())))),
            Command::Encoded { encoding, revision, frames } => {
                self.snapshot_encoded(encoding, revision, &frames)
            }
            Command::Saved(revision) => {
                self.saving = false;
                self.saved = revision.unwrap_or(self.saved).max(self.saved);
                if revision.is_some() {
                    self.prune();
                }
            }
            Command::Delete => {
                self.deleted();
                return false;
            }
        }
        true
    }

    fn at(&self) -> At {
        At { epoch: self.epoch, revision: self.judge.revision }
    }

    /// Commits are on disk: they may be seen.
    fn publish(&mut self, commits: &[Arc<Commit>]) {
        if commits.is_empty() {
            return;
        }
        for commit in commits {
            self.fanout.push(commit.clone(), size_of(commit));
        }
        let rows = self.judge.watchlist.rows().len();
        if self.live.set(self.judge.watchlist.name(), self.judge.revision, rows) {
            self.context.renamed.send_replace(());
        }
        let now = Instant::now();
        let due = self.last_flush.map_or(now, |last| last + self.context.settings.flush_interval());
        if due <= now {
            self.flush();
        } else {
            self.flush_at = Some(due);
        }
        self.save_if_due();
    }

    fn flush(&mut self) {
        self.flush_at = None;
        if self.fanout.is_dirty() {
            self.owed.extend(self.fanout.flush());
            self.last_flush = Some(Instant::now());
            self.pace_people();
        }
    }

    async fn open(&mut self, subscriber: Subscriber, at: Option<At>) {
        // Opening again starts over.
        self.forget_subscriber(subscriber.connection);
        let head = self.judge.revision;
        let at = at.filter(|at| at.epoch == self.epoch && at.revision <= head);
        let Some(at) = at else { return self.send_snapshot(subscriber) };
        if !self.is_worth_resuming(at.revision).await {
            return self.send_snapshot(subscriber);
        }
        let resumed = Resumed { watchlist: self.watchlist, epoch: self.epoch, revision: head };
        let frame = Frame::encode(subscriber.encoding, &ServerMessage::Resumed(resumed));
        if !subscriber.outbox.push(Outgoing::Frame(frame)) {
            // More waits for this connection than an answer's worth: it gets the watchlist whole in its turn.
            return self.send_snapshot(subscriber);
        }
        self.joined(subscriber, at.revision);
    }

    /// Whether what a client missed is less, once conflated, than the watchlist whole.
    async fn is_worth_resuming(&self, from: Revision) -> bool {
        let whole = self.judge.watchlist.approximate_bytes();
        if self.fanout.bytes_since(from).is_some_and(|bytes| bytes <= whole) {
            return true;
        }
        if let Some(bytes) = self.fanout.conflated_bytes_since(from, size_of) {
            return bytes <= whole;
        }
        let most = Most { commits: usize::MAX, bytes: whole.max(CATCH_UP_BYTES) };
        let missed = self.context.journal.commits(self.watchlist, from, most).await.unwrap_or_default();
        // What is no longer kept leaves a gap, which nobody may be sent over.
        let is_all = missed.first().is_some_and(|first| first.revision == from.next())
            && missed.last().is_some_and(|last| last.revision == self.judge.revision);
        is_all && conflate(&missed).iter().map(size_of).sum::<usize>() <= whole
    }

    fn joined(&mut self, subscriber: Subscriber, sent: Revision) {
        let connection = subscriber.connection;
        if self.fanout.subscribe(subscriber, sent, !self.people.is_empty()) != Need::Nothing {
            self.owed.push(connection);
        }
        self.pace_people();
    }

    async fn serve_need(&mut self, connection: ConnectionId, mut need: Need) {
        while let Need::Journal(from) = need {
            if !self.is_worth_resuming(from).await {
                if let Some(subscriber) = self.fanout.unsubscribe(connection) {
                    self.send_snapshot(subscriber);
                }
                return;
            }
            let most = Most { commits: CATCH_UP_COMMITS, bytes: CATCH_UP_BYTES };
            let commits = match self.context.journal.commits(self.watchlist, from, most).await {
                Ok(commits) => commits,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "a catch-up could not be read");
                    // Only a snapshot of this moment will do.
                    self.encoded.clear();
                    if let Some(subscriber) = self.fanout.unsubscribe(connection) {
                        self.send_snapshot(subscriber);
                    }
                    return;
                }
            };
            need = self.fanout.catch_up_from(connection, &commits);
        }
    }

    fn leave(&mut self, connection: ConnectionId) {
        self.forget_subscriber(connection);
        self.people.leave(connection);
        self.pace_people();
    }

    fn forget_subscriber(&mut self, connection: ConnectionId) {
        self.fanout.unsubscribe(connection);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|subscriber| subscriber.connection != connection);
        }
    }

    fn pace_people(&mut self) {
        let due = self.people.changed || self.fanout.people_missed();
        if due && self.people_at.is_none() {
            self.people_at = Some(Instant::now() + PRESENCE_INTERVAL);
        }
    }

    fn send_people(&mut self) {
        self.people_at = None;
        let only_missed = !std::mem::take(&mut self.people.changed);
        let message = ServerMessage::Presence(self.people.message(self.watchlist));
        self.fanout.send_people(&message, only_missed);
        self.pace_people();
    }

    fn deleted(&mut self) {
        self.flush();
        // What was withheld here is no longer to come again.
        for withheld in self.uncertain.iter().filter_map(Weak::upgrade) {
            withheld.of(self.watchlist).into_iter().for_each(|edit| withheld.stored(self.watchlist, edit));
        }
        let message =
            ServerMessage::Closed(Closed { watchlist: self.watchlist, reason: ClosedReason::Deleted });
        let waiting = self.waiting.values().flatten();
        for subscriber in self.fanout.subscribers().chain(waiting) {
            subscriber.outbox.push_always(Outgoing::Frame(Frame::encode(subscriber.encoding, &message)));
        }
        info!(watchlist = %self.watchlist, "deleted");
    }
}

/// About how many bytes a commit takes once written.
fn size_of(commit: &Commit) -> usize {
    let of = |literal: &Literal| if let Literal::Text(text) = literal { text.len() } else { 4 };
    let change = |change: &Change| match change {
        Change::Set(set) => of(&set.value),
        Change::Insert(insert) => {
            insert.cells.iter().map(|(key, literal)| key.0.len() + 8 + of(literal)).sum()
        }
        Change::SetColumn(_) | Change::AddColumn(_) => 8 * 1024,
        Change::Move(_)
        | Change::Remove(_)
        | Change::RemoveColumn(_)
        | Change::RestoreColumn(_)
        | Change::Rename(_) => 256,
    };
    128 + commit.changes.iter().map(|step| 96 + change(step)).sum::<usize>()
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
