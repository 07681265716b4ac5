//! The thread that writes. It takes every batch that is queued, of any watchlist, writes them in one
//! transaction, and answers them once that is synced. Between two transactions it does one step of other
//! work, so that no batch waits for long.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use tokio::sync::{
    Semaphore,
    mpsc::{self, error::TryRecvError},
    oneshot,
};
use tracing::warn;

use super::{append::Append, checkpoint, writer::Writer};
use crate::journal::{form::error::store, store::JournalError};

/// Maximum number of jobs that wait for the thread. Senders wait beyond that.
const MAX_QUEUED: usize = 1024;
/// Number of encoded bytes after which a transaction takes no further batch.
const TRANSACTION_BYTES: usize = 8 << 20;
/// Maximum number of steps of other work that wait.
const MAX_STEPS: usize = 4;

/// Something that the thread does.
enum Job {
    /// Writes a batch.
    Append(Append),
    /// Does something before the next batches.
    Now(Task),
    /// Does something between two transactions.
    Step(Task),
    /// Checkpoints what was written during a checkpoint.
    FinishCheckpoint,
    /// Closes the journal and drops the sender afterwards.
    Close(oneshot::Sender<()>),
}

type Task = Box<dyn FnOnce(&mut Writer) + Send>;

/// Sends jobs to the thread.
pub(super) struct WriterHandle {
    jobs: mpsc::Sender<Job>,
    steps: Semaphore,
}

struct WriterThread {
    writer: Writer,
    jobs: mpsc::Receiver<Job>,
    steps: VecDeque<Task>,
    /// Whether upkeep failed since the last batch was written.
    is_upkeep_failing: bool,
    closing: Option<oneshot::Sender<()>>,
    log: LogSize,
}

/// The size of the write-ahead log, and the thread that checkpoints it.
struct LogSize {
    /// Number of pages in it.
    pages: Arc<AtomicI32>,
    /// Number of pages at its last checkpoint.
    checkpointed: i32,
    requests: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl WriterHandle {
    /// Starts the thread, and the one that checkpoints.
    pub(super) fn start(path: &Path, mut writer: Writer) -> Result<Self, JournalError> {
        let (sender, jobs) = mpsc::channel(MAX_QUEUED);
        let pages = Arc::new(AtomicI32::new(0));
        let counted = pages.clone();
        let count = move |_: &mut rusqlite::hooks::Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        };
        writer.connection.wal_hook(Some(count)).map_err(store)?;
        let (requests, requested) = sync_channel(1);
        let thread = start_checkpoints(path, requested, sender.downgrade())?;
        let log = LogSize { pages, checkpointed: 0, requests, thread };
        let thread = WriterThread {
            writer,
            jobs,
            steps: VecDeque::new(),
            is_upkeep_failing: false,
            closing: None,
            log,
        };
        Builder::new().name("journal-writer".to_owned()).spawn(move || thread.run()).map_err(store)?;
        Ok(Self { jobs: sender, steps: Semaphore::new(MAX_STEPS) })
    }

    /// Writes a batch, together with others. `append` makes it for the sender of its answer.
    pub(super) async fn append(
        &self,
        append: impl FnOnce(oneshot::Sender<Result<(), JournalError>>) -> Append,
    ) -> Result<(), JournalError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Append(append(reply))).await?;
        answer.await.map_err(store)?
    }

    /// Does something before the next batches.
    pub(super) async fn now<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.call(Job::Now, work).await
    }

    /// Does one step of something that takes long, between two transactions.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let _permit = self.steps.acquire().await.map_err(store)?;
        self.call(Job::Step, work).await
    }

    /// Sends work as a job, and returns its result.
    async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(Task) -> Job,
        work: impl FnOnce(&mut Writer) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        // A caller that is gone needs no answer.
        self.send(job(Box::new(move |writer| drop(reply.send(work(writer)))))).await?;
        answer.await.map_err(store)?
    }

    /// Closes the journal after the batches that are queued. No further step is done.
    pub(super) async fn close(&self) {
        self.steps.close();
        let (done, is_done) = oneshot::channel();
        // A thread that has ended has closed it.
        drop(self.jobs.send(Job::Close(done)).await);
        drop(is_done.await);
    }

    async fn send(&self, job: Job) -> Result<(), JournalError> {
        self.jobs.send(job).await.map_err(|_unsent| store("the journal is closed"))
    }
}

/// Starts the thread that checkpoints.
fn start_checkpoints(
    path: &Path,
    requests: Receiver<()>,
    jobs: mpsc::WeakSender<Job>,
) -> Result<JoinHandle<()>, JournalError> {
    let connection = checkpoint::open(path)?;
    let work = move || {
        while requests.recv().is_ok() {
            checkpoint::run(&connection);
            // A journal that is closed checkpoints everything itself.
            if let Some(jobs) = jobs.upgrade() {
                drop(jobs.blocking_send(Job::FinishCheckpoint));
            }
        }
    };
    Builder::new().name("journal-checkpoint".to_owned()).spawn(work).map_err(store)
}

impl WriterThread {
    fn run(mut self) {
        while self.closing.is_none() {
            let Some(first) = self.next_job() else { break };
            let appends = self.take_all(first);
            if !appends.is_empty() {
                self.is_upkeep_failing &= !self.writer.append_all(appends);
            }
            if self.closing.is_none() {
                self.step();
            }
            self.request_checkpoint();
        }
        self.fold_all();
        let Self { writer, log: LogSize { requests, thread, .. }, closing, jobs, .. } = self;
        // The thread must not wait for the queue.
        drop((requests, jobs));
        if thread.join().is_err() {
            warn!("the thread that checkpoints the journal failed");
        }
        // The last connection checkpoints everything and removes the write-ahead log.
        if let Err((_, error)) = writer.connection.close() {
            warn!(error = &error as &dyn std::error::Error, "failed to close the journal");
        }
        drop(closing);
    }

    /// Waits for a job unless there is other work to do. Returns `None` if there are no more jobs.
    fn next_job(&mut self) -> Option<Option<Job>> {
        if self.steps.is_empty() && !self.has_upkeep() {
            return self.jobs.blocking_recv().map(Some);
        }
        match self.jobs.try_recv() {
            Ok(job) => Some(Some(job)),
            Err(TryRecvError::Empty) => Some(None),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Takes the queued jobs and does those that precede batches. Returns the batches.
    fn take_all(&mut self, first: Option<Job>) -> Vec<Append> {
        let (mut appends, mut bytes, mut next) = (Vec::new(), 0, first);
        while let Some(job) = next.take() {
            match job {
                Job::Append(append) => {
                    bytes += append.bytes();
                    appends.push(append);
                }
                Job::Now(task) => task(&mut self.writer),
                Job::Step(task) => self.steps.push_back(task),
                Job::FinishCheckpoint => self.finish_checkpoint(),
                Job::Close(done) => self.closing = Some(done),
            }
            if bytes < TRANSACTION_BYTES && self.closing.is_none() {
                next = self.jobs.try_recv().ok();
            }
        }
        appends
    }

    /// Does one step of other work. Steps that a caller awaits alternate with upkeep.
    fn step(&mut self) {
        if let Some(step) = self.steps.pop_front() {
            step(&mut self.writer);
            if !self.writer.is_fold_due() {
                return;
            }
        }
        if !self.has_upkeep() {
            return;
        }
        let is_fold_due = self.writer.is_fold_due();
        let done = if is_fold_due {
            self.writer.fold_step().map(drop)
        } else if !self.writer.erasing.is_empty() {
            self.writer.erase_step(None).map(drop)
        } else {
            self.writer.shrink_step()
        };
        if let Err(error) = done {
            self.is_upkeep_failing = true;
            warn!(error = &error as &dyn std::error::Error, "failed to maintain the journal");
        }
    }

    /// Folds the whole tail, so that the next start has none to read.
    fn fold_all(&mut self) {
        loop {
            match self.writer.fold_step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "failed to maintain the journal");
                    return;
                }
            }
        }
    }

    fn has_upkeep(&self) -> bool {
        let Writer { erasing, may_shrink, .. } = &self.writer;
        let is_due = !erasing.is_empty() || *may_shrink || self.writer.is_fold_due();
        is_due && !self.is_upkeep_failing
    }

    /// Requests a checkpoint once the write-ahead log has grown by enough.
    fn request_checkpoint(&mut self) {
        let LogSize { pages, checkpointed, requests, .. } = &mut self.log;
        let pages = pages.load(Ordering::Relaxed);
        if pages < *checkpointed {
            // It was started over.
            *checkpointed = 0;
        }
        if pages - *checkpointed >= checkpoint::PAGES && requests.try_send(()).is_ok() {
            *checkpointed = pages;
        }
    }

    fn finish_checkpoint(&mut self) {
        let pages = self.log.pages.load(Ordering::Relaxed);
        checkpoint::finish(&self.writer.connection, pages);
        self.log.checkpointed = pages;
    }
}
