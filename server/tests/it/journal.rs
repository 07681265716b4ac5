//! The journal on disk: a torn tail is recovered, other damage is detected and reported, backups are created
//! and restored, and a journal of an older version is migrated.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::TryStreamExt;
use rusqlite::Connection;
use serde_json::json;
use server::{
    folder::{backup, find_server},
    hub::Hub,
    journal::{HistoryFilter, Journal, ReadLimit, Retention, sqlite::SqliteJournal},
    settings::Settings,
};
use shared::{
    ids::{Revision, RowId, WatchlistId},
    time::MILLIS_PER_DAY,
};
use tokio::time::timeout;

use crate::{
    program::{Served, client_of, error_message, run, stdout},
    support::{Client, PATIENCE, TestServer, accounts, admin, insert, room_context, settable_clock},
};

/// Runs a statement on a journal's file, outside the program.
fn damage(journal: &Path, statement: &'static str) {
    let connection = Connection::open(journal).unwrap();
    let changed = connection.execute(statement, []).unwrap();
    assert!(changed > 0, "{statement} changes something");
    connection.close().unwrap();
}

/// Creates a watchlist with one row. Returns both ids.
async fn list_with_row(client: &mut Client, name: &str) -> (String, String) {
    let list = client.create(name).await;
    client.open(&list).await;
    let (row, insert) = insert("80", json!({ "symbol": "MMM", "price": "1" }));
    client.edit_answered(&list, json!([insert])).await;
    (list, row)
}

fn price(row: &str, value: u32) -> serde_json::Value {
    json!([{ "set": { "row": row, "column": "price", "value": value.to_string() } }])
}

/// Copies a data folder's journal as it is after a crash, with a modified write-ahead log.
fn copy_of(data_dir: &Path, log: impl Fn(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let journal = "journal.sqlite";
    std::fs::copy(data_dir.join(journal), copy.path().join(journal)).unwrap();
    let written_ahead = std::fs::read(data_dir.join("journal.sqlite-wal")).unwrap();
    std::fs::write(copy.path().join("journal.sqlite-wal"), log(written_ahead)).unwrap();
    copy
}

#[tokio::test]
async fn a_torn_log_is_recovered_up_to_the_last_complete_commit() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "Torn").await;
    for value in 2..40 {
        let answer = client.edit_answered(&list, price(&row, value)).await;
        assert_eq!(answer["revision"], value);
    }
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let whole = std::fs::metadata(folder.path().join("journal.sqlite-wal")).unwrap().len();
    let whole = usize::try_from(whole).unwrap();
    let id = WatchlistId(list.parse().unwrap());
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut heads, mut last) = (Vec::new(), 0);
    for round in 0..60 {
        // Truncate later in each round, and append garbage in every third.
        let cut = whole / 3 + (whole - whole / 3) * round / 59;
        let garbage: Vec<u8> = (0..5_000).map(|_| rng.u8(..)).collect();
        let copy = copy_of(folder.path(), |mut log| {
            log.truncate(cut);
            if round % 3 == 0 && cut < whole {
                log.extend(&garbage);
            }
            log
        });
        let journal = SqliteJournal::open(copy.path()).await.unwrap();
        let found = journal.watchlists().await.unwrap();
        let Some(record) = found.iter().find(|record| record.id == id) else { continue };
        let commits = journal.commits(id, Revision(0), ReadLimit::ALL).await.unwrap();
        let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision.0).collect();
        assert_eq!(revisions, (1..=record.revision.0).collect::<Vec<_>>(), "complete commits without gaps");
        assert!(record.revision.0 >= last || round % 3 == 0, "a longer log does not contain fewer commits");
        last = record.revision.0;
        heads.push(last);
        journal.close().await;
        backup::check(&copy.path().join("journal.sqlite")).await.unwrap();
    }
    assert_eq!(heads.last(), Some(&39), "nothing is missing if nothing is torn");
    heads.dedup();
    assert!(heads.len() > 10, "the log was truncated at many commits: {heads:?}");
}

#[tokio::test]
async fn damage_is_detected_named_and_limited_to_its_watchlist() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (bad, row) = list_with_row(&mut client, "Bad").await;
    for value in 2..6 {
        client.edit_answered(&bad, price(&row, value)).await;
    }
    let (good, _) = list_with_row(&mut client, "Good").await;
    drop((client, served));
    let journal = folder.path().join("journal.sqlite");
    let output = stdout(&run(&["check"], folder.path()));
    assert!(output.contains("Bad\t1 row\trevision 5\t5 commits\t5 answers\tundamaged"), "{output}");
    assert!(output.ends_with("journal.sqlite is undamaged\n"), "{output}");
    damage(&journal, "UPDATE log SET checksum = checksum + 1 WHERE last = 3");
    let output = error_message(&run(&["check"], folder.path()));
    assert!(output.contains("\u{201c}Bad\u{201d}: the checksum of revision 3"), "{output}");
    assert!(
        output.contains("Undamaged watchlists: 1.") && output.contains("afterglow-server restore"),
        "{output}"
    );

    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    client.send(&json!({ "type": "open", "watchlist": bad })).await;
    let error = client.expect("error").await;
    assert_eq!(error["code"], "unavailable");
    assert!(error["message"].as_str().unwrap().contains("afterglow-server check"), "{error}");
    let snapshot = client.open(&good).await;
    assert_eq!(snapshot["rows"][0]["cells"]["symbol"], "MMM", "the others are served");
    let remote = find_server(folder.path()).unwrap();
    let id = WatchlistId(bad.parse().unwrap());
    let read = tokio::task::spawn_blocking(move || remote.csv(id)).await.unwrap();
    assert!(read.unwrap_err().to_string().contains("afterglow-server check"), "over HTTP, too");
    client.send(&json!({ "type": "history", "request": 1, "watchlist": bad })).await;
    let error = client.expect("error").await;
    assert!(error["message"].as_str().unwrap().contains("afterglow-server check"), "{error}");
    // A damaged watchlist is not reloaded at once, however often it is requested.
    damage(&journal, "UPDATE log SET checksum = checksum - 1 WHERE last = 3");
    client.send(&json!({ "type": "open", "watchlist": bad })).await;
    assert_eq!(client.expect("error").await["code"], "unavailable");
    drop((client, served));
    stdout(&run(&["check"], folder.path()));
    damage(&journal, "UPDATE snapshots SET data = CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB)");
    assert!(error_message(&run(&["check"], folder.path())).contains("part 1 of the snapshot at revision 0"));
}

#[tokio::test]
async fn an_incomplete_stored_snapshot_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, _) = list_with_row(&mut client, "Half").await;
    drop((client, served));
    // The first of two parts, as after a crash between them.
    let half = "INSERT INTO snapshots (watchlist, revision, part, parts, data, checksum)
        SELECT watchlist, 1, 1, 2, data, checksum FROM snapshots";
    damage(&folder.path().join("journal.sqlite"), half);
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let snapshot = client.open(&list).await;
    assert_eq!(snapshot["rows"][0]["cells"]["symbol"], "MMM", "{snapshot}");
}

#[tokio::test]
async fn each_kind_of_damage_has_its_message() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    for value in 2..6 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    client.edit_answered(&list, price(&row, 5)).await;
    drop((client, served));
    // Closing it folds what was not folded when the server was killed.
    SqliteJournal::open(folder.path()).await.unwrap().close().await;
    let intact = folder.path().join("intact.sqlite");
    stdout(&run(&["backup", intact.to_str().unwrap()], folder.path()));
    for (statement, message) in [
        ("DELETE FROM log WHERE last = 3", "revision 3 is missing"),
        ("DELETE FROM log WHERE last = 6", "revision 6 is missing"),
        ("UPDATE log SET before = 0 WHERE last = 2", "the checksum of revision 2"),
        ("UPDATE log SET data = CAST(data || x'00' AS BLOB) WHERE last = 2", "the checksum of revision 2"),
        ("UPDATE log SET checksum = checksum + 1 WHERE last = 2", "the checksum of revision 2"),
        (
            "INSERT INTO log SELECT 0, watchlist, before, last, data, checksum FROM log WHERE seq = 2",
            "has 7 records",
        ),
        ("UPDATE runs SET last = last + 1", "the checksum of the answers"),
        ("UPDATE runs SET data = CAST(data || x'00' AS BLOB)", "the checksum of the answers"),
        ("UPDATE runs SET count = count - 1", "a run of 6 answers is recorded as one of 5"),
        ("UPDATE blocks SET bytes = bytes + 1", "the checksum of the index"),
        ("DELETE FROM blocks", "with 0 rows at revision 0"),
        ("UPDATE snapshots SET checksum = NULL", "has no checksum"),
        ("DELETE FROM snapshots", "it has no complete snapshot"),
        ("UPDATE watchlists SET name = 'Other'", "recorded as \"Other\""),
    ] {
        let copy = tempfile::tempdir().unwrap();
        let journal = copy.path().join("journal.sqlite");
        std::fs::copy(&intact, &journal).unwrap();
        damage(&journal, statement);
        let found = error_message(&run(&["check"], copy.path()));
        assert!(found.contains(message), "{statement}: {found}");
    }
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_restored_with_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.sqlite");
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    let before = client.open(&list).await;
    for value in 2..6 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    let name = backup.to_str().unwrap();
    let output = stdout(&run(&["backup", name], folder.path()));
    assert!(output.contains("revision 5") && output.ends_with("backup.sqlite is undamaged\n"), "{output}");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&backup.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    assert!(error_message(&run(&["backup", name], folder.path())).contains("already exists"));
    assert!(!PathBuf::from(format!("{name}.new")).exists());
    client.edit_answered(&list, price(&row, 99)).await;
    assert!(error_message(&run(&["restore", name], folder.path())).contains("served by another process"));
    drop((client, served));

    let output = stdout(&run(&["restore", name], folder.path()));
    assert!(output.contains("is kept as") && output.contains("journal.sqlite.replaced-1"), "{output}");
    let kept = folder.path().join("journal.sqlite.replaced-1");
    assert!(stdout(&run(&["check", kept.to_str().unwrap()], folder.path())).contains("revision 6"));
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    client
        .send(
            &json!({ "type": "open", "watchlist": list, "at": { "epoch": before["epoch"], "revision": 5 } }),
        )
        .await;
    let snapshot = client.expect("snapshot").await;
    assert_ne!(snapshot["epoch"], before["epoch"], "clients have the state of another epoch");
    assert_eq!(snapshot["rows"][0]["cells"]["price"], "5", "the value when the backup was created");
    assert_eq!(snapshot["revision"], 5);
    let answer = client.edit_answered(&list, price(&row, 7)).await;
    assert_eq!(answer["revision"], 6, "revisions continue");
}

/// A server is killed, and its journal, which is mostly in the write-ahead log, is replaced and restored again.
#[tokio::test]
async fn a_journal_that_was_not_closed_is_restored_with_its_write_ahead_log() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let backup = folder.path().join("backup.sqlite");
    let backup = backup.to_str().unwrap();
    stdout(&run(&["backup", backup], folder.path()));
    let (list, row) = list_with_row(&mut client, "Unclosed").await;
    for value in 2..30 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    drop((client, served));
    stdout(&run(&["restore", backup], folder.path()));
    assert_eq!(stdout(&run(&["list"], folder.path())), "", "the backup has no watchlist");
    let replaced = folder.path().join("journal.sqlite.replaced-1");
    assert!(folder.path().join("journal.sqlite.replaced-1-wal").metadata().unwrap().len() > 0);
    stdout(&run(&["restore", replaced.to_str().unwrap()], folder.path()));
    let listed = stdout(&run(&["list"], folder.path()));
    assert!(listed.trim_end().ends_with("Unclosed\t1"), "{listed}");
}

#[tokio::test]
async fn a_damaged_backup_and_an_interrupted_restore_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    let epoch = client.open(&list).await["epoch"].clone();
    let backup = folder.path().join("backup.sqlite");
    let name = backup.to_str().unwrap().to_owned();
    stdout(&run(&["backup", &name], folder.path()));
    client.edit_answered(&list, price(&row, 2)).await;
    // The server is killed, so that the write-ahead log remains.
    drop((client, served));
    damage(&backup, "UPDATE log SET checksum = checksum + 1");
    assert!(error_message(&run(&["restore", &name], folder.path())).contains("the checksum of revision 1"));
    assert!(stdout(&run(&["check"], folder.path())).contains("is undamaged"), "the journal is unchanged");
    assert!(error_message(&run(&["restore", "/nowhere"], folder.path())).contains("does not exist"));
    // A crash between the two renames.
    let (journal, new) = (folder.path().join("journal.sqlite"), folder.path().join("journal.sqlite.new"));
    std::fs::copy(&journal, &new).unwrap();
    std::fs::rename(&journal, folder.path().join("journal.sqlite.replaced-1")).unwrap();
    let output = error_message(&run(&["list"], folder.path()));
    assert!(output.contains("restore it again") && output.contains("journal.sqlite.replaced-1"), "{output}");
    damage(&backup, "UPDATE log SET checksum = checksum - 1");
    stdout(&run(&["restore", &name], folder.path()));
    assert!(stdout(&run(&["list"], folder.path())).contains("List\t1"));
    // Neither the log nor the epoch of the previous journal is in the restored one.
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let snapshot = client.open(&list).await;
    assert_ne!(snapshot["epoch"], epoch);
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(1), &json!("1")));
}

#[tokio::test]
async fn a_journal_of_the_previous_version_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal-version-1.sqlite");
    std::fs::copy(old, folder.path().join("journal.sqlite")).unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let list = journal.watchlists().await.unwrap().remove(0);
    assert_eq!((&*list.name, list.revision, list.rows), ("Older", Revision(4), 3));
    let commits = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap();
    assert_eq!(commits.len(), 4);
    let row = commits[1].changes[0].row().unwrap();
    let of_row = HistoryFilter { row: Some(row), limit: 10, ..HistoryFilter::default() };
    assert_eq!(
        journal.history(list.id, of_row).await.unwrap().commits.len(),
        4,
        "commits from before the migration are found by row, too"
    );
    journal.close().await;
    let checked = backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
    assert_eq!((checked[0].commits, checked[0].answers), (4, 4));
}

#[tokio::test]
async fn old_commits_are_pruned_but_not_those_that_a_snapshot_needs() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let (today, clock) = settable_clock(100 * MILLIS_PER_DAY);
    let settings = || Settings { history_days: 10, ..Settings::default() };
    let server = TestServer::at(folder.clone(), settings(), clock.clone()).await;
    let mut client = server.client().await;
    client.greet().await;
    let (list, row) = list_with_row(&mut client, "List").await;
    let first = client.open(&list).await;
    for value in 2..6 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    drop(client);
    server.running.stop().await;
    // Twenty days later the existing commits are past their retention; new ones are not.
    today.fetch_add(20 * MILLIS_PER_DAY, Ordering::SeqCst);
    let server = TestServer::at(folder.clone(), settings(), clock.clone()).await;
    let mut client = server.client().await;
    client.greet().await;
    client.open(&list).await;
    let request = json!({ "type": "history", "request": 1, "watchlist": list });
    let kept = crate::support::wait_for("the old commits to be pruned", async || {
        client.send(&request).await;
        let commits = client.expect("history").await["commits"].as_array().unwrap().clone();
        (commits.len() == 1).then_some(commits)
    })
    .await;
    assert_eq!(kept[0]["revision"], 5, "the snapshot's own commit stays");
    client.edit_answered(&list, price(&row, 6)).await;
    client
        .send(&json!({ "type": "open", "watchlist": list, "at": { "epoch": first["epoch"], "revision": 1 } }))
        .await;
    let mut message = client.next().await.unwrap();
    while message["type"] != "snapshot" && message["type"] != "resumed" {
        message = client.next().await.unwrap();
    }
    assert_eq!(
        (&message["type"], &message["revision"]),
        (&json!("snapshot"), &json!(6)),
        "not resumed from a partial history"
    );
    client
        .send(&json!({ "type": "open", "watchlist": list, "at": { "epoch": first["epoch"], "revision": 5 } }))
        .await;
    assert_eq!(client.expect("resumed").await["revision"], 6, "a kept revision is resumed");
    drop(client);
    server.running.stop().await;
    let server = TestServer::at(folder.clone(), settings(), clock).await;
    let mut client = server.client().await;
    client.greet().await;
    let snapshot = client.open(&list).await;
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(6), &json!("6")));
    backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

#[tokio::test]
async fn the_number_of_kept_commits_is_limited() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    for value in 2..31 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    drop((client, served));
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let id = WatchlistId(list.parse().unwrap());
    let count = async || journal.commits(id, Revision(0), ReadLimit::ALL).await.unwrap_or_default().len();
    let newest = |commits| Retention { commits, ..Retention::all() };
    journal.prune(id, newest(5)).await.unwrap();
    assert_eq!(count().await, 30, "the only snapshot is older than all of them");
    let mut part = journal.snapshot(id).try_next().await.unwrap().unwrap();
    part.snapshot.revision = Revision(20);
    journal.save_part(id, part).await.unwrap();
    journal.prune(id, newest(25)).await.unwrap();
    assert_eq!(count().await, 25);
    journal.prune(id, newest(5)).await.unwrap();
    assert_eq!(count().await, 11, "the snapshot's own commit and later ones stay");
    let of_row =
        HistoryFilter { row: Some(RowId(row.parse().unwrap())), limit: 100, ..HistoryFilter::default() };
    assert_eq!(journal.history(id, of_row).await.unwrap().commits.len(), 11);
    journal.close().await;
}

#[tokio::test]
async fn reads_do_not_wait_while_watchlists_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).await.unwrap());
    let hub = Hub::open(room_context(journal.clone()), accounts()).await.unwrap();
    let list = hub.create(&admin(), None, "Loaded", None).await.unwrap();
    let mut loading = Vec::new();
    for _ in 0..8 {
        let mut parts = journal.snapshot(list);
        // Those that are loaded beyond what the journal does at once wait.
        let first = timeout(Duration::from_millis(20), parts.try_next()).await;
        assert!(first.is_err() || first.unwrap().unwrap().is_some());
        loading.push(parts);
    }
    let commits = timeout(PATIENCE, journal.commits(list, Revision(0), ReadLimit::ALL)).await;
    assert!(commits.expect("the read does not wait").unwrap().is_empty());
}
