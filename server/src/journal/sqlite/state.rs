//! What a journal keeps in memory: a summary of every watchlist, and the tail of the log, which is not folded
//! yet.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use shared::{
    ids::{Epoch, Revision, WatchlistId},
    time::Timestamp,
};

use super::block::Listed;
use crate::journal::{
    form::segment::{Index, Place},
    record::Record,
};

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

#[cfg(test)]
mod tests {
    use shared::ids::{ClientId, EditId, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::journal::{
        form::answer::{StoredAnswer, StoredVerdict},
        record::Sender,
    };

    fn id(number: u128) -> WatchlistId {
        WatchlistId(Uuid::from_u128(number))
    }

    /// Returns the state of a journal with two watchlists and no tail.
    fn state() -> State {
        let mut state = State::default();
        for key in [2, 1] {
            let list = ListState {
                key,
                epoch: Epoch(Uuid::nil()),
                name: "List".into(),
                revision: Revision(0),
                rows: 0,
                deleted_at: None,
                tail: VecDeque::new(),
            };
            state.insert(id(key.unsigned_abs().into()), list);
        }
        state
    }

    /// Adds a segment with a number.
    fn push(state: &mut State, list: u128, seq: i64, bytes: usize, answers: usize) {
        let sender = Sender { user: UserId(Uuid::nil()), client: ClientId(Uuid::nil()) };
        let verdict = StoredVerdict::Accepted(Revision(1));
        let answer = StoredAnswer { edit: EditId(1), digest: [1; 16], verdict };
        let index = Index { bytes, answers: vec![(sender, answer); answers], ..Index::default() };
        let last = Revision(seq.unsigned_abs());
        let place = Place { seq, before: Revision(last.0 - 1), last };
        state.push(id(list), Arc::new(TailSegment { place, index }));
    }

    fn tail(state: &State) -> Vec<(u128, i64)> {
        state.tail().map(|(id, segment)| (id.0.as_u128(), segment.place.seq)).collect()
    }

    #[test]
    fn the_tail_is_folded_once_it_has_too_many_bytes_or_answers() {
        for (bytes, answers) in [(FOLD_BYTES, 0), (0, FOLD_ANSWERS)] {
            let mut state = state();
            push(&mut state, 1, 1, bytes, answers);
            assert!(!state.is_fold_due());
            push(&mut state, 2, 2, bytes.min(1), answers.min(1));
            assert!(state.is_fold_due());
            push(&mut state, 2, 3, 9, 9);
            state.folded(2);
            assert!(!state.is_fold_due());
            push(&mut state, 2, 4, bytes, answers);
            assert!(state.is_fold_due());
            state.remove(id(2));
            assert!(!state.is_fold_due(), "a watchlist that is removed has no tail");
        }
    }

    #[test]
    fn the_tail_is_in_the_order_of_the_log() {
        let mut state = state();
        for (list, seq) in [(1, 1), (2, 2), (1, 3), (2, 4)] {
            push(&mut state, list, seq, 10, 1);
        }
        push(&mut state, 9, 5, 10, 1);
        assert_eq!(state.next_seq, 6);
        assert_eq!(tail(&state), [(1, 1), (2, 2), (1, 3), (2, 4)], "an unknown watchlist has no tail");
        state.folded(2);
        assert_eq!(tail(&state), [(1, 3), (2, 4)]);
        state.remove(id(1));
        assert_eq!(tail(&state), [(2, 4)]);
        state.folded(4);
        assert!(tail(&state).is_empty());
        let records: Vec<(WatchlistId, Revision)> =
            state.records().into_iter().map(|record| (record.id, record.revision)).collect();
        assert_eq!(records, [(id(2), Revision(4))]);
        let keys: Vec<WatchlistId> = self::state().records().into_iter().map(|record| record.id).collect();
        assert_eq!(keys, [id(1), id(2)], "the oldest first");
    }
}
