//! What happens in a run: how often each kind of event occurs, and a hash over everything that clients,
//! callers and the disk observe, by which two runs can be compared. Each thread simulates one run at a time.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Once,
};

use super::clock::now;

/// Kinds of events that a simulation has to contain often, or it tests less than it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An edit of a client was accepted.
    Accepted,
    /// The role of a person on a watchlist was changed or taken away.
    ChangedRole,
    /// An edit was rejected because the role of its author did not suffice.
    Forbidden,
    /// The server crashed.
    Crash,
    /// A watchlist was deleted.
    Deletion,
    /// A watchlist was restored.
    Restoration,
    /// A watchlist was created while others were edited.
    Creation,
    /// A deleted watchlist was erased.
    Purge,
    /// A client kept an edit of a watchlist that was deleted, and it was accepted once the watchlist was
    /// restored.
    KeptWhileDeleted,
    /// An edit was rejected because its watchlist was deleted.
    UnknownWatchlist,
    /// A caller dropped a call before it was done.
    AbandonedCall,
    /// An edit of a caller was accepted.
    AcceptedCall,
    /// Many clients connected at once.
    Herd,
    /// A client resumed from a revision that was older than the start of a herd.
    OldRevision,
    /// The disk became full.
    FullDisk,
    /// A write failed because the disk was full.
    WriteToFullDisk,
    /// A write was done and reported as failed.
    DoneAndFailed,
    /// A read failed after the first part of a snapshot.
    BrokenSnapshot,
    /// Commits were pruned.
    Pruning,
    /// Commits were pruned by the daily upkeep of a running server.
    Upkeep,
}

/// The events of a run.
#[derive(Default)]
pub(super) struct Events {
    hasher: DefaultHasher,
    /// How often each kind occurred.
    pub(super) counts: BTreeMap<Kind, u64>,
    panics: u64,
}

thread_local! {
    static EVENTS: RefCell<Events> = RefCell::default();
}

/// Forgets the events of the run before. From now on panics are counted, those of tasks included.
pub(super) fn start() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            EVENTS.with_borrow_mut(|events| events.panics += 1);
            print(panic);
        }));
    });
    EVENTS.take();
}

/// Counts an event.
pub(super) fn count(kind: Kind) {
    EVENTS.with_borrow_mut(|events| *events.counts.entry(kind).or_default() += 1);
}

/// Adds an event to the hash, with the time at which it occurs.
pub(super) fn record(event: impl Hash) {
    EVENTS.with_borrow_mut(|events| (now().as_millis(), event).hash(&mut events.hasher));
}

/// Returns the number of panics since the start.
pub(super) fn panics() -> u64 {
    EVENTS.with_borrow(|events| events.panics)
}

/// Returns the events since the start.
pub(super) fn finish() -> Events {
    EVENTS.take()
}

impl Events {
    /// Returns the hash.
    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
