//! The watchlists of this server. The hub starts the room and the channel of each and joins them. A call on a
//! person's behalf carries the caller, and is refused if the caller may not make it.

mod creations;
mod history;
mod lists;
mod open_list;
mod refusal;
mod retention;
mod source;

use std::{net::IpAddr, sync::Arc};

use shared::{
    account::ListRole,
    column::{Column, standard_columns},
    ids::{UserId, WatchlistId},
    rejection::Rejection,
    wire::server::{DeletedSummary, Summary},
};
use tokio::sync::watch;
use tracing::error;
use uuid::Uuid;

pub use self::open_list::OpenList;
use self::{
    creations::Creations,
    lists::{Deletion, Lists},
    refusal::{unavailable, unknown},
};
use crate::{
    access::{Action, Caller, Rights},
    accounts::{AccessList, Accounts, audit::Event},
    journal::{HistoryFilter, HistoryPage, JournalError},
    room::RoomContext,
    unavailable::Unavailable,
};

/// The watchlists that a caller sees, the number of changes of each, and the caller's role.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ListState(Vec<(WatchlistId, u64, ListRole)>);

impl ListState {
    /// Whether the list names a watchlist.
    pub fn names(&self, id: WatchlistId) -> bool {
        self.0.iter().any(|(named, _, _)| *named == id)
    }
}

/// Finds watchlists, starts them, and creates, deletes and restores watchlists.
pub struct Hub {
    lists: Arc<Lists>,
    accounts: Arc<Accounts>,
    creations: Arc<Creations>,
}

impl Hub {
    /// Reads the watchlists of the journal. Those that were deleted long enough ago are purged.
    ///
    /// # Errors
    /// The journal cannot be read or written.
    pub async fn open(context: RoomContext, accounts: Arc<Accounts>) -> Result<Self, JournalError> {
        let purged = retention::purge(&context).await?;
        accounts.forget(&purged).await;
        let records = context.journal.watchlists().await?;
        let lists = Arc::new(Lists::new(context.clone(), records));
        context.tasks.spawn(retention::run(context.clone(), Arc::downgrade(&lists), accounts.clone()));
        Ok(Self { lists, accounts, creations: Arc::default() })
    }

    /// Returns the watchlists that the caller sees, oldest first.
    pub fn list(&self, caller: &Caller) -> Vec<Summary> {
        self.list_with_state(caller).0
    }

    /// Returns the watchlists that the caller sees, oldest first, and their state. That differs after one of
    /// them has been created, renamed, deleted or restored, or the caller's role on it has changed, and after
    /// nothing else.
    pub fn list_with_state(&self, caller: &Caller) -> (Vec<Summary>, ListState) {
        let entries = self.lists.entries();
        let shown = entries.iter().filter(|entry| entry.deleted.is_none());
        let (list, state) = shown
            .filter_map(|entry| {
                let (watchlist, role) = (entry.id, self.accounts.rights(caller, entry.id)?.role);
                // Read before the name: a change between the two is sent twice and not lost.
                let changes = entry.live.changes();
                let (name, revision, rows) = entry.live.get();
                let summary = Summary { watchlist, name, revision, rows, role: Some(role) };
                Some((summary, (watchlist, changes, role)))
            })
            .unzip();
        (list, ListState(state))
    }

    /// Returns the deleted watchlists that the caller may restore, last deleted first.
    pub fn deleted(&self, caller: &Caller) -> Vec<DeletedSummary> {
        let entries = self.lists.entries();
        let mut list: Vec<DeletedSummary> = entries
            .iter()
            .filter_map(|entry| {
                let Deletion { at, by } = entry.deleted.clone()?;
                self.accounts.rights(caller, entry.id)?.check(Action::Delete).ok()?;
                let (name, _, rows) = entry.live.get();
                Some(DeletedSummary { watchlist: entry.id, name, deleted_at: at, by, rows })
            })
            .collect();
        list.sort_by_key(|deleted| std::cmp::Reverse(deleted.deleted_at));
        list
    }

    /// Returns a receiver of the list's version, which grows when a watchlist is created, renamed, deleted or
    /// restored.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.lists.changed.subscribe()
    }

    /// Returns the accounts, which say what callers may do.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Opens a watchlist that the caller sees, and starts it if it is not running.
    ///
    /// # Errors
    /// `unknownWatchlist`, also for a watchlist that the caller may not see, or `unavailable` while it is being deleted.
    pub fn connect(&self, caller: &Caller, id: WatchlistId) -> Result<OpenList, Rejection> {
        self.rights(caller, id)?;
        Ok(self.lists.run(id)?.open(caller, &self.accounts))
    }

    /// Creates a watchlist, which the caller then owns. Nothing happens if there is one with that id: the
    /// request is a repeat.
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
        caller.check_create(self.accounts.role(caller))?;
        let id = id.unwrap_or_else(|| WatchlistId(Uuid::now_v7()));
        let columns = columns.unwrap_or_else(standard_columns);
        let (lists, name) = (self.lists.clone(), name.to_owned());
        let (accounts, caller) = (self.accounts.clone(), caller.clone());
        let creations = self.creations.clone();
        self.run_to_completion(async move {
            let is_visible = || accounts.rights(&caller, id).is_some();
            let claim = async {
                creations.count(caller.user, accounts.role(&caller))?;
                accounts.own(&caller, id).await
            };
            lists.create(id, (&name, columns), is_visible, claim).await
        })
        .await
    }

    /// Deletes a watchlist. It can be restored for some days.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn delete(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        self.known_rights(caller, id)?.check(Action::Delete)?;
        let (lists, by) = (self.lists.clone(), caller.name.clone());
        let (accounts, caller) = (self.accounts.clone(), caller.clone());
        self.run_to_completion(async move {
            lists.delete(id, by).await?;
            accounts.append_audit_entry(&caller, None, Event::WatchlistDeleted { watchlist: id });
            Ok(())
        })
        .await
    }

    /// Restores a deleted watchlist.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, or `unavailable` if it cannot be stored.
    pub async fn restore(&self, caller: &Caller, id: WatchlistId) -> Result<(), Rejection> {
        self.known_rights(caller, id)?.check(Action::Delete)?;
        let lists = self.lists.clone();
        let (accounts, caller) = (self.accounts.clone(), caller.clone());
        self.run_to_completion(async move {
            if lists.restore(id).await? {
                accounts.append_audit_entry(&caller, None, Event::WatchlistRestored { watchlist: id });
            }
            Ok(())
        })
        .await
    }

    /// Returns who may use a watchlist.
    ///
    /// # Errors
    /// `unknownWatchlist`.
    pub fn access(&self, caller: &Caller, id: WatchlistId) -> Result<AccessList, Rejection> {
        self.rights(caller, id)?;
        Ok(self.accounts.access_list(id))
    }

    /// Gives an account, or everyone who is signed in, a role on a watchlist, or takes it away.
    ///
    /// # Errors
    /// `unknownWatchlist`, `forbidden`, `invalidValue` for an unknown account, `lastOwner`, or `unavailable`.
    pub async fn share(
        &self,
        caller: &Caller,
        id: WatchlistId,
        with: (Option<UserId>, Option<ListRole>),
        address: IpAddr,
    ) -> Result<(), Rejection> {
        self.rights(caller, id)?.check(Action::Share)?;
        let (accounts, caller) = (self.accounts.clone(), caller.clone());
        self.run_to_completion(async move { accounts.share(&caller, id, with, address).await }).await
    }

    /// Runs an operation as a task of the server and returns its result. The operation ends even if its
    /// caller has gone away, so that the watchlists served are those of the journal.
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

    /// Returns the caller's rights on a watchlist that exists and that it sees, deleted or not.
    fn known_rights(&self, caller: &Caller, id: WatchlistId) -> Result<Rights, Rejection> {
        let is_known = self.lists.entries().iter().any(|entry| entry.id == id);
        self.accounts.rights(caller, id).filter(|_| is_known).ok_or_else(|| unknown(id))
    }

    /// Returns the caller's rights on a watchlist that is not deleted and that it sees.
    fn rights(&self, caller: &Caller, id: WatchlistId) -> Result<Rights, Rejection> {
        let is_known = self.lists.entries().iter().any(|entry| entry.id == id && entry.deleted.is_none());
        self.accounts.rights(caller, id).filter(|_| is_known).ok_or_else(|| unknown(id))
    }

    /// Returns commits of a watchlist, newest first: up to 1 MiB of them. A long search ends early. If there
    /// may be more, the page says where to continue.
    ///
    /// # Errors
    /// `unknownWatchlist`, or `unavailable` if the journal cannot be read.
    pub async fn history(
        &self,
        caller: &Caller,
        id: WatchlistId,
        filter: HistoryFilter,
    ) -> Result<HistoryPage, Rejection> {
        self.rights(caller, id)?;
        let found = history::read(&*self.lists.context.journal, id, filter).await;
        // They may have been taken away while it was read.
        self.rights(caller, id)?;
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
