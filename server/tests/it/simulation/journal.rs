//! A journal in memory on a hostile disk: writes take a while, fail before or after they were done, and stop
//! when the server that made them dies.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use futures_util::future::BoxFuture;
use server::journal::{
    Answer, AnswerRecord, Batch, HistoryFilter, Journal, JournalError, Most, NewCommit, Record, Sender,
    StoredPart,
};
use shared::{
    edit::{Change, Commit},
    ids::{ClientId, EditId, Revision, WatchlistId},
    limits::Limits,
    time::Timestamp,
    watchlist::{Watchlist, apply::Mode},
};

/// What an edit is known by: one that comes back from a copy may use its number again in another watchlist.
pub type Name = (WatchlistId, ClientId, EditId);

pub struct Disk {
    held: Mutex<Held>,
    generation: AtomicU64,
    hostile: AtomicBool,
}

struct Held {
    rng: Rng,
    lists: BTreeMap<WatchlistId, HeldList>,
}

struct HeldList {
    record: Record,
    first: StoredPart,
    commits: Vec<Commit>,
    answers: BTreeMap<(Sender, EditId), AnswerRecord>,
}

/// One server's way to the disk.
pub struct SimulatedJournal {
    disk: Arc<Disk>,
    generation: u64,
}

impl Disk {
    pub fn new(seed: u64) -> Self {
        let rng = Rng::with_seed(seed ^ 0xD15C);
        let held = Held { rng, lists: BTreeMap::new() };
        Self { held: Mutex::new(held), generation: AtomicU64::new(0), hostile: AtomicBool::new(false) }
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
        self.held().lists[&list].commits.last().map_or(Revision(0), |commit| commit.revision)
    }

    /// Every edit that was committed, over all watchlists, with what it changed; and how many commits there are.
    pub fn edits(&self) -> (BTreeMap<Name, Vec<Change>>, usize) {
        let held = self.held();
        let commits =
            held.lists.iter().flat_map(|(id, list)| list.commits.iter().map(|commit| (*id, commit)));
        let name = |id, commit: &Commit| (id, commit.by.client, commit.by.edit);
        let count = held.lists.values().map(|list| list.commits.len()).sum();
        (commits.map(|(id, commit)| (name(id, commit), commit.changes.clone())).collect(), count)
    }

    /// The state that the commits make, from nothing.
    pub fn replayed(&self, list: WatchlistId) -> Watchlist {
        let held = self.held();
        let first = &held.lists[&list].first.snapshot;
        let mut state = Watchlist::new(&first.name, first.columns.clone(), &Limits::default()).unwrap();
        for commit in &held.lists[&list].commits {
            state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).unwrap();
        }
        state
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap()
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

    /// Takes a while, and perhaps fails.
    async fn access(&self, per_mille_failing: u32) -> Result<(), JournalError> {
        let (wait, fails) = {
            let rng = &mut self.disk.held().rng;
            (rng.u64(..12), rng.u32(..1_000) < per_mille_failing)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let hostile = self.disk.is_hostile();
        if !self.is_alive() || fails && hostile { Err(fault()) } else { Ok(()) }
    }
}

impl Journal for SimulatedJournal {
    fn watchlists(&self) -> Answer<'_, Vec<Record>> {
        Box::pin(async { Ok(self.disk.held().lists.values().map(|list| list.record.clone()).collect()) })
    }

    fn create(&self, record: Record, first: StoredPart) -> Answer<'_, ()> {
        Box::pin(async {
            let (id, commits, answers) = (record.id, Vec::new(), BTreeMap::new());
            self.disk.held().lists.insert(id, HeldList { record, first, commits, answers });
            Ok(())
        })
    }

    fn set_deleted(&self, _id: WatchlistId, _at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(async { Err(fault()) })
    }

    fn purge(&self, _before: Timestamp) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn snapshot(&self, id: WatchlistId) -> Answer<'_, Vec<StoredPart>> {
        Box::pin(async move {
            self.access(30).await?;
            Ok(vec![self.disk.held().lists[&id].first.clone()])
        })
    }

    fn commits(&self, id: WatchlistId, after: Revision, most: Most) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            self.access(30).await?;
            Ok(self.disk.held().lists[&id]
                .commits
                .iter()
                .filter(|commit| commit.revision > after)
                .take(most.commits)
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
            let held = self.disk.held();
            Ok(held.lists[&id].answers.values().filter(|answer| answer.sender == sender).cloned().collect())
        })
    }

    fn append(&self, id: WatchlistId, batch: Batch) -> Answer<'_, ()> {
        Box::pin(async move {
            self.access(60).await?;
            let mut held = self.disk.held();
            let list = held.lists.get_mut(&id).unwrap();
            for NewCommit { commit, .. } in &batch.commits {
                let head = list.commits.last().map_or(0, |commit| commit.revision.0);
                assert_eq!(commit.revision.0, head + 1, "revisions have no gaps");
                let last = list.commits.last().map_or(commit.at, |commit| commit.at);
                assert!(commit.at >= last, "times never go back");
                list.commits.push((**commit).clone());
            }
            for answer in batch.answers {
                let again = list.answers.insert((answer.sender, answer.edit), answer);
                assert!(again.is_none(), "an edit was answered twice");
            }
            // Written, and the server is told that it was not.
            let lies = self.disk.is_hostile() && held.rng.u32(..1_000) < 40;
            if lies { Err(fault()) } else { Ok(()) }
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
