//! State that a grid keeps between frames: the cursor and the selection, the scroll position, the open
//! editor, and the user's column, sort and filter settings.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::{
    column::ColumnKey,
    ids::RowId,
    watchlist::{ColumnEntry, Watchlist},
};

use super::{
    Editor,
    arranger::Arranger,
    card::Card,
    config::{Density, GridConfig},
    find::Find,
    keys::{Command, Step},
    layout::Layout,
    order::Order,
    paste::Question,
    selection::Selection,
    sums::Sums,
    table::Table,
};

/// A cell identified by its row and column ids, so that it follows its row when rows move.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The row; `None` is the empty row at the end.
    pub row: Option<RowId>,
    /// The column.
    pub column: ColumnKey,
}

/// The state of one window's grid.
#[derive(Default)]
pub struct GridState {
    /// The user's column, sort and filter settings.
    pub config: GridConfig,
    /// Row height preset.
    pub density: Density,
    /// Commands from outside the keyboard, executed in the next frame.
    pub(super) queued_commands: Vec<Command>,
    /// The active cell.
    pub cursor: Option<Cursor>,
    /// The selected blocks, in addition to the cursor's cell.
    pub selection: Selection,
    /// Index of the first visible row; the fraction is the part of it that is scrolled out. An `f64`, because
    /// `f32` pixels lose whole rows past a few hundred thousand.
    pub scroll_row: f64,
    /// Horizontal scroll offset, in points.
    pub scroll_x: f32,
    /// The open editor.
    pub editor: Option<Editor>,
    /// The open confirmation dialog.
    pub(super) question: Option<Question>,
    /// Count, sum, average, minimum and maximum of the selection.
    pub(super) sums: Sums,
    pub(super) arranger: Arranger,
    /// The find bar.
    pub(super) find: Find,
    /// The column whose filter field gets focus in the next frame.
    pub(super) filter_next: Option<ColumnKey>,
    /// The column whose menu is open.
    pub(super) menu_column: Option<ColumnKey>,
    /// The focus is leaving the grid: the open editor commits in the next frame if its text is valid.
    pub(super) is_commit_requested: bool,
    /// A row that was inserted in this window: the filters ignore it while the cursor is on it.
    pub(super) inserted_row: Option<RowId>,
    /// The row, and optionally the column, that the cursor moves to once the row exists.
    target_row: Option<(RowId, Option<ColumnKey>)>,
    /// Whether the next frame scrolls to the cursor.
    pub(super) reveal_next: bool,
    /// The hover card with a cell's latest changes.
    pub(super) card: Card,
    /// The drag in progress.
    pub(super) drag: Option<Drag>,
    /// Keyboard events that followed the key that opened the editor, in the same frame.
    pub(super) typed_ahead: Vec<egui::Event>,
    /// Last known index of the cursor's row, used if that row is removed.
    pub(super) last_index: usize,
    /// The row that keeps its position on screen, and its distance from the top of the view, in rows.
    anchor: Option<(RowId, f64)>,
}

/// What a drag moves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Drag {
    /// A scroll bar.
    Bar,
    /// A column's right edge; the width, in points, when the drag started.
    Edge(ColumnKey, f32),
    /// A column's header, to move the column.
    Column(ColumnKey),
    /// Cells, to select them.
    Cells,
    /// Row numbers, to select rows.
    Rows,
    /// Selected rows, to move them; the index of the pressed row.
    Move(usize),
}

impl GridState {
    /// Resets the grid for another watchlist, with that list's saved settings and cursor.
    pub fn reset(&mut self, config: GridConfig, cursor: Option<Cursor>) {
        let reveal_next = cursor.is_some();
        *self = Self { config, cursor, reveal_next, density: self.density, ..Self::default() };
    }

    /// Moves the cursor to a row, and optionally to another column, once the row exists.
    pub fn move_cursor_to_row(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.target_row = Some((row, column));
    }

    /// Whether the cursor has reached the row of the last [`move_cursor_to_row`](Self::move_cursor_to_row).
    pub fn has_reached_target(&self) -> bool {
        self.target_row.is_none()
    }

    /// Moves the cursor to the pending target row if it is shown.
    pub(super) fn go_to_target(&mut self, table: &Table<'_>) {
        let Some((row, column)) = self.target_row.take().filter(|_| self.editor.is_none()) else { return };
        if let (Some(cursor), Some(_)) = (&mut self.cursor, table.index_of(row)) {
            cursor.row = Some(row);
            if let Some(column) = column.filter(|column| table.column(column).is_some()) {
                cursor.column = column;
            }
            self.selection.clear();
            self.reveal_next = true;
        }
    }

    /// Commits the open editor in the next frame if its text is valid.
    pub fn request_commit(&mut self) {
        self.is_commit_requested = self.editor.is_some();
    }

    /// Queues a command for the next frame, as if its key had been pressed.
    pub fn queue_command(&mut self, command: Command) {
        self.queued_commands.push(command);
    }

    /// Returns the rows and columns as they are currently shown.
    pub fn table<'a>(&self, watchlist: &'a Watchlist) -> Table<'a> {
        Table::new(watchlist, self.order(), &self.config)
    }

    fn order(&self) -> Arc<Order> {
        self.arranger.order()
    }

    /// Returns the index of the cursor's row, if that row is still shown.
    pub fn cursor_index(&self, table: &Table<'_>) -> Option<usize> {
        index_of(self.cursor.as_ref()?, table)
    }

    /// Moves the cursor to a valid cell if it has none, or if its row or column is gone.
    pub(super) fn ensure_cursor(&mut self, table: &Table<'_>) {
        let Some(first) = table.columns().first() else {
            self.cursor = None;
            return;
        };
        let cursor = self
            .cursor
            .get_or_insert_with(|| Cursor { row: table.id_at(0), column: first.column.key.clone() });
        if table.column(&cursor.column).is_none() {
            cursor.column = first.column.key.clone();
        }
        match index_of(cursor, table) {
            Some(index) => self.last_index = index,
            None => cursor.row = table.id_at(self.last_index.min(table.len().saturating_sub(1))),
        }
    }

    /// Records a row's position on screen before rows move; `None` removes the anchor.
    pub(super) fn set_anchor(&mut self, row: Option<RowId>, table: &Table<'_>) {
        match (row, &self.anchor) {
            (Some(row), Some((anchor, _))) if *anchor == row => {}
            (Some(row), _) => {
                self.anchor = table.index_of(row).map(|index| (row, index as f64 - self.scroll_row));
            }
            (None, _) => self.anchor = None,
        }
    }

    /// Returns a test for whether the anchored row can keep its position on screen at a given index, in a
    /// list of `rows` rows of which `room` fit in the view.
    pub(super) fn can_keep_anchor(&self, rows: usize, room: f64) -> impl Fn(usize) -> bool + use<> {
        let offset = self.anchor.as_ref().map(|(_, offset)| *offset);
        let last = (rows as f64 + 1.0 - room).max(0.0);
        move |index| offset.is_none_or(|offset| (0.0..=last).contains(&(index as f64 - offset)))
    }

    /// Scrolls so that the anchored row keeps its position on screen when rows above it are added or removed.
    pub(super) fn scroll_to_anchor(&mut self, table: &Table<'_>, layout: &Layout) {
        let place = |(row, offset): &(RowId, f64)| Some(table.index_of(*row)? as f64 - offset);
        if let Some(top) = self.anchor.as_ref().and_then(place) {
            let end = if self.editor.is_some() { table.len() as f64 } else { layout.last_scroll_row() };
            self.scroll_row = top.clamp(0.0, end.max(layout.last_scroll_row()));
        }
    }

    /// Removes the scroll anchor, because the user scrolled.
    pub(super) fn release_anchor(&mut self) {
        self.anchor = None;
    }

    /// Returns the row that keeps its position on screen.
    pub(super) fn anchored_row(&self) -> Option<RowId> {
        self.anchor.as_ref().map(|(row, _)| *row)
    }

    /// Moves the cursor by one step and clears the selection.
    pub(super) fn step(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        if let Some((index, column)) = step_target(table, &cursor, self.last_index, step, page) {
            self.selection.clear();
            self.go_to(table, index, column);
        }
    }

    /// Extends the selection by one step.
    pub(super) fn extend(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.selection.moving_corner(&cursor).clone();
        if let Some((index, column)) = step_target(table, &end, self.last_index, step, page) {
            let index = index.min(table.len().saturating_sub(1));
            let to = Cursor { row: table.id_at(index), column: table.columns()[column].column.key.clone() };
            self.selection.extend(&cursor, to, table);
        }
    }

    /// Toggles the filter row. Opening it focuses the filter of `column`, or of the cursor's column.
    pub(super) fn toggle_filters(&mut self, column: Option<ColumnKey>) {
        self.config.has_filters = !self.config.has_filters;
        let column = column.or_else(|| self.cursor.as_ref().map(|cursor| cursor.column.clone()));
        self.filter_next = column.filter(|_| self.config.has_filters);
    }

    /// Whether switching to another watchlist would lose typed text or an open confirmation.
    pub fn is_busy(&self) -> bool {
        self.editor.is_some() || self.has_question()
    }

    /// Whether a confirmation dialog is open.
    pub fn has_question(&self) -> bool {
        self.question.is_some()
    }

    /// Returns the former index of the edited row if that row was removed.
    pub(super) fn gap(&self, table: &Table<'_>) -> Option<usize> {
        let editor = self.editor.as_ref()?;
        editor.cursor.row.filter(|row| table.index_of(*row).is_none())?;
        Some(editor.last_index.min(table.len()))
    }

    /// Whether the row inserted in this window is now hidden by the filters. Returns true only once per row.
    pub(super) fn clear_hidden_insertion(&mut self, table: &Table<'_>) -> bool {
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        let is_lost = |inserted_row: &mut RowId| {
            at_cursor != Some(*inserted_row)
                && table.watchlist.rows().get(*inserted_row).is_some()
                && table.index_of(*inserted_row).is_none()
        };
        self.inserted_row.take_if(is_lost).is_some()
    }

    /// Returns the row that the filters ignore: the edited one, or the inserted one under the cursor.
    pub(super) fn exempt_row(&self) -> Option<RowId> {
        let edited = self.editor.as_ref().and_then(|editor| editor.cursor.row);
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        edited.or(self.inserted_row.filter(|inserted_row| at_cursor == Some(*inserted_row)))
    }

    /// Selects all cells, or all cells of the selected rows or columns.
    pub(super) fn select_whole(&mut self, what: &Command, table: &Table<'_>) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.selection.moving_corner(&cursor).clone();
        match what {
            Command::SelectRows => self.selection.select_rows(cursor, end, false, table),
            Command::SelectColumns => self.selection.select_columns(cursor, end, false, table),
            _ => self.selection.select_all(cursor),
        }
    }

    /// Moves the cursor to a cell by its row and column index.
    pub(super) fn go_to(&mut self, table: &Table<'_>, index: usize, column: usize) {
        if let Some(entry) = table.columns().get(column) {
            self.cursor = Some(Cursor { row: table.id_at(index), column: entry.column.key.clone() });
            self.last_index = index;
        }
    }

    /// Scrolls just far enough to show the selection's moving corner.
    pub(super) fn reveal(&mut self, table: &Table<'_>, layout: &Layout) {
        let Some(cursor) = &self.cursor else { return };
        let shown = self.selection.moving_corner(cursor);
        let index = index_of(shown, table).unwrap_or(self.last_index) as f64;
        let rows = f64::from(layout.body.height() / layout.row);
        let to = if index < self.scroll_row {
            Some(index)
        } else {
            Some(index + 1.0 - rows).filter(|top| *top > self.scroll_row)
        };
        if let Some(to) = to {
            self.scroll_row = to;
            // The view has moved, so the anchored position is no longer valid.
            self.anchor = None;
        }
        if let Some(column) = layout.column(&shown.column).filter(|column| !column.frozen) {
            let (left, right) = (column.left, column.left + column.width);
            if left < layout.frozen_right {
                self.scroll_x -= layout.frozen_right - left;
            } else if right > layout.body.right() {
                self.scroll_x += (right - layout.body.right()).min(left - layout.frozen_right);
            }
        }
    }

    /// Returns the selected rows in display order, or the cursor's row if there is no selection.
    pub fn selected_rows(&self, table: &Table<'_>) -> Vec<RowId> {
        if self.selection.is_single() {
            return self.cursor.iter().filter_map(|cursor| cursor.row).collect();
        }
        let selected = (0..table.len()).filter_map(|index| table.id_at(index));
        selected.filter(|row| self.selection.has_row(*row)).collect()
    }

    /// Returns the selected columns in display order, or the cursor's column if there is no selection.
    pub fn selected_columns<'t>(&self, table: &'t Table<'_>) -> Vec<&'t ColumnEntry> {
        let is_selected = |entry: &&ColumnEntry| {
            let key = &entry.column.key;
            if self.selection.is_single() {
                self.cursor.as_ref().is_some_and(|cursor| cursor.column == *key)
            } else {
                self.selection.has_column(key)
            }
        };
        table.columns().iter().map(Arc::as_ref).filter(is_selected).collect()
    }

    /// Whether a cell is selected.
    pub fn is_selected(&self, row: RowId, column: &ColumnKey) -> bool {
        if self.selection.is_single() {
            self.cursor.as_ref().is_some_and(|cursor| cursor.row == Some(row) && cursor.column == *column)
        } else {
            self.selection.contains(row, column)
        }
    }

    /// Returns the totals of the selection, for the status bar.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }
}

fn index_of(cursor: &Cursor, table: &Table<'_>) -> Option<usize> {
    match cursor.row {
        Some(row) => table.index_of(row),
        None => Some(table.len()),
    }
}

/// Returns the row and column index that a step leads to.
fn step_target(
    table: &Table<'_>,
    from: &Cursor,
    last_index: usize,
    step: Step,
    page: usize,
) -> Option<(usize, usize)> {
    let column = table.column_index(&from.column)?;
    let index = index_of(from, table).unwrap_or(last_index);
    let last_row = table.len();
    let last_data = last_row.saturating_sub(1);
    let last_column = table.columns().len() - 1;
    Some(match step {
        Step::Up => (index.saturating_sub(1), column),
        Step::Down => ((index + 1).min(last_row), column),
        Step::Left => (index, column.saturating_sub(1)),
        Step::Right => (index, (column + 1).min(last_column)),
        Step::PageUp => (index.saturating_sub(page), column),
        Step::PageDown => ((index + page).min(last_row), column),
        Step::Top => (data_edge(index, 0, |row| is_filled(table, row, column)), column),
        Step::Bottom => (data_edge(index, last_data, |row| is_filled(table, row, column)), column),
        Step::FarLeft => (index, data_edge(column, 0, |column| is_filled(table, index, column))),
        Step::FarRight => (index, data_edge(column, last_column, |column| is_filled(table, index, column))),
        Step::RowStart => (index, 0),
        Step::RowEnd => (index, last_column),
        Step::First => (0, 0),
        Step::Last => (last_data, last_column),
        Step::Next | Step::Previous => editable_neighbour(table, index, column, step == Step::Next),
    })
}

fn is_filled(table: &Table<'_>, index: usize, column: usize) -> bool {
    let row = table.row_at(index);
    row.is_some_and(|row| !table.value(row, &table.columns()[column]).is_empty())
}

/// Returns the target of Ctrl+arrow, as in a spreadsheet: the last filled cell before a gap, the next filled
/// cell after a gap, or the end.
fn data_edge(from: usize, end: usize, is_filled: impl Fn(usize) -> bool) -> usize {
    let next = |at: usize| if end > at { at + 1 } else { at.saturating_sub(1).max(end) };
    if from == end {
        return end;
    }
    let mut at = next(from);
    if is_filled(from) && is_filled(at) {
        while at != end && is_filled(next(at)) {
            at = next(at);
        }
    } else {
        while at != end && !is_filled(at) {
            at = next(at);
        }
    }
    at
}

/// Returns the next or previous editable cell, wrapping to the adjacent row.
fn editable_neighbour(table: &Table<'_>, index: usize, column: usize, forward: bool) -> (usize, usize) {
    let columns = table.columns();
    let (mut row, mut at) = (index, column);
    for _ in 0..=columns.len() {
        match (forward, at + 1 < columns.len(), at > 0) {
            (true, true, _) => at += 1,
            (true, false, _) if row < table.len() => (row, at) = (row + 1, 0),
            (false, _, true) => at -= 1,
            (false, _, false) if row > 0 => (row, at) = (row - 1, columns.len() - 1),
            _ => break,
        }
        if table.editable(table.id_at(row), &columns[at]).is_some() {
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

    use shared::number::Separators;

    use super::*;
    use crate::grid::order::{Locale, OrderSpec, SortKey};

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

    fn plain(watchlist: &Watchlist) -> Table<'_> {
        Table::new(watchlist, Arc::default(), &GridConfig::default())
    }

    fn at(state: &GridState) -> (Option<RowId>, String) {
        let cursor = state.cursor.clone().unwrap();
        (cursor.row, cursor.column.to_string())
    }

    #[test]
    fn steps_stop_at_the_edges_and_tab_skips_computed_columns() {
        let watchlist = watchlist(3);
        let table = plain(&watchlist);
        let mut state = GridState::default();
        state.ensure_cursor(&table);
        let mut step = |step| {
            state.step(&table, step, 10);
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
    fn the_cursor_follows_its_row_and_moves_to_a_neighbour_when_the_row_is_removed() {
        let mut watchlist = watchlist(3);
        let limits = Limits::default();
        let mut state = GridState {
            cursor: Some(Cursor { row: Some(row(2)), column: "price".into() }),
            ..GridState::default()
        };
        state.ensure_cursor(&plain(&watchlist));
        let first =
            Position::between(None, Some(&watchlist.rows().at(0).unwrap().position), 1).unwrap().remove(0);
        watchlist
            .apply(&[Change::insert(row(9), &first, BTreeMap::new())], &Mode::Pending { limits: &limits })
            .unwrap();
        state.ensure_cursor(&plain(&watchlist));
        assert_eq!(state.cursor_index(&plain(&watchlist)), Some(2));
        watchlist.apply(&[Change::remove(row(2), None)], &Mode::Pending { limits: &limits }).unwrap();
        state.ensure_cursor(&plain(&watchlist));
        assert_eq!(at(&state), (Some(row(3)), "price".to_owned()));
    }

    #[test]
    fn ctrl_arrow_moves_to_the_edge_of_the_data() {
        let filled = |cells: [bool; 7]| move |at: usize| cells[at];
        let cells = [true, true, true, false, false, true, false];
        for (from, end, expected) in
            [(0, 6, 2), (2, 6, 5), (5, 6, 6), (6, 0, 5), (5, 0, 2), (2, 0, 0), (0, 0, 0)]
        {
            assert_eq!(data_edge(from, end, filled(cells)), expected, "{from} to {end}");
        }
    }

    #[test]
    fn a_selection_keeps_its_rows_when_they_are_reordered() {
        let watchlist = watchlist(5);
        let table = plain(&watchlist);
        let mut state = GridState::default();
        state.ensure_cursor(&table);
        state.step(&table, Step::Down, 10);
        state.extend(&table, Step::Down, 10);
        state.extend(&table, Step::Right, 10);
        assert_eq!(state.selected_rows(&table), [row(2), row(3)]);
        let keys: Vec<String> =
            state.selected_columns(&table).iter().map(|entry| entry.column.key.to_string()).collect();
        assert_eq!(keys, ["symbol", "company"]);
        assert!(
            state.is_selected(row(3), &"company".into()) && !state.is_selected(row(4), &"company".into())
        );
        let frozen = watchlist.freeze();
        let by_symbol = OrderSpec {
            sort: vec![SortKey { column: "symbol".into(), descending: true }],
            filters: Vec::new(),
        };
        let locale = Locale { separators: Separators::Point, zone: jiff::tz::TimeZone::UTC };
        let order = Order::arrange(&frozen, &by_symbol, &locale, None);
        let sorted = Table::new(&watchlist, Arc::new(order), &GridConfig::default());
        let mut selected = state.selected_rows(&sorted);
        selected.sort();
        assert_eq!(selected, [row(2), row(3)]);
        state.step(&table, Step::Up, 10);
        assert_eq!(state.selected_rows(&table), [row(1)]);
    }
}
