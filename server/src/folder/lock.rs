//! The lock on a data folder, and the address at which its owner serves it.

use std::{
    fs::{self, File, TryLockError},
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::version::{FolderError, enter};
use crate::files::{remove_if_exists, write_atomically};

const LOCK_FILE: &str = "serving.lock";
const ADDRESS_FILE: &str = "serving.json";

/// The process that serves a data folder. Its instance id shows whether the process at the port is still the
/// one that wrote the address: ask `/healthz` before sending the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The address that the process listens on.
    pub address: SocketAddr,
    /// Id of this run of the process.
    pub instance: Uuid,
}

/// The lock on a data folder: this process serves the folder until the value is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Locks the folder, and creates it if it does not exist.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn lock(path: &Path) -> Result<Self, FolderError> {
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
        // The address of the previous process is stale.
        remove_if_exists(&path.join(ADDRESS_FILE)).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Returns the folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the address at which this process serves the folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn announce(&self, serving: &Serving) -> io::Result<()> {
        let bytes = serde_json::to_vec(serving).expect("an address is plain data");
        write_atomically(&self.path.join(ADDRESS_FILE), &bytes)
    }

    /// Reads the address at which a folder is served, if a process has written one.
    pub fn find_serving(path: &Path) -> Option<Serving> {
        serde_json::from_slice(&fs::read(path.join(ADDRESS_FILE)).ok()?).ok()
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // The lock is still held, so the file is this process's own. The next process removes what is left.
        drop(fs::remove_file(self.path.join(ADDRESS_FILE)));
    }
}
