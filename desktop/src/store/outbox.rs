//! Edits that were not answered yet, on this machine's disk: they survive a restart and are sent once.
//!
//! Each outbox has a client id of its own and is locked by the process that uses it. Its file is a log of
//! lines, JSON each; a last line cut short by a crash is as if it was never written. One that goes on under
//! another id is replaced by a new file that names it, so that its edits are never in two outboxes.

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

/// Edit numbers are reserved in blocks, so that none is used twice however a process ends.
const BLOCK: u64 = 1_000;
/// Lines that could not be written are tried again this soon.
const AGAIN: Duration = Duration::from_secs(1);
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
    /// What this client had kept is in here, under other numbers.
    Replaces(ClientId),
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
    folder: PathBuf,
    client: ClientId,
    writer: Option<Writer>,
    reserved: EditId,
    /// The first number that was never used.
    next_edit: EditId,
    lock: File,
}

/// The thread that writes lines, and the way to it.
#[derive(Debug)]
struct Writer {
    lines: mpsc::SyncSender<Line>,
    thread: thread::JoinHandle<()>,
    progress: Arc<Mutex<Progress>>,
}

impl Outbox {
    /// Adopts a free outbox of a folder, one with unanswered edits first, or makes a new one.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<(Self, Contents)> {
        fs::create_dir_all(folder)?;
        let (client, lock, held) = match free(folder)?.into_iter().next() {
            Some(found) => found,
            None => {
                let client = ClientId(Uuid::now_v7());
                (client, new_lock(folder, client)?, Held::default())
            }
        };
        let next_edit = held.reserved.max(EditId(1));
        let reserved = EditId(next_edit.0 + BLOCK);
        let kept: Vec<KeptEdit> = held.kept.into_values().collect();
        let writer = Some(begin(folder, client, held.replaces, reserved, &kept)?);
        let outbox = Self { folder: folder.to_owned(), client, writer, reserved, next_edit, lock };
        Ok((outbox, Contents { client, next_edit, kept }))
    }

    /// Goes on as another client, with the edits that are unanswered still; the old one's are gone with it.
    ///
    /// # Errors
    /// The folder cannot be written; then nothing is kept any longer.
    pub fn renew(&mut self, client: ClientId, next_edit: EditId, kept: &[KeptEdit]) -> io::Result<()> {
        self.end();
        let reserved = EditId(next_edit.0 + BLOCK);
        let begun = new_lock(&self.folder, client)
            .and_then(|lock| Ok((begin(&self.folder, client, Some(self.client), reserved, kept)?, lock)));
        // Also where that failed: its edits go under their new names from here, and would be made twice.
        forget(&self.folder, std::mem::replace(&mut self.client, client))?;
        let (writer, lock) = begun?;
        (self.writer, self.lock, self.reserved, self.next_edit) = (Some(writer), lock, reserved, next_edit);
        Ok(())
    }

    /// Keeps an edit until it is answered.
    pub fn keep(&mut self, edit: &KeptEdit) {
        self.next_edit = edit.edit.next();
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

    /// Why edits cannot be kept at present, where they cannot.
    pub fn fault(&self) -> Option<String> {
        match &self.writer {
            Some(writer) => lock(&writer.progress).fault.clone(),
            None => Some("the outbox is no longer written".to_owned()),
        }
    }

    /// Whether the next edit has a number that the disk knows of: one that was not reserved there could be used again.
    pub fn has_number(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| self.next_edit < lock(&writer.progress).reserved)
    }

    fn write(&self, line: Line) {
        if self.writer.as_ref().is_none_or(|writer| writer.lines.send(line).is_err()) {
            warn!("the outbox is no longer written");
        }
    }

    /// Waits until every line is on disk.
    fn end(&mut self) {
        if let Some(Writer { lines, thread, .. }) = self.writer.take() {
            drop(lines);
            drop(thread.join());
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Default)]
struct Held {
    reserved: EditId,
    kept: BTreeMap<EditId, KeptEdit>,
    replaces: Option<ClientId>,
}

/// The outboxes that no process uses, locked: those with unanswered edits first.
fn free(folder: &Path) -> io::Result<Vec<(ClientId, File, Held)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_data = path.extension().is_some_and(|extension| extension == "jsonl");
        if let (Some(client), true) = (stem.and_then(|stem| stem.parse().ok()).map(ClientId), is_data) {
            // One that is in use may name another that it has replaced and not yet deleted.
            found.push((client, try_lock(&lock_path(folder, client))?));
        }
    }
    let (mut free, mut replaced) = (Vec::new(), BTreeSet::new());
    for (client, lock) in found {
        let Some(held) = read(&data_path(folder, client))? else { continue };
        replaced.extend(held.replaces);
        free.extend(lock.map(|lock| (client, lock, held)));
    }
    for (client, ..) in free.extract_if(.., |(client, ..)| replaced.contains(client)) {
        forget(folder, client)?;
    }
    free.sort_by_key(|(client, _, held)| (held.kept.is_empty(), *client));
    Ok(free)
}

/// Deletes an outbox whose edits another holds.
fn forget(folder: &Path, client: ClientId) -> io::Result<()> {
    for path in [data_path(folder, client), lock_path(folder, client)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Writes what is still of use into a new file and goes on from there.
fn begin(
    folder: &Path,
    client: ClientId,
    replaces: Option<ClientId>,
    reserved: EditId,
    kept: &[KeptEdit],
) -> io::Result<Writer> {
    let path = data_path(folder, client);
    compact(&path, replaces, reserved, kept)?;
    let file = File::options().append(true).open(&path)?;
    let (lines, receiver) = mpsc::sync_channel(QUEUE);
    let progress = Arc::new(Mutex::new(Progress { fault: None, reserved }));
    let thread = thread::Builder::new().name("afterglow-outbox".to_owned()).spawn({
        let progress = progress.clone();
        move || write_all(file, &receiver, &progress, AGAIN)
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

/// What a file holds; `None` where there is no file.
fn read(path: &Path) -> io::Result<Option<Held>> {
    let mut held = Held::default();
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
            Ok(Line::Reserved(reserved)) => held.reserved = held.reserved.max(reserved),
            Ok(Line::Kept { edit, watchlist, changes }) => {
                held.kept.insert(edit, KeptEdit { edit, watchlist, changes });
            }
            Ok(Line::Answered(edit)) => drop(held.kept.remove(&edit)),
            Ok(Line::Replaces(client)) => held.replaces = Some(client),
            Err(error) => warn!(%error, path = %path.display(), "a line of the outbox is cut short"),
        }
    }
    Ok(Some(held))
}

/// Writes a file whole and puts it in the old one's place.
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
    add_line(&mut bytes, line);
    file.write_all(&bytes)
}

/// It begins on a line of its own, also where the one before was cut short.
fn add_line(bytes: &mut Vec<u8>, line: &Line) {
    bytes.push(b'\n');
    bytes.append(&mut serde_json::to_vec(line).expect("an edit is plain data"));
    bytes.push(b'\n');
}

/// How far the thread that writes has come.
#[derive(Debug, Default)]
struct Progress {
    /// Why lines cannot be written at present.
    fault: Option<String>,
    /// Numbers below this are on disk as perhaps used.
    reserved: EditId,
}

/// Where lines go.
trait Disk: Write + Send {
    /// What was written survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// How much is there.
    fn length(&mut self) -> io::Result<u64>;
    /// What was written beyond that is taken away.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn length(&mut self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Writes lines as they come. Those that cannot be written are tried again, all of them or none.
fn write_all(mut disk: impl Disk, lines: &mpsc::Receiver<Line>, progress: &Mutex<Progress>, pause: Duration) {
    let mut unwritten: Vec<Line> = Vec::new();
    loop {
        let is_over = if unwritten.is_empty() {
            lines.recv().map(|line| unwritten.push(line)).is_err()
        } else {
            wait(lines, &mut unwritten, pause)
        };
        // What waits goes to the disk together.
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
        if is_over {
            return;
        }
    }
}

/// Takes lines for so long; whether no more will come.
fn wait(lines: &mpsc::Receiver<Line>, unwritten: &mut Vec<Line>, pause: Duration) -> bool {
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
    lines.iter().for_each(|line| add_line(&mut bytes, line));
    let length = disk.length()?;
    let written = disk.write_all(&bytes).and_then(|()| disk.sync());
    if written.is_err() {
        // Where it cannot be taken away either, a line that is there twice is read as one.
        drop(disk.cut(length));
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
        // Cut within a character, too; and what was written behind it is whole again.
        let mut bytes = b"{\"kept\":{\"edit\":2,\"watch\xE2\x82\n".to_vec();
        let KeptEdit { edit: number, watchlist, changes } = edit(3);
        add_line(&mut bytes, &Line::Kept { edit: number, watchlist, changes });
        file.write_all(&bytes).unwrap();
        let (_again, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (of_one.client, vec![edit(1), edit(3)]));
    }

    #[test]
    fn edits_go_on_under_another_id_and_are_never_in_two_outboxes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut outbox, old) = Outbox::open(folder.path()).unwrap();
        outbox.keep(&edit(1));
        outbox.end();
        let before = fs::read(data_path(folder.path(), old.client)).unwrap();
        let new = ClientId(Uuid::now_v7());
        outbox.renew(new, EditId(6), &[edit(5)]).unwrap();
        outbox.keep(&edit(6));
        drop(outbox);
        // A crash after the new file was written and before the old one was deleted.
        fs::write(data_path(folder.path(), old.client), before).unwrap();
        let (first, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!((contents.client, contents.kept), (new, vec![edit(5), edit(6)]));
        let (_second, contents) = Outbox::open(folder.path()).unwrap();
        assert_eq!(contents.kept, [], "the old one is gone");
        assert!(contents.client != old.client && contents.client != new);
        drop(first);
    }

    /// Takes nothing as long as it is full.
    struct Full {
        is_full: Arc<AtomicBool>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::SeqCst) {
                // A piece of a line gets through all the same.
                self.taken.lock().unwrap().extend(&bytes[..bytes.len() / 2]);
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.lock().unwrap().extend(bytes);
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

        fn length(&mut self) -> io::Result<u64> {
            Ok(self.taken.lock().unwrap().len() as u64)
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            self.taken.lock().unwrap().truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_written_once_it_takes_something_again() {
        let (is_full, taken) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let progress = Arc::new(Mutex::new(Progress::default()));
        let disk = Full { is_full: is_full.clone(), taken: Arc::clone(&taken) };
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
        assert_eq!(lock(&progress).reserved, EditId(0), "no number is used before the disk knows of it");
        is_full.store(false, Ordering::SeqCst);
        while lock(&progress).fault.is_some() {
            thread::yield_now();
        }
        drop(sender);
        thread.join().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, &*taken.lock().unwrap()).unwrap();
        let held = read(&path).unwrap().unwrap();
        assert_eq!(held.kept.into_keys().collect::<Vec<_>>(), [EditId(2)]);
        assert_eq!((held.reserved, lock(&progress).reserved), (EditId(2_000), EditId(2_000)));
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("kept").count(), 2, "each line once, and none in part: {text}");
    }
}
