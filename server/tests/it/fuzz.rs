//! A journal's file with any bytes of it changed, and anything in its tables: it is read or refused in words, and
//! nothing panics.
//!
//! For long, by hand: `cargo bolero test -p server fuzz::journal_files --engine libfuzzer`.

use std::path::Path;

use bolero::check;
use server::journal::{HistoryFilter, Journal, Most, sqlite::SqliteJournal};
use shared::ids::Revision;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

const WHOLE: &[u8] = include_bytes!("../data/journal-version-1.sqlite");

/// Reads everything that is in a journal; gives whether all of it could be read.
async fn read_all(file: &Path) -> bool {
    let checked = server::backup::check(file).await;
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
    let mut is_sound = true;
    for record in journal.watchlists().await.unwrap_or_default() {
        let filter = HistoryFilter { limit: 100, ..HistoryFilter::default() };
        let commits = journal.commits(record.id, Revision(0), Most::ALL).await;
        let answered = match commits.as_ref().ok().and_then(|commits| commits.first()) {
            Some(first) => {
                let sender = server::journal::Sender { user: first.by.user, client: first.by.client };
                journal.answers(record.id, sender).await.is_ok()
            }
            None => false,
        };
        is_sound &= answered && journal.snapshot(record.id).await.is_ok();
        is_sound &= journal.history(record.id, filter).await.is_ok();
    }
    journal.close().await;
    is_sound
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn journal_files() {
    let runtime = runtime();
    check!().with_type::<Vec<(u16, u8)>>().with_iterations(200).for_each(|puts| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        let mut bytes = WHOLE.to_vec();
        for (at, byte) in puts {
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
        std::fs::write(&file, WHOLE).unwrap();
        runtime.block_on(async {
            assert!(read_all(&file).await, "it is sound before");
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
            assert!(!read_all(&file).await, "{statement} with {bytes:?} is noticed");
        });
    });
}
