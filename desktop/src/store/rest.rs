//! What remains of a rejected edit. An edit is all or nothing, but a person who pastes a hundred prices must
//! not lose them because somebody else has changed one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    edit::{Change, Set},
    ids::{RowId, WatchlistId},
    rejection::{Code, Rejection},
    value::Literal,
    watchlist::Watchlist,
};

/// Maximum number of changes that a notice names beside the rejected one.
pub(super) const MAX_LISTED: usize = 5;

/// A change that cannot be made any more, with the reason.
pub(super) type Dropped = (Change, Cause);

/// Why a change of a rejected edit cannot be made any more.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cause {
    /// Somebody else has set the cell to this value.
    Changed(Literal),
    /// The row or the column was removed.
    Removed,
    /// The server rejects it for a reason that concerns the whole edit.
    Edit,
}

/// A value that the server has rejected, as a person reads and copies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedValue {
    /// Name of the row; empty if it has none.
    pub row: String,
    /// Title of the column.
    pub column: String,
    /// The value.
    pub value: String,
}

impl RejectedValue {
    /// Returns the row, column and value.
    pub fn cells(&self) -> [&str; 3] {
        [&self.row, &self.column, &self.value]
    }
}

/// What remains of a rejected edit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rest {
    /// The changes that can still be made.
    pub(super) changes: Vec<Change>,
    /// The changes that cannot, the rejected one first.
    pub(super) dropped: Vec<Dropped>,
}

impl Rest {
    /// Returns what remains of an edit that is rejected as a whole.
    pub(super) fn nothing(rejection: &Rejection, changes: &[Change]) -> Self {
        let mut dropped: Vec<Dropped> = changes.iter().map(|change| (change.clone(), Cause::Edit)).collect();
        if let Some(rejected) = rejection.change.filter(|rejected| *rejected < dropped.len()) {
            dropped[..=rejected].rotate_right(1);
        }
        Self { changes: Vec::new(), dropped }
    }
}

/// A notice about rejected changes, which is extended when more of them are rejected.
#[derive(Clone, Debug)]
pub(super) struct Report {
    /// The notice.
    pub(super) notice: u64,
    /// Why the first change was rejected.
    pub(super) text: String,
    /// The changes that could not be made, the first one first.
    pub(super) dropped: Vec<Dropped>,
}

/// Time within which rejected edits whose cells others have changed are reported together: those that waited
/// while the server was away.
const MERGE_WINDOW: Duration = Duration::from_secs(5);

/// The report about edits of one watchlist of which nothing could be made, for one reason.
#[derive(Debug)]
pub(super) struct LostEdits {
    pub(super) watchlist: WatchlistId,
    pub(super) reason: Rejection,
    pub(super) report: Report,
    /// When the first of them was rejected.
    pub(super) since: Duration,
}

impl LostEdits {
    /// Returns whether another edit that is lost belongs in this report.
    pub(super) fn is_about(&self, watchlist: WatchlistId, rejection: &Rejection, now: Duration) -> bool {
        let is_same_conflict = rejection.code == Code::Conflict && now < self.since + MERGE_WINDOW;
        self.watchlist == watchlist
            && self.reason.code == rejection.code
            && (self.reason.message == rejection.message || is_same_conflict)
    }
}

/// The cells of rejected edits that later edits of this client set. Those edits were made on top of a value
/// that was never in the cell: they are guarded by it, and rejected although no other client has changed
/// the cell.
#[derive(Debug, Default)]
pub(super) struct Superseded(BTreeMap<(WatchlistId, RowId, ColumnKey), Literal>);

impl Superseded {
    /// Records the cells of a rejected edit that a later one sets, with the values before both.
    pub(super) fn record(
        &mut self,
        watchlist: WatchlistId,
        changes: &[Change],
        is_set_later: &dyn Fn(RowId, &ColumnKey) -> bool,
    ) {
        for change in changes {
            if let Change::Set(Set { row, column, was: Some(was), .. }) = change
                && is_set_later(*row, column)
            {
                let before = self.0.entry((watchlist, *row, column.clone()));
                before.or_insert_with(|| was.clone());
            }
        }
    }

    /// Forgets everything, once no edit is unanswered.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the value of a cell before the rejected edit that a change was made on top of.
    fn before(&self, watchlist: WatchlistId, set: &Set) -> Option<&Literal> {
        self.0.get(&(watchlist, set.row, set.column.clone()))
    }
}

/// What decides whether a change of a rejected edit is made again, beside the state.
pub(super) struct Rules<'a> {
    pub(super) superseded: &'a Superseded,
    /// Whether a later edit of this client sets a cell.
    pub(super) is_set_later: &'a dyn Fn(RowId, &ColumnKey) -> bool,
    /// Whether the rejection has come at once, so that a row is removed although it has changed.
    pub(super) is_prompt: bool,
}

/// Returns what remains of a rejected edit; `None` if the reason concerns the whole edit.
pub(super) fn rest_of(
    (watchlist, state): (WatchlistId, &Watchlist),
    rules: &Rules<'_>,
    rejection: &Rejection,
    changes: &[Change],
) -> Option<Rest> {
    let concerns_one = matches!(
        rejection.code,
        Code::Conflict | Code::UnknownRow | Code::UnknownColumn | Code::ReadOnlyColumn
    );
    let rejected = rejection.change.filter(|_| concerns_one)?;
    // Later changes may depend on a row that is inserted, or on a column that is added.
    if !matches!(changes.get(rejected)?, Change::Set(_) | Change::Remove(_) | Change::Move(_)) {
        return None;
    }
    let inserted = inserted_rows(changes);
    let mut rest = Rest::default();
    for (index, change) in changes.iter().enumerate() {
        // The server knows the value of the rejected cell; what it was changed by may arrive later.
        let known = rejection.current.as_ref().filter(|_| index == rejected);
        match fate_of((watchlist, state), rules, (change, &inserted), known) {
            Fate::Made(same) if index == rejected && same == *change => {
                rest.dropped.insert(0, (same, Cause::Edit));
            }
            Fate::Made(change) => rest.changes.push(change),
            Fate::Needless => {}
            Fate::Impossible(cause) if index == rejected => rest.dropped.insert(0, (change.clone(), cause)),
            Fate::Impossible(cause) => rest.dropped.push((change.clone(), cause)),
        }
    }
    Some(rest)
}

/// Returns the rows that changes insert.
fn inserted_rows(changes: &[Change]) -> BTreeSet<RowId> {
    let inserted = changes.iter().filter_map(|change| match change {
        Change::Insert(insert) => Some(insert.row),
        _ => None,
    });
    inserted.collect()
}

/// Returns the changes whose rows exist, and the rows of the others.
pub(super) fn without_removed_rows(
    state: &Watchlist,
    changes: Vec<Change>,
) -> (Vec<Change>, BTreeSet<RowId>) {
    let inserted = inserted_rows(&changes);
    let is_lost = |row: &RowId| !inserted.contains(row) && state.rows().get(*row).is_none();
    let lost = changes.iter().filter_map(Change::row).filter(is_lost).collect();
    let left = changes.into_iter().filter(|change| !change.row().is_some_and(|row| is_lost(&row)));
    (left.collect(), lost)
}

/// What becomes of a change of a rejected edit.
enum Fate {
    /// It can be made, perhaps with another guard.
    Made(Change),
    /// It has been made, or a later edit of this client makes another one in its place.
    Needless,
    /// It cannot be made.
    Impossible(Cause),
}

fn fate_of(
    (watchlist, state): (WatchlistId, &Watchlist),
    rules: &Rules<'_>,
    (change, inserted): (&Change, &BTreeSet<RowId>),
    known: Option<&Literal>,
) -> Fate {
    let made = || Fate::Made(change.clone());
    let row = match change {
        Change::Set(set) => set.row,
        Change::Move(moved) => moved.row,
        Change::Remove(removed) if state.rows().get(removed.row).is_none() => return Fate::Needless,
        Change::Remove(removed) if rules.is_prompt => return Fate::Made(Change::remove(removed.row, None)),
        _ => return made(),
    };
    if state.rows().get(row).is_none() {
        return if inserted.contains(&row) { made() } else { Fate::Impossible(Cause::Removed) };
    }
    let Change::Set(set @ Set { column, value, was, .. }) = change else { return made() };
    let is_settable = |entry: &shared::watchlist::ColumnEntry| entry.column.derive.is_none();
    if !state.columns().visible_column(column).is_ok_and(is_settable) {
        return Fate::Impossible(Cause::Removed);
    }
    if (rules.is_set_later)(row, column) {
        return Fate::Needless;
    }
    let current = known.cloned().unwrap_or_else(|| state.cell(row, column).to_literal());
    let Some(was) = was else { return made() };
    if current == *was {
        made()
    } else if current == *value {
        Fate::Needless
    } else if rules.superseded.before(watchlist, set) == Some(&current) {
        Fate::Made(Change::set_guarded(row, column, value.clone(), current))
    } else {
        Fate::Impossible(Cause::Changed(current))
    }
}

/// Returns the changes that set the dropped cells although somebody else has changed them.
pub(super) fn overwriting(dropped: &[Dropped]) -> Vec<Change> {
    let mut overwriting: Vec<Change> = Vec::new();
    let mut places: BTreeMap<(RowId, &ColumnKey), usize> = BTreeMap::new();
    for (change, cause) in dropped {
        let (Change::Set(set), Cause::Changed(current)) = (change, cause) else { continue };
        let overwrite = Change::set_guarded(set.row, &set.column, set.value.clone(), current.clone());
        // Of two values for a cell, the person has typed the second one last.
        match places.get(&(set.row, &set.column)) {
            Some(place) => overwriting[*place] = overwrite,
            None => {
                places.insert((set.row, &set.column), overwriting.len());
                overwriting.push(overwrite);
            }
        }
    }
    overwriting
}
