//! A data folder has one server: a process locks the folder and serves it, or joins the server that does.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{lock::DataFolder, version::FolderError};
use crate::{
    accounts::{TOKEN_FILE, read_token},
    client::{Client, verify},
};

/// How long a process that has locked a folder may take to announce its address.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether this process serves a data folder or joins its server.
pub enum ServeOrJoin {
    /// The folder is locked: this process serves it.
    Serve(DataFolder),
    /// Another process serves the folder.
    Join(Client),
}

/// Returns a client of the process that serves a data folder, if one does. That process has proved that it
/// knows the token, and is the one that wrote its address into the folder.
pub fn find_server(data_dir: &Path) -> Option<Client> {
    let serving = DataFolder::find_serving(data_dir)?;
    let token = read_token(&data_dir.join(TOKEN_FILE)).ok()?;
    let base = format!("http://{}", serving.address);
    let instance = verify(&base, &token).ok()?;
    (instance == serving.instance).then(|| Client::new(&base, &token))
}

/// Locks a data folder for a server. A command that uses the folder is done a moment later, so this waits for
/// it up to five seconds.
///
/// # Errors
/// See [`FolderError`].
pub fn lock_or_wait(data_dir: &Path) -> Result<DataFolder, FolderError> {
    let started = Instant::now();
    loop {
        match DataFolder::lock(data_dir) {
            Err(FolderError::Served { .. }) if started.elapsed() < START_TIMEOUT => {
                thread::sleep(START_TIMEOUT / 50);
            }
            locked => return locked,
        }
    }
}

/// Locks a data folder, or joins the process that serves it. A process that has just locked the folder
/// announces its address a moment later, so this waits up to five seconds for it.
///
/// # Errors
/// See [`FolderError`].
pub fn serve_or_join(data_dir: &Path) -> Result<ServeOrJoin, FolderError> {
    let started = Instant::now();
    loop {
        if let Some(client) = find_server(data_dir) {
            return Ok(ServeOrJoin::Join(client));
        }
        match DataFolder::lock(data_dir) {
            Ok(folder) => return Ok(ServeOrJoin::Serve(folder)),
            Err(FolderError::Served { .. }) if started.elapsed() < START_TIMEOUT => {
                thread::sleep(START_TIMEOUT / 50);
            }
            Err(error) => return Err(error),
        }
    }
}
