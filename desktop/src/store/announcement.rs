//! What a screen reader may announce: the last change of a cell by somebody else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId},
    replica::Effect,
    value::Value,
};

/// Time during which changes are announced as one.
const PAUSE: Duration = Duration::from_secs(3);

/// A change by somebody else, with the number of cells that they and others changed at about the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// Name of the account that made the change.
    pub by: Arc<str>,
    /// The row of the last changed cell.
    pub row: RowId,
    /// The column of the last changed cell.
    pub column: ColumnKey,
    /// The value that it was changed to.
    pub value: Value,
    /// Number of changed cells.
    pub cells: usize,
    /// When it was announced, or before that, when the first of the cells changed.
    since: Duration,
}

/// What is announced of each watchlist, and what comes next.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// Whether a person wants to hear changes.
    is_on: bool,
    lists: BTreeMap<WatchlistId, Pair>,
}

#[derive(Debug, Default)]
struct Pair {
    announced: Option<Announcement>,
    next: Option<Announcement>,
}

impl Announcements {
    /// Sets whether a person wants to hear changes.
    pub(super) fn set_on(&mut self, is_on: bool) {
        if !is_on {
            self.lists.clear();
        }
        self.is_on = is_on;
    }

    /// Records the effects of somebody else's commit.
    pub(super) fn record(
        &mut self,
        watchlist: WatchlistId,
        by: &Arc<str>,
        effects: &[Effect],
        now: Duration,
    ) {
        let changed = effects.iter().filter_map(|effect| match effect {
            Effect::Cell { row, column, after, .. } => Some((*row, column, after)),
            _ => None,
        });
        let Some((row, column, value)) = changed.clone().next_back().filter(|_| self.is_on) else { return };
        let next = &mut self.lists.entry(watchlist).or_default().next;
        let (before, since) = next.as_ref().map_or((0, now), |next| (next.cells, next.since));
        let (by, column, value, cells) =
            (by.clone(), column.clone(), value.clone(), before + changed.count());
        *next = Some(Announcement { by, row, column, value, cells, since });
    }

    /// Returns what is announced of a watchlist now.
    pub(super) fn update(&mut self, watchlist: WatchlistId, now: Duration) -> Option<&Announcement> {
        let pair = self.lists.get_mut(&watchlist)?;
        if pair.announced.as_ref().is_none_or(|announced| now >= announced.since + PAUSE) {
            pair.announced = pair.next.take().map(|next| Announcement { since: now, ..next });
        }
        pair.announced.as_ref()
    }

    /// Returns the time until the next announcement.
    pub(super) fn next_in(&self, now: Duration) -> Option<Duration> {
        let waiting = self.lists.values().filter(|pair| pair.next.is_some());
        let due =
            waiting.filter_map(|pair| Some((pair.announced.as_ref()?.since + PAUSE).saturating_sub(now)));
        due.min()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn changes_within_a_pause_are_announced_as_one() {
        let list = WatchlistId(Uuid::from_u128(7));
        let change = |number, column: &str| Effect::Cell {
            row: RowId(Uuid::from_u128(number)),
            column: column.into(),
            before: Value::Empty,
            after: Value::Flag(true),
        };
        let at = Duration::from_millis;
        let mut announcements = Announcements::default();
        announcements.record(list, &"ann".into(), &[change(1, "price")], at(0));
        assert_eq!(announcements.update(list, at(0)), None, "announcements are off");
        announcements.set_on(true);
        announcements.record(list, &"ann".into(), &[change(1, "price")], at(10));
        let first = announcements.update(list, at(10)).unwrap().clone();
        assert_eq!((&*first.by, first.row, first.cells), ("ann", RowId(Uuid::from_u128(1)), 1));
        announcements.record(list, &"bob".into(), &[change(2, "price"), change(3, "note")], at(20));
        announcements.record(list, &"eve".into(), &[change(4, "note")], at(30));
        assert_eq!(announcements.update(list, at(2_000)), Some(&first), "one at a time");
        assert_eq!(announcements.next_in(at(2_010)), Some(at(1_000)));
        let second = announcements.update(list, at(3_010)).unwrap();
        assert_eq!((&*second.by, second.row, second.cells), ("eve", RowId(Uuid::from_u128(4)), 3));
        assert_eq!(announcements.update(list, at(9_000)), None, "it is over");
    }
}
