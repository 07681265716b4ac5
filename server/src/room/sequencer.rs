//! Judges edits, orders them and makes them durable.
//!
//! The steps are apart so that the room can answer repeated edits before it writes: [`Sequencer::judge`], then
//! [`Sequencer::write`], then [`Sequencer::finish`].

use std::{collections::HashSet, future::Future, sync::Arc};

use shared::{
    edit::{Change, Commit},
    ids::{EditId, Revision, WatchlistId},
};
use tracing::{error, warn};

use super::{
    answers::Kept,
    command::EditRequest,
    context::RoomContext,
    judge::{Judge, Judgement, Unwritten, too_old},
    load::{load, replay},
    withheld::Withheld,
};
use crate::{
    journal::{AnswerRecord, JournalError, ReadLimit, Sender, Verdict},
    long_work::{self, LONG_BYTES, LONG_CHANGES},
};

/// Sequences one watchlist.
pub(super) struct Sequencer {
    context: RoomContext,
    watchlist: WatchlistId,
    /// The state that edits are judged against.
    pub(super) state: Judge,
    /// Whether the state may differ from the journal: a write has failed.
    is_suspect: bool,
}

/// Edits that were judged together.
#[derive(Default)]
pub(super) struct Judged {
    /// Edits whose answers are durable already.
    pub(super) answered: Vec<(EditRequest, Verdict)>,
    /// Edits that cannot be judged now.
    pub(super) withheld: Vec<EditRequest>,
    unwritten: Unwritten,
    waiting: Vec<(EditRequest, Verdict)>,
}

/// Result of a write.
#[derive(Default)]
pub(super) struct Sequenced {
    /// Edits with answers that are durable now.
    pub(super) answered: Vec<(EditRequest, Verdict)>,
    /// Edits that could not be made durable.
    pub(super) withheld: Vec<EditRequest>,
    /// Edits that another server has accepted, whose commits are not applied here yet. They are published before
    /// the answers.
    pub(super) ahead: Vec<(EditRequest, Verdict)>,
    /// Edits of a batch that the journal has refused: they were judged against a state that another server
    /// has changed. None of them is stored.
    pub(super) refused: Vec<EditRequest>,
    /// Why the journal has refused them.
    pub(super) refusal: Option<JournalError>,
    /// Commits that are durable now, in order.
    pub(super) commits: Vec<Arc<Commit>>,
}

impl Judged {
    /// Whether there is nothing to write.
    pub(super) fn has_nothing_to_write(&self) -> bool {
        self.unwritten.is_empty()
    }
}

impl Sequencer {
    /// Creates the sequencer of a loaded watchlist.
    pub(super) fn new(context: RoomContext, watchlist: WatchlistId, state: Judge) -> Self {
        Self { context, watchlist, state, is_suspect: false }
    }

    /// Whether the state may differ from the journal. No edit is judged until it has been read again.
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    /// Judges edits in order. The state has to be the journal's: see [`Self::recover_if_suspect`].
    pub(super) async fn judge(&mut self, requests: Vec<EditRequest>) -> Judged {
        let mut judged = Judged::default();
        for request in requests {
            let sender = request.sender();
            if !self.load_answers(sender).await {
                judged.withheld.push(self.withhold(request));
                continue;
            }
            // A durable answer is given again, regardless of what else waits.
            let is_answered = self.state.answers.kept(sender, request.edit).is_some();
            let is_durable = is_answered && judged.unwritten.answer(sender, request.edit).is_none();
            let withheld = request.withheld().filter(|_| !is_durable);
            if withheld.is_some_and(|withheld| !withheld.admits(self.watchlist, request.edit)) {
                judged.withheld.push(self.withhold(request));
                continue;
            }
            let now = (self.context.clock)();
            let judge = || self.state.judge(&request, now, &mut judged.unwritten);
            let verdict = match long_work::run(is_long(&request), judge) {
                Judgement::Verdict(verdict) => Some(verdict),
                Judgement::RejectedBefore => self.stored_rejection(sender, request.edit).await,
            };
            match verdict {
                Some(verdict) if is_durable => judged.answered.push((self.release(request), verdict)),
                Some(verdict) => judged.waiting.push((request, verdict)),
                None => judged.withheld.push(self.withhold(request)),
            }
        }
        judged
    }

    /// Withholds an edit before the next one is judged, so that later edits of its connection wait for it.
    pub(super) fn withhold(&self, request: EditRequest) -> EditRequest {
        request.mark_withheld();
        request
    }

    /// Releases an edit that is stored before the next one is judged, so that later edits do not wait for it.
    fn release(&self, request: EditRequest) -> EditRequest {
        if let Some(withheld) = request.withheld() {
            withheld.release(self.watchlist, request.edit);
        }
        request
    }

    /// Writes the batch of judged edits. The future borrows neither the sequencer nor the edits.
    pub(super) fn write(
        &self,
        judged: &mut Judged,
    ) -> impl Future<Output = Result<(), JournalError>> + use<> {
        let expected = Revision(self.state.revision.0 - judged.unwritten.batch.commits.len() as u64);
        let batch = judged.unwritten.batch();
        batch.expected = expected;
        batch.name = self.state.watchlist.name().clone();
        batch.rows = self.state.watchlist.rows().len();
        let batch = judged.unwritten.batch.clone();
        let (journal, watchlist) = (self.context.journal.clone(), self.watchlist);
        async move { journal.append(watchlist, batch).await }
    }

    /// Completes judged edits after their write. If it failed, the journal decides which of them are stored.
    pub(super) async fn finish(&mut self, judged: Judged, written: Result<(), JournalError>) -> Sequenced {
        let mut sequenced = Sequenced::default();
        let Err(error) = written else {
            sequenced.answered = judged
                .waiting
                .into_iter()
                .map(|(request, verdict)| (self.release(request), verdict))
                .collect();
            sequenced.commits = judged.unwritten.batch.commits.iter().map(|new| new.commit.clone()).collect();
            return sequenced;
        };
        self.state.revert(judged.unwritten);
        if matches!(error, JournalError::Refused(_)) {
            sequenced.refused = judged.waiting.into_iter().map(|(request, _)| request).collect();
            sequenced.refusal = Some(error);
            return sequenced;
        }
        error!(
            watchlist = %self.watchlist,
            error = &error as &dyn std::error::Error,
            "failed to write edits; they are rejected as unavailable"
        );
        self.is_suspect = true;
        // What the journal holds decides before anyone is answered.
        sequenced.commits = self.recover_if_suspect().await.unwrap_or_default();
        // Another room may have stored an edit of someone else at the same revision.
        let stored: HashSet<_> = sequenced
            .commits
            .iter()
            .map(|commit| (commit.revision, commit.by.user, commit.by.client, commit.by.edit))
            .collect();
        for (request, verdict) in judged.waiting {
            let Sender { user, client } = request.sender();
            match verdict {
                Verdict::Accepted(revision) if stored.contains(&(revision, user, client, request.edit)) => {
                    sequenced.answered.push((self.release(request), verdict));
                }
                Verdict::Accepted(_) | Verdict::Rejected(_) => {
                    sequenced.withheld.push(self.withhold(request))
                }
            }
        }
        sequenced
    }

    /// Applies some of the commits that other servers have written since, and returns them: none if there are no
    /// more.
    ///
    /// # Errors
    /// The journal cannot be read, or does not continue the state.
    pub(super) async fn catch_up(&mut self) -> Result<Vec<Arc<Commit>>, JournalError> {
        let commits = replay(&self.context, self.watchlist, &mut self.state).await?;
        Ok(commits.into_iter().map(Arc::new).collect())
    }

    /// Reads the state from the journal again after a failed write. Returns the commits that are stored after
    /// all, or `None` while the journal cannot be read.
    pub(super) async fn recover_if_suspect(&mut self) -> Option<Vec<Arc<Commit>>> {
        if !self.is_suspect {
            return Some(Vec::new());
        }
        let read = async {
            let (judge, _) = load(&self.context, self.watchlist).await?;
            // What could not be written is reverted, so the state is at the last revision known to be stored.
            let known = self.state.revision;
            let mut missed = self.context.journal.commits(self.watchlist, known, ReadLimit::ALL).await?;
            // Another process may have written since the state was read.
            missed.retain(|commit| commit.revision <= judge.revision);
            Ok((judge, missed))
        };
        let read: Result<_, JournalError> = read.await;
        match read {
            Ok((judge, missed)) => {
                self.state = judge;
                self.is_suspect = false;
                Some(missed.into_iter().map(Arc::new).collect())
            }
            Err(error) => {
                warn!(
                    watchlist = %self.watchlist,
                    error = &error as &dyn std::error::Error,
                    "failed to read the journal after a failed write"
                );
                None
            }
        }
    }

    /// Marks the edits of a connection as no longer withheld if they are stored. Returns false if that cannot
    /// be found out.
    pub(super) async fn resolve(&mut self, withheld: &Withheld) -> bool {
        if !self.load_answers(withheld.sender()).await {
            return false;
        }
        for edit in withheld.edits_of(self.watchlist) {
            if let Some(Kept::Accepted(_)) = self.state.answers.kept(withheld.sender(), edit) {
                withheld.release(self.watchlist, edit);
            }
        }
        true
    }

    /// Reads a sender's answers unless they are in memory. Returns false if they cannot be read.
    async fn load_answers(&mut self, sender: Sender) -> bool {
        if !self.state.answers.is_cached(sender) {
            let Some(records) = self.stored_answers(sender).await else { return false };
            self.state.answers.load(sender, records);
        }
        true
    }

    /// Reads the first answer to an edit that was rejected. Returns `None` if it cannot be read.
    async fn stored_rejection(&self, sender: Sender, edit: EditId) -> Option<Verdict> {
        let records = self.stored_answers(sender).await?;
        let record = records.into_iter().find(|record| record.edit == edit);
        // Answers expire.
        Some(record.map_or_else(|| Verdict::Rejected(too_old(edit).into()), |record| record.verdict))
    }

    async fn stored_answers(&self, sender: Sender) -> Option<Vec<AnswerRecord>> {
        let read = self.context.journal.answers(self.watchlist, sender).await;
        let log = |error: &JournalError| {
            warn!(
                watchlist = %self.watchlist,
                error = error as &dyn std::error::Error,
                "failed to read the answers of a client"
            );
        };
        read.inspect_err(log).ok()
    }
}

/// Whether an edit takes long to judge: it has many changes, or one of them concerns the cells of every row.
fn is_long(request: &EditRequest) -> bool {
    match &request.changes {
        Ok(changes) => {
            changes.len() >= LONG_CHANGES
                || changes.iter().any(|change| matches!(change, Change::AddColumn(_) | Change::SetColumn(_)))
        }
        Err(unreadable) => unreadable.bytes.len() >= LONG_BYTES,
    }
}
