//! What windows do with the shared state: subscribe to watchlists, edit, undo, and create, delete or restore
//! watchlists.

use std::time::Duration;

use shared::{
    edit::{CellRef, Change},
    ids::{WatchlistId, WindowId},
    limits::Limits,
    rejection::{Code, Rejection},
    watchlist::Watchlist,
};

use super::{
    act::Act,
    connection::Connection,
    copies::{Copies, NewCopy},
    creations::Fill,
    edits::{Delivery, Repeated},
    rest::{MAX_LISTED, without_removed_rows},
    state::Store,
    undo::{Direction, Spot, UndoStep},
    words::removed_rows_text,
};

impl Store {
    /// Subscribes to a watchlist. Over the limit of a connection, the least recently shown watchlist is
    /// closed.
    pub fn open_list(&mut self, watchlist: WatchlistId, now: Duration) {
        self.copies.request(watchlist);
        self.replica.open(watchlist);
        if let Some(evicted) = self.lists.open(watchlist) {
            self.keep_copy(evicted, now);
            self.copies.closed(evicted);
            self.replica.close(evicted);
        }
    }

    /// Keeps copies of the watchlists whose last one is old: of all that have changed if `at_once`, as before
    /// the end of the program.
    pub fn keep_copies(&mut self, at_once: bool, now: Duration) {
        let mut next: Option<Duration> = None;
        for watchlist in self.lists.opened().to_vec() {
            let Some(at) = self.replica.list(watchlist).and_then(|list| list.at()) else { continue };
            let Some(due_at) = self.copies.due_at(watchlist, at, now) else { continue };
            if now < due_at && !at_once {
                next = Some(next.map_or(due_at, |next| next.min(due_at)));
            } else {
                self.keep_copy(watchlist, now);
            }
        }
        self.copies.set_next(next);
    }

    fn keep_copy(&mut self, watchlist: WatchlistId, now: Duration) {
        if let Some((frozen, at)) = self.replica.confirmed(watchlist) {
            let sparklines = self.sparklines(watchlist).cloned().unwrap_or_default();
            self.copies.write(NewCopy { watchlist, frozen, at, sparklines }, now);
        }
    }

    /// Returns the time until the next copy is due.
    pub fn next_copy_in(&self, now: Duration) -> Option<Duration> {
        Some(self.copies.next()?.saturating_sub(now))
    }

    /// Ends the keeping of copies, once those that wait are written.
    pub fn finish_copies(&mut self, now: Duration) {
        self.keep_copies(true, now);
        self.copies = Copies::default();
    }

    /// Reports the cursor of a window to the others.
    pub fn presence(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        cell: Option<CellRef>,
        editing: bool,
    ) {
        self.replica.presence(watchlist, window, cell, editing);
    }

    /// Applies an edit of a window, which can be undone: it is shown at once, kept in the outbox and sent
    /// when possible. Changes that have no effect are dropped. If none remains, there is no edit. Returns
    /// what the edit does.
    ///
    /// # Errors
    /// The edit is invalid or too large, the watchlist is not loaded, or the disk is full.
    pub fn edit(
        &mut self,
        watchlist: WatchlistId,
        window: WindowId,
        changes: Vec<Change>,
    ) -> Result<Act, Rejection> {
        let Some(state) = self.replica.list(watchlist).and_then(|list| list.state()) else {
            return Err(Rejection::new(Code::UnknownWatchlist, "the watchlist is not loaded yet"));
        };
        let changes: Vec<Change> = changes.into_iter().filter(|change| has_effect(state, change)).collect();
        let act = Act::of(state, &changes, self.delivery());
        if changes.is_empty() {
            return Ok(act);
        }
        let (undo, edit) = self.edits.edit(&mut self.replica, (window, watchlist), changes.clone())?;
        self.edits.undo.push_new(window, UndoStep { watchlist, undo, redo: changes, edit, repeated: None });
        Ok(act)
    }

    /// Returns when an edit that is made now reaches the server.
    fn delivery(&self) -> Delivery {
        match self.connection.shown() {
            Connection::Up { silent_since: None, .. } => Delivery::AtOnce,
            Connection::Up { .. } | Connection::Connecting | Connection::Down { .. } => Delivery::Later,
        }
    }

    /// Returns the changes of an edit whose rows exist, and the number of the others: somebody may have
    /// removed rows while the person confirmed the edit.
    pub fn without_removed_rows(&self, watchlist: WatchlistId, changes: Vec<Change>) -> (Vec<Change>, usize) {
        let Some(state) = self.watchlist(watchlist) else { return (changes, 0) };
        let all = changes.len();
        let (left, _) = without_removed_rows(state, changes);
        let lost = all - left.len();
        (left, lost)
    }

    /// Undoes a window's last edit with a new guarded edit; returns the changed place, or `None` without such
    /// an edit.
    pub fn undo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        self.repeat(window, Direction::Undo, now)
    }

    /// Redoes a window's last undone edit; returns the changed place, or `None` without such an edit.
    pub fn redo(&mut self, window: WindowId, now: Duration) -> Option<Spot> {
        self.repeat(window, Direction::Redo, now)
    }

    /// Returns the watchlist of the edit that a window would undo.
    pub fn undo_list(&self, window: WindowId) -> Option<WatchlistId> {
        self.edits.repeated_list(window, Direction::Undo)
    }

    /// Returns the watchlist of the edit that a window would redo.
    pub fn redo_list(&self, window: WindowId) -> Option<WatchlistId> {
        self.edits.repeated_list(window, Direction::Redo)
    }

    /// Whether a window has something to undo or redo.
    pub fn can_repeat(&self, window: WindowId, direction: Direction) -> bool {
        !self.edits.undo.is_empty(window, direction)
    }

    /// Records a change of a window's layout, which is undone in its turn among the window's edits.
    pub fn record_layout(&mut self, window: WindowId, layout: u64) {
        self.notices.withdraw_undo(window);
        self.edits.undo.push_layout(window, layout);
    }

    /// Returns the change of the layout that is the last act of a window in a direction.
    pub fn last_layout(&self, window: WindowId, direction: Direction) -> Option<u64> {
        self.edits.undo.last_layout(window, direction)
    }

    /// Undoes or redoes the last act of a window if it is a change of the layout, and returns that.
    pub fn repeat_layout(&mut self, window: WindowId, direction: Direction) -> Option<u64> {
        self.edits.undo.repeat_layout(window, direction)
    }

    fn repeat(&mut self, window: WindowId, direction: Direction, now: Duration) -> Option<Spot> {
        self.notices.withdraw_undo(window);
        let Repeated { spot, rejection, lost } = self.edits.repeat(&mut self.replica, window, direction)?;
        if !lost.is_empty() {
            let names = lost.iter().filter_map(|row| self.row_name(spot.watchlist, *row));
            let names: Vec<String> = names.take(MAX_LISTED).map(|name| name.to_string()).collect();
            let further = lost.len() - names.len();
            self.notify_in(window, removed_rows_text(&names, further, direction), now);
        }
        if let Some(rejection) = rejection {
            self.notify_in(window, format!("Cannot {direction}: {rejection}."), now);
        }
        Some(spot)
    }

    /// Requests a new watchlist, to be filled and shown in a window. Returns false if offline.
    pub fn create(
        &mut self,
        window: WindowId,
        id: WatchlistId,
        name: &str,
        columns: Option<Vec<shared::column::Column>>,
        fill: Vec<Vec<Change>>,
    ) -> bool {
        match self.replica.create(id, name, columns) {
            Some(request) => {
                self.creations.requested(request, Fill { window, edits: fill.into(), is_delayed: false });
                true
            }
            None => false,
        }
    }

    /// Requests the deletion of a watchlist. Returns false if offline.
    pub fn delete(&mut self, watchlist: WatchlistId) -> bool {
        let name = self.known_lists().into_iter().find(|(known, _)| *known == watchlist);
        self.deleting.extend(name);
        let is_requested = self.replica.delete(watchlist).is_some();
        if is_requested {
            self.absences.insert(watchlist, None);
        }
        is_requested
    }

    /// Requests the deleted watchlists that may be restored. Returns false if offline.
    pub fn request_deleted(&mut self) -> bool {
        self.replica.deleted_lists().is_some()
    }

    /// Requests that a deleted watchlist is restored. Returns false if offline.
    pub fn restore(&mut self, watchlist: WatchlistId) -> bool {
        self.replica.restore(watchlist).is_some()
    }

    /// Takes the watchlists that were created in a window and that it has not shown yet.
    pub fn take_created(&mut self, window: WindowId) -> Vec<WatchlistId> {
        self.creations.take_created(window)
    }
}

fn has_effect(state: &Watchlist, change: &Change) -> bool {
    match change {
        Change::Set(set) => {
            let Some(entry) = state.columns().get(&set.column) else { return true };
            let present = state.cell(set.row, &set.column);
            entry.column.kind.read(&set.value, &Limits::default()).ok() != Some(present)
        }
        Change::Rename(rename) => rename.name != *state.name(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use shared::ids::EditId;

    use super::*;

    #[test]
    fn nothing_is_undone_or_redone_without_a_reserved_number_and_no_step_is_lost() {
        const WINDOW: WindowId = WindowId(1);
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), Instant::now, server::files::write_atomically).unwrap();
        let watchlist = WatchlistId(uuid::Uuid::from_u128(7));
        let rename = |name| vec![Change::rename(name)];
        let (undo, redo) = (rename("a"), rename("b"));
        let step = UndoStep { watchlist, undo, redo, edit: EditId(1), repeated: None };
        store.edits.outbox.close_writer();
        store.edits.undo.push_new(WINDOW, step.clone());
        store.edits.undo.push(WINDOW, Direction::Redo, step);
        for _ in 0..2 {
            assert!(store.undo(WINDOW, Duration::ZERO).is_some());
            assert!(store.redo(WINDOW, Duration::ZERO).is_some());
        }
        let notices: Vec<&str> = store.notices().iter().map(|notice| notice.text.as_str()).collect();
        assert!(
            notices.iter().all(|text| text.contains("cannot be saved to this computer's disk")),
            "{notices:?}"
        );
        assert!(notices.iter().any(|text| text.starts_with("Cannot undo")), "{notices:?}");
    }
}
