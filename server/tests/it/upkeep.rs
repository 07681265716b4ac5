//! What the journal does beside its batches: pruning, erasing, checkpoints and long searches wait for no
//! batch and delay none.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use server::{
    hub::Hub,
    journal::{HistoryFilter, Journal, JournalError, ReadLimit, Retention, sqlite::SqliteJournal},
    room::RoomContext,
};
use shared::{
    edit::Change,
    ids::Revision,
    time::{MILLIS_PER_DAY, Timestamp},
};
use tokio::time::timeout;

use crate::{
    program::{Served, program},
    stored::{StoredList, newest, note, row, sender},
    support::{PATIENCE, accounts, admin, pass_days_until, room_context, settable_clock, wait_for},
};

const FILE: &str = "journal.sqlite";

fn size(folder: &Path, name: &str) -> u64 {
    fs::metadata(folder.join(name)).map_or(0, |file| file.len())
}

/// Writes commits of about 100 KiB each.
async fn append_large(journal: &SqliteJournal, list: &mut StoredList, count: u64) {
    let rows = list.state.rows().len() as u128;
    for _ in 0..count {
        let number = list.head().0 + 1;
        let text = format!("{number:04000}");
        let notes = (0..25).map(|index| note(row((u128::from(number) + index) % rows + 1), &text)).collect();
        let edit = list.edit(sender(1), number, notes);
        list.append(journal, vec![edit]).await.unwrap();
    }
}

async fn count(journal: &SqliteJournal, list: &StoredList) -> usize {
    let mut all = 0;
    let mut after = Revision(0);
    loop {
        let limit = ReadLimit { commits: usize::MAX, bytes: 8 << 20 };
        let commits = journal.commits(list.id, after, limit).await.unwrap();
        let Some(last) = commits.last() else { return all };
        (all, after) = (all + commits.len(), last.revision);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_written_while_a_watchlist_is_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let mut old = StoredList::create(&*journal, 1, 30).await;
    append_large(&journal, &mut old, 200).await;
    old.save(&*journal).await;
    let mut other = StoredList::create(&*journal, 2, 3).await;
    let mut written = 0;
    // In one task, so that the next batch is queued whenever the next step is, however busy the machine is.
    let write_all = async {
        loop {
            other.append_notes(&*journal, 1, "meanwhile").await;
            written += 1;
        }
    };
    tokio::select! {
        biased;
        pruned = journal.prune(old.id, newest(1)) => pruned.unwrap(),
        () = write_all => {}
    }
    assert_eq!(count(&journal, &old).await, 1);
    // It takes at least one step for each megabyte, and a batch is written between two steps.
    assert!(written >= 15, "{written} batches were written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_closed_does_not_wait_for_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let mut old = StoredList::create(&*journal, 1, 30).await;
    append_large(&journal, &mut old, 400).await;
    old.save(&*journal).await;
    let (id, pruner) = (old.id, journal.clone());
    let pruning = tokio::spawn(async move { pruner.prune(id, newest(1)).await });
    let first = async || {
        let first = journal.commits(id, Revision(0), ReadLimit { commits: 1, bytes: 1 }).await.unwrap();
        first[0].revision
    };
    while first().await == Revision(1) {}
    journal.close().await;
    assert!(matches!(pruning.await.unwrap(), Err(JournalError::Store(_))), "pruning was interrupted");
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let kept = count(&journal, &old).await;
    assert!(kept > 1 && kept < 401, "{kept} commits are left");
    journal.prune(id, newest(1)).await.unwrap();
    assert_eq!(count(&journal, &old).await, 1, "it continues");
    journal.close().await;
    server::folder::backup::check(&folder.path().join(FILE)).await.unwrap();
}

#[tokio::test]
async fn the_oldest_commits_beyond_a_number_of_bytes_are_pruned_and_the_file_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 30).await;
    append_large(&journal, &mut list, 120).await;
    list.save(&journal).await;
    journal.close().await;
    let before = size(folder.path(), FILE);
    assert!(before > 12_000_000);
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let kept = Retention { bytes: 4_000_000, ..Retention::all() };
    journal.prune(list.id, kept).await.unwrap();
    let left = count(&journal, &list).await;
    assert!((35..=40).contains(&left), "{left} commits of 100 KB are kept");
    wait_for("the free pages to be removed", async || {
        let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
        let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        (pages * 4_096 < 7_000_000).then_some(())
    })
    .await;
    journal.close().await;
    assert!(size(folder.path(), FILE) < 7_000_000, "{} bytes", size(folder.path(), FILE));
    server::folder::backup::check(&folder.path().join(FILE)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_checkpointed_while_batches_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 30).await;
    let mut most = 0;
    for _ in 0..50 {
        append_large(&journal, &mut list, 10).await;
        most = most.max(size(folder.path(), "journal.sqlite-wal"));
    }
    assert!(size(folder.path(), FILE) > 30_000_000, "most of it is in the file");
    assert!(most < 25_000_000, "the log grew to {most} bytes while 50 MB were written");
    journal.close().await;
    assert_eq!(size(folder.path(), "journal.sqlite-wal"), 0, "a closed journal has no log");
}

#[tokio::test]
async fn the_start_after_an_unclean_stop_reads_little() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut lists = [StoredList::create(&journal, 1, 30).await, StoredList::create(&journal, 2, 3).await];
    append_large(&journal, &mut lists[0], 150).await;
    journal.close().await;
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    lists[1].append_notes(&journal, 5, "newest").await;
    // A copy of the files is what a crash leaves.
    let crashed = tempfile::tempdir().unwrap();
    for name in [FILE, "journal.sqlite-wal"] {
        fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let mut bytes = fs::read(crashed.path().join(FILE)).unwrap();
    let (middle, end) = (bytes.len() / 8, bytes.len() / 2);
    bytes[middle..end].fill(0xA5);
    fs::write(crashed.path().join(FILE), bytes).unwrap();
    // Half of the file is not needed to start, or this would fail.
    let journal = SqliteJournal::open(crashed.path()).await.unwrap();
    journal.ready().await.unwrap();
    let [damaged, intact] = &lists;
    assert_eq!(count(&journal, intact).await, 6, "what is in the log and the other watchlist are intact");
    assert!(journal.commits(damaged.id, Revision(0), ReadLimit::ALL).await.is_err(), "the damage is found");
    timeout(PATIENCE, journal.close()).await.unwrap();
    let error = server::folder::backup::check(&crashed.path().join(FILE)).await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
}

/// Creates a watchlist in which a search for row 2 and the column `note` has to read every commit and finds
/// the first one.
async fn searched(journal: &SqliteJournal) -> StoredList {
    let mut list = StoredList::create(journal, 1, 30).await;
    list.append(journal, vec![list.edit(sender(1), 2, vec![note(row(2), "found")])]).await.unwrap();
    for number in 3..150 {
        let text = format!("{number:04000}");
        let mut changes: Vec<_> = (3..28).map(|number| note(row(number), &text)).collect();
        changes.push(Change::set(row(2), &"company".into(), "other column".into()));
        let edit = list.edit(sender(1), number, changes);
        list.append(journal, vec![edit]).await.unwrap();
    }
    list
}

fn rare(before: Option<Revision>) -> HistoryFilter {
    HistoryFilter {
        row: Some(row(2)),
        column: Some("note".into()),
        before,
        limit: 10,
        ..HistoryFilter::default()
    }
}

#[tokio::test]
async fn one_read_of_a_history_is_limited_and_continues_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
    let list = searched(&journal).await;
    for _ in 0..2 {
        let (mut pages, mut found, mut before) = (0, Vec::new(), None);
        loop {
            let page = journal.history(list.id, rare(before)).await.unwrap();
            found.extend(page.commits);
            pages += 1;
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found.iter().map(|commit| commit.revision.0).collect::<Vec<_>>(), [2]);
        assert!((5..30).contains(&pages), "{pages} pages for 15 MB");
        let unknown = HistoryFilter { row: Some(row(99)), limit: 1, ..HistoryFilter::default() };
        let page = journal.history(list.id, unknown).await.unwrap();
        assert_eq!((page.commits.len(), page.next), (0, None), "the index shows that there is none");
        // In the second round everything is folded.
        journal.close().await;
        journal = SqliteJournal::open(folder.path()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_history_does_not_wait_for_the_searches_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let list = searched(&journal).await;
    let hub = Arc::new(Hub::open(room_context(journal), accounts()).await.unwrap());
    let finished = Arc::new(AtomicUsize::new(0));
    let searches: Vec<_> = (0..60)
        .map(|_| {
            let (hub, finished, id) = (hub.clone(), finished.clone(), list.id);
            tokio::spawn(async move {
                let found = hub.history(&admin(), id, rare(None)).await.unwrap();
                finished.fetch_add(1, Ordering::SeqCst);
                assert_eq!((found.commits.len(), found.next), (1, None));
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let newest = HistoryFilter { limit: 1, ..HistoryFilter::default() };
    assert_eq!(hub.history(&admin(), list.id, newest).await.unwrap().commits.len(), 1);
    assert_eq!(finished.load(Ordering::SeqCst), 0, "each search takes several turns");
    for search in searches {
        search.await.unwrap();
    }
}

#[tokio::test]
async fn a_watchlist_that_was_deleted_long_ago_is_erased_even_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut lists = [StoredList::create(&journal, 1, 30).await, StoredList::create(&journal, 2, 30).await];
    for list in &mut lists {
        append_large(&journal, list, 40).await;
        list.save(&journal).await;
    }
    // What was written so far is folded, what follows is not.
    journal.close().await;
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    for list in &mut lists {
        append_large(&journal, list, 2).await;
    }
    let [erased, kept] = &lists;
    let second = |second: i64| Timestamp::from_millis(second * 1_000);
    journal.set_deleted(erased.id, Some(second(5))).await.unwrap();
    assert!(journal.purge(second(5)).await.unwrap().is_empty());
    assert_eq!(journal.purge(second(6)).await.unwrap(), [erased.id]);
    let ids = async |journal: &SqliteJournal| {
        let records = journal.watchlists().await.unwrap();
        records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&journal).await, [kept.id]);
    assert!(journal.set_deleted(erased.id, None).await.is_err(), "it cannot be restored any more");
    journal.close().await;
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    assert_eq!(ids(&journal).await, [kept.id]);
    wait_for("the records to be erased", async || {
        let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
        let count = |table: &str| -> i64 {
            let count = format!("SELECT count(DISTINCT watchlist) FROM {table}");
            connection.query_row(&count, [], |row| row.get(0)).unwrap()
        };
        (["log", "blocks", "runs", "snapshots"].map(count) == [1; 4]).then_some(())
    })
    .await;
    assert_eq!(count(&journal, kept).await, 43);
    journal.close().await;
    server::folder::backup::check(&folder.path().join(FILE)).await.unwrap();
}

#[tokio::test]
async fn watchlists_that_were_deleted_long_ago_are_purged_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let (now, clock) = settable_clock(0);
    let hub = Hub::open(RoomContext { clock, ..room_context(journal.clone()) }, accounts()).await.unwrap();
    let list = hub.create(&admin(), None, "Old", None).await.unwrap();
    hub.delete(&admin(), list).await.unwrap();
    assert_eq!(hub.deleted(&admin()).len(), 1);
    now.store(31 * MILLIS_PER_DAY, Ordering::SeqCst);
    pass_days_until("the watchlist to be purged", async || hub.deleted(&admin()).is_empty().then_some(()))
        .await;
    assert!(journal.watchlists().await.unwrap().is_empty());
    assert!(hub.restore(&admin(), list).await.is_err());
}

#[tokio::test]
async fn damage_is_logged_in_the_background_after_an_unclean_stop() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    StoredList::create(&journal, 1, 3).await.append_notes(&journal, 20, "note").await;
    journal.close().await;
    let connection = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    connection.execute("UPDATE log SET checksum = checksum + 1 WHERE last = 7", []).unwrap();
    connection.close().unwrap();
    // A log that is left shows that the journal was not closed. This one has nothing to recover.
    fs::write(folder.path().join("journal.sqlite-wal"), [0; 100]).unwrap();
    let stderr = folder.path().join("stderr");
    let mut program = program();
    program.stderr(fs::File::create(&stderr).unwrap());
    let _served = Served::spawn(program, folder.path());
    wait_for("the damage to be logged", async || {
        let log = fs::read_to_string(&stderr).unwrap();
        let is_named = log.contains("the checksum of revision 7 does not match");
        (is_named && log.contains("the journal has damaged records; run `afterglow-server check`"))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_search_gets_past_a_block_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let mut list = StoredList::create(&*journal, 1, 3).await;
    // Each commit concerns other rows, so that the index of the commits that are folded together is large.
    for round in 0..40_u128 {
        let rows = round * 10_000 + 10..(round + 1) * 10_000 + 10;
        let removals = rows.map(|number| Change::remove(row(number), None)).collect();
        let edit = list.edit(sender(1), list.head().0 + 1, removals);
        let batch = Arc::new(list.batch(vec![edit]));
        journal.append(list.id, batch.clone()).await.unwrap();
        list.commits.push(batch.commits[0].commit.clone());
    }
    journal.close().await;
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let hub = Hub::open(room_context(journal), accounts()).await.unwrap();
    let (mut before, mut found) = (None, Vec::new());
    loop {
        let filter = HistoryFilter { before, limit: 1_000, ..HistoryFilter::default() };
        let page = hub.history(&admin(), list.id, filter).await.unwrap();
        found.extend(page.commits.iter().map(|commit| commit.revision.0));
        assert!(page.next.is_none_or(|next| before.is_none_or(|before| next < before)), "{:?}", page.next);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert!(found.iter().copied().eq((1..=41).rev()), "{found:?}");
}
