//! The room's task: it takes commands, lets the sequencer judge and write edits, and publishes what is
//! durable.

use std::sync::Arc;

use shared::{
    edit::Commit,
    ids::{At, Epoch, WatchlistId},
    time::Timestamp,
};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant},
};
use tracing::{error, info, warn};

use super::{
    command::{Command, EditRequest, MAX_QUEUED, NOT_STORED, RoomHandle, unavailable},
    context::RoomContext,
    idle::IdleTimer,
    live::Live,
    load::load,
    recovery::Recovery,
    refuse::{refuse, refuse_all, refuse_until},
    saver::Saver,
    sequencer::{Judged, Sequenced, Sequencer},
};
use crate::{
    bus::local::Publisher,
    event::{Event, Published},
    journal::{JournalError, Verdict, confirm},
    timer::until,
    unavailable::Unavailable,
};

/// How long a watchlist with damaged records is rejected before the records are read again.
const DAMAGED_REST: Duration = Duration::from_secs(30);

/// How long edits are judged again because other servers change the watchlist at the same time.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the room of a watchlist. It loads the watchlist first; commands wait in its queue.
pub fn spawn(
    context: RoomContext,
    (watchlist, epoch): (WatchlistId, Epoch),
    live: Arc<Live>,
    publisher: Publisher,
) -> RoomHandle {
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
                let idle = IdleTimer::new(own.clone());
                let saver = Saver::new(context.clone(), watchlist, own, saved);
                let sequencer = Sequencer::new(context.clone(), watchlist, judge);
                let recovery = Recovery::default();
                let is_superseded = false;
                let room = Room {
                    context,
                    watchlist,
                    epoch,
                    live,
                    publisher,
                    sequencer,
                    recovery,
                    saver,
                    idle,
                    is_superseded,
                };
                room.run(commands).await;
            }
            Err(error) => {
                error!(%watchlist, error = &error as &dyn std::error::Error, "failed to load a watchlist");
                let reason = Unavailable::from(&error);
                publisher.publish(Event::Unavailable(reason));
                if reason == Unavailable::Damaged {
                    // It does not recover by itself.
                    let until = Instant::now() + DAMAGED_REST;
                    tokio::select! {
                        () = refuse_until(&mut commands, reason, until) => {}
                        () = context.stop.cancelled() => {}
                    }
                }
                refuse_all(commands, reason).await;
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
    publisher: Publisher,
    sequencer: Sequencer,
    recovery: Recovery,
    saver: Saver,
    idle: IdleTimer,
    /// Whether the journal refuses what this room writes.
    is_superseded: bool,
}

impl Room {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        self.publish(Vec::new());
        let at = self.at();
        self.saver.prune_old(&self.sequencer.state, at, Instant::now());
        let stop = self.context.stop.clone();
        loop {
            let mut received = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // A channel ends only with its room, unless it failed: both are started again.
                () = self.publisher.closed() => break,
                () = until(self.recovery.resolve_at()) => self.resolve().await,
                () = until(self.saver.prune_at()) => {
                    let at = self.at();
                    self.saver.prune_old(&self.sequencer.state, at, Instant::now());
                }
                count = commands.recv_many(&mut received, MAX_QUEUED) => {
                    if count == 0 || !self.execute_all(received).await {
                        break;
                    }
                    self.idle.restart();
                }
                () = until(Some(self.idle.check_at())) => {
                    if self.idle.is_unused() && self.may_end() {
                        break;
                    }
                    self.idle.restart();
                }
            }
        }
        refuse_all(commands, Unavailable::NotServed).await;
    }

    /// Starts what has to be done before an unused room ends, and returns whether all of it is done. The
    /// commits that are to be pruned some day need a snapshot after them.
    fn may_end(&mut self) -> bool {
        let at = self.at();
        if self.saver.needs_snapshot(at) {
            self.saver.prune_old(&self.sequencer.state, at, Instant::now());
        }
        !self.saver.is_saving() && self.recovery.resolve_at().is_none()
    }

    /// Executes the edits first, so that every other command sees what is on disk. Returns false once the
    /// room is to end: the watchlist is deleted, or the journal refuses its edits.
    async fn execute_all(&mut self, commands: Vec<Command>) -> bool {
        let (mut edits, mut others) = (Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Edit(edit) => edits.push(edit),
                other => others.push(other),
            }
        }
        if !edits.is_empty() {
            self.edit(edits).await;
        }
        if self.is_superseded {
            // The next request starts a room with the state of the journal.
            others.into_iter().for_each(|rest| refuse(rest, Unavailable::NotServed));
            return false;
        }
        let mut others = others.into_iter();
        while let Some(command) = others.next() {
            if !self.execute(command).await {
                others.for_each(|rest| refuse(rest, Unavailable::NotServed));
                return false;
            }
        }
        true
    }

    async fn execute(&mut self, command: Command) -> bool {
        match command {
            Command::Edit(edit) => self.edit(vec![edit]).await,
            // A caller that is gone needs no answer.
            Command::Read(caller) => {
                drop(caller.send(Ok((self.sequencer.state.watchlist.freeze(), self.at()))));
            }
            Command::Resolve { withheld, done } => {
                self.recovery.add(&withheld, Instant::now());
                self.resolve().await;
                drop(done);
            }
            Command::SnapshotStored(revision) => self.saver.stored(revision),
            Command::Delete { at, done } => {
                let written = self.delete(at).await;
                let is_deleted = written.is_ok();
                // The hub waits for it.
                drop(done.send(written));
                return !is_deleted;
            }
        }
        true
    }

    /// Writes that the watchlist is deleted, and publishes it. The withheld edits that are stored are
    /// released before: their clients do not send them again. The others stay withheld, so that the edits of
    /// a client stay in order if the watchlist is restored at once.
    async fn delete(&mut self, at: Timestamp) -> Result<(), JournalError> {
        self.resolve().await;
        if self.sequencer.is_suspect() || self.recovery.has_uncertain() {
            return Err(JournalError::Store("it is unknown which of the last edits are stored".into()));
        }
        confirm::set_deleted(&*self.context.journal, self.watchlist, Some(at)).await?;
        self.publisher.publish(Event::Deleted);
        info!(watchlist = %self.watchlist, "deleted a watchlist");
        Ok(())
    }

    fn at(&self) -> At {
        At { epoch: self.epoch, revision: self.sequencer.state.revision }
    }

    async fn edit(&mut self, mut requests: Vec<EditRequest>) {
        let (started, mut unexplained) = (Instant::now(), 0);
        loop {
            // Before the edits are durable: an answer does not wait for the channel.
            self.publisher.ready().await;
            let Sequenced { refused, refusal, ahead, .. } = self.try_edit(requests).await;
            let is_behind = refusal.is_some() || !ahead.is_empty();
            let has_caught_up = is_behind && self.catch_up().await;
            self.answer(ahead);
            let Some(refusal) = refusal else { return };
            requests = refused;
            unexplained = if has_caught_up { 0 } else { unexplained + 1 };
            // Another server may have rejected one of the edits, so the answers are read again. If that is not
            // the reason, the room cannot know it: the next request starts one with the state of the journal.
            self.is_superseded |= unexplained > 1;
            if self.is_superseded || started.elapsed() > CATCH_UP_TIMEOUT {
                let error = &refusal as &dyn std::error::Error;
                warn!(watchlist = %self.watchlist, error, "the journal refuses edits; they are rejected as unavailable");
                return self.withhold(requests);
            }
        }
    }

    /// Judges edits, writes them and answers those that are not refused.
    async fn try_edit(&mut self, requests: Vec<EditRequest>) -> Sequenced {
        if !self.recover_if_suspect().await {
            self.withhold(requests);
            return Sequenced::default();
        }
        let mut judged = self.sequencer.judge(requests).await;
        let head = self.sequencer.state.revision;
        let is_ahead = |verdict: &Verdict| matches!(verdict, Verdict::Accepted(revision) if *revision > head);
        let answered = std::mem::take(&mut judged.answered).into_iter();
        let (ahead, answered): (Vec<_>, Vec<_>) = answered.partition(|(_, verdict)| is_ahead(verdict));
        self.answer(answered);
        self.answer_unavailable(std::mem::take(&mut judged.withheld));
        let written = self.write(&mut judged).await;
        let mut sequenced = self.sequencer.finish(judged, written).await;
        if self.sequencer.is_suspect() {
            // An edit that was stored after all must be published even if its sender does not retry.
            self.recovery.plan(Instant::now());
        }
        // Before the answers, so that a connection that subscribes after an answer gets the edit.
        self.publish_if_any(std::mem::take(&mut sequenced.commits));
        self.answer(std::mem::take(&mut sequenced.answered));
        self.answer_unavailable(std::mem::take(&mut sequenced.withheld));
        sequenced.ahead = ahead;
        sequenced
    }

    /// Applies and publishes what other servers have written since. Returns whether there was anything.
    async fn catch_up(&mut self) -> bool {
        let mut has_commits = false;
        loop {
            match self.sequencer.catch_up().await {
                Ok(commits) if commits.is_empty() => return has_commits,
                Ok(commits) => {
                    has_commits = true;
                    self.publish(commits);
                    self.publisher.ready().await;
                }
                Err(error) => {
                    let (watchlist, error) = (self.watchlist, &error as &dyn std::error::Error);
                    error!(%watchlist, error, "failed to read what other servers have written");
                    self.is_superseded = true;
                    return has_commits;
                }
            }
        }
    }

    fn withhold(&mut self, requests: Vec<EditRequest>) {
        let requests = requests.into_iter().map(|request| self.sequencer.withhold(request));
        self.answer_unavailable(requests.collect());
    }

    async fn write(&self, judged: &mut Judged) -> Result<(), JournalError> {
        if judged.has_nothing_to_write() {
            return Ok(());
        }
        self.sequencer.write(judged).await
    }

    /// Reads the state from the journal again after a failed write, and publishes commits that were stored
    /// after all. Returns false while the journal cannot be read.
    async fn recover_if_suspect(&mut self) -> bool {
        let Some(commits) = self.sequencer.recover_if_suspect().await else {
            self.recovery.plan(Instant::now());
            return false;
        };
        self.publish_if_any(commits);
        true
    }

    fn answer(&self, answered: Vec<(EditRequest, Verdict)>) {
        for (request, verdict) in answered {
            request.answer(verdict);
        }
    }

    /// Answers edits that are withheld. Those that are stored after all are found later.
    fn answer_unavailable(&mut self, requests: Vec<EditRequest>) {
        for request in requests {
            if let Some(withheld) = request.withheld() {
                self.recovery.add(withheld, Instant::now());
            }
            request.answer(unavailable(NOT_STORED));
        }
    }

    fn publish_if_any(&mut self, commits: Vec<Arc<Commit>>) {
        if !commits.is_empty() {
            self.publish(commits);
        }
    }

    /// Publishes durable commits. The state is the one after the last of them.
    fn publish(&mut self, commits: Vec<Arc<Commit>>) {
        let (watchlist, at) = (&self.sequencer.state.watchlist, self.at());
        debug_assert!(commits.last().is_none_or(|last| last.revision == at.revision));
        let is_renamed = self.live.set(watchlist.name(), at.revision, watchlist.rows().len());
        let (columns, approximate_bytes) = (watchlist.columns().clone(), watchlist.approximate_bytes());
        let published = Published { commits: commits.into(), at, columns, approximate_bytes };
        self.publisher.publish(Event::Published(published));
        if is_renamed {
            self.context.renamed.send_modify(|version| *version += 1);
        }
        self.saver.save_if_due(&self.sequencer.state, at);
    }

    /// Finds out which of the withheld edits that may be stored are.
    async fn resolve(&mut self) {
        let uncertain = self.recovery.take_uncertain();
        let is_recovered = self.recover_if_suspect().await;
        for withheld in uncertain {
            if !is_recovered || !self.sequencer.resolve(&withheld).await {
                self.recovery.add(&withheld, Instant::now());
            }
        }
    }
}
