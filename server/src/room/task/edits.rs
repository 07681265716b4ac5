//! Edits in the room's task: judged, written together, answered, and withheld while they cannot be written.

use std::{collections::HashSet, sync::Arc};

use shared::ids::Revision;
use tokio::time::{Duration, Instant};
use tracing::{error, warn};

use super::{Room, until};
use crate::{
    journal::{JournalError, Most, Sender, Verdict},
    room::{
        EditRequest,
        judge::{Unwritten, sender_of},
        load::load,
        refuse::{NOT_STORED, withhold},
        withheld::Withheld,
    },
};

/// How often the journal is asked about withheld edits that may be stored.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(1);

impl Room {
    pub(super) async fn edits(&mut self, requests: Vec<EditRequest>) {
        if self.suspect && self.reload().await.is_none() {
            requests.into_iter().for_each(|request| self.withhold(request));
            return;
        }
        let mut unwritten = Unwritten::default();
        let mut judged: Vec<(EditRequest, Verdict)> = Vec::with_capacity(requests.len());
        for request in requests {
            let sender = sender_of(&request);
            if !self.knows(sender).await {
                self.withhold(request);
                continue;
            }
            let is_answered = self.judge.answers.verdict(sender, request.edit).is_some();
            if is_answered && !unwritten.answers(sender, request.edit) {
                // Its answer is on disk, and is given again whatever waits.
                let verdict = self.judge.judge(&request, (self.context.clock)(), &mut unwritten);
                self.answer(request, verdict);
                continue;
            }
            let withheld = request.reply.withheld();
            if withheld.is_some_and(|withheld| !withheld.admits(self.watchlist, request.edit)) {
                self.withhold(request);
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
            let stored = self.reload().await.unwrap_or_default();
            for (request, verdict) in judged {
                match verdict {
                    Verdict::Accepted(revision) if stored.contains(&revision) => {
                        self.answer(request, verdict)
                    }
                    Verdict::Accepted(_) | Verdict::Rejected(_) => self.withhold(request),
                }
            }
            return;
        }
        for (request, verdict) in judged {
            self.answer(request, verdict);
        }
        let commits: Vec<_> = unwritten.batch.commits.into_iter().map(|new| new.commit).collect();
        self.publish(&commits);
    }

    fn answer(&self, request: EditRequest, verdict: Verdict) {
        if let Some(withheld) = request.reply.withheld() {
            withheld.stored(self.watchlist, request.edit);
        }
        request.reply.answer(self.watchlist, request.edit, verdict);
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

    /// Reads the state from the journal again after a failed write, and gives the revisions whose write came about
    /// after all; `None` while the journal cannot be read.
    async fn reload(&mut self) -> Option<HashSet<Revision>> {
        let read = async {
            let (judge, _) = load(&self.context, self.watchlist).await?;
            let known = self.fanout.durable();
            Ok((judge, self.context.journal.commits(self.watchlist, known, Most::ALL).await?))
        };
        let read: Result<_, JournalError> = read.await;
        match read {
            Ok((judge, missed)) => {
                self.judge = judge;
                self.suspect = false;
                let stored = missed.iter().map(|commit| commit.revision).collect();
                self.publish(&missed.into_iter().map(Arc::new).collect::<Vec<_>>());
                Some(stored)
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the journal cannot be read");
                None
            }
        }
    }

    /// Reads a sender's answers, where they are not held; false where they cannot be read.
    async fn knows(&mut self, sender: Sender) -> bool {
        if !self.judge.answers.holds(sender) {
            match self.context.journal.answers(self.watchlist, sender).await {
                Ok(records) => self.judge.answers.load(sender, records),
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "answers could not be read");
                    return false;
                }
            }
        }
        true
    }

    /// Withholds an edit, which may be stored already, sent on another connection. If it is, its client sees the
    /// commit and does not send it again: it must not hold up the connection's others for ever.
    fn withhold(&mut self, request: EditRequest) {
        if let Some(withheld) = request.reply.withheld() {
            self.note_uncertain(withheld);
        }
        withhold(self.watchlist, request, NOT_STORED);
    }

    fn note_uncertain(&mut self, withheld: &Arc<Withheld>) {
        let withheld = Arc::downgrade(withheld);
        if !self.uncertain.iter().any(|known| known.ptr_eq(&withheld)) {
            self.uncertain.push(withheld);
            self.resolve_at.get_or_insert_with(|| Instant::now() + RESOLVE_INTERVAL);
        }
    }

    /// A connection opens the watchlist: what was withheld from it while there was no room is looked up.
    pub(super) async fn look_up(&mut self, withheld: &Arc<Withheld>) {
        if !withheld.of(self.watchlist).is_empty() {
            self.note_uncertain(withheld);
            self.resolve().await;
        }
    }

    /// Finds out which of the edits that were withheld unknown are stored.
    pub(super) async fn resolve(&mut self) {
        self.resolve_at = None;
        let can_read = !self.suspect || self.reload().await.is_some();
        for uncertain in std::mem::take(&mut self.uncertain) {
            let Some(withheld) = uncertain.upgrade() else { continue };
            if !can_read || !self.knows(withheld.sender()).await {
                self.uncertain.push(uncertain);
                continue;
            }
            for edit in withheld.of(self.watchlist) {
                if let Some(Verdict::Accepted(_)) = self.judge.answers.verdict(withheld.sender(), edit) {
                    withheld.stored(self.watchlist, edit);
                }
            }
        }
        if !self.uncertain.is_empty() {
            self.resolve_at = Some(Instant::now() + RESOLVE_INTERVAL);
        }
    }
}
