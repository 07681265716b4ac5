//! Tests of reads from a tail that was folded in the meantime, and of their limits.

use std::path::Path;

use shared::{
    column::{ColumnKey, standard_columns},
    edit::{Author, Change, Set},
    ids::{At, ClientId, EditId, Epoch, RowId, UserId},
    limits::Limits,
    time::Timestamp,
    value::Literal,
    watchlist::Watchlist,
    wire::snapshot::Snapshot,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::journal::{
    record::{Batch, NewCommit, Record, StoredPart, Verdict},
    sqlite::{FILE, SqliteJournal, file, readers::open_reader},
    store::Journal,
};

const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));

fn row(number: u64) -> RowId {
    RowId(Uuid::from_u128(number.into()))
}

fn user(number: u64) -> UserId {
    UserId(Uuid::from_u128(number.into()))
}

/// A journal with one watchlist. Revision N sets the note of row N, by account N modulo 2.
struct Written {
    folder: TempDir,
    journal: SqliteJournal,
    revision: u64,
}

impl Written {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(folder.path()).await.unwrap();
        let epoch = Epoch(Uuid::nil());
        let state = Watchlist::new("List", standard_columns(), &Limits::default()).unwrap();
        let at = At { epoch, revision: Revision(0) };
        let snapshot = Snapshot::parts(&state.freeze(), LIST, at, usize::MAX).next().unwrap();
        let (id, name, revision) = (LIST, "List".into(), Revision(0));
        let record = Record { id, epoch, name, revision, rows: 0, deleted_at: None };
        journal.create(record, StoredPart { snapshot, authors: Vec::new() }).await.unwrap();
        Self { folder, journal, revision: 0 }
    }

    /// Writes commits with texts of a number of bytes as one segment.
    async fn append(&mut self, commits: u64, bytes: usize) {
        let mut batch = Batch { expected: Revision(self.revision), name: "List".into(), ..Batch::default() };
        for _ in 0..commits {
            self.revision += 1;
            let edit = EditId(self.revision);
            let sender = Sender { user: user(self.revision % 2), client: ClientId(Uuid::nil()) };
            let by = Author { user: sender.user, name: "ann".into(), client: sender.client, edit };
            let note = Literal::from("x".repeat(bytes).as_str());
            let changes = vec![Change::set(row(self.revision), &"note".into(), note)];
            let (revision, at) = (Revision(self.revision), Timestamp::default());
            let commit = Arc::new(Commit { revision, by, at, changes });
            batch.commits.push(NewCommit {
                commit,
                replaced: vec![Literal::from("before")],
                removed: Vec::new(),
            });
            let verdict = Verdict::Accepted(revision);
            batch.answers.push(AnswerRecord { sender, edit, digest: [1; 16], verdict });
        }
        self.journal.append(LIST, Arc::new(batch)).await.unwrap();
    }

    /// Closes the journal, which folds its tail, and opens it again.
    async fn fold(self) -> Self {
        self.journal.close().await;
        let journal = SqliteJournal::open(self.folder.path()).await.unwrap();
        Self { journal, ..self }
    }

    fn source(&self) -> Source {
        self.journal.source(LIST).unwrap()
    }

    fn reader(&self) -> Connection {
        open_reader(&self.folder.path().join(FILE)).unwrap()
    }
}

/// Damages the segment with a number.
fn damage(folder: &Path, seq: i64) {
    let connection = file::open(&folder.join(FILE)).unwrap().connection;
    assert_eq!(connection.execute("UPDATE log SET checksum = checksum + 1 WHERE seq = ?", [seq]).unwrap(), 1);
}

fn revisions(commits: &[Commit]) -> Vec<u64> {
    commits.iter().map(|commit| commit.revision.0).collect()
}

fn commits(source: &Source, connection: &Connection, after: u64, limit: ReadLimit) -> Vec<u64> {
    revisions(&source.commits(connection, Revision(after), limit).unwrap())
}

fn found(source: &Source, connection: &Connection, filter: &HistoryFilter) -> (Vec<u64>, Option<u64>) {
    let page = source.history(connection, filter).unwrap();
    (revisions(&page.commits), page.next.map(|next| next.0))
}

fn newest(limit: usize) -> HistoryFilter {
    HistoryFilter { limit, ..HistoryFilter::default() }
}

#[tokio::test]
async fn what_is_folded_during_a_read_is_read_once() {
    let mut written = Written::new().await;
    written.append(1, 10).await;
    written.append(1, 10).await;
    let mut written = written.fold().await;
    written.append(1, 10).await;
    written.append(1, 10).await;
    let source = written.source();
    assert_eq!(source.tail.len(), 2);
    let written = written.fold().await;
    for source in [source, written.source()] {
        let connection = written.reader();
        for after in 0..=4 {
            let expected = (after + 1..=4).collect::<Vec<u64>>();
            assert_eq!(commits(&source, &connection, after, ReadLimit::ALL), expected, "after {after}");
        }
        assert_eq!(found(&source, &connection, &newest(9)), (vec![4, 3, 2, 1], None));
        let sender = Sender { user: user(0), client: ClientId(Uuid::nil()) };
        let answers = source.answers(&connection, sender).unwrap();
        assert_eq!(answers.iter().map(|answer| answer.edit.0).collect::<Vec<_>>(), [2, 4]);
    }
}

#[tokio::test]
async fn a_read_is_limited_by_the_number_and_the_size_of_commits_and_reads_nothing_else() {
    let mut written = Written::new().await;
    for count in [1, 1, 4, 1] {
        written.append(count, 1_000).await;
    }
    for _ in 0..2 {
        let source = written.source();
        damage(written.folder.path(), 4);
        let connection = written.reader();
        let read =
            |after, commits, bytes| self::commits(&source, &connection, after, ReadLimit { commits, bytes });
        assert_eq!(read(0, 1, usize::MAX), [1]);
        assert_eq!(read(0, 2, usize::MAX), [1, 2]);
        assert_eq!(read(1, 3, usize::MAX), [2, 3, 4]);
        assert_eq!(read(0, usize::MAX, 1), [1], "the first is read whatever its size");
        assert_eq!(read(0, usize::MAX, 1_500), [1, 2], "the second passes the limit");
        assert_eq!(read(2, usize::MAX, 2_500), [3, 4, 5], "a part of a segment counts as such a part of it");
        assert_eq!(read(3, usize::MAX, 1_500), [4, 5]);
        assert!(source.commits(&connection, Revision(0), ReadLimit::ALL).is_err(), "the last is damaged");
        damage(written.folder.path(), 1);
        assert_eq!(read(1, 1, usize::MAX), [2], "what is before is not read");
        drop(connection);
        let connection = file::open(&written.folder.path().join(FILE)).unwrap().connection;
        connection.execute("UPDATE log SET checksum = checksum - 1 WHERE seq IN (1, 4)", []).unwrap();
        drop(connection);
        written = written.fold().await;
    }
}

#[tokio::test]
async fn a_history_is_filtered_and_paged() {
    let mut written = Written::new().await;
    for count in [2, 3, 1, 2] {
        written.append(count, 10).await;
    }
    for _ in 0..2 {
        let (source, connection) = (written.source(), written.reader());
        let find = |filter: HistoryFilter| found(&source, &connection, &filter);
        assert_eq!(find(newest(3)), (vec![8, 7, 6], Some(6)));
        assert_eq!(find(HistoryFilter { before: Some(Revision(6)), ..newest(3) }), (vec![5, 4, 3], Some(3)));
        assert_eq!(find(HistoryFilter { before: Some(Revision(3)), ..newest(2) }), (vec![2, 1], None));
        assert_eq!(find(HistoryFilter { before: Some(Revision(5)), ..newest(9) }), (vec![4, 3, 2, 1], None));
        assert_eq!(find(HistoryFilter { before: Some(Revision(1)), ..newest(2) }), (vec![], None));
        assert_eq!(find(HistoryFilter { user: Some(user(1)), ..newest(9) }), (vec![7, 5, 3, 1], None));
        assert_eq!(find(HistoryFilter { row: Some(row(4)), ..newest(9) }), (vec![4], None));
        assert_eq!(
            find(HistoryFilter { row: Some(row(4)), user: Some(user(1)), ..newest(9) }),
            (vec![], None)
        );
        let column = |key: &str| HistoryFilter { column: Some(ColumnKey::from(key)), ..newest(1) };
        assert_eq!(find(column("note")), (vec![8], Some(8)));
        assert_eq!(find(column("price")), (vec![], None));
        let page = source.history(&connection, &newest(1)).unwrap();
        let Change::Set(Set { was, .. }) = &page.commits[0].changes[0] else { panic!("{page:?}") };
        assert_eq!(*was, Some(Literal::from("before")));
        drop(connection);
        written = written.fold().await;
    }
}

#[tokio::test]
async fn a_history_reads_only_segments_that_may_match_and_a_limited_number_of_bytes() {
    let mut written = Written::new().await;
    for _ in 0..4 {
        written.append(1, HISTORY_BYTES / 2).await;
    }
    let unread = [
        HistoryFilter { row: Some(row(3)), ..newest(9) },
        HistoryFilter { before: Some(Revision(4)), ..newest(1) },
    ];
    for _ in 0..2 {
        let (source, connection) = (written.source(), written.reader());
        assert_eq!(found(&source, &connection, &newest(9)), (vec![4, 3], Some(3)));
        let rest = HistoryFilter { before: Some(Revision(3)), ..newest(9) };
        assert_eq!(found(&source, &connection, &rest), (vec![2, 1], None), "nothing is before the first");
        assert_eq!(found(&source, &connection, &unread[0]), (vec![3], None));
        drop(connection);
        written = written.fold().await;
    }
    damage(written.folder.path(), 4);
    let (source, connection) = (written.source(), written.reader());
    assert_eq!(found(&source, &connection, &unread[0]), (vec![3], None));
    assert_eq!(found(&source, &connection, &unread[1]), (vec![3], Some(3)));
    assert!(source.history(&connection, &newest(1)).is_err());
}

#[tokio::test]
async fn commits_that_are_pruned_during_a_read_are_not_missed_by_it() {
    let mut written = Written::new().await;
    written.append(1, 10).await;
    written.append(1, 10).await;
    let source = written.source();
    let written = written.fold().await;
    let connection = file::open(&written.folder.path().join(FILE)).unwrap().connection;
    connection.execute_batch("UPDATE watchlists SET pruned = 1; DELETE FROM log WHERE seq = 1").unwrap();
    for source in [source, written.source()] {
        assert_eq!(commits(&source, &written.reader(), 0, ReadLimit::ALL), [2]);
        assert_eq!(found(&source, &written.reader(), &newest(9)), (vec![2], None));
    }
}
