//! Conflation: reduces a range of commits to fewer changes that lead to the same state.

use std::{
    borrow::Borrow,
    collections::{HashMap, HashSet},
};

use crate::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::RowId,
};

/// Conflates a range of commits. Drops every `set` that a later one in the range replaces, every change to
/// rows that exist neither before nor after the range, and every commit that becomes empty. The remaining
/// ones keep their revision, author, time and order.
///
/// Conflate a range only after it is cut: two adjacent conflated ranges cannot be joined into one.
pub fn conflate<C: Borrow<Commit>>(commits: &[C]) -> Vec<Commit> {
    let transient = transient_rows(commits);
    let mut replaced: HashSet<(RowId, &ColumnKey)> = HashSet::new();
    let mut kept: Vec<Commit> = Vec::new();
    for commit in commits.iter().rev().map(Borrow::borrow) {
        let mut changes: Vec<Change> = Vec::new();
        for change in commit.changes.iter().rev() {
            if change.row().is_some_and(|row| transient.contains(&row)) {
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

/// Returns the rows that exist neither before the range nor after it.
fn transient_rows<C: Borrow<Commit>>(commits: &[C]) -> HashSet<RowId> {
    // For each row: whether the range inserts it first, and whether it exists after the range.
    let mut existence: HashMap<RowId, (bool, bool)> = HashMap::new();
    for change in commits.iter().flat_map(|commit| &commit.borrow().changes) {
        let (row, exists) = match change {
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
        existence.entry(row).or_insert((exists, exists)).1 = exists;
    }
    existence.into_iter().filter(|(_, (is_new, exists))| *is_new && !exists).map(|(row, _)| row).collect()
}
