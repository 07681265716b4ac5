//! The data folder: who serves it, and where that server is found.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const LOCK_FILE: &str = "serving.lock";
const ADDRESS_FILE: &str = "serving.json";
/// Says which version of the program's data a folder holds.
const VERSION_FILE: &str = "version";
/// What this program writes. A program that knows only what came before has to leave such a folder alone: it goes up with
/// every change of which that is true.
const VERSION: u32 = 1;

/// Where a data folder is served. The instance id tells whether the process at that port is still the one
/// that wrote this: ask `/healthz` before sending the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// Where.
    pub address: SocketAddr,
    /// Which run of which process.
    pub instance: Uuid,
}

/// Why a data folder cannot be served by this process.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made or written.
    #[error("the data folder {} cannot be written; choose another with --data-dir, or mend its permissions", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was written by a newer program.
    #[error(
        "the data folder {} was written by a newer Afterglow (version {version} of its form; this program knows {VERSION}): \
         use that one, or choose another folder with --data-dir. Nothing in it was touched",
        path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// What it says of itself.
        version: String,
    },
    /// It says nothing that is a version.
    #[error(
        "the file {VERSION_FILE} in {} says no version: is this a data folder of Afterglow? Nothing in it was touched",
        path.display()
    )]
    Strange {
        /// Which.
        path: PathBuf,
    },
    /// Another process serves it.
    #[error("the data folder {} is served by another process already", path.display())]
    Served {
        /// Which.
        path: PathBuf,
    },
}

/// Makes a folder that only this user can look into; one that is there already stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Looks at the version of a folder, and tells whether it is this program's own; nothing is touched. Of one that is not
/// there, or says nothing because a machine died while it was written, it is none.
///
/// # Errors
/// [`FolderError::Newer`], [`FolderError::Strange`], and [`FolderError::Unwritable`] where it cannot be read.
pub fn is_current(path: &Path) -> Result<bool, FolderError> {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound};
    let strange = || FolderError::Strange { path: path.to_owned() };
    let mut said = String::new();
    let read = match File::open(path.join(VERSION_FILE)) {
        Ok(file) => file.take(64).read_to_string(&mut said).map(drop),
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => {}
        // Nothing is there, or nothing can be: whoever makes the folder finds out.
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {}
        Err(error) if matches!(error.kind(), InvalidData | IsADirectory) => return Err(strange()),
        Err(source) => return Err(FolderError::Unwritable { path: path.to_owned(), source }),
    }
    let said = said.trim();
    match said.parse::<u64>() {
        Ok(version) if version > u64::from(VERSION) => {
            Err(FolderError::Newer { path: path.to_owned(), version: said.to_owned() })
        }
        Ok(version) => Ok(version == u64::from(VERSION)),
        Err(_) if said.is_empty() => Ok(false),
        Err(_) => Err(strange()),
    }
}

/// Makes a data folder, or takes one that is there as it is; it is this version's from then on.
///
/// # Errors
/// As [`is_current`], before anything in it is touched, and [`FolderError::Unwritable`].
pub fn enter(path: &Path) -> Result<(), FolderError> {
    let unwritable = |source| FolderError::Unwritable { path: path.to_owned(), source };
    if is_current(path)? {
        return Ok(());
    }
    let file = path.join(VERSION_FILE);
    make_private(path).map_err(unwritable)?;
    // Two that come at once write the same.
    let new = path.join(format!("{VERSION_FILE}.{}", std::process::id()));
    let written = File::create(&new).and_then(|mut new| {
        writeln!(new, "{VERSION}")?;
        new.sync_all()
    });
    written.and_then(|()| fs::rename(new, file)).map_err(unwritable)
}

/// Makes an empty file that only this user can read.
///
/// # Errors
/// There is one already, or it cannot be made.
pub fn create_private(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// A data folder that this process serves, as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes the folder, making it where it is not there.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let unwritable = |source| FolderError::Unwritable { path: path.to_owned(), source };
        enter(path)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Served { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        // The address of the process before is of no use to anyone any longer.
        match fs::remove_file(path.join(ADDRESS_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(error)),
            _ => Ok(Self { path: path.to_owned(), _lock: lock }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes where this process serves, whole.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn announce(&self, serving: &Serving) -> io::Result<()> {
        let half_written = self.path.join("serving.json.new");
        let mut file = File::create(&half_written)?;
        file.write_all(&serde_json::to_vec(serving).expect("an address is plain data"))?;
        file.sync_all()?;
        fs::rename(half_written, self.path.join(ADDRESS_FILE))
    }

    /// Where the folder is served, where anybody has written it.
    pub fn find(path: &Path) -> Option<Serving> {
        serde_json::from_slice(&fs::read(path.join(ADDRESS_FILE)).ok()?).ok()
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // While the lock is still held nobody else has written here. What cannot be removed is removed by the next.
        drop(fs::remove_file(self.path.join(ADDRESS_FILE)));
    }
}

#[cfg(test)]
mod tests {
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
            ("soon".to_owned(), "says no version"),
            ("-1".to_owned(), "says no version"),
            ("\0".repeat(100_000), "says no version"),
        ] {
            fs::write(&file, &text).unwrap();
            let said = DataFolder::take(folder.path()).unwrap_err().to_string();
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
            drop(DataFolder::take(&path).unwrap());
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
