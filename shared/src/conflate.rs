//! Conflating a range of commits: the same state at its end in fewer changes.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
};

use crate::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::RowId,
};

/// Leaves out every `set` that a later one of the range replaces, every change of rows that exist at neither
/// end of it, and every commit that this empties. What stays keeps its own revision, author, time and order.
/// A range is conflated after it is cut: two conflated ranges in a row are not one.
pub fn conflate<C: Borrow<Commit>>(commits: &[C]) -> Vec<Commit> {
    let passing = passing_rows(commits);
    let mut replaced: HashSet<(RowId, &ColumnKey)> = HashSet::new();
    let mut kept: Vec<Commit> = Vec::new();
    for commit in commits.iter().rev().map(Borrow::borrow) {
        let mut changes: Vec<Change> = Vec::new();
        for change in commit.changes.iter().rev() {
            if change.row().is_some_and(|row| passing.contains(&row)) {
                continue;
            }
            if let Change::Set(set) = change
                && !replaced.insert((set.row, &set.column))
            {
                continue;
            }
            changes.push(change.clone());
        }
        if !changes.is_empty() {
            changes.reverse();
            kept.push(Commit { revision: commit.revision, by: commit.by.clone(), at: commit.at, changes });
        }
    }
    kept.reverse();
    kept
}

/// Rows that are neither there before the range nor after it.
fn passing_rows<C: Borrow<Commit>>(commits: &[C]) -> HashSet<RowId> {
    // For each row: whether its first change of standing is an insert, and whether it stands after the last.
    let mut standing: HashMap<RowId, (bool, bool)> = HashMap::new();
    for change in commits.iter().flat_map(|commit| &commit.borrow().changes) {
        let (row, stands) = match change {
            Change::Insert(insert) => (insert.row, true),
            Change::Remove(remove) => (remove.row, false),
            Change::Set(_)
            | Change::Move(_)
            | Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => continue,
        };
        standing.entry(row).or_insert((stands, stands)).1 = stands;
    }
    standing.into_iter().filter(|(_, (new, stands))| *new && !stands).map(|(row, _)| row).collect()
}
