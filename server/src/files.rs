//! Files that hold a secret or have to survive a crash: readable by this user only, and written atomically.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tracing::warn;

/// Name of the token's file in a data folder. It exists next to every journal that was ever served.
pub const TOKEN_FILE: &str = "local.token";

/// Creates a folder that only this user can read, with its parents. A folder that exists stays as it is.
///
/// # Errors
/// The folder cannot be created.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Creates an empty file that only this user can read.
///
/// # Errors
/// The file exists or cannot be created.
pub fn create_private(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Replaces a file by one with these bytes that only this user can read. After a crash the file has either
/// the old bytes or the new ones. No two processes may write the same file at once: the caller has the
/// folder's lock.
///
/// # Errors
/// The file cannot be written. The old one is unchanged then.
pub fn write_atomically(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let half_written = with_suffix(file, ".new");
    // A process that was killed may have left one.
    remove_if_exists(&half_written)?;
    let written = create_private(&half_written).and_then(|mut new| {
        new.write_all(bytes)?;
        new.sync_all()
    });
    let placed = written.and_then(|()| rename_durably(&half_written, file));
    if placed.is_err() {
        // The caller reports the error. The next write removes the file if it cannot be removed now.
        drop(fs::remove_file(&half_written));
    }
    placed
}

/// Renames a file that was written, so that a power failure leaves either the old file of that name or the
/// whole new one.
///
/// # Errors
/// The file cannot be synced or renamed.
pub fn place(written: &Path, file: &Path) -> io::Result<()> {
    File::open(written)?.sync_all()?;
    rename_durably(written, file)
}

fn rename_durably(synced: &Path, file: &Path) -> io::Result<()> {
    fs::rename(synced, file)?;
    if let Err(error) = sync_parent(file) {
        // The file is in place. Some network file systems cannot sync a folder.
        warn!(file = %file.display(), %error, "failed to sync the folder of a file");
    }
    Ok(())
}

/// Appends a suffix to a file's name.
pub fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes a file unless it does not exist.
///
/// # Errors
/// The file exists and cannot be removed.
pub fn remove_if_exists(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs the folder of a file, so that a rename survives a power failure.
#[cfg(unix)]
fn sync_parent(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Syncs the folder of a file where the system supports it; here it does not.
#[cfg(not(unix))]
fn sync_parent(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(folder.path().join("token.new"), "left by a process that was killed").unwrap();
        for text in ["first", "second, longer"] {
            write_atomically(&file, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("folder");
        fs::create_dir_all(file.join("inside")).unwrap();
        assert!(write_atomically(&file, b"text").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no half-written file is left");
    }
}
