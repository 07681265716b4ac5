//! Edits that were not answered yet, on this machine's disk: they survive a restart and are sent once.
//!
//! Each outbox has a client id of its own and is locked by the process that uses it. Its file is a log of
//! lines, JSON each; a last line cut short by a crash is as if it was never written.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use serde::{Deserialize, Serialize};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    replica::KeptEdit,
};
use tracing::warn;
use uuid::Uuid;

/// Edit numbers are reserved in blocks, so that none is used twice however a process ends.
const BLOCK: u64 = 1_000;
/// Lines that may wait for the disk.
const QUEUE: usize = 4_096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// Numbers below this may have been used.
    Reserved(EditId),
    /// An edit was made.
    Kept { edit: EditId, watchlist: WatchlistId, changes: Vec<Change> },
    /// An edit was answered.
    Answered(EditId),
}

/// What an outbox held when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// Whose it is.
    pub client: ClientId,
    /// The first number that was never used.
    pub next_edit: EditId,
    /// The edits that were never answered, in order.
    pub kept: Vec<KeptEdit>,
}

/// An outbox that this process uses. Lines are written by a thread, so that no window waits for the disk.
#[derive(Debug)]
pub struct Outbox {
    lines: Option<mpsc::SyncSender<Line>>,
    writer: Option<thread::JoinHandle<()>>,
    reserved: EditId,
    _lock: File,
}

impl Outbox {
    /// Adopts a free outbox of a folder, one with unanswered edits first, or makes a new one.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<(Self, Contents)> {
        fs::create_dir_all(folder)?;
        let mut free = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let client =
                path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<Uuid>().ok());
            let is_lock = path.extension().is_some_and(|extension| extension == "lock");
            if let (Some(client), true) = (client, is_lock)
                && let Some(lock) = try_lock(&path)?
            {
                let held = read(&data_path(folder, ClientId(client)))?;
                free.push((ClientId(client), lock, held));
            }
        }
        free.sort_by_key(|(client, _, held)| (held.kept.is_empty(), *client));
        let (client, lock, held) = match free.into_iter().next() {
            Some(found) => found,
            None => {
                let client = ClientId(Uuid::now_v7());
                let path = folder.join(format!("{client}.lock"));
                let lock =
                    try_lock(&path)?.ok_or_else(|| io::Error::other("a new outbox is in use already"))?;
                (client, lock, Held::default())
            }
        };
        let next_edit = held.reserved.max(EditId(1));
        let reserved = EditId(next_edit.0 + BLOCK);
        let path = data_path(folder, client);
        compact(&path, reserved, &held.kept)?;
        let file = File::options().append(true).open(&path)?;
        let (lines, receiver) = mpsc::sync_channel(QUEUE);
        let writer = thread::Builder::new()
            .name("afterglow-outbox".to_owned())
            .spawn(move || write_all(file, &receiver))?;
        let kept = held.kept.into_values().collect();
        Ok((
            Self { lines: Some(lines), writer: Some(writer), reserved, _lock: lock },
            Contents { client, next_edit, kept },
        ))
    }

    /// Keeps an edit until it is answered.
    pub fn keep(&mut self, edit: &KeptEdit) {
        if edit.edit.0 + BLOCK / 2 > self.reserved.0 {
            self.reserved = EditId(edit.edit.0 + BLOCK);
            self.write(Line::Reserved(self.reserved));
        }
        let KeptEdit { edit, watchlist, changes } = edit.clone();
        self.write(Line::Kept { edit, watchlist, changes });
    }

    /// Forgets an edit that was answered.
    pub fn answered(&mut self, edit: EditId) {
        self.write(Line::Answered(edit));
    }

    fn write(&self, line: Line) {
        if let Some(lines) = &self.lines
            && lines.send(line).is_err()
        {
            warn!("the outbox is no longer written");
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

#[derive(Default)]
struct Held {
    reserved: EditId,
    kept: BTreeMap<EditId, KeptEdit>,
}

fn data_path(folder: &Path, client: ClientId) -> PathBuf {
    folder.join(format!("{client}.jsonl"))
}

fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<Held> {
    let mut held = Held::default();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(held),
        opened => opened?,
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Reserved(reserved)) => held.reserved = held.reserved.max(reserved),
            Ok(Line::Kept { edit, watchlist, changes }) => {
                held.kept.insert(edit, KeptEdit { edit, watchlist, changes });
            }
            Ok(Line::Answered(edit)) => drop(held.kept.remove(&edit)),
            Err(error) => warn!(%error, path = %path.display(), "a line of the outbox is cut short"),
        }
    }
    Ok(held)
}

/// Writes what is still of use into a new file and puts it in the old one's place.
fn compact(path: &Path, reserved: EditId, kept: &BTreeMap<EditId, KeptEdit>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    write_line(&mut file, &Line::Reserved(reserved))?;
    for edit in kept.values().cloned() {
        write_line(
            &mut file,
            &Line::Kept { edit: edit.edit, watchlist: edit.watchlist, changes: edit.changes },
        )?;
    }
    file.sync_all()?;
    fs::rename(new, path)
}

fn write_line(file: &mut File, line: &Line) -> io::Result<()> {
    // It begins on a line of its own, also where the one before was cut short.
    let mut bytes = vec![b'\n'];
    bytes.append(&mut serde_json::to_vec(line).expect("an edit is plain data"));
    bytes.push(b'\n');
    file.write_all(&bytes)
}

fn write_all(mut file: File, lines: &mpsc::Receiver<Line>) {
    while let Ok(first) = lines.recv() {
        // What waits goes to the disk together.
        let written =
            std::iter::once(first).chain(lines.try_iter()).try_for_each(|line| write_line(&mut file, &line));
        if let Err(error) = written.and_then(|()| file.sync_data()) {
            warn!(%error, "the outbox cannot be written: edits made while offline would not survive a restart");
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::RowId;

    use super::*;

    fn edit(number: u64) -> KeptEdit {
        let changes = vec![Change::remove(RowId(Uuid::from_u128(7)), None)];
        KeptEdit { edit: EditId(number), watchlist: WatchlistId(Uuid::from_u128(1)), changes }
    }

    #[test]
    fn unanswered_edits_come_back_with_their_client_and_numbers_are_never_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, first) = Outbox::open(folder.path()).unwrap();
        assert_eq!((first.next_edit, first.kept.len()), (EditId(1), 0));
        (1..=3).for_each(|number| outbox.keep(&edit(number)));
        outbox.answered(EditId(2));
        drop(outbox);
        let (_outbox, second) = Outbox::open(folder.path()).unwrap();
        assert_eq!(second.client, first.client);
        assert_eq!(second.kept, [edit(1), edit(3)]);
        assert!(second.next_edit > EditId(3));
    }

    #[test]
    fn two_processes_use_two_outboxes_and_a_cut_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, of_one) = Outbox::open(folder.path()).unwrap();
        let (two, of_two) = Outbox::open(folder.path()).unwrap();
        assert_ne!(of_one.client, of_two.client);
        one.keep(&edit(1));
        drop((one, two));
        let path = data_path(folder.path(), of_one.client);
        let mut file = File::options().append(true).open(path).unwrap();
        file.write_all(b"{\"kept\":{\"edit\":2,\"watch").unwrap();
        let (_again, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (of_one.client, vec![edit(1)]));
    }
}
