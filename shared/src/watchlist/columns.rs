//! The columns of a watchlist in order, each with the slot that stores its cells.

use std::{collections::HashMap, sync::Arc};

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
    /// Index of the column's cell in a row, or `usize::MAX` for a derived column, which rows do not store. It never
    /// changes, even if the columns are reordered.
    pub slot: usize,
    /// Whether a derived column reads when this one was last set, so that rows store the time.
    pub tracked: bool,
}

/// The columns of a watchlist, in order.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    ordered: Arc<Vec<ColumnEntry>>,
    by_key: Arc<HashMap<ColumnKey, usize>>,
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
        checked.reindex();
        Ok(checked)
    }

    /// Returns all columns, removed ones included.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ColumnEntry> {
        self.ordered.iter()
    }

    /// Returns the columns that are not removed.
    pub fn visible(&self) -> impl Iterator<Item = &ColumnEntry> {
        self.ordered.iter().filter(|entry| !entry.column.removed)
    }

    /// Returns the column with a key, removed or not.
    pub fn get(&self, key: &ColumnKey) -> Option<&ColumnEntry> {
        self.by_key.get(key).map(|index| &self.ordered[*index])
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

    pub(super) fn add(
        &mut self,
        column: Column,
        after: Option<&Option<ColumnKey>>,
        limits: &Limits,
    ) -> Result<(), Rejection> {
        self.check_addition(&column, limits)?;
        let target = self.target_index(after)?;
        let key = column.key.clone();
        self.push(column);
        self.reindex();
        if let Some(target) = target {
            self.relocate(&key, target);
        }
        Ok(())
    }

    pub(super) fn update(
        &mut self,
        key: &ColumnKey,
        update: impl FnOnce(&mut Column),
    ) -> Result<(), Rejection> {
        let index = *self.by_key.get(key).ok_or_else(|| unknown(key))?;
        update(&mut Arc::make_mut(&mut self.ordered)[index].column);
        Ok(())
    }

    /// Moves a column after another, or to the start.
    pub(super) fn move_after(&mut self, key: &ColumnKey, after: &Option<ColumnKey>) -> Result<(), Rejection> {
        if after.as_ref() == Some(key) {
            return Err(Rejection::new(
                Code::InvalidValue,
                format!("the column {key} cannot be moved after itself"),
            ));
        }
        if let Some(target) = self.target_index(Some(after))? {
            self.relocate(key, target);
        }
        Ok(())
    }

    fn target_index(&self, after: Option<&Option<ColumnKey>>) -> Result<Option<Option<usize>>, Rejection> {
        match after {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(key)) => {
                self.by_key.get(key).map(|index| Some(Some(*index))).ok_or_else(|| unknown(key))
            }
        }
    }

    fn relocate(&mut self, key: &ColumnKey, after: Option<usize>) {
        let Some(from) = self.by_key.get(key).copied() else { return };
        let ordered = Arc::make_mut(&mut self.ordered);
        let entry = ordered.remove(from);
        let to = match after {
            None => 0,
            Some(index) if index >= from => index,
            Some(index) => index + 1,
        };
        ordered.insert(to, entry);
        self.reindex();
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
        Ok(())
    }

    fn push(&mut self, column: Column) {
        let stored = self.ordered.iter().filter(|entry| entry.column.derive.is_none()).count();
        let slot = if column.derive.is_some() { NO_SLOT } else { stored };
        Arc::make_mut(&mut self.ordered).push(ColumnEntry { column, slot, tracked: false });
    }

    fn reindex(&mut self) {
        let ordered = Arc::make_mut(&mut self.ordered);
        let tracked: Vec<ColumnKey> = ordered
            .iter()
            .filter_map(|entry| match &entry.column.derive {
                Some(Derive::ChangedAt { of }) => Some(of.clone()),
                _ => None,
            })
            .collect();
        for entry in ordered.iter_mut() {
            entry.tracked = tracked.contains(&entry.column.key);
        }
        self.by_key = Arc::new(
            ordered.iter().enumerate().map(|(index, entry)| (entry.column.key.clone(), index)).collect(),
        );
    }
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
