//! Journals of older versions: they are upgraded in steps that a crash may interrupt, and lose nothing.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use server::{
    folder::backup,
    journal::{HistoryFilter, Journal, ReadLimit, Sender, Verdict, sqlite::SqliteJournal},
};
use shared::{
    ids::{ClientId, EditId, Revision, UserId},
    rejection::{Code, Rejection},
};
use uuid::Uuid;

/// Number of commits of the upgraded watchlist: several chunks.
const COMMITS: u64 = 2_500;

/// Copies the journal of version 1 into a folder and adds commits, accepted answers, and a rejection after
/// every tenth.
fn large_old_journal(folder: &Path) -> PathBuf {
    let file = folder.join("journal.sqlite");
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/journal-version-1.sqlite");
    std::fs::copy(old, &file).unwrap();
    let mut connection = Connection::open(&file).unwrap();
    let transaction = connection.transaction().unwrap();
    let row: String = transaction
        .query_row(
            "SELECT json_extract(changes, '$[0].insert.row') FROM commits WHERE revision = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let (user, client) = (Uuid::from_u128(5).into_bytes(), Uuid::from_u128(6).into_bytes());
    let rejection = serde_json::to_string(&Rejection::new(Code::TooLong, "too long")).unwrap();
    for revision in 5..=COMMITS {
        let changes =
            format!(r#"[{{"set":{{"row":"{row}","column":"price","value":"{revision}","was":"1"}}}}]"#);
        let edit = revision * 2;
        transaction
            .execute(
                "INSERT INTO commits (watchlist, revision, at, user, name, client, edit, changes)
                 SELECT 1, ?, max(at), ?, 'bob', ?, ?, ? FROM commits",
                params![
                    i64::try_from(revision).unwrap(),
                    user,
                    client,
                    i64::try_from(edit).unwrap(),
                    changes
                ],
            )
            .unwrap();
        let digest = [revision.to_le_bytes()[0]; 16];
        transaction
            .execute(
                "INSERT INTO answers VALUES (1, ?, ?, ?, ?, ?, NULL)",
                params![user, client, i64::try_from(edit).unwrap(), digest, i64::try_from(revision).unwrap()],
            )
            .unwrap();
        if revision % 10 == 0 {
            transaction
                .execute(
                    "INSERT INTO answers VALUES (1, ?, ?, ?, ?, NULL, ?)",
                    params![user, client, i64::try_from(edit).unwrap() + 1, digest, rejection],
                )
                .unwrap();
        }
    }
    transaction.execute("UPDATE watchlists SET revision = ?", [i64::try_from(COMMITS).unwrap()]).unwrap();
    transaction.commit().unwrap();
    connection.close().unwrap();
    file
}

/// Returns the checksum of a record of version 2.
fn sum(fields: &[&[u8]]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
    i64::from(hasher.finalize())
}

/// Turns a journal of version 1 into one of version 2: with checksums, and an index of the rows of commits.
fn to_version_2(file: &Path) {
    let mut connection = Connection::open(file).unwrap();
    let list: Vec<u8> = connection.query_row("SELECT id FROM watchlists", [], |row| row.get(0)).unwrap();
    connection
        .execute_batch(
            "ALTER TABLE commits ADD COLUMN checksum INTEGER;
             ALTER TABLE answers ADD COLUMN checksum INTEGER;
             ALTER TABLE snapshots ADD COLUMN checksum INTEGER;
             CREATE TABLE touched (
                 watchlist INTEGER NOT NULL REFERENCES watchlists (key) ON DELETE CASCADE,
                 row       BLOB NOT NULL,
                 revision  INTEGER NOT NULL,
                 PRIMARY KEY (watchlist, row, revision)
             ) STRICT, WITHOUT ROWID;
             INSERT INTO touched SELECT 1, x'00', revision FROM commits;
             INSERT INTO _sqlx_migrations VALUES (2, 'checksums and history', 0, TRUE, x'', 0);
             PRAGMA user_version = 2",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    let mut select =
        transaction.prepare("SELECT revision, at, user, name, client, edit, changes FROM commits").unwrap();
    let mut rows = select.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let number = |index| row.get::<_, i64>(index).unwrap();
        let bytes = |index| row.get_ref(index).unwrap().as_bytes().unwrap();
        let (revision, at, edit) = (number(0), number(1).to_le_bytes(), number(5).to_le_bytes());
        let (user, name, client, changes) = (bytes(2), bytes(3), bytes(4), bytes(6));
        let sum = sum(&[&list, &revision.to_le_bytes(), &at, user, name, client, &edit, changes]);
        transaction.execute("UPDATE commits SET checksum = ? WHERE revision = ?", [sum, revision]).unwrap();
    }
    let mut of_answers =
        transaction.prepare("SELECT user, client, edit, digest, revision, rejection FROM answers").unwrap();
    let mut answers = of_answers.query([]).unwrap();
    while let Some(row) = answers.next().unwrap() {
        let bytes = |index| row.get_ref(index).unwrap().as_bytes().unwrap();
        let (user, client, edit, digest) = (bytes(0), bytes(1), row.get::<_, i64>(2).unwrap(), bytes(3));
        let revision = row.get::<_, Option<i64>>(4).unwrap().map(i64::to_le_bytes).unwrap_or_default();
        let rejection = row.get::<_, Option<String>>(5).unwrap().unwrap_or_default();
        let sum = sum(&[&list, user, client, &edit.to_le_bytes(), digest, &revision, rejection.as_bytes()]);
        transaction
            .execute(
                "UPDATE answers SET checksum = ? WHERE user = ? AND client = ? AND edit = ?",
                params![sum, user, client, edit],
            )
            .unwrap();
    }
    drop((rows, answers));
    drop((select, of_answers));
    transaction.commit().unwrap();
}

async fn assert_upgraded(folder: &Path) {
    let journal = SqliteJournal::open(folder).await.unwrap();
    let list = journal.watchlists().await.unwrap().remove(0);
    assert_eq!((&*list.name, list.revision, list.rows), ("Older", Revision(COMMITS), 3));
    let commits = journal.commits(list.id, Revision(0), ReadLimit::ALL).await.unwrap();
    assert!(commits.iter().map(|commit| commit.revision.0).eq(1..=COMMITS));
    assert_eq!((&*commits[9].by.name, commits[9].by.edit), ("bob", EditId(20)));
    let row = commits[4].changes[0].row();
    let filter = HistoryFilter { row, limit: 5_000, ..HistoryFilter::default() };
    let found = journal.history(list.id, filter).await.unwrap().commits;
    assert_eq!(found.len() as u64, COMMITS, "history finds commits from before the upgrade by their row");
    assert!(serde_json::to_string(&found[0].changes).unwrap().contains(r#""was":"1""#));
    let other = HistoryFilter { row: commits[0].changes[1].row(), limit: 9, ..HistoryFilter::default() };
    assert_eq!(journal.history(list.id, other).await.unwrap().commits.len(), 1);
    let sender = Sender { user: UserId(Uuid::from_u128(5)), client: ClientId(Uuid::from_u128(6)) };
    let answers = journal.answers(list.id, sender).await.unwrap();
    assert_eq!(answers.len() as u64, COMMITS - 4 + COMMITS / 10);
    for answer in &answers {
        let revision = answer.edit.0 / 2;
        assert_eq!(answer.digest, [revision.to_le_bytes()[0]; 16]);
        match &answer.verdict {
            Verdict::Accepted(accepted) => assert_eq!((accepted.0, answer.edit.0 % 2), (revision, 0)),
            Verdict::Rejected(rejection) => assert_eq!(rejection.code, Code::TooLong),
        }
    }
    let first = Sender { user: commits[0].by.user, client: commits[0].by.client };
    assert_eq!(
        journal.answers(list.id, first).await.unwrap().len(),
        1 + usize::from(commits[1].by.client == first.client) * 3
    );
    journal.close().await;
    let checked = backup::check(&folder.join("journal.sqlite")).await.unwrap();
    assert_eq!(checked[0].commits, COMMITS);
    let connection = Connection::open(folder.join("journal.sqlite")).unwrap();
    let old: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('commits', 'answers', 'touched')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(old, 0, "the tables of the old version are gone");
}

#[tokio::test]
async fn a_large_journal_of_the_first_version_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    large_old_journal(folder.path());
    assert_upgraded(folder.path()).await;
}

#[tokio::test]
async fn a_journal_of_version_2_is_upgraded_and_what_is_damaged_stays_so() {
    for damage in [
        "",
        "UPDATE commits SET name = 'eve' WHERE revision = 9",
        "UPDATE answers SET edit = 9 WHERE edit = 90",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = large_old_journal(folder.path());
        to_version_2(&file);
        if damage.is_empty() {
            assert_upgraded(folder.path()).await;
            continue;
        }
        assert_eq!(Connection::open(&file).unwrap().execute(damage, []).unwrap(), 1);
        SqliteJournal::open(folder.path()).await.unwrap().close().await;
        let error = backup::check(&file).await.unwrap_err().to_string();
        let is_named =
            error.contains("checksum of revision 9 ") || error.contains("the answers to edits 9 to 9");
        assert!(is_named, "{damage}: {error}");
    }
}

#[tokio::test]
async fn an_interrupted_upgrade_continues() {
    for (table, column, at) in [("commits", "revision", 1_500), ("answers", "edit", 3_000)] {
        let folder = tempfile::tempdir().unwrap();
        let file = large_old_journal(folder.path());
        let connection = Connection::open(&file).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TRIGGER crash BEFORE DELETE ON {table} WHEN old.{column} = {at}
                 BEGIN SELECT RAISE(ABORT, 'a crash'); END"
            ))
            .unwrap();
        let error = SqliteJournal::open(folder.path()).await.expect_err("the upgrade is interrupted");
        assert!(!error.to_string().is_empty());
        let moved: i64 = connection.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
        assert!(moved > 0, "a part was upgraded");
        connection.execute_batch("DROP TRIGGER crash").unwrap();
        drop(connection);
        assert_upgraded(folder.path()).await;
    }
}

#[tokio::test]
async fn older_programs_refuse_the_journal_and_this_one_refuses_newer_ones() {
    let (new, upgraded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    large_old_journal(upgraded.path());
    for folder in [&new, &upgraded] {
        SqliteJournal::open(folder.path()).await.unwrap().close().await;
        let file = folder.path().join("journal.sqlite");
        let connection = Connection::open(&file).unwrap();
        // Earlier programs refuse a file with a version here that they do not know; they know 1 and 2.
        let recorded: (i64, bool) = connection
            .query_row("SELECT version, success FROM _sqlx_migrations ORDER BY version DESC", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(recorded, (3, true));
        for newer in [
            "INSERT INTO _sqlx_migrations VALUES (4, 'newer', 0, TRUE, x'', 0)",
            "DELETE FROM _sqlx_migrations WHERE version = 4; PRAGMA user_version = 4",
        ] {
            connection.execute_batch(newer).unwrap();
            let error = SqliteJournal::open(folder.path()).await.expect_err("it is newer").to_string();
            assert!(error.contains("newer version"), "{error}");
        }
    }
}
