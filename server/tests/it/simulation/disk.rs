//! What is stored in a run, and the checks of everything that is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use fastrand::Rng;
use server::journal::{
    AnswerRecord, Batch, JournalError, NewCommit, Record, Retention, Sender, StoredPart, Verdict,
};
use shared::{
    edit::{Change, Commit},
    ids::{At, ClientId, EditId, Revision, WatchlistId},
    limits::Limits,
    time::Timestamp,
    watchlist::{Frozen, Watchlist, apply::Mode},
    wire::snapshot::SnapshotRow,
};
use tokio::time::Instant;

use super::{
    LISTS,
    events::{Kind, count, record},
};

/// Identifies an edit. The watchlist is part of it, because a client restored from a copy may reuse a number
/// in another one.
pub type Name = (WatchlistId, ClientId, EditId);

/// Maximum number of rows in a part of a snapshot as it is read.
const PART_ROWS: usize = 1;

/// A disk that outlives the servers that use it.
pub struct Disk {
    contents: Mutex<Contents>,
    generation: AtomicU64,
    hostile: AtomicBool,
}

/// What is on the disk.
pub struct Contents {
    pub rng: Rng,
    pub lists: BTreeMap<WatchlistId, StoredList>,
    /// Number of watchlists that were created.
    created: u64,
    /// Until when every write fails.
    pub full_until: Option<Instant>,
    /// The watchlists that are being appended to, and the server of each.
    appending: BTreeSet<(u64, WatchlistId)>,
    /// Why batches were refused. Only a room that is not alone writes such a batch.
    refused: Vec<String>,
}

/// A stored watchlist.
pub struct StoredList {
    pub record: Record,
    /// Number of watchlists that were created before.
    age: u64,
    /// The parts of the snapshot at revision 0, and of each that was stored later.
    snapshots: BTreeMap<Revision, Vec<StoredPart>>,
    /// Every commit, pruned or not, so that a run can be checked.
    pub commits: Vec<Commit>,
    /// The last revision that is pruned.
    pub pruned: Revision,
    /// Digests of the commits that are not folded, and the rejections since.
    tail: Vec<AnswerRecord>,
    /// The folded answers.
    answers: BTreeMap<(Sender, EditId), AnswerRecord>,
}

/// Ends an append when it is dropped.
pub struct Appending {
    disk: Arc<Disk>,
    name: (u64, WatchlistId),
}

impl Drop for Appending {
    fn drop(&mut self) {
        self.disk.contents().appending.remove(&self.name);
    }
}

/// Returns the rows in order, in a form that is readable in a failure message.
pub fn rows_of(frozen: &Frozen) -> Vec<SnapshotRow> {
    frozen.rows().map(|row| SnapshotRow::stored(frozen, row)).collect()
}

impl Disk {
    pub fn new(seed: u64) -> Self {
        let contents = Contents {
            rng: Rng::with_seed(seed ^ 0xD15C),
            lists: BTreeMap::new(),
            created: 0,
            full_until: None,
            appending: BTreeSet::new(),
            refused: Vec::new(),
        };
        Self {
            contents: Mutex::new(contents),
            generation: AtomicU64::new(0),
            hostile: AtomicBool::new(false),
        }
    }

    /// Sets whether the disk and the network are faulty.
    pub fn set_hostile(&self, hostile: bool) {
        self.hostile.store(hostile, Ordering::SeqCst);
        self.contents().full_until = None;
    }

    pub fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::SeqCst)
    }

    /// Returns the number of the server that may use the disk.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Takes the disk away from the server that uses it.
    pub fn next_generation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Makes every write fail until a time.
    pub fn fill_until(&self, until: Instant) {
        count(Kind::FullDisk);
        self.contents().full_until = Some(until);
    }

    /// Records that a room writes a watchlist. Each server has at most one for each watchlist.
    pub fn start_append(self: &Arc<Self>, name: (u64, WatchlistId)) -> Appending {
        assert!(self.contents().appending.insert(name), "two rooms write a watchlist at once");
        Appending { disk: self.clone(), name }
    }

    /// Fails if a batch was refused.
    pub fn assert_none_refused(&self) {
        assert_eq!(self.contents().refused, Vec::<String>::new(), "a room that is alone knows the revision");
    }

    /// Returns every watchlist, oldest first.
    pub fn records(&self) -> Vec<Record> {
        let contents = self.contents();
        let mut lists: Vec<_> = contents.lists.values().collect();
        lists.sort_by_key(|list| list.age);
        lists.into_iter().map(|list| list.record.clone()).collect()
    }

    /// Returns the epoch and the newest revision of a watchlist.
    pub fn at(&self, list: WatchlistId) -> Option<At> {
        let contents = self.contents();
        let record = &contents.lists.get(&list)?.record;
        Some(At { epoch: record.epoch, revision: record.revision })
    }

    /// Whether a watchlist exists and is not deleted.
    pub fn is_living(&self, list: WatchlistId) -> bool {
        self.contents().lists.get(&list).is_some_and(|list| list.record.deleted_at.is_none())
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

    /// Returns the state after replaying the commits up to a revision from the start.
    pub fn replayed(&self, list: WatchlistId, to: Revision) -> Watchlist {
        let contents = self.contents();
        let first = &contents.lists[&list].snapshots[&Revision(0)][0].snapshot;
        let mut state = Watchlist::new(&first.name, first.columns.clone(), &Limits::default()).unwrap();
        for commit in contents.lists[&list].commits.iter().take_while(|commit| commit.revision <= to) {
            state.apply(&commit.changes, &Mode::Confirmed { at: commit.at }).unwrap();
        }
        state
    }

    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Whether every write fails.
    pub fn is_full(&self) -> bool {
        self.full_until.is_some_and(|until| Instant::now() < until)
    }

    fn list(&mut self, id: WatchlistId) -> Result<&mut StoredList, JournalError> {
        let missing = || JournalError::Damaged(format!("watchlist {id} does not exist"));
        self.lists.get_mut(&id).ok_or_else(missing)
    }

    /// Adds a watchlist.
    pub fn create(&mut self, created: &Record, first: &StoredPart) -> Result<(), JournalError> {
        let list = StoredList {
            record: created.clone(),
            age: self.created,
            snapshots: BTreeMap::from([(Revision(0), vec![first.clone()])]),
            commits: Vec::new(),
            pruned: Revision(0),
            tail: Vec::new(),
            answers: BTreeMap::new(),
        };
        if self.lists.contains_key(&created.id) {
            return Err(JournalError::Store("there is a watchlist with this id".into()));
        }
        self.created += 1;
        if self.created > LISTS.len() as u64 {
            count(Kind::Creation);
        }
        self.lists.insert(created.id, list);
        record(("created", created.id));
        Ok(())
    }

    /// Marks a watchlist as deleted or restored.
    pub fn set_deleted(&mut self, id: WatchlistId, at: Option<Timestamp>) -> Result<(), JournalError> {
        let list = self.list(id)?;
        if list.record.deleted_at.is_some() != at.is_some() {
            count(if at.is_some() { Kind::Deletion } else { Kind::Restoration });
        }
        list.record.deleted_at = at;
        record(("deleted", id, at.map(Timestamp::as_millis)));
        Ok(())
    }

    /// Whether a watchlist was deleted before a time.
    pub fn has_due(&self, before: Timestamp) -> bool {
        self.lists.values().any(|list| list.is_due(before))
    }

    /// Erases the watchlists that were deleted before a time.
    pub fn purge(&mut self, before: Timestamp) -> Vec<WatchlistId> {
        let due: Vec<_> =
            self.lists.iter().filter(|(_, list)| list.is_due(before)).map(|(id, _)| *id).collect();
        for id in &due {
            count(Kind::Purge);
            self.lists.remove(id);
        }
        record(("purged", &due));
        due
    }

    /// Writes a batch, if the watchlist is as its writer expects.
    pub fn append(&mut self, id: WatchlistId, batch: &Batch) -> Result<(), JournalError> {
        let refused = match self.lists.get_mut(&id) {
            None => Some("it does not exist".to_owned()),
            Some(list) if list.record.deleted_at.is_some() => Some("it is deleted".to_owned()),
            Some(list) if list.record.revision != batch.expected => {
                Some(format!("it is at revision {} instead of {}", list.record.revision, batch.expected))
            }
            Some(list) => {
                list.append(batch);
                let times = batch.commits.iter().map(|new| (new.commit.revision, new.commit.at.as_millis()));
                record(("appended", id, times.collect::<Vec<_>>(), batch.answers.len()));
                None
            }
        };
        let Some(why) = refused else { return Ok(()) };
        self.refused.push(format!("watchlist {id}: {why}"));
        Err(JournalError::Refused(why))
    }

    /// Writes a part of a snapshot.
    pub fn save_part(&mut self, id: WatchlistId, part: &StoredPart) -> Result<(), JournalError> {
        let parts = self.list(id)?.snapshots.entry(part.snapshot.revision).or_default();
        // An interrupted snapshot is written again from its start.
        parts.truncate(part.snapshot.part - 1);
        parts.push(part.clone());
        Ok(())
    }

    /// Deletes a few of the oldest commits that are not kept. Returns whether there may be more.
    pub fn prune(&mut self, id: WatchlistId, retention: Retention) -> bool {
        let steps = self.rng.usize(1..20);
        let Some(list) = self.lists.get_mut(&id) else { return false };
        let snapshot = list.newest()[0].snapshot.revision;
        let beyond = Revision(list.record.revision.0.saturating_sub(retention.commits));
        let is_pruned = |commit: &&Commit| {
            commit.revision > list.pruned
                && commit.revision < snapshot
                && (commit.at < retention.before || commit.revision <= beyond)
        };
        let Some(last) = list.commits.iter().filter(is_pruned).take(steps).last() else { return false };
        count(Kind::Pruning);
        list.pruned = last.revision;
        // Only what is folded is pruned.
        list.fold();
        record(("pruned", id, list.pruned));
        true
    }
}

impl StoredList {
    /// Whether it was deleted before a time.
    fn is_due(&self, before: Timestamp) -> bool {
        self.record.deleted_at.is_some_and(|at| at < before)
    }

    fn append(&mut self, batch: &Batch) {
        for NewCommit { commit, .. } in &batch.commits {
            let head = self.commits.last().map_or(0, |commit| commit.revision.0);
            assert_eq!(commit.revision.0, head + 1, "revisions have no gaps");
            let last = self.commits.last().map_or(commit.at, |commit| commit.at);
            assert!(commit.at >= last, "times never go back");
            self.commits.push((**commit).clone());
        }
        let accepted = batch.answers.iter().filter(|answer| matches!(answer.verdict, Verdict::Accepted(_)));
        assert_eq!(accepted.count(), batch.commits.len(), "every commit has an answer");
        self.tail.extend(batch.answers.iter().cloned());
        let head = self.commits.last().map_or(Revision(0), |commit| commit.revision);
        (self.record.revision, self.record.name, self.record.rows) = (head, batch.name.clone(), batch.rows);
    }

    /// Moves the answers of the tail to where they outlive the commits.
    fn fold(&mut self) {
        for answer in std::mem::take(&mut self.tail) {
            let again = self.answers.insert((answer.sender, answer.edit), answer);
            assert!(again.is_none(), "an edit was answered twice");
        }
    }

    /// Returns the answers to a sender's edits, ordered by edit.
    pub fn answers_of(&self, sender: Sender) -> Vec<AnswerRecord> {
        let answers = self.answers.values().chain(&self.tail);
        let mut answers: Vec<_> = answers.filter(|answer| answer.sender == sender).cloned().collect();
        answers.sort_by_key(|answer| answer.edit);
        answers
    }

    /// Returns the parts of the newest complete snapshot.
    fn newest(&self) -> &[StoredPart] {
        let is_whole = |parts: &&Vec<StoredPart>| parts.len() == parts[0].snapshot.parts;
        self.snapshots.values().rev().find(is_whole).expect("the first snapshot is complete")
    }

    /// Returns the newest complete snapshot in parts of a few rows.
    pub fn small_parts(&self) -> Vec<StoredPart> {
        let first = &self.newest()[0].snapshot;
        let rows: Vec<_> = self.newest().iter().flat_map(|part| &part.snapshot.rows).cloned().collect();
        let authors = self.newest().iter().flat_map(|part| &part.authors);
        let authors: BTreeMap<_, _> = authors.cloned().collect();
        let parts = rows.len().div_ceil(PART_ROWS).max(1);
        let part = |index: usize| {
            let rows = rows.iter().skip(index * PART_ROWS).take(PART_ROWS);
            let authors = rows.clone().filter_map(|row| Some((row.row, authors.get(&row.row)?.clone())));
            let (authors, rows) = (authors.collect(), rows.cloned().collect());
            let mut snapshot = first.clone();
            (snapshot.part, snapshot.parts, snapshot.rows) = (index + 1, parts, rows);
            StoredPart { snapshot, authors }
        };
        (0..parts).map(part).collect()
    }
}
