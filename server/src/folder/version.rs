//! The version of a data folder's format, so that an older program leaves a newer folder alone.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::files::create_private_dir;

/// Name of the file that holds the version.
const VERSION_FILE: &str = "version";
/// Version of the format that this program writes. It grows with every change that older programs cannot
/// handle.
const VERSION: u32 = 1;

/// Why this process cannot serve a data folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be created or written.
    #[error("the data folder {} cannot be written; choose another with --data-dir, or fix its permissions", path.display())]
    Unwritable {
        /// The data folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A newer program has written the folder.
    #[error(
        "the data folder {} was written by a newer Afterglow (version {version} of the format; this program supports {VERSION}): \
         use the newer program, or choose another folder with --data-dir. Nothing in the folder was changed",
        path.display()
    )]
    Newer {
        /// The data folder.
        path: PathBuf,
        /// The version that the folder names.
        version: String,
    },
    /// The version file holds no version.
    #[error(
        "the file {VERSION_FILE} in {} does not hold a version: is this a data folder of Afterglow? Nothing in it was changed",
        path.display()
    )]
    Strange {
        /// The data folder.
        path: PathBuf,
    },
    /// Another process serves the folder.
    #[error("the data folder {} is already served by another process", path.display())]
    Served {
        /// The data folder.
        path: PathBuf,
    },
}

/// Returns whether a data folder has this program's version. A folder that does not exist, or whose version
/// was lost in a crash, has not. Nothing is changed.
///
/// # Errors
/// [`FolderError::Newer`], [`FolderError::Strange`], and [`FolderError::Unwritable`] if it cannot be read.
pub fn is_current(path: &Path) -> Result<bool, FolderError> {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound};
    let strange = || FolderError::Strange { path: path.to_owned() };
    let mut text = String::new();
    let read = match File::open(path.join(VERSION_FILE)) {
        Ok(file) => file.take(64).read_to_string(&mut text).map(drop),
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => {}
        // The folder does not exist or cannot: creating it reports the reason.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
        Err(error) if matches!(error.kind(), InvalidData | IsADirectory) => return Err(strange()),
        Err(source) => return Err(FolderError::Unwritable { path: path.to_owned(), source }),
    }
    let text = text.trim();
    match text.parse::<u64>() {
        Ok(version) if version > u64::from(VERSION) => {
            Err(FolderError::Newer { path: path.to_owned(), version: text.to_owned() })
        }
        Ok(version) => Ok(version == u64::from(VERSION)),
        Err(_) if text.is_empty() => Ok(false),
        Err(_) => Err(strange()),
    }
}

/// Creates a data folder, or marks an existing one with this program's version. Several processes may do this
/// at once.
///
/// # Errors
/// As [`is_current`], before anything is changed, and [`FolderError::Unwritable`].
pub fn enter(path: &Path) -> Result<(), FolderError> {
    if is_current(path)? {
        return Ok(());
    }
    let unwritable = |source| FolderError::Unwritable { path: path.to_owned(), source };
    create_private_dir(path).map_err(unwritable)?;
    // An empty or missing file, as after a crash in the middle of this, is written again by the next process.
    fs::write(path.join(VERSION_FILE), format!("{VERSION}\n")).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_of_a_newer_program_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(VERSION_FILE);
        for (text, why) in [
            (format!("{}\n", VERSION + 1), "a newer Afterglow (version 2 "),
            ("99999999999".to_owned(), "a newer Afterglow (version 99999999999 "),
            ("soon".to_owned(), "does not hold a version"),
            ("-1".to_owned(), "does not hold a version"),
            ("\0".repeat(100_000), "does not hold a version"),
        ] {
            fs::write(&file, &text).unwrap();
            let said = enter(folder.path()).unwrap_err().to_string();
            assert!(said.contains(why) && said.len() < 400, "{said}");
            assert_eq!(
                (names(folder.path()), fs::read_to_string(&file).unwrap()),
                (vec!["version".into()], text)
            );
        }
    }

    #[test]
    fn a_new_folder_and_an_older_one_become_this_versions() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("new"), folder.path().to_owned()] {
            enter(&path).unwrap();
            assert_eq!(fs::read_to_string(path.join(VERSION_FILE)).unwrap(), format!("{VERSION}\n"));
            assert!(names(&path).iter().all(|name| !name.starts_with("version.")), "{:?}", names(&path));
            for older in ["0\n", ""] {
                fs::write(path.join(VERSION_FILE), older).unwrap();
                enter(&path).unwrap();
                assert_eq!(fs::read_to_string(path.join(VERSION_FILE)).unwrap(), format!("{VERSION}\n"));
            }
        }
    }
}
