//! Fuzzes the journal: a file with changed bytes, and arbitrary data in its tables. It is read or rejected
//! with a message, and nothing panics.
//!
//! To run one for longer: `cargo bolero test -p server fuzz::journal_files --engine libfuzzer`.

use std::path::Path;

use bolero::check;
use futures_util::TryStreamExt;
use rusqlite::Connection;
use server::journal::{HistoryFilter, Journal, ReadLimit, sqlite::SqliteJournal};
use shared::ids::Revision;
use tokio::time::timeout;

use crate::support::PATIENCE;

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
        is_intact &= answered && journal.snapshot(record.id).try_collect::<Vec<_>>().await.is_ok();
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
        runtime.block_on(async {
            timeout(PATIENCE, read_all(&file)).await.expect("reading a journal ends");
        });
    });
}

#[test]
fn a_journal_whose_tables_are_not_defined_in_utf_8_is_rejected() {
    let definition = b"checksum BLOB NOT NULL";
    let starts = INTACT.windows(definition.len()).enumerate().filter(|(_, bytes)| bytes == definition);
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    assert!(!starts.is_empty(), "the journal has the table of migrations");
    let runtime = runtime();
    for at in starts.iter().flat_map(|start| *start..start + definition.len()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        let mut bytes = INTACT.to_vec();
        bytes[at] = 0xCE;
        std::fs::write(&file, bytes).unwrap();
        let opened = runtime.block_on(async { timeout(PATIENCE, SqliteJournal::open_file(file)).await });
        let error = opened.expect("opening ends").expect_err("damage is detected").to_string();
        assert!(error.contains("damaged") || error.contains("cannot be read as a journal"), "{at}: {error}");
    }
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
            let statement = match column % 4 {
                0 => "UPDATE log SET data = ? WHERE last >= 2",
                1 => "UPDATE blocks SET data = ?",
                2 => "UPDATE runs SET data = ?",
                _ => "UPDATE snapshots SET data = ?",
            };
            let connection = Connection::open(&file).unwrap();
            connection.execute(statement, [bytes]).unwrap();
            connection.close().unwrap();
            assert!(!read_all(&file).await, "{statement} with {bytes:?} is detected");
        });
    });
}
