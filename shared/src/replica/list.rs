//! A client's copy of one watchlist: the confirmed state, with the client's pending edits applied on top.

mod loading;
mod pending;

use self::{loading::Loading, pending::PendingEdits};
use super::{
    effect::Before,
    event::{Event, Outcome},
};
use crate::{
    account::ListRole,
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{At, ClientId, EditId, Revision, RowId, WatchlistId, WindowId},
    limits::Limits,
    rejection::Rejection,
    watchlist::{Frozen, Watchlist, apply::Mode},
    wire::{
        client::{ClientMessage, Open},
        server::{Changes, Person, Presence, Resumed},
        snapshot::Snapshot,
    },
};

/// State of the synchronisation of a watchlist with the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Not requested on this connection.
    #[default]
    Idle,
    /// Requested. Changes that arrive before the response are ignored.
    Requested,
    /// Every change is received.
    Live,
}

/// What the caller must do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    Reopen,
}

/// A client's copy of one watchlist.
#[derive(Debug, Default)]
pub struct ListReplica {
    is_wanted: bool,
    sync: Sync,
    /// The confirmed state, with the pending edits applied on top in order.
    state: Option<Watchlist>,
    at: Option<At>,
    loading: Option<Loading>,
    pending: PendingEdits,
    /// Edits answered by commits that the caller has not yet taken.
    finished: Vec<EditId>,
    people: Vec<Person>,
    /// This client's role, as the server last told it.
    role: Option<ListRole>,
}

impl ListReplica {
    /// Returns what the windows show: the confirmed state with this client's pending edits; `None` before the
    /// first snapshot.
    pub fn state(&self) -> Option<&Watchlist> {
        self.state.as_ref()
    }

    /// Returns the epoch and revision of the confirmed state.
    pub fn at(&self) -> Option<At> {
        self.at
    }

    /// Returns the state of the synchronisation with the server.
    pub fn sync(&self) -> Sync {
        self.sync
    }

    /// Returns the people in the watchlist, this client's windows included.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Returns the number of unanswered edits.
    pub fn unanswered_count(&self) -> usize {
        self.pending.len()
    }

    /// Returns the window whose pending edit was the last to change a cell.
    pub fn pending_window(&self, row: RowId, column: &ColumnKey) -> Option<WindowId> {
        self.pending.window_of(row, column)
    }

    /// Whether a pending edit after the given one sets a cell.
    pub fn is_set_after(&self, edit: EditId, row: RowId, column: &ColumnKey) -> bool {
        self.pending.is_set_after(edit, row, column)
    }

    /// Returns this client's role on the watchlist; `None` if the server has not told it.
    pub fn role(&self) -> Option<ListRole> {
        self.role
    }

    pub(super) fn set_role(&mut self, role: Option<ListRole>) {
        self.role = role;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(super) fn is_requested(&self) -> bool {
        self.sync != Sync::Idle
    }

    pub(super) fn is_unused(&self) -> bool {
        !self.is_wanted && self.pending.is_empty()
    }

    /// Sets whether the watchlist should be open. Returns whether that changed.
    pub(super) fn set_wanted(&mut self, is_wanted: bool) -> bool {
        std::mem::replace(&mut self.is_wanted, is_wanted) != is_wanted
    }

    pub(super) fn on_presence(&mut self, presence: Presence) {
        let Presence { whole, people, gone, .. } = presence;
        if whole {
            self.people = people;
            return;
        }
        let is_same = |known: &Person, client, window| known.client == client && known.window == window;
        self.people.retain(|known| !gone.iter().any(|gone| is_same(known, gone.client, gone.window)));
        for person in people {
            match self.people.iter_mut().find(|known| is_same(known, person.client, person.window)) {
                Some(known) => *known = person,
                None => self.people.push(person),
            }
        }
    }

    /// Starts opening the watchlist and returns the message to send.
    pub(super) fn start_open(&mut self, watchlist: WatchlistId) -> ClientMessage {
        self.sync = Sync::Requested;
        self.loading = None;
        ClientMessage::Open(Open { watchlist, at: self.at })
    }

    /// Records that the server cannot serve the watchlist. The caller reopens it later.
    pub(super) fn mark_unavailable(&mut self) {
        self.sync = Sync::Idle;
        self.loading = None;
    }

    pub(super) fn disconnected(&mut self) {
        self.sync = Sync::Idle;
        self.loading = None;
        self.people.clear();
        self.pending.disconnected();
    }

    /// Finishes the edits that are accepted but not yet part of the state, before the state is dropped.
    pub(super) fn finish_accepted(&mut self, watchlist: WatchlistId, events: &mut Vec<Event>) {
        self.finish_reached(watchlist, None, events);
        self.finished.clear();
    }

    /// Drops the confirmed and the shown state.
    pub(super) fn clear_state(&mut self) {
        self.sync = Sync::Idle;
        self.state = None;
        self.at = None;
        self.loading = None;
        self.people.clear();
        self.pending.forget_shown();
    }

    /// Returns the edits that are not part of the confirmed state yet.
    pub(super) fn pending(&self) -> &PendingEdits {
        &self.pending
    }

    /// Returns the edits that are not part of the confirmed state yet.
    pub(super) fn pending_mut(&mut self) -> &mut PendingEdits {
        &mut self.pending
    }

    /// Takes the edits that commits have answered since the last call.
    pub(super) fn take_finished(&mut self) -> Vec<EditId> {
        std::mem::take(&mut self.finished)
    }

    /// Adds and shows a new edit. Returns the guarded changes that undo it.
    ///
    /// # Errors
    /// The rejection of an edit that does not apply to the shown state. Nothing changes in that case.
    pub(super) fn push_new(
        &mut self,
        id: (ClientId, EditId),
        window: WindowId,
        changes: Vec<Change>,
        limits: &Limits,
    ) -> Result<Vec<Change>, Rejection> {
        let as_of = self.at.map(|at| at.revision);
        let (mut shown, mut inverse) = (None, Vec::new());
        if let Some(state) = &mut self.state {
            let undo = state.apply(&changes, &Mode::Pending { limits })?;
            inverse = undo.inverse(&changes, as_of, state.columns());
            shown = Some(undo);
        }
        self.pending.push(id, window, changes, shown, false);
        Ok(inverse)
    }

    /// Adds an edit kept by an earlier run. The server may know it. It is shown once the state is loaded.
    pub(super) fn push_kept(&mut self, id: (ClientId, EditId), changes: Vec<Change>) {
        self.pending.push(id, WindowId(0), changes, None, true);
    }

    /// Returns the confirmed state, without pending edits.
    pub(super) fn confirmed(&mut self, limits: &Limits) -> Option<(Frozen, At)> {
        let at = self.at?;
        self.hide_pending();
        let frozen = self.state.as_ref().map(Watchlist::freeze);
        self.show_pending(limits);
        frozen.map(|frozen| (frozen, at))
    }

    /// Shows a state that was confirmed in an earlier run, unless there is a newer one.
    pub(super) fn restore_copy(&mut self, state: Watchlist, at: At, limits: &Limits) -> bool {
        if self.state.is_some() {
            return false;
        }
        (self.state, self.at) = (Some(state), Some(at));
        self.show_pending(limits);
        true
    }

    /// Handles a part of a snapshot.
    pub(super) fn on_snapshot(&mut self, part: &Snapshot, limits: &Limits, events: &mut Vec<Event>) -> Next {
        let is_stray = part.part != 1 && self.loading.is_none();
        if self.sync == Sync::Idle || is_stray {
            return Next::Continue;
        }
        match self.load_part(part, limits) {
            Some(None) => Next::Continue,
            Some(Some((state, at))) => {
                let is_other_history = self.replace_state(state, at);
                self.role = part.role;
                events.push(Event::Loaded { watchlist: part.watchlist, is_other_history });
                self.finish_reached(part.watchlist, Some(at.revision), events);
                self.show_pending(limits);
                Next::Continue
            }
            None => self.start_over(),
        }
    }

    /// Loads one part of a snapshot. Returns the watchlist if it was the last part, or `None` if the parts do
    /// not fit together.
    fn load_part(&mut self, part: &Snapshot, limits: &Limits) -> Option<Option<(Watchlist, At)>> {
        if part.part == 1 {
            self.loading = Some(Loading::start(part, limits)?);
        }
        let is_complete = self.loading.as_mut()?.add(part)?;
        Some(self.loading.take_if(|_| is_complete).map(Loading::finish))
    }

    /// Replaces the confirmed state by a snapshot, without pending edits. Returns whether its epoch is
    /// another one.
    fn replace_state(&mut self, mut state: Watchlist, at: At) -> bool {
        if let Some(old) = &self.state {
            state.supersede(old);
        }
        let is_other_history = self.at.is_some_and(|before| before.epoch != at.epoch);
        if is_other_history {
            self.pending.renew_epoch();
        }
        self.pending.forget_shown();
        (self.state, self.at, self.sync) = (Some(state), Some(at), Sync::Live);
        is_other_history
    }

    /// Requests the whole watchlist after an inconsistent message.
    fn start_over(&mut self) -> Next {
        self.at = None;
        self.loading = None;
        Next::Reopen
    }

    /// Handles a watchlist that continues from the revision that the client has.
    pub(super) fn on_resumed(&mut self, resumed: &Resumed, events: &mut Vec<Event>) -> Next {
        match self.at {
            _ if self.sync != Sync::Requested => Next::Continue,
            Some(at) if at.epoch == resumed.epoch && self.state.is_some() => {
                // The accepted edits are of later revisions.
                (self.sync, self.role) = (Sync::Live, resumed.role);
                events.push(Event::Resumed { watchlist: resumed.watchlist });
                Next::Continue
            }
            _ => self.start_over(),
        }
    }

    /// Handles the commits of a range of revisions.
    pub(super) fn on_changes(
        &mut self,
        changes: &Changes,
        client: ClientId,
        limits: &Limits,
        events: &mut Vec<Event>,
    ) -> Next {
        if self.sync != Sync::Live {
            return Next::Continue;
        }
        let Some(at) = self.at else { return self.start_over() };
        if changes.from != at.revision || changes.to < changes.from {
            return Next::Reopen;
        }
        self.hide_pending();
        for commit in &changes.commits {
            if !self.confirm(changes.watchlist, commit, client, events) {
                // The state has diverged and cannot be trusted.
                self.show_pending(limits);
                return self.start_over();
            }
        }
        self.at = Some(At { epoch: at.epoch, revision: changes.to });
        self.finish_reached(changes.watchlist, Some(changes.to), events);
        self.show_pending(limits);
        Next::Continue
    }

    /// Applies a commit to the confirmed state. Returns false if it does not apply.
    fn confirm(
        &mut self,
        watchlist: WatchlistId,
        commit: &Commit,
        client: ClientId,
        events: &mut Vec<Event>,
    ) -> bool {
        let Some(state) = &mut self.state else { return false };
        let mut effects = Vec::with_capacity(commit.changes.len());
        for change in &commit.changes {
            let before = Before::of(change, state);
            if state.apply(std::slice::from_ref(change), &Mode::Confirmed { at: commit.at }).is_err() {
                return false;
            }
            effects.push(before.effect(change, state));
        }
        let own = self.pending.committed_as(commit);
        let own_client = (commit.by.client == client).then_some(WindowId(0));
        let window = own.map(|(_, window)| window).or(own_client);
        let (revision, by, at) = (commit.revision, commit.by.clone(), commit.at);
        events.push(Event::Committed { watchlist, revision, by, at, window, effects });
        if let Some((edit, _)) = own {
            self.finish_edit(watchlist, edit, Outcome::Accepted(commit.revision), events);
        }
        true
    }

    /// Handles the server's answer to an edit.
    pub(super) fn on_answer(
        &mut self,
        watchlist: WatchlistId,
        edit: EditId,
        outcome: Outcome,
        limits: &Limits,
        events: &mut Vec<Event>,
    ) {
        match outcome {
            Outcome::Accepted(revision)
                if self.is_wanted && self.at.is_none_or(|at| at.revision < revision) =>
            {
                self.pending.set_accepted(edit, revision);
            }
            Outcome::Accepted(_) | Outcome::Rejected(_) => {
                self.hide_pending();
                self.finish_edit(watchlist, edit, outcome, events);
                self.show_pending(limits);
            }
        }
        self.finished.clear();
    }

    /// Finishes the accepted edits up to a revision, or all of them. They are hidden, or the state is dropped
    /// next.
    fn finish_reached(
        &mut self,
        watchlist: WatchlistId,
        revision: Option<Revision>,
        events: &mut Vec<Event>,
    ) {
        let is_reached = |accepted: Revision| revision.is_none_or(|revision| accepted <= revision);
        let reached: Vec<(EditId, Revision)> =
            self.pending.accepted().filter(|(_, accepted)| is_reached(*accepted)).collect();
        for (edit, revision) in reached {
            self.finish_edit(watchlist, edit, Outcome::Accepted(revision), events);
        }
    }

    /// Removes an answered edit and emits the event.
    fn finish_edit(
        &mut self,
        watchlist: WatchlistId,
        edit: EditId,
        outcome: Outcome,
        events: &mut Vec<Event>,
    ) {
        let Some((window, changes)) = self.pending.remove(edit) else { return };
        self.finished.push(edit);
        events.push(Event::EditAnswered { watchlist, edit, window, outcome, changes });
    }

    fn hide_pending(&mut self) {
        if let Some(state) = &mut self.state {
            self.pending.hide(state);
        }
    }

    fn show_pending(&mut self, limits: &Limits) {
        if let Some(state) = &mut self.state {
            self.pending.show(state, limits);
        }
    }
}
