//! Watchlists that are written into a journal directly, without rooms, and a record of what was written.

use std::{path::Path, sync::Arc};

use server::journal::{
    AnswerRecord, Batch, Journal, JournalError, NewCommit, Record, Retention, Sender, StoredPart, Verdict,
    sqlite::SqliteJournal,
};
use shared::{
    column::standard_columns,
    edit::{Author, Change, Commit},
    ids::{At, ClientId, EditId, Epoch, Revision, RowId, UserId, WatchlistId},
    limits::Limits,
    rejection::{Code, Rejection},
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
    wire::snapshot::Snapshot,
};
use uuid::Uuid;

/// A watchlist, as it should be in the journal.
pub struct StoredList {
    pub id: WatchlistId,
    pub state: Watchlist,
    pub commits: Vec<Arc<Commit>>,
    pub answers: Vec<AnswerRecord>,
}

pub fn sender(number: u128) -> Sender {
    Sender { user: UserId(Uuid::from_u128(number)), client: ClientId(Uuid::from_u128(number)) }
}

pub fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

/// Returns a change that sets a note.
pub fn note(of: RowId, text: &str) -> Change {
    Change::set(of, &"note".into(), Literal::from(text))
}

/// Closes the journal, which folds its log, and opens it again.
pub async fn reopen(journal: SqliteJournal, folder: &Path) -> SqliteJournal {
    journal.close().await;
    SqliteJournal::open(folder).await.unwrap()
}

/// Keeps the newest commits only.
pub fn newest(commits: u64) -> Retention {
    Retention { commits, ..Retention::all() }
}

impl StoredList {
    /// Creates a watchlist with a number of rows, which are numbered from 1.
    pub async fn create(journal: &dyn Journal, number: u128, rows: u128) -> Self {
        let (id, epoch) = (WatchlistId(Uuid::from_u128(number)), Epoch(Uuid::from_u128(number)));
        let state = Watchlist::new("List", standard_columns(), &Limits::default()).unwrap();
        let at = At { epoch, revision: Revision(0) };
        let snapshot = Snapshot::parts(&state.freeze(), id, at, usize::MAX).next().unwrap();
        let record =
            Record { id, epoch, name: "List".into(), revision: Revision(0), rows: 0, deleted_at: None };
        journal.create(record, StoredPart { snapshot, authors: Vec::new() }).await.unwrap();
        let mut list = Self { id, state, commits: Vec::new(), answers: Vec::new() };
        let position = shared::position::Position::between(None, None, 1).unwrap().remove(0);
        let inserts = (1..=rows).map(|number| Change::insert(row(number), &position, Default::default()));
        list.append(journal, vec![list.edit(sender(1), 1, inserts.collect())]).await.unwrap();
        list
    }

    pub fn head(&self) -> Revision {
        Revision(self.commits.len() as u64)
    }

    /// Returns an edit that is accepted, or rejected if it has no changes.
    pub fn edit(&self, by: Sender, edit: u64, changes: Vec<Change>) -> (Sender, EditId, Vec<Change>) {
        (by, EditId(edit), changes)
    }

    /// Returns a batch of edits that expects the current revision, and what it adds to the list.
    pub fn batch(&self, edits: Vec<(Sender, EditId, Vec<Change>)>) -> Batch {
        let mut batch = Batch { expected: self.head(), name: "List".into(), ..Batch::default() };
        let mut revision = self.head();
        batch.rows = self.state.rows().len();
        for (sender, edit, changes) in edits {
            let digest = [edit.0.to_le_bytes()[0]; 16];
            let verdict = if changes.is_empty() {
                Verdict::Rejected(
                    Rejection::new(Code::BadMessage, "an edit needs at least one change").into(),
                )
            } else {
                revision = revision.next();
                let by = Author { user: sender.user, name: "ann".into(), client: sender.client, edit };
                let at = Timestamp::from_millis(i64::try_from(revision.0).unwrap());
                let sets = changes.iter().filter(|change| matches!(change, Change::Set(_)));
                let replaced = sets.map(|_| Literal::from("before")).collect();
                batch.rows += changes.iter().filter(|change| matches!(change, Change::Insert(_))).count();
                let commit = Arc::new(Commit { revision, by, at, changes });
                batch.commits.push(NewCommit { commit, replaced, removed: Vec::new() });
                Verdict::Accepted(revision)
            };
            batch.answers.push(AnswerRecord { sender, edit, digest, verdict });
        }
        batch
    }

    /// Writes edits as one batch.
    pub async fn append(
        &mut self,
        journal: &dyn Journal,
        edits: Vec<(Sender, EditId, Vec<Change>)>,
    ) -> Result<(), JournalError> {
        let batch = Arc::new(self.batch(edits));
        journal.append(self.id, batch.clone()).await?;
        self.record(&batch);
        Ok(())
    }

    /// Records that a batch was written.
    pub fn record(&mut self, batch: &Batch) {
        for NewCommit { commit, .. } in &batch.commits {
            self.state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).unwrap();
            self.commits.push(commit.clone());
        }
        self.answers.extend(batch.answers.iter().cloned());
    }

    /// Writes edits of one sender, each in a batch of its own, that set the notes of one row after the other.
    pub async fn append_notes(&mut self, journal: &dyn Journal, count: u64, text: &str) {
        let rows = self.state.rows().len() as u128;
        for _ in 0..count {
            let number = self.head().0 + 1;
            let edit = self.edit(sender(1), number, vec![note(row(u128::from(number) % rows + 1), text)]);
            self.append(journal, vec![edit]).await.unwrap();
        }
    }

    /// Stores a snapshot at the head.
    pub async fn save(&self, journal: &dyn Journal) {
        let at = At { epoch: Epoch(self.id.0), revision: self.head() };
        for snapshot in Snapshot::parts(&self.state.freeze(), self.id, at, 64 * 1024) {
            journal.save_part(self.id, StoredPart { snapshot, authors: Vec::new() }).await.unwrap();
        }
    }

    /// Returns the answers to a sender that have to be kept, ordered by edit.
    pub fn kept_answers(&self, of: Sender) -> Vec<AnswerRecord> {
        let mut answers: Vec<_> = self.answers.iter().filter(|answer| answer.sender == of).cloned().collect();
        answers.sort_by_key(|answer| answer.edit);
        answers.drain(..answers.len().saturating_sub(shared::limits::MAX_KEPT_ANSWERS));
        answers
    }
}
