//! The rows and columns as a person has seen them. When others move some, a click or a key that follows at once
//! is meant for what was there before.

use std::{collections::VecDeque, time::Duration};

use egui::{Pos2, Rangef};
use shared::{column::ColumnKey, ids::RowId};

use super::{cursor::Cursor, layout::Layout, order::SeenRows, table::Table};
use crate::store::recent::REACTION;

/// The rows in view at one moment, and the columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    rows: SeenRows,
    /// Where the first of them begins: its distance from the top of the body, in rows.
    top: f64,
    /// The columns in display order.
    columns: Vec<ColumnKey>,
    /// Where each is, in points. The frozen ones are first: they cover others.
    places: Vec<(ColumnKey, Rangef)>,
}

impl Shown {
    pub(super) fn new(table: &Table<'_>, layout: &Layout) -> Self {
        let visible = layout.visible_rows();
        let top = visible.start as f64 - layout.scroll_row;
        let above = visible.start.checked_sub(1).and_then(|index| table.id_at(index));
        let below = table.id_at(visible.end);
        let rows = visible.filter_map(|index| table.id_at(index)).collect();
        let rows = SeenRows { above, rows, below };
        let columns = table.columns().iter().map(|column| column.key().clone()).collect();
        Self { rows, top, columns, places: layout.column_places() }
    }

    /// Whether the same rows and columns are in view, whatever is beyond.
    fn is_same_view(&self, other: &Self) -> bool {
        let Self { rows, top, columns, places } = self;
        (&rows.rows, top, columns, places) == (&other.rows.rows, &other.top, &other.columns, &other.places)
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &SeenRows {
        &self.rows
    }

    /// Returns the columns, in display order.
    pub(super) fn columns(&self) -> &[ColumnKey] {
        &self.columns
    }

    /// Returns the cell of a row that was at a point in the body.
    pub(super) fn cell_at(&self, layout: &Layout, at: Pos2) -> Option<Cursor> {
        let row = self.row_at(layout.rows_from_top(at.y))?;
        let (column, _) = self.places.iter().find(|(_, place)| place.contains(at.x))?;
        Some(Cursor { row: Some(row), column: column.clone() })
    }

    /// Returns the row that was at a distance from the top of the body, in rows.
    pub(super) fn row_at(&self, distance: f64) -> Option<RowId> {
        let from_first = distance - self.top;
        let is_here = |place: u32| (f64::from(place)..f64::from(place) + 1.0).contains(&from_first);
        (0..).zip(&self.rows.rows).find(|(place, _)| is_here(*place)).map(|(_, row)| *row)
    }
}

/// What was in view, since when, as far as a person may still act on it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The latest last.
    shown: VecDeque<(Duration, Shown)>,
    /// See [`Recent::moves`](crate::store::recent::Recent::moves).
    moves: u64,
    /// Whether changes by others have moved rows or columns since the last frame.
    is_moved: bool,
}

impl Seen {
    /// Says that changes by others move rows or columns in the next frame: a live order, or a number that
    /// widens its column.
    pub(super) fn moved_by_others(&mut self) {
        self.is_moved = true;
    }

    /// Records what a frame shows before its input. `moves` counts the rows and columns that others have moved.
    pub(super) fn begin_frame(&mut self, shown: Shown, moves: u64, now: Duration) {
        let is_by_others = std::mem::take(&mut self.is_moved) | (self.moves != moves);
        self.moves = moves;
        let last = self.shown.back_mut().map(|(_, last)| last).filter(|last| last.is_same_view(&shown));
        match last {
            Some(last) => *last = shown,
            None => {
                if !is_by_others {
                    self.shown.clear();
                }
                self.shown.push_back((now, shown));
            }
        }
        while self.shown.get(1).is_some_and(|(since, _)| *since + REACTION <= now) {
            self.shown.pop_front();
        }
    }

    /// Records what a frame shows after its input: the person knows what they have scrolled to.
    pub(super) fn end_frame(&mut self, shown: Shown, now: Duration) {
        if self.shown.back().is_none_or(|(_, last)| *last != shown) {
            self.shown.clear();
            self.shown.push_back((now, shown));
        }
    }

    /// Returns what the person has seen, if others have moved rows since.
    pub(super) fn before(&self) -> Option<&Shown> {
        self.shown.front().filter(|_| self.shown.len() > 1).map(|(_, shown)| shown)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn shown(rows: &[u128]) -> Shown {
        let rows = rows.iter().map(|number| RowId(Uuid::from_u128(*number))).collect();
        let rows = SeenRows { above: None, rows, below: None };
        Shown { rows, top: -0.5, columns: Vec::new(), places: Vec::new() }
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(10_000 + millis)
    }

    #[test]
    fn what_others_move_is_seen_a_moment_later_and_what_the_person_moves_at_once() {
        let mut seen = Seen::default();
        seen.begin_frame(shown(&[1, 2]), 0, at(0));
        seen.end_frame(shown(&[1, 2]), at(0));
        assert_eq!(seen.before(), None);
        seen.begin_frame(shown(&[9, 1, 2]), 1, at(100));
        seen.begin_frame(shown(&[9, 8, 1, 2]), 2, at(200));
        seen.begin_frame(shown(&[9, 8, 1, 2]), 2, at(399));
        assert_eq!(seen.before(), Some(&shown(&[1, 2])));
        seen.begin_frame(shown(&[9, 8, 1, 2]), 2, at(400));
        assert_eq!(seen.before(), Some(&shown(&[9, 1, 2])));
        seen.begin_frame(shown(&[9, 8, 1, 2]), 2, at(500));
        assert_eq!(seen.before(), None);
        // A live order, and a column that the person sorts by.
        seen.moved_by_others();
        seen.begin_frame(shown(&[2, 1]), 2, at(600));
        assert_eq!(seen.before(), Some(&shown(&[9, 8, 1, 2])));
        seen.begin_frame(shown(&[1, 2]), 2, at(610));
        assert_eq!(seen.before(), None);
        seen.begin_frame(shown(&[3, 1, 2]), 3, at(700));
        // The person scrolls.
        seen.end_frame(shown(&[1, 2]), at(700));
        assert_eq!(seen.before(), None);
    }

    #[test]
    fn a_row_is_found_by_its_place() {
        let shown = shown(&[1, 2]);
        let place = |distance| shown.row_at(distance).map(|row| row.0.as_u128());
        assert_eq!(
            [-0.6, -0.5, 0.4, 0.5, 1.4, 1.5].map(place),
            [None, Some(1), Some(1), Some(2), Some(2), None]
        );
    }
}
