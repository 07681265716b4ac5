//! A journal in memory on a faulty disk: writes take a while, fail before or after they are done, and stop
//! when their server crashes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::{StreamExt, future::BoxFuture, stream};
use server::journal::{
    Answer, AnswerRecord, Batch, HistoryFilter, Journal, JournalError, NewCommit, Parts, ReadLimit, Record,
    Sender, StoredPart,
};
use shared::{
    edit::{Change, Commit},
    ids::{ClientId, EditId, Revision, WatchlistId},
    limits::Limits,
    time::Timestamp,
    watchlist::{Watchlist, apply::Mode},
};

/// Identifies an edit. The watchlist is part of it, because a client restored from a copy may reuse a number
/// in another one.
pub type Name = (WatchlistId, ClientId, EditId);

pub struct Disk {
    contents: Mutex<Contents>,
    generation: AtomicU64,
    hostile: AtomicBool,
}

struct Contents {
    rng: Rng,
    lists: BTreeMap<WatchlistId, StoredList>,
}

struct StoredList {
    record: Record,
    first: StoredPart,
    commits: Vec<Commit>,
    answers: BTreeMap<(Sender, EditId), AnswerRecord>,
}

/// One server's access to the disk.
pub struct SimulatedJournal {
    disk: Arc<Disk>,
    generation: u64,
}

impl Disk {
    pub fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed ^ 0xD15C);
        let contents = Contents { rng, lists: BTreeMap::new() };
        Self {
            contents: Mutex::new(contents),
            generation: AtomicU64::new(0),
            hostile: AtomicBool::new(false),
        }
    }

    pub fn set_hostile(&self, hostile: bool) {
        self.hostile.store(hostile, Ordering::SeqCst);
    }

    pub fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::SeqCst)
    }

    pub fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    pub fn head(&self, list: WatchlistId) -> Revision {
        self.contents().lists[&list].commits.last().map_or(Revision(0), |commit| commit.revision)
    }

    /// Returns every committed edit of all watchlists with its changes, and the number of commits.
    pub fn edits(&self) -> (BTreeMap<Name, Vec<Change>>, usize) {
        let contents = self.contents();
        let commits =
            contents.lists.iter().flat_map(|(id, list)| list.commits.iter().map(|commit| (*id, commit)));
        let name = |id, commit: &Commit| (id, commit.by.client, commit.by.edit);
        let count = contents.lists.values().map(|list| list.commits.len()).sum();
        (commits.map(|(id, commit)| (name(id, commit), commit.changes.clone())).collect(), count)
    }

    /// Returns the state after replaying all commits from the start.
    pub fn replayed(&self, list: WatchlistId) -> Watchlist {
        let contents = self.contents();
        let first = &contents.lists[&list].first.snapshot;
        let mut state = Watchlist::new(&first.name, first.columns.clone(), &Limits::default()).unwrap();
        for commit in &contents.lists[&list].commits {
            state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).unwrap();
        }
        state
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }
}

fn fault() -> JournalError {
    JournalError::Store("a simulated fault".into())
}

impl SimulatedJournal {
    pub fn new(disk: Arc<Disk>) -> Self {
        let generation = disk.generation.load(Ordering::SeqCst);
        Self { disk, generation }
    }

    fn is_alive(&self) -> bool {
        self.disk.generation.load(Ordering::SeqCst) == self.generation
    }

    /// Waits for a while, and may fail.
    async fn access(&self, failures_per_mille: u32) -> Result<(), JournalError> {
        let (wait, fails) = {
            let rng = &mut self.disk.contents().rng;
            (rng.u64(..12), rng.u32(..1_000) < failures_per_mille)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let hostile = self.disk.is_hostile();
        if !self.is_alive() || fails && hostile { Err(fault()) } else { Ok(()) }
    }
}

impl Journal for SimulatedJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(async { Ok(self.disk.contents().lists.values().map(|list| list.record.clone()).collect()) })
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(async {
            let (id, commits, answers) = (record.id, Vec::new(), BTreeMap::new());
            self.disk.contents().lists.insert(id, StoredList { record, first, commits, answers });
            Ok(())
        })
    }

    fn set_deleted(&self, _id: WatchlistId, _at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(async { Err(fault()) })
    }

    fn purge(&self, _before: Timestamp) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let first = async move {
            self.access(30).await?;
            Ok(self.disk.contents().lists[&id].first.clone())
        };
        stream::once(first).boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            self.access(30).await?;
            Ok(self.disk.contents().lists[&id]
                .commits
                .iter()
                .filter(|commit| commit.revision > after)
                .take(limit.commits)
                .cloned()
                .collect())
        })
    }

    fn history(&self, _id: WatchlistId, _filter: HistoryFilter) -> Answer<'_, Vec<Commit>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            self.access(30).await?;
            let contents = self.disk.contents();
            Ok(contents.lists[&id]
                .answers
                .values()
                .filter(|answer| answer.sender == sender)
                .cloned()
                .collect())
        })
    }

    fn append(&self, id: WatchlistId, batch: Arc<Batch>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.access(60).await?;
            let mut contents = self.disk.contents();
            let list = contents.lists.get_mut(&id).unwrap();
            let head = list.commits.last().map_or(Revision(0), |commit| commit.revision);
            assert_eq!(batch.expected, head, "a room that is alone knows the revision");
            for NewCommit { commit, .. } in &batch.commits {
                let head = list.commits.last().map_or(0, |commit| commit.revision.0);
                assert_eq!(commit.revision.0, head + 1, "revisions have no gaps");
                let last = list.commits.last().map_or(commit.at, |commit| commit.at);
                assert!(commit.at >= last, "times never go back");
                list.commits.push((**commit).clone());
            }
            for answer in batch.answers.iter().cloned() {
                let again = list.answers.insert((answer.sender, answer.edit), answer);
                assert!(again.is_none(), "an edit was answered twice");
            }
            // Written, but reported as failed.
            let reports_failure = self.disk.is_hostile() && contents.rng.u32(..1_000) < 40;
            if reports_failure { Err(fault()) } else { Ok(()) }
        })
    }

    fn save_part(&self, _id: WatchlistId, _part: StoredPart) -> Answer<'_, ()> {
        Box::pin(async { Err(fault()) })
    }

    fn prune(&self, _id: WatchlistId, _before: Timestamp, _keep: u64) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn ready(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
