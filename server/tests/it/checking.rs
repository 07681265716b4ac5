//! The check of a journal finds what is missing or does not fit together, although every record is intact.

use std::path::Path;

use rusqlite::Connection;
use server::journal::{
    Journal,
    sqlite::{SqliteJournal, check},
};
use tempfile::TempDir;

use crate::stored::StoredList;

const FILE: &str = "journal.sqlite";

/// Returns a closed journal with a watchlist of seven commits, each two of them listed in a block of their
/// own.
async fn closed_journal(snapshot_after: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = SqliteJournal::open(folder.path()).await.unwrap();
    let mut list = StoredList::create(&journal, 1, 3).await;
    for _ in 0..3 {
        if list.head().0 == snapshot_after {
            list.save(&journal).await;
        }
        list.append_notes(&journal, 2, "text").await;
        journal.close().await;
        journal = SqliteJournal::open(folder.path()).await.unwrap();
    }
    if list.head().0 == snapshot_after {
        list.save(&journal).await;
    }
    journal.close().await;
    folder
}

/// Returns the number of undamaged watchlists, and the damage.
async fn checked(folder: &Path) -> (usize, String) {
    let (undamaged, damage) = check(&folder.join(FILE)).await.unwrap();
    (undamaged.len(), damage.join("\n"))
}

fn execute(folder: &Path, statements: &str) {
    Connection::open(folder.join(FILE)).unwrap().execute_batch(statements).unwrap();
}

#[tokio::test]
async fn an_intact_journal_is_undamaged_wherever_its_snapshot_is() {
    // The first commit inserts the rows, so applying it again would fail.
    for snapshot_after in [0, 1, 5, 7] {
        let folder = closed_journal(snapshot_after).await;
        assert_eq!(checked(folder.path()).await, (1, String::new()), "snapshot at {snapshot_after}");
    }
}

#[tokio::test]
async fn an_accepted_edit_whose_commit_is_missing_is_named() {
    let folder = closed_journal(0).await;
    // Nothing but the answers tells that there were two more commits.
    execute(folder.path(), "DELETE FROM blocks WHERE before = 5; UPDATE watchlists SET revision = 5");
    let (undamaged, damage) = checked(folder.path()).await;
    assert!(undamaged == 0 && damage.contains("was accepted as revision 6, which is missing"), "{damage}");
}

#[tokio::test]
async fn commits_that_are_missing_are_named() {
    for (snapshot_after, block, missing) in [
        (0, "before = 0", "revision 1 is missing"),
        (0, "before = 3", "revision 4 is missing"),
        (5, "before = 3", "revision 4 is missing"),
        (7, "before >= 0", "revision 7 has a snapshot, but its commit is missing"),
        (7, "before = 5", "revision 7 has a snapshot, but its commit is missing"),
        (0, "before = 5", "it is recorded as \"List\" with 3 rows at revision 7"),
    ] {
        let folder = closed_journal(snapshot_after).await;
        execute(folder.path(), &format!("DELETE FROM blocks WHERE {block}"));
        let (undamaged, damage) = checked(folder.path()).await;
        assert!(undamaged == 0 && damage.contains(missing), "{block}: {damage}");
        assert_eq!(damage.lines().count(), 1, "{damage}");
    }
}

#[tokio::test]
async fn records_that_no_watchlist_has_are_reported() {
    let folder = closed_journal(0).await;
    execute(folder.path(), "INSERT INTO log SELECT 99, 9, before, last, data, checksum FROM log LIMIT 1");
    let (undamaged, damage) = checked(folder.path()).await;
    assert_eq!((undamaged, &*damage), (1, "the log has 8 records, of which 7 are found by their watchlists"));
    execute(folder.path(), "UPDATE watchlists SET erasing = 1");
    assert_eq!(checked(folder.path()).await, (0, String::new()), "a watchlist that is being erased has some");
}

#[tokio::test]
async fn a_file_that_sqlite_finds_damaged_is_reported() {
    let folder = closed_journal(0).await;
    execute(
        folder.path(),
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'deleted_at INTEGER', 'deleted_at INTEGER NOT NULL')
         WHERE name = 'watchlists'",
    );
    let (_, damage) = checked(folder.path()).await;
    assert!(damage.contains("NULL value in watchlists.deleted_at"), "{damage}");
}

#[tokio::test]
async fn a_changed_text_is_found_by_the_checksum_of_its_record() {
    for table in ["snapshots", "log"] {
        let folder = closed_journal(0).await;
        let connection = Connection::open(folder.path().join(FILE)).unwrap();
        let first = format!("rowid = (SELECT min(rowid) FROM {table})");
        let mut data: Vec<u8> = connection
            .query_row(&format!("SELECT data FROM {table} WHERE {first}"), [], |row| row.get(0))
            .unwrap();
        let name = data.windows(4).position(|text| text == b"List").unwrap();
        data[name..name + 4].copy_from_slice(b"Lost");
        connection.execute(&format!("UPDATE {table} SET data = ? WHERE {first}"), [data]).unwrap();
        drop(connection);
        let (undamaged, damage) = checked(folder.path()).await;
        assert!(undamaged == 0 && damage.contains("checksum"), "{table}: {damage}");
    }
}
