//! Sorts the rows of a list by their sort keys.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    value::Value,
    watchlist::{ColumnEntry, Frozen},
};

use super::compare::{SortValue, coarse_key};

/// One sort key: a column and a direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SortKey {
    /// The column.
    pub column: ColumnKey,
    /// Whether the largest value comes first. Empty cells are last in both directions.
    pub descending: bool,
}

/// The sort keys of a list.
pub(super) struct SortKeys<'a> {
    list: &'a Frozen,
    keys: Vec<(&'a ColumnEntry, bool)>,
}

impl<'a> SortKeys<'a> {
    /// Looks up the columns of the keys; unknown and removed ones are ignored.
    pub(super) fn new(list: &'a Frozen, sort: &[SortKey]) -> Self {
        let entry = |key: &SortKey| list.columns.visible_column(&key.column).ok();
        let keys = sort.iter().filter_map(|key| Some((entry(key)?, key.descending))).collect();
        Self { list, keys }
    }

    /// Sorts rows, given by their list indices.
    pub(super) fn sort(&self, rows: &mut [usize]) {
        let Some((first, descending)) = self.keys.first() else { return };
        // One number per row: its coarse key, its list index, and whether the coarse key is inexact. Sorting
        // a million of these takes as long as looking up their values once.
        let pack = |index: usize| {
            let (coarse, is_exact) = coarse_key(&self.value(index, first), *descending);
            u128::from(coarse) << 64 | (index as u128) << 1 | u128::from(!is_exact)
        };
        let mut packed: Vec<u128> = rows.iter().map(|index| pack(*index)).collect();
        packed.sort_unstable();
        for (row, packed) in rows.iter_mut().zip(&packed) {
            *row = usize::try_from((packed & u128::from(u64::MAX)) >> 1).expect("a list index fits in usize");
        }
        let mut start = 0;
        for run in packed.chunk_by(|a, b| a >> 64 == b >> 64) {
            let end = start + run.len();
            if run.len() > 1 && (self.keys.len() > 1 || run.iter().any(|packed| packed & 1 == 1)) {
                self.refine(&mut rows[start..end]);
            }
            start = end;
        }
    }

    /// Sorts rows with equal coarse keys.
    fn refine(&self, rows: &mut [usize]) {
        let values = |index: usize| -> Vec<SortValue> {
            self.keys.iter().map(|(entry, _)| SortValue::of(self.value(index, entry))).collect()
        };
        let mut decorated: Vec<(Vec<SortValue>, usize)> =
            rows.iter().map(|index| (values(*index), *index)).collect();
        decorated.sort_unstable_by(|(a, index_a), (b, index_b)| {
            let by_keys =
                a.iter().zip(b).zip(&self.keys).map(|((a, b), (_, descending))| a.compare(b, *descending));
            by_keys.fold(Ordering::Equal, Ordering::then).then_with(|| index_a.cmp(index_b))
        });
        for (row, (_, index)) in rows.iter_mut().zip(decorated) {
            *row = index;
        }
    }

    fn value(&self, index: usize, entry: &ColumnEntry) -> Value {
        self.list.row(index).value(entry, &self.list.columns)
    }
}
