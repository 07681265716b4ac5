//! Fuzzes the journal: a file with changed bytes, and arbitrary data in its tables. It is read or rejected
//! with a message, and nothing panics.
//!
//! To run one for longer: `cargo bolero test -p server fuzz::journal_files --engine libfuzzer`.

use std::path::Path;

use bolero::check;
use server::journal::{HistoryFilter, Journal, ReadLimit, sqlite::SqliteJournal};
use shared::ids::Revision;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

const INTACT: &[u8] = include_bytes!("../data/journal-version-1.sqlite");

/// Reads everything in a journal. Returns whether all of it could be read.
async fn read_all(file: &Path) -> bool {
    let checked = server::folder::backup::check(file).await;
    if let Err(error) = &checked {
        assert!(!error.to_string().is_empty());
    }
    let journal = match SqliteJournal::open_file(file.to_owned()).await {
        Ok(journal) => journal,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let mut is_intact = true;
    for record in journal.watchlists().await.unwrap_or_default() {
        let filter = HistoryFilter { limit: 100, ..HistoryFilter::default() };
        let commits = journal.commits(record.id, Revision(0), ReadLimit::ALL).await;
        let answered = match commits.as_ref().ok().and_then(|commits| commits.first()) {
            Some(first) => {
                let sender = server::journal::Sender { user: first.by.user, client: first.by.client };
                journal.answers(record.id, sender).await.is_ok()
            }
            None => false,
        };
        is_intact &= answered && journal.snapshot(record.id).await.is_ok();
        is_intact &= journal.history(record.id, filter).await.is_ok();
    }
    journal.close().await;
    is_intact
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn journal_files() {
    let runtime = runtime();
    check!().with_type::<Vec<(u16, u8)>>().with_iterations(200).for_each(|replacements| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        let mut bytes = INTACT.to_vec();
        for (at, byte) in replacements {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte;
        }
        std::fs::write(&file, bytes).unwrap();
        runtime.block_on(read_all(&file));
    });
}

#[test]
fn journal_records() {
    let runtime = runtime();
    check!().with_type::<(u8, Vec<u8>)>().with_iterations(200).for_each(|(column, bytes)| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        std::fs::write(&file, INTACT).unwrap();
        runtime.block_on(async {
            assert!(read_all(&file).await, "the journal is intact before");
            let statement = match column % 6 {
                0 => "UPDATE commits SET changes = CAST(? AS TEXT) WHERE revision = 2",
                1 => "UPDATE commits SET client = ? WHERE revision = 2",
                2 => "UPDATE answers SET digest = ?",
                3 => "UPDATE answers SET rejection = CAST(? AS TEXT)",
                4 => "UPDATE snapshots SET data = ?",
                _ => "UPDATE commits SET name = CAST(? AS TEXT) WHERE revision = 2",
            };
            let options = SqliteConnectOptions::new().filename(&file);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query(statement).bind(bytes).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            assert!(!read_all(&file).await, "{statement} with {bytes:?} is detected");
        });
    });
}
