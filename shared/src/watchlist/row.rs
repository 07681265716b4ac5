//! One row of a watchlist: its cells by slot, and its value in a column.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    columns::{ColumnEntry, Columns},
    size::{cell_bytes, text_bytes},
};
use crate::{
    column::ColumnKey,
    derive,
    ids::RowId,
    position::Position,
    time::Timestamp,
    value::{Literal, Value},
};

/// A row. Its cells are indexed by slot; those past the end are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's id.
    pub id: RowId,
    /// The row's position. Rows with equal positions are ordered by id.
    pub position: Position,
    pub(super) cells: Vec<Value>,
    pub(super) changed: Vec<(usize, Timestamp)>,
}

static EMPTY: Value = Value::Empty;

impl Row {
    /// Creates a row whose cells are empty.
    pub fn new(id: RowId, position: Position) -> Self {
        Self { id, position, cells: Vec::new(), changed: Vec::new() }
    }

    /// Returns the value stored in a slot. The slots of derived columns are empty.
    pub fn stored(&self, slot: usize) -> &Value {
        self.cells.get(slot).unwrap_or(&EMPTY)
    }

    /// Returns the row's value in a column, derived or not.
    pub fn value(&self, entry: &ColumnEntry, columns: &Columns) -> Value {
        match &entry.column.derive {
            None => self.stored(entry.slot).clone(),
            Some(derive) => {
                let number =
                    |key: &ColumnKey| columns.get(key).and_then(|entry| self.stored(entry.slot).as_number());
                let changed = |key: &ColumnKey| columns.get(key).and_then(|entry| self.changed(entry.slot));
                derive::value(derive, &entry.column.kind, number, changed)
            }
        }
    }

    /// Returns the stored cells that are not empty, those of removed columns included.
    pub fn stored_cells(&self, columns: &Columns) -> BTreeMap<ColumnKey, Literal> {
        let stored = columns.iter().filter(|entry| entry.column.derive.is_none());
        let cells = stored.map(|entry| (entry.column.key.clone(), self.stored(entry.slot).to_literal()));
        cells.filter(|(_, literal)| *literal != Literal::Empty).collect()
    }

    /// Returns the row's first text, which names it: its key and its value.
    pub fn first_text<'a>(&'a self, columns: &'a Columns) -> Option<(&'a ColumnKey, &'a Arc<str>)> {
        columns.visible().find_map(|entry| match self.stored(entry.slot) {
            Value::Text(text) if !text.is_empty() => Some((&entry.column.key, text)),
            _ => None,
        })
    }

    /// Returns when the slot was last set, if the column is tracked.
    pub fn changed(&self, slot: usize) -> Option<Timestamp> {
        self.changed.iter().find(|(tracked, _)| *tracked == slot).map(|(_, at)| *at)
    }

    /// Stores a value in a slot and returns the previous one.
    pub fn store(&mut self, slot: usize, value: Value) -> Value {
        if self.cells.len() <= slot {
            self.cells.reserve_exact(slot + 1 - self.cells.len());
            self.cells.resize(slot + 1, Value::Empty);
        }
        std::mem::replace(&mut self.cells[slot], value)
    }

    /// Stores or clears the time at which a slot was set, and returns the previous one.
    pub fn set_changed(&mut self, slot: usize, at: Option<Timestamp>) -> Option<Timestamp> {
        let index = self.changed.iter().position(|(tracked, _)| *tracked == slot);
        match (index, at) {
            (Some(index), Some(at)) => Some(std::mem::replace(&mut self.changed[index].1, at)),
            (Some(index), None) => Some(self.changed.swap_remove(index).1),
            (None, Some(at)) => {
                // Most watchlists have one tracked column.
                self.changed.reserve_exact(1);
                self.changed.push((slot, at));
                None
            }
            (None, None) => None,
        }
    }

    /// Returns the length of all texts in bytes.
    pub(super) fn text_bytes(&self) -> usize {
        self.cells.iter().map(text_bytes).sum()
    }

    /// Estimates the encoded size of the row in bytes.
    pub fn approximate_bytes(&self) -> usize {
        80 + self.cells.iter().map(cell_bytes).sum::<usize>()
    }

    pub(super) fn order_key(&self) -> (&Position, RowId) {
        (&self.position, self.id)
    }
}
