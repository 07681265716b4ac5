//! Backups of a data folder's journal: written while it is served, checked, and restored.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::task::spawn_blocking;

use super::{
    journal_place::database_of,
    lock::DataFolder,
    version::{FolderError, is_current},
};
use crate::{
    accounts::store,
    files::{create_private, place, remove_if_exists, with_suffix},
    journal::{
        Journal, JournalError,
        sqlite::{self, CheckedList, SqliteJournal},
    },
};

/// Number of damaged records that an error names. Further ones are counted.
const MAX_NAMED: usize = 5;

/// Time between two syncs of a backup that is being written.
const FLUSH_INTERVAL: Duration = Duration::from_millis(25);

/// Ending of the file with the accounts beside a backup.
const ACCOUNTS: &str = ".accounts";
/// Endings of the files of SQLite's write-ahead log.
const LOGS: [&str; 2] = ["-wal", "-shm"];

/// A written backup.
#[derive(Debug)]
pub struct Written {
    /// The watchlists of the backup.
    pub lists: Vec<CheckedList>,
    /// The file with the accounts, if the data folder has any.
    pub accounts: Option<PathBuf>,
    /// The database that has the journal, which is not copied, if one has.
    pub database: Option<String>,
}

/// A restored backup.
#[derive(Debug)]
pub struct Restored {
    /// The watchlists of the backup.
    pub lists: Vec<CheckedList>,
    /// Whether the accounts were restored.
    pub has_accounts: bool,
    /// Path of the journal that the backup replaced, if there was one.
    pub replaced: Option<PathBuf>,
}

/// Returns the path of a data folder's journal.
///
/// # Errors
/// The folder has no journal.
pub fn existing_journal(data_dir: &Path) -> anyhow::Result<PathBuf> {
    is_current(data_dir)?;
    check_is_here(data_dir)?;
    let journal = data_dir.join(sqlite::FILE);
    if !journal.is_file() {
        bail!("the data folder {} has no journal; name another with --data-dir", data_dir.display());
    }
    Ok(journal)
}

fn check_is_here(data_dir: &Path) -> anyhow::Result<()> {
    let Some(database) = database_of(data_dir)? else { return Ok(()) };
    bail!(
        "the journal of the data folder {} is the database {database}: use pg_dump and pg_restore for it",
        data_dir.display()
    )
}

/// Checks every record of a journal, which may be in use.
///
/// # Errors
/// A sentence that names what is damaged and what to do.
pub async fn check(file: &Path) -> anyhow::Result<Vec<CheckedList>> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => bail!("{} is a folder: name a file", file.display()),
        Ok(found) if found.len() == 0 => bail!("{} is empty and not a journal of Afterglow", file.display()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("the file {} does not exist", file.display())
        }
        Err(error) => bail!("the file {} cannot be read: {error}", file.display()),
    }
    let (sound, wrong) = sqlite::check(file).await.map_err(|error| with_causes(&error))?;
    if wrong.is_empty() {
        let is_of_folder = file.file_name().is_some_and(|name| name == sqlite::FILE);
        let accounts =
            if is_of_folder { file.with_file_name(store::FILE) } else { with_suffix(file, ACCOUNTS) };
        if accounts.exists() {
            store::check(&accounts).with_context(|| format!("{} is damaged", accounts.display()))?;
        }
        return Ok(sound);
    }
    let more = wrong.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let named = wrong[..wrong.len().min(MAX_NAMED)].join("; ");
    bail!(
        "{} is damaged: {named}{more}. Undamaged watchlists: {}. Restore a backup with \
         `afterglow-server restore FILE`; the damaged journal is kept",
        file.display(),
        sound.len()
    )
}

pub(super) fn with_causes(error: &JournalError) -> anyhow::Error {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    anyhow::anyhow!("{}", causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}")))
}

/// Writes a checked copy of a data folder's journal, and beside it one of the accounts. If the journal is in a
/// database, only the accounts are copied. A server may use the folder at the same time.
///
/// # Errors
/// A file exists or cannot be written, or the journal or the accounts are damaged.
pub async fn backup(data_dir: &Path, file: &Path) -> anyhow::Result<Written> {
    let accounts = with_suffix(file, ACCOUNTS);
    if let Some(existing) = [file, &accounts].into_iter().find(|file| file.exists()) {
        bail!("{} already exists: name another file", existing.display());
    }
    let database = database_of(data_dir)?;
    let lists = match database {
        None => backup_journal(data_dir, file).await?,
        Some(_) => Vec::new(),
    };
    // After the journal: a role on a watchlist that the journal does not have yet is harmless.
    let copied = copy_accounts(data_dir, &accounts);
    if copied.is_err() && database.is_none() {
        drop(fs::remove_file(file));
    }
    Ok(Written { lists, accounts: copied?.then_some(accounts), database })
}

fn copy_accounts(data_dir: &Path, file: &Path) -> anyhow::Result<bool> {
    let half_written = with_suffix(file, ".new");
    remove_if_exists(&half_written)?;
    let copied = store::copy(data_dir, &half_written).context("the accounts cannot be copied");
    match copied {
        Ok(true) => place(&half_written, file).map(|()| true).map_err(Into::into),
        Ok(false) => Ok(false),
        Err(error) => {
            drop(fs::remove_file(&half_written));
            Err(error)
        }
    }
}

async fn backup_journal(data_dir: &Path, file: &Path) -> anyhow::Result<Vec<CheckedList>> {
    let journal = existing_journal(data_dir)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("the folder {} does not exist: create it, or name another file", folder.display());
    }
    let half_written = with_suffix(file, ".new");
    // A backup that was interrupted may have left one.
    remove_if_exists(&half_written)?;
    let unwritable = || format!("{} cannot be written", file.display());
    let copied = async {
        create_private(&half_written).with_context(unwritable)?;
        flushed(&half_written, sqlite::copy(&journal, &half_written))
            .await
            .map_err(|error| with_causes(&error))
            .with_context(unwritable)?;
        // Damage in the copy is damage in the journal.
        check(&half_written).await.with_context(|| format!("{} was not written", file.display()))
    };
    let copied =
        copied.await.and_then(|sound| place(&half_written, file).with_context(unwritable).map(|()| sound));
    if copied.is_err() {
        // The error is reported already. A leftover is removed by the next backup.
        drop(fs::remove_file(&half_written));
    }
    copied
}

/// Syncs a file again and again while it is being written. Otherwise one sync at the end would occupy the
/// disk for long, and with it the edits of a server.
async fn flushed<T>(file: &Path, writing: impl Future<Output = T>) -> T {
    let mut writing = pin!(writing);
    loop {
        tokio::select! {
            done = &mut writing => return done,
            () = tokio::time::sleep(FLUSH_INTERVAL) => {
                let file = file.to_owned();
                // The last sync reports errors.
                drop(spawn_blocking(move || File::open(file).and_then(|file| file.sync_data())).await);
            }
        }
    }
}

/// Replaces a data folder's journal, and its accounts, by a backup. Every watchlist starts a new epoch, so
/// that clients load what the backup holds. The replaced files are kept.
///
/// # Errors
/// The folder is served, the backup is damaged, or a file cannot be written. Nothing is changed then.
pub async fn restore(data_dir: &Path, file: &Path) -> anyhow::Result<Restored> {
    let sound = check(file).await?;
    let folder = lock_idle(data_dir)?;
    check_is_here(folder.path())?;
    let journal = folder.path().join(sqlite::FILE);
    if fs::canonicalize(&journal)
        .is_ok_and(|journal| fs::canonicalize(file).is_ok_and(|file| file == journal))
    {
        bail!("{} is the journal itself: name a backup", file.display());
    }
    let new = folder.path().join(sqlite::RESTORING);
    for leftover in ["", "-wal", "-shm"] {
        remove_if_exists(&with_suffix(&new, leftover))?;
    }
    let unwritable = || format!("the data folder {} cannot be written", data_dir.display());
    create_private(&new).with_context(unwritable)?;
    // With what is only in its write-ahead log.
    sqlite::copy(file, &new).await.map_err(|error| with_causes(&error))?;
    let copy = SqliteJournal::open_file(new.clone()).await.map_err(|error| with_causes(&error))?;
    copy.renew_epochs().await.map_err(|error| with_causes(&error))?;
    Journal::close(&copy).await;
    if with_suffix(&new, "-wal").exists() {
        bail!("{} could not be written completely; nothing was changed", new.display());
    }
    let accounts =
        new_accounts(folder.path(), file).context("the accounts of the backup cannot be restored")?;
    let replaced = rename_replaced(&journal).with_context(unwritable)?;
    // While the journal is missing, so that the folder is never served with the one of the backup and the
    // accounts of before.
    if let Some(accounts) = &accounts {
        let current = folder.path().join(store::FILE);
        // Beside the journal that they belong to, so that restoring it restores them.
        let aside = replaced.as_deref().map(|journal| with_suffix(journal, ACCOUNTS));
        match aside.filter(|aside| !aside.exists()) {
            Some(aside) => rename_with_logs(&current, &aside).map(drop),
            None => rename_replaced(&current).map(drop),
        }
        .with_context(unwritable)?;
        place(accounts, &current).with_context(unwritable)?;
    }
    place(&new, &journal).with_context(unwritable)?;
    Ok(Restored { lists: sound, has_accounts: accounts.is_some(), replaced })
}

/// Copies the accounts beside a backup into a data folder, as a file that can take the place of its accounts.
fn new_accounts(folder: &Path, file: &Path) -> anyhow::Result<Option<PathBuf>> {
    let backup = with_suffix(file, ACCOUNTS);
    if !backup.exists() {
        return Ok(None);
    }
    let new = with_suffix(&folder.join(store::FILE), ".restoring");
    for leftover in ["", "-wal", "-shm", "-journal"] {
        remove_if_exists(&with_suffix(&new, leftover))?;
    }
    create_private(&new)?;
    store::copy_file(&backup, &new)?;
    store::prepare_copy(&new)?;
    File::open(&new)?.sync_all()?;
    Ok(Some(new))
}

/// Locks a data folder that has to be idle.
pub(super) fn lock_idle(data_dir: &Path) -> anyhow::Result<DataFolder> {
    DataFolder::lock(data_dir).map_err(|error| match error {
        FolderError::Served { .. } => anyhow::anyhow!("{error}: stop it first"),
        error => error.into(),
    })
}

/// Renames a file, such as the journal, and its write-ahead log. The journal goes first: from then on the
/// folder cannot be served until the new journal is in place, and a write-ahead log is never next to another
/// journal than its own.
pub(super) fn rename_replaced(journal: &Path) -> io::Result<Option<PathBuf>> {
    let others = [LOGS[0], LOGS[1], ACCOUNTS];
    let is_free =
        |aside: &PathBuf| !aside.exists() && others.iter().all(|other| !with_suffix(aside, other).exists());
    let aside =
        (1..).map(|number| with_suffix(journal, &format!("{}{number}", sqlite::REPLACED))).find(is_free);
    let aside = aside.expect("there are more numbers than files");
    Ok(rename_with_logs(journal, &aside)?.then_some(aside))
}

/// Renames a file of SQLite, and its write-ahead log after it. Returns whether the file existed.
fn rename_with_logs(from: &Path, to: &Path) -> io::Result<bool> {
    let is_kept = rename_if_exists(from, to)?;
    for log in LOGS {
        rename_if_exists(&with_suffix(from, log), &with_suffix(to, log))?;
    }
    Ok(is_kept)
}

fn rename_if_exists(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true),
    }
}
