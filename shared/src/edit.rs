//! Edits as data: the changes they are made of, the commits they become, and why one is refused.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    column::{ColumnKey, ColumnKind},
    ids::{ClientId, EditId, Revision, RowId, UserId},
    position::Position,
    time::Timestamp,
    value::Literal,
};

/// One step of an edit. Steps apply in order, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Puts a value into a cell.
    Set(Set),
    /// Adds a row.
    Insert(Insert),
    /// Gives a row another place.
    Move(Move),
    /// Takes a row away.
    Remove(Remove),
    /// Adds a column.
    AddColumn(AddColumn),
    /// Changes a column's title, kind or place.
    SetColumn(SetColumn),
    /// Hides a column and keeps its cells.
    RemoveColumn(KeyOnly),
    /// Shows a hidden column again.
    RestoreColumn(KeyOnly),
    /// Gives the watchlist another name.
    Rename(Rename),
}

/// See [`Change::Set`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The cell's row.
    pub row: RowId,
    /// The cell's column.
    pub column: ColumnKey,
    /// What it is to hold.
    pub value: Literal,
    /// Guard: what the author saw there. Another value means a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub was: Option<Literal>,
}

/// See [`Change::Insert`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insert {
    /// The new row's id, made by the client.
    pub row: RowId,
    /// Its place.
    pub position: Literal,
    /// What it holds; empty cells may be left out.
    #[serde(default)]
    pub cells: BTreeMap<ColumnKey, Literal>,
}

/// See [`Change::Move`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The row.
    pub row: RowId,
    /// Its new place.
    pub position: Literal,
}

/// See [`Change::Remove`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    /// The row.
    pub row: RowId,
    /// Guard: conflict if another client changed the row after this revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Revision>,
}

/// See [`Change::AddColumn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddColumn {
    /// The new column's key.
    pub key: ColumnKey,
    /// What people read above it.
    pub title: Arc<str>,
    /// What it holds.
    pub kind: ColumnKind,
    /// The column it stands behind: absent means last, `null` first.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Option<ColumnKey>>,
}

/// See [`Change::SetColumn`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetColumn {
    /// The column.
    pub key: ColumnKey,
    /// A new title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Arc<str>>,
    /// A new kind; every cell must be readable in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnKind>,
    /// A new place, as in [`AddColumn::after`], but absent means where it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Option<ColumnKey>>,
}

/// Names a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOnly {
    /// The column.
    pub key: ColumnKey,
}

/// See [`Change::Rename`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rename {
    /// The new name.
    pub name: Arc<str>,
}

/// Tells an absent field from one that is `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Change {
    /// Sets a cell without a guard.
    pub fn set(row: RowId, column: &ColumnKey, value: Literal) -> Self {
        Change::Set(Set { row, column: column.clone(), value, was: None })
    }

    /// Sets a cell where it still holds `was`.
    pub fn set_guarded(row: RowId, column: &ColumnKey, value: Literal, was: Literal) -> Self {
        Change::Set(Set { row, column: column.clone(), value, was: Some(was) })
    }

    /// Adds a row.
    pub fn insert(row: RowId, position: &Position, cells: BTreeMap<ColumnKey, Literal>) -> Self {
        Change::Insert(Insert { row, position: Literal::Text(position.to_hex().into()), cells })
    }

    /// Gives a row another place.
    pub fn move_to(row: RowId, position: &Position) -> Self {
        Change::Move(Move { row, position: Literal::Text(position.to_hex().into()) })
    }

    /// Takes a row away, unless another client changed it after `as_of`.
    pub fn remove(row: RowId, as_of: Option<Revision>) -> Self {
        Change::Remove(Remove { row, as_of })
    }

    /// Gives the watchlist another name.
    pub fn rename(name: &str) -> Self {
        Change::Rename(Rename { name: name.into() })
    }

    /// The row it is about, where it is about one.
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

    /// Whether it is about a row, a column, or both, where either is asked for.
    pub fn is_about(&self, row: Option<RowId>, column: Option<&ColumnKey>) -> bool {
        let is_of_row = row.is_none() || self.row() == row;
        let is_of_column = column.is_none_or(|column| match self {
            Change::Set(set) => set.column == *column,
            Change::Insert(insert) => insert.cells.contains_key(column),
            Change::AddColumn(add) => add.key == *column,
            Change::SetColumn(set) => set.key == *column,
            Change::RemoveColumn(named) | Change::RestoreColumn(named) => named.key == *column,
            Change::Move(_) | Change::Remove(_) | Change::Rename(_) => false,
        });
        is_of_row && is_of_column
    }

    /// The change without its guard: a commit was judged already.
    pub fn without_guard(mut self) -> Self {
        match &mut self {
            Change::Set(set) => set.was = None,
            Change::Remove(remove) => remove.as_of = None,
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

/// Who made a commit, and with which of their edits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The account.
    pub user: UserId,
    /// The account's name at that time.
    pub name: Arc<str>,
    /// The outbox that it came from.
    pub client: ClientId,
    /// The edit's number there.
    pub edit: EditId,
}

/// An edit that the server has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The watchlist's version with it.
    pub revision: Revision,
    /// Whose it is.
    pub by: Author,
    /// When it was accepted; never earlier than the commit before it.
    pub at: Timestamp,
    /// What it changed, in order, without guards.
    pub changes: Vec<Change>,
}

/// Why an edit was refused: the codes of the protocol's `rejected`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the protocol's own and say it")]
pub enum Code {
    UnknownWatchlist,
    UnknownRow,
    UnknownColumn,
    ReadOnlyColumn,
    InvalidValue,
    TooLong,
    TooLarge,
    DuplicateRow,
    DuplicateColumn,
    Conflict,
    Forbidden,
    BadMessage,
    EditReused,
    TooOld,
    Unavailable,
}

/// A refusal, with what was wrong in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// What kind of wrong.
    pub code: Code,
    /// Which of the edit's changes, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<usize>,
    /// What was wrong, with the value.
    pub message: String,
    /// On a conflict: what the cell holds.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub current: Option<Literal>,
    /// On a conflict: who set it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<str>>,
}

impl Rejection {
    /// A refusal that is not yet tied to one of the edit's changes.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, change: None, message: message.into(), current: None, by: None }
    }
}
