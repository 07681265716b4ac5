//! The last changes of the cell that a person looks at, from the commits that the server keeps.

use std::sync::Arc;

use shared::{
    column::ColumnKey,
    edit::{Change, Commit},
    ids::{RequestId, RowId, WatchlistId},
    time::Timestamp,
    value::Literal,
};

/// One change of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellChange {
    /// Who made it.
    pub by: Arc<str>,
    /// When it was accepted.
    pub at: Timestamp,
    /// What was there; empty where no commit before it is kept.
    pub from: Literal,
    /// What was put there.
    pub to: Literal,
}

/// How it stands with the changes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// They are on their way.
    Waiting(RequestId),
    /// There was no connection to ask over.
    Offline,
    /// They are here.
    Answered,
}

/// The changes of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellHistory {
    /// Of which watchlist.
    pub watchlist: WatchlistId,
    /// Which row.
    pub row: RowId,
    /// Which column.
    pub column: ColumnKey,
    /// The last ones, newest first.
    pub changes: Vec<CellChange>,
    /// Whether they are here yet; until then they are those that were known before.
    pub asked: Asked,
    /// The cell has changed since it was asked.
    pub is_old: bool,
}

impl CellHistory {
    /// Whether it is of this cell.
    pub fn is_of(&self, row: RowId, column: &ColumnKey) -> bool {
        self.row == row && self.column == *column
    }
}

/// A cell's changes in commits that stand newest first, at most `most` of them.
pub fn changes_of(row: RowId, column: &ColumnKey, commits: &[Commit], most: usize) -> Vec<CellChange> {
    let mut before = Literal::Empty;
    let mut changes = Vec::new();
    for commit in commits.iter().rev() {
        // Within a commit the last one counts, and what the first one replaced.
        let mut puts = commit.changes.iter().filter_map(|change| put(change, row, column));
        let Some((replaced, first)) = puts.next() else { continue };
        let to = puts.next_back().map_or(first, |(_, last)| last);
        let from = replaced.unwrap_or_else(|| before.clone());
        before = to.clone();
        if from != to {
            changes.push(CellChange { by: commit.by.name.clone(), at: commit.at, from, to });
        }
    }
    changes.reverse();
    changes.truncate(most);
    changes
}

/// What a change puts into a cell, and what was there, where it says so.
fn put(change: &Change, row: RowId, column: &ColumnKey) -> Option<(Option<Literal>, Literal)> {
    match change {
        Change::Set(set) if set.row == row && set.column == *column => {
            Some((set.was.clone(), set.value.clone()))
        }
        Change::Insert(insert) if insert.row == row => {
            Some((Some(Literal::Empty), insert.cells.get(column).cloned().unwrap_or(Literal::Empty)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        edit::Author,
        ids::{ClientId, EditId, Revision, UserId},
        position::Position,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_change_says_what_was_there_before() {
        let row = RowId(Uuid::from_u128(1));
        let price = ColumnKey::from("price");
        let position = Position::between(None, None, 1).unwrap().remove(0);
        let commit = |revision: u64, name: &str, change: Change| Commit {
            revision: Revision(revision),
            by: Author {
                user: UserId(Uuid::nil()),
                name: name.into(),
                client: ClientId(Uuid::nil()),
                edit: EditId(revision),
            },
            at: Timestamp::from_millis(revision as i64),
            changes: vec![change],
        };
        let set = |value: &str| Change::set(row, &price, Literal::from(value));
        let cells = BTreeMap::from([(price.clone(), Literal::from("70"))]);
        let newest_first = [
            commit(4, "ann", set("72")),
            commit(3, "bob", set("71")),
            commit(2, "bob", set("70")),
            commit(1, "ann", Change::insert(row, &position, cells)),
        ];
        let changes = changes_of(row, &price, &newest_first, 2);
        let said: Vec<_> =
            changes.iter().map(|change| (&*change.by, change.from.clone(), change.to.clone())).collect();
        assert_eq!(
            said,
            [
                ("ann", Literal::from("71"), Literal::from("72")),
                ("bob", Literal::from("70"), Literal::from("71"))
            ]
        );
    }
}
