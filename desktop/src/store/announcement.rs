//! What a screen reader may announce: the last change by somebody else.

use std::{sync::Arc, time::Duration};

use shared::{
    column::ColumnKey,
    ids::{RowId, WatchlistId},
    replica::Effect,
};

/// Time during which changes are announced as one.
const PAUSE: Duration = Duration::from_secs(3);

/// A change by somebody else, with the number of cells that they and others changed at about the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// Name of the account that made the change.
    pub by: Arc<str>,
    /// The row of the last changed cell.
    pub row: RowId,
    /// The column of the last changed cell.
    pub column: ColumnKey,
    /// Number of changed cells.
    pub cells: usize,
    /// When the first of them changed.
    since: Duration,
}

/// The last change, and the one that is announced.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    announced: Option<Announcement>,
    next: Option<Announcement>,
}

impl Announcements {
    /// Records the effects of somebody else's commit.
    pub(super) fn record(
        &mut self,
        watchlist: WatchlistId,
        by: &Arc<str>,
        effects: &[Effect],
        now: Duration,
    ) {
        let changed = effects.iter().filter_map(|effect| match effect {
            Effect::Cell { row, column, .. } => Some((*row, column)),
            _ => None,
        });
        let Some((row, column)) = changed.clone().next_back() else { return };
        let (before, since) = match &self.next {
            Some(next) if next.watchlist == watchlist => (next.cells, next.since),
            _ => (0, now),
        };
        let (by, column, cells) = (by.clone(), column.clone(), before + changed.count());
        self.next = Some(Announcement { watchlist, by, row, column, cells, since });
    }

    /// Returns what is announced now.
    pub(super) fn update(&mut self, now: Duration) -> Option<&Announcement> {
        let is_over = self.announced.as_ref().is_none_or(|announced| now >= announced.since + PAUSE);
        if is_over && let Some(next) = self.next.take() {
            self.announced = Some(Announcement { since: now, ..next });
        }
        self.announced.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use shared::value::Value;
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
        assert_eq!(announcements.update(at(0)), None);
        announcements.record(list, &"ann".into(), &[change(1, "price")], at(10));
        let first = announcements.update(at(10)).unwrap().clone();
        assert_eq!((&*first.by, first.row, first.cells), ("ann", RowId(Uuid::from_u128(1)), 1));
        announcements.record(list, &"bob".into(), &[change(2, "price"), change(3, "note")], at(20));
        announcements.record(list, &"eve".into(), &[change(4, "note")], at(30));
        assert_eq!(announcements.update(at(2_000)), Some(&first), "one at a time");
        let second = announcements.update(at(3_010)).unwrap();
        assert_eq!((&*second.by, second.row, second.cells), ("eve", RowId(Uuid::from_u128(4)), 3));
    }
}
