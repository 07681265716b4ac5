//! The rows of a watchlist, accessible by id and by index.

use std::{collections::HashMap, sync::Arc};

use super::{row::Row, texts::SharedTexts};
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
    ordered: Vec<u32>,
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
        self.ordered.len()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    /// Returns the row with an id.
    pub fn get(&self, id: RowId) -> Option<&Arc<Row>> {
        self.by_id.get(&id).map(|handle| self.at_handle(*handle))
    }

    /// Returns the row at an index.
    pub fn at(&self, index: usize) -> Option<&Arc<Row>> {
        self.ordered.get(index).map(|handle| self.at_handle(*handle))
    }

    /// Returns the index of a row.
    pub fn index_of(&self, id: RowId) -> Option<usize> {
        let row = self.get(id)?;
        self.find(row).ok()
    }

    /// Returns the handle of a row: a small number that identifies it while it exists, to index a separate
    /// table. It is reused for another row later.
    pub fn handle(&self, id: RowId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Returns copies of all rows and of their handles in order.
    pub(super) fn share(&self) -> (Slab, Vec<u32>) {
        (self.slab.clone(), self.ordered.clone())
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
        self.ordered.iter().map(|handle| self.at_handle(*handle))
    }

    fn at_handle(&self, handle: u32) -> &Arc<Row> {
        self.slab.get(handle).expect("handles in use point at rows")
    }

    fn find(&self, row: &Row) -> Result<usize, usize> {
        let compare = |handle: &u32| self.at_handle(*handle).order_key().cmp(&row.order_key());
        // Fast path: lists mostly grow at the end.
        match self.ordered.last() {
            Some(last) if compare(last).is_lt() => Err(self.ordered.len()),
            _ => self.ordered.binary_search_by(compare),
        }
    }

    pub(super) fn insert(&mut self, mut row: Arc<Row>) -> Result<(), Rejection> {
        if self.by_id.contains_key(&row.id) {
            return Err(Rejection::new(Code::DuplicateRow, format!("the row {} already exists", row.id)));
        }
        if let Some(row) = Arc::get_mut(&mut row) {
            row.cells.iter_mut().for_each(|value| self.texts.share(value, self.ordered.len()));
        }
        let index = self.find(&row).unwrap_or_else(|index| index);
        let id = row.id;
        let handle = self.free.pop().unwrap_or_else(|| self.slab.new_handle());
        *self.slab.entry_mut(handle) = Some(row);
        self.by_id.insert(id, handle);
        self.ordered.insert(index, handle);
        self.version.rows += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: RowId) -> Result<Arc<Row>, Rejection> {
        let index = self.index_of(id).ok_or_else(|| unknown(id))?;
        let handle = self.ordered.remove(index);
        self.version.rows += 1;
        self.by_id.remove(&id);
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
}

fn unknown(id: RowId) -> Rejection {
    Rejection::new(Code::UnknownRow, format!("unknown row {id}"))
}
