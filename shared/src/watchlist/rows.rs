//! The rows of a watchlist, accessible by id and by index.

use std::{collections::HashMap, sync::Arc};

use super::{order::Order, row::Row, texts::SharedTexts};
use crate::{
    ids::RowId,
    position::Position,
    rejection::{Code, Rejection},
};

/// The rows of a watchlist, in order. Clones share the rows.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    slab: Slab,
    free: Vec<u32>,
    by_id: HashMap<RowId, u32>,
    order: Order,
    texts: SharedTexts,
    version: Version,
}

/// Rows by handle, in copy-on-write chunks: cloning a hundred thousand rows increments a few thousand
/// reference counts instead of one for each row.
#[derive(Clone, Debug, Default)]
pub(super) struct Slab {
    chunks: Vec<Arc<Chunk>>,
    len: usize,
}

const CHUNK: usize = 32;
type Chunk = [Option<Arc<Row>>; CHUNK];

impl Slab {
    /// Returns a handle that was never used.
    fn new_handle(&mut self) -> u32 {
        let handle = u32::try_from(self.len).expect("the row limit is far below 2^32");
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        self.len += 1;
        handle
    }

    /// Returns the row with a handle.
    pub(super) fn get(&self, handle: u32) -> Option<&Arc<Row>> {
        let handle = handle as usize;
        self.chunks[handle / CHUNK][handle % CHUNK].as_ref()
    }

    fn entry_mut(&mut self, handle: u32) -> &mut Option<Arc<Row>> {
        let handle = handle as usize;
        &mut Arc::make_mut(&mut self.chunks[handle / CHUNK])[handle % CHUNK]
    }
}

/// A version of the rows. The rows have not changed as long as it is equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Number of insertions, removals and moves of rows.
    pub rows: u64,
    /// Number of changes to cells.
    pub cells: u64,
}

impl Rows {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Returns the row with an id.
    pub fn get(&self, id: RowId) -> Option<&Arc<Row>> {
        self.by_id.get(&id).map(|handle| self.at_handle(*handle))
    }

    /// Returns the row at an index.
    pub fn at(&self, index: usize) -> Option<&Arc<Row>> {
        self.order.handles().get(index).map(|handle| self.at_handle(*handle))
    }

    /// Returns the index of a row.
    pub fn index_of(&self, id: RowId) -> Option<usize> {
        let row = self.get(id)?;
        self.order.find(|other| self.at_handle(other).order_key().cmp(&row.order_key())).ok()
    }

    /// Returns the handle of a row: a small number that identifies it while it exists, to index a separate
    /// table. It is reused for another row later.
    pub fn handle(&self, id: RowId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Returns copies of all rows and of their handles in order.
    pub(super) fn share(&self) -> (Slab, Vec<u32>) {
        (self.slab.clone(), self.order.handles().to_vec())
    }

    /// Returns the version of the rows.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Raises the version above `old`, the version of the rows that these replace.
    pub(super) fn supersede(&mut self, old: Version) {
        self.version = Version { rows: old.rows + self.version.rows + 1, cells: old.cells + 1 };
    }

    /// Returns the rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Row>> {
        self.order.handles().iter().map(|handle| self.at_handle(*handle))
    }

    fn at_handle(&self, handle: u32) -> &Arc<Row> {
        self.slab.get(handle).expect("handles in use point at rows")
    }

    pub(super) fn insert(&mut self, mut row: Arc<Row>) -> Result<(), Rejection> {
        if self.by_id.contains_key(&row.id) {
            return Err(Rejection::new(Code::DuplicateRow, format!("the row {} already exists", row.id)));
        }
        if let Some(row) = Arc::get_mut(&mut row) {
            row.cells.iter_mut().for_each(|value| self.texts.share(value, self.by_id.len()));
        }
        let handle = self.free.pop().unwrap_or_else(|| self.slab.new_handle());
        self.by_id.insert(row.id, handle);
        let key = row.order_key();
        self.order.insert(handle, |other| key_in(&self.slab, other).cmp(&key));
        *self.slab.entry_mut(handle) = Some(row);
        self.version.rows += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: RowId) -> Result<Arc<Row>, Rejection> {
        let handle = self.by_id.remove(&id).ok_or_else(|| unknown(id))?;
        let key = key_in(&self.slab, handle);
        self.order.remove(handle, |other| key_in(&self.slab, other).cmp(&key));
        self.version.rows += 1;
        self.free.push(handle);
        Ok(self.slab.entry_mut(handle).take().expect("handles in use point at rows"))
    }

    /// Changes the cells of a row in place. The id and position must not change.
    pub(super) fn change<T>(
        &mut self,
        id: RowId,
        change: impl FnOnce(&mut Row) -> T,
    ) -> Result<T, Rejection> {
        let handle = *self.by_id.get(&id).ok_or_else(|| unknown(id))?;
        self.version.cells += 1;
        let row = self.slab.entry_mut(handle).as_mut().expect("handles in use point at rows");
        Ok(change(Arc::make_mut(row)))
    }

    /// Moves a row to another position and returns the previous one.
    pub(super) fn relocate(&mut self, id: RowId, position: Position) -> Result<Position, Rejection> {
        let mut row = self.remove(id)?;
        let before = std::mem::replace(&mut Arc::make_mut(&mut row).position, position);
        self.insert(row)?;
        Ok(before)
    }

    /// Completes the order of the rows within an edit.
    pub(super) fn sort(&mut self) {
        self.order.sort(|a, b| key_in(&self.slab, a).cmp(&key_in(&self.slab, b)));
    }

    /// Completes the order of the rows at the end of an edit.
    pub(super) fn end_edit(&mut self) {
        self.order.end_edit(|a, b| key_in(&self.slab, a).cmp(&key_in(&self.slab, b)));
    }
}

/// Returns what a row is ordered by.
fn key_in(slab: &Slab, handle: u32) -> (&Position, RowId) {
    slab.get(handle).expect("handles in use point at rows").order_key()
}

fn unknown(id: RowId) -> Rejection {
    Rejection::new(Code::UnknownRow, format!("unknown row {id}"))
}
