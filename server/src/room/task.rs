//! The room's task: it takes commands, has batches written, and paces what leaves.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Weak},
    time::Duration,
};

use shared::{
    edit::{Change, Commit},
    ids::{EditId, Epoch, Revision, WatchlistId},
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
    judge::{Judge, Unwritten, sender_of},
    load::load,
    presence::People,
    refuse::{refuse, refuse_all, unavailable},
};
use crate::{
    clock::Clock,
    fanout::{ConnectionId, Fanout, Need, Outgoing, SnapshotFrames, Subscriber},
    frame::Frame,
    journal::{Journal, JournalError, StoredPart, Verdict},
    settings::Settings,
};

/// A part of a snapshot as it travels, in bytes.
const PART_BYTES: usize = 16 * 1024;
/// A part of a snapshot as it is stored, in bytes.
const STORED_PART_BYTES: usize = 1 << 20;
/// Commits that one catch-up reads from the journal.
const CATCH_UP_COMMITS: usize = 128;
/// A catch-up from the journal is cut before so many bytes.
const CATCH_UP_BYTES: usize = 512 * 1024;
/// A new snapshot is stored after so many commits, or as many as there are rows.
const SNAPSHOT_EVERY: u64 = 10_000;
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
    let (sender, commands) = mpsc::channel(QUEUE);
    let own = sender.downgrade();
    let tasks = context.tasks.clone();
    tasks.spawn(async move {
        match load(&context, watchlist).await {
            Ok((judge, saved)) => {
                let mut room = Room::new(context, watchlist, epoch, live, judge, own);
                room.saved = saved;
                room.save_if_due();
                room.run(commands).await;
            }
            Err(error) => {
                error!(%watchlist, error = &error as &dyn std::error::Error, "the watchlist cannot be loaded");
                refuse_all(watchlist, commands).await;
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
    /// Edits that were refused as unavailable, by connection: the first has to come again before any other.
    blocked: HashMap<ConnectionId, BTreeSet<EditId>>,
    /// The state may not be what the journal holds: a write failed.
    suspect: bool,
    encoded: BTreeMap<Encoding, Weak<SnapshotFrames>>,
    waiting: BTreeMap<Encoding, Vec<Subscriber>>,
    /// Connections that wait for older commits than memory holds.
    owed: Vec<ConnectionId>,
    saved: Revision,
    saving: bool,
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
            blocked: HashMap::new(),
            suspect: false,
            encoded: BTreeMap::new(),
            waiting: BTreeMap::new(),
            owed: Vec::new(),
            saved: revision,
            saving: false,
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
        refuse_all(self.watchlist, commands).await;
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
                others.for_each(|rest| refuse(self.watchlist, rest));
                return false;
            }
        }
        true
    }

    async fn act(&mut self, command: Command) -> bool {
        match command {
            Command::Edit(edit) => self.edits(vec![edit]).await,
            Command::Open { subscriber, at } => self.open(subscriber, at),
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
            Command::Read(caller) => drop(caller.send((self.judge.watchlist.freeze(), self.at()))),
            Command::Encoded { encoding, revision, frames } => {
                self.snapshot_encoded(encoding, revision, &frames)
            }
            Command::Saved(revision) => {
                self.saving = false;
                self.saved = revision.unwrap_or(self.saved).max(self.saved);
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

    async fn edits(&mut self, requests: Vec<EditRequest>) {
        if self.suspect && !self.reload().await {
            for request in requests {
                self.unavailable(request);
            }
            return;
        }
        let mut unwritten = Unwritten::default();
        let mut judged: Vec<(EditRequest, Verdict)> = Vec::with_capacity(requests.len());
        for request in requests {
            let sender = sender_of(&request);
            if !self.judge.answers.holds(sender) {
                match self.context.journal.answers(self.watchlist, sender).await {
                    Ok(records) => self.judge.answers.load(sender, records),
                    Err(error) => {
                        warn!(error = &error as &dyn std::error::Error, "answers could not be read");
                        self.unavailable(request);
                        continue;
                    }
                }
            }
            if self.is_blocked(&request) {
                self.unavailable(request);
                continue;
            }
            let verdict = self.judge.judge(&request, (self.context.clock)(), &mut unwritten);
            judged.push((request, verdict));
        }
        if !unwritten.is_empty()
            && let Err(error) = self.write(&mut unwritten).await
        {
            error!(
                error = &error as &dyn std::error::Error,
                "edits could not be written; they are refused as unavailable"
            );
            self.judge.take_back(unwritten);
            self.suspect = true;
            // What the journal holds decides before anybody is answered.
            self.reload().await;
            for (request, _) in judged {
                self.unavailable(request);
            }
            return;
        }
        for (request, verdict) in judged {
            let edit = request.edit;
            request.reply.answer(self.watchlist, edit, verdict);
        }
        self.publish(&unwritten.batch.commits);
    }

    /// Writes a batch while flushes go on.
    async fn write(&mut self, unwritten: &mut Unwritten) -> Result<(), JournalError> {
        let mut batch = unwritten.batch.clone();
        batch.name = self.judge.watchlist.name().clone();
        batch.rows = self.judge.watchlist.rows().len();
        let journal = self.context.journal.clone();
        let mut write = journal.append(self.watchlist, batch);
        loop {
            tokio::select! {
                biased;
                done = &mut write => return done,
                () = until(self.flush_at) => self.flush(),
            }
        }
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

    fn open(&mut self, subscriber: Subscriber, at: Option<At>) {
        // Opening again starts over.
        drop(self.fanout.unsubscribe(subscriber.connection));
        let head = self.judge.revision;
        let resume = at.filter(|at| {
            at.epoch == self.epoch && at.revision <= head && self.is_worth_resuming(at.revision)
        });
        let Some(at) = resume else { return self.send_snapshot(subscriber) };
        let resumed = Resumed { watchlist: self.watchlist, epoch: self.epoch, revision: head };
        let frame = Frame::encode(subscriber.encoding, &ServerMessage::Resumed(resumed));
        if !subscriber.outbox.push(Outgoing::Frame(frame)) {
            // More waits for this connection than an answer's worth: it gets the watchlist whole in its turn.
            return self.send_snapshot(subscriber);
        }
        self.joined(subscriber, at.revision);
    }

    /// Whether what a client missed is less than the watchlist whole.
    fn is_worth_resuming(&self, from: Revision) -> bool {
        let whole = 4 * 1024 + self.judge.watchlist.rows().len() * 256;
        match self.fanout.bytes_since(from) {
            Some(bytes) => bytes <= 4 * whole,
            None => (self.judge.revision.0 - from.0).saturating_mul(64) <= whole as u64,
        }
    }

    fn joined(&mut self, subscriber: Subscriber, sent: Revision) {
        let connection = subscriber.connection;
        if self.fanout.subscribe(subscriber, sent) != Need::Nothing {
            self.owed.push(connection);
        }
        self.pace_people();
    }

    async fn serve_need(&mut self, connection: ConnectionId, mut need: Need) {
        while let Need::Journal(from) = need {
            if !self.is_worth_resuming(from) {
                if let Some(subscriber) = self.fanout.unsubscribe(connection) {
                    self.send_snapshot(subscriber);
                }
                return;
            }
            let commits = match self.context.journal.commits(self.watchlist, from, CATCH_UP_COMMITS).await {
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
            let mut bytes = 0;
            let fit = commits.iter().take_while(|commit| {
                let is_first = bytes == 0;
                bytes += size_of(commit);
                is_first || bytes <= CATCH_UP_BYTES
            });
            let fit = fit.count();
            need = self.fanout.catch_up_from(connection, &commits[..fit]);
        }
    }

    /// Sends the watchlist whole: a snapshot that others are being sent, where it will do, or a new one.
    fn send_snapshot(&mut self, subscriber: Subscriber) {
        let encoding = subscriber.encoding;
        let held = self.encoded.get(&encoding).and_then(Weak::upgrade);
        if let Some(frames) = held.filter(|frames| self.is_worth_resuming(frames.revision)) {
            return self.hand_snapshot(subscriber, &frames);
        }
        let waiting = self.waiting.entry(encoding).or_default();
        waiting.push(subscriber);
        if waiting.len() > 1 {
            return;
        }
        let (frozen, at, watchlist) = (self.judge.watchlist.freeze(), self.at(), self.watchlist);
        let own = self.own.clone();
        let encode = move || {
            let parts = frozen.parts(watchlist, at, PART_BYTES);
            parts.map(|part| Frame::encode(encoding, &ServerMessage::Snapshot(part))).collect::<Vec<Frame>>()
        };
        self.context.tasks.spawn(async move {
            let frames = tokio::task::spawn_blocking(encode).await.expect("encoding does not panic");
            let frames = Arc::new(SnapshotFrames { revision: at.revision, frames });
            if let Some(own) = own.upgrade() {
                // The room is gone where it does not take this.
                drop(own.send(Command::Encoded { encoding, revision: at.revision, frames }).await);
            }
        });
    }

    fn snapshot_encoded(&mut self, encoding: Encoding, revision: Revision, frames: &Arc<SnapshotFrames>) {
        debug_assert!(revision <= self.judge.revision, "snapshots are of what is on disk");
        self.encoded.insert(encoding, Arc::downgrade(frames));
        for subscriber in self.waiting.remove(&encoding).unwrap_or_default() {
            self.hand_snapshot(subscriber, frames);
        }
    }

    fn hand_snapshot(&mut self, subscriber: Subscriber, frames: &Arc<SnapshotFrames>) {
        if subscriber.outbox.push_always(Outgoing::Snapshot(frames.clone())) {
            self.joined(subscriber, frames.revision);
        }
    }

    fn leave(&mut self, connection: ConnectionId) {
        self.fanout.unsubscribe(connection);
        for waiting in self.waiting.values_mut() {
            waiting.retain(|subscriber| subscriber.connection != connection);
        }
        self.blocked.remove(&connection);
        self.people.leave(connection);
        self.pace_people();
    }

    fn pace_people(&mut self) {
        let due = self.people.changed || self.fanout.people_missed() && !self.people.is_empty();
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
        let message =
            ServerMessage::Closed(Closed { watchlist: self.watchlist, reason: ClosedReason::Deleted });
        let waiting = self.waiting.values().flatten();
        for subscriber in self.fanout.subscribers().chain(waiting) {
            subscriber.outbox.push_always(Outgoing::Frame(Frame::encode(subscriber.encoding, &message)));
        }
        info!(watchlist = %self.watchlist, "deleted");
    }

    /// Reads the state from the journal again after a failed write; false while the journal cannot be read.
    async fn reload(&mut self) -> bool {
        match load(&self.context, self.watchlist).await {
            Ok((judge, _)) => {
                let known = self.fanout.durable();
                // The write may have come about after all: then everyone is told.
                let missed = self.context.journal.commits(self.watchlist, known, usize::MAX >> 1).await;
                let Ok(missed) = missed else { return false };
                self.judge = judge;
                self.suspect = false;
                self.publish(&missed.into_iter().map(Arc::new).collect::<Vec<_>>());
                true
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the journal cannot be read");
                false
            }
        }
    }

    /// Whether an earlier edit of the connection has to come again first: the first of those that were refused
    /// as unavailable and that the journal does not hold after all.
    fn is_blocked(&mut self, request: &EditRequest) -> bool {
        let Some(connection) = request.reply.connection() else { return false };
        let Some(refused) = self.blocked.get_mut(&connection) else { return false };
        let sender = sender_of(request);
        refused.retain(|edit| !self.judge.answers.is_answered(sender, *edit));
        let is_blocked = refused.first().is_some_and(|first| *first != request.edit);
        if !is_blocked {
            refused.remove(&request.edit);
        }
        if refused.is_empty() {
            self.blocked.remove(&connection);
        }
        is_blocked
    }

    fn unavailable(&mut self, request: EditRequest) {
        if let Some(connection) = request.reply.connection() {
            self.blocked.entry(connection).or_default().insert(request.edit);
        }
        let edit = request.edit;
        request.reply.answer(self.watchlist, edit, unavailable());
    }

    fn save_if_due(&mut self) {
        let rows = self.judge.watchlist.rows().len() as u64;
        if self.saving || self.judge.revision.0 - self.saved.0 < SNAPSHOT_EVERY.max(rows) {
            return;
        }
        self.saving = true;
        let (frozen, at, watchlist) = (self.judge.watchlist.freeze(), self.at(), self.watchlist);
        let authors: HashMap<_, _> = frozen
            .rows
            .iter()
            .filter_map(|row| Some((row.id, self.judge.authorship.get(row.id)?.clone())))
            .collect();
        let (journal, own) = (self.context.journal.clone(), self.own.clone());
        self.context.tasks.spawn(async move {
            let mut saved = Some(at.revision);
            for snapshot in frozen.parts(watchlist, at, STORED_PART_BYTES) {
                let authors = snapshot
                    .rows
                    .iter()
                    .filter_map(|row| Some((row.row, authors.get(&row.row)?.clone())))
                    .collect();
                if let Err(error) = journal.save_part(watchlist, StoredPart { snapshot, authors }).await {
                    warn!(error = &error as &dyn std::error::Error, "a snapshot could not be stored");
                    saved = None;
                    break;
                }
            }
            if let Some(own) = own.upgrade() {
                // The room is gone where it does not take this.
                drop(own.send(Command::Saved(saved)).await);
            }
        });
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
