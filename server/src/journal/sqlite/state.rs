//! What a journal keeps in memory: a summary of every watchlist, and the tail of the log, which is not folded yet.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use shared::{
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
};

use super::{
    block::Listed,
    segment::{Index, Place},
};
use crate::journal::record::Record;

/// The tail is folded once it has more answers than this,
const FOLD_ANSWERS: usize = 16_384;
/// or more bytes than this. It is read at every start.
const FOLD_BYTES: usize = 8 << 20;

/// The watchlists of a journal and the tail of its log.
#[derive(Debug, Default)]
pub(super) struct State {
    lists: HashMap<WatchlistId, ListState>,
    /// The segments that are not folded, in the order of the log.
    order: VecDeque<(i64, WatchlistId)>,
    /// Number of the next segment.
    pub(super) next_seq: i64,
    tail_answers: usize,
    tail_bytes: usize,
}

/// One watchlist.
#[derive(Debug)]
pub(super) struct ListState {
    /// Key of its row.
    pub(super) key: i64,
    pub(super) epoch: Epoch,
    /// Name after the newest segment.
    pub(super) name: Arc<str>,
    /// Revision after the newest segment.
    pub(super) revision: Revision,
    /// Number of rows after the newest segment.
    pub(super) rows: usize,
    pub(super) deleted_at: Option<Timestamp>,
    /// Its segments that are not folded, oldest first.
    pub(super) tail: VecDeque<Arc<TailSegment>>,
}

/// A segment that is not folded yet.
#[derive(Debug)]
pub(super) struct TailSegment {
    pub(super) place: Place,
    pub(super) index: Index,
}

impl TailSegment {
    /// Returns the segment as a block lists it.
    pub(super) fn listed(&self) -> Listed {
        let Index { at, bytes, terms, .. } = &self.index;
        Listed { place: self.place, at: *at, bytes: *bytes, terms: terms.clone() }
    }
}

impl State {
    pub(super) fn list(&self, id: WatchlistId) -> Option<&ListState> {
        self.lists.get(&id)
    }

    pub(super) fn list_mut(&mut self, id: WatchlistId) -> Option<&mut ListState> {
        self.lists.get_mut(&id)
    }

    pub(super) fn insert(&mut self, id: WatchlistId, list: ListState) {
        self.lists.insert(id, list);
    }

    /// Removes a watchlist with its part of the tail.
    pub(super) fn remove(&mut self, id: WatchlistId) {
        let Some(list) = self.lists.remove(&id) else { return };
        self.order.retain(|(_, of)| *of != id);
        list.tail.iter().for_each(|segment| self.uncount(segment));
    }

    /// Returns every watchlist, oldest first.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut lists: Vec<_> = self.lists.iter().collect();
        lists.sort_by_key(|(_, list)| list.key);
        lists
            .into_iter()
            .map(|(id, list)| Record {
                id: *id,
                epoch: list.epoch,
                name: list.name.clone(),
                revision: list.revision,
                rows: list.rows,
                deleted_at: list.deleted_at,
            })
            .collect()
    }

    /// Adds a segment at the end of the log.
    pub(super) fn push(&mut self, id: WatchlistId, segment: Arc<TailSegment>) {
        self.next_seq = self.next_seq.max(segment.place.seq + 1);
        let Some(list) = self.lists.get_mut(&id) else { return };
        list.revision = segment.place.last;
        self.tail_answers += segment.index.answers.len();
        self.tail_bytes += segment.index.bytes;
        self.order.push_back((segment.place.seq, id));
        list.tail.push_back(segment);
    }

    /// Whether the tail is to be folded.
    pub(super) fn is_fold_due(&self) -> bool {
        self.tail_answers > FOLD_ANSWERS || self.tail_bytes > FOLD_BYTES
    }

    /// Returns the segments that are not folded, in the order of the log.
    pub(super) fn tail(&self) -> impl Iterator<Item = (WatchlistId, &Arc<TailSegment>)> {
        let mut next: HashMap<WatchlistId, usize> = HashMap::new();
        self.order.iter().filter_map(move |(_, id)| {
            let index = next.entry(*id).or_default();
            *index += 1;
            Some((*id, self.lists.get(id)?.tail.get(*index - 1)?))
        })
    }

    /// Removes the segments up to a number from the tail: they are folded.
    pub(super) fn folded(&mut self, up_to: i64) {
        while let Some((_, id)) = self.order.pop_front_if(|(seq, _)| *seq <= up_to) {
            let list = self.lists.get_mut(&id).expect("the tail of a removed watchlist is removed");
            if let Some(segment) = list.tail.pop_front() {
                self.uncount(&segment);
            }
        }
    }

    fn uncount(&mut self, segment: &TailSegment) {
        self.tail_answers -= segment.index.answers.len();
        self.tail_bytes -= segment.index.bytes;
    }
}
