//! The edits of this client in one watchlist that are not part of its confirmed state yet. They are shown on
//! top of it, and are taken off while commits are applied.

use std::collections::{HashMap, VecDeque};

use crate::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{ClientId, EditId, Revision, RowId, WindowId},
    limits::Limits,
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
};

/// The pending edits of a watchlist, in order.
#[derive(Debug, Default)]
pub(in super::super) struct PendingEdits {
    edits: VecDeque<Pending>,
    marks: HashMap<RowId, Vec<Mark>>,
}

/// An edit of this client that is not answered yet, or whose commit is not part of the confirmed state yet.
#[derive(Debug)]
pub(super) struct Pending {
    /// The client id that it is sent under.
    pub(super) client: ClientId,
    pub(super) edit: EditId,
    pub(super) window: WindowId,
    pub(super) changes: Vec<Change>,
    /// Sent on this connection.
    is_sent: bool,
    /// Sent on this or an earlier connection, so that the server may know it.
    is_attempted: bool,
    /// Restored from an earlier run.
    is_kept: bool,
    /// The server has another edit with its number, so that it needs a new client id and number.
    pub(super) is_reused: bool,
    /// The revision that the server accepted it as, until the state reaches that revision.
    pub(super) accepted: Option<Revision>,
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

impl PendingEdits {
    /// Returns the number of edits.
    pub(super) fn len(&self) -> usize {
        self.edits.len()
    }

    /// Returns whether there are no edits.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Returns the window whose edit was the last to change a cell.
    pub(super) fn window_of(&self, row: RowId, column: &ColumnKey) -> Option<WindowId> {
        let marks = self.marks.get(&row)?;
        marks
            .iter()
            .rev()
            .find(|mark| mark.column.as_ref().is_none_or(|marked| marked == column))
            .map(|mark| mark.window)
    }

    /// Whether an edit after the given one sets a cell.
    pub(super) fn is_set_after(&self, edit: EditId, row: RowId, column: &ColumnKey) -> bool {
        let marks = self.marks.get(&row).into_iter().flatten();
        marks.into_iter().any(|mark| mark.edit > edit && mark.column.as_ref() == Some(column))
    }

    /// Returns the changes of an edit.
    pub(in super::super) fn changes(&self, edit: EditId) -> Option<&[Change]> {
        self.edits.iter().find(|pending| pending.edit == edit).map(|pending| pending.changes.as_slice())
    }

    /// Returns the number of edits that are sent and not answered.
    pub(in super::super) fn in_flight(&self) -> usize {
        let in_flight =
            |pending: &&Pending| pending.is_sent && pending.accepted.is_none() && !pending.is_reused;
        self.edits.iter().filter(in_flight).count()
    }

    /// Returns whether the server may still answer an edit under its current number.
    pub(in super::super) fn can_be_answered(&self, edit: EditId) -> bool {
        self.edits.iter().any(|pending| pending.edit == edit && pending.is_attempted && !pending.is_reused)
    }

    /// Returns whether any edit needs a new number.
    pub(in super::super) fn has_reused(&self) -> bool {
        self.edits.iter().any(|pending| pending.is_reused)
    }

    /// Returns whether an edit was created in this run, with a number that was never used before.
    pub(in super::super) fn is_from_this_run(&self, edit: EditId) -> bool {
        self.edits.iter().any(|pending| pending.edit == edit && !pending.is_kept)
    }

    /// Records that the server has another edit with this one's number.
    pub(in super::super) fn mark_reused(&mut self, edit: EditId) {
        if let Some(pending) = self.edits.iter_mut().find(|pending| pending.edit == edit) {
            pending.is_reused = true;
        }
    }

    /// Gives an edit a new client id and number, with which it was never sent.
    pub(in super::super) fn renumber(&mut self, edit: EditId, client: ClientId, new: EditId) {
        if let Some(pending) = self.edits.iter_mut().find(|pending| pending.edit == edit) {
            (pending.client, pending.edit) = (client, new);
            (pending.is_sent, pending.is_attempted, pending.is_reused) = (false, false, false);
        }
        for mark in self.marks.values_mut().flatten().filter(|mark| mark.edit == edit) {
            mark.edit = new;
        }
    }

    /// Marks an edit as sent and returns its changes. Returns `None` if it is in flight already or waits for
    /// a new number, and, with `only_attempted`, if it was never sent before.
    pub(in super::super) fn mark_sent(&mut self, edit: EditId, only_attempted: bool) -> Option<Vec<Change>> {
        let can_send = |pending: &Pending| {
            !pending.is_sent && !pending.is_reused && (pending.is_attempted || !only_attempted)
        };
        let pending = self.edits.iter_mut().find(|pending| pending.edit == edit && can_send(pending))?;
        (pending.is_sent, pending.is_attempted) = (true, true);
        Some(pending.changes.clone())
    }

    /// Marks an edit and every later one as not sent.
    pub(in super::super) fn mark_unsent_from(&mut self, edit: EditId) {
        for pending in self.edits.iter_mut().filter(|pending| pending.edit >= edit) {
            pending.is_sent = false;
        }
    }

    /// Handles the loss of the connection.
    pub(super) fn disconnected(&mut self) {
        self.edits.iter_mut().for_each(|pending| pending.is_sent = false);
    }

    /// Adds an edit. `shown` reverts it if it is applied to the shown state. The server may know an edit that
    /// was kept by an earlier run.
    pub(super) fn push(
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
        self.edits.push_back(Pending {
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

    /// Records that the server accepted an edit as the commit with a revision.
    pub(super) fn set_accepted(&mut self, edit: EditId, revision: Revision) {
        if let Some(pending) = self.edits.iter_mut().find(|pending| pending.edit == edit) {
            pending.accepted = Some(revision);
        }
    }

    /// Handles a confirmed state of another epoch. Revisions of the old one no longer compare: the edits that
    /// it accepted are part of the new state or lost.
    pub(super) fn renew_epoch(&mut self) {
        for pending in self.edits.iter_mut().filter(|pending| pending.accepted.is_some()) {
            pending.accepted = Some(Revision(0));
        }
    }

    /// Returns the accepted edits with their revisions.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (EditId, Revision)> {
        self.edits.iter().filter_map(|pending| Some((pending.edit, pending.accepted?)))
    }

    /// Returns the number and the window of the edit that a commit of the server accepts, if it is one of
    /// these. An edit with the commit's number but other changes was never processed, and needs another
    /// number.
    pub(super) fn committed_as(&mut self, commit: &Commit) -> Option<(EditId, WindowId)> {
        let pending = self.edits.iter_mut().find(|pending| {
            (pending.client, pending.edit) == (commit.by.client, commit.by.edit) && !pending.is_reused
        })?;
        if !is_remainder_of(&commit.changes, &pending.changes) {
            // Another copy of this client's data sent it.
            pending.is_reused = true;
            return None;
        }
        Some((pending.edit, pending.window))
    }

    /// Removes an edit and returns its window and changes.
    pub(super) fn remove(&mut self, edit: EditId) -> Option<(WindowId, Vec<Change>)> {
        let index = self.edits.iter().position(|pending| pending.edit == edit)?;
        let pending = self.edits.remove(index)?;
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
        Some((pending.window, pending.changes))
    }

    /// Reverts the edits from the shown state, which leaves the confirmed one.
    pub(super) fn hide(&mut self, state: &mut Watchlist) {
        for pending in self.edits.iter_mut().rev() {
            if let Some(undo) = pending.shown.take() {
                state.revert(undo);
            }
        }
    }

    /// Applies the edits to the confirmed state. One that does not apply is not shown.
    pub(super) fn show(&mut self, state: &mut Watchlist, limits: &Limits) {
        for pending in &mut self.edits {
            pending.shown = state.apply(&pending.changes, &Mode::Pending { limits }).ok();
        }
    }

    /// Handles the loss of the shown state.
    pub(super) fn forget_shown(&mut self) {
        self.edits.iter_mut().for_each(|pending| pending.shown = None);
    }
}

/// Returns whether a commit's changes can be what conflation has left of an edit's.
fn is_remainder_of(commit: &[Change], edit: &[Change]) -> bool {
    let mut whole = edit.iter();
    commit.iter().all(|change| whole.any(|other| is_committed_form(change, other)))
}

/// Returns whether a commit's change is a change of an edit without its guard.
fn is_committed_form(committed: &Change, change: &Change) -> bool {
    match (committed, change) {
        (Change::Set(committed), Change::Set(set)) => {
            committed.was.is_none()
                && (committed.row, &committed.column, &committed.value) == (set.row, &set.column, &set.value)
        }
        (Change::Remove(committed), Change::Remove(remove)) => {
            committed.as_of.is_none() && committed.row == remove.row
        }
        _ => committed == change,
    }
}
