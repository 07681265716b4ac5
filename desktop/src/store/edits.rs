//! The edits of this process: they are applied at once, kept in the outbox until they are answered, and can
//! be undone.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    time::Duration,
};

use shared::{
    edit::Change,
    ids::{ClientId, EditId, RowId, WatchlistId, WindowId},
    rejection::{Code, Rejection},
    replica::{KeptEdit, Replica},
};

use super::{
    outbox::{Clock, Contents, Outbox},
    rest::without_removed_rows,
    undo::{Direction, Spot, UndoStacks, UndoStep},
};
use crate::files::WriteFile;

/// Time in which the server answers a removal if nothing is wrong. Rows whose values change all the time are removed
/// nevertheless if they change within it; otherwise the person may not know of the change.
const PROMPT: Duration = Duration::from_secs(2);

/// The outbox and the undo stacks of all windows.
#[derive(Debug)]
pub(super) struct Edits {
    pub(super) outbox: Outbox,
    pub(super) undo: UndoStacks,
    /// Whether the current fault of the outbox is reported.
    is_fault_reported: bool,
    /// When the last edits that remove rows were made.
    removals: BTreeMap<EditId, Duration>,
    /// The time, as of the last tick.
    pub(super) now: Duration,
}

/// When an edit reaches the server, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    AtOnce,
    /// Once the server answers again.
    Later,
}

/// What became of a step that was undone or redone.
pub(super) struct Repeated {
    /// The changed place.
    pub(super) spot: Spot,
    /// Why the new edit was rejected.
    pub(super) rejection: Option<Rejection>,
    /// Rows of the step that somebody has removed.
    pub(super) lost: BTreeSet<RowId>,
}

impl Edits {
    /// Opens the outbox in a folder, and returns what it contains.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(super) fn open(
        outbox_folder: &Path,
        clock: Clock,
        write_file: WriteFile,
    ) -> io::Result<(Self, Contents)> {
        let (outbox, contents) = Outbox::open(outbox_folder, clock, write_file)?;
        let edits = Self {
            outbox,
            undo: UndoStacks::default(),
            is_fault_reported: false,
            removals: BTreeMap::new(),
            now: Duration::ZERO,
        };
        Ok((edits, contents))
    }

    /// Returns the watchlist of the step that a window would undo or redo.
    pub(super) fn repeated_list(&self, window: WindowId, direction: Direction) -> Option<WatchlistId> {
        self.undo.last(window, direction).map(|step| step.watchlist)
    }

    /// Undoes or redoes a window's last step with a new guarded edit, in the rows that still exist; `None`
    /// without such a step.
    pub(super) fn repeat(
        &mut self,
        replica: &mut Replica,
        window: WindowId,
        direction: Direction,
    ) -> Option<Repeated> {
        let step = self.undo.pop(window, direction)?;
        let changes = step.changes(direction).clone();
        let spot = Spot::of(step.watchlist, &changes, direction);
        let state = replica.list(step.watchlist).and_then(|list| list.state());
        let (changes, lost) = match state {
            Some(state) => without_removed_rows(state, changes),
            None => (changes, BTreeSet::new()),
        };
        if changes.is_empty() {
            return Some(Repeated { spot, rejection: None, lost });
        }
        match self.edit(replica, (window, step.watchlist), changes) {
            // The inverse is guarded by the values that this edit leaves.
            Ok((inverse, edit)) => {
                let step = step.with_changes(direction.opposite(), inverse);
                let step = UndoStep { edit, repeated: Some(direction), ..step };
                self.undo.push(window, direction.opposite(), step);
                Some(Repeated { spot, rejection: None, lost })
            }
            Err(rejection) => {
                // It can be repeated once the disk has space.
                if rejection.code == Code::Unavailable {
                    self.undo.push(window, direction, step);
                }
                Some(Repeated { spot, rejection: Some(rejection), lost: BTreeSet::new() })
            }
        }
    }

    /// Returns whether a number is reserved on disk for the next edit.
    pub(super) fn can_edit(&self) -> bool {
        self.outbox.has_number()
    }

    /// Applies an edit and keeps it on disk until it is answered. Returns the changes that undo it, and its
    /// number.
    ///
    /// # Errors
    /// The edit is invalid or too large, the watchlist is not loaded, or the disk is full.
    pub(super) fn edit(
        &mut self,
        replica: &mut Replica,
        place: (WindowId, WatchlistId),
        changes: Vec<Change>,
    ) -> Result<(Vec<Change>, EditId), Rejection> {
        let has_removals =
            changes.iter().any(|change| matches!(change, Change::Remove(remove) if remove.as_of.is_none()));
        if !has_removals {
            return self.edit_as_is(replica, place, changes);
        }
        let edited = self.edit_as_is(replica, place, with_guarded_removals(replica, place.1, changes))?;
        let now = self.now;
        self.removals.retain(|_, at| now.saturating_sub(*at) < PROMPT);
        self.removals.insert(edited.1, now);
        Ok(edited)
    }

    /// Whether an edit that removes rows was made so recently that the person has seen them as they are but for
    /// what came in between.
    pub(super) fn is_prompt_removal(&self, edit: EditId) -> bool {
        self.removals.get(&edit).is_some_and(|at| self.now.saturating_sub(*at) < PROMPT)
    }

    fn edit_as_is(
        &mut self,
        replica: &mut Replica,
        (window, watchlist): (WindowId, WatchlistId),
        changes: Vec<Change>,
    ) -> Result<(Vec<Change>, EditId), Rejection> {
        if !self.can_edit() {
            let message = "edits cannot be saved to this computer's disk; free some disk space and try again";
            return Err(Rejection::new(Code::Unavailable, message));
        }
        let (kept, inverse) = replica.edit(watchlist, window, changes)?;
        self.outbox.append(&kept);
        Ok((inverse, kept.edit))
    }

    /// Sends the changes of a rejected edit that can still be made. Returns the number of the new edit, and
    /// what the rejected one repeated.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub(super) fn send_rest(
        &mut self,
        replica: &mut Replica,
        (window, watchlist): (WindowId, WatchlistId),
        rejected: EditId,
        changes: Vec<Change>,
    ) -> Result<(EditId, Option<Direction>), Rejection> {
        let (inverse, edit) = self.edit_as_is(replica, (window, watchlist), changes.clone())?;
        Ok((edit, self.undo.replace_rejected(window, rejected, (edit, changes, inverse))))
    }

    /// Returns why edits cannot be written to disk, once for each time that this begins.
    pub(super) fn new_fault(&mut self) -> Option<String> {
        let fault = self.outbox.fault();
        let was_reported = std::mem::replace(&mut self.is_fault_reported, fault.is_some());
        fault.filter(|_| !was_reported)
    }

    /// Changes the client id, because the server has other edits under this client's edit numbers.
    ///
    /// # Errors
    /// The folder of the outbox cannot be written; edits are no longer kept then.
    pub(super) fn renew_client(&mut self, replica: &mut Replica, client: ClientId) -> io::Result<()> {
        let renamed = replica.renew(client);
        for (old, kept) in &renamed {
            self.undo.renumber(*old, kept.edit);
        }
        let kept: Vec<KeptEdit> = renamed.into_iter().map(|(_, kept)| kept).collect();
        let next = kept.last().map_or(EditId(1), |last| last.edit.next());
        self.outbox.renew(client, next, &kept)
    }
}

/// Returns changes that remove a row only if no other client has changed it since the state that is shown.
fn with_guarded_removals(replica: &Replica, watchlist: WatchlistId, changes: Vec<Change>) -> Vec<Change> {
    let as_of = replica.list(watchlist).and_then(|list| list.at()).map(|at| at.revision);
    let guarded = |change| match change {
        Change::Remove(remove) if remove.as_of.is_none() => Change::remove(remove.row, as_of),
        other => other,
    };
    changes.into_iter().map(guarded).collect()
}
