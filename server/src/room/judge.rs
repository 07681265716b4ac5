//! Judges edits against a watchlist's state and orders the accepted ones into commits. No IO.

use std::sync::Arc;

use shared::{
    edit::{Author, Change, Commit},
    ids::{EditId, Revision},
    limits::{Limits, SERVER_MESSAGE_BYTES},
    rejection::{Code, Rejection},
    time::Timestamp,
    value::Value,
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
};

use super::{
    answers::{Answers, Recall, digest},
    authorship::{Authorship, AuthorshipUndo},
    command::EditRequest,
};
use crate::{
    access::{self, Action},
    journal::{AnswerRecord, Batch, NewCommit, Sender, Verdict},
};

/// The state that edits are judged against.
pub(super) struct Judge {
    pub(super) watchlist: Watchlist,
    pub(super) revision: Revision,
    pub(super) last_at: Timestamp,
    pub(super) authorship: Authorship,
    pub(super) answers: Answers,
    pub(super) limits: Limits,
}

/// Edits that are judged but not yet written: the batch to write, and how to revert it.
#[derive(Default)]
pub(super) struct Unwritten {
    pub(super) batch: Arc<Batch>,
    undo: Vec<(Undo, AuthorshipUndo, Timestamp)>,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.answers.is_empty()
    }

    /// Returns the batch to add to. It is shared only while it is written, and nothing is added then.
    pub(super) fn batch(&mut self) -> &mut Batch {
        Arc::make_mut(&mut self.batch)
    }

    /// Whether the answer to an edit is in the batch.
    pub(super) fn has_answer(&self, sender: Sender, edit: EditId) -> bool {
        self.batch.answers.iter().any(|record| record.sender == sender && record.edit == edit)
    }
}

impl Judge {
    /// Starts from a snapshot. Later commits are then passed to [`Self::replay`].
    pub(super) fn new(watchlist: Watchlist, revision: Revision, limits: Limits) -> Self {
        Self {
            watchlist,
            revision,
            last_at: Timestamp::default(),
            authorship: Authorship::default(),
            answers: Answers::default(),
            limits,
        }
    }

    /// Applies a commit of the journal.
    pub(super) fn replay(&mut self, commit: &Commit) -> Result<(), Rejection> {
        self.watchlist.apply(&commit.changes, &Mode::Confirmed { at: commit.at })?;
        drop(self.authorship.record(commit));
        self.revision = commit.revision;
        self.last_at = commit.at;
        Ok(())
    }

    /// Judges an edit. A new answer is added to `unwritten`; a repeated edit gets its first answer.
    pub(super) fn judge(
        &mut self,
        request: &EditRequest,
        now: Timestamp,
        unwritten: &mut Unwritten,
    ) -> Verdict {
        if !request.edit.is_valid() {
            return rejected(
                Code::BadMessage,
                format!("edit number {} is not between 1 and 2^53-1", request.edit),
            );
        }
        let sender = request.sender();
        let (digest, bytes) = digest(&request.changes);
        match self.answers.recall(sender, request.edit, &digest) {
            Recall::Same(verdict) => return verdict,
            Recall::Other => {
                return rejected(
                    Code::EditReused,
                    format!("edit {} was already sent with other changes", request.edit),
                );
            }
            Recall::TooOld => {
                return rejected(
                    Code::TooOld,
                    format!("edit {} is older than the kept answers", request.edit),
                );
            }
            Recall::New => {}
        }
        let verdict = match self.commit(request, bytes, now, unwritten) {
            Ok(revision) => Verdict::Accepted(revision),
            Err(rejection) => Verdict::Rejected(rejection.into()),
        };
        let record = AnswerRecord { sender, edit: request.edit, digest, verdict: verdict.clone() };
        self.answers.record(&record);
        unwritten.batch().answers.push(record);
        verdict
    }

    fn commit(
        &mut self,
        request: &EditRequest,
        bytes: usize,
        now: Timestamp,
        unwritten: &mut Unwritten,
    ) -> Result<Revision, Rejection> {
        let changes = match &request.changes {
            Ok(changes) => changes,
            Err(unreadable) => return Err(Rejection::new(Code::BadMessage, unreadable.message.clone())),
        };
        // Escapes can make an edit larger than the message it came in, but it has to fit into a message to subscribers.
        if bytes > SERVER_MESSAGE_BYTES * 3 / 4 {
            return Err(Rejection::new(
                Code::TooLarge,
                format!("the edit is too large: {bytes} bytes when encoded"),
            ));
        }
        if changes.is_empty() {
            return Err(Rejection::new(Code::BadMessage, "an edit needs at least one change"));
        }
        if changes.len() > self.limits.changes {
            let message =
                format!("the edit has {} changes; the maximum is {}", changes.len(), self.limits.changes);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        access::check(&request.caller, Action::of_edit(changes), request.role)?;
        let at = now.max(self.last_at);
        let authorship = &self.authorship;
        let changed_since = |row, as_of| authorship.changed_since(row, request.client, as_of);
        let mode = Mode::Validate { limits: &self.limits, at, changed_since: &changed_since };
        let undo =
            self.watchlist.apply(changes, &mode).map_err(|rejection| self.with_author(rejection, changes))?;
        let commit = Commit {
            revision: self.revision.next(),
            by: Author {
                user: request.caller.user().id,
                name: request.caller.user().name.clone(),
                client: request.client,
                edit: request.edit,
            },
            at,
            changes: changes.iter().cloned().map(Change::without_guard).collect(),
        };
        let replaced = undo.replaced().map(Value::to_literal).collect();
        unwritten.undo.push((undo, self.authorship.record(&commit), self.last_at));
        self.revision = commit.revision;
        self.last_at = at;
        unwritten.batch().commits.push(NewCommit { commit: Arc::new(commit), replaced });
        Ok(self.revision)
    }

    fn with_author(&self, mut rejection: Rejection, changes: &[Change]) -> Rejection {
        if rejection.code == Code::Conflict {
            rejection.by = match rejection.change.and_then(|index| changes.get(index)) {
                Some(Change::Set(set)) => self.authorship.author_of(set.row, &set.column),
                Some(Change::Remove(remove)) => self.authorship.last_author_of(remove.row),
                _ => None,
            };
        }
        rejection
    }

    /// Reverts edits that could not be written.
    pub(super) fn revert(&mut self, unwritten: Unwritten) {
        for (undo, authorship, last_at) in unwritten.undo.into_iter().rev() {
            self.watchlist.revert(undo);
            self.authorship.revert(authorship);
            self.last_at = last_at;
            self.revision = Revision(self.revision.0 - 1);
        }
        for record in &unwritten.batch.answers {
            self.answers.evict(record.sender);
        }
    }
}

fn rejected(code: Code, message: String) -> Verdict {
    Verdict::Rejected(Rejection::new(code, message).into())
}
