//! A journal on disk whose calls fail, wait or panic as a test says.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use futures_util::{StreamExt, TryFutureExt, future::BoxFuture};
use server::journal::{
    Answer, AnswerRecord, Batch, HistoryFilter, HistoryPage, Journal, JournalError, Parts, ReadLimit, Record,
    Retention, Sender, StoredPart, sqlite::SqliteJournal,
};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    time::Timestamp,
};
use tokio::sync::Semaphore;

/// What a call does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It succeeds.
    None,
    /// It changes nothing and reports an error.
    Fails,
    /// It succeeds and reports an error.
    SucceedsAndReportsAnError,
    /// It waits until the test adds a permit to `resume`, and succeeds.
    Waits,
    /// It panics, and so does the task of its caller.
    Panics,
}

/// The faults of the next calls of one kind. Calls after them succeed.
pub type Faults = Mutex<VecDeque<Fault>>;

/// A journal whose calls fail as a test says.
pub struct FailingJournal {
    inner: SqliteJournal,
    pub appends: Faults,
    pub snapshots: Faults,
    pub answers: Faults,
    pub creations: Faults,
    pub deletions: Faults,
    /// Lets calls continue that wait.
    pub resume: Semaphore,
}

impl FailingJournal {
    /// Opens the journal of a data folder.
    pub async fn open(data_dir: &Path) -> Arc<Self> {
        let inner = SqliteJournal::open(data_dir).await.unwrap();
        let faults = Faults::default;
        Arc::new(Self {
            inner,
            appends: faults(),
            snapshots: faults(),
            answers: faults(),
            creations: faults(),
            deletions: faults(),
            resume: Semaphore::new(0),
        })
    }

    pub fn fail(&self, faults: impl Fn(&Self) -> &Faults, sequence: &[Fault]) {
        faults(self).lock().unwrap().extend(sequence);
    }

    async fn call<T>(
        &self,
        faults: &Faults,
        call: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let fault = faults.lock().unwrap().pop_front().unwrap_or(Fault::None);
        let error = || JournalError::Store("a fault of the test".into());
        match fault {
            Fault::None => call.await,
            Fault::Fails => Err(error()),
            Fault::SucceedsAndReportsAnError => call.await.and_then(|_result| Err(error())),
            Fault::Waits => {
                self.resume.acquire().await.unwrap().forget();
                call.await
            }
            Fault::Panics => panic!("a fault of the test"),
        }
    }
}

impl Journal for FailingJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        self.inner.watchlists()
    }
    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.call(&self.creations, self.inner.create(record, first)))
    }
    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(self.call(&self.deletions, self.inner.set_deleted(id, at)))
    }
    fn purge(&self, before: Timestamp) -> Answer<'_, Vec<WatchlistId>> {
        self.inner.purge(before)
    }
    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let opened = self.call(&self.snapshots, async move { Ok(self.inner.snapshot(id)) });
        opened.try_flatten_stream().boxed()
    }
    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        self.inner.commits(id, after, limit)
    }
    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, HistoryPage> {
        self.inner.history(id, filter)
    }
    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(self.call(&self.answers, self.inner.answers(id, sender)))
    }
    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(self.call(&self.appends, self.inner.append(id, batch)))
    }
    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        self.inner.save_part(id, part)
    }
    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()> {
        self.inner.prune(id, retention)
    }
    fn expire_answers(&self, now: Timestamp, days: u32) -> Answer<'_, ()> {
        self.inner.expire_answers(now, days)
    }
    fn ready(&self) -> Answer<'_, ()> {
        self.inner.ready()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close()
    }
}
