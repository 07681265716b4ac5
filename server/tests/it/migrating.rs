//! Journals that are moved from a data folder into a database, and back.

use std::{collections::BTreeMap, path::Path, process::Output};

use futures_util::TryStreamExt;
use server::{
    folder::{
        DataFolder, backup, check_journal_place,
        migration::{Moved, move_to_database, move_to_folder},
    },
    journal::{
        AnswerRecord, HistoryFilter, Journal, Record, Sender, postgres::PostgresJournal,
        sqlite::SqliteJournal,
    },
};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    time::Timestamp,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::{
    postgres::postgres,
    program::{error_message, program, stdout},
    stored::{StoredList, newest, note, row, sender},
};

/// Senders of the answers: more than are read at once.
const SENDERS: u8 = 150;

/// Everything that a journal returns of a watchlist.
#[derive(Debug, PartialEq)]
struct Content {
    record: Record,
    /// Newest first, with what they replaced.
    commits: Vec<Commit>,
    answers: BTreeMap<Sender, Vec<AnswerRecord>>,
    /// The parts of the snapshot, as JSON.
    snapshot: Vec<String>,
}

async fn content(journal: &dyn Journal) -> Vec<Content> {
    let mut lists = Vec::new();
    for record in journal.watchlists().await.unwrap() {
        let (id, mut commits, mut before) = (record.id, Vec::new(), None);
        loop {
            let filter = HistoryFilter { before, limit: 100, ..HistoryFilter::default() };
            let page = journal.history(id, filter).await.unwrap();
            commits.extend(page.commits);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let mut answers = BTreeMap::new();
        for sender in (1..=SENDERS).map(|number| sender(number.into())) {
            answers.insert(sender, journal.answers(id, sender).await.unwrap());
        }
        let parts: Vec<_> = journal.snapshot(id).try_collect().await.unwrap();
        let snapshot = parts.iter().map(|part| serde_json::to_string(part).unwrap()).collect();
        lists.push(Content { record, commits, answers, snapshot });
    }
    lists
}

/// Writes a journal with a watchlist whose oldest commits are pruned, one with the edits and rejections of many, one
/// that is deleted, and an empty one. Returns what it has.
async fn write_journal(folder: &Path) -> Vec<Content> {
    let journal = SqliteJournal::open(folder).await.unwrap();
    let mut pruned = StoredList::create(&journal, 1, 3).await;
    pruned.append_notes(&journal, 80, &"long ".repeat(20_000)).await;
    pruned.save(&journal).await;
    pruned.append_notes(&journal, 40, "after the snapshot").await;
    let journal = crate::stored::reopen(journal, folder).await;
    journal.prune(pruned.id, newest(60)).await.unwrap();
    let mut shared = StoredList::create(&journal, 2, 3).await;
    for number in 2..=u128::from(SENDERS) {
        for edit in 1..=3 {
            let accepted = shared.edit(sender(number), edit * 2, vec![note(row(1), "by many")]);
            let rejected = shared.edit(sender(number), edit * 2 + 1, Vec::new());
            shared.append(&journal, vec![accepted, rejected]).await.unwrap();
        }
    }
    let mut deleted = StoredList::create(&journal, 3, 3).await;
    deleted.append_notes(&journal, 5, "lost").await;
    journal.set_deleted(deleted.id, Some(Timestamp::from_millis(77))).await.unwrap();
    StoredList::create(&journal, 4, 0).await;
    let written = content(&journal).await;
    journal.close().await;
    assert!(written[0].commits.len() < 121 && written[0].record.revision == Revision(121), "it is pruned");
    written
}

async fn in_folder(folder: &Path) -> Vec<Content> {
    let journal = SqliteJournal::open(folder).await.unwrap();
    let found = content(&journal).await;
    journal.close().await;
    found
}

async fn in_database(url: &str) -> Vec<Content> {
    let journal = PostgresJournal::open(url).await.unwrap();
    let found = content(&journal).await;
    journal.close().await;
    found
}

/// Returns a data folder with a journal, what that has, and an empty database; `None` without PostgreSQL.
async fn places() -> Option<(TempDir, Vec<Content>, String)> {
    let postgres = postgres()?;
    let folder = tempfile::tempdir().unwrap();
    let written = write_journal(folder.path()).await;
    Some((folder, written, postgres.database().await))
}

fn migrate(from: &str, to: &str) -> Output {
    program().args(["migrate", from, to]).output().unwrap()
}

/// Calls `migrate` and drops the call when it reports a watchlist.
async fn interrupted(
    migrate: impl AsyncFnOnce(&mut (dyn FnMut(&Record, Revision) + Send)) -> anyhow::Result<Moved>,
    at: WatchlistId,
) {
    let reached = Notify::new();
    let mut report = |record: &Record, _: Revision| {
        if record.id == at {
            reached.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = reached.notified() => {}
        moved = migrate(&mut report) => panic!("it is not interrupted: {moved:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_goes_into_a_database_and_back_with_everything_that_it_has() {
    let Some((folder, written, url)) = places().await else { return };
    let moved = move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    assert_eq!(moved.lists.len(), 4);
    assert_eq!(moved.lists[1].answers, 6 * (u64::from(SENDERS) - 1) + 1);
    assert!(moved.replaced.is_some_and(|file| file.exists()), "the file of before is kept");
    assert!(check_journal_place(folder.path(), None).is_err(), "the folder has no journal of its own now");
    assert_eq!(in_database(&url).await, written);
    // What is written there comes back, too.
    let journal = PostgresJournal::open(&url).await.unwrap();
    let mut list = StoredList::create(&journal, 5, 2).await;
    list.append_notes(&journal, 3, "in the database").await;
    let written = content(&journal).await;
    journal.close().await;
    let moved = move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap();
    assert_eq!(moved.lists.len(), 5);
    check_journal_place(folder.path(), None).unwrap();
    // No server uses the database beside the folder.
    let error = PostgresJournal::open(&url).await.unwrap_err().to_string();
    assert!(error.contains("was moved to the data folder"), "{error}");
    let error = move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("was moved to the data folder"), "{error}");
    let elsewhere = tempfile::tempdir().unwrap();
    let error = move_to_folder(&url, elsewhere.path(), &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("was moved to the data folder"), "{error}");
    let undamaged = backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
    assert_eq!(undamaged.len(), 5);
    assert_eq!(in_folder(folder.path()).await, written);
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    list.append_notes(&journal, 2, "in the folder again").await;
    journal.close().await;
    assert_eq!(in_folder(folder.path()).await[4].record.revision, list.head());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_interrupted_changes_nothing_until_it_is_done_again() {
    let Some((folder, written, url)) = places().await else { return };
    for list in &written {
        let id = list.record.id;
        interrupted(async |report| move_to_database(folder.path(), &url, report).await, id).await;
        let error = PostgresJournal::open(&url).await.unwrap_err().to_string();
        assert!(error.contains("is not complete: it is being copied from"), "{error}");
        assert_eq!(in_folder(folder.path()).await, written);
    }
    let other = tempfile::tempdir().unwrap();
    write_journal(other.path()).await;
    let error = move_to_database(other.path(), &url, &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("is not complete"), "{error}");
    move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    assert_eq!(in_database(&url).await, written);
    for list in &written {
        let id = list.record.id;
        interrupted(async |report| move_to_folder(&url, folder.path(), report).await, id).await;
        assert!(check_journal_place(folder.path(), None).is_err(), "it is still in the database");
    }
    move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap();
    assert_eq!(in_folder(folder.path()).await, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_moved_by_the_command_line_only_where_nothing_is_lost() {
    let Some((folder, written, url)) = places().await else { return };
    let from = format!("--from=sqlite:{}", folder.path().display());
    let to = format!("--to={url}");
    let served = DataFolder::lock(folder.path()).unwrap();
    let error = error_message(&migrate(&from, &to));
    assert!(error.contains("stop it first"), "{error}");
    drop(served);
    let database = PostgresJournal::open(&url).await.unwrap();
    let error = error_message(&migrate(&from, &to));
    assert!(error.contains("another server uses the journal"), "{error}");
    StoredList::create(&database, 9, 1).await;
    database.close().await;
    let error = error_message(&migrate(&from, &to));
    assert!(error.contains("has watchlists: name an empty database"), "{error}");
    for places in [["--from=sqlite:a", "--to=sqlite:b"], ["--from=here", "--to=postgres"]] {
        assert!(!migrate(places[0], places[1]).status.success());
    }
    assert_eq!(in_folder(folder.path()).await, written);
    let empty = postgres().unwrap().database().await;
    let mut program = program();
    program.args(["migrate", &from, "--to=postgres"]).env("AFTERGLOW_JOURNAL", &empty);
    let printed = stdout(&program.output().unwrap());
    assert!(printed.contains("4 watchlists moved and compared"), "{printed}");
    let error = error_message(&migrate(&from, &to));
    assert!(error.contains("the journal of the data folder"), "{error}");
    assert_eq!(in_database(&empty).await, written);
}

/// A copy is interrupted, and then its source changes, or the copy is damaged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_since_an_interruption_is_copied_again() {
    let Some((folder, written, url)) = places().await else { return };
    let last = written.last().unwrap().record.id;
    interrupted(async |report| move_to_database(folder.path(), &url, report).await, last).await;
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    journal.set_deleted(written[2].record.id, None).await.unwrap();
    journal.prune(written[0].record.id, newest(30)).await.unwrap();
    StoredList::create(&journal, 6, 2).await;
    journal.close().await;
    let damage =
        "UPDATE afterglow.watchlists SET rows = rows + 1; DELETE FROM afterglow.answers WHERE edit = 2;
        INSERT INTO afterglow.watchlists (id, epoch, name, revision, rows)
            SELECT gen_random_uuid(), epoch, name, 0, 0 FROM afterglow.watchlists LIMIT 1";
    postgres().unwrap().execute(&url, damage).await;
    let written = in_folder(folder.path()).await;
    move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    assert_eq!(in_database(&url).await, written);
    interrupted(async |report| move_to_folder(&url, folder.path(), report).await, last).await;
    let journal = PostgresJournal::open(&url).await.unwrap();
    journal.set_deleted(last, Some(Timestamp::from_millis(99))).await.unwrap();
    StoredList::create(&journal, 7, 2).await;
    let written = content(&journal).await;
    journal.close().await;
    move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap();
    assert_eq!(in_folder(folder.path()).await, written);
}

/// The steps after the copy are done up to each of them, and then the move is called again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_interrupted_at_its_end_can_be_called_again() {
    let Some((folder, written, url)) = places().await else { return };
    let (file, copied) = (folder.path().join("journal.sqlite"), folder.path().join("copied"));
    std::fs::copy(&file, &copied).unwrap();
    move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    let place = folder.path().join("journal.place");
    let recorded = std::fs::read(&place).unwrap();
    // The file was not renamed.
    std::fs::rename(&copied, &file).unwrap();
    let moved = move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    assert!(moved.replaced.is_some() && !file.exists());
    // The database was not marked as complete.
    std::fs::copy(moved.replaced.unwrap(), &file).unwrap();
    let source = file.display();
    let mark = format!("CREATE TABLE afterglow.copying AS SELECT '{source}'::text AS source");
    postgres().unwrap().execute(&url, &mark).await;
    move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap();
    assert_eq!(in_database(&url).await, written);
    // The copy is complete, and not in its place.
    move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap();
    std::fs::rename(&file, folder.path().join("journal.sqlite.copying")).unwrap();
    std::fs::write(&place, &recorded).unwrap();
    move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap();
    // It is in its place, and the database is still recorded.
    std::fs::write(&place, &recorded).unwrap();
    let error = move_to_folder(&url, folder.path(), &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    std::fs::remove_file(&place).unwrap();
    assert_eq!(in_folder(folder.path()).await, written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_journal_or_damaged_is_not_moved() {
    let Some((folder, _, url)) = places().await else { return };
    let nowhere = folder.path().join("nowhere");
    let error = move_to_database(&nowhere, &url, &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("does not exist") && !nowhere.exists(), "{error}");
    let other = tempfile::tempdir().unwrap();
    let error = move_to_folder(&url, other.path(), &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("has no journal"), "{error}");
    let file = folder.path().join("journal.sqlite");
    let connection = rusqlite::Connection::open(&file).unwrap();
    let damage = "UPDATE log SET data = zeroblob(length(data)) WHERE seq = (SELECT max(seq) - 3 FROM log)";
    assert_eq!(connection.execute(damage, []).unwrap(), 1);
    connection.close().unwrap();
    let error = move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("watchlist") && error.contains("checksum"), "{error}");
    assert!(
        file.exists() && check_journal_place(folder.path(), None).is_ok(),
        "the folder keeps its journal"
    );
    std::fs::write(&file, "").unwrap();
    std::fs::write(folder.path().join("local.token"), "x").unwrap();
    let error = move_to_database(folder.path(), &url, &mut |_, _| {}).await.unwrap_err().to_string();
    assert!(error.contains("is empty: it was truncated"), "{error}");
}
