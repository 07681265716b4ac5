//! Positions for rows that are inserted or moved, and the changes that make room for them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::RowId,
    position::Position,
    value::Literal,
    watchlist::{Row, Watchlist},
};

/// The place of a row in the list's own order. The places among the rows that a window shows are plain
/// numbers, because sorting and filters change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListIndex(usize);

impl ListIndex {
    /// Returns the place of a row.
    pub(super) fn of(watchlist: &Watchlist, row: RowId) -> Option<Self> {
        watchlist.rows().index_of(row).map(Self)
    }

    /// Returns the place after the last row.
    pub(super) fn end(watchlist: &Watchlist) -> Self {
        Self(watchlist.rows().len())
    }

    /// Returns the place a number of rows further down.
    pub(super) fn plus(self, rows: usize) -> Self {
        Self(self.0 + rows)
    }

    /// Returns the place one row further up, unless this is the first.
    pub(super) fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

/// Returns the changes that insert rows at a place of the list, or at its end if the list is shorter. If
/// there is no position between two rows, their neighbours move.
pub(super) fn insert_changes(
    watchlist: &Watchlist,
    target: ListIndex,
    new: Vec<(RowId, BTreeMap<ColumnKey, Literal>)>,
) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let at = |index: usize| rows.at(index).map(Arc::as_ref);
    let (mut changes, positions) = allocate_positions(rows.len(), at, target.0.min(rows.len()), new.len())?;
    changes.extend(
        new.into_iter().zip(&positions).map(|((row, cells), position)| Change::insert(row, position, cells)),
    );
    Some(changes)
}

/// Returns `count` positions at an index among other rows, and the changes that move neighbours to make room.
fn allocate_positions<'a>(
    len: usize,
    at: impl Fn(usize) -> Option<&'a Row>,
    target: usize,
    count: usize,
) -> Option<(Vec<Change>, Vec<Position>)> {
    let position_at = |index: usize| at(index).map(|row| &row.position);
    // Includes ever more rows on both sides until there is room.
    let mut reach = 0;
    loop {
        let first = target.saturating_sub(reach);
        let last = (target + reach).min(len);
        let outside = (first.checked_sub(1).and_then(position_at), position_at(last));
        if let Some(mut positions) = Position::between(outside.0, outside.1, last - first + count) {
            let after = positions.split_off(target - first + count);
            let inserted = positions.split_off(target - first);
            let neighbours = (first..last).filter_map(at).zip(positions.iter().chain(&after));
            let changes = neighbours.map(|(row, position)| Change::move_to(row.id, position)).collect();
            return Some((changes, inserted));
        }
        if first == 0 && last == len {
            return None;
        }
        reach = (reach * 4).max(8);
    }
}

/// Returns the changes that move rows before the row at a place of the list.
pub(super) fn move_changes(watchlist: &Watchlist, moved: &[RowId], target: ListIndex) -> Option<Vec<Change>> {
    let rows = watchlist.rows();
    let moving: HashSet<RowId> = moved.iter().copied().collect();
    let others: Vec<&Row> = rows.iter().map(Arc::as_ref).filter(|row| !moving.contains(&row.id)).collect();
    let before = rows.iter().take(target.0).filter(|row| !moving.contains(&row.id)).count();
    let (mut changes, positions) =
        allocate_positions(others.len(), |index| others.get(index).copied(), before, moved.len())?;
    changes.extend(moved.iter().zip(&positions).map(|(row, position)| Change::move_to(*row, position)));
    Some(changes)
}
