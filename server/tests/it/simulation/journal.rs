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
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use server::journal::{
    Answer, AnswerRecord, Batch, HistoryFilter, HistoryPage, Journal, JournalError, NewCommit, Parts,
    ReadLimit, Record, Retention, Sender, StoredPart,
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
    /// Number of steps in which commits were pruned.
    prunings: AtomicU64,
}

struct Contents {
    rng: Rng,
    lists: BTreeMap<WatchlistId, StoredList>,
}

struct StoredList {
    record: Record,
    /// The parts of the snapshot at revision 0, and of each that was stored later.
    snapshots: BTreeMap<Revision, Vec<StoredPart>>,
    /// Every commit, pruned or not, so that a run can be checked.
    commits: Vec<Commit>,
    /// The last revision that is pruned.
    pruned: Revision,
    /// Digests of the commits that are not folded, and the rejections since.
    tail: Vec<AnswerRecord>,
    /// The folded answers.
    answers: BTreeMap<(Sender, EditId), AnswerRecord>,
}

impl StoredList {
    /// Moves the answers of the tail to where they outlive the commits.
    fn fold(&mut self) {
        for answer in std::mem::take(&mut self.tail) {
            let again = self.answers.insert((answer.sender, answer.edit), answer);
            assert!(again.is_none(), "an edit was answered twice");
        }
    }

    /// Returns the parts of the newest complete snapshot.
    fn newest(&self) -> &[StoredPart] {
        let is_whole = |parts: &&Vec<StoredPart>| parts.len() == parts[0].snapshot.parts;
        self.snapshots.values().rev().find(is_whole).expect("the first snapshot is complete")
    }
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
            prunings: AtomicU64::new(0),
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

    /// Returns the number of steps in which commits were pruned.
    pub fn prunings(&self) -> u64 {
        self.prunings.load(Ordering::SeqCst)
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
        let first = &contents.lists[&list].snapshots[&Revision(0)][0].snapshot;
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
        Box::pin(async move {
            let list = StoredList {
                snapshots: BTreeMap::from([(Revision(0), vec![first])]),
                commits: Vec::new(),
                pruned: Revision(0),
                tail: Vec::new(),
                answers: BTreeMap::new(),
                record: record.clone(),
            };
            self.disk.contents().lists.insert(record.id, list);
            Ok(())
        })
    }

    fn set_deleted(&self, _id: WatchlistId, _at: Option<Timestamp>) -> Answer<'_, ()> {
        Box::pin(async { Err(fault()) })
    }

    fn purge(&self, _before: Timestamp) -> Answer<'_, Vec<WatchlistId>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn snapshot(&self, id: WatchlistId) -> Parts<'_> {
        let parts = async move {
            self.access(30).await?;
            let parts = self.disk.contents().lists[&id].newest().to_vec();
            Ok(stream::iter(parts.into_iter().map(Ok)))
        };
        stream::once(parts).try_flatten().boxed()
    }

    fn commits(&self, id: WatchlistId, after: Revision, limit: ReadLimit) -> Answer<'_, Vec<Commit>> {
        Box::pin(async move {
            self.access(30).await?;
            let contents = self.disk.contents();
            let list = &contents.lists[&id];
            Ok(list
                .commits
                .iter()
                .filter(|commit| commit.revision > after.max(list.pruned))
                .take(limit.commits)
                .cloned()
                .collect())
        })
    }

    fn history(&self, _id: WatchlistId, _filter: HistoryFilter) -> Answer<'_, HistoryPage> {
        Box::pin(async { Ok(HistoryPage::default()) })
    }

    fn answers(&self, id: WatchlistId, sender: Sender) -> Answer<'_, Vec<AnswerRecord>> {
        Box::pin(async move {
            self.access(30).await?;
            let contents = self.disk.contents();
            let list = &contents.lists[&id];
            let answers = list.answers.values().chain(&list.tail);
            let mut answers: Vec<_> = answers.filter(|answer| answer.sender == sender).cloned().collect();
            answers.sort_by_key(|answer| answer.edit);
            Ok(answers)
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
            list.tail.extend(batch.answers.iter().cloned());
            // Written, but reported as failed.
            let reports_failure = self.disk.is_hostile() && contents.rng.u32(..1_000) < 40;
            if reports_failure { Err(fault()) } else { Ok(()) }
        })
    }

    fn save_part(&self, id: WatchlistId, part: StoredPart) -> Answer<'_, ()> {
        Box::pin(async move {
            self.access(60).await?;
            let mut contents = self.disk.contents();
            let parts =
                contents.lists.get_mut(&id).unwrap().snapshots.entry(part.snapshot.revision).or_default();
            // An interrupted snapshot is written again from its start.
            parts.truncate(part.snapshot.part - 1);
            parts.push(part);
            Ok(())
        })
    }

    fn prune(&self, id: WatchlistId, retention: Retention) -> Answer<'_, ()> {
        Box::pin(async move {
            loop {
                self.access(60).await?;
                let mut contents = self.disk.contents();
                let steps = contents.rng.usize(1..20);
                let list = contents.lists.get_mut(&id).unwrap();
                let snapshot = list.newest()[0].snapshot.revision;
                let is_pruned = |commit: &&Commit| {
                    commit.revision > list.pruned
                        && commit.revision < snapshot
                        && commit.at < retention.before
                };
                let Some(last) = list.commits.iter().filter(is_pruned).take(steps).last() else {
                    return Ok(());
                };
                self.disk.prunings.fetch_add(1, Ordering::SeqCst);
                list.pruned = last.revision;
                // Only what is folded is pruned.
                list.fold();
            }
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
