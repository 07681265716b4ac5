//! The columns of a watchlist in their order, each with the slot its cells are kept in.

use std::{collections::HashMap, sync::Arc};

use crate::{
    column::{Column, ColumnKey, ColumnKind, Derive, check_title},
    edit::{Code, Rejection},
    limits::Limits,
};

/// A column, and where its cells are in every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnEntry {
    /// The column itself.
    pub column: Column,
    /// The index of its cells; it never changes, whatever the order of the columns.
    pub slot: usize,
    /// Whether a derived column shows when this one was last set, so that rows keep the time.
    pub tracked: bool,
}

/// The columns in their order.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    ordered: Arc<Vec<ColumnEntry>>,
    by_key: Arc<HashMap<ColumnKey, usize>>,
}

impl Columns {
    /// Checks the columns of a new watchlist.
    ///
    /// # Errors
    /// Keys twice, titles or kinds that are not sound, derived columns that read what is not there.
    pub fn new(columns: Vec<Column>, limits: &Limits) -> Result<Self, Rejection> {
        if columns.is_empty() {
            return Err(Rejection::new(Code::InvalidValue, "a watchlist needs at least one column"));
        }
        let mut made = Self::default();
        let keys: Vec<ColumnKey> = columns.iter().map(|column| column.key.clone()).collect();
        for column in &columns {
            check_derive(column, &columns)?;
        }
        for column in columns {
            made.check_addition(&column, limits)?;
            made.push(column);
        }
        debug_assert_eq!(keys.len(), made.ordered.len());
        made.reindex();
        Ok(made)
    }

    /// All of them, hidden ones among them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ColumnEntry> {
        self.ordered.iter()
    }

    /// Those that people see.
    pub fn visible(&self) -> impl Iterator<Item = &ColumnEntry> {
        self.ordered.iter().filter(|entry| !entry.column.removed)
    }

    /// A column by its key, hidden or not.
    pub fn get(&self, key: &ColumnKey) -> Option<&ColumnEntry> {
        self.by_key.get(key).map(|index| &self.ordered[*index])
    }

    /// A column by its key, hidden or not.
    ///
    /// # Errors
    /// `unknownColumn`.
    pub fn known(&self, key: &ColumnKey) -> Result<&ColumnEntry, Rejection> {
        self.get(key).ok_or_else(|| unknown(key))
    }

    /// A column that people see.
    ///
    /// # Errors
    /// `unknownColumn`.
    pub fn visible_column(&self, key: &ColumnKey) -> Result<&ColumnEntry, Rejection> {
        self.get(key).filter(|entry| !entry.column.removed).ok_or_else(|| unknown(key))
    }

    /// The column it stands behind.
    pub fn before(&self, key: &ColumnKey) -> Option<&ColumnKey> {
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
        let place = self.place(after)?;
        let key = column.key.clone();
        self.push(column);
        self.reindex();
        if let Some(place) = place {
            self.relocate(&key, place);
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

    /// Puts a column behind another, or first.
    pub(super) fn set_place(&mut self, key: &ColumnKey, after: &Option<ColumnKey>) -> Result<(), Rejection> {
        if after.as_ref() == Some(key) {
            return Err(Rejection::new(
                Code::InvalidValue,
                format!("the column {key} cannot stand behind itself"),
            ));
        }
        if let Some(place) = self.place(Some(after))? {
            self.relocate(key, place);
        }
        Ok(())
    }

    fn place(&self, after: Option<&Option<ColumnKey>>) -> Result<Option<Option<usize>>, Rejection> {
        match after {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(key)) => {
                self.by_key.get(key).map(|index| Some(Some(*index))).ok_or_else(|| unknown(key))
            }
        }
    }

    fn relocate(&mut self, key: &ColumnKey, behind: Option<usize>) {
        let Some(from) = self.by_key.get(key).copied() else { return };
        let ordered = Arc::make_mut(&mut self.ordered);
        let entry = ordered.remove(from);
        let to = match behind {
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
            let message = format!("a watchlist takes {} columns, removed ones among them", limits.columns);
            return Err(Rejection::new(Code::TooLarge, message));
        }
        let twice = self.ordered.iter().any(|entry| entry.column.key == column.key);
        if twice {
            return Err(Rejection::new(
                Code::DuplicateColumn,
                format!("there is a column {} already", column.key),
            ));
        }
        Ok(())
    }

    fn push(&mut self, column: Column) {
        let slot = self.ordered.len();
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
    Rejection::new(Code::UnknownColumn, format!("there is no column {key}"))
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
        return invalid(format!("the column {} has a kind that its derivation does not give", column.key));
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
