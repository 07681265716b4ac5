//! One watchlist of a client: the confirmed state, with the client's own pending edits shown on top.

use std::collections::{HashMap, VecDeque};

use super::{Effect, Event, Outcome};
use crate::{
    column::ColumnKey,
    edit::{Change, Commit, Rejection},
    ids::{ClientId, EditId, Epoch, Revision, RowId, WatchlistId, WindowId},
    limits::Limits,
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
    wire::{
        At,
        client::{ClientMessage, Open},
        server::{Changes, Person, Resumed, Snapshot},
    },
};

/// How far a watchlist is with the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Not asked for on this connection.
    #[default]
    Idle,
    /// Asked for; what arrives of its changes before the answer is ignored.
    Asked,
    /// Every change is seen.
    Live,
}

/// What the caller has to do after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Carry,
    OpenAgain,
}

/// One watchlist as this client knows it.
#[derive(Debug, Default)]
pub struct ListReplica {
    wanted: bool,
    sync: Sync,
    /// Confirmed state with the pending edits applied on top, in order.
    state: Option<Watchlist>,
    at: Option<At>,
    loading: Option<Loading>,
    pending: VecDeque<Pending>,
    marks: HashMap<RowId, Vec<Mark>>,
    settled: Vec<EditId>,
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
    /// Under whose name it is sent, with its number.
    client: ClientId,
    edit: EditId,
    window: WindowId,
    changes: Vec<Change>,
    /// Under way on this connection.
    sent: bool,
    /// The server may have seen it, on this connection or an earlier one.
    tried: bool,
    /// It comes from an earlier run.
    is_kept: bool,
    /// Its number was another edit's: it needs a new one of a new client.
    reused: bool,
    accepted: Option<Revision>,
    /// How to take it off the shown state; `None` where it cannot be shown on what others made meanwhile.
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
    /// What the windows show: confirmed state and own pending edits; `None` before the first snapshot.
    pub fn state(&self) -> Option<&Watchlist> {
        self.state.as_ref()
    }

    /// Where the confirmed state stands.
    pub fn at(&self) -> Option<At> {
        self.at
    }

    /// How far it is with the server.
    pub fn sync(&self) -> Sync {
        self.sync
    }

    /// Who is in it, this client's windows among them.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Edits that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// The window whose pending edit last changed a cell.
    pub fn pending_window(&self, row: RowId, column: &ColumnKey) -> Option<WindowId> {
        let marks = self.marks.get(&row)?;
        marks
            .iter()
            .rev()
            .find(|mark| mark.column.as_ref().is_none_or(|marked| marked == column))
            .map(|mark| mark.window)
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    pub(super) fn is_asked(&self) -> bool {
        self.sync != Sync::Idle
    }

    pub(super) fn is_unused(&self) -> bool {
        !self.wanted && self.pending.is_empty()
    }

    pub(super) fn want(&mut self, wanted: bool) -> bool {
        std::mem::replace(&mut self.wanted, wanted) != wanted
    }

    pub(super) fn set_people(&mut self, people: Vec<Person>) {
        self.people = people;
    }

    pub(super) fn ask(&mut self, watchlist: WatchlistId) -> ClientMessage {
        self.sync = Sync::Asked;
        self.loading = None;
        ClientMessage::Open(Open { watchlist, at: self.at })
    }

    /// The server cannot serve it at present: it is asked for again later.
    pub(super) fn not_served(&mut self) {
        self.sync = Sync::Idle;
        self.loading = None;
    }

    pub(super) fn disconnected(&mut self) {
        self.sync = Sync::Idle;
        self.loading = None;
        self.people.clear();
        for pending in &mut self.pending {
            pending.sent = false;
        }
    }

    /// The state is given up: edits whose answer is held wait for it no longer.
    pub(super) fn settle_accepted(&mut self, watchlist: WatchlistId, events: &mut Vec<Event>) {
        let held: Vec<(EditId, Revision)> =
            self.pending.iter().filter_map(|pending| Some((pending.edit, pending.accepted?))).collect();
        for (edit, revision) in held {
            self.settle(watchlist, edit, Outcome::Accepted(revision), events);
        }
        self.settled.clear();
    }

    pub(super) fn forget_state(&mut self) {
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
        let in_flight = |pending: &&Pending| pending.sent && pending.accepted.is_none() && !pending.reused;
        self.pending.iter().filter(in_flight).count()
    }

    /// Whether the server may yet answer an edit under the name that it has.
    pub(super) fn may_be_answered(&self, edit: EditId) -> bool {
        self.pending.iter().any(|pending| pending.edit == edit && pending.tried && !pending.reused)
    }

    /// Whether an edit needs a new name.
    pub(super) fn has_reused(&self) -> bool {
        self.pending.iter().any(|pending| pending.reused)
    }

    /// Whether an edit was made in this run: its number was new to this client.
    pub(super) fn was_made_here(&self, edit: EditId) -> bool {
        self.pending.iter().any(|pending| pending.edit == edit && !pending.is_kept)
    }

    /// The server holds another edit under this one's name.
    pub(super) fn mark_reused(&mut self, edit: EditId) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
            pending.reused = true;
        }
    }

    /// Gives an edit a new name, under which it was never sent.
    pub(super) fn rename(&mut self, edit: EditId, client: ClientId, new: EditId) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
            (pending.client, pending.edit) = (client, new);
            (pending.sent, pending.tried, pending.reused) = (false, false, false);
        }
        for mark in self.marks.values_mut().flatten().filter(|mark| mark.edit == edit) {
            mark.edit = new;
        }
    }

    /// Marks an edit as sent and hands out its changes; `None` where it is under way already, or waits for a
    /// new name. With `only_tried`, one that the server cannot have seen stays here.
    pub(super) fn send(&mut self, edit: EditId, only_tried: bool) -> Option<Vec<Change>> {
        let may_go = |pending: &Pending| !pending.sent && !pending.reused && (pending.tried || !only_tried);
        let pending = self.pending.iter_mut().find(|pending| pending.edit == edit && may_go(pending))?;
        (pending.sent, pending.tried) = (true, true);
        Some(pending.changes.clone())
    }

    pub(super) fn mark_unsent_from(&mut self, edit: EditId) {
        for pending in self.pending.iter_mut().filter(|pending| pending.edit >= edit) {
            pending.sent = false;
        }
    }

    pub(super) fn take_settled(&mut self) -> Vec<EditId> {
        std::mem::take(&mut self.settled)
    }

    /// Tries an edit on what is shown.
    pub(super) fn check(&mut self, changes: &[Change], limits: &Limits) -> Result<(), Rejection> {
        let Some(state) = &mut self.state else { return Ok(()) };
        let undo = state.apply(changes, &Mode::Pending { limits })?;
        state.revert(undo);
        Ok(())
    }

    pub(super) fn inverse(&mut self, changes: &[Change]) -> Vec<Change> {
        let as_of = self.at.map(|at| at.revision);
        self.state.as_mut().map(|state| state.inverse(changes, as_of)).unwrap_or_default()
    }

    /// Shows an edit that waits. One that was kept from an earlier run the server may have seen.
    pub(super) fn push_pending(
        &mut self,
        (client, edit): (ClientId, EditId),
        window: WindowId,
        changes: Vec<Change>,
        is_kept: bool,
        limits: &Limits,
    ) {
        let shown =
            self.state.as_mut().and_then(|state| state.apply(&changes, &Mode::Pending { limits }).ok());
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
            sent: false,
            tried: is_kept,
            is_kept,
            reused: false,
            accepted: None,
            shown,
        });
    }

    pub(super) fn snapshot(&mut self, part: Snapshot, limits: &Limits, events: &mut Vec<Event>) -> Next {
        let strays = part.part != 1 && self.loading.is_none();
        if self.sync == Sync::Idle || strays {
            return Next::Carry;
        }
        let watchlist = part.watchlist;
        let is_other_history = self.at.is_some_and(|at| at.epoch != part.epoch);
        match self.load_part(part, limits) {
            Some(false) => Next::Carry,
            Some(true) => {
                events.push(Event::Loaded { watchlist, is_other_history });
                self.settle_reached(watchlist, limits, events);
                Next::Carry
            }
            None => self.start_over(),
        }
    }

    /// Takes one part; true when it was the last, `None` where the parts do not fit together.
    fn load_part(&mut self, part: Snapshot, limits: &Limits) -> Option<bool> {
        if part.part == 1 {
            let lifted = Limits { columns: usize::MAX, text_bytes: usize::MAX, ..*limits };
            let state = Watchlist::new(&part.name, part.columns, &lifted).ok()?;
            let (epoch, revision, parts) = (part.epoch, part.revision, part.parts);
            self.loading = Some(Loading { epoch, revision, parts, next_part: 1, state });
        }
        let loading = self.loading.as_mut()?;
        if loading.next_part != part.part || loading.revision != part.revision || loading.epoch != part.epoch
        {
            return None;
        }
        for row in &part.rows {
            loading.state.load_wire_row(row).ok()?;
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
            // Revisions of a history that is no more say nothing: what it accepted is in here or is lost.
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

    /// What was received makes no sense: asks for the watchlist whole.
    fn start_over(&mut self) -> Next {
        self.at = None;
        self.loading = None;
        Next::OpenAgain
    }

    pub(super) fn resumed(&mut self, resumed: &Resumed, limits: &Limits, events: &mut Vec<Event>) -> Next {
        match self.at {
            _ if self.sync != Sync::Asked => Next::Carry,
            Some(at) if at.epoch == resumed.epoch && self.state.is_some() => {
                self.sync = Sync::Live;
                events.push(Event::Resumed { watchlist: resumed.watchlist });
                self.settle_reached(resumed.watchlist, limits, events);
                Next::Carry
            }
            _ => self.start_over(),
        }
    }

    pub(super) fn changes(
        &mut self,
        changes: &Changes,
        client: ClientId,
        limits: &Limits,
        events: &mut Vec<Event>,
    ) -> Next {
        if self.sync != Sync::Live {
            return Next::Carry;
        }
        let Some(at) = self.at else { return self.start_over() };
        if changes.from != at.revision || changes.to < changes.from {
            return Next::OpenAgain;
        }
        self.hide_pending();
        for commit in &changes.commits {
            if !self.confirm(changes.watchlist, commit, client, events) {
                // Divergence: the state is not to be trusted any longer.
                self.show_pending(limits);
                return self.start_over();
            }
        }
        self.at = Some(At { epoch: at.epoch, revision: changes.to });
        self.show_pending(limits);
        self.settle_reached(changes.watchlist, limits, events);
        Next::Carry
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
        let named = self.pending.iter_mut().find(|pending| {
            (pending.client, pending.edit) == (commit.by.client, commit.by.edit) && !pending.reused
        });
        let own = match named {
            Some(pending) if is_left_of(&commit.changes, &pending.changes) => {
                Some((pending.edit, pending.window))
            }
            // Another copy of what this client keeps made it: this one's edit was never judged.
            Some(pending) => {
                pending.reused = true;
                None
            }
            None => None,
        };
        let from_here = (commit.by.client == client).then_some(WindowId(0));
        let window = own.map(|(_, window)| window).or(from_here);
        let (revision, by, at) = (commit.revision, commit.by.clone(), commit.at);
        events.push(Event::Committed { watchlist, revision, by, at, window, effects });
        if let Some((edit, _)) = own {
            self.settle(watchlist, edit, Outcome::Accepted(commit.revision), events);
        }
        true
    }

    pub(super) fn answered(
        &mut self,
        watchlist: WatchlistId,
        edit: EditId,
        outcome: Outcome,
        limits: &Limits,
        events: &mut Vec<Event>,
    ) {
        match outcome {
            Outcome::Accepted(revision) if self.wanted && self.at.is_none_or(|at| at.revision < revision) => {
                if let Some(pending) = self.pending.iter_mut().find(|pending| pending.edit == edit) {
                    pending.accepted = Some(revision);
                }
            }
            Outcome::Accepted(_) | Outcome::Rejected(_) => {
                self.hide_pending();
                self.settle(watchlist, edit, outcome, events);
                self.show_pending(limits);
            }
        }
        self.settled.clear();
    }

    /// Drops the pending edits whose answer is held and whose revision the state has reached.
    fn settle_reached(&mut self, watchlist: WatchlistId, limits: &Limits, events: &mut Vec<Event>) {
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
            self.settle(watchlist, edit, Outcome::Accepted(revision), events);
        }
        self.show_pending(limits);
    }

    fn settle(&mut self, watchlist: WatchlistId, edit: EditId, outcome: Outcome, events: &mut Vec<Event>) {
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
        self.settled.push(edit);
        events.push(Event::Settled {
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

/// Whether a commit's changes are what conflation may have left of an edit's.
fn is_left_of(left: &[Change], edit: &[Change]) -> bool {
    let mut whole = edit.iter().map(|change| change.clone().without_guard());
    left.iter().all(|change| whole.any(|other| other == *change))
}

/// What a change is about to replace.
enum Before {
    Cell(crate::value::Value),
    Place(usize),
    Nothing,
}

impl Before {
    fn of(change: &Change, state: &Watchlist) -> Self {
        match change {
            Change::Set(set) => Before::Cell(state.cell(set.row, &set.column)),
            Change::Remove(remove) => {
                state.rows().index_of(remove.row).map_or(Before::Nothing, Before::Place)
            }
            Change::Insert(_)
            | Change::Move(_)
            | Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => Before::Nothing,
        }
    }

    fn effect(self, change: &Change, state: &Watchlist) -> Effect {
        match (change, self) {
            (Change::Set(set), Before::Cell(before)) => {
                let after = state.cell(set.row, &set.column);
                Effect::Cell { row: set.row, column: set.column.clone(), before, after }
            }
            (Change::Remove(remove), Before::Place(index)) => Effect::Removed { row: remove.row, index },
            (Change::Insert(insert), _) => Effect::Inserted { row: insert.row },
            (Change::Move(moved), _) => Effect::Moved { row: moved.row },
            _ => Effect::Shape,
        }
    }
}
