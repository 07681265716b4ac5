//! What a grid remembers between frames: the cursor, the scroll position, the open editor.

use std::collections::HashMap;

use shared::{
    column::ColumnKey,
    ids::RowId,
    watchlist::{ColumnEntry, Watchlist},
};

use super::{
    Editor,
    keys::Step,
    layout::{Layout, ROW},
};

/// A cell by what it is, not by where it stands: it stays with its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The row; `None` is the empty one at the end.
    pub row: Option<RowId>,
    /// The column.
    pub column: ColumnKey,
}

/// A grid's state in one window.
#[derive(Debug, Default)]
pub struct GridState {
    /// The selected cell.
    pub cursor: Option<Cursor>,
    /// The first row in view, with the part of it that is scrolled out. A float of 64 bits: pixels of 32 lose
    /// whole rows past a few hundred thousand.
    pub scroll_row: f64,
    /// How far the columns are scrolled, in points.
    pub scroll_x: f32,
    /// The open editor.
    pub editor: Option<Editor>,
    /// Widths that the person set, in points.
    pub widths: HashMap<ColumnKey, f32>,
    /// The width that the column had when its edge was taken hold of.
    pub(super) resizing: Option<f32>,
    /// What was typed in the frame that opened the editor, behind the key that did.
    pub(super) typed_ahead: Vec<egui::Event>,
    /// Where the cursor's row stood, should it be removed.
    last_index: usize,
    /// How far below the view's top the edited row stands, in rows.
    held_offset: Option<f64>,
}

impl GridState {
    /// For another watchlist: from its first cell.
    pub fn reset(&mut self) {
        let widths = std::mem::take(&mut self.widths);
        *self = Self { widths, ..Self::default() };
    }

    /// The cursor's place from the top, where its row is still there.
    pub fn cursor_index(&self, watchlist: &Watchlist) -> Option<usize> {
        index_of(self.cursor.as_ref()?, watchlist)
    }

    /// Finds a place for the cursor where it has none, or lost it.
    pub(super) fn settle(&mut self, watchlist: &Watchlist) {
        let Some(first) = watchlist.columns().visible().next() else {
            self.cursor = None;
            return;
        };
        let at = |index: usize| watchlist.rows().at(index).map(|row| row.id);
        let cursor =
            self.cursor.get_or_insert_with(|| Cursor { row: at(0), column: first.column.key.clone() });
        if watchlist.columns().visible_column(&cursor.column).is_err() {
            cursor.column = first.column.key.clone();
        }
        match index_of(cursor, watchlist) {
            Some(index) => self.last_index = index,
            None => cursor.row = at(self.last_index.min(watchlist.rows().len().saturating_sub(1))),
        }
    }

    /// Keeps the edited row where it is on screen, whatever comes or goes above it.
    pub(super) fn hold_edited_row(&mut self, layout: &Layout) {
        let Some(editor) = &self.editor else {
            self.held_offset = None;
            return;
        };
        let index = editor.last_index as f64;
        match self.held_offset {
            Some(offset) => {
                self.scroll_row = (index - offset).clamp(0.0, layout.last_scroll_row().max(index))
            }
            None => self.held_offset = Some(index - self.scroll_row),
        }
    }

    /// Forgets where the edited row was held: the person scrolled.
    pub(super) fn release_edited_row(&mut self) {
        self.held_offset = None;
    }

    /// Moves the cursor.
    pub(super) fn step(&mut self, watchlist: &Watchlist, step: Step, page: usize) {
        let columns: Vec<&ColumnEntry> = watchlist.columns().visible().collect();
        let Some(cursor) = self.cursor.clone() else { return };
        let Some(column) = columns.iter().position(|entry| entry.column.key == cursor.column) else { return };
        let index = index_of(&cursor, watchlist).unwrap_or(self.last_index);
        let last_row = watchlist.rows().len();
        let last_data = last_row.saturating_sub(1);
        let last_column = columns.len() - 1;
        let (index, column) = match step {
            Step::Up => (index.saturating_sub(1), column),
            Step::Down => ((index + 1).min(last_row), column),
            Step::Left => (index, column.saturating_sub(1)),
            Step::Right => (index, (column + 1).min(last_column)),
            Step::PageUp => (index.saturating_sub(page), column),
            Step::PageDown => ((index + page).min(last_row), column),
            Step::Top => (0, column),
            Step::Bottom => (last_data, column),
            Step::RowStart => (index, 0),
            Step::RowEnd => (index, last_column),
            Step::First => (0, 0),
            Step::Last => (last_data, last_column),
            Step::Next | Step::Previous => neighbour(&columns, index, column, step == Step::Next, last_row),
        };
        let row = watchlist.rows().at(index).map(|row| row.id);
        self.cursor = Some(Cursor { row, column: columns[column].column.key.clone() });
        self.last_index = index;
    }

    /// Scrolls no further than needed to see the cursor.
    pub(super) fn reveal_cursor(&mut self, watchlist: &Watchlist, layout: &Layout) {
        let Some(cursor) = &self.cursor else { return };
        let index = index_of(cursor, watchlist).unwrap_or(self.last_index) as f64;
        let shown = f64::from(layout.body.height() / ROW);
        if index < self.scroll_row {
            self.scroll_row = index;
        } else if index + 1.0 > self.scroll_row + shown {
            self.scroll_row = index + 1.0 - shown;
        }
        if let Some(column) = layout.column(&cursor.column).filter(|column| !column.frozen) {
            let (left, right) = (column.left, column.left + column.width);
            if left < layout.frozen_right {
                self.scroll_x -= layout.frozen_right - left;
            } else if right > layout.body.right() {
                self.scroll_x += (right - layout.body.right()).min(left - layout.frozen_right);
            }
        }
    }
}

fn index_of(cursor: &Cursor, watchlist: &Watchlist) -> Option<usize> {
    match cursor.row {
        Some(row) => watchlist.rows().index_of(row),
        None => Some(watchlist.rows().len()),
    }
}

/// The next or previous cell that can be edited, wrapping to the row after or before.
fn neighbour(
    columns: &[&ColumnEntry],
    index: usize,
    column: usize,
    forward: bool,
    last_row: usize,
) -> (usize, usize) {
    let (mut row, mut at) = (index, column);
    for _ in 0..=columns.len() {
        match (forward, at + 1 < columns.len(), at > 0) {
            (true, true, _) => at += 1,
            (true, false, _) if row < last_row => (row, at) = (row + 1, 0),
            (false, _, true) => at -= 1,
            (false, _, false) if row > 0 => (row, at) = (row - 1, columns.len() - 1),
            _ => break,
        }
        if columns[at].column.derive.is_none() {
            return (row, at);
        }
    }
    (index, column)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use shared::{
        column::standard_columns, edit::Change, limits::Limits, position::Position, watchlist::apply::Mode,
    };
    use uuid::Uuid;

    use super::*;

    fn row(number: u128) -> RowId {
        RowId(Uuid::from_u128(number))
    }

    fn watchlist(rows: u128) -> Watchlist {
        let limits = Limits::default();
        let mut watchlist = Watchlist::new("Test", standard_columns(), &limits).unwrap();
        let positions = Position::between(None, None, usize::try_from(rows).unwrap()).unwrap();
        let inserts: Vec<Change> = (1..=rows)
            .zip(&positions)
            .map(|(number, position)| Change::insert(row(number), position, BTreeMap::new()))
            .collect();
        watchlist.apply(&inserts, &Mode::Pending { limits: &limits }).unwrap();
        watchlist
    }

    fn at(state: &GridState) -> (Option<RowId>, String) {
        let cursor = state.cursor.clone().unwrap();
        (cursor.row, cursor.column.to_string())
    }

    #[test]
    fn steps_stop_at_the_edges_and_tab_passes_over_computed_columns() {
        let watchlist = watchlist(3);
        let mut state = GridState::default();
        state.settle(&watchlist);
        let mut step = |step| {
            state.step(&watchlist, step, 10);
            at(&state)
        };
        assert_eq!(step(Step::Up), (Some(row(1)), "symbol".to_owned()));
        assert_eq!(step(Step::Previous), (Some(row(1)), "symbol".to_owned()));
        for key in ["company", "price", "previousClose", "target", "note"] {
            assert_eq!(step(Step::Next), (Some(row(1)), key.to_owned()));
        }
        assert_eq!(step(Step::Next), (Some(row(2)), "symbol".to_owned()));
        assert_eq!(step(Step::Previous), (Some(row(1)), "note".to_owned()));
        assert_eq!(step(Step::Last), (Some(row(3)), "note".to_owned()));
        assert_eq!(step(Step::Down), (None, "note".to_owned()));
        assert_eq!(step(Step::Down), (None, "note".to_owned()));
        assert_eq!(step(Step::PageUp), (Some(row(1)), "note".to_owned()));
        assert_eq!(step(Step::First), (Some(row(1)), "symbol".to_owned()));
    }

    #[test]
    fn the_cursor_stays_with_its_row_and_finds_a_neighbour_when_it_is_removed() {
        let mut watchlist = watchlist(3);
        let limits = Limits::default();
        let mut state = GridState {
            cursor: Some(Cursor { row: Some(row(2)), column: "price".into() }),
            ..GridState::default()
        };
        state.settle(&watchlist);
        let first =
            Position::between(None, Some(&watchlist.rows().at(0).unwrap().position), 1).unwrap().remove(0);
        watchlist
            .apply(&[Change::insert(row(9), &first, BTreeMap::new())], &Mode::Pending { limits: &limits })
            .unwrap();
        state.settle(&watchlist);
        assert_eq!(state.cursor_index(&watchlist), Some(2));
        watchlist.apply(&[Change::remove(row(2), None)], &Mode::Pending { limits: &limits }).unwrap();
        state.settle(&watchlist);
        assert_eq!(at(&state), (Some(row(3)), "price".to_owned()));
    }
}
