//! What a journal keeps: commits by their number, size and time, and the answers of a sender in few records.

use std::path::Path;

use rusqlite::Connection;
use server::journal::{Journal, ReadLimit, Retention, sqlite::SqliteJournal};
use shared::{
    ids::{Revision, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
    time::Timestamp,
};
use tempfile::TempDir;

use crate::{
    stored::{StoredList, newest, note, reopen, row, sender},
    support::wait_for,
};

/// Selects the number of records that are not folded.
const NOT_FOLDED: &str = "SELECT count(*) FROM log WHERE seq > (SELECT seq FROM folded)";

/// Returns a number from the journal's file.
fn number(folder: &Path, query: &str) -> i64 {
    let connection = Connection::open(folder.join("journal.sqlite")).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Returns a journal with a watchlist of twelve commits, one a millisecond, and a snapshot at the tenth.
async fn journal_with_snapshot() -> (TempDir, SqliteJournal, StoredList) {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    list.append_notes(&journal, 9, "before the snapshot").await;
    list.save(&journal).await;
    list.append_notes(&journal, 2, "after the snapshot").await;
    let journal = reopen(journal, folder.path()).await;
    (folder, journal, list)
}

async fn revisions(journal: &SqliteJournal, list: WatchlistId) -> Vec<u64> {
    let commits = journal.commits(list, Revision(0), ReadLimit::ALL).await.unwrap();
    commits.iter().map(|commit| commit.revision.0).collect()
}

#[tokio::test]
async fn commits_are_kept_up_to_their_size() {
    let (folder, journal, list) = journal_with_snapshot().await;
    let size = u64::try_from(number(folder.path(), "SELECT bytes FROM watchlists")).unwrap();
    for (bytes, first) in [(size, 1), (size - 1, 2)] {
        journal.prune(list.id, Retention { bytes, ..Retention::all() }).await.unwrap();
        assert_eq!(revisions(&journal, list.id).await, (first..=12).collect::<Vec<_>>());
    }
    let left = number(folder.path(), "SELECT bytes FROM watchlists");
    let records = number(folder.path(), "SELECT sum(length(data)) FROM log");
    assert_eq!(left, records, "the size is that of what is left");
}

#[tokio::test]
async fn the_answers_of_a_sender_are_in_few_records() {
    // (answers of each round, rounds, records)
    for (answers, rounds, records) in [(100, 7, 2), (256, 3, 2), (3_000, 4, 2), (5_000, 2, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
        let mut list = StoredList::create(&journal, 1, 3).await;
        for round in 0..rounds {
            let numbers = round * answers + 1..=(round + 1) * answers;
            let edits = numbers.map(|edit| list.edit(sender(2), edit, vec![note(row(1), "x")])).collect();
            list.append(&journal, edits).await.unwrap();
            journal = reopen(journal, folder.path()).await;
        }
        let kept = journal.answers(list.id, sender(2)).await.unwrap();
        assert_eq!(kept, list.kept_answers(sender(2)), "{rounds} rounds of {answers} answers");
        assert!(kept.len() <= MAX_KEPT_ANSWERS);
        let client = format!("client = x'{}'", sender(2).client.0.simple());
        let found = number(folder.path(), &format!("SELECT count(*) FROM runs WHERE {client}"));
        assert_eq!(found, records, "{rounds} rounds of {answers} answers");
        journal.close().await;
        server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
    }
}

#[tokio::test]
async fn more_watchlists_than_are_folded_at_once_are_folded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut lists = Vec::new();
    for number in 1..=1_030 {
        lists.push(StoredList::create(&journal, number, 1).await);
    }
    // Those that are folded first have commits after the others as well.
    for list in &mut lists[..2] {
        list.append_notes(&journal, 1, "later").await;
    }
    let journal = reopen(journal, folder.path()).await;
    for list in &lists {
        assert_eq!(revisions(&journal, list.id).await.len(), list.commits.len());
    }
    journal.close().await;
    assert_eq!(number(folder.path(), NOT_FOLDED), 0);
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

#[tokio::test]
async fn only_the_newest_snapshot_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 400).await;
    // More parts than one step deletes.
    list.append_notes(&journal, 400, &"x".repeat(4_000)).await;
    list.save(&journal).await;
    assert!(number(folder.path(), "SELECT count(*) FROM snapshots") > 20);
    list.append_notes(&journal, 1, "later").await;
    list.save(&journal).await;
    let older = format!("SELECT count(*) FROM snapshots WHERE revision < {}", list.head());
    assert_eq!(number(folder.path(), &older), 0);
}

#[tokio::test]
async fn a_small_file_keeps_its_free_pages() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    list.append_notes(&journal, 100, &"x".repeat(4_000)).await;
    list.append_notes(&journal, 3, "short").await;
    list.save(&journal).await;
    let journal = reopen(journal, folder.path()).await;
    journal.prune(list.id, newest(1)).await.unwrap();
    // The journal is maintained between batches.
    list.append_notes(&journal, 20, "short").await;
    let (free, pages) =
        (number(folder.path(), "PRAGMA freelist_count"), number(folder.path(), "PRAGMA page_count"));
    assert!(free > 50 && free > pages / 8, "{free} of {pages} pages are free");
}

#[tokio::test]
async fn a_large_file_keeps_free_pages_up_to_an_eighth() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 30).await;
    for edit in 2..202 {
        let notes = (1..=25).map(|number| note(row(number), &"x".repeat(4_000))).collect();
        list.append(&journal, vec![list.edit(sender(1), edit, notes)]).await.unwrap();
    }
    list.save(&journal).await;
    let journal = reopen(journal, folder.path()).await;
    journal.prune(list.id, newest(182)).await.unwrap();
    // The journal is maintained between batches.
    list.append_notes(&journal, 20, "short").await;
    let free = number(folder.path(), "PRAGMA freelist_count");
    let pages = number(folder.path(), "PRAGMA page_count");
    assert!(free > 300 && free < pages / 8, "{free} of {pages} pages are free");
}

#[tokio::test]
async fn nothing_is_left_of_a_watchlist_that_was_deleted_long_ago() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut other = StoredList::create(&journal, 1, 3).await;
    let mut list = StoredList::create(&journal, 2, 400).await;
    list.append_notes(&journal, 400, &"x".repeat(4_000)).await;
    // More parts of snapshots than one step erases, and senders for several more steps.
    for number in 2..102 {
        list.append(&journal, vec![list.edit(sender(number), 1, vec![note(row(1), "x")])]).await.unwrap();
    }
    list.save(&journal).await;
    let journal = reopen(journal, folder.path()).await;
    list.append_notes(&journal, 1, "not folded").await;
    other.append_notes(&journal, 1, "not folded").await;
    let tables = ["log", "blocks", "runs", "snapshots"];
    let left =
        |table: &str| number(folder.path(), &format!("SELECT count(*) FROM {table} WHERE watchlist = 2"));
    assert!(tables.iter().all(|table| left(table) > 0));
    journal.set_deleted(list.id, Some(Timestamp::from_millis(1))).await.unwrap();
    assert_eq!(journal.purge(Timestamp::from_millis(1)).await.unwrap(), []);
    assert_eq!(journal.purge(Timestamp::from_millis(2)).await.unwrap(), [list.id]);
    let is_erased = async || (number(folder.path(), "SELECT count(*) FROM watchlists") == 1).then_some(());
    wait_for("the watchlist to be erased", is_erased).await;
    assert_eq!(tables.map(left), [0; 4]);
    other.append_notes(&journal, 1, "of the other watchlist").await;
    assert_eq!(revisions(&journal, other.id).await, [1, 2, 3]);
    journal.close().await;
    assert_eq!(number(folder.path(), NOT_FOLDED), 0);
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}
