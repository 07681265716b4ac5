//! The system's dialog that chooses a file. It runs on a thread, because it blocks until a file is chosen.

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use egui::Ui;

/// A dialog that ends within this time was not shown: the system has none.
const UNSEEN: Duration = Duration::from_millis(250);

/// What a file is chosen for.
pub(super) enum Purpose {
    Read,
    /// To be written, at first to this path.
    Write(PathBuf),
}

/// The open dialog, if there is one.
#[derive(Default)]
pub(super) struct Browse(Option<Receiver<Chosen>>);

/// What became of a dialog.
enum Chosen {
    /// The chosen file; `None` if the dialog was cancelled.
    File(Option<PathBuf>),
    /// The system has no dialog.
    NoDialog,
}

impl Browse {
    /// Opens the dialog.
    pub(super) fn start(&mut self, ui: &Ui, purpose: Purpose) {
        let (sender, receiver) = sync_channel(1);
        let ctx = ui.ctx().clone();
        let viewport = ctx.viewport_id();
        let ask = move || {
            let started = Instant::now();
            let chosen = choose(purpose);
            let was_seen = chosen.is_some() || started.elapsed() > UNSEEN;
            // Fails if the dialog was closed in the meantime.
            drop(sender.send(if was_seen { Chosen::File(chosen) } else { Chosen::NoDialog }));
            ctx.request_repaint_of(viewport);
        };
        let started = thread::Builder::new().name("afterglow-browse".to_owned()).spawn(ask);
        self.0 = started.is_ok().then_some(receiver);
    }

    /// Takes the chosen file, or why none can be chosen.
    pub(super) fn take(&mut self) -> Option<Result<PathBuf, String>> {
        match self.0.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Ok(Chosen::File(file)) => {
                self.0 = None;
                return file.map(Ok);
            }
            Ok(Chosen::NoDialog) | Err(TryRecvError::Disconnected) => self.0 = None,
        }
        Some(Err("This system has no dialog for files. Type the path instead.".to_owned()))
    }
}

fn choose(purpose: Purpose) -> Option<PathBuf> {
    let dialog = rfd::FileDialog::new();
    match purpose {
        Purpose::Read => dialog.add_filter("CSV", &["csv", "CSV", "tsv", "txt"]).pick_file(),
        Purpose::Write(path) => {
            let dialog = dialog.add_filter("CSV", &["csv"]).add_filter("TSV", &["tsv"]);
            let dialog = match path.parent().filter(|folder| folder.is_dir()) {
                Some(folder) => dialog.set_directory(folder),
                None => dialog,
            };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            dialog.set_file_name(name.unwrap_or_default()).save_file()
        }
    }
}
