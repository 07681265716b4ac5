//! What writes: the connection with its transactions, and the state that follows them.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::Connection;
use shared::ids::WatchlistId;

use super::{fold::Fold, state::State};
use crate::journal::{
    form::error::{damaged, store},
    store::JournalError,
};

/// The writing connection. Only the thread of the writer has it.
pub(super) struct Writer {
    pub(super) connection: Connection,
    state: Arc<Mutex<State>>,
    is_failing: Arc<AtomicBool>,
    folding: Option<Fold>,
    /// Watchlists that are being erased, with their keys.
    pub(super) erasing: Vec<(WatchlistId, i64)>,
    /// Whether the file may have many free pages.
    pub(super) may_shrink: bool,
}

/// Whether a transaction is on disk once it is committed. Others are on disk, in order, with the next one
/// that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    Synced,
    WithTheNext,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        (state, is_failing): (Arc<Mutex<State>>, Arc<AtomicBool>),
        erasing: Vec<(WatchlistId, i64)>,
    ) -> Self {
        Self { connection, state, is_failing, folding: None, erasing, may_shrink: true }
    }

    /// Returns the state. It is locked only for a moment.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the key of a watchlist.
    pub(super) fn key_of(&self, id: WatchlistId) -> Result<i64, JournalError> {
        let key = self.state().list(id).map(|list| list.key);
        key.ok_or_else(|| damaged(format!("watchlist {id} does not exist")))
    }

    /// Records whether the last write reached the disk.
    pub(super) fn set_failing(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
    }

    /// Whether the tail is to be folded, or is being folded.
    pub(super) fn is_fold_due(&self) -> bool {
        self.folding.is_some() || self.state().is_fold_due()
    }

    /// Does one step of folding the tail. Returns false if it is empty.
    pub(super) fn fold_step(&mut self) -> Result<bool, JournalError> {
        let started = self.folding.take();
        let Some(mut fold) = started.or_else(|| Fold::start(&self.state())) else { return Ok(false) };
        self.transaction(Durability::WithTheNext, |connection| fold.write_step(connection))?;
        match fold.finish_step() {
            Some(up_to) => self.state().folded(up_to),
            None => self.folding = Some(fold),
        }
        Ok(true)
    }

    /// Forgets what is being folded: the tail is not what it was any more.
    pub(super) fn restart_folding(&mut self) {
        self.folding = None;
    }

    /// Does something in a transaction, and rolls it back if it fails.
    pub(super) fn transaction<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let is_synced = durability == Durability::Synced;
        if !is_synced {
            self.connection.execute_batch("PRAGMA synchronous = NORMAL").map_err(store)?;
        }
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE").map_err(store);
        let done = begun.and_then(|()| work(&self.connection)).and_then(|value| {
            self.connection.execute_batch("COMMIT").map_err(store)?;
            Ok(value)
        });
        // After some errors SQLite has rolled back by itself.
        if !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        if !is_synced {
            self.connection.execute_batch("PRAGMA synchronous = FULL").map_err(store)?;
        }
        done
    }
}
