//! Judging edits: the watchlist's state, the order of its commits, and the answers. No IO.

use std::sync::Arc;

use shared::{
    edit::{Author, Change, Code, Commit, Rejection},
    ids::{EditId, Revision},
    limits::Limits,
    time::Timestamp,
    value::Value,
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
};

use super::{
    EditRequest,
    answers::{Answers, Memory, digest},
    authorship::{Authorship, AuthorshipUndo},
    refused,
};
use crate::frame::MAX_MESSAGE_BYTES;
use crate::journal::{AnswerRecord, Batch, NewCommit, Sender, Verdict};

/// The state that edits are judged against.
pub(super) struct Judge {
    pub(super) watchlist: Watchlist,
    pub(super) revision: Revision,
    pub(super) last_at: Timestamp,
    pub(super) authorship: Authorship,
    pub(super) answers: Answers,
    pub(super) limits: Limits,
}

/// Edits judged and not yet written: what to write, and how to take it back.
#[derive(Default)]
pub(super) struct Unwritten {
    pub(super) batch: Batch,
    undo: Vec<(Undo, AuthorshipUndo, Timestamp)>,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.answers.is_empty()
    }

    /// Whether an edit's answer is among them.
    pub(super) fn answers(&self, sender: Sender, edit: EditId) -> bool {
        self.batch.answers.iter().any(|record| record.sender == sender && record.edit == edit)
    }
}

impl Judge {
    /// A loaded watchlist; commits after its snapshot are then [`Self::replay`]ed.
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

    /// Applies a commit that the journal holds.
    pub(super) fn replay(&mut self, commit: &Commit) -> Result<(), Rejection> {
        self.watchlist.apply(&commit.changes, &Mode::Confirmed { at: commit.at })?;
        drop(self.authorship.note(commit));
        self.revision = commit.revision;
        self.last_at = commit.at;
        Ok(())
    }

    /// Judges an edit. A new answer is added to what is to be written; an old one is given again.
    pub(super) fn judge(
        &mut self,
        request: &EditRequest,
        now: Timestamp,
        unwritten: &mut Unwritten,
    ) -> Verdict {
        if !request.edit.is_valid() {
            return refused(
                Code::BadMessage,
                format!("edit {} is not a number from 1 to 2^53-1", request.edit),
            );
        }
        let sender = sender_of(request);
        let (digest, bytes) = digest(&request.changes);
        match self.answers.recall(sender, request.edit, &digest) {
            Memory::Same(verdict) => return verdict,
            Memory::Other => {
                return refused(
                    Code::EditReused,
                    format!("edit {} was sent before with other changes", request.edit),
                );
            }
            Memory::Forgotten => {
                return refused(
                    Code::TooOld,
                    format!("edit {} is older than the answers that are kept", request.edit),
                );
            }
            Memory::New => {}
        }
        let verdict = match self.commit(request, bytes, now, unwritten) {
            Ok(revision) => Verdict::Accepted(revision),
            Err(rejection) => Verdict::Rejected(rejection),
        };
        let record = AnswerRecord { sender, edit: request.edit, digest, verdict: verdict.clone() };
        if let Some(below) = self.answers.remember(&record) {
            unwritten.batch.forgotten.retain(|(other, _)| *other != sender);
            unwritten.batch.forgotten.push((sender, below));
        }
        unwritten.batch.answers.push(record);
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
        // Escapes can make an edit larger than the message it came in; it has to fit a message to everyone.
        if bytes > MAX_MESSAGE_BYTES * 3 / 4 {
            return Err(Rejection::new(Code::TooLarge, format!("the edit takes {bytes} bytes once written")));
        }
        if changes.is_empty() {
            return Err(Rejection::new(Code::BadMessage, "an edit has at least one change"));
        }
        if changes.len() > self.limits.changes {
            let message = format!("{} changes; one edit takes {}", changes.len(), self.limits.changes);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let at = now.max(self.last_at);
        let authorship = &self.authorship;
        let changed_since = |row, as_of| authorship.changed_since(row, request.client, as_of);
        let mode = Mode::Judge { limits: &self.limits, at, changed_since: &changed_since };
        let undo =
            self.watchlist.apply(changes, &mode).map_err(|rejection| self.with_author(rejection, changes))?;
        let commit = Commit {
            revision: self.revision.next(),
            by: Author {
                user: request.user.id,
                name: request.user.name.clone(),
                client: request.client,
                edit: request.edit,
            },
            at,
            changes: changes.iter().cloned().map(Change::without_guard).collect(),
        };
        let replaced = undo.replaced().iter().map(Value::to_literal).collect();
        unwritten.undo.push((undo, self.authorship.note(&commit), self.last_at));
        self.revision = commit.revision;
        self.last_at = at;
        unwritten.batch.commits.push(NewCommit { commit: Arc::new(commit), replaced });
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

    /// Takes back what could not be written.
    pub(super) fn take_back(&mut self, unwritten: Unwritten) {
        for (undo, authorship, last_at) in unwritten.undo.into_iter().rev() {
            self.watchlist.revert(undo);
            self.authorship.revert(authorship);
            self.last_at = last_at;
            self.revision = Revision(self.revision.0 - 1);
        }
        for record in &unwritten.batch.answers {
            self.answers.unlearn(record.sender);
        }
    }
}

pub(super) fn sender_of(request: &EditRequest) -> Sender {
    Sender { user: request.user.id, client: request.client }
}
