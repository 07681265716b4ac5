//! The thread that appends lines to an outbox's file, so that no window waits for the disk. Lines that cannot
//! be written are retried, and edit numbers count as reserved only once they are on disk.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use shared::ids::EditId;

use super::log::{Line, append_line};

/// Delay before lines that could not be written are retried.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of lines queued for the disk.
const MAX_QUEUED: usize = 4_096;

/// Returns the time, on a monotonic clock.
pub type Clock = fn() -> Instant;

/// Handle of the thread that writes lines.
#[derive(Debug)]
pub(super) struct Writer {
    lines: mpsc::SyncSender<Line>,
    thread: thread::JoinHandle<()>,
    progress: Arc<Mutex<Progress>>,
}

impl Writer {
    /// Starts a thread that appends to a file. `reserved` is reserved in the file already; `clock` is
    /// monotonic.
    ///
    /// # Errors
    /// The file cannot be opened, or the thread cannot be started.
    pub(super) fn start(path: &Path, reserved: EditId, clock: Clock) -> io::Result<Self> {
        let file = File::options().append(true).open(path)?;
        let (lines, receiver) = mpsc::sync_channel(MAX_QUEUED);
        let progress = Arc::new(Mutex::new(Progress { fault: None, reserved }));
        let thread = thread::Builder::new().name("afterglow-outbox".to_owned()).spawn({
            let progress = progress.clone();
            move || write_all(file, &receiver, &progress, Pause { clock, delay: RETRY_DELAY })
        })?;
        Ok(Self { lines, thread, progress })
    }

    /// Queues a line. Returns whether the thread is still running.
    pub(super) fn write(&self, line: Line) -> bool {
        self.lines.send(line).is_ok()
    }

    /// Returns why lines cannot be written, if they cannot.
    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.progress).fault.clone()
    }

    /// Returns the number below which edit numbers are reserved on disk.
    pub(super) fn reserved(&self) -> EditId {
        lock(&self.progress).reserved
    }

    /// Stops the thread after it has written every queued line.
    pub(super) fn stop(self) {
        drop(self.lines);
        drop(self.thread.join());
    }
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

/// The wait before lines that could not be written are retried.
#[derive(Clone, Copy)]
struct Pause {
    /// Returns the time, on a monotonic clock.
    clock: Clock,
    delay: Duration,
}

/// Writes lines as they arrive and retries those that failed, all of them or none.
fn write_all(mut disk: impl Disk, lines: &mpsc::Receiver<Line>, progress: &Mutex<Progress>, pause: Pause) {
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
fn collect_lines(lines: &mpsc::Receiver<Line>, unwritten: &mut Vec<Line>, pause: Pause) -> bool {
    let until = (pause.clock)() + pause.delay;
    loop {
        match lines.recv_timeout(until.saturating_duration_since((pause.clock)())) {
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
    use std::{
        fs,
        sync::atomic::{AtomicBool, Ordering},
    };

    use shared::{
        edit::Change,
        ids::{RowId, WatchlistId},
    };
    use uuid::Uuid;

    use super::{super::log::read_log, *};

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
            .spawn(move || {
                write_all(disk, &lines, &own, Pause { clock: Instant::now, delay: Duration::from_millis(5) })
            })
            .unwrap();
        let kept = |number| {
            let changes = vec![Change::remove(RowId(Uuid::from_u128(7)), None)];
            Line::Kept { edit: EditId(number), watchlist: WatchlistId(Uuid::from_u128(1)), changes }
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
