//! Batches in the journal: those of many watchlists share a transaction, a refused one harms no other, and
//! commits and answers are read as they were written, however they are folded and pruned.

use std::{fs, sync::Arc};

use futures_util::future::join_all;
use server::journal::{Journal, JournalError, ReadLimit, sqlite::SqliteJournal};
use shared::ids::Revision;

use crate::stored::{StoredList, newest, note, row, sender};

async fn lists(journal: &SqliteJournal, count: u128) -> Vec<StoredList> {
    let mut lists = Vec::new();
    for number in 1..=count {
        lists.push(StoredList::create(journal, number, 3).await);
    }
    lists
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_many_watchlists_share_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut lists = lists(&journal, 64).await;
    let log = || fs::metadata(folder.path().join("journal.sqlite-wal")).unwrap().len();
    let before = log();
    for edit in 2..12 {
        let appends = lists.iter_mut().map(|list| {
            let edit = list.edit(sender(1), edit, vec![note(row(1), "shared")]);
            list.append(&journal, vec![edit])
        });
        join_all(appends).await.into_iter().for_each(|written| written.unwrap());
    }
    // Each transaction writes at least one page of 4 KiB.
    let written = log() - before;
    assert!(written < 640 * 4096 / 2, "{written} bytes for 640 batches");
}

#[tokio::test]
async fn another_process_that_wrote_the_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&first, 1, 3).await;
    let second = SqliteJournal::open(folder.path()).await.unwrap();
    list.append_notes(&first, 3, "of the first").await;
    let mut outdated = StoredList { commits: list.commits[..1].to_vec(), ..list };
    let batch = Arc::new(outdated.batch(vec![outdated.edit(sender(2), 1, vec![note(row(1), "lost")])]));
    let written = second.append(outdated.id, batch.clone()).await;
    assert!(matches!(written, Err(JournalError::Store(_))), "{written:?}");
    let written = second.append(outdated.id, batch).await;
    assert!(matches!(written, Err(JournalError::Refused(_))), "{written:?}");
    let commits = second.commits(outdated.id, Revision(0), ReadLimit::ALL).await.unwrap();
    assert_eq!(commits.len(), 4, "it has read what the other wrote");
    outdated.commits = commits.into_iter().map(Arc::new).collect();
    let edit = outdated.edit(sender(2), 1, vec![note(row(1), "of the second")]);
    outdated.append(&second, vec![edit]).await.unwrap();
    second.close().await;
    first.close().await;
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

#[tokio::test]
async fn answers_are_folded_once_even_if_folding_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    let append = async |list: &mut StoredList, numbers: std::ops::Range<u64>| {
        let edits = numbers.map(|number| list.edit(sender(2), number, vec![note(row(1), "x")])).collect();
        list.append(&journal, edits).await.unwrap();
    };
    append(&mut list, 1..701).await;
    list.save(&journal).await;
    let connection = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let count = || -> u64 {
        let sum: i64 = connection.query_row("SELECT sum(count) FROM runs", [], |row| row.get(0)).unwrap();
        sum.unsigned_abs()
    };
    let crash = "CREATE TRIGGER crash BEFORE INSERT ON blocks BEGIN SELECT RAISE(ABORT, 'a crash'); END";
    connection.execute_batch(crash).unwrap();
    assert!(journal.prune(list.id, newest(1)).await.is_err());
    assert_eq!(count(), 701, "the answers are folded, the segments are not");
    assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
    connection.execute_batch("DROP TRIGGER crash").unwrap();
    append(&mut list, 701..711).await;
    list.save(&journal).await;
    journal.prune(list.id, newest(1)).await.unwrap();
    assert_eq!(count(), 711, "no answer is folded twice");
    assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
    drop(connection);
    journal.close().await;
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}
