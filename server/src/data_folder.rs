//! The data folder: who serves it, and where that server is found.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const LOCK_FILE: &str = "serving.lock";
const ADDRESS_FILE: &str = "serving.json";

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
        make_private(path).map_err(unwritable)?;
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
