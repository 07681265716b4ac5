//! What every journal does, in SQLite and in PostgreSQL.

use std::{collections::BTreeSet, sync::Arc};

use fastrand::Rng;
use futures_util::{TryStreamExt, future::join_all};
use server::journal::{
    HistoryFilter, HistoryPage, Journal, JournalError, ReadLimit, Record, Retention, StoredPart,
    postgres::PostgresJournal, sqlite::SqliteJournal,
};
use shared::{
    edit::{Change, Commit},
    ids::{ClientId, Epoch, Revision, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
    time::{MILLIS_PER_DAY, Timestamp},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    postgres::postgres,
    stored::{StoredList, newest, note, row, sender},
};

/// Where a journal is.
enum Place {
    Folder(TempDir),
    /// The URL of a database.
    Database(String),
}

impl Place {
    /// Returns an empty place of each kind. That in PostgreSQL is missing if it is not installed.
    async fn all() -> Vec<Self> {
        let mut places = vec![Self::Folder(tempfile::tempdir().unwrap())];
        if let Some(postgres) = postgres() {
            places.push(Self::Database(postgres.database().await));
        }
        places
    }

    async fn open(&self) -> Arc<dyn Journal> {
        match self {
            Self::Folder(folder) => Arc::new(SqliteJournal::open(folder.path()).await.unwrap()),
            Self::Database(url) => Arc::new(PostgresJournal::open(url).await.unwrap()),
        }
    }

    /// Closes the journal, which folds the log of one in SQLite, and opens it again.
    async fn reopen(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        journal.close().await;
        drop(journal);
        self.open().await
    }

    /// Closes the journal and checks its file.
    async fn finish(&self, journal: Arc<dyn Journal>) {
        journal.close().await;
        if let Self::Folder(folder) = self {
            server::folder::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
        }
    }
}

/// Returns a journal with a watchlist of twelve commits, one a millisecond, and a snapshot at the tenth.
async fn journal_with_snapshot(place: &Place) -> (Arc<dyn Journal>, StoredList) {
    let journal = place.open().await;
    let mut list = StoredList::create(&*journal, 1, 3).await;
    list.append_notes(&*journal, 9, "before the snapshot").await;
    list.save(&*journal).await;
    list.append_notes(&*journal, 2, "after the snapshot").await;
    (place.reopen(journal).await, list)
}

async fn revisions(journal: &dyn Journal, list: WatchlistId) -> Vec<u64> {
    let commits = journal.commits(list, Revision(0), ReadLimit::ALL).await.unwrap();
    commits.iter().map(|commit| commit.revision.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_batch_harms_none_that_is_written_with_it() {
    for place in Place::all().await {
        let journal = place.open().await;
        let mut lists = Vec::new();
        for number in 1..=3 {
            lists.push(StoredList::create(&*journal, number, 3).await);
        }
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
            let written =
                join_all(batches.iter().map(|(id, batch)| journal.append(*id, batch.clone()))).await;
            assert!(written[0].is_ok() && written[2].is_ok(), "{written:?}");
            assert!(matches!(written[1], Err(JournalError::Refused(_))), "{written:?}");
            [0, 2].into_iter().for_each(|index| lists[index].record(&batches[index].1));
        }
        for list in &lists {
            assert_eq!(revisions(&*journal, list.id).await.len(), list.commits.len());
        }
        place.finish(journal).await;
    }
}

#[tokio::test]
async fn nothing_is_written_to_a_deleted_watchlist_until_it_is_restored() {
    for place in Place::all().await {
        let journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 3).await;
        let at = Timestamp::from_millis(5);
        journal.set_deleted(list.id, Some(at)).await.unwrap();
        let record = journal.watchlists().await.unwrap().remove(0);
        assert_eq!((record.deleted_at, record.revision, record.rows), (Some(at), Revision(1), 3));
        let batch = Arc::new(list.batch(vec![list.edit(sender(1), 2, vec![note(row(1), "lost")])]));
        let written = journal.append(list.id, batch).await;
        assert!(matches!(written, Err(JournalError::Refused(_))), "{written:?}");
        journal.set_deleted(list.id, None).await.unwrap();
        list.append_notes(&*journal, 1, "kept").await;
        assert!(journal.set_deleted(WatchlistId(Uuid::nil()), None).await.is_err(), "there is no such list");
        place.finish(journal).await;
    }
}

#[tokio::test]
async fn watchlists_that_were_deleted_long_ago_are_erased() {
    for place in Place::all().await {
        let journal = place.open().await;
        let mut lists = Vec::new();
        for number in 1..=3 {
            lists.push(StoredList::create(&*journal, number, 3).await);
        }
        for (list, at) in lists.iter().zip([None, Some(5), Some(6)]) {
            journal.set_deleted(list.id, at.map(Timestamp::from_millis)).await.unwrap();
        }
        let purged = journal.purge(Timestamp::from_millis(6)).await.unwrap();
        assert_eq!(purged, [lists[1].id]);
        let left = async |journal: &dyn Journal| {
            journal.watchlists().await.unwrap().iter().map(|record| record.id).collect::<Vec<_>>()
        };
        assert_eq!(left(&*journal).await, [lists[0].id, lists[2].id]);
        let journal = place.reopen(journal).await;
        assert_eq!(left(&*journal).await, [lists[0].id, lists[2].id]);
        assert_eq!(journal.answers(lists[1].id, sender(1)).await.unwrap(), []);
        assert!(revisions(&*journal, lists[1].id).await.is_empty());
        let parts: Vec<StoredPart> = journal.snapshot(lists[1].id).try_collect().await.unwrap();
        assert!(parts.is_empty());
        // Its id is free at once, however much of it remains to be erased.
        for _ in 0..10 {
            let mut list = StoredList::create(&*journal, 2, 500).await;
            list.append_notes(&*journal, 20, "erased").await;
            journal.set_deleted(list.id, Some(Timestamp::from_millis(5))).await.unwrap();
            assert_eq!(journal.purge(Timestamp::from_millis(6)).await.unwrap(), [list.id]);
        }
        let list = StoredList::create(&*journal, 2, 1).await;
        assert_eq!(revisions(&*journal, list.id).await, [1]);
        place.finish(journal).await;
    }
}

#[tokio::test]
async fn names_are_kept_whatever_is_in_them() {
    for place in Place::all().await {
        let journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 1).await;
        let name = "a\u{0}b \u{1F4C8} '; --";
        let mut batch = list.batch(vec![list.edit(sender(1), 2, vec![note(row(1), name)])]);
        batch.name = name.into();
        let batch = Arc::new(batch);
        journal.append(list.id, batch.clone()).await.unwrap();
        list.record(&batch);
        let journal = place.reopen(journal).await;
        assert_eq!(&*journal.watchlists().await.unwrap()[0].name, name);
        let commits = journal.commits(list.id, Revision(1), ReadLimit::ALL).await.unwrap();
        assert_eq!(commits[0], *list.commits[1]);
        journal.close().await;
    }
}

#[tokio::test]
async fn a_watchlist_is_created_once() {
    for place in Place::all().await {
        let journal = place.open().await;
        let list = StoredList::create(&*journal, 1, 3).await;
        let part = journal.snapshot(list.id).try_next().await.unwrap().unwrap();
        let record = Record {
            id: list.id,
            epoch: Epoch(Uuid::nil()),
            name: "Other".into(),
            revision: Revision(0),
            rows: 0,
            deleted_at: None,
        };
        assert!(journal.create(record, part).await.is_err());
        assert_eq!(&*journal.watchlists().await.unwrap()[0].name, "List");
        assert_eq!(revisions(&*journal, list.id).await, [1]);
        place.finish(journal).await;
    }
}

#[tokio::test]
async fn the_answers_of_a_client_are_kept_when_its_commits_are_pruned() {
    for place in Place::all().await {
        let mut journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 3).await;
        let mut rng = Rng::with_seed(3);
        let edits = |list: &StoredList, numbers: &[u64]| {
            let changes =
                |number: u64| if number.is_multiple_of(10) { vec![] } else { vec![note(row(1), "x")] };
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
                list.append(&*journal, edits(&list, numbers)).await.unwrap();
            }
            if round % 3 == 2 {
                list.save(&*journal).await;
                journal.prune(list.id, newest(1)).await.unwrap();
            }
            if round % 4 == 3 {
                journal = place.reopen(journal).await;
            }
            let expected = list.kept_answers(sender(2));
            assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), expected, "in round {round}");
        }
        assert_eq!(list.kept_answers(sender(2)).len(), MAX_KEPT_ANSWERS);
        let kept = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap().len();
        assert!(kept < 1_000, "{kept} commits are kept");
        place.finish(journal).await;
    }
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
async fn history(journal: &dyn Journal, list: &StoredList, filter: &HistoryFilter) -> Vec<Commit> {
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
        for place in Place::all().await {
            let mut rng = Rng::with_seed(seed);
            let mut journal = place.open().await;
            let mut lists =
                [StoredList::create(&*journal, 1, 30).await, StoredList::create(&*journal, 2, 30).await];
            let mut first_kept = [1, 1];
            for _ in 0..80 {
                let index = rng.usize(..2);
                let list = &mut lists[index];
                match rng.u8(..20) {
                    0 => {
                        journal = place.reopen(journal).await;
                    }
                    1 => list.save(&*journal).await,
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
                        list.append(&*journal, edits).await.unwrap();
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
                let found = history(&*journal, list, &filter).await;
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
            place.finish(journal).await;
        }
    }
}

#[tokio::test]
async fn history_has_the_replaced_values_of_folded_commits_and_of_others() {
    for place in Place::all().await {
        let mut journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 3).await;
        for _ in 0..2 {
            list.append_notes(&*journal, 2, "after").await;
            let page = journal.history(list.id, HistoryFilter { limit: 2, ..HistoryFilter::default() }).await;
            for commit in page.unwrap().commits {
                let [Change::Set(set)] = &commit.changes[..] else { panic!("{commit:?}") };
                assert_eq!(set.was, Some("before".into()));
                assert_ne!(commit.by.client, ClientId(uuid::Uuid::nil()));
            }
            journal = place.reopen(journal).await;
        }
    }
}

#[tokio::test]
async fn a_snapshot_is_read_part_by_part() {
    for place in Place::all().await {
        let journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 60).await;
        let notes = (1..=60).map(|number| note(row(number), &"x".repeat(4_000))).collect();
        list.append(&*journal, vec![list.edit(sender(1), 2, notes)]).await.unwrap();
        list.save(&*journal).await;
        let parts: Vec<StoredPart> = journal.snapshot(list.id).try_collect().await.unwrap();
        let numbers: Vec<usize> = parts.iter().map(|part| part.snapshot.part).collect();
        assert!(parts.len() > 2 && numbers.iter().copied().eq(1..=parts[0].snapshot.parts), "{numbers:?}");
        assert_eq!(parts.iter().map(|part| part.snapshot.rows.len()).sum::<usize>(), 60);
    }
}

#[tokio::test]
async fn the_commit_of_the_newest_snapshot_and_later_ones_are_kept() {
    for place in Place::all().await {
        let (journal, list) = journal_with_snapshot(&place).await;
        journal.prune(list.id, newest(0)).await.unwrap();
        assert_eq!(revisions(&*journal, list.id).await, [10, 11, 12]);
    }
}

#[tokio::test]
async fn commits_are_kept_up_to_their_number() {
    for place in Place::all().await {
        let (journal, list) = journal_with_snapshot(&place).await;
        for (kept, first) in [(12, 1), (11, 2), (5, 8)] {
            journal.prune(list.id, newest(kept)).await.unwrap();
            assert_eq!(revisions(&*journal, list.id).await, (first..=12).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn commits_are_kept_up_to_their_age() {
    for place in Place::all().await {
        let (journal, list) = journal_with_snapshot(&place).await;
        for (before, first) in [(1, 1), (4, 4)] {
            let before = Timestamp::from_millis(before);
            journal.prune(list.id, Retention { before, ..Retention::all() }).await.unwrap();
            assert_eq!(revisions(&*journal, list.id).await, (first..=12).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn the_answers_of_clients_without_a_recent_edit_expire() {
    for place in Place::all().await {
        let mut journal = place.open().await;
        let mut list = StoredList::create(&*journal, 1, 3).await;
        let append =
            async |journal: &dyn Journal, list: &mut StoredList, of: u128, edits: std::ops::Range<u64>| {
                let edits = edits.map(|edit| {
                    // Some are rejected.
                    let changes = if edit.is_multiple_of(3) { vec![] } else { vec![note(row(1), "x")] };
                    list.edit(sender(of), edit, changes)
                });
                let edits = edits.collect();
                list.append(journal, edits).await.unwrap();
            };
        // Answers are kept for three days.
        let expire = async |journal: &dyn Journal, day: i64| {
            journal.expire_answers(Timestamp::from_millis(day * MILLIS_PER_DAY), 3).await.unwrap();
        };
        // More senders than one step looks at. One has only rejections, and one is active a day later.
        for of in 100..300 {
            append(&*journal, &mut list, of, 1..2).await;
        }
        append(&*journal, &mut list, 2, 1..1_400).await;
        append(&*journal, &mut list, 3, 3..4).await;
        journal = place.reopen(journal).await;
        expire(&*journal, 5).await;
        append(&*journal, &mut list, 2, 1_400..1_410).await;
        // A day counts once, and a clock that is wrong by years counts as one day.
        for day in [6, 6, 900, 5, 6] {
            expire(&*journal, day).await;
            for of in [2, 3, 100, 299] {
                let kept = list.kept_answers(sender(of));
                assert_eq!(journal.answers(list.id, sender(of)).await.unwrap(), kept, "on day {day}");
            }
            journal = place.reopen(journal).await;
        }
        expire(&*journal, 0).await;
        for of in [3].into_iter().chain(100..300) {
            assert_eq!(journal.answers(list.id, sender(of)).await.unwrap(), [], "client {of}");
        }
        assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
        // An edit that is not folded yet keeps the older answers of its client.
        append(&*journal, &mut list, 2, 1_410..1_411).await;
        expire(&*journal, 901).await;
        assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), list.kept_answers(sender(2)));
        journal = place.reopen(journal).await;
        for day in 902..906 {
            expire(&*journal, day).await;
        }
        assert_eq!(journal.answers(list.id, sender(2)).await.unwrap(), []);
        place.finish(journal).await;
    }
}
