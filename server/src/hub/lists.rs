//! The watchlists of this server, without the rights of callers: they are created, deleted, restored and
//! started here, in the journal first and then in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::{
    column::Column,
    ids::{At, Epoch, Revision, WatchlistId},
    rejection::{Code, Rejection},
    time::Timestamp,
    watchlist::Watchlist,
    wire::snapshot::Snapshot,
};
use tokio::sync::{self, watch};
use uuid::Uuid;

use super::{
    open_list::Running,
    refusal::{unavailable, unknown},
};
use crate::{
    journal::{Record, StoredPart, confirm},
    room::{Live, RoomContext},
    unavailable::Unavailable,
};

/// Maximum number of watchlists, deleted ones included, so that a list of them fits into a message.
const MAX_LISTS: usize = 2_000;

/// The watchlists of this server, deleted ones included.
pub(super) struct Lists {
    pub(super) context: RoomContext,
    /// Version of the list: it grows when a watchlist is created, renamed, deleted or restored.
    pub(super) changed: watch::Sender<u64>,
    entries: Mutex<Vec<Entry>>,
    /// Serialises creating watchlists.
    creating: sync::Mutex<()>,
}

/// One watchlist.
pub(super) struct Entry {
    pub(super) id: WatchlistId,
    pub(super) live: Arc<Live>,
    pub(super) deleted: Option<Deletion>,
    epoch: Epoch,
    running: Option<Arc<Running>>,
    /// Locked while the watchlist is deleted or restored. No room is started then.
    managing: Arc<sync::Mutex<()>>,
}

/// When and by whom a watchlist was deleted.
#[derive(Clone)]
pub(super) struct Deletion {
    pub(super) at: Timestamp,
    /// Name of the account that deleted it; unknown after a restart.
    pub(super) by: Option<Arc<str>>,
}

impl Entry {
    fn new(id: WatchlistId, epoch: Epoch, live: Arc<Live>, deleted: Option<Deletion>) -> Self {
        Self { id, live, deleted, epoch, running: None, managing: Arc::default() }
    }
}

impl Lists {
    /// Creates the watchlists that the journal has.
    pub(super) fn new(context: RoomContext, records: Vec<Record>) -> Self {
        let entries = records.into_iter().map(|record| {
            let deleted = record.deleted_at.map(|at| Deletion { at, by: None });
            let live = Arc::new(Live::new(record.name, record.revision, record.rows));
            Entry::new(record.id, record.epoch, live, deleted)
        });
        let (changed, creating) = (context.renamed.clone(), sync::Mutex::default());
        Self { entries: Mutex::new(entries.collect()), context, changed, creating }
    }

    pub(super) fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a watchlist that is running, or starts it.
    pub(super) fn run(&self, id: WatchlistId) -> Result<Arc<Running>, Rejection> {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|entry| entry.id == id && entry.deleted.is_none());
        let entry = entry.ok_or_else(|| unknown(id))?;
        if let Some(running) = entry.running.as_ref().filter(|running| !running.is_gone()) {
            return Ok(running.clone());
        }
        if entry.managing.try_lock().is_err() {
            return Err(Unavailable::NotServed.into());
        }
        let running = Running::start(&self.context, (id, entry.epoch), entry.live.clone());
        Ok(entry.running.insert(Arc::new(running)).clone())
    }

    /// Creates a watchlist, once `claim` has made the caller its owner. Nothing happens if there is one with
    /// that id, and the caller sees it.
    pub(super) async fn create(
        &self,
        id: WatchlistId,
        (name, columns): (&str, Vec<Column>),
        is_visible: impl Fn() -> bool + Send,
        claim: impl Future<Output = Result<(), Rejection>> + Send,
    ) -> Result<WatchlistId, Rejection> {
        let watchlist = Watchlist::new(name, columns, &self.context.settings.limits)?;
        let _creating = self.creating.lock().await;
        match self.entries().iter().find(|entry| entry.id == id) {
            Some(_) if !is_visible() => {
                return Err(Rejection::new(Code::InvalidValue, format!("the id {id} is taken; use another")));
            }
            Some(entry) if entry.deleted.is_some() => {
                return Err(Rejection::new(
                    Code::UnknownWatchlist,
                    format!("watchlist {id} was deleted; restore it"),
                ));
            }
            Some(_) => return Ok(id),
            None => {}
        }
        if self.entries().len() >= MAX_LISTS {
            let message = format!("the limit of a server is {MAX_LISTS} watchlists, deleted ones included");
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let epoch = Epoch(Uuid::new_v4());
        let at = At { epoch, revision: Revision(0) };
        let part = Snapshot::parts(&watchlist.freeze(), id, at, usize::MAX).next();
        let snapshot = part.expect("a snapshot has at least one part");
        let record =
            Record { id, epoch, name: name.into(), revision: Revision(0), rows: 0, deleted_at: None };
        let first = StoredPart { snapshot, authors: Vec::new() };
        claim.await?;
        let created = confirm::create(&*self.context.journal, record, first).await;
        created.map_err(|error| unavailable(&error))?;
        let live = Arc::new(Live::new(name.into(), Revision(0), 0));
        self.entries().push(Entry::new(id, epoch, live, None));
        self.changed.send_modify(|version| *version += 1);
        Ok(id)
    }

    /// Deletes a watchlist. A room that serves it writes the deletion, after the edits that it received
    /// before.
    pub(super) async fn delete(&self, id: WatchlistId, by: Arc<str>) -> Result<(), Rejection> {
        let managing = self.managing(id)?;
        let _managing = managing.lock().await;
        let running = self.with_entry(id, |entry| match &entry.deleted {
            Some(_) => Err(unknown(id)),
            None => Ok(entry.running.clone()),
        })??;
        let at = (self.context.clock)();
        let by_room = match &running {
            Some(running) => running.delete(at).await,
            None => None,
        };
        let written = match by_room {
            Some(written) => written,
            None => confirm::set_deleted(&*self.context.journal, id, Some(at)).await,
        };
        written.map_err(|error| unavailable(&error))?;
        self.with_entry(id, |entry| {
            entry.deleted = Some(Deletion { at, by: Some(by) });
            entry.running = None;
            entry.live.changed();
        })?;
        self.changed.send_modify(|version| *version += 1);
        if let Some(running) = running {
            running.channel_ended().await;
        }
        Ok(())
    }

    /// Restores a watchlist. Returns false if it is not deleted.
    pub(super) async fn restore(&self, id: WatchlistId) -> Result<bool, Rejection> {
        let managing = self.managing(id)?;
        // The deletion ends only when the room and the channel have ended: there is never a second room
        // beside an old one.
        let _managing = managing.lock().await;
        if self.with_entry(id, |entry| entry.deleted.is_none())? {
            return Ok(false);
        }
        let restored = confirm::set_deleted(&*self.context.journal, id, None).await;
        restored.map_err(|error| unavailable(&error))?;
        self.with_entry(id, |entry| {
            entry.deleted = None;
            entry.live.changed();
        })?;
        self.changed.send_modify(|version| *version += 1);
        Ok(true)
    }

    fn managing(&self, id: WatchlistId) -> Result<Arc<sync::Mutex<()>>, Rejection> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.id == id);
        entry.map(|entry| entry.managing.clone()).ok_or_else(|| unknown(id))
    }

    /// Removes watchlists that the journal has erased.
    pub(super) fn forget(&self, ids: &[WatchlistId]) {
        self.entries().retain(|entry| !ids.contains(&entry.id));
    }

    fn with_entry<T>(&self, id: WatchlistId, access: impl FnOnce(&mut Entry) -> T) -> Result<T, Rejection> {
        let mut entries = self.entries();
        entries.iter_mut().find(|entry| entry.id == id).map(access).ok_or_else(|| unknown(id))
    }
}
