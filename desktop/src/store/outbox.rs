//! Unanswered edits on this machine's disk, so that they survive a restart and are applied once.
//!
//! Each outbox has its own client id and is locked by the process that uses it. Its file is a log of JSON
//! lines; a line truncated by a crash is ignored. To change its client id an outbox is replaced by a new file
//! that names the old one, so that no edit is in two outboxes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, WatchlistId},
    replica::KeptEdit,
};
use tracing::warn;
use uuid::Uuid;

/// Size of the blocks in which edit numbers are reserved, so that a crash never leads to a reused number.
const BLOCK_SIZE: u64 = 1_000;
/// Delay before lines that could not be written are retried.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of lines queued for the disk.
const MAX_QUEUED: usize = 4_096;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// Numbers below this may have been used.
    Reserved(EditId),
    /// An edit was made.
    Kept { edit: EditId, watchlist: WatchlistId, changes: Vec<Change> },
    /// An edit was answered.
    Answered(EditId),
    /// The unanswered edits of this client are in this outbox, under other numbers.
    Replaces(ClientId),
}

/// Content of an outbox when it was opened.
#[derive(Debug)]
pub struct Contents {
    /// Client id of the outbox.
    pub client: ClientId,
    /// First unused edit number.
    pub next_edit: EditId,
    /// Unanswered edits, in order.
    pub kept: Vec<KeptEdit>,
}

/// An outbox in use by this process. A thread writes its lines, so that no window waits for the disk.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    client: ClientId,
    writer: Option<Writer>,
    reserved: EditId,
    /// First unused edit number.
    next_edit: EditId,
    lock: File,
}

/// Handle of the thread that writes lines.
#[derive(Debug)]
struct Writer {
    lines: mpsc::SyncSender<Line>,
    thread: thread::JoinHandle<()>,
    progress: Arc<Mutex<Progress>>,
}

impl Outbox {
    /// Opens an unused outbox of a folder, preferably one with unanswered edits, or creates a new one.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<(Self, Contents)> {
        fs::create_dir_all(folder)?;
        let (client, lock, contents) = match lock_unused(folder)?.into_iter().next() {
            Some(found) => found,
            None => {
                let client = ClientId(Uuid::now_v7());
                (client, new_lock(folder, client)?, LogContents::default())
            }
        };
        let next_edit = contents.reserved.max(EditId(1));
        let reserved = EditId(next_edit.0 + BLOCK_SIZE);
        let kept: Vec<KeptEdit> = contents.kept.into_values().collect();
        let writer = Some(start_writer(folder, client, contents.replaces, reserved, &kept)?);
        let outbox = Self { folder: folder.to_owned(), client, writer, reserved, next_edit, lock };
        Ok((outbox, Contents { client, next_edit, kept }))
    }

    /// Replaces the outbox by one of another client id, with the given unanswered edits, and deletes the old
    /// one.
    ///
    /// # Errors
    /// The folder cannot be written; edits are no longer kept then.
    pub fn renew(&mut self, client: ClientId, next_edit: EditId, kept: &[KeptEdit]) -> io::Result<()> {
        self.stop_writer();
        let reserved = EditId(next_edit.0 + BLOCK_SIZE);
        let started = new_lock(&self.folder, client).and_then(|lock| {
            Ok((start_writer(&self.folder, client, Some(self.client), reserved, kept)?, lock))
        });
        // Even on failure: its edits are sent under their new numbers and would otherwise be applied twice.
        delete_files(&self.folder, std::mem::replace(&mut self.client, client))?;
        let (writer, lock) = started?;
        (self.writer, self.lock, self.reserved, self.next_edit) = (Some(writer), lock, reserved, next_edit);
        Ok(())
    }

    /// Appends an edit, which is kept until it is answered.
    pub fn append(&mut self, edit: &KeptEdit) {
        self.next_edit = edit.edit.next();
        if edit.edit.0 + BLOCK_SIZE / 2 > self.reserved.0 {
            self.reserved = EditId(edit.edit.0 + BLOCK_SIZE);
            self.write(Line::Reserved(self.reserved));
        }
        let KeptEdit { edit, watchlist, changes } = edit.clone();
        self.write(Line::Kept { edit, watchlist, changes });
    }

    /// Removes an answered edit.
    pub fn remove(&mut self, edit: EditId) {
        self.write(Line::Answered(edit));
    }

    /// Returns why edits cannot be written, if they cannot.
    pub fn fault(&self) -> Option<String> {
        match &self.writer {
            Some(writer) => lock(&writer.progress).fault.clone(),
            None => Some("the outbox is closed".to_owned()),
        }
    }

    /// Returns whether the next edit's number is reserved on disk; an unreserved one could be reused after a
    /// crash.
    pub fn has_number(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| self.next_edit < lock(&writer.progress).reserved)
    }

    /// Ends the thread that writes, as if the disk were full for good.
    #[cfg(test)]
    pub fn close_writer(&mut self) {
        self.writer = None;
    }

    fn write(&self, line: Line) {
        if self.writer.as_ref().is_none_or(|writer| writer.lines.send(line).is_err()) {
            warn!("failed to write to the outbox: it is closed");
        }
    }

    /// Stops the writer after it has written every queued line.
    fn stop_writer(&mut self) {
        if let Some(Writer { lines, thread, .. }) = self.writer.take() {
            drop(lines);
            drop(thread.join());
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.stop_writer();
    }
}

#[derive(Default)]
struct LogContents {
    reserved: EditId,
    kept: BTreeMap<EditId, KeptEdit>,
    replaces: Option<ClientId>,
}

/// Locks and returns the outboxes that no process uses, those with unanswered edits first.
fn lock_unused(folder: &Path) -> io::Result<Vec<(ClientId, File, LogContents)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_data = path.extension().is_some_and(|extension| extension == "jsonl");
        if let (Some(client), true) = (stem.and_then(|stem| stem.parse().ok()).map(ClientId), is_data) {
            // An outbox in use is read, too, because it may name one that it has replaced but not yet
            // deleted.
            found.push((client, try_lock(&lock_path(folder, client))?));
        }
    }
    let (mut free, mut replaced) = (Vec::new(), BTreeSet::new());
    for (client, lock) in found {
        let Some(contents) = read_log(&data_path(folder, client))? else { continue };
        replaced.extend(contents.replaces);
        free.extend(lock.map(|lock| (client, lock, contents)));
    }
    for (client, ..) in free.extract_if(.., |(client, ..)| replaced.contains(client)) {
        delete_files(folder, client)?;
    }
    free.sort_by_key(|(client, _, contents)| (contents.kept.is_empty(), *client));
    Ok(free)
}

/// Deletes an outbox that another one replaces.
fn delete_files(folder: &Path, client: ClientId) -> io::Result<()> {
    for path in [data_path(folder, client), lock_path(folder, client)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Writes a compacted file and starts the thread that appends to it.
fn start_writer(
    folder: &Path,
    client: ClientId,
    replaces: Option<ClientId>,
    reserved: EditId,
    kept: &[KeptEdit],
) -> io::Result<Writer> {
    let path = data_path(folder, client);
    compact(&path, replaces, reserved, kept)?;
    let file = File::options().append(true).open(&path)?;
    let (lines, receiver) = mpsc::sync_channel(MAX_QUEUED);
    let progress = Arc::new(Mutex::new(Progress { fault: None, reserved }));
    let thread = thread::Builder::new().name("afterglow-outbox".to_owned()).spawn({
        let progress = progress.clone();
        move || write_all(file, &receiver, &progress, RETRY_DELAY)
    })?;
    Ok(Writer { lines, thread, progress })
}

fn lock_path(folder: &Path, client: ClientId) -> PathBuf {
    folder.join(format!("{client}.lock"))
}

fn new_lock(folder: &Path, client: ClientId) -> io::Result<File> {
    try_lock(&lock_path(folder, client))?.ok_or_else(|| io::Error::other("a new outbox is in use already"))
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

/// Reads a file; returns `None` if it does not exist.
fn read_log(path: &Path) -> io::Result<Option<LogContents>> {
    let mut contents = LogContents::default();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice(&line) {
            Ok(Line::Reserved(reserved)) => contents.reserved = contents.reserved.max(reserved),
            Ok(Line::Kept { edit, watchlist, changes }) => {
                contents.kept.insert(edit, KeptEdit { edit, watchlist, changes });
            }
            Ok(Line::Answered(edit)) => drop(contents.kept.remove(&edit)),
            Ok(Line::Replaces(client)) => contents.replaces = Some(client),
            Err(error) => warn!(%error, path = %path.display(), "ignored an invalid line of the outbox"),
        }
    }
    Ok(Some(contents))
}

/// Writes a compacted file that atomically replaces the old one.
fn compact(path: &Path, replaces: Option<ClientId>, reserved: EditId, kept: &[KeptEdit]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    for line in replaces.map(Line::Replaces).into_iter().chain([Line::Reserved(reserved)]) {
        write_line(&mut file, &line)?;
    }
    for KeptEdit { edit, watchlist, changes } in kept.iter().cloned() {
        write_line(&mut file, &Line::Kept { edit, watchlist, changes })?;
    }
    file.sync_all()?;
    fs::rename(new, path)
}

fn write_line(file: &mut File, line: &Line) -> io::Result<()> {
    let mut bytes = Vec::new();
    append_line(&mut bytes, line);
    file.write_all(&bytes)
}

/// Appends a line, preceded by a line break in case the previous line was truncated.
fn append_line(bytes: &mut Vec<u8>, line: &Line) {
    bytes.push(b'\n');
    bytes.append(&mut serde_json::to_vec(line).expect("an edit is plain data"));
    bytes.push(b'\n');
}

/// Progress of the writing thread.
#[derive(Debug, Default)]
struct Progress {
    /// Why lines cannot be written, if they cannot.
    fault: Option<String>,
    /// Numbers below this are reserved on disk.
    reserved: EditId,
}

/// The file that lines are written to.
trait Disk: Write + Send {
    /// Flushes written data, so that it survives a power failure.
    fn sync(&mut self) -> io::Result<()>;
    /// Returns the length of the file in bytes.
    fn len(&mut self) -> io::Result<u64>;
    /// Truncates the file to a length in bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Writes lines as they arrive and retries those that failed, all of them or none.
fn write_all(mut disk: impl Disk, lines: &mpsc::Receiver<Line>, progress: &Mutex<Progress>, pause: Duration) {
    let mut unwritten: Vec<Line> = Vec::new();
    loop {
        let is_closed = if unwritten.is_empty() {
            lines.recv().map(|line| unwritten.push(line)).is_err()
        } else {
            collect_lines(lines, &mut unwritten, pause)
        };
        // Queued lines are written and flushed together.
        unwritten.extend(lines.try_iter());
        let written = write_once(&mut disk, &unwritten);
        let mut progress = lock(progress);
        if written.is_ok() {
            let reserved = unwritten.drain(..).filter_map(|line| match line {
                Line::Reserved(reserved) => Some(reserved),
                _ => None,
            });
            progress.reserved = reserved.max().unwrap_or_default().max(progress.reserved);
        }
        progress.fault = written.err().map(|error| error.to_string());
        if is_closed {
            return;
        }
    }
}

/// Receives lines for the duration of the pause; returns whether the queue is closed.
fn collect_lines(lines: &mpsc::Receiver<Line>, unwritten: &mut Vec<Line>, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => unwritten.push(line),
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
            Err(mpsc::RecvTimeoutError::Disconnected) => return true,
        }
    }
}

fn write_once(disk: &mut impl Disk, lines: &[Line]) -> io::Result<()> {
    let mut bytes = Vec::new();
    lines.iter().for_each(|line| append_line(&mut bytes, line));
    let length = disk.len()?;
    let written = disk.write_all(&bytes).and_then(|()| disk.sync());
    if written.is_err() {
        // If truncating fails, too, the retry repeats lines, which are idempotent.
        drop(disk.truncate(length));
    }
    written
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use shared::ids::RowId;

    use super::*;

    fn edit(number: u64) -> KeptEdit {
        let changes = vec![Change::remove(RowId(Uuid::from_u128(7)), None)];
        KeptEdit { edit: EditId(number), watchlist: WatchlistId(Uuid::from_u128(1)), changes }
    }

    #[test]
    fn unanswered_edits_are_restored_with_their_client_and_numbers_are_never_reused() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, first) = Outbox::open(folder.path()).unwrap();
        assert_eq!((first.next_edit, first.kept.len()), (EditId(1), 0));
        (1..=3).for_each(|number| outbox.append(&edit(number)));
        outbox.remove(EditId(2));
        drop(outbox);
        let (_outbox, second) = Outbox::open(folder.path()).unwrap();
        assert_eq!(second.client, first.client);
        assert_eq!(second.kept, [edit(1), edit(3)]);
        assert!(second.next_edit > EditId(3));
    }

    #[test]
    fn two_processes_use_two_outboxes_and_a_truncated_line_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, of_one) = Outbox::open(folder.path()).unwrap();
        let (two, of_two) = Outbox::open(folder.path()).unwrap();
        assert_ne!(of_one.client, of_two.client);
        one.append(&edit(1));
        drop((one, two));
        let path = data_path(folder.path(), of_one.client);
        let mut file = File::options().append(true).open(path).unwrap();
        // Truncated within a character; the line after it is valid.
        let mut bytes = b"{\"kept\":{\"edit\":2,\"watch\xE2\x82\n".to_vec();
        let KeptEdit { edit: number, watchlist, changes } = edit(3);
        append_line(&mut bytes, &Line::Kept { edit: number, watchlist, changes });
        file.write_all(&bytes).unwrap();
        let (_again, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (of_one.client, vec![edit(1), edit(3)]));
    }

    #[test]
    fn edits_move_to_another_client_id_and_are_never_in_two_outboxes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, old) = Outbox::open(folder.path()).unwrap();
        outbox.append(&edit(1));
        outbox.stop_writer();
        let before = fs::read(data_path(folder.path(), old.client)).unwrap();
        let new = ClientId(Uuid::now_v7());
        outbox.renew(new, EditId(6), &[edit(5)]).unwrap();
        outbox.append(&edit(6));
        drop(outbox);
        // As after a crash between writing the new file and deleting the old one.
        fs::write(data_path(folder.path(), old.client), before).unwrap();
        let (first, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (new, vec![edit(5), edit(6)]));
        let (_second, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!(contents.kept, [], "the old outbox is deleted");
        assert!(contents.client != old.client && contents.client != new);
        drop(first);
    }

    /// A disk that fails to write while it is full.
    struct Full {
        is_full: Arc<AtomicBool>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::SeqCst) {
                // Writes part of a line before it fails.
                self.written.lock().unwrap().extend(&bytes[..bytes.len() / 2]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Disk for Full {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn len(&mut self) -> io::Result<u64> {
            Ok(self.written.lock().unwrap().len() as u64)
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.written.lock().unwrap().truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_full_disk_rejected_are_written_once_there_is_space() {
        let (is_full, written) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let progress = Arc::new(Mutex::new(Progress::default()));
        let disk = Full { is_full: is_full.clone(), written: Arc::clone(&written) };
        let (sender, lines) = mpsc::sync_channel(16);
        let own = progress.clone();
        let thread = thread::Builder::new()
            .spawn(move || write_all(disk, &lines, &own, Duration::from_millis(5)))
            .unwrap();
        let kept = |number| {
            let KeptEdit { edit, watchlist, changes } = edit(number);
            Line::Kept { edit, watchlist, changes }
        };
        sender.send(kept(1)).unwrap();
        while lock(&progress).fault.is_none() {
            thread::yield_now();
        }
        sender.send(kept(2)).unwrap();
        sender.send(Line::Answered(EditId(1))).unwrap();
        sender.send(Line::Reserved(EditId(2_000))).unwrap();
        assert_eq!(lock(&progress).reserved, EditId(0), "no number is used before it is reserved on disk");
        is_full.store(false, Ordering::SeqCst);
        while lock(&progress).fault.is_some() {
            thread::yield_now();
        }
        drop(sender);
        thread.join().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, &*written.lock().unwrap()).unwrap();
        let contents = read_log(&path).unwrap().unwrap();
        assert_eq!(contents.kept.into_keys().collect::<Vec<_>>(), [EditId(2)]);
        assert_eq!((contents.reserved, lock(&progress).reserved), (EditId(2_000), EditId(2_000)));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("kept").count(), 2, "each line once and none truncated: {text}");
    }
}
