//! The columns of a watchlist in order, each with the slot that stores its cells.

use std::{collections::HashMap, sync::Arc};

use super::size::encoded_bytes;
use crate::{
    column::{Column, ColumnKey, ColumnKind, Derive, check_title},
    limits::Limits,
    rejection::{Code, Rejection},
};

/// The slot of derived columns: no row has a cell there.
const NO_SLOT: usize = usize::MAX;

/// A column, and the slot of its cells in every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnEntry {
    /// The column itself.
    pub column: Column,
    /// Index of the column's cell in a row, or `usize::MAX` for a derived column, which rows do not store. It
    /// never changes, even if the columns are reordered.
    pub slot: usize,
    /// Whether a derived column reads when this one was last set, so that rows store the time.
    pub tracked: bool,
}

/// A column before it was replaced.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) entry: Arc<ColumnEntry>,
    pub(super) index: usize,
}

/// The columns of a watchlist, in order. Clones share them until one is changed; a change copies no other
/// column.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    ordered: Arc<Vec<Arc<ColumnEntry>>>,
    by_key: Arc<HashMap<ColumnKey, usize>>,
    /// Estimated size of all columns once encoded, in bytes.
    bytes: usize,
}

impl Columns {
    /// Validates the columns of a new watchlist.
    ///
    /// # Errors
    /// Duplicate keys, invalid titles or kinds, and derived columns whose inputs are missing or unsuitable.
    pub fn new(columns: Vec<Column>, limits: &Limits) -> Result<Self, Rejection> {
        if columns.is_empty() {
            return Err(Rejection::new(Code::InvalidValue, "a watchlist needs at least one column"));
        }
        let mut checked = Self::default();
        let keys: Vec<ColumnKey> = columns.iter().map(|column| column.key.clone()).collect();
        for column in &columns {
            check_derive(column, &columns)?;
        }
        for column in columns {
            checked.check_addition(&column, limits)?;
            checked.push(column);
        }
        debug_assert_eq!(keys.len(), checked.ordered.len());
        checked.track();
        Ok(checked)
    }

    /// Returns all columns, removed ones included.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ColumnEntry> {
        self.ordered.iter().map(Arc::as_ref)
    }

    /// Returns the columns that are not removed.
    pub fn visible(&self) -> impl Iterator<Item = &ColumnEntry> {
        self.iter().filter(|entry| !entry.column.removed)
    }

    /// Returns the column with a key, removed or not.
    pub fn get(&self, key: &ColumnKey) -> Option<&ColumnEntry> {
        self.by_key.get(key).map(|index| &*self.ordered[*index])
    }

    /// Returns the column with a key, removed or not.
    ///
    /// # Errors
    /// `unknownColumn` if there is no such column.
    pub fn known(&self, key: &ColumnKey) -> Result<&ColumnEntry, Rejection> {
        self.get(key).ok_or_else(|| unknown(key))
    }

    /// Returns the column with a key if it is not removed.
    ///
    /// # Errors
    /// `unknownColumn` if there is no such column, or it is removed.
    pub fn visible_column(&self, key: &ColumnKey) -> Result<&ColumnEntry, Rejection> {
        self.get(key).filter(|entry| !entry.column.removed).ok_or_else(|| unknown(key))
    }

    /// Returns the key of the column before the given one.
    pub fn previous_key(&self, key: &ColumnKey) -> Option<&ColumnKey> {
        let index = *self.by_key.get(key)?;
        index.checked_sub(1).map(|index| &self.ordered[index].column.key)
    }

    /// Adds a column after another, to the start, or to the end.
    pub(super) fn add(
        &mut self,
        column: Column,
        after: Option<&Option<ColumnKey>>,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_addition(&column, limits)?;
        let last = self.ordered.len();
        let index = after.map(|after| self.index_after(after)).transpose()?.unwrap_or(last);
        self.push(column);
        self.relocate(last, index);
        Ok(())
    }

    /// Removes a column that was just added.
    pub(super) fn revert_addition(&mut self, key: &ColumnKey) {
        let Some(index) = self.by_key.get(key).copied() else { return };
        let last = self.ordered.len() - 1;
        self.relocate(index, last);
        let removed = Arc::make_mut(&mut self.ordered).pop();
        self.bytes -= removed.map_or(0, |entry| column_bytes(&entry.column));
        Arc::make_mut(&mut self.by_key).remove(key);
    }

    /// Replaces a column and moves it to an index. Returns what it was, and where.
    pub(super) fn replace(&mut self, column: Column, index: usize) -> Replaced {
        let from = self.by_key[&column.key];
        let before = self.ordered[from].clone();
        self.bytes = self.bytes - column_bytes(&before.column) + column_bytes(&column);
        let entry = ColumnEntry { column, slot: before.slot, tracked: before.tracked };
        Arc::make_mut(&mut self.ordered)[from] = Arc::new(entry);
        self.relocate(from, index);
        Replaced { entry: before, index: from }
    }

    /// Reverts a replacement.
    pub(super) fn revert_replacement(&mut self, Replaced { entry, index }: Replaced) {
        let from = self.by_key[&entry.column.key];
        self.bytes = self.bytes - column_bytes(&self.ordered[from].column) + column_bytes(&entry.column);
        Arc::make_mut(&mut self.ordered)[from] = entry;
        self.relocate(from, index);
    }

    /// Returns the index of a column.
    ///
    /// # Errors
    /// `unknownColumn` if there is no such column.
    pub(super) fn index_of(&self, key: &ColumnKey) -> Result<usize, Rejection> {
        self.by_key.get(key).copied().ok_or_else(|| unknown(key))
    }

    /// Returns the index at which a column is after another one, or at the start. The column itself is not
    /// counted.
    pub(super) fn index_of_move(
        &self,
        key: &ColumnKey,
        after: &Option<ColumnKey>,
    ) -> Result<usize, Rejection> {
        if after.as_ref() == Some(key) {
            let message = format!("the column {key} cannot be moved after itself");
            return Err(Rejection::new(Code::InvalidValue, message));
        }
        let (from, index) = (self.index_of(key)?, self.index_after(after)?);
        Ok(if index > from { index - 1 } else { index })
    }

    fn index_after(&self, after: &Option<ColumnKey>) -> Result<usize, Rejection> {
        after.as_ref().map_or(Ok(0), |key| self.index_of(key).map(|index| index + 1))
    }

    fn relocate(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        let ordered = Arc::make_mut(&mut self.ordered);
        let entry = ordered.remove(from);
        ordered.insert(to, entry);
        let by_key = Arc::make_mut(&mut self.by_key);
        for (index, entry) in ordered.iter().enumerate().take(from.max(to) + 1).skip(from.min(to)) {
            by_key.insert(entry.column.key.clone(), index);
        }
    }

    fn check_addition(&self, column: &Column, limits: &Limits) -> Result<(), Rejection> {
        column.key.check()?;
        check_title("the column's title", &column.title)?;
        column.kind.check(limits)?;
        if self.ordered.len() >= limits.columns {
            let message =
                format!("the limit of a watchlist is {} columns, removed ones included", limits.columns);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let is_duplicate = self.ordered.iter().any(|entry| entry.column.key == column.key);
        if is_duplicate {
            return Err(Rejection::new(
                Code::DuplicateColumn,
                format!("the column {} already exists", column.key),
            ));
        }
        check_bytes(self.bytes + column_bytes(column), limits)
    }

    /// Checks that a column may become what it is here.
    ///
    /// # Errors
    /// `tooLarge` if all columns together would be.
    pub(super) fn check_replacement(&self, column: &Column, limits: &Limits) -> Result<(), Rejection> {
        let before = self.get(&column.key).map_or(0, |entry| column_bytes(&entry.column));
        let after = column_bytes(column);
        if after <= before { Ok(()) } else { check_bytes(self.bytes - before + after, limits) }
    }

    /// Estimates the size of all columns once encoded, in bytes.
    pub(crate) fn approximate_bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, column: Column) {
        let stored = self.ordered.iter().filter(|entry| entry.column.derive.is_none()).count();
        let slot = if column.derive.is_some() { NO_SLOT } else { stored };
        self.bytes += column_bytes(&column);
        Arc::make_mut(&mut self.by_key).insert(column.key.clone(), self.ordered.len());
        Arc::make_mut(&mut self.ordered).push(Arc::new(ColumnEntry { column, slot, tracked: false }));
    }

    /// Marks the columns that `changedAt` columns read. Edits add no derived columns.
    fn track(&mut self) {
        let derived = self.iter().filter_map(|entry| entry.column.derive.clone());
        let tracked = derived.filter_map(|derive| match derive {
            Derive::ChangedAt { of } => Some(of),
            Derive::Difference { .. } | Derive::PercentDifference { .. } => None,
        });
        for key in tracked.collect::<Vec<_>>() {
            let entry = &mut Arc::make_mut(&mut self.ordered)[self.by_key[&key]];
            Arc::make_mut(entry).tracked = true;
        }
    }
}

fn check_bytes(bytes: usize, limits: &Limits) -> Result<(), Rejection> {
    if bytes <= limits.columns_bytes {
        return Ok(());
    }
    let limit = limits.columns_bytes;
    let message = format!(
        "the titles and options of all columns have {bytes} bytes when encoded; the limit is {limit}"
    );
    Err(Rejection::new(Code::TooLarge, message))
}

/// Estimates the encoded size of a column in bytes.
fn column_bytes(column: &Column) -> usize {
    let options = match &column.kind {
        ColumnKind::Choice(options) => options.iter().map(|option| 1 + encoded_bytes(option)).sum(),
        ColumnKind::Text
        | ColumnKind::Number { .. }
        | ColumnKind::Percent { .. }
        | ColumnKind::Flag
        | ColumnKind::Time => 0,
    };
    120 + column.key.0.len() + encoded_bytes(&column.title) + options
}

fn unknown(key: &ColumnKey) -> Rejection {
    Rejection::new(Code::UnknownColumn, format!("unknown column {key}"))
}

fn check_derive(column: &Column, all: &[Column]) -> Result<(), Rejection> {
    let Some(derive) = &column.derive else { return Ok(()) };
    let invalid = |message: String| Err(Rejection::new(Code::InvalidValue, message));
    let fits = match derive {
        Derive::Difference { .. } => matches!(column.kind, ColumnKind::Number { .. }),
        Derive::PercentDifference { .. } => matches!(column.kind, ColumnKind::Percent { .. }),
        Derive::ChangedAt { .. } => column.kind == ColumnKind::Time,
    };
    if !fits {
        return invalid(format!("the kind of the column {} does not match its derivation", column.key));
    }
    for input in derive.inputs() {
        let Some(read) = all.iter().find(|other| other.key == *input) else { return Err(unknown(input)) };
        let numeric = !matches!(derive, Derive::ChangedAt { .. });
        if read.derive.is_some() || numeric && !read.kind.is_numeric() {
            return invalid(format!("the column {} cannot be derived from {input}", column.key));
        }
    }
    Ok(())
}
