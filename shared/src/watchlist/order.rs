//! The order of a watchlist's rows: their handles, sorted.

use std::{cmp::Ordering, collections::BTreeSet};

/// Number of times that an edit may shift every handle by one before the rest of it is sorted in at its end.
const MAX_SHIFTS: usize = 8;
/// Number of handles that an edit may shift in any list before the rest of it is sorted in at its end.
const MIN_SHIFTED: usize = 100_000;

/// The handles of the rows in order. An insertion or a removal shifts the handles after it, which costs
/// little as long as an edit has few of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    handles: Vec<u32>,
    /// Number of handles that the current edit has shifted.
    shifted: usize,
    deferred: Option<Deferred>,
}

/// Insertions and removals that are not in the order yet.
#[derive(Clone, Debug, Default)]
struct Deferred {
    removed: BTreeSet<u32>,
    inserted: BTreeSet<u32>,
}

impl Deferred {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.inserted.is_empty()
    }
}

impl Order {
    /// Returns the handles in order. Within an edit that has many insertions and removals, call [`Self::sort`] first.
    pub(super) fn handles(&self) -> &[u32] {
        debug_assert!(
            self.deferred.as_ref().is_none_or(Deferred::is_empty),
            "the order is complete between edits"
        );
        &self.handles
    }

    /// Returns the index at which a row is, or else would be, given how another row compares with it.
    pub(super) fn find(&self, compare: impl Fn(u32) -> Ordering) -> Result<usize, usize> {
        let handles = self.handles();
        // Fast path: lists mostly grow at the end.
        match handles.last() {
            Some(last) if compare(*last).is_lt() => Err(handles.len()),
            _ => handles.binary_search_by(|handle| compare(*handle)),
        }
    }

    /// Inserts the handle of a row that compares with the others.
    pub(super) fn insert(&mut self, handle: u32, compare: impl Fn(u32) -> Ordering) {
        if let Some(deferred) = &mut self.deferred {
            deferred.inserted.insert(handle);
            return;
        }
        let index = self.find(compare).unwrap_or_else(|index| index);
        self.handles.insert(index, handle);
        self.record_shift(index);
    }

    /// Removes the handle of a row that compares with the others.
    pub(super) fn remove(&mut self, handle: u32, compare: impl Fn(u32) -> Ordering) {
        if let Some(deferred) = &mut self.deferred {
            if !deferred.inserted.remove(&handle) {
                deferred.removed.insert(handle);
            }
            return;
        }
        let index = self.find(compare).expect("every row is in the order");
        self.handles.remove(index);
        self.record_shift(index);
    }

    fn record_shift(&mut self, index: usize) {
        self.shifted += self.handles.len() - index;
        if self.shifted > MIN_SHIFTED.max(MAX_SHIFTS * self.handles.len()) {
            self.deferred = Some(Deferred::default());
        }
    }

    /// Sorts the deferred rows into the order during an edit.
    pub(super) fn sort(&mut self, compare: impl Fn(u32, u32) -> Ordering) {
        let Some(Deferred { removed, inserted }) = &mut self.deferred else { return };
        if !removed.is_empty() {
            self.handles.retain(|handle| !removed.contains(handle));
            removed.clear();
        }
        let mut new: Vec<u32> = std::mem::take(inserted).into_iter().collect();
        new.sort_unstable_by(|a, b| compare(*a, *b));
        let mut sorted = Vec::with_capacity(self.handles.len() + new.len());
        let mut rest = self.handles.as_slice();
        for handle in new {
            let (before, after) =
                rest.split_at(rest.partition_point(|other| compare(*other, handle).is_lt()));
            sorted.extend_from_slice(before);
            sorted.push(handle);
            rest = after;
        }
        sorted.extend_from_slice(rest);
        self.handles = sorted;
    }

    /// Ends an edit: the order is complete again.
    pub(super) fn end_edit(&mut self, compare: impl Fn(u32, u32) -> Ordering) {
        self.sort(compare);
        self.deferred = None;
        self.shifted = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Handles are ordered by their last digits first.
    fn key(handle: u32) -> (u32, u32) {
        (handle % 1_000, handle)
    }

    #[test]
    fn a_large_edit_leads_to_the_order_that_small_ones_lead_to() {
        let compare = |a: u32, b: u32| key(a).cmp(&key(b));
        let (mut large, mut small) = (Order::default(), Order::default());
        let mut was_deferred = false;
        for edit in 0..40_u32 {
            for step in 0..2_000_u32 {
                // Every handle is inserted, and some are removed, some of those within the same edit.
                let handle = edit * 2_000 + step;
                let removed = (step % 3 == 1).then(|| handle - step / 3);
                for order in [&mut large, &mut small] {
                    order.insert(handle, |other| compare(other, handle));
                    if let Some(removed) = removed.filter(|removed| *removed != handle) {
                        order.remove(removed, |other| compare(other, removed));
                        order.insert(removed, |other| compare(other, removed));
                    }
                }
                small.end_edit(compare);
                if step == 1_500 {
                    large.sort(compare);
                }
            }
            was_deferred |= large.deferred.is_some();
            large.end_edit(compare);
            assert_eq!(large.handles(), small.handles());
        }
        assert!(was_deferred);
        assert!(small.handles().is_sorted_by_key(|handle| key(*handle)));
    }
}
