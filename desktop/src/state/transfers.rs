//! Files that are imported and exported, on threads of their own, because they may be large or on a slow
//! disk.

use std::{
    fs,
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use shared::{
    ids::WindowId,
    limits::Limits,
    sheet::{
        Table,
        csv::{self, Extent},
    },
    watchlist::Frozen,
};
use uuid::Uuid;

use crate::wake::Wake;

/// The files that are read and written, and their results.
pub(super) struct Transfers {
    sender: mpsc::SyncSender<Finished>,
    receiver: mpsc::Receiver<Finished>,
    /// Results that their windows have not taken yet: `None` on success, or the error.
    results: Vec<(WindowId, Option<String>)>,
}

/// A file that was read or written.
pub(super) enum Finished {
    Import(Import),
    /// The window that exports, and the text to show once the file is written, or the error.
    Export(WindowId, Result<String, String>),
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

impl Default for Transfers {
    fn default() -> Self {
        let (sender, receiver) = mpsc::sync_channel(4);
        Self { sender, receiver, results: Vec::new() }
    }
}

impl Transfers {
    /// Starts to read a file.
    pub(super) fn import(&mut self, window: WindowId, path: PathBuf, wake: Wake) {
        let read = move || {
            let name = path
                .file_stem()
                .map_or_else(|| "Import".to_owned(), |stem| stem.to_string_lossy().into_owned());
            let bytes = fs::read(&path).map_err(|error| match error.kind() {
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
            Finished::Import(Import { window, name, table })
        };
        if let Err(error) = self.start("afterglow-import", read, wake) {
            self.finish(window, Some(format!("Cannot start the import: {error}.")));
        }
    }

    /// Starts to write a file. `done` is the text to show once it is written.
    pub(super) fn export(
        &mut self,
        window: WindowId,
        path: PathBuf,
        (watchlist, extent): (Frozen, Extent),
        done: String,
        wake: Wake,
    ) {
        let write = move || {
            let result = match write_file(&path, watchlist, extent) {
                Ok(()) => Ok(done),
                Err(error) => Err(match error.kind() {
                    ErrorKind::NotFound => {
                        format!("Cannot write {}: the folder does not exist.", path.display())
                    }
                    ErrorKind::PermissionDenied => {
                        format!("You do not have permission to write {}.", path.display())
                    }
                    ErrorKind::IsADirectory => format!("{} is a folder.", path.display()),
                    _ => format!("Cannot write {}: {error}.", path.display()),
                }),
            };
            Finished::Export(window, result)
        };
        if let Err(error) = self.start("afterglow-export", write, wake) {
            self.finish(window, Some(format!("Cannot start the export: {error}.")));
        }
    }

    fn start(
        &self,
        name: &str,
        work: impl FnOnce() -> Finished + Send + 'static,
        wake: Wake,
    ) -> io::Result<()> {
        let done = self.sender.clone();
        let run = move || {
            // Fails if the program is ending.
            drop(done.send(work()));
            wake();
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    /// Takes a file that was read or written.
    pub(super) fn poll(&self) -> Option<Finished> {
        self.receiver.try_recv().ok()
    }

    /// Records the result for its window.
    pub(super) fn finish(&mut self, window: WindowId, error: Option<String>) {
        self.results.push((window, error));
    }

    /// Takes the result of a window: `Some(None)` on success, `Some(Some(error))` on failure.
    pub(super) fn take_result(&mut self, window: WindowId) -> Option<Option<String>> {
        let index = self.results.iter().position(|(of, _)| *of == window)?;
        Some(self.results.remove(index).1)
    }
}

/// Writes a file beside the one that it replaces, so that an error leaves that as it was. A link to a file
/// stays a link.
fn write_file(path: &Path, watchlist: Frozen, extent: Extent) -> io::Result<()> {
    if path.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_missing| path.to_owned());
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", Uuid::new_v4()));
    let part = PathBuf::from(part);
    let written = fs::File::create_new(&part).and_then(|file| {
        if let Ok(replaced) = fs::metadata(path) {
            file.set_permissions(replaced.permissions())?;
        }
        let mut file = BufWriter::new(file);
        csv::write_extent(watchlist, extent).try_for_each(|piece| file.write_all(&piece))?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&part, path));
    if placed.is_err() {
        // The caller reports the error.
        drop(fs::remove_file(&part));
    }
    placed
}
