//! The watchlists of this server. The hub starts the room and the channel of each and joins them. A call on a person's behalf
//! carries the caller, and is refused if the caller may not make it.

mod open_list;
mod source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::{
    column::{Column, standard_columns},
    edit::Commit,
    ids::{At, Epoch, Revision, WatchlistId},
    rejection::{Code, Rejection},
    time::Timestamp,
    watchlist::Watchlist,
    wire::{
        server::{DeletedSummary, Summary},
        snapshot::Snapshot,
    },
};
use tokio::sync::watch;
use tracing::error;
use uuid::Uuid;

pub use self::open_list::OpenList;
use self::open_list::Running;
use crate::{
    access::{self, Action, Caller},
    journal::{HistoryFilter, JournalError, Record, StoredPart},
    room::{Live, RoomContext},
    unavailable::Unavailable,
};

/// Finds watchlists, starts them, and creates, deletes and restores watchlists.
pub struct Hub {
    context: RoomContext,
    entries: Mutex<Vec<Entry>>,
    changed: watch::Sender<()>,
    /// Serialises creating, deleting and restoring.
    managing: tokio::sync::Mutex<()>,
}

struct Entry {
    id: WatchlistId,
    epoch: Epoch,
    live: Arc<Live>,
    running: Option<Running>,
    deleted: Option<Deletion>,
}

#[derive(Clone)]
struct Deletion {
    at: Timestamp,
    /// Name of the account that deleted it; unknown after a restart.
    by: Option<Arc<str>>,
}

impl Hub {
    /// Reads the watchlists of the journal. Those that were deleted long enough ago are purged.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn open(context: RoomContext) -> Result<Self, JournalError> {
        let day = 24 * 60 * 60 * 1000;
        let kept = i64::from(context.settings.deleted_days) * day;
        let before = Timestamp::from_millis((context.clock)().as_millis() - kept);
        context.journal.purge(before).await?;
        let records = context.journal.watchlists().await?;
        prune_all(&context, &records);
        let entries = records.into_iter().map(|record| Entry {
            id: record.id,
            epoch: record.epoch,
            live: Arc::new(Live::new(record.name, record.revision, record.rows)),
            running: None,
            deleted: record.deleted_at.map(|at| Deletion { at, by: None }),
        });
        let changed = context.renamed.clone();
        Ok(Self {
            entries: Mutex::new(entries.collect()),
            context,
            changed,
            managing: tokio::sync::Mutex::default(),
        })
    }

    /// Returns the watchlists that the caller sees, oldest first.
    pub fn list(&self, caller: &Caller) -> Vec<Summary> {
        let entries = self.entries();
        let shown = entries.iter().filter(|entry| entry.deleted.is_none() && is_visible(caller));
        shown
            .map(|entry| {
                let (name, revision, rows) = entry.live.get();
                Summary { watchlist: entry.id, name, revision, rows }
            })
            .collect()
    }

    /// Returns the deleted watchlists that the caller may restore, last deleted first.
    pub fn deleted(&self, caller: &Caller) -> Vec<DeletedSummary> {
        if !access::is_allowed(caller, Action::Delete, Some(caller.list_role())) {
            return Vec::new();
        }
        let entries = self.entries();
        let mut list: Vec<DeletedSummary> = entries
            .iter()
            .filter_map(|entry| {
                let Deletion { at, by } = entry.deleted.clone()?;
                let (name, _, rows) = entry.live.get();
                Some(DeletedSummary { watchlist: entry.id, name, deleted_at: at, by, rows })
            })
            .collect();
        list.sort_by_key(|deleted| std::cmp::Reverse(deleted.deleted_at));
        list
    }

    /// Returns a receiver that is notified when a watchlist is created, renamed, deleted or restored.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Opens a watchlist that the caller sees, and starts it if it is not running.
    ///
    /// # Errors
    /// `unknownWatchlist`, also for a watchlist that the caller may not see.
    pub fn connect(&self, caller: &Caller, id: WatchlistId) -> Result<OpenList, Rejection> {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|entry| entry.id == id && entry.deleted.is_none());
        let entry = entry.filter(|_| is_visible(caller)).ok_or_else(|| unknown(id))?;
        if let Some(running) = entry.running.as_ref().filter(|running| !running.is_gone()) {
            return Ok(running.open(caller));
        }
        let running = Running::start(&self.context, (id, entry.epoch), entry.live.clone());
        Ok(entry.running.insert(running).open(caller))
    }

    /// Creates a watchlist. Nothing happens if there is one with that id: the request is a repeat.
    ///
    /// # Errors
    /// `forbidden`, a rejection of the name or the columns, or `unavailable` if it cannot be stored.
    pub async fn create(
        &self,
        caller: &Caller,
        id: Option<WatchlistId>,
        name: &str,
        columns: Option<Vec<Column>>,
    ) -> Result<WatchlistId, Rejection> {
        caller.check_create()?;
        let _managing = self.managing.lock().await;
        let id = id.unwrap_or_else(|| WatchlistId(Uuid::now_v7()));
        match self.entries().iter().find(|entry| entry.id == id) {
            Some(entry) if entry.deleted.is_some() => {
                return Err(Rejection::new(
                    Code::UnknownWatchlist,
                    format!("watchlist {id} was deleted; restore it"),
                ));
            }
            Some(_) => return Ok(id),
            None => {}
        }
        let columns = columns.unwrap_or_else(standard_columns);
        let watchlist = Watchlist::new(name, columns, &self.context.settings.limits)?;
        let epoch = Epoch(Uuid::new_v4());
        let at = At { epoch, revision: Revision(0) };
        let part = Snapshot::parts(&watchlist.freeze(), id, at, usize::MAX).next();
        let snapshot = part.expect("a snapshot has at least one part");
        let record =
            Record { id, epoch, name: name.into(), revision: Revision(0), rows: 0, deleted_at: None };
        let first = StoredPart { snapshot, authors: Vec::new() };
        if let Err(error) = self.context.journal.create(record, first).await {
            // A write that was reported as failed may be stored nevertheless.
            let stored = self.context.journal.watchlists().await.unwrap_or_default();
            if !stored.iter().any(|record| record.id == id) {
                return Err(unavailable(&error));
            }
        }
        let live = Arc::new(Live::new(name.into(), Revision(0), 0));
        self.entries().push(Entry { id, epoch, live, running: None, deleted: None });
        self.changed.send_replace(());
        Ok(id)
    }

    /// Deletes a watchlist. It can be restored for some days.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn delete(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        let _managing = self.managing.lock().await;
        let is_deleted = self.check_manage(caller, id)?;
        if is_deleted {
            return Err(unknown(id));
        }
        let at = (self.context.clock)();
        let by = Some(caller.user().name.clone());
        self.set_deleted(id, Some(Deletion { at, by })).await
    }

    /// Restores a deleted watchlist.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn restore(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        let _managing = self.managing.lock().await;
        let is_deleted = self.check_manage(caller, id)?;
        if is_deleted { self.set_deleted(id, None).await } else { Ok(()) }
    }

    /// Checks that the caller may delete and restore a watchlist. Returns whether it is deleted.
    fn check_manage(&self, caller: &Caller, id: WatchlistId) -> Result<bool, Rejection> {
        let deleted = self.entries().iter().find(|entry| entry.id == id).map(|entry| entry.deleted.is_some());
        let is_deleted = deleted.filter(|_| is_visible(caller)).ok_or_else(|| unknown(id))?;
        access::check(caller, Action::Delete, caller.list_role())?;
        Ok(is_deleted)
    }

    async fn set_deleted(&self, id: WatchlistId, deletion: Option<Deletion>) -> Result<(), Rejection> {
        let at = deletion.as_ref().map(|deletion| deletion.at);
        self.context.journal.set_deleted(id, at).await.map_err(|error| unavailable(&error))?;
        let running = {
            let mut entries = self.entries();
            let entry = entries.iter_mut().find(|entry| entry.id == id).expect("entries are never removed");
            entry.deleted = deletion;
            entry.running.take()
        };
        if let Some(running) = running {
            running.delete().await;
        }
        self.changed.send_replace(());
        Ok(())
    }

    /// Returns commits of a watchlist, newest first.
    ///
    /// # Errors
    /// `unknownWatchlist`, or `unavailable` if the journal cannot be read.
    pub async fn history(
        &self,
        caller: &Caller,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<Vec<Commit>, Rejection> {
        let is_known = self.entries().iter().any(|entry| entry.id == id && entry.deleted.is_none());
        if !is_known || !is_visible(caller) {
            return Err(unknown(id));
        }
        self.context.journal.history(id, filter).await.map_err(|error| unavailable(&error))
    }

    /// Checks that the store can be read, and written if the last write failed.
    ///
    /// # Errors
    /// The journal's error.
    pub async fn ready(&self) -> Result<(), JournalError> {
        self.context.journal.ready().await
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a caller sees watchlists. To one that does not, they do not exist.
fn is_visible(caller: &Caller) -> bool {
    access::is_allowed(caller, Action::Read, Some(caller.list_role()))
}

/// Prunes the commits of every watchlist, opened or not.
fn prune_all(context: &RoomContext, records: &[Record]) {
    let ids: Vec<WatchlistId> = records.iter().map(|record| record.id).collect();
    let (since, keep) = context.settings.retention((context.clock)());
    let journal = context.journal.clone();
    context.tasks.spawn(async move {
        for id in ids {
            if let Err(error) = journal.prune(id, since, keep).await {
                error!(%id, error = &error as &dyn std::error::Error, "failed to prune old commits");
            }
        }
    });
}

/// Returns the rejection for a watchlist that does not exist.
fn unknown(id: WatchlistId) -> Rejection {
    Rejection::new(Code::UnknownWatchlist, format!("there is no watchlist {id}"))
}

fn unavailable(error: &JournalError) -> Rejection {
    error!(error = error as &dyn std::error::Error, "failed to use the journal");
    let reason = match error {
        JournalError::Damaged(_) => Unavailable::Damaged.message(),
        JournalError::Store(_) | JournalError::NotOurs(_) => {
            "the server's store is not available; try again later"
        }
    };
    Rejection::new(Code::Unavailable, reason)
}
