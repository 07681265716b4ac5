//! What is kept: a torn tail is recovered, worse damage is found and said, backups are made and restored, and a
//! journal of an older version is taken over.

use std::path::{Path, PathBuf};

use serde_json::json;
use server::{
    clock::Clock,
    journal::{HistoryFilter, Journal, Most, sqlite::SqliteJournal},
    remote::Remote,
    settings::Settings,
};
use shared::{
    ids::{Revision, RowId, WatchlistId},
    time::Timestamp,
};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use crate::{
    program::{Served, client_of, run, sentence, stdout},
    support::{Client, TestServer, insert},
};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Changes a journal's file behind the program's back.
async fn damage(journal: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(journal);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::query(statement).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement} changes something");
    connection.close().await.unwrap();
}

/// A watchlist with one row, and the row.
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

/// A copy of a data folder's journal, as a machine that died has it.
fn copy_of(data_dir: &Path, log: impl Fn(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let journal = "journal.sqlite";
    std::fs::copy(data_dir.join(journal), copy.path().join(journal)).unwrap();
    let written_ahead = std::fs::read(data_dir.join("journal.sqlite-wal")).unwrap();
    std::fs::write(copy.path().join("journal.sqlite-wal"), log(written_ahead)).unwrap();
    copy
}

#[tokio::test]
async fn a_torn_tail_is_recovered_up_to_the_last_whole_commit() {
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
        // Cut ever later, and every third time with bytes of something else behind the cut.
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
        let commits = journal.commits(id, Revision(0), Most::ALL).await.unwrap();
        let revisions: Vec<u64> = commits.iter().map(|commit| commit.revision.0).collect();
        assert_eq!(revisions, (1..=record.revision.0).collect::<Vec<_>>(), "whole commits, none left out");
        assert!(record.revision.0 >= last || round % 3 == 0, "a longer log holds no less");
        last = record.revision.0;
        heads.push(last);
        journal.close().await;
        server::backup::check(&copy.path().join("journal.sqlite")).await.unwrap();
    }
    assert_eq!(heads.last(), Some(&39), "nothing is missing where nothing is torn");
    heads.dedup();
    assert!(heads.len() > 10, "the cuts were at many commits: {heads:?}");
}

#[tokio::test]
async fn damage_is_found_named_and_kept_to_its_watchlist() {
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
    let said = stdout(&run(&["check"], folder.path()));
    assert!(said.contains("Bad\t1 row\trevision 5\t5 commits\t5 answers\tsound"), "{said}");
    assert!(said.ends_with("journal.sqlite is sound\n"), "{said}");
    damage(&journal, "UPDATE commits SET changes = replace(changes, '\"3\"', '\"8\"') WHERE revision = 3")
        .await;
    let said = sentence(&run(&["check"], folder.path()));
    assert!(said.contains("\u{201c}Bad\u{201d}: the checksum of revision 3"), "{said}");
    assert!(said.contains("Sound watchlists: 1.") && said.contains("afterglow-server restore"), "{said}");

    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    client.send(&json!({ "type": "open", "watchlist": bad })).await;
    let refused = client.expect("error").await;
    assert_eq!(refused["code"], "unavailable");
    assert!(refused["message"].as_str().unwrap().contains("afterglow-server check"), "{refused}");
    let snapshot = client.open(&good).await;
    assert_eq!(snapshot["rows"][0]["cells"]["symbol"], "MMM", "the others are served");
    let remote = Remote::of_folder(folder.path()).unwrap();
    let id = WatchlistId(bad.parse().unwrap());
    let read = tokio::task::spawn_blocking(move || remote.csv(id)).await.unwrap();
    assert!(read.unwrap_err().to_string().contains("afterglow-server check"), "by HTTP, too");
    client.send(&json!({ "type": "history", "request": 1, "watchlist": bad })).await;
    let refused = client.expect("error").await;
    assert!(refused["message"].as_str().unwrap().contains("afterglow-server check"), "{refused}");
    // What is damaged is not read again at once, however often it is asked for.
    damage(&journal, "UPDATE commits SET changes = replace(changes, '\"8\"', '\"3\"') WHERE revision = 3")
        .await;
    client.send(&json!({ "type": "open", "watchlist": bad })).await;
    assert_eq!(client.expect("error").await["code"], "unavailable");
    drop((client, served));
    stdout(&run(&["check"], folder.path()));
    damage(&journal, "UPDATE snapshots SET data = CAST(substr(data, 1, length(data) - 1) || x'00' AS BLOB)")
        .await;
    assert!(sentence(&run(&["check"], folder.path())).contains("part 1 of the snapshot at revision 0"));
}

#[tokio::test]
async fn half_a_stored_snapshot_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, _) = list_with_row(&mut client, "Half").await;
    drop((client, served));
    // The first of two parts, as a death between them leaves it.
    let half = "INSERT INTO snapshots (watchlist, revision, part, parts, data, checksum)
        SELECT watchlist, 1, 1, 2, data, checksum FROM snapshots";
    damage(&folder.path().join("journal.sqlite"), half).await;
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let snapshot = client.open(&list).await;
    assert_eq!(snapshot["rows"][0]["cells"]["symbol"], "MMM", "{snapshot}");
}

#[tokio::test]
async fn each_kind_of_damage_has_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    for value in 2..6 {
        client.edit_answered(&list, price(&row, value)).await;
    }
    client.edit_answered(&list, price(&row, 5)).await;
    drop((client, served));
    let whole = folder.path().join("whole.sqlite");
    stdout(&run(&["backup", whole.to_str().unwrap()], folder.path()));
    for (statement, said) in [
        ("DELETE FROM commits WHERE revision = 3", "revision 3 is missing"),
        ("DELETE FROM commits WHERE revision = 6", "with 1 rows at revision 5"),
        ("UPDATE commits SET at = at + 1 WHERE revision = 2", "the checksum of revision 2"),
        ("UPDATE commits SET edit = 77 WHERE revision = 2", "the checksum of revision 2"),
        ("UPDATE commits SET checksum = NULL WHERE revision = 2", "revision 2 has no checksum"),
        ("UPDATE answers SET revision = 2 WHERE revision = 4", "the checksum of the answer"),
        ("DELETE FROM snapshots", "it has no whole snapshot"),
        ("UPDATE watchlists SET name = 'Other'", "said to be \"Other\""),
    ] {
        let copy = tempfile::tempdir().unwrap();
        let journal = copy.path().join("journal.sqlite");
        std::fs::copy(&whole, &journal).unwrap();
        damage(&journal, statement).await;
        let found = sentence(&run(&["check"], copy.path()));
        assert!(found.contains(said), "{statement}: {found}");
    }
}

#[tokio::test]
async fn a_backup_is_made_while_edits_go_on_and_restored_as_a_new_history() {
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
    let said = stdout(&run(&["backup", name], folder.path()));
    assert!(said.contains("revision 5") && said.ends_with("backup.sqlite is sound\n"), "{said}");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&backup.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    assert!(sentence(&run(&["backup", name], folder.path())).contains("is there already"));
    assert!(!PathBuf::from(format!("{name}.new")).exists());
    client.edit_answered(&list, price(&row, 99)).await;
    assert!(sentence(&run(&["restore", name], folder.path())).contains("served by another process"));
    drop((client, served));

    let said = stdout(&run(&["restore", name], folder.path()));
    assert!(said.contains("is kept as") && said.contains("journal.sqlite.replaced-1"), "{said}");
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
    assert_ne!(snapshot["epoch"], before["epoch"], "what clients hold is of another history");
    assert_eq!(snapshot["rows"][0]["cells"]["price"], "5", "as it was when it was backed up");
    assert_eq!(snapshot["revision"], 5);
    let answer = client.edit_answered(&list, price(&row, 7)).await;
    assert_eq!(answer["revision"], 6, "and it goes on");
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_half_restored_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client, "List").await;
    let epoch = client.open(&list).await["epoch"].clone();
    let backup = folder.path().join("backup.sqlite");
    let name = backup.to_str().unwrap().to_owned();
    stdout(&run(&["backup", &name], folder.path()));
    client.edit_answered(&list, price(&row, 2)).await;
    // Killed: what was written ahead of the journal is beside it.
    drop((client, served));
    damage(&backup, "UPDATE commits SET name = 'eve'").await;
    assert!(sentence(&run(&["restore", &name], folder.path())).contains("the checksum of revision 1"));
    assert!(stdout(&run(&["check"], folder.path())).contains("is sound"), "the journal is as it was");
    assert!(sentence(&run(&["restore", "/nowhere"], folder.path())).contains("there is no file"));
    // A machine that died between the two renames.
    let (journal, new) = (folder.path().join("journal.sqlite"), folder.path().join("journal.sqlite.new"));
    std::fs::copy(&journal, &new).unwrap();
    std::fs::rename(&journal, folder.path().join("journal.sqlite.replaced-1")).unwrap();
    let said = sentence(&run(&["list"], folder.path()));
    assert!(said.contains("restore it again"), "{said}");
    damage(&backup, "UPDATE commits SET name = 'ann'").await;
    stdout(&run(&["restore", &name], folder.path()));
    assert!(stdout(&run(&["list"], folder.path())).contains("List\t1"));
    // Neither the log of the journal before nor its history is in what was restored.
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let snapshot = client.open(&list).await;
    assert_ne!(snapshot["epoch"], epoch);
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(1), &json!("1")));
}

#[tokio::test]
async fn a_journal_of_the_version_before_is_taken_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal-version-1.sqlite");
    std::fs::copy(old, folder.path().join("journal.sqlite")).unwrap();
    let journal = SqliteJournal::open(folder.path()).await.unwrap();
    let list = journal.watchlists().await.unwrap().remove(0);
    assert_eq!((&*list.name, list.revision, list.rows), ("Older", Revision(4), 3));
    let commits = journal.commits(list.id, Revision(0), Most::ALL).await.unwrap();
    assert_eq!(commits.len(), 4);
    let row = commits[1].changes[0].row().unwrap();
    let of_row = HistoryFilter { row: Some(row), limit: 10, ..HistoryFilter::default() };
    assert_eq!(
        journal.history(list.id, of_row).await.unwrap().len(),
        4,
        "also commits of before are found by row"
    );
    journal.close().await;
    let sound = server::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
    assert_eq!((sound[0].commits, sound[0].answers), (4, 4));
}

#[tokio::test]
async fn old_commits_go_and_what_a_snapshot_needs_stays() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let today = Arc::new(AtomicI64::new(100 * DAY));
    let clock: Clock = {
        let today = today.clone();
        Arc::new(move || Timestamp::from_millis(today.load(Ordering::SeqCst)))
    };
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
    // Twenty days later what is there is older than it is kept; what is written then is not.
    today.fetch_add(20 * DAY, Ordering::SeqCst);
    let server = TestServer::at(folder.clone(), settings(), clock.clone()).await;
    let mut client = server.client().await;
    client.greet().await;
    client.open(&list).await;
    let ask = json!({ "type": "history", "request": 1, "watchlist": list });
    let kept = crate::support::wait_for("the old commits to go", async || {
        client.send(&ask).await;
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
    assert_eq!((&message["type"], &message["revision"]), (&json!("snapshot"), &json!(6)), "never in part");
    client
        .send(&json!({ "type": "open", "watchlist": list, "at": { "epoch": first["epoch"], "revision": 5 } }))
        .await;
    assert_eq!(client.expect("resumed").await["revision"], 6, "what is kept is resumed");
    drop(client);
    server.running.stop().await;
    let server = TestServer::at(folder.clone(), settings(), clock).await;
    let mut client = server.client().await;
    client.greet().await;
    let snapshot = client.open(&list).await;
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(6), &json!("6")));
    server::backup::check(&folder.path().join("journal.sqlite")).await.unwrap();
}

#[tokio::test]
async fn only_so_many_commits_are_kept() {
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
    let count = async || journal.commits(id, Revision(0), Most::ALL).await.unwrap_or_default().len();
    let never = Timestamp::from_millis(i64::MIN);
    journal.prune(id, never, 5).await.unwrap();
    assert_eq!(count().await, 30, "the only snapshot is older than all of them");
    let mut part = journal.snapshot(id).await.unwrap().remove(0);
    part.snapshot.revision = Revision(20);
    journal.save_part(id, part).await.unwrap();
    journal.prune(id, never, 25).await.unwrap();
    assert_eq!(count().await, 25);
    journal.prune(id, never, 5).await.unwrap();
    assert_eq!(count().await, 11, "the snapshot's own commit and what came after it stay");
    let of_row =
        HistoryFilter { row: Some(RowId(row.parse().unwrap())), limit: 100, ..HistoryFilter::default() };
    assert_eq!(journal.history(id, of_row).await.unwrap().len(), 11);
    journal.close().await;
}
