//! Batches in the journal: those of many watchlists share a transaction, a refused one harms no other, and
//! commits and answers are read as they were written, however they are folded and pruned.

use std::{collections::BTreeSet, fs, sync::Arc};

use fastrand::Rng;
use futures_util::future::join_all;
use server::journal::{HistoryFilter, HistoryPage, Journal, JournalError, ReadLimit, sqlite::SqliteJournal};
use shared::{
    edit::{Change, Commit},
    ids::{ClientId, Revision},
    limits::MAX_KEPT_ANSWERS,
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_batch_harms_none_that_is_written_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut lists = lists(&journal, 3).await;
    for edit in 2..40 {
        let batches: Vec<_> = lists
            .iter()
            .enumerate()
            .map(|(index, list)| {
                let edit = list.edit(sender(1), edit, vec![note(row(1), "with others")]);
                let mut batch = list.batch(vec![edit]);
                // The second one misses a commit.
                batch.expected.0 -= u64::from(index == 1);
                (list.id, Arc::new(batch))
            })
            .collect();
        let written = join_all(batches.iter().map(|(id, batch)| journal.append(*id, batch.clone()))).await;
        assert!(written[0].is_ok() && written[2].is_ok(), "{written:?}");
        assert!(matches!(written[1], Err(JournalError::Refused(_))), "{written:?}");
        [0, 2].into_iter().for_each(|index| lists[index].record(&batches[index].1));
    }
    for list in &lists {
        let commits = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap();
        assert_eq!(commits.len(), list.commits.len());
    }
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
async fn the_answers_of_a_client_are_kept_when_its_commits_are_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    let mut rng = Rng::with_seed(3);
    let edits = |list: &StoredList, numbers: &[u64]| {
        let changes = |number: u64| if number.is_multiple_of(10) { vec![] } else { vec![note(row(1), "x")] };
        numbers.iter().map(|number| list.edit(sender(2), *number, changes(*number))).collect::<Vec<_>>()
    };
    for round in 0..12 {
        // Numbers need not come in order.
        let mut numbers: Vec<u64> = (round * 500 + 1..round * 500 + 600).step_by(2).collect();
        numbers.extend((round * 500 + 2..round * 500 + 402).step_by(2));
        numbers.retain(|number| {
            list.answers.iter().all(|answer| answer.edit.0 != *number || answer.sender != sender(2))
        });
        rng.shuffle(&mut numbers);
        for numbers in numbers.chunks(90) {
            list.append(&journal, edits(&list, numbers)).await.unwrap();
        }
        if round % 3 == 2 {
            list.save(&journal).await;
            journal.prune(list.id, newest(1)).await.unwrap();
        }
        if round % 4 == 3 {
            journal.close().await;
            journal = SqliteJournal::open(folder.path()).await.unwrap();
        }
        let expected = list.kept_answers(sender(2));
        assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), expected, "in round {round}");
    }
    assert_eq!(list.kept_answers(sender(2)).len(), MAX_KEPT_ANSWERS);
    let kept = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap().len();
    assert!(kept < 1_000, "{kept} commits are kept");
    journal.close().await;
    server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

/// Returns a random edit of a list.
fn random_edit(
    rng: &mut Rng,
    list: &StoredList,
) -> (server::journal::Sender, shared::ids::EditId, Vec<Change>) {
    let by = sender(rng.u128(1..5));
    let last = list.answers.iter().filter(|answer| answer.sender == by).map(|answer| answer.edit.0).max();
    let column = ["note", "company", "symbol"][rng.usize(..3)];
    let most = if rng.u8(..8) == 0 { 4_000 } else { 20 };
    let text = "x".repeat(rng.usize(..most));
    let set = |number| Change::set(row(number), &column.into(), text.as_str().into());
    let changes = (0..rng.usize(..4)).map(|_| set(rng.u128(1..30))).collect();
    list.edit(by, last.unwrap_or(0) + rng.u64(1..3), changes)
}

/// Reads a whole history page by page.
async fn history(journal: &SqliteJournal, list: &StoredList, filter: &HistoryFilter) -> Vec<Commit> {
    let (mut commits, mut before) = (Vec::new(), filter.before);
    loop {
        let page = journal.history(list.id, HistoryFilter { before, ..filter.clone() }).await.unwrap();
        let HistoryPage { commits: found, next } = page;
        assert!(found.len() <= filter.limit);
        commits.extend(found);
        before = next;
        if before.is_none() {
            return commits;
        }
    }
}

#[tokio::test]
async fn everything_is_read_as_it_was_written_however_it_is_folded_and_pruned() {
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = Rng::with_seed(seed);
        let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
        let mut lists =
            [StoredList::create(&journal, 1, 30).await, StoredList::create(&journal, 2, 30).await];
        let mut first_kept = [1, 1];
        for _ in 0..80 {
            let index = rng.usize(..2);
            let list = &mut lists[index];
            match rng.u8(..20) {
                0 => {
                    journal.close().await;
                    journal = SqliteJournal::open(folder.path()).await.unwrap();
                }
                1 => list.save(&journal).await,
                2 => journal.prune(list.id, newest(rng.u64(1..200))).await.unwrap(),
                _ => {
                    let mut edits: Vec<_> = Vec::new();
                    let mut named = BTreeSet::new();
                    let most = if rng.u8(..4) == 0 { 120 } else { 3 };
                    for _ in 0..rng.usize(1..most) {
                        let edit = random_edit(&mut rng, list);
                        if named.insert((edit.0, edit.1)) {
                            edits.push(edit);
                        }
                    }
                    list.append(&journal, edits).await.unwrap();
                }
            }
            let list = &lists[index];
            let kept = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap();
            let first = kept.first().unwrap().revision.0;
            assert!(first >= first_kept[index], "seed {seed}: pruned commits are back");
            first_kept[index] = first;
            let expected = &list.commits[usize::try_from(first).unwrap() - 1..];
            assert!(kept.iter().eq(expected.iter().map(|commit| &**commit)), "seed {seed}");
            let after = Revision(rng.u64(first - 1..=list.head().0));
            let limit = ReadLimit { commits: rng.usize(1..50), bytes: rng.usize(1..100_000) };
            let some = journal.commits(list.id, after, limit).await.unwrap();
            assert!(some.len() <= limit.commits && (after == list.head()) == some.is_empty());
            let from = &list.commits[usize::try_from(after.0).unwrap()..];
            assert!(some.iter().eq(from.iter().take(some.len()).map(|commit| &**commit)), "seed {seed}");
            let filter = HistoryFilter {
                row: rng.bool().then(|| row(rng.u128(1..30))),
                column: rng.bool().then(|| "note".into()),
                user: rng.bool().then(|| sender(rng.u128(1..5)).user),
                before: rng.bool().then(|| Revision(rng.u64(1..=list.head().0 + 1))),
                limit: rng.usize(1..30),
            };
            let found = history(&journal, list, &filter).await;
            let matches = |commit: &&Arc<Commit>| {
                commit.revision.0 >= first
                    && filter.before.is_none_or(|before| commit.revision < before)
                    && filter.user.is_none_or(|user| commit.by.user == user)
                    && commit.changes.iter().any(|c| c.affects(filter.row, filter.column.as_ref()))
            };
            let expected = list.commits.iter().rev().filter(matches).map(|commit| commit.revision);
            assert!(found.iter().map(|commit| commit.revision).eq(expected), "seed {seed}: {filter:?}");
            let sender = sender(rng.u128(1..6));
            let answers = journal.answers(list.id, sender).await.unwrap();
            assert_eq!(answers, list.kept_answers(sender), "seed {seed}");
        }
        journal.close().await;
        server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
    }
}

#[tokio::test]
async fn history_has_the_replaced_values_of_folded_commits_and_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    for _ in 0..2 {
        list.append_notes(&journal, 2, "after").await;
        let page = journal.history(list.id, HistoryFilter { limit: 2, ..HistoryFilter::default() }).await;
        for commit in page.unwrap().commits {
            let [Change::Set(set)] = &commit.changes[..] else { panic!("{commit:?}") };
            assert_eq!(set.was, Some("before".into()));
            assert_ne!(commit.by.client, ClientId(uuid::Uuid::nil()));
        }
        journal.close().await;
        journal = SqliteJournal::open(folder.path()).await.unwrap();
    }
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
