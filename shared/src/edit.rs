//! Edits as data: the changes that an edit consists of, and the commit that an accepted edit becomes.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    column::{ColumnKey, ColumnKind},
    ids::{ClientId, EditId, Revision, RowId, UserId},
    position::Position,
    time::Timestamp,
    value::{Literal, deserialize_some},
};

/// One step of an edit. The steps are applied in order, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Sets a cell.
    Set(Set),
    /// Adds a row.
    Insert(Insert),
    /// Moves a row to another position.
    Move(Move),
    /// Removes a row.
    Remove(Remove),
    /// Adds a column.
    AddColumn(AddColumn),
    /// Changes a column's title, kind or place in the order.
    SetColumn(SetColumn),
    /// Hides a column and keeps its cells.
    RemoveColumn(ColumnRef),
    /// Restores a removed column.
    RestoreColumn(ColumnRef),
    /// Renames the watchlist.
    Rename(Rename),
}

/// See [`Change::Set`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The cell's row.
    pub row: RowId,
    /// The cell's column.
    pub column: ColumnKey,
    /// The new value.
    pub value: Literal,
    /// Guard: the value that the author saw. The edit is rejected as a conflict if the cell has another one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "deserialize_some")]
    pub was: Option<Literal>,
}

/// See [`Change::Insert`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insert {
    /// The new row's id, made by the client.
    pub row: RowId,
    /// The row's position.
    pub position: Literal,
    /// The row's values. Empty cells may be left out.
    #[serde(default)]
    pub cells: BTreeMap<ColumnKey, Literal>,
}

/// See [`Change::Move`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The row to move.
    pub row: RowId,
    /// The row's new position.
    pub position: Literal,
}

/// See [`Change::Remove`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// The row to remove.
    pub row: RowId,
    /// Guard: the edit is rejected as a conflict if another client changed the row after this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Revision>,
    /// In a history: what the row was. A client's edit has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Box<RemovedRow>>,
}

/// What a row was when it was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedRow {
    /// The row's position; `None` if its edit removed so much that only the row's name is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The row's cells that were not empty; without a position only its first text, shortened.
    pub cells: BTreeMap<ColumnKey, Literal>,
}

/// See [`Change::AddColumn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddColumn {
    /// The new column's key.
    pub key: ColumnKey,
    /// The title shown in the header.
    pub title: Arc<str>,
    /// The type of the column's values.
    pub kind: ColumnKind,
    /// The column to insert it after: last if absent, first if `null`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "deserialize_some")]
    pub after: Option<Option<ColumnKey>>,
}

/// See [`Change::SetColumn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetColumn {
    /// The column to change.
    pub key: ColumnKey,
    /// The new title, if it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// The new kind, if it changes. Every cell must be convertible to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnKind>,
    /// The column to move it after, or first if `null`. The column stays in place if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "deserialize_some")]
    pub after: Option<Option<ColumnKey>>,
}

/// Identifies a column by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnRef {
    /// The column's key.
    pub key: ColumnKey,
}

/// See [`Change::Rename`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The new name.
    pub name: Arc<str>,
}

impl Change {
    /// Whether it changes the columns or the name, rather than rows and their cells.
    pub fn is_structural(&self) -> bool {
        match self {
            Self::Set(_) | Self::Insert(_) | Self::Move(_) | Self::Remove(_) => false,
            Self::AddColumn(_)
            | Self::SetColumn(_)
            | Self::RemoveColumn(_)
            | Self::RestoreColumn(_)
            | Self::Rename(_) => true,
        }
    }

    /// Returns a change that sets a cell without a guard.
    pub fn set(row: RowId, column: &ColumnKey, value: Literal) -> Self {
        Change::Set(Set { row, column: column.clone(), value, was: None })
    }

    /// Returns a change that sets a cell if its value is still `was`.
    pub fn set_guarded(row: RowId, column: &ColumnKey, value: Literal, was: Literal) -> Self {
        Change::Set(Set { row, column: column.clone(), value, was: Some(was) })
    }

    /// Returns a change that adds a row.
    pub fn insert(row: RowId, position: &Position, cells: BTreeMap<ColumnKey, Literal>) -> Self {
        Change::Insert(Insert { row, position: Literal::Text(position.to_hex().into()), cells })
    }

    /// Returns a change that moves a row.
    pub fn move_to(row: RowId, position: &Position) -> Self {
        Change::Move(Move { row, position: Literal::Text(position.to_hex().into()) })
    }

    /// Returns a change that removes a row, unless another client changed it after `as_of`.
    pub fn remove(row: RowId, as_of: Option<Revision>) -> Self {
        Change::Remove(Remove { row, as_of, was: None })
    }

    /// Returns a change that renames the watchlist.
    pub fn rename(name: &str) -> Self {
        Change::Rename(Rename { name: name.into() })
    }

    /// Returns the row that it affects, if it is a change to a row.
    pub fn row(&self) -> Option<RowId> {
        match self {
            Change::Set(set) => Some(set.row),
            Change::Insert(insert) => Some(insert.row),
            Change::Move(moved) => Some(moved.row),
            Change::Remove(remove) => Some(remove.row),
            Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => None,
        }
    }

    /// Returns whether it affects the given row and column. `None` matches every row or column.
    pub fn affects(&self, row: Option<RowId>, column: Option<&ColumnKey>) -> bool {
        let matches_row = row.is_none() || self.row() == row;
        let matches_column = column.is_none_or(|column| match self {
            Change::Set(set) => set.column == *column,
            Change::Insert(insert) => insert.cells.contains_key(column),
            Change::AddColumn(add) => add.key == *column,
            Change::SetColumn(set) => set.key == *column,
            Change::RemoveColumn(named) | Change::RestoreColumn(named) => named.key == *column,
            Change::Move(_) | Change::Remove(_) | Change::Rename(_) => false,
        });
        matches_row && matches_column
    }

    /// Removes the guard, or what a history adds: the changes of a commit are validated already.
    pub fn without_guard(mut self) -> Self {
        match &mut self {
            Change::Set(set) => set.was = None,
            Change::Remove(remove) => (remove.as_of, remove.was) = (None, None),
            Change::Insert(_)
            | Change::Move(_)
            | Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => {}
        }
        self
    }
}

/// Identifies a cell by its row and column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellRef {
    /// The cell's row.
    pub row: RowId,
    /// The key of the cell's column.
    pub column: ColumnKey,
}

/// The author of a commit, and the edit that it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The account's id.
    pub user: UserId,
    /// The account's name when the edit was accepted.
    pub name: Arc<str>,
    /// The client that sent the edit.
    pub client: ClientId,
    /// The edit's number within the client.
    pub edit: EditId,
}

/// An edit that the server has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The watchlist's revision after the commit.
    pub revision: Revision,
    /// The author.
    pub by: Author,
    /// When it was accepted. Never earlier than the previous commit.
    pub at: Timestamp,
    /// The changes in order, without guards.
    pub changes: Vec<Change>,
}
