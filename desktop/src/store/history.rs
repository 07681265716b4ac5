//! The last changes of a cell, from the commits that the server keeps.

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
    /// Name of the account that made it.
    pub by: Arc<str>,
    /// When the server accepted it.
    pub at: Timestamp,
    /// Value before the change; empty if the server keeps no earlier commit.
    pub from: Literal,
    /// Value after the change.
    pub to: Literal,
}

/// State of a history request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// The request is sent.
    Waiting(RequestId),
    /// The request failed or could not be sent.
    Offline,
    /// The answer has arrived.
    Answered,
}

/// The changes of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellHistory {
    /// The watchlist of the cell.
    pub watchlist: WatchlistId,
    /// The row of the cell.
    pub row: RowId,
    /// The column of the cell.
    pub column: ColumnKey,
    /// The last changes, newest first.
    pub changes: Vec<CellChange>,
    /// State of the request; until it is answered, `changes` has the previously known ones.
    pub request: RequestState,
    /// Whether the cell may have changed since the request.
    pub is_stale: bool,
}

impl CellHistory {
    /// Returns whether this is the history of the given cell.
    pub fn is_for(&self, row: RowId, column: &ColumnKey) -> bool {
        self.row == row && self.column == *column
    }
}

/// Returns at most `limit` changes of a cell, from commits ordered newest first.
pub fn changes_of(row: RowId, column: &ColumnKey, commits: &[Commit], limit: usize) -> Vec<CellChange> {
    let mut before = Literal::Empty;
    let mut changes = Vec::new();
    for commit in commits.iter().rev() {
        // A commit counts as one change, from the value that its first change replaces to that of its last.
        let mut values = commit.changes.iter().filter_map(|change| cell_value_set(change, row, column));
        let Some((replaced, first)) = values.next() else { continue };
        let to = values.next_back().map_or(first, |(_, last)| last);
        let from = replaced.unwrap_or_else(|| before.clone());
        before = to.clone();
        if from != to {
            changes.push(CellChange { by: commit.by.name.clone(), at: commit.at, from, to });
        }
    }
    changes.reverse();
    changes.truncate(limit);
    changes
}

/// Returns the value that a change replaces in a cell, if known, and the value that it sets.
fn cell_value_set(change: &Change, row: RowId, column: &ColumnKey) -> Option<(Option<Literal>, Literal)> {
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
    fn each_change_has_the_value_before_it() {
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
        let found: Vec<_> =
            changes.iter().map(|change| (&*change.by, change.from.clone(), change.to.clone())).collect();
        assert_eq!(
            found,
            [
                ("ann", Literal::from("71"), Literal::from("72")),
                ("bob", Literal::from("70"), Literal::from("71"))
            ]
        );
    }
}
