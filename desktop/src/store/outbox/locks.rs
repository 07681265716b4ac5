//! The outboxes of a folder: which files belong to a client id, and which process uses them.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use shared::ids::ClientId;

use super::log::{LogContents, read_log};

/// Locks and returns the outboxes that no process uses, those with unanswered edits first, and then those
/// with notices.
pub(super) fn lock_unused(folder: &Path) -> io::Result<Vec<(ClientId, File, LogContents)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_data = path.extension().is_some_and(|extension| extension == "jsonl");
        if let (Some(client), true) = (stem.and_then(|stem| stem.parse().ok()).map(ClientId), is_data) {
            // An outbox in use is read, too, because it may name one that it has replaced but not yet
            // deleted.
            found.push((client, try_lock(&lock_path(folder, client))?));
        }
    }
    let (mut free, mut replaced) = (Vec::new(), BTreeSet::new());
    for (client, lock) in found {
        let Some(contents) = read_log(&data_path(folder, client))? else { continue };
        replaced.extend(contents.replaces);
        free.extend(lock.map(|lock| (client, lock, contents)));
    }
    for (client, ..) in free.extract_if(.., |(client, ..)| replaced.contains(client)) {
        delete_files(folder, client)?;
    }
    free.sort_by_key(|(client, _, contents)| {
        (contents.kept.is_empty(), contents.notices.is_empty(), *client)
    });
    Ok(free)
}

/// Deletes an outbox that another one replaces.
pub(super) fn delete_files(folder: &Path, client: ClientId) -> io::Result<()> {
    for path in [data_path(folder, client), lock_path(folder, client)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn lock_path(folder: &Path, client: ClientId) -> PathBuf {
    folder.join(format!("{client}.lock"))
}

/// Locks an outbox that is to be created.
pub(super) fn new_lock(folder: &Path, client: ClientId) -> io::Result<File> {
    try_lock(&lock_path(folder, client))?.ok_or_else(|| io::Error::other("a new outbox is in use already"))
}

/// Returns the path of an outbox's log.
pub(super) fn data_path(folder: &Path, client: ClientId) -> PathBuf {
    folder.join(format!("{client}.jsonl"))
}

/// Locks a file; returns `None` if another process has locked it.
fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
