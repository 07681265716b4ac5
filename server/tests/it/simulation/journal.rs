//! A journal on a faulty disk: calls take a while, fail before or after they are done, and stop when their
//! server crashes. For some time every write may fail, because the disk is full.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use server::journal::{
    Answer, AnswerRecord, Batch, HistoryFilter, HistoryPage, Journal, JournalError, Parts, ReadLimit, Record,
    Retention, Sender, StoredPart,
};
use shared::{
    edit::Commit,
    ids::{Revision, WatchlistId},
    time::Timestamp,
};
use tokio::time::{Instant, sleep};

use super::{
    clock::DAY,
    disk::{Contents, Disk},
    events::{Kind, count},
};

/// How many reads of a thousand fail.
const FAILED_READS: u32 = 30;
/// How many reads of a thousand fail of the parts of a snapshot after the first.
const BROKEN_SNAPSHOTS: u32 = 100;
/// How many writes of a thousand fail before they are done.
const FAILED_WRITES: u32 = 60;
/// How many writes of a thousand are done and reported as failed.
const DONE_AND_FAILED: u32 = 40;
/// Maximum number of commits in a page of a history.
const PAGE_COMMITS: usize = 5;

/// One server's access to the disk.
pub struct SimulatedJournal {
    disk: Arc<Disk>,
    generation: u64,
    started: Instant,
}

fn fault() -> JournalError {
    JournalError::Store("a simulated fault".into())
}

impl SimulatedJournal {
    pub fn new(disk: Arc<Disk>) -> Self {
        Self { generation: disk.generation(), disk, started: Instant::now() }
    }

    /// Fails if the server has crashed.
    fn check_alive(&self) -> Result<(), JournalError> {
        if self.disk.generation() == self.generation { Ok(()) } else { Err(fault()) }
    }

    /// Whether a fault occurs that a thousand calls have so many times.
    fn draw(&self, per_mille: u32) -> bool {
        self.disk.contents().rng.u32(..1_000) < per_mille && self.disk.is_hostile()
    }

    async fn wait(&self) -> Result<(), JournalError> {
        self.check_alive()?;
        let millis = self.disk.contents().rng.u64(..12);
        sleep(Duration::from_millis(millis)).await;
        self.check_alive()
    }

    async fn read(&self) -> Result<(), JournalError> {
        self.wait().await?;
        if self.draw(FAILED_READS) { Err(fault()) } else { Ok(()) }
    }

    async fn read_next_part(&self) -> Result<(), JournalError> {
        self.wait().await?;
        if self.draw(BROKEN_SNAPSHOTS) {
            count(Kind::BrokenSnapshot);
            return Err(fault());
        }
        Ok(())
    }

    async fn write<T>(
        &self,
        write: impl FnOnce(&mut Contents) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.wait().await?;
        if self.draw(FAILED_WRITES) {
            return Err(fault());
        }
        let written = {
            let mut contents = self.disk.contents();
            if contents.is_full() {
                count(Kind::WriteToFullDisk);
                return Err(JournalError::Store("the simulated disk is full".into()));
            }
            write(&mut contents)?
        };
        // What is written is there before its writer knows.
        if self.draw(300) {
            self.wait().await?;
        }
        if self.draw(DONE_AND_FAILED) {
            count(Kind::DoneAndFailed);
            return Err(fault());
        }
        Ok(written)
    }
}

impl Journal for SimulatedJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        // As in the real journal, they are in memory.
        Box::pin(async { self.check_alive().map(|()| self.disk.records()) })
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write(move |contents| contents.create(&record, &first)))
    }

    fn set_deleted(&self, id: WatchlistId, at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(self.write(move |contents| contents.set_deleted(id, at)))
    }

    fn purge(&self, before: Timestamp) -> Answer<'_, Vec<WatchlistId>> {
        Box::pin(async move {
            self.check_alive()?;
            // As in the real journal, nothing is written if there is nothing to erase.
            if !self.disk.contents().has_due(before) {
                return Ok(Vec::new());
            }
            self.write(|contents| Ok(contents.purge(before))).await
        })
    }

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let parts = async move {
            self.read().await?;
            let parts = self.disk.contents().lists.get(&id).map(|list| list.small_parts());
            let parts = parts.unwrap_or_default().into_iter();
            Ok(stream::try_unfold((true, parts), async |(is_first, mut parts)| {
                let Some(part) = parts.next() else { return Ok(None) };
                if !is_first {
                    self.read_next_part().await?;
                }
                Ok(Some((part, (false, parts))))
            }))
        };
        stream::once(parts).try_flatten().boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            self.read().await?;
            let contents = self.disk.contents();
            let Some(list) = contents.lists.get(&id) else { return Ok(Vec::new()) };
            let is_read = |commit: &&Commit| commit.revision > after.max(list.pruned);
            Ok(list.commits.iter().filter(is_read).take(limit.commits).cloned().collect())
        })
    }

    fn history(&self, id: WatchlistId, filter: HistoryFilter) -> Answer<'_, HistoryPage> {
        Box::pin(async move {
            self.read().await?;
            let contents = self.disk.contents();
            let Some(list) = contents.lists.get(&id) else { return Ok(HistoryPage::default()) };
            let before = filter.before.unwrap_or(Revision(u64::MAX));
            let is_found =
                |commit: &&Commit| commit.revision > list.pruned.max(Revision(0)) && commit.revision < before;
            let limit = filter.limit.min(PAGE_COMMITS);
            let mut found: Vec<Commit> =
                list.commits.iter().rev().filter(is_found).take(limit + 1).cloned().collect();
            let has_more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().map(|last| last.revision).filter(|_| has_more);
            Ok(HistoryPage { commits: found, next })
        })
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            self.read().await?;
            let contents = self.disk.contents();
            Ok(contents.lists.get(&id).map(|list| list.answers_of(sender)).unwrap_or_default())
        })
    }

    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(async move {
            let _appending = self.disk.start_append((self.generation, id));
            self.write(|contents| contents.append(id, &batch)).await
        })
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(self.write(move |contents| contents.save_part(id, &part)))
    }

    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()> {
        Box::pin(async move {
            while self.write(|contents| Ok(contents.prune(id, retention))).await? {
                // The first upkeep is at the start of a server.
                if self.started.elapsed() > DAY / 2 {
                    count(Kind::Upkeep);
                }
            }
            Ok(())
        })
    }

    fn expire_answers(&self, _now: Timestamp, _days: u32) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
