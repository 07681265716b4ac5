//! A client's copy of one watchlist: the confirmed state, with the client's pending edits applied on top.

use std::collections::{HashMap, VecDeque};

use super::{
    effect::Before,
    event::{Event, Outcome},
};
use crate::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{At, ClientId, EditId, Epoch, Revision, RowId, WatchlistId, WindowId},
    limits::Limits,
    rejection::Rejection,
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
    wire::{
        client::{ClientMessage, Open},
        server::{Changes, Person, Resumed},
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
    pending: VecDeque<Pending>,
    marks: HashMap<RowId, Vec<Mark>>,
    /// Edits answered by commits that the caller has not yet taken.
    finished: Vec<EditId>,
    people: Vec<Person>,
}

#[derive(Debug)]
struct Loading {
    epoch: Epoch,
    revision: Revision,
    parts: usize,
    next_part: usize,
    state: Watchlist,
}

#[derive(Debug)]
struct Pending {
    /// The client id that it is sent under.
    client: ClientId,
    edit: EditId,
    window: WindowId,
    changes: Vec<Change>,
    /// Sent on this connection.
    is_sent: bool,
    /// Sent on this or an earlier connection, so that the server may know it.
    is_attempted: bool,
    /// Restored from an earlier run.
    is_kept: bool,
    /// The server has another edit with its number, so that it needs a new client id and number.
    is_reused: bool,
    /// The revision that the server accepted it as, until the state reaches that revision.
    accepted: Option<Revision>,
    /// Reverts it from the shown state. `None` if it is not shown, because it does not apply to the current
    /// state.
    shown: Option<Undo>,
}

/// A cell, or a whole row, that a pending edit changes.
#[derive(Clone, Debug)]
struct Mark {
    edit: EditId,
    window: WindowId,
    column: Option<ColumnKey>,
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
        let marks = self.marks.get(&row)?;
        marks
            .iter()
            .rev()
            .find(|mark| mark.column.as_ref().is_none_or(|marked| marked == column))
            .map(|mark| mark.window)
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

    pub(super) fn set_people(&mut self, people: Vec<Person>) {
        self.people = people;
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
        for pending in &mut self.pending {
            pending.is_sent = false;
        }
    }

    /// Finishes the edits that are accepted but not yet part of the state, before the state is dropped.
    pub(super) fn finish_accepted(&mut self, watchlist: WatchlistId, events: &mut Vec<Event>) {
        let accepted: Vec<(EditId, Revision)> =
            self.pending.iter().filter_map(|pending| Some((pending.edit, pending.accepted?))).collect();
        for (edit, revision) in accepted {
            self.finish_edit(watchlist, edit, Outcome::Accepted(revision), events);
        }
        self.finished.clear();
    }

    pub(super) fn clear_state(&mut self) {
        self.sync = Sync::Idle;
        self.state = None;
        self.at = None;
        self.loading = None;
        self.people.clear();
        for pending in &mut self.pending {
            pending.shown = None;
        }
    }

    pub(super) fn pending_changes(&self, edit: EditId) -> Option<&[Change]> {
        self.pending.iter().find(|pending| pending.edit == edit).map(|pending| pending.changes.as_slice())
    }

    pub(super) fn in_flight(&self) -> usize {
        let in_flight =
            |pending: &&Pending| pending.is_sent && pending.accepted.is_none() && !pending.is_reused;
        self.pending.iter().filter(in_flight).count()
    }

    /// Returns whether the server may still answer an edit under its current number.
    pub(super) fn can_be_answered(&self, edit: EditId) -> bool {
        self.pending.iter().any(|pending| pending.edit == edit && pending.is_attempted && !pending.is_reused)
    }

    /// Returns whether any edit needs a new number.
    pub(super) fn has_reused(&self) -> bool {
        self.pending.iter().any(|pending| pending.is_reused)
    }

    /// Returns whether an edit was created in this run, with a number that was never used before.
    pub(super) fn is_from_this_run(&self, edit: EditId) -> bool {
        self.pending.iter().any(|pending| pending.edit == edit && !pending.is_kept)
    }

    /// Records that the server has another edit with this one's number.
    pub(super) fn mark_reused(&mut self, edit: EditId) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
            pending.is_reused = true;
        }
    }

    /// Gives an edit a new client id and number, with which it was never sent.
    pub(super) fn renumber(&mut self, edit: EditId, client: ClientId, new: EditId) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
            (pending.client, pending.edit) = (client, new);
            (pending.is_sent, pending.is_attempted, pending.is_reused) = (false, false, false);
        }
        for mark in self.marks.values_mut().flatten().filter(|mark| mark.edit == edit) {
            mark.edit = new;
        }
    }

    /// Marks an edit as sent and returns its changes. Returns `None` if it is in flight already or waits for
    /// a new number, and, with `only_attempted`, if it was never sent before.
    pub(super) fn mark_sent(&mut self, edit: EditId, only_attempted: bool) -> Option<Vec<Change>> {
        let can_send = |pending: &Pending| {
            !pending.is_sent && !pending.is_reused && (pending.is_attempted || !only_attempted)
        };
        let pending = self.pending.iter_mut().find(|pending| pending.edit == edit && can_send(pending))?;
        (pending.is_sent, pending.is_attempted) = (true, true);
        Some(pending.changes.clone())
    }

    pub(super) fn mark_unsent_from(&mut self, edit: EditId) {
        for pending in self.pending.iter_mut().filter(|pending| pending.edit >= edit) {
            pending.is_sent = false;
        }
    }

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
        self.push_pending(id, window, changes, shown, false);
        Ok(inverse)
    }

    /// Adds an edit kept by an earlier run. The server may know it. It is shown once the state is loaded.
    pub(super) fn push_kept(&mut self, id: (ClientId, EditId), changes: Vec<Change>) {
        self.push_pending(id, WindowId(0), changes, None, true);
    }

    fn push_pending(
        &mut self,
        (client, edit): (ClientId, EditId),
        window: WindowId,
        changes: Vec<Change>,
        shown: Option<Undo>,
        is_kept: bool,
    ) {
        for change in &changes {
            let (row, column) = match change {
                Change::Set(set) => (set.row, Some(set.column.clone())),
                Change::Insert(insert) => (insert.row, None),
                Change::Move(_)
                | Change::Remove(_)
                | Change::AddColumn(_)
                | Change::SetColumn(_)
                | Change::RemoveColumn(_)
                | Change::RestoreColumn(_)
                | Change::Rename(_) => continue,
            };
            self.marks.entry(row).or_default().push(Mark { edit, window, column });
        }
        self.pending.push_back(Pending {
            client,
            edit,
            window,
            changes,
            is_sent: false,
            is_attempted: is_kept,
            is_kept,
            is_reused: false,
            accepted: None,
            shown,
        });
    }

    pub(super) fn on_snapshot(&mut self, part: Snapshot, limits: &Limits, events: &mut Vec<Event>) -> Next {
        let is_stray = part.part != 1 && self.loading.is_none();
        if self.sync == Sync::Idle || is_stray {
            return Next::Continue;
        }
        let watchlist = part.watchlist;
        let is_other_history = self.at.is_some_and(|at| at.epoch != part.epoch);
        match self.load_part(part, limits) {
            Some(false) => Next::Continue,
            Some(true) => {
                events.push(Event::Loaded { watchlist, is_other_history });
                self.finish_reached(watchlist, limits, events);
                Next::Continue
            }
            None => self.start_over(),
        }
    }

    /// Loads one part of a snapshot. Returns whether it was the last, or `None` if the parts do not fit
    /// together.
    fn load_part(&mut self, part: Snapshot, limits: &Limits) -> Option<bool> {
        if part.part == 1 {
            let unlimited = Limits { columns: usize::MAX, text_bytes: usize::MAX, ..*limits };
            let state = Watchlist::new(&part.name, part.columns, &unlimited).ok()?;
            let (epoch, revision, parts) = (part.epoch, part.revision, part.parts);
            self.loading = Some(Loading { epoch, revision, parts, next_part: 1, state });
        }
        let loading = self.loading.as_mut()?;
        if loading.next_part != part.part || loading.revision != part.revision || loading.epoch != part.epoch
        {
            return None;
        }
        for row in &part.rows {
            row.load_into(&mut loading.state).ok()?;
        }
        loading.next_part += 1;
        if part.part < loading.parts {
            return Some(false);
        }
        let mut loaded = self.loading.take()?;
        if let Some(old) = &self.state {
            loaded.state.supersede(old);
        }
        if self.at.is_some_and(|at| at.epoch != loaded.epoch) {
            // Revisions of the old epoch no longer compare: its accepted edits are part of the snapshot or
            // lost.
            for pending in self.pending.iter_mut().filter(|pending| pending.accepted.is_some()) {
                pending.accepted = Some(Revision(0));
            }
        }
        self.state = Some(loaded.state);
        self.at = Some(At { epoch: loaded.epoch, revision: loaded.revision });
        self.sync = Sync::Live;
        self.show_pending(limits);
        Some(true)
    }

    /// Requests the whole watchlist after an inconsistent message.
    fn start_over(&mut self) -> Next {
        self.at = None;
        self.loading = None;
        Next::Reopen
    }

    pub(super) fn on_resumed(&mut self, resumed: &Resumed, limits: &Limits, events: &mut Vec<Event>) -> Next {
        match self.at {
            _ if self.sync != Sync::Requested => Next::Continue,
            Some(at) if at.epoch == resumed.epoch && self.state.is_some() => {
                self.sync = Sync::Live;
                events.push(Event::Resumed { watchlist: resumed.watchlist });
                self.finish_reached(resumed.watchlist, limits, events);
                Next::Continue
            }
            _ => self.start_over(),
        }
    }

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
        self.show_pending(limits);
        self.finish_reached(changes.watchlist, limits, events);
        Next::Continue
    }

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
        let pending = self.pending.iter_mut().find(|pending| {
            (pending.client, pending.edit) == (commit.by.client, commit.by.edit) && !pending.is_reused
        });
        let own = match pending {
            Some(pending) if is_remainder_of(&commit.changes, &pending.changes) => {
                Some((pending.edit, pending.window))
            }
            // Another copy of this client's data sent it: our edit with this number was never processed.
            Some(pending) => {
                pending.is_reused = true;
                None
            }
            None => None,
        };
        let own_client = (commit.by.client == client).then_some(WindowId(0));
        let window = own.map(|(_, window)| window).or(own_client);
        let (revision, by, at) = (commit.revision, commit.by.clone(), commit.at);
        events.push(Event::Committed { watchlist, revision, by, at, window, effects });
        if let Some((edit, _)) = own {
            self.finish_edit(watchlist, edit, Outcome::Accepted(commit.revision), events);
        }
        true
    }

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
                if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
                    pending.accepted = Some(revision);
                }
            }
            Outcome::Accepted(_) | Outcome::Rejected(_) => {
                self.hide_pending();
                self.finish_edit(watchlist, edit, outcome, events);
                self.show_pending(limits);
            }
        }
        self.finished.clear();
    }

    /// Finishes the accepted edits whose revision the state has reached.
    fn finish_reached(&mut self, watchlist: WatchlistId, limits: &Limits, events: &mut Vec<Event>) {
        let Some(at) = self.at else { return };
        let reached: Vec<(EditId, Revision)> = self
            .pending
            .iter()
            .filter_map(|pending| Some((pending.edit, pending.accepted?)))
            .filter(|(_, revision)| *revision <= at.revision)
            .collect();
        if reached.is_empty() {
            return;
        }
        self.hide_pending();
        for (edit, revision) in reached {
            self.finish_edit(watchlist, edit, Outcome::Accepted(revision), events);
        }
        self.show_pending(limits);
    }

    /// Removes an answered edit and emits the event.
    fn finish_edit(
        &mut self,
        watchlist: WatchlistId,
        edit: EditId,
        outcome: Outcome,
        events: &mut Vec<Event>,
    ) {
        let Some(index) = self.pending.iter().position(|pending| pending.edit == edit) else { return };
        let pending = self.pending.remove(index).expect("the index was just found");
        for change in &pending.changes {
            if let Some(row) = change.row()
                && let Some(marks) = self.marks.get_mut(&row)
            {
                marks.retain(|mark| mark.edit != edit);
                if marks.is_empty() {
                    self.marks.remove(&row);
                }
            }
        }
        self.finished.push(edit);
        events.push(Event::EditAnswered {
            watchlist,
            edit,
            window: pending.window,
            outcome,
            changes: pending.changes,
        });
    }

    fn hide_pending(&mut self) {
        let Some(state) = &mut self.state else { return };
        for pending in self.pending.iter_mut().rev() {
            if let Some(undo) = pending.shown.take() {
                state.revert(undo);
            }
        }
    }

    fn show_pending(&mut self, limits: &Limits) {
        let Some(state) = &mut self.state else { return };
        for pending in &mut self.pending {
            pending.shown = state.apply(&pending.changes, &Mode::Pending { limits }).ok();
        }
    }
}

/// Returns whether a commit's changes can be what conflation has left of an edit's.
fn is_remainder_of(commit: &[Change], edit: &[Change]) -> bool {
    let mut whole = edit.iter().map(|change| change.clone().without_guard());
    commit.iter().all(|change| whole.any(|other| other == *change))
}
