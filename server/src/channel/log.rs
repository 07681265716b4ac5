//! The newest commits of a watchlist, kept in memory for catch-ups and encoded for subscribers.

use std::{collections::VecDeque, sync::Arc};

use shared::{
    conflate::conflate,
    edit::{Change, Commit},
    ids::{Revision, WatchlistId},
    value::Literal,
    wire::server::{Changes, ServerMessage},
};

use crate::{
    dialect::{Dialect, frame::Frame},
    long_work::{self, LONG_CHANGES},
};

/// Maximum size of the commits kept in memory, in approximate bytes once encoded. Decoded they take about
/// twice as much.
const LOG_BYTES: usize = 2 << 20;
/// A message is cut from the log before it exceeds this many bytes; conflation only makes it smaller.
pub(super) const CUT_BYTES: usize = 512 * 1024;

/// The newest commits with their approximate sizes.
pub(super) struct CommitLog {
    commits: VecDeque<(Arc<Commit>, usize)>,
    bytes: usize,
    /// The revision before the oldest commit.
    start: Revision,
    /// Size of all commits that were ever added.
    total: u64,
    /// The last encoded ranges: many connections are at the same revision after they were cut off together.
    frames: Recent<(Revision, Revision, Dialect), Frame>,
    /// The sizes of the last ranges that were conflated to be measured.
    sizes: Recent<(Revision, Revision), usize>,
}

/// Number of results that are kept of each kind.
const MAX_RECENT: usize = 4;

/// The results of the last calls, by what they were for.
struct Recent<K, V>(VecDeque<(K, V)>);

impl<K: PartialEq, V: Clone> Recent<K, V> {
    fn get_or_insert_with(&mut self, key: K, compute: impl FnOnce() -> V) -> V {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        self.0.truncate(MAX_RECENT - 1);
        let value = compute();
        self.0.push_front((key, value.clone()));
        value
    }
}

impl CommitLog {
    /// Creates an empty log of a watchlist at a revision.
    pub(super) fn new(revision: Revision) -> Self {
        let (frames, sizes) = (Recent(VecDeque::new()), Recent(VecDeque::new()));
        Self { commits: VecDeque::new(), bytes: 0, start: revision, total: 0, frames, sizes }
    }

    /// Returns the revision before the oldest commit.
    pub(super) fn start(&self) -> Revision {
        self.start
    }

    /// Returns the newest revision.
    pub(super) fn head(&self) -> Revision {
        Revision(self.start.0 + self.commits.len() as u64)
    }

    /// Returns the size of the commits that were added up to a revision, or of somewhat more of them if those
    /// after it are no longer in memory. Two such sizes tell how much was published in between.
    pub(super) fn total_at(&self, revision: Revision) -> u64 {
        let after =
            if revision >= self.head() { 0 } else { self.bytes_since(revision).unwrap_or(self.bytes) };
        self.total - after as u64
    }

    /// Adds a commit. Old ones are evicted past the size limit, but none after `flushed`.
    pub(super) fn push(&mut self, commit: Arc<Commit>, flushed: Revision) {
        let bytes = approximate_bytes(&commit);
        self.commits.push_back((commit, bytes));
        self.bytes += bytes;
        self.total += bytes as u64;
        while self.bytes > LOG_BYTES && self.start < flushed {
            let Some((_, bytes)) = self.commits.pop_front() else { break };
            self.bytes -= bytes;
            self.start = self.start.next();
        }
    }

    /// Adds commits before the oldest one, if they lead up to it and all fit. Returns whether they are in
    /// memory now.
    pub(super) fn extend_back(&mut self, commits: &[Commit]) -> bool {
        let older: Vec<_> = commits.iter().filter(|commit| commit.revision <= self.start).collect();
        if older.last().is_none_or(|last| last.revision != self.start) {
            return false;
        }
        let sizes: Vec<usize> = older.iter().map(|commit| approximate_bytes(commit)).collect();
        let bytes: usize = sizes.iter().sum();
        if self.bytes + bytes > LOG_BYTES {
            return false;
        }
        for (commit, bytes) in older.into_iter().zip(sizes).rev() {
            self.commits.push_front((Arc::new(commit.clone()), bytes));
            self.start = Revision(self.start.0 - 1);
        }
        self.bytes += bytes;
        true
    }

    /// Returns the size of the commits after a revision, if all of them are in memory.
    pub(super) fn bytes_since(&self, revision: Revision) -> Option<usize> {
        self.since(revision).map(|commits| commits.map(|(_, bytes)| bytes).sum())
    }

    /// Returns the size of the commits after a revision once conflated, if all of them are in memory.
    pub(super) fn conflated_bytes_since(&mut self, revision: Revision) -> Option<usize> {
        let commits: Vec<Arc<Commit>> = self.since(revision)?.map(|(commit, _)| commit.clone()).collect();
        let range = (revision, self.head());
        Some(self.sizes.get_or_insert_with(range, || conflated_bytes(&commits)))
    }

    /// Returns the revision at which a message that starts after `from` ends.
    pub(super) fn cut(&self, from: Revision) -> Revision {
        let sizes = self.since(from).into_iter().flatten().map(|(_, bytes)| *bytes);
        Revision(from.0 + fitting(sizes) as u64)
    }

    /// Encodes the commits of a range as one message.
    pub(super) fn frame(
        &mut self,
        watchlist: WatchlistId,
        (from, to): (Revision, Revision),
        dialect: Dialect,
    ) -> Option<Frame> {
        let commits: Vec<Arc<Commit>> = self
            .since(from)?
            .map(|(commit, _)| commit.clone())
            .take_while(|commit| commit.revision <= to)
            .collect();
        let encode = || changes_frame(watchlist, from, &commits, dialect);
        Some(self.frames.get_or_insert_with((from, to, dialect), encode))
    }

    fn since(&self, revision: Revision) -> Option<impl Iterator<Item = &(Arc<Commit>, usize)>> {
        let skip = revision.0.checked_sub(self.start.0)?;
        let skip = usize::try_from(skip).ok().filter(|skip| *skip <= self.commits.len())?;
        Some(self.commits.range(skip..))
    }
}

/// Encodes commits after `from`, conflated, as one message.
pub(super) fn changes_frame<C: std::borrow::Borrow<Commit> + Sync>(
    watchlist: WatchlistId,
    from: Revision,
    commits: &[C],
    dialect: Dialect,
) -> Frame {
    let to = commits.last().map_or(from, |commit| commit.borrow().revision);
    let before: usize = commits.iter().map(|commit| commit.borrow().changes.len()).sum();
    long_work::run(before >= LONG_CHANGES, || {
        let kept = conflate(commits);
        let after: usize = kept.iter().map(|commit| commit.changes.len()).sum();
        let conflated = after < before || kept.len() < commits.len();
        dialect.encode(&ServerMessage::Changes(Changes { watchlist, from, to, conflated, commits: kept }))
    })
}

/// Returns how many of the commits fit into one message, at least one.
pub(super) fn fitting_count(commits: &[Commit]) -> usize {
    fitting(commits.iter().map(approximate_bytes))
}

/// Returns how many items of these sizes fit into one message, at least one.
fn fitting(sizes: impl Iterator<Item = usize>) -> usize {
    let mut bytes = 0;
    let fits = |(index, size): &(usize, usize)| {
        bytes += size;
        *index == 0 || bytes <= CUT_BYTES
    };
    sizes.enumerate().take_while(fits).count()
}

/// Returns the approximate size of commits once conflated and encoded.
pub(super) fn conflated_bytes<C: std::borrow::Borrow<Commit>>(commits: &[C]) -> usize {
    conflate(commits).iter().map(approximate_bytes).sum()
}

/// Estimates the bytes of a commit once encoded.
fn approximate_bytes(commit: &Commit) -> usize {
    let literal_bytes = |literal: &Literal| if let Literal::Text(text) = literal { text.len() } else { 4 };
    let change = |change: &Change| match change {
        Change::Set(set) => literal_bytes(&set.value),
        Change::Insert(insert) => {
            insert.cells.iter().map(|(key, literal)| key.0.len() + 8 + literal_bytes(literal)).sum()
        }
        Change::SetColumn(_) | Change::AddColumn(_) => 8 * 1024,
        Change::Move(_)
        | Change::Remove(_)
        | Change::RemoveColumn(_)
        | Change::RestoreColumn(_)
        | Change::Rename(_) => 256,
    };
    128 + commit.changes.iter().map(|step| 96 + change(step)).sum::<usize>()
}
