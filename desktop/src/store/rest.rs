//! The changes of a rejected edit that can still be made. An edit is all or nothing, but a person who pastes a hundred prices
//! must not lose them because somebody else has changed one.

use shared::{
    edit::{Change, Set},
    rejection::{Code, Rejection},
    value::Literal,
    watchlist::Watchlist,
};

/// What remains of a rejected edit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rest {
    /// The changes that can still be made.
    pub(super) changes: Vec<Change>,
    /// The changes that cannot, without the one that the rejection names: cells that somebody else has changed, with their values,
    /// and rows that were removed.
    pub(super) dropped: Vec<(Change, Option<Literal>)>,
}

/// Returns what remains of a rejected edit; `None` if it was rejected for a reason that concerns the whole edit, or nothing remains.
pub(super) fn rest_of(state: &Watchlist, rejection: &Rejection, changes: &[Change]) -> Option<Rest> {
    let concerns_one = matches!(
        rejection.code,
        Code::Conflict | Code::UnknownRow | Code::UnknownColumn | Code::ReadOnlyColumn
    );
    let rejected = rejection.change.filter(|_| concerns_one)?;
    let rejected_change = changes.get(rejected)?;
    // Later changes may depend on a row that is inserted, or on a column that is added.
    let can_be_dropped = matches!(rejected_change, Change::Set(_) | Change::Remove(_) | Change::Move(_));
    if !can_be_dropped {
        return None;
    }
    let mut rest = Rest { changes: Vec::new(), dropped: Vec::new() };
    for (index, change) in changes.iter().enumerate() {
        if index == rejected {
            continue;
        }
        match obstacle(state, change, changes) {
            None => rest.changes.push(change.clone()),
            Some(current) => rest.dropped.push((change.clone(), current)),
        }
    }
    (!rest.changes.is_empty()).then_some(rest)
}

/// Returns why a change cannot be made any more: the value that somebody else has set, or nothing if its row was removed.
fn obstacle(state: &Watchlist, change: &Change, changes: &[Change]) -> Option<Option<Literal>> {
    let row = match change {
        Change::Set(set) => set.row,
        Change::Move(moved) => moved.row,
        Change::Remove(removed) => removed.row,
        _ => return None,
    };
    if state.rows().get(row).is_none() {
        let is_inserted =
            changes.iter().any(|other| matches!(other, Change::Insert(insert) if insert.row == row));
        return (!is_inserted).then_some(None);
    }
    let Change::Set(Set { column, value, was: Some(was), .. }) = change else { return None };
    let current = state.cell(row, column).to_literal();
    (current != *was && current != *value).then_some(Some(current))
}

/// Returns the changes that set the dropped cells although somebody else has changed them.
pub(super) fn overwriting(
    rejection: &Rejection,
    changes: &[Change],
    dropped: &[(Change, Option<Literal>)],
) -> Vec<Change> {
    let rejected = rejection.change.and_then(|index| changes.get(index));
    let rejected = rejected.filter(|_| rejection.code == Code::Conflict);
    let first = rejected.map(|change| (change, rejection.current.clone()));
    let others = dropped.iter().map(|(change, current)| (change, current.clone()));
    first
        .into_iter()
        .chain(others)
        .filter_map(|(change, current)| match (change, current) {
            (Change::Set(set), Some(current)) => {
                Some(Change::set_guarded(set.row, &set.column, set.value.clone(), current))
            }
            _ => None,
        })
        .collect()
}
