//! The scroll position, and the row that keeps its place on screen when rows move.

use serde::{Deserialize, Serialize};
use shared::ids::RowId;

use super::table::Table;

/// A scroll position, as it is kept for the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScrollPosition {
    /// Index of the first visible row, with the part of it that is scrolled out.
    pub row: f64,
    /// Horizontal offset, in points.
    pub x: f32,
}

/// The scroll position of a grid.
#[derive(Clone, Debug, Default)]
pub struct Scroll {
    /// Index of the first visible row; the fraction is the part of it that is scrolled out. An `f64`, because
    /// `f32` pixels lose whole rows past a few hundred thousand.
    pub row: f64,
    /// Horizontal offset, in points.
    pub x: f32,
    /// Whether the next frame scrolls to the cursor.
    pub(super) reveal_next: bool,
    /// Whether a row that is scrolled to keeps a distance from the edge of the view.
    pub(super) keeps_distance: bool,
    /// Whether the next frame scrolls to the cursor last, so that it is in view if the selection is not as a
    /// whole.
    pub(super) reveal_cursor_next: bool,
    /// The row that keeps its position on screen, and its distance from the top of the view, in rows.
    anchor: Option<(RowId, f64)>,
}

impl Scroll {
    /// Starts at a kept position, or at the cursor without one.
    pub(super) fn at(kept: Option<ScrollPosition>, has_cursor: bool) -> Self {
        let ScrollPosition { row, x } = kept.unwrap_or_default();
        Self { row, x, reveal_next: kept.is_none() && has_cursor, ..Self::default() }
    }

    /// Returns the position to keep for the next start.
    pub fn position(&self) -> ScrollPosition {
        ScrollPosition { row: self.row, x: self.x }
    }

    /// Records a row's position on screen before rows move; `None` removes the anchor.
    pub(super) fn set_anchor(&mut self, row: Option<RowId>, table: &Table<'_>) {
        match (row, &self.anchor) {
            (Some(row), Some((anchor, _))) if *anchor == row => {}
            (Some(row), _) => {
                self.anchor = table.index_of(row).map(|index| (row, index as f64 - self.row));
            }
            (None, _) => self.anchor = None,
        }
    }

    /// Removes the anchor, because the view has moved.
    pub(super) fn release_anchor(&mut self) {
        self.anchor = None;
    }

    /// Scrolls so that the anchored row keeps its position on screen when rows above it are added or removed.
    /// `last` is the last scroll position; while the row is edited, the scroll position may exceed it.
    pub(super) fn follow_anchor(&mut self, table: &Table<'_>, last: f64, is_editing: bool) {
        let place = |(row, offset): &(RowId, f64)| Some(table.index_of(*row)? as f64 - offset);
        if let Some(top) = self.anchor.as_ref().and_then(place) {
            let end = if is_editing { table.len() as f64 } else { last };
            self.row = top.clamp(0.0, end.max(last));
        }
    }
}
