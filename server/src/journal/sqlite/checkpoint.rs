//! Checkpoints: the pages in the write-ahead log are copied into the file by a thread of their own, while
//! batches are written. The writer copies the few that were added since, after which the log starts over.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, wal::CheckpointMode};
use tracing::warn;

use crate::journal::{form::error::store, store::JournalError};

/// Number of pages by which the log grows between two checkpoints: 4 MiB.
pub(super) const PAGES: i32 = 1_024;
/// Number of pages from which on the writer waits a moment for reads to end, so that the log can start over.
const MANY_PAGES: i32 = 16 * PAGES;
/// Maximum number of passes. Each copies what was added during the one before.
const PASSES: usize = 3;
/// Number of pages that are left to the writer.
const REMAINDER: i32 = 64;

/// Opens the connection of the thread.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(store)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(store)?;
    Ok(connection)
}

/// Copies pages into the file until few are left.
pub(super) fn run(connection: &Connection) {
    for _ in 0..PASSES {
        match connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
            Ok((all, copied)) if all - copied > REMAINDER => {}
            Ok(_) => return,
            Err(error) => return report(&error),
        }
    }
}

/// Copies the remaining pages on the writer's connection.
pub(super) fn finish(connection: &Connection, pages: i32) {
    let (mode, patience) = if pages < MANY_PAGES {
        (CheckpointMode::PASSIVE, Duration::ZERO)
    } else {
        (CheckpointMode::RESTART, Duration::from_millis(10))
    };
    let checkpoint = || {
        connection.busy_timeout(patience)?;
        let done = connection.wal_checkpoint_v2(None::<&str>, mode);
        connection.busy_timeout(BUSY)?;
        done
    };
    if let Err(error) = checkpoint() {
        report(&error);
    }
}

/// Logs why a checkpoint failed, unless another one was under way or a read did not end.
fn report(error: &rusqlite::Error) {
    if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
        warn!(error = error as &dyn std::error::Error, "failed to checkpoint the journal");
    }
}

/// How long a statement waits for the lock of another process.
pub(super) const BUSY: Duration = Duration::from_secs(5);
