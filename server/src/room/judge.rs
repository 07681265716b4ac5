//! Judges edits against a watchlist's state and orders the accepted ones into commits. No IO.

use std::sync::Arc;

use shared::{
    edit::{Author, Change, Commit, RemovedRow},
    ids::{EditId, Revision},
    limits::{Limits, SERVER_MESSAGE_BYTES},
    rejection::{Code, Rejection},
    time::Timestamp,
    value::{Literal, Value},
    watchlist::{
        Columns, Row, Watchlist,
        apply::{Mode, Undo},
    },
};

use super::{
    answers::{Answers, Kept, Recall, digest},
    authorship::{Authorship, AuthorshipUndo},
    command::EditRequest,
};
use crate::journal::{AnswerRecord, Batch, NewCommit, Sender, Verdict};

/// Maximum size of the removed rows that a commit is stored with, in bytes.
const MAX_REMOVED_BYTES: usize = 512 << 10;
/// Maximum number of characters of the name of a removed row that is stored without its cells.
const NAME_LENGTH: usize = 64;

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

    /// Returns the answer to an edit, if it is in the batch.
    pub(super) fn answer(&self, sender: Sender, edit: EditId) -> Option<&Verdict> {
        let of_edit = |record: &&AnswerRecord| record.sender == sender && record.edit == edit;
        self.batch.answers.iter().find(of_edit).map(|record| &record.verdict)
    }
}

/// Result of judging an edit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Verdict(Verdict),
    /// The edit was rejected before. The rejection is in the journal.
    RejectedBefore,
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
        // Its answer is in the journal only.
        self.answers.evict(Sender { user: commit.by.user, client: commit.by.client });
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
    ) -> Judgement {
        if !request.edit.is_valid() {
            return rejected(
                Code::BadMessage,
                format!("edit number {} is not between 1 and 2^53-1", request.edit),
            );
        }
        let sender = request.sender();
        let (digest, bytes) = digest(&request.changes);
        match self.answers.recall(sender, request.edit, &digest) {
            Recall::Same(Kept::Accepted(revision)) => {
                return Judgement::Verdict(Verdict::Accepted(revision));
            }
            Recall::Same(Kept::Rejected) => {
                let unwritten = unwritten.answer(sender, request.edit).cloned();
                return unwritten.map_or(Judgement::RejectedBefore, Judgement::Verdict);
            }
            Recall::Other => {
                return rejected(
                    Code::EditReused,
                    format!("edit {} was already sent with other changes", request.edit),
                );
            }
            Recall::TooOld => return Judgement::Verdict(Verdict::Rejected(too_old(request.edit).into())),
            Recall::New => {}
        }
        let verdict = match self.commit(request, bytes, now, unwritten) {
            Ok(revision) => Verdict::Accepted(revision),
            Err(rejection) => Verdict::Rejected(rejection.into()),
        };
        let record = AnswerRecord { sender, edit: request.edit, digest, verdict: verdict.clone() };
        self.answers.record(&record);
        unwritten.batch().answers.push(record);
        Judgement::Verdict(verdict)
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
        // Escapes can make an edit larger than the message it came in, but it has to fit into a message to
        // subscribers.
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
        request.rights.check_edit(changes)?;
        let at = now.max(self.last_at);
        let authorship = &self.authorship;
        let changed_since = |row, as_of| authorship.changed_since(row, request.client, as_of);
        let mode = Mode::Validate { limits: &self.limits, at, changed_since: &changed_since };
        let undo =
            self.watchlist.apply(changes, &mode).map_err(|rejection| self.with_author(rejection, changes))?;
        let commit = Commit {
            revision: self.revision.next(),
            by: Author {
                user: request.caller.user,
                name: request.caller.name.clone(),
                client: request.client,
                edit: request.edit,
            },
            at,
            changes: changes.iter().cloned().map(Change::without_guard).collect(),
        };
        let replaced = undo.replaced().map(Value::to_literal).collect();
        let removed = removed_rows(undo.removed(), self.watchlist.columns());
        unwritten.undo.push((undo, self.authorship.record(&commit), self.last_at));
        self.revision = commit.revision;
        self.last_at = at;
        unwritten.batch().commits.push(NewCommit { commit: Arc::new(commit), replaced, removed });
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

/// Returns removed rows as a history shows them: with all of their cells, or only with their names past [`MAX_REMOVED_BYTES`].
fn removed_rows<'a>(rows: impl Iterator<Item = &'a Row>, columns: &Columns) -> Vec<RemovedRow> {
    let mut bytes = 0;
    let removed = rows.map(|row| {
        bytes += row.approximate_bytes();
        if bytes <= MAX_REMOVED_BYTES {
            return RemovedRow { position: Some(row.position.clone()), cells: row.stored_cells(columns) };
        }
        let name = row.first_text(columns).map(|(key, text)| {
            let shortened: String = text.chars().take(NAME_LENGTH).collect();
            (key.clone(), Literal::from(shortened.as_str()))
        });
        RemovedRow { position: None, cells: name.into_iter().collect() }
    });
    removed.collect()
}

fn rejected(code: Code, message: String) -> Judgement {
    Judgement::Verdict(Verdict::Rejected(Rejection::new(code, message).into()))
}

/// Rejects an edit whose first answer is no longer kept.
pub(super) fn too_old(edit: EditId) -> Rejection {
    Rejection::new(Code::TooOld, format!("edit {edit} is older than the kept answers"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        account::{ListRole, Role},
        column::standard_columns,
        ids::{ClientId, RowId, UserId, WatchlistId},
        position::Position,
    };
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;
    use crate::{
        access::{Caller, Credential},
        room::command::{Reply, Unreadable},
    };

    const ROW: RowId = RowId(Uuid::from_u128(1));
    const ANN: u128 = 1;
    const BOB: u128 = 2;

    /// Returns a judge of a watchlist with one row, which ann inserted.
    fn judge() -> Judge {
        let limits = Limits { changes: 3, ..Limits::default() };
        let watchlist = Watchlist::new("List", standard_columns(), &limits).unwrap();
        let mut judge = Judge::new(watchlist, Revision(0), limits);
        let insert = Change::insert(ROW, &Position::from_hex("80").unwrap(), [].into());
        assert_eq!(accept(&mut judge, ANN, 1, vec![insert]), Revision(1));
        judge
    }

    fn request(who: u128, edit: u64, changes: Result<Vec<Change>, Unreadable>) -> EditRequest {
        let name = if who == ANN { "ann" } else { "bob" };
        let list = WatchlistId(Uuid::nil());
        let caller = Caller {
            user: UserId(Uuid::from_u128(who)),
            name: name.into(),
            credential: Credential::Local,
            scope: Arc::default(),
        };
        let rights = caller.rights(Some(Role::User), list, Some(ListRole::Editor)).unwrap();
        let by = (caller, rights);
        let client = ClientId(Uuid::from_u128(who));
        EditRequest::new(by, list, (client, EditId(edit)), changes, Reply::Once(oneshot::channel().0))
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn accept(judge: &mut Judge, who: u128, edit: u64, changes: Vec<Change>) -> Revision {
        let verdict = judge.judge(&request(who, edit, Ok(changes)), at(0), &mut Unwritten::default());
        let Judgement::Verdict(Verdict::Accepted(revision)) = verdict else { panic!("{verdict:?}") };
        revision
    }

    fn reject(judge: &mut Judge, request: &EditRequest) -> Rejection {
        let mut unwritten = Unwritten::default();
        let verdict = judge.judge(request, at(0), &mut unwritten);
        assert!(unwritten.batch.commits.is_empty());
        let Judgement::Verdict(Verdict::Rejected(rejection)) = verdict else { panic!("{verdict:?}") };
        *rejection
    }

    fn price(text: &str) -> Change {
        Change::set(ROW, &"price".into(), Literal::from(text))
    }

    fn shown(judge: &Judge) -> Literal {
        judge.watchlist.cell(ROW, &"price".into()).to_literal()
    }

    #[test]
    fn accepted_edits_are_ordered_into_commits_and_their_answers_kept() {
        let (mut judge, mut unwritten) = (judge(), Unwritten::default());
        assert!(unwritten.is_empty());
        for (edit, text) in [(1, "70"), (2, "71")] {
            let verdict = judge.judge(&request(BOB, edit, Ok(vec![price(text)])), at(9), &mut unwritten);
            assert_eq!(verdict, Judgement::Verdict(Verdict::Accepted(Revision(edit + 1))));
        }
        assert!(!unwritten.is_empty());
        let sender = request(BOB, 1, Ok(Vec::new())).sender();
        assert_eq!(unwritten.answer(sender, EditId(2)), Some(&Verdict::Accepted(Revision(3))));
        assert_eq!(unwritten.answer(sender, EditId(3)), None);
        assert_eq!(unwritten.answer(request(ANN, 2, Ok(Vec::new())).sender(), EditId(2)), None);
        let batch = unwritten.batch();
        let written: Vec<_> =
            batch.commits.iter().map(|new| (new.commit.revision, new.replaced.clone())).collect();
        assert_eq!(
            written,
            [(Revision(2), vec![Literal::Empty]), (Revision(3), vec![Literal::from("70")])],
            "history shows what each edit replaced"
        );
        let by = &batch.commits[1].commit.by;
        assert_eq!((&*by.name, by.edit, batch.commits[1].commit.at), ("bob", EditId(2), at(9)));
        assert_eq!((batch.answers.len(), judge.revision, shown(&judge)), (2, Revision(3), "71".into()));
    }

    #[test]
    fn the_rows_that_an_edit_removes_are_kept_with_their_cells_or_their_names() {
        let (mut judge, mut unwritten) = (judge(), Unwritten::default());
        let position = Position::from_hex("a0").unwrap();
        let cells = |name: &str, note: &str| {
            BTreeMap::from([("symbol".into(), Literal::from(name)), ("note".into(), Literal::from(note))])
        };
        let large = "x".repeat(4_000);
        let count = MAX_REMOVED_BYTES as u128 / 4_000 + 5;
        judge.limits.changes = 10_000;
        let row = |number: u128| RowId(Uuid::from_u128(100 + number));
        let inserts =
            (0..count).map(|number| Change::insert(row(number), &position, cells(&"S".repeat(100), &large)));
        accept(&mut judge, BOB, 1, inserts.collect());
        let removes = (0..count).map(|number| Change::remove(row(number), None)).collect();
        judge.judge(&request(BOB, 2, Ok(removes)), at(9), &mut unwritten);
        let removed = &unwritten.batch().commits[0].removed;
        assert_eq!(removed.len() as u128, count);
        let whole = RemovedRow { position: Some(position), cells: cells(&"S".repeat(100), &large) };
        let name = BTreeMap::from([("symbol".into(), Literal::from("S".repeat(NAME_LENGTH).as_str()))]);
        assert_eq!(
            (&removed[0], removed.last()),
            (&whole, Some(&RemovedRow { position: None, cells: name }))
        );
        let kept = removed.iter().filter(|row| row.position.is_some()).count();
        assert!(
            (MAX_REMOVED_BYTES / 4_500..=MAX_REMOVED_BYTES / 4_000).contains(&kept),
            "{kept} rows are kept"
        );
    }

    #[test]
    fn a_repeated_edit_gets_its_first_answer_and_changes_nothing() {
        let mut judge = judge();
        assert_eq!(accept(&mut judge, BOB, 1, vec![price("70")]), Revision(2));
        accept(&mut judge, ANN, 2, vec![price("71")]);
        let mut unwritten = Unwritten::default();
        let repeated = judge.judge(&request(BOB, 1, Ok(vec![price("70")])), at(0), &mut unwritten);
        let accepted = Judgement::Verdict(Verdict::Accepted(Revision(2)));
        assert_eq!((repeated, unwritten.is_empty()), (accepted, true));
        let reused = reject(&mut judge, &request(BOB, 1, Ok(vec![price("72")])));
        assert_eq!(reused.code, Code::EditReused);
        assert_eq!((judge.revision, shown(&judge)), (Revision(3), "71".into()));
        let empty = request(BOB, 2, Ok(Vec::new()));
        let first = judge.judge(&empty, at(0), &mut unwritten);
        assert!(matches!(first, Judgement::Verdict(Verdict::Rejected(_))), "{first:?}");
        assert_eq!(judge.judge(&empty, at(0), &mut unwritten), first);
        let stored = judge.judge(&empty, at(0), &mut Unwritten::default());
        assert_eq!(stored, Judgement::RejectedBefore);
    }

    #[test]
    fn edits_that_are_no_edits_are_rejected() {
        let mut judge = judge();
        let unreadable = Unreadable { bytes: b"{".to_vec(), message: "not JSON".to_owned() };
        let refused = reject(&mut judge, &request(BOB, 1, Err(unreadable)));
        assert_eq!((refused.code, &*refused.message), (Code::BadMessage, "not JSON"));
        assert_eq!(reject(&mut judge, &request(BOB, 2, Ok(Vec::new()))).code, Code::BadMessage);
        assert_eq!(reject(&mut judge, &request(BOB, 3, Ok(vec![price("1"); 4]))).code, Code::TooLarge);
        accept(&mut judge, BOB, 4, vec![price("1"); 3]);
        for invalid in [0, 1 << 53] {
            let refused = reject(&mut judge, &request(BOB, invalid, Ok(vec![price("1")])));
            assert_eq!(refused.code, Code::BadMessage);
        }
        let rename = reject(&mut judge, &request(BOB, 5, Ok(vec![Change::rename("Other")])));
        assert_eq!(rename.code, Code::Forbidden, "an editor changes rows only");
    }

    #[test]
    fn an_edit_has_to_fit_into_a_message_to_subscribers() {
        let mut judge = judge();
        let limit = SERVER_MESSAGE_BYTES * 3 / 4;
        let encoded = |length: usize| {
            let changes = vec![price(&"x".repeat(length))];
            let bytes = serde_json::to_vec(&changes).unwrap().len();
            (changes, bytes)
        };
        let overhead = encoded(0).1;
        for (edit, bytes, message) in [(1, limit, "number"), (2, limit + 1, "too large")] {
            let (changes, size) = encoded(bytes - overhead);
            assert_eq!(size, bytes);
            let refused = reject(&mut judge, &request(BOB, edit, Ok(changes)));
            assert!(refused.message.contains(message), "{} bytes: {refused}", bytes);
        }
    }

    #[test]
    fn commit_times_never_go_back() {
        let (mut judge, mut unwritten) = (judge(), Unwritten::default());
        for (edit, now) in [(1, 50), (2, 20), (3, 60)] {
            judge.judge(&request(BOB, edit, Ok(vec![price("70")])), at(now), &mut unwritten);
        }
        let times: Vec<Timestamp> = unwritten.batch().commits.iter().map(|new| new.commit.at).collect();
        assert_eq!((times, judge.last_at), (vec![at(50), at(50), at(60)], at(60)));
    }

    #[test]
    fn a_conflict_names_who_made_the_other_change() {
        let mut judge = judge();
        accept(&mut judge, BOB, 1, vec![price("70")]);
        let mut guarded = price("71");
        if let Change::Set(set) = &mut guarded {
            set.was = Some(Literal::from("69"));
        }
        let conflict = reject(&mut judge, &request(ANN, 2, Ok(vec![price("70"), guarded])));
        assert_eq!((conflict.code, conflict.by.as_deref()), (Code::Conflict, Some("bob")));
        let outdated = vec![Change::remove(ROW, Some(Revision(1)))];
        let conflict = reject(&mut judge, &request(ANN, 3, Ok(outdated)));
        assert_eq!((conflict.code, conflict.by.as_deref()), (Code::Conflict, Some("bob")));
        let invalid = reject(&mut judge, &request(ANN, 4, Ok(vec![price("words")])));
        assert_eq!((invalid.code, invalid.by), (Code::InvalidValue, None));
    }

    #[test]
    fn edits_that_could_not_be_written_are_reverted() {
        let (mut judge, mut unwritten) = (judge(), Unwritten::default());
        judge.last_at = at(5);
        for (edit, text) in [(1, "70"), (2, "71")] {
            judge.judge(&request(BOB, edit, Ok(vec![price(text)])), at(9), &mut unwritten);
        }
        judge.revert(unwritten);
        assert_eq!((judge.revision, judge.last_at, shown(&judge)), (Revision(1), at(5), Literal::Empty));
        assert!(!judge.answers.is_cached(request(BOB, 1, Ok(Vec::new())).sender()));
        assert_eq!(accept(&mut judge, BOB, 1, vec![price("72")]), Revision(2), "the number is not used");
    }

    #[test]
    fn commits_of_the_journal_are_replayed() {
        let (mut writer, mut reader, mut unwritten) = (judge(), judge(), Unwritten::default());
        writer.judge(&request(BOB, 1, Ok(vec![price("70")])), at(9), &mut unwritten);
        let commit = unwritten.batch().commits[0].commit.clone();
        reader.replay(&commit).unwrap();
        assert_eq!((reader.revision, reader.last_at, shown(&reader)), (Revision(2), at(9), "70".into()));
        assert_eq!(reader.authorship.author_of(ROW, &"price".into()).as_deref(), Some("bob"));
        let unknown = Change::remove(RowId(Uuid::from_u128(9)), None);
        let wrong = Commit { revision: Revision(3), changes: vec![unknown], ..(*commit).clone() };
        assert!(reader.replay(&wrong).is_err() && reader.revision == Revision(2));
    }
}
