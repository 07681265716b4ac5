//! Moves the journal of a data folder into a database, or back into the folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{
    backup::{lock_idle, rename_replaced, with_causes},
    journal_place::{check_journal_place, forget_journal_place, set_journal_place},
    lock::DataFolder,
};
use crate::{
    files::{place, with_suffix},
    journal::{
        Journal,
        copying::{Copied, DatabaseCopy, Report, move_to_file},
        postgres,
        sqlite::{self, SqliteJournal},
    },
};

/// Suffix of a journal that is being copied into a data folder.
const COPYING: &str = ".copying";

/// A journal that was moved.
#[derive(Debug)]
pub struct Moved {
    /// What it holds.
    pub lists: Vec<Copied>,
    /// The file that held the journal, if it was one. It is not used any more.
    pub replaced: Option<PathBuf>,
}

/// Moves the journal of a data folder into an empty database. No server uses either while it runs. If this is
/// interrupted, it can be called again.
///
/// # Errors
/// The folder is served or has no journal, the database cannot be used, or the copy differs. The folder keeps its
/// journal then.
pub async fn move_to_database(folder: &Path, url: &str, report: Report<'_>) -> anyhow::Result<Moved> {
    let database = postgres::place(url)?;
    let folder = lock_existing(folder)?;
    let file = folder.path().join(sqlite::FILE);
    let is_recorded = check_journal_place(folder.path(), None).is_err();
    if is_recorded {
        check_journal_place(folder.path(), Some(&database))?;
    }
    if !file.exists() {
        bail!("the data folder {} has no journal", folder.path().display());
    }
    let unwritable = || format!("the data folder {} cannot be written", folder.path().display());
    if is_recorded && postgres::has_journal(url).await.map_err(|error| with_causes(&error))? {
        // It was interrupted at its end.
        return Ok(Moved { lists: Vec::new(), replaced: rename_replaced(&file).with_context(unwritable)? });
    }
    // Upgrades a journal of an older version, and folds the log of one that was not closed.
    let journal = SqliteJournal::open(folder.path()).await.map_err(|error| with_causes(&error))?;
    Journal::close(&journal).await;
    drop(journal);
    let copy = DatabaseCopy::of_file(&file, url, report).await.map_err(|error| with_causes(&error))?;
    // From here on the folder is served with the database only, and from the next step on the database is used.
    set_journal_place(folder.path(), &database)?;
    let lists = copy.complete().await.map_err(|error| with_causes(&error))?;
    Ok(Moved { lists, replaced: rename_replaced(&file).with_context(unwritable)? })
}

/// Moves the journal of a data folder from a database into the folder. The database keeps what it has, but no
/// server uses it any more. If this is interrupted, it can be called again.
///
/// # Errors
/// The folder is served or has a journal, the database has none or cannot be used, or the copy differs. The journal
/// stays in the database then.
pub async fn move_to_folder(url: &str, folder: &Path, report: Report<'_>) -> anyhow::Result<Moved> {
    let database = postgres::place(url)?;
    let folder = lock_existing(folder)?;
    check_journal_place(folder.path(), Some(&database))?;
    let file = folder.path().join(sqlite::FILE);
    if file.exists() {
        bail!("{} is there already: move it away", file.display());
    }
    let copying = with_suffix(&file, COPYING);
    let moved = move_to_file(url, (folder.path(), &copying), report).await;
    let lists = moved.map_err(|error| with_causes(&error))?;
    let unwritable = || format!("the data folder {} cannot be written", folder.path().display());
    if with_suffix(&copying, "-wal").exists() {
        bail!("{} could not be written completely", copying.display());
    }
    place(&copying, &file).with_context(unwritable)?;
    forget_journal_place(folder.path())?;
    Ok(Moved { lists, replaced: None })
}

/// Locks a data folder that exists.
fn lock_existing(folder: &Path) -> anyhow::Result<DataFolder> {
    if !folder.is_dir() {
        bail!("the data folder {} does not exist", folder.display());
    }
    lock_idle(folder)
}
