//! Which watchlists there are, and the room of each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::{
    column::{Column, standard_columns},
    edit::{Code, Rejection},
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
    watchlist::Watchlist,
    wire::{At, server::Summary},
};
use tokio::sync::watch;
use tracing::error;
use uuid::Uuid;

use crate::{
    journal::{HistoryFilter, Journal, JournalError, Record, StoredPart},
    room::{self, Command, Live, RoomContext, RoomHandle},
};

/// Finds rooms, and makes, deletes and restores watchlists.
pub struct Hub {
    context: RoomContext,
    entries: Mutex<Vec<Entry>>,
    changed: watch::Sender<()>,
    /// One at a time makes, deletes or restores.
    managing: tokio::sync::Mutex<()>,
}

struct Entry {
    id: WatchlistId,
    epoch: Epoch,
    live: Arc<Live>,
    room: Option<RoomHandle>,
    deleted: bool,
}

impl Hub {
    /// Reads which watchlists the journal has; those deleted long enough ago are forgotten.
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
            room: None,
            deleted: record.deleted_at.is_some(),
        });
        let changed = context.renamed.clone();
        Ok(Self {
            entries: Mutex::new(entries.collect()),
            context,
            changed,
            managing: tokio::sync::Mutex::default(),
        })
    }

    /// The watchlists there are, oldest first, as of now.
    pub fn list(&self) -> Vec<Summary> {
        let entries = self.entries();
        let shown = entries.iter().filter(|entry| !entry.deleted);
        shown
            .map(|entry| {
                let (name, revision, rows) = entry.live.get();
                Summary { watchlist: entry.id, name, revision, rows }
            })
            .collect()
    }

    /// Changes whenever a watchlist is made, renamed, deleted or restored.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The room of a watchlist, started where it is not running.
    pub fn room(&self, id: WatchlistId) -> Option<RoomHandle> {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|entry| entry.id == id && !entry.deleted)?;
        if entry.room.as_ref().is_none_or(RoomHandle::is_gone) {
            entry.room = Some(room::spawn(self.context.clone(), id, entry.epoch, entry.live.clone()));
        }
        entry.room.clone()
    }

    /// Makes a watchlist. With an id that is there already, a repeat: nothing happens.
    ///
    /// # Errors
    /// A name or columns that are not sound; `unavailable` where it cannot be stored.
    pub async fn create(
        &self,
        id: Option<WatchlistId>,
        name: &str,
        columns: Option<Vec<Column>>,
    ) -> Result<WatchlistId, Rejection> {
        let _one_at_a_time = self.managing.lock().await;
        let id = id.unwrap_or_else(|| WatchlistId(Uuid::now_v7()));
        match self.entries().iter().find(|entry| entry.id == id) {
            Some(entry) if entry.deleted => {
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
        let part =
            watchlist.freeze().parts(id, at, usize::MAX).next().expect("a snapshot has at least one part");
        let record =
            Record { id, epoch, name: name.into(), revision: Revision(0), rows: 0, deleted_at: None };
        let first = StoredPart { snapshot: part, authors: Vec::new() };
        if let Err(error) = self.context.journal.create(record, first).await {
            // What is said to have failed may be there all the same.
            let there = self.context.journal.watchlists().await.unwrap_or_default();
            if !there.iter().any(|record| record.id == id) {
                return Err(unavailable(&error));
            }
        }
        let live = Arc::new(Live::new(name.into(), Revision(0), 0));
        self.entries().push(Entry { id, epoch, live, room: None, deleted: false });
        self.changed.send_replace(());
        Ok(id)
    }

    /// Deletes a watchlist; it can be restored for some days.
    ///
    /// # Errors
    /// `unknownWatchlist`, or `unavailable` where it cannot be stored.
    pub async fn delete(&self, id: WatchlistId) -> Result<(), Rejection> {
        let _one_at_a_time = self.managing.lock().await;
        self.set_deleted(id, false, Some((self.context.clock)())).await
    }

    /// Brings a deleted watchlist back.
    ///
    /// # Errors
    /// `unknownWatchlist` where it is not a deleted one, or `unavailable` where it cannot be stored.
    pub async fn restore(&self, id: WatchlistId) -> Result<(), Rejection> {
        let _one_at_a_time = self.managing.lock().await;
        self.set_deleted(id, true, None).await
    }

    async fn set_deleted(&self, id: WatchlistId, was: bool, at: Option<Timestamp>) -> Result<(), Rejection> {
        let deleted = self.entries().iter().find(|entry| entry.id == id).map(|entry| entry.deleted);
        match deleted {
            Some(deleted) if deleted == was => {}
            // It is as it is asked to be.
            Some(_) if was => return Ok(()),
            _ => return Err(unknown(id)),
        }
        self.context.journal.set_deleted(id, at).await.map_err(|error| unavailable(&error))?;
        let room = {
            let mut entries = self.entries();
            let entry = entries.iter_mut().find(|entry| entry.id == id).expect("entries are never removed");
            entry.deleted = !was;
            entry.room.take()
        };
        if let Some(room) = room {
            // A room that is gone has nobody to tell.
            drop(room.send(Command::Delete).await);
        }
        self.changed.send_replace(());
        Ok(())
    }

    /// Commits of a watchlist, newest first.
    ///
    /// # Errors
    /// `unknownWatchlist`, or `unavailable` where the journal cannot be read.
    pub async fn history(
        &self,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<Vec<shared::edit::Commit>, Rejection> {
        if !self.entries().iter().any(|entry| entry.id == id && !entry.deleted) {
            return Err(unknown(id));
        }
        self.context.journal.history(id, filter).await.map_err(|error| unavailable(&error))
    }

    /// The journal, for readiness.
    pub fn journal(&self) -> &dyn Journal {
        &*self.context.journal
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes what is no longer kept of every watchlist, also of those that nobody opens.
fn prune_all(context: &RoomContext, records: &[Record]) {
    let ids: Vec<WatchlistId> = records.iter().map(|record| record.id).collect();
    let (since, keep) = context.settings.retention((context.clock)());
    let journal = context.journal.clone();
    context.tasks.spawn(async move {
        for id in ids {
            if let Err(error) = journal.prune(id, since, keep).await {
                error!(%id, error = &error as &dyn std::error::Error, "old commits could not be taken away");
            }
        }
    });
}

/// The refusal for a watchlist that is not there.
pub fn unknown(id: WatchlistId) -> Rejection {
    Rejection::new(Code::UnknownWatchlist, format!("there is no watchlist {id}"))
}

fn unavailable(error: &JournalError) -> Rejection {
    error!(error = error as &dyn std::error::Error, "the journal could not be used");
    let why = match error {
        JournalError::Damaged(_) => room::DAMAGED,
        JournalError::Store(_) | JournalError::NotOurs(_) => "the server's store cannot be used at present",
    };
    Rejection::new(Code::Unavailable, why)
}
