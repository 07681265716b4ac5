//! The last copy of each watchlist, kept on this computer: it is shown when the program starts without its
//! server. A thread of its own reads and writes the files.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::{
    ids::{At, WatchlistId},
    time::Timestamp,
    watchlist::{Frozen, Watchlist},
    wire::{codec::Encoding, snapshot::Snapshot},
};

use super::sparklines::SparklineValues;
use crate::{files::WriteFile, wake::Wake};

/// Version of the file format. Files of other versions are ignored, and replaced by the next copy.
const VERSION: u32 = 1;
/// Extension of the files.
const EXTENSION: &str = "copy";
/// Extension of files that are being written.
const HALF_WRITTEN: &str = "new";
/// Delay before the first copy of a watchlist is written.
const FIRST_DELAY: Duration = Duration::from_secs(5);
/// Minimum time between two copies of a small watchlist.
const INTERVAL: Duration = Duration::from_secs(15);
/// Number of rows by which the time between two copies grows by another interval.
const ROWS_PER_INTERVAL: usize = 5_000;
/// Maximum number of operations that wait for the thread.
const MAX_WAITING: usize = 256;

/// What a file starts with, so that the names of all watchlists can be read without their rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    name: Arc<str>,
}

/// The rest of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    snapshot: Snapshot,
    sparklines: SparklineValues,
}

/// A copy that was read.
pub(super) struct Copy {
    pub(super) watchlist: WatchlistId,
    pub(super) state: Watchlist,
    pub(super) at: At,
    pub(super) sparklines: SparklineValues,
    pub(super) saved_at: Timestamp,
}

/// A copy to write.
pub(super) struct NewCopy {
    pub(super) watchlist: WatchlistId,
    pub(super) frozen: Frozen,
    pub(super) at: At,
    pub(super) sparklines: SparklineValues,
}

enum Operation {
    Read(WatchlistId),
    Write(Box<NewCopy>),
    Remove(WatchlistId),
}

/// What the thread has done.
enum Done {
    Read(Box<Copy>),
    /// A copy could not be written.
    Failed(WatchlistId),
}

/// The last copy of a watchlist.
#[derive(Debug)]
struct Saved {
    /// The state that was copied; `None` if the copy has to be written.
    at: Option<At>,
    /// Earliest time of the next copy.
    next: Duration,
}

/// The copies in a folder.
#[derive(Default)]
pub(super) struct Copies {
    thread: Option<CopyThread>,
    /// Names of the copied watchlists.
    names: BTreeMap<WatchlistId, Arc<str>>,
    saved: BTreeMap<WatchlistId, Saved>,
    /// When the next copy is due.
    next: Option<Duration>,
}

struct CopyThread {
    /// Dropped to end the thread.
    operations: Option<mpsc::SyncSender<Operation>>,
    done: mpsc::Receiver<Done>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Copies {
    /// Finds the copies in a folder, which need not exist, and starts the thread. Calls `wake` when a copy
    /// was read.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn open(folder: PathBuf, write_file: WriteFile, wake: Wake) -> io::Result<Self> {
        remove_half_written(&folder);
        let names = names(&folder);
        let (operations, receiver) = mpsc::sync_channel(MAX_WAITING);
        let (sender, done) = mpsc::sync_channel(MAX_WAITING);
        let work = move || {
            for operation in receiver {
                match operation {
                    Operation::Read(watchlist) => {
                        let Some(copy) = read(&folder, watchlist) else { continue };
                        // Fails only if the program is ending.
                        drop(sender.send(Done::Read(Box::new(copy))));
                        wake();
                    }
                    Operation::Write(copy) => {
                        if let Err(error) = write(&folder, &copy, write_file) {
                            tracing::warn!(%error, watchlist = %copy.watchlist, "failed to keep a copy of a watchlist");
                            drop(sender.send(Done::Failed(copy.watchlist)));
                        }
                    }
                    Operation::Remove(watchlist) => drop(fs::remove_file(path_of(&folder, watchlist))),
                }
            }
        };
        let thread = thread::Builder::new().name("afterglow-copies".to_owned()).spawn(work)?;
        let thread = CopyThread { operations: Some(operations), done, thread: Some(thread) };
        Ok(Self { thread: Some(thread), names, ..Self::default() })
    }

    /// Returns the copied watchlists.
    pub(super) fn names(&self) -> impl Iterator<Item = (WatchlistId, &Arc<str>)> {
        self.names.iter().map(|(watchlist, name)| (*watchlist, name))
    }

    /// Requests the copy of a watchlist that is opened, once.
    pub(super) fn request(&mut self, watchlist: WatchlistId) {
        if self.names.contains_key(&watchlist) && !self.saved.contains_key(&watchlist) {
            self.saved.insert(watchlist, Saved { at: None, next: FIRST_DELAY });
            let _is_sent = self.send(Operation::Read(watchlist));
        }
    }

    /// Handles a watchlist that is closed: its copy is read again when it is opened.
    pub(super) fn closed(&mut self, watchlist: WatchlistId) {
        self.saved.remove(&watchlist);
    }

    /// Returns the next copy that was read.
    pub(super) fn take(&mut self) -> Option<Copy> {
        loop {
            match self.thread.as_ref()?.done.try_recv().ok()? {
                Done::Read(copy) => {
                    let first = Saved { at: None, next: Duration::ZERO };
                    self.saved.entry(copy.watchlist).or_insert(first).at = Some(copy.at);
                    return Some(*copy);
                }
                // It is written again at the next time.
                Done::Failed(watchlist) => {
                    self.saved.get_mut(&watchlist).into_iter().for_each(|saved| saved.at = None);
                }
            }
        }
    }

    /// Returns when a watchlist of a number of rows is to be copied, unless its copy is up to date.
    pub(super) fn due_at(&mut self, watchlist: WatchlistId, at: At, now: Duration) -> Option<Duration> {
        self.thread.as_ref()?;
        let saved =
            self.saved.entry(watchlist).or_insert_with(|| Saved { at: None, next: now + FIRST_DELAY });
        (saved.at != Some(at)).then_some(saved.next)
    }

    /// Returns when the next copy is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.next
    }

    /// Sets when the next copy is due.
    pub(super) fn set_next(&mut self, next: Option<Duration>) {
        self.next = next;
    }

    /// Writes a copy.
    pub(super) fn write(&mut self, copy: NewCopy, now: Duration) {
        let intervals = copy.frozen.len() / ROWS_PER_INTERVAL + 1;
        let next = now + INTERVAL * u32::try_from(intervals).unwrap_or(u32::MAX);
        let (watchlist, name, at) = (copy.watchlist, copy.frozen.name.clone(), copy.at);
        let is_sent = self.send(Operation::Write(Box::new(copy)));
        self.saved.insert(watchlist, Saved { at: Some(at).filter(|_| is_sent), next });
        self.names.insert(watchlist, name);
    }

    /// Removes the copies of all other watchlists.
    pub(super) fn retain(&mut self, is_kept: impl Fn(WatchlistId) -> bool) {
        let known = self.names.keys().chain(self.saved.keys());
        let removed: Vec<WatchlistId> = known.copied().filter(|watchlist| !is_kept(*watchlist)).collect();
        for watchlist in removed {
            self.names.remove(&watchlist);
            self.saved.remove(&watchlist);
            let _is_sent = self.send(Operation::Remove(watchlist));
        }
    }

    /// Passes an operation to the thread. Returns false if too many wait.
    fn send(&self, operation: Operation) -> bool {
        let operations = self.thread.as_ref().and_then(|thread| thread.operations.as_ref());
        operations.is_some_and(|operations| operations.try_send(operation).is_ok())
    }
}

impl Drop for CopyThread {
    fn drop(&mut self) {
        // The thread ends once it has done what waits.
        self.operations = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn path_of(folder: &Path, watchlist: WatchlistId) -> PathBuf {
    folder.join(format!("{watchlist}.{EXTENSION}"))
}

/// Removes what processes that crashed have left. A process that is writing at this moment fails and repeats
/// that later.
fn remove_half_written(folder: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.path().extension().is_some_and(|extension| extension == HALF_WRITTEN) {
            drop(fs::remove_file(file.path()));
        }
    }
}

/// Returns the names of the watchlists that have a copy in a folder.
fn names(folder: &Path) -> BTreeMap<WatchlistId, Arc<str>> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = files.filter_map(|file| {
        let path = file.path();
        let is_copy = path.extension().is_some_and(|extension| extension == EXTENSION);
        let id = path.file_stem()?.to_str()?.parse().ok().filter(|_| is_copy)?;
        let mut file = fs::File::open(&path).ok()?;
        Some((WatchlistId(id), read_header(&mut file)?.name))
    });
    named.collect()
}

/// Reads the header, whose length precedes it.
fn read_header(file: &mut impl Read) -> Option<Header> {
    let mut length = [0; 4];
    file.read_exact(&mut length).ok()?;
    let mut bytes = Vec::new();
    file.take(u64::from(u32::from_le_bytes(length))).read_to_end(&mut bytes).ok()?;
    Encoding::MessagePack.decode(&bytes).ok().filter(|header: &Header| header.version == VERSION)
}

fn read(folder: &Path, watchlist: WatchlistId) -> Option<Copy> {
    let mut file = fs::File::open(path_of(folder, watchlist)).ok()?;
    read_header(&mut file)?;
    let saved_at = jiff::Timestamp::try_from(file.metadata().ok()?.modified().ok()?).ok()?;
    let saved_at = Timestamp::from_millis(saved_at.as_millisecond());
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let Body { snapshot, sparklines } = Encoding::MessagePack.decode(&bytes).ok()?;
    let (state, at) = snapshot.load().ok().filter(|_| snapshot.watchlist == watchlist)?;
    Some(Copy { watchlist, state, at, sparklines, saved_at })
}

fn write(folder: &Path, copy: &NewCopy, write_file: WriteFile) -> io::Result<()> {
    let NewCopy { watchlist, frozen, at, sparklines } = copy;
    let header = Header { version: VERSION, name: frozen.name.clone() };
    let header = Encoding::MessagePack.encode(&header);
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    let snapshot = Snapshot::whole(frozen, *watchlist, *at);
    let body = Encoding::MessagePack.encode(&Body { snapshot, sparklines: sparklines.clone() });
    let bytes = [&length.to_le_bytes()[..], &header, &body].concat();
    fs::create_dir_all(folder)?;
    // Several processes may keep a copy of the same watchlist.
    let own = path_of(folder, *watchlist).with_extension(format!("{}.{HALF_WRITTEN}", process::id()));
    write_file(&own, &bytes)?;
    fs::rename(&own, path_of(folder, *watchlist))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use shared::{
        column::standard_columns,
        edit::Change,
        ids::{Epoch, Revision, RowId},
        limits::Limits,
        position::Position,
        value::Literal,
        watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;

    const LIST: WatchlistId = WatchlistId(Uuid::from_u128(7));

    fn watchlist(rows: usize) -> Watchlist {
        let limits = Limits::default();
        let mut watchlist = Watchlist::new("Core book", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, rows).unwrap();
        let inserts = (1..).zip(&positions).map(|(number, position)| {
            let cells = BTreeMap::from([("symbol".into(), Literal::from(format!("S{number}").as_str()))]);
            Change::insert(RowId(Uuid::from_u128(number)), position, cells)
        });
        let at = Timestamp::from_millis(5);
        watchlist.apply(&inserts.collect::<Vec<_>>(), &Mode::Confirmed { at }).unwrap();
        watchlist
    }

    fn open(folder: &Path) -> Copies {
        Copies::open(folder.to_owned(), server::files::write_atomically, Arc::new(|| {})).unwrap()
    }

    fn copy(watchlist: &Watchlist, revision: u64) -> NewCopy {
        let at = At { epoch: Epoch(Uuid::nil()), revision: Revision(revision) };
        NewCopy { watchlist: LIST, frozen: watchlist.freeze(), at, sparklines: SparklineValues::default() }
    }

    fn wait(copies: &mut Copies) -> Copy {
        let started = Instant::now();
        loop {
            if let Some(copy) = copies.take() {
                return copy;
            }
            assert!(started.elapsed() < Duration::from_secs(10), "no copy was read");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_watchlist_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let written = watchlist(3);
        let mut copies = open(folder.path());
        copies.request(LIST);
        copies.write(copy(&written, 9), Duration::ZERO);
        drop(copies);
        let mut copies = open(folder.path());
        assert_eq!(copies.names().collect::<Vec<_>>(), [(LIST, &"Core book".into())]);
        copies.request(LIST);
        let read = wait(&mut copies);
        assert!(read.state.has_same_content(&written));
        assert_eq!((read.watchlist, read.at), (LIST, copy(&written, 9).at));
        assert_eq!(copies.due_at(LIST, read.at, Duration::ZERO), None, "the copy is up to date");
        copies.retain(|_| false);
        drop(copies);
        assert_eq!(open(folder.path()).names().count(), 0);
    }

    #[test]
    fn a_damaged_copy_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let mut copies = open(folder.path());
        copies.write(copy(&watchlist(3), 9), Duration::ZERO);
        drop(copies);
        let path = path_of(folder.path(), LIST);
        let whole = fs::read(&path).unwrap();
        for length in [0, 3, 10, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(folder.path(), LIST).is_none(), "{length} bytes");
        }
        fs::write(&path, whole).unwrap();
        assert!(read(folder.path(), LIST).is_some());
    }

    #[test]
    fn larger_watchlists_are_copied_less_often() {
        let folder = tempfile::tempdir().unwrap();
        let mut copies = open(folder.path());
        let at = |revision| copy(&watchlist(1), revision).at;
        let now = Duration::from_secs(100);
        assert_eq!(copies.due_at(LIST, at(1), now), Some(now + FIRST_DELAY));
        copies.write(copy(&watchlist(1), 1), now);
        assert_eq!(copies.due_at(LIST, at(1), now), None);
        assert_eq!(copies.due_at(LIST, at(2), now), Some(now + INTERVAL));
        copies.write(copy(&watchlist(2 * ROWS_PER_INTERVAL), 2), now);
        assert_eq!(copies.due_at(LIST, at(3), now), Some(now + 3 * INTERVAL));
    }
}
