//! The rows of a watchlist, found by id and by place.

use std::{collections::HashMap, sync::Arc};

use super::{ColumnEntry, Columns};
use crate::{
    derive,
    edit::{Code, Rejection},
    ids::RowId,
    position::Position,
    time::Timestamp,
    value::Value,
};

/// One row. Cells are by slot; those past the end are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: RowId,
    /// Its place; equal places are ordered by id.
    pub position: Position,
    pub(super) cells: Vec<Value>,
    pub(super) changed: Vec<(usize, Timestamp)>,
}

static EMPTY: Value = Value::Empty;

impl Row {
    /// A row without cells.
    pub fn new(id: RowId, position: Position) -> Self {
        Self { id, position, cells: Vec::new(), changed: Vec::new() }
    }

    /// What is kept in a slot; derived columns keep nothing.
    pub fn stored(&self, slot: usize) -> &Value {
        self.cells.get(slot).unwrap_or(&EMPTY)
    }

    /// What the row shows in a column, derived or not.
    pub fn value(&self, entry: &ColumnEntry, columns: &Columns) -> Value {
        match &entry.column.derive {
            None => self.stored(entry.slot).clone(),
            Some(derive) => derive::value(derive, &entry.column.kind, self, columns),
        }
    }

    /// When the slot was last set, for columns whose time is kept.
    pub fn changed(&self, slot: usize) -> Option<Timestamp> {
        self.changed.iter().find(|(kept, _)| *kept == slot).map(|(_, at)| *at)
    }

    /// Puts a value into a slot and gives back what was there.
    pub fn store(&mut self, slot: usize, value: Value) -> Value {
        if self.cells.len() <= slot {
            self.cells.reserve_exact(slot + 1 - self.cells.len());
            self.cells.resize(slot + 1, Value::Empty);
        }
        std::mem::replace(&mut self.cells[slot], value)
    }

    /// Notes when a slot was set, or forgets it, and gives back the time before.
    pub fn note_changed(&mut self, slot: usize, at: Option<Timestamp>) -> Option<Timestamp> {
        let index = self.changed.iter().position(|(kept, _)| *kept == slot);
        match (index, at) {
            (Some(index), Some(at)) => Some(std::mem::replace(&mut self.changed[index].1, at)),
            (Some(index), None) => Some(self.changed.swap_remove(index).1),
            (None, Some(at)) => {
                self.changed.push((slot, at));
                None
            }
            (None, None) => None,
        }
    }

    fn order_key(&self) -> (&Position, RowId) {
        (&self.position, self.id)
    }
}

/// Rows in their order. Rows are shared when cloned, so a copy for another thread is cheap.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    slab: Slab,
    free: Vec<u32>,
    by_id: HashMap<RowId, u32>,
    ordered: Vec<u32>,
    version: Version,
}

/// Rows by handle, in chunks that copies share until a row of theirs changes: a copy of a hundred thousand rows takes
/// some thousand counts, not one for each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Slab {
    chunks: Vec<Arc<Chunk>>,
    len: usize,
}

const CHUNK: usize = 32;
type Chunk = [Option<Arc<Row>>; CHUNK];

impl Slab {
    /// A handle that no row has had.
    fn push(&mut self) -> u32 {
        let handle = u32::try_from(self.len).expect("the row limit is far below 2^32");
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        self.len += 1;
        handle
    }

    /// The row that has a handle.
    pub(super) fn get(&self, handle: u32) -> Option<&Arc<Row>> {
        let handle = handle as usize;
        self.chunks[handle / CHUNK][handle % CHUNK].as_ref()
    }

    fn place(&mut self, handle: u32) -> &mut Option<Arc<Row>> {
        let handle = handle as usize;
        &mut Arc::make_mut(&mut self.chunks[handle / CHUNK])[handle % CHUNK]
    }
}

/// Tells whether rows changed since: two that are the same were taken from the same rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Counts rows that came, went or moved.
    pub rows: u64,
    /// Counts cells that were set.
    pub cells: u64,
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// A row by its id.
    pub fn get(&self, id: RowId) -> Option<&Arc<Row>> {
        self.by_id.get(&id).map(|handle| self.at_handle(*handle))
    }

    /// The row at a place, from 0.
    pub fn at(&self, index: usize) -> Option<&Arc<Row>> {
        self.ordered.get(index).map(|handle| self.at_handle(*handle))
    }

    /// A row's place, from 0.
    pub fn index_of(&self, id: RowId) -> Option<usize> {
        let row = self.get(id)?;
        self.find(row).ok()
    }

    /// A small number that names a row while it is there, for tables beside. Another row has it later.
    pub fn handle(&self, id: RowId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// All rows, and their handles in order, to be read elsewhere.
    pub(super) fn share(&self) -> (Slab, Vec<u32>) {
        (self.slab.clone(), self.ordered.clone())
    }

    /// Where they are in their changes.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Takes up the count of rows that these replace.
    pub(super) fn supersede(&mut self, old: Version) {
        self.version = Version { rows: old.rows + self.version.rows + 1, cells: old.cells + 1 };
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Row>> {
        self.ordered.iter().map(|handle| self.at_handle(*handle))
    }

    fn at_handle(&self, handle: u32) -> &Arc<Row> {
        self.slab.get(handle).expect("handles in use point at rows")
    }

    fn find(&self, row: &Row) -> Result<usize, usize> {
        let compare = |handle: &u32| self.at_handle(*handle).order_key().cmp(&row.order_key());
        // Lists mostly grow at their end.
        match self.ordered.last() {
            Some(last) if compare(last).is_lt() => Err(self.ordered.len()),
            _ => self.ordered.binary_search_by(compare),
        }
    }

    pub(super) fn insert(&mut self, row: Arc<Row>) -> Result<(), Rejection> {
        if self.by_id.contains_key(&row.id) {
            return Err(Rejection::new(Code::DuplicateRow, format!("there is a row {} already", row.id)));
        }
        let place = self.find(&row).unwrap_or_else(|place| place);
        let id = row.id;
        let handle = self.free.pop().unwrap_or_else(|| self.slab.push());
        *self.slab.place(handle) = Some(row);
        self.by_id.insert(id, handle);
        self.ordered.insert(place, handle);
        self.version.rows += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: RowId) -> Result<Arc<Row>, Rejection> {
        let place = self.index_of(id).ok_or_else(|| unknown(id))?;
        let handle = self.ordered.remove(place);
        self.version.rows += 1;
        self.by_id.remove(&id);
        self.free.push(handle);
        Ok(self.slab.place(handle).take().expect("handles in use point at rows"))
    }

    /// Changes a row's cells in place; its id and position must stay.
    pub(super) fn change<T>(
        &mut self,
        id: RowId,
        change: impl FnOnce(&mut Row) -> T,
    ) -> Result<T, Rejection> {
        let handle = *self.by_id.get(&id).ok_or_else(|| unknown(id))?;
        self.version.cells += 1;
        let row = self.slab.place(handle).as_mut().expect("handles in use point at rows");
        Ok(change(Arc::make_mut(row)))
    }

    /// Gives a row another place and gives back the one before.
    pub(super) fn relocate(&mut self, id: RowId, position: Position) -> Result<Position, Rejection> {
        let mut row = self.remove(id)?;
        let before = std::mem::replace(&mut Arc::make_mut(&mut row).position, position);
        self.insert(row)?;
        Ok(before)
    }
}

fn unknown(id: RowId) -> Rejection {
    Rejection::new(Code::UnknownRow, format!("there is no row {id}"))
}
