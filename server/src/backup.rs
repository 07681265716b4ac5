//! Copies of a data folder's journal: made while it is served, looked through, and put in its place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{
    data_folder::{DataFolder, FolderError, create_private, is_current},
    journal::sqlite::{self, Sound, SqliteJournal},
};

/// How many damages are named; more are counted.
const NAMED: usize = 5;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// The watchlists of the backup.
    pub sound: Vec<Sound>,
    /// Where the journal is that was there before.
    pub kept: Option<PathBuf>,
}

/// The journal of a data folder.
///
/// # Errors
/// There is none.
pub fn existing_journal(data_dir: &Path) -> anyhow::Result<PathBuf> {
    is_current(data_dir)?;
    let journal = data_dir.join(sqlite::FILE);
    if !journal.is_file() {
        bail!("there is no journal in the data folder {}; name another with --data-dir", data_dir.display());
    }
    Ok(journal)
}

/// Looks through a journal, which may be in use.
///
/// # Errors
/// What is damaged, in words, and what to do about it.
pub async fn check(file: &Path) -> anyhow::Result<Vec<Sound>> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => bail!("{} is a folder: name a file", file.display()),
        Ok(found) if found.len() == 0 => bail!("{} is empty: it is no journal of Afterglow", file.display()),
        Ok(_) => {}
        Err(_) => bail!("there is no file {}", file.display()),
    }
    let (sound, wrong) = sqlite::check(file).await.map_err(|error| in_words(&error))?;
    if wrong.is_empty() {
        return Ok(sound);
    }
    let more = wrong.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let named = wrong[..wrong.len().min(NAMED)].join("; ");
    bail!(
        "{} is damaged: {named}{more}. Sound watchlists: {}. Put a backup in its place with \
         `afterglow-server restore FILE`; the damaged one is kept",
        file.display(),
        sound.len()
    )
}

fn in_words(error: &crate::journal::JournalError) -> anyhow::Error {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    anyhow::anyhow!("{}", causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}")))
}

/// Writes a copy of a data folder's journal as it is now, and looks through it. Edits go on meanwhile.
///
/// # Errors
/// There is a file of that name, it cannot be written, or the journal is damaged.
pub async fn backup(data_dir: &Path, file: &Path) -> anyhow::Result<Vec<Sound>> {
    let journal = existing_journal(data_dir)?;
    if file.exists() {
        bail!("{} is there already: name another file", file.display());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("there is no folder {}: make it, or name another file", folder.display());
    }
    let half_written = beside(file, ".new");
    // What a backup that was broken off has left.
    remove(&half_written)?;
    let unwritable = || format!("{} cannot be written", file.display());
    let copied = async {
        create_private(&half_written).with_context(unwritable)?;
        sqlite::copy(&journal, &half_written)
            .await
            .map_err(|error| in_words(&error))
            .with_context(unwritable)?;
        // What is damaged in the copy is damaged in the journal.
        check(&half_written).await.with_context(|| format!("{} was not made", file.display()))
    };
    let copied = copied.await.and_then(|sound| {
        let placed = File::open(&half_written)
            .and_then(|copy| copy.sync_all())
            .and_then(|()| fs::rename(&half_written, file))
            .and_then(|()| sync_folder_of(file));
        placed.with_context(unwritable).map(|()| sound)
    });
    if copied.is_err() {
        // Half a backup is none. What cannot be removed is removed by the next one.
        drop(fs::remove_file(&half_written));
    }
    copied
}

/// Puts a backup in the place of a data folder's journal: a new history of every watchlist begins, and clients take
/// what it holds. The journal that was there is kept aside.
///
/// # Errors
/// The folder is served, the backup is damaged, or something cannot be written; then everything is as it was.
pub async fn restore(data_dir: &Path, file: &Path) -> anyhow::Result<Restored> {
    let sound = check(file).await?;
    let folder = DataFolder::take(data_dir).map_err(|error| match error {
        FolderError::Served { .. } => anyhow::anyhow!("{error}: stop it first"),
        error => error.into(),
    })?;
    let journal = folder.path().join(sqlite::FILE);
    if fs::canonicalize(&journal)
        .is_ok_and(|journal| fs::canonicalize(file).is_ok_and(|file| file == journal))
    {
        bail!("{} is the journal itself: name a backup", file.display());
    }
    let new = folder.path().join(sqlite::RESTORING);
    for leftover in ["", "-wal", "-shm"] {
        remove(&beside(&new, leftover))?;
    }
    let unwritable = || format!("the data folder {} cannot be written", data_dir.display());
    let copied = create_private(&new).and_then(|mut copy| io::copy(&mut File::open(file)?, &mut copy));
    copied.with_context(unwritable)?;
    let copy = SqliteJournal::open_file(new.clone()).await.map_err(|error| in_words(&error))?;
    copy.renew_epochs().await.map_err(|error| in_words(&error))?;
    crate::journal::Journal::close(&copy).await;
    if beside(&new, "-wal").exists() {
        bail!("{} could not be written whole; nothing was changed", new.display());
    }
    File::open(&new).and_then(|file| file.sync_all()).with_context(unwritable)?;
    let kept = set_aside(&journal).with_context(unwritable)?;
    fs::rename(&new, &journal).with_context(unwritable)?;
    sync_folder_of(&journal).with_context(unwritable)?;
    Ok(Restored { sound, kept })
}

/// Keeps a journal beside the one that is to come, with what was written ahead of it. The journal goes first: from then
/// on the folder is not served until the new one is in its place, and no log is ever beside a journal that it is not of.
fn set_aside(journal: &Path) -> io::Result<Option<PathBuf>> {
    let logs = ["-wal", "-shm"];
    let is_free = |aside: &PathBuf| !aside.exists() && logs.iter().all(|log| !beside(aside, log).exists());
    let aside = (1..).map(|number| beside(journal, &format!(".replaced-{number}"))).find(is_free);
    let aside = aside.expect("there are more numbers than files");
    let is_kept = move_if_there(journal, &aside)?;
    for log in logs {
        move_if_there(&beside(journal, log), &beside(&aside, log))?;
    }
    Ok(is_kept.then_some(aside))
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        renamed => renamed.map(|()| true),
    }
}

/// A file's name with something behind it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file that was renamed is there after a power cut, too.
#[cfg(unix)]
fn sync_folder_of(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder_of(_file: &Path) -> io::Result<()> {
    Ok(())
}
