//! Imports of CSV files, which are read on their own threads, because they may be large or on a slow disk.

use std::{io::ErrorKind, path::PathBuf, sync::mpsc, thread};

use shared::{
    ids::WindowId,
    limits::Limits,
    sheet::{Table, csv},
};

use crate::wake::Wake;

/// The imports under way and their results.
pub(super) struct Imports {
    sender: mpsc::SyncSender<Import>,
    receiver: mpsc::Receiver<Import>,
    /// Results that their windows have not taken yet: `None` on success, or the error.
    results: Vec<(WindowId, Option<String>)>,
}

/// A file that was read.
pub(super) struct Import {
    /// The window that imports it.
    pub(super) window: WindowId,
    /// Name of the watchlist.
    pub(super) name: String,
    /// Its contents, or the error.
    pub(super) table: Result<Table, String>,
}

impl Default for Imports {
    fn default() -> Self {
        let (sender, receiver) = mpsc::sync_channel(4);
        Self { sender, receiver, results: Vec::new() }
    }
}

impl Imports {
    /// Starts to read a file.
    pub(super) fn start(&mut self, window: WindowId, path: PathBuf, wake: Wake) {
        let done = self.sender.clone();
        let read = move || {
            let name = path
                .file_stem()
                .map_or_else(|| "Import".to_owned(), |stem| stem.to_string_lossy().into_owned());
            let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => format!("{} does not exist.", path.display()),
                ErrorKind::PermissionDenied => {
                    format!("You do not have permission to read {}.", path.display())
                }
                ErrorKind::IsADirectory => format!("{} is a folder.", path.display()),
                _ => format!("Cannot read {}: {error}.", path.display()),
            });
            let table = bytes.and_then(|bytes| {
                csv::read(&bytes, &Limits::default())
                    .map_err(|error| format!("Cannot import {}: {error}.", path.display()))
            });
            // Fails if the program is ending.
            drop(done.send(Import { window, name, table }));
            wake();
        };
        if let Err(error) = thread::Builder::new().name("afterglow-import".to_owned()).spawn(read) {
            self.finish(window, Some(format!("Cannot start the import: {error}.")));
        }
    }

    /// Takes a file that was read.
    pub(super) fn poll(&self) -> Option<Import> {
        self.receiver.try_recv().ok()
    }

    /// Records the result for its window.
    pub(super) fn finish(&mut self, window: WindowId, error: Option<String>) {
        self.results.push((window, error));
    }

    /// Takes the result of an import of a window: `Some(None)` on success, `Some(Some(error))` on failure.
    pub(super) fn take_result(&mut self, window: WindowId) -> Option<Option<String>> {
        let index = self.results.iter().position(|(of, _)| *of == window)?;
        Some(self.results.remove(index).1)
    }
}
