//! The watchlists of this server. The hub starts the room and the channel of each and joins them. A call on a person's behalf
//! carries the caller, and is refused if the caller may not make it.

mod history;
mod lists;
mod open_list;
mod retention;
mod source;

use std::sync::Arc;

use shared::{
    column::{Column, standard_columns},
    ids::WatchlistId,
    rejection::Rejection,
    wire::server::{DeletedSummary, Summary},
};
use tokio::sync::watch;
use tracing::error;
use uuid::Uuid;

use self::lists::{Deletion, Lists, unavailable, unknown};
pub use self::open_list::OpenList;
use crate::{
    access::{self, Action, Caller},
    journal::{HistoryFilter, HistoryPage, JournalError},
    room::RoomContext,
    unavailable::Unavailable,
};

/// Finds watchlists, starts them, and creates, deletes and restores watchlists.
pub struct Hub {
    lists: Arc<Lists>,
}

impl Hub {
    /// Reads the watchlists of the journal. Those that were deleted long enough ago are purged.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn open(context: RoomContext) -> Result<Self, JournalError> {
        retention::purge(&context).await?;
        let records = context.journal.watchlists().await?;
        let lists = Arc::new(Lists::new(context.clone(), records));
        context.tasks.spawn(retention::run(context.clone(), Arc::downgrade(&lists)));
        Ok(Self { lists })
    }

    /// Returns the watchlists that the caller sees, oldest first.
    pub fn list(&self, caller: &Caller) -> Vec<Summary> {
        let entries = self.lists.entries();
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
        let entries = self.lists.entries();
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

    /// Returns a receiver of the list's version, which grows when a watchlist is created, renamed, deleted or restored.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.lists.changed.subscribe()
    }

    /// Opens a watchlist that the caller sees, and starts it if it is not running.
    ///
    /// # Errors
    /// `unknownWatchlist`, also for a watchlist that the caller may not see, or `unavailable` while it is being deleted.
    pub fn connect(&self, caller: &Caller, id: WatchlistId) -> Result<OpenList, Rejection> {
        if !is_visible(caller) {
            return Err(unknown(id));
        }
        Ok(self.lists.run(id)?.open(caller))
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
        let id = id.unwrap_or_else(|| WatchlistId(Uuid::now_v7()));
        let columns = columns.unwrap_or_else(standard_columns);
        let (lists, name) = (self.lists.clone(), name.to_owned());
        self.run_to_completion(async move { lists.create(id, &name, columns).await }).await
    }

    /// Deletes a watchlist. It can be restored for some days.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn delete(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        self.check_manage(caller, id)?;
        let (lists, by) = (self.lists.clone(), caller.user().name.clone());
        self.run_to_completion(async move { lists.delete(id, by).await }).await
    }

    /// Restores a deleted watchlist.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn restore(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        self.check_manage(caller, id)?;
        let lists = self.lists.clone();
        self.run_to_completion(async move { lists.restore(id).await }).await
    }

    /// Runs an operation as a task of the server and returns its result. The operation ends even if its caller has gone away, so
    /// that the watchlists served are those of the journal.
    async fn run_to_completion<T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Rejection>> + Send + 'static,
    ) -> Result<T, Rejection> {
        self.lists.context.tasks.spawn(operation).await.unwrap_or_else(|panic| {
            error!(
                error = &panic as &dyn std::error::Error,
                "failed to create, delete or restore a watchlist"
            );
            Err(Unavailable::NotServed.into())
        })
    }

    /// Checks that the caller may delete and restore a watchlist.
    fn check_manage(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        let is_known = self.lists.entries().iter().any(|entry| entry.id == id);
        if !is_known || !is_visible(caller) {
            return Err(unknown(id));
        }
        access::check(caller, Action::Delete, caller.list_role())
    }

    /// Returns commits of a watchlist, newest first: up to 1 MiB of them. A long search ends early. If there may be more,
    /// the page says where to continue.
    ///
    /// # Errors
    /// `unknownWatchlist`, or `unavailable` if the journal cannot be read.
    pub async fn history(
        &self,
        caller: &Caller,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<HistoryPage, Rejection> {
        let is_known = self.lists.entries().iter().any(|entry| entry.id == id && entry.deleted.is_none());
        if !is_known || !is_visible(caller) {
            return Err(unknown(id));
        }
        let found = history::read(&*self.lists.context.journal, id, filter).await;
        found.map_err(|error| unavailable(&error))
    }

    /// Checks that the store can be read, and written if the last write failed.
    ///
    /// # Errors
    /// The journal's error.
    pub async fn ready(&self) -> Result<(), JournalError> {
        self.lists.context.journal.ready().await
    }
}

/// Whether a caller sees watchlists. To one that does not, they do not exist.
fn is_visible(caller: &Caller) -> bool {
    access::is_allowed(caller, Action::Read, Some(caller.list_role()))
}
