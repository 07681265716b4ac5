//! What a person does with a client: opens watchlists, edits them, and requests others to be created, deleted
//! or restored.

use super::{
    event::Event,
    kept::{self, KeptEdit},
    requests::Request,
    state::{Link, Replica},
};
use crate::{
    column::Column,
    edit::{CellRef, Change},
    ids::{At, RequestId, WatchlistId, WindowId},
    rejection::{Code, Rejection},
    watchlist::{Frozen, Watchlist},
    wire::client::{self, ClientMessage},
};

impl Replica {
    /// Opens a watchlist, now and after every reconnect, until it is closed.
    pub fn open(&mut self, watchlist: WatchlistId) {
        let list = self.lists.entry(watchlist).or_default();
        if list.set_wanted(true) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(list.start_open(watchlist));
        }
    }

    /// Closes a watchlist. Its unanswered edits are still sent.
    pub fn close(&mut self, watchlist: WatchlistId) {
        let Some(list) = self.lists.get_mut(&watchlist) else { return };
        if list.set_wanted(false) && matches!(self.link, Link::Up(_)) {
            self.outgoing.push_back(ClientMessage::Close(client::Close { watchlist }));
        }
        list.finish_accepted(watchlist, &mut self.events);
        list.clear_state();
        self.remove_if_unused(watchlist);
    }

    /// Returns the confirmed state of a watchlist, without pending edits, to keep it for [`Self::restore_copy`].
    pub fn confirmed(&mut self, watchlist: WatchlistId) -> Option<(Frozen, At)> {
        self.lists.get_mut(&watchlist)?.confirmed(&self.limits)
    }

    /// Shows a watchlist as it was confirmed in an earlier run, with the pending edits, until the server
    /// continues from there or sends a snapshot. Returns false if a newer state is shown already, or the
    /// watchlist is not open.
    pub fn restore_copy(&mut self, watchlist: WatchlistId, state: Watchlist, at: At) -> bool {
        let list = self.lists.get_mut(&watchlist).filter(|list| list.is_wanted());
        list.is_some_and(|list| list.restore_copy(state, at, &self.limits))
    }

    /// Adds a person's edit, which is shown at once and sent as soon as possible. Returns the edit, which the
    /// caller stores on disk, and the guarded changes that undo it.
    ///
    /// # Errors
    /// An edit that the server would reject for its size or its values is rejected here, before it is kept.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<(KeptEdit, Vec<Change>), Rejection> {
        kept::check_size(watchlist, &changes, &self.limits)?;
        let list = self
            .lists
            .get_mut(&watchlist)
            .filter(|list| list.state().is_some())
            .ok_or_else(|| Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"))?;
        let edit = self.next_edit;
        let inverse = list.push_new((self.client, edit), window, changes.clone(), &self.limits)?;
        self.next_edit = edit.next();
        self.unanswered.insert(edit, watchlist);
        self.events.push(Event::Pending { watchlist });
        self.send_edits();
        Ok((KeptEdit { edit, watchlist, changes }, inverse))
    }

    /// Sends the position of a window's cursor.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        if matches!(self.link, Link::Up(_))
            && self.lists.get(&watchlist).is_some_and(|list| list.is_requested())
        {
            self.outgoing.push_back(ClientMessage::Presence(client::Presence {
                watchlist,
                window,
                cell,
                editing,
            }));
        }
    }

    /// Requests a new watchlist. Returns `None` while not connected.
    pub fn create(
        &mut self,
        watchlist: WatchlistId,
        name: &str,
        columns: Option<Vec<Column>>,
    ) -> Option<RequestId> {
        self.request(Request::Create, |request| {
            ClientMessage::Create(client::Create {
                request,
                watchlist: Some(watchlist),
                name: name.into(),
                columns,
            })
        })
    }

    /// Requests that a watchlist be deleted. Returns `None` while not connected.
    pub fn delete(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Delete(watchlist), |request| {
            ClientMessage::Delete(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Requests that a deleted watchlist be restored. Returns `None` while not connected.
    pub fn restore(&mut self, watchlist: WatchlistId) -> Option<RequestId> {
        self.request(Request::Restore(watchlist), |request| {
            ClientMessage::Restore(client::WatchlistRequest { request, watchlist })
        })
    }

    /// Requests the deleted watchlists that this account may restore. Returns `None` while not connected.
    pub fn deleted_lists(&mut self) -> Option<RequestId> {
        self.request(Request::DeletedLists, |request| {
            ClientMessage::DeletedLists(client::DeletedLists { request })
        })
    }

    /// Requests commits, newest first. The `request` of `query` is replaced. Returns `None` while not
    /// connected.
    pub fn history(&mut self, query: client::History) -> Option<RequestId> {
        self.request(Request::History, |request| ClientMessage::History(client::History { request, ..query }))
    }

    fn request(
        &mut self,
        what: Request,
        message: impl FnOnce(RequestId) -> ClientMessage,
    ) -> Option<RequestId> {
        if !matches!(self.link, Link::Up(_)) {
            return None;
        }
        let request = self.requests.start(what);
        self.outgoing.push_back(message(request));
        Some(request)
    }
}
