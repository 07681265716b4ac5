//! What a grid remembers between frames: the cursor and the selection, the scroll position, the open editor, and how
//! the person arranged it.

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

/// A cell by what it is, not by where it stands: it stays with its row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    /// The row; `None` is the empty one at the end.
    pub row: Option<RowId>,
    /// The column.
    pub column: ColumnKey,
}

/// A grid's state in one window.
#[derive(Default)]
pub struct GridState {
    /// How the person arranged it.
    pub config: GridConfig,
    /// How close rows stand.
    pub density: Density,
    /// What was asked for from elsewhere than a key, to be done in the next frame.
    pub(super) asked: Vec<Command>,
    /// The active cell.
    pub cursor: Option<Cursor>,
    /// What is selected beside it.
    pub selection: Selection,
    /// The first row in view, with the part of it that is scrolled out. A float of 64 bits: pixels of 32 lose
    /// whole rows past a few hundred thousand.
    pub scroll_row: f64,
    /// How far the columns are scrolled, in points.
    pub scroll_x: f32,
    /// The open editor.
    pub editor: Option<Editor>,
    /// What the person is asked before a paste.
    pub(super) question: Option<Question>,
    /// Count, sum and so on of what is selected.
    pub(super) sums: Sums,
    pub(super) arranger: Arranger,
    /// What is looked for.
    pub(super) find: Find,
    /// The column whose filter is typed into from the next frame on.
    pub(super) filter_next: Option<ColumnKey>,
    /// The column whose menu is open.
    pub(super) menu_column: Option<ColumnKey>,
    /// The person goes elsewhere: what is typed is committed where it can be.
    pub(super) is_leaving: bool,
    /// A row that was made here: whatever the filters say, it is shown for as long as the cursor is on it.
    pub(super) fresh: Option<RowId>,
    /// A row, and perhaps a column, that the cursor is put on as soon as it is there.
    pointed_at: Option<(RowId, Option<ColumnKey>)>,
    /// Scrolls to the cursor in the next frame.
    pub(super) reveal_next: bool,
    /// The last changes of a cell, shown beside it.
    pub(super) card: Card,
    /// What is being dragged.
    pub(super) drag: Option<Drag>,
    /// What was typed in the frame that opened the editor, behind the key that did.
    pub(super) typed_ahead: Vec<egui::Event>,
    /// Where the cursor's row stood, should it be removed.
    pub(super) last_index: usize,
    /// A row that keeps its place on screen, and how far below the view's top it stands, in rows.
    held: Option<(RowId, f64)>,
}

/// What the pointer took hold of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Drag {
    /// A scroll bar.
    Bar,
    /// A column's right edge; the width that it had.
    Edge(ColumnKey, f32),
    /// A column's header, to move it.
    Column(ColumnKey),
    /// Cells, to select them.
    Cells,
    /// Numbers of rows, to select them.
    Rows,
    /// Selected rows, to move them; the place of the one that was pressed.
    Move(usize),
}

impl GridState {
    /// For another watchlist, as the person arranged and left that one.
    pub fn reset(&mut self, config: GridConfig, cursor: Option<Cursor>) {
        let reveal_next = cursor.is_some();
        *self = Self { config, cursor, reveal_next, density: self.density, ..Self::default() };
    }

    /// Puts the cursor on a row, as soon as that is there, and perhaps into another column.
    pub fn point_at(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.pointed_at = Some((row, column));
    }

    /// Whether the cursor is where it was last put.
    pub fn has_arrived(&self) -> bool {
        self.pointed_at.is_none()
    }

    /// Goes to the row that was pointed at, where it is shown.
    pub(super) fn arrive(&mut self, table: &Table<'_>) {
        let Some((row, column)) = self.pointed_at.take().filter(|_| self.editor.is_none()) else { return };
        if let (Some(cursor), Some(_)) = (&mut self.cursor, table.index_of(row)) {
            cursor.row = Some(row);
            if let Some(column) = column.filter(|column| table.column(column).is_some()) {
                cursor.column = column;
            }
            self.selection.clear();
            self.reveal_next = true;
        }
    }

    /// Commits the open editor in the next frame, where what is typed can be committed.
    pub fn leave_editor(&mut self) {
        self.is_leaving = self.editor.is_some();
    }

    /// Does a command in the next frame, as if its key was pressed.
    pub fn ask(&mut self, command: Command) {
        self.asked.push(command);
    }

    /// The rows and columns as they are shown now.
    pub fn table<'a>(&self, watchlist: &'a Watchlist) -> Table<'a> {
        Table::new(watchlist, self.order(), &self.config)
    }

    fn order(&self) -> Arc<Order> {
        self.arranger.order()
    }

    /// The cursor's place from the top, where its row is still there.
    pub fn cursor_index(&self, table: &Table<'_>) -> Option<usize> {
        index_of(self.cursor.as_ref()?, table)
    }

    /// Finds a place for the cursor where it has none, or lost it.
    pub(super) fn settle(&mut self, table: &Table<'_>) {
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

    /// Notes where a row stands on screen before rows change their places, or that none is held.
    pub(super) fn note_held(&mut self, row: Option<RowId>, table: &Table<'_>) {
        match (row, &self.held) {
            (Some(row), Some((held, _))) if *held == row => {}
            (Some(row), _) => {
                self.held = table.index_of(row).map(|index| (row, index as f64 - self.scroll_row));
            }
            (None, _) => self.held = None,
        }
    }

    /// Tells whether the held row could stay where it is on screen if it stood at another place of so many rows,
    /// of which `room` are in view.
    pub(super) fn can_hold(&self, rows: usize, room: f64) -> impl Fn(usize) -> bool + use<> {
        let offset = self.held.as_ref().map(|(_, offset)| *offset);
        let last = (rows as f64 + 1.0 - room).max(0.0);
        move |index| offset.is_none_or(|offset| (0.0..=last).contains(&(index as f64 - offset)))
    }

    /// Scrolls so that the held row is where it was, whatever came or went above it.
    pub(super) fn hold(&mut self, table: &Table<'_>, layout: &Layout) {
        let place = |(row, offset): &(RowId, f64)| Some(table.index_of(*row)? as f64 - offset);
        if let Some(top) = self.held.as_ref().and_then(place) {
            let end = if self.editor.is_some() { table.len() as f64 } else { layout.last_scroll_row() };
            self.scroll_row = top.clamp(0.0, end.max(layout.last_scroll_row()));
        }
    }

    /// Forgets where the row was held: the person scrolled.
    pub(super) fn release_held(&mut self) {
        self.held = None;
    }

    /// The row that keeps its place, if any does.
    pub(super) fn held_row(&self) -> Option<RowId> {
        self.held.as_ref().map(|(row, _)| *row)
    }

    /// Moves the cursor, and selects no more than its cell.
    pub(super) fn step(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        if let Some((index, column)) = stepped(table, &cursor, self.last_index, step, page) {
            self.selection.clear();
            self.go_to(table, index, column);
        }
    }

    /// Moves the selection's free corner.
    pub(super) fn extend(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.selection.end(&cursor).clone();
        if let Some((index, column)) = stepped(table, &end, self.last_index, step, page) {
            let index = index.min(table.len().saturating_sub(1));
            let to = Cursor { row: table.id_at(index), column: table.columns()[column].column.key.clone() };
            self.selection.extend(&cursor, to, table);
        }
    }

    /// Opens or closes the row of filters; one that is opened is typed into at once, in a column or the cursor's.
    pub(super) fn toggle_filters(&mut self, column: Option<ColumnKey>) {
        self.config.has_filters = !self.config.has_filters;
        let column = column.or_else(|| self.cursor.as_ref().map(|cursor| cursor.column.clone()));
        self.filter_next = column.filter(|_| self.config.has_filters);
    }

    /// Whether what is typed or asked here would be lost if another watchlist was shown.
    pub fn is_busy(&self) -> bool {
        self.editor.is_some() || self.has_question()
    }

    /// Whether the person is asked something.
    pub fn has_question(&self) -> bool {
        self.question.is_some()
    }

    /// The place of a row that was removed while it is edited.
    pub(super) fn gap(&self, table: &Table<'_>) -> Option<usize> {
        let editor = self.editor.as_ref()?;
        editor.cursor.row.filter(|row| table.index_of(*row).is_none())?;
        Some(editor.last_index.min(table.len()))
    }

    /// Whether a row that was made here is no longer shown; told once.
    pub(super) fn has_lost_fresh(&mut self, table: &Table<'_>) -> bool {
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        let is_lost = |fresh: &mut RowId| {
            at_cursor != Some(*fresh)
                && table.watchlist.rows().get(*fresh).is_some()
                && table.index_of(*fresh).is_none()
        };
        self.fresh.take_if(is_lost).is_some()
    }

    /// The row that is shown whatever the filters say.
    pub(super) fn kept_row(&self) -> Option<RowId> {
        let edited = self.editor.as_ref().and_then(|editor| editor.cursor.row);
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        edited.or(self.fresh.filter(|fresh| at_cursor == Some(*fresh)))
    }

    /// Selects everything, or the rows or columns of what is selected whole.
    pub(super) fn select(&mut self, what: &Command, table: &Table<'_>) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.selection.end(&cursor).clone();
        match what {
            Command::SelectRows => self.selection.rows(cursor, end, false, table),
            Command::SelectColumns => self.selection.columns(cursor, end, false, table),
            _ => self.selection.all(cursor),
        }
    }

    /// Puts the cursor on a cell by its place.
    pub(super) fn go_to(&mut self, table: &Table<'_>, index: usize, column: usize) {
        if let Some(entry) = table.columns().get(column) {
            self.cursor = Some(Cursor { row: table.id_at(index), column: entry.column.key.clone() });
            self.last_index = index;
        }
    }

    /// Scrolls no further than needed to see the selection's free corner.
    pub(super) fn reveal(&mut self, table: &Table<'_>, layout: &Layout) {
        let Some(cursor) = &self.cursor else { return };
        let shown = self.selection.end(cursor);
        let index = index_of(shown, table).unwrap_or(self.last_index) as f64;
        let rows = f64::from(layout.body.height() / layout.row);
        let to = if index < self.scroll_row {
            Some(index)
        } else {
            Some(index + 1.0 - rows).filter(|top| *top > self.scroll_row)
        };
        if let Some(to) = to {
            self.scroll_row = to;
            // The person has moved the view: no row is where it was.
            self.held = None;
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

    /// The selected rows, in the order that they are shown in; the cursor's where no more are.
    pub fn selected_rows(&self, table: &Table<'_>) -> Vec<RowId> {
        if self.selection.is_single() {
            return self.cursor.iter().filter_map(|cursor| cursor.row).collect();
        }
        let selected = (0..table.len()).filter_map(|index| table.id_at(index));
        selected.filter(|row| self.selection.has_row(*row)).collect()
    }

    /// The selected columns, in the order that they are shown in; the cursor's where no more are.
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

    /// What is selected, for the status bar.
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

/// Where a step leads from a cell, by place: a row and a column.
fn stepped(
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
        Step::Top => (edge(index, 0, |row| is_filled(table, row, column)), column),
        Step::Bottom => (edge(index, last_data, |row| is_filled(table, row, column)), column),
        Step::FarLeft => (index, edge(column, 0, |column| is_filled(table, index, column))),
        Step::FarRight => (index, edge(column, last_column, |column| is_filled(table, index, column))),
        Step::RowStart => (index, 0),
        Step::RowEnd => (index, last_column),
        Step::First => (0, 0),
        Step::Last => (last_data, last_column),
        Step::Next | Step::Previous => neighbour(table, index, column, step == Step::Next),
    })
}

fn is_filled(table: &Table<'_>, index: usize, column: usize) -> bool {
    let row = table.row_at(index);
    row.is_some_and(|row| !table.value(row, &table.columns()[column]).is_empty())
}

/// Where Ctrl and an arrow lead, as in a spreadsheet: to the last filled cell before a gap, over a gap to the next
/// filled one, or to the end.
fn edge(from: usize, end: usize, is_filled: impl Fn(usize) -> bool) -> usize {
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

/// The next or previous cell that can be edited, wrapping to the row after or before.
fn neighbour(table: &Table<'_>, index: usize, column: usize, forward: bool) -> (usize, usize) {
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
    use crate::grid::order::{Locale, SortKey, Wanted};

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
    fn steps_stop_at_the_edges_and_tab_passes_over_computed_columns() {
        let watchlist = watchlist(3);
        let table = plain(&watchlist);
        let mut state = GridState::default();
        state.settle(&table);
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
    fn the_cursor_stays_with_its_row_and_finds_a_neighbour_when_it_is_removed() {
        let mut watchlist = watchlist(3);
        let limits = Limits::default();
        let mut state = GridState {
            cursor: Some(Cursor { row: Some(row(2)), column: "price".into() }),
            ..GridState::default()
        };
        state.settle(&plain(&watchlist));
        let first =
            Position::between(None, Some(&watchlist.rows().at(0).unwrap().position), 1).unwrap().remove(0);
        watchlist
            .apply(&[Change::insert(row(9), &first, BTreeMap::new())], &Mode::Pending { limits: &limits })
            .unwrap();
        state.settle(&plain(&watchlist));
        assert_eq!(state.cursor_index(&plain(&watchlist)), Some(2));
        watchlist.apply(&[Change::remove(row(2), None)], &Mode::Pending { limits: &limits }).unwrap();
        state.settle(&plain(&watchlist));
        assert_eq!(at(&state), (Some(row(3)), "price".to_owned()));
    }

    #[test]
    fn ctrl_and_an_arrow_lead_to_the_edge_of_the_data() {
        let filled = |cells: [bool; 7]| move |at: usize| cells[at];
        let cells = [true, true, true, false, false, true, false];
        for (from, end, expected) in
            [(0, 6, 2), (2, 6, 5), (5, 6, 6), (6, 0, 5), (5, 0, 2), (2, 0, 0), (0, 0, 0)]
        {
            assert_eq!(edge(from, end, filled(cells)), expected, "{from} to {end}");
        }
    }

    #[test]
    fn a_selection_keeps_its_rows_whatever_their_order() {
        let watchlist = watchlist(5);
        let table = plain(&watchlist);
        let mut state = GridState::default();
        state.settle(&table);
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
        let by_symbol =
            Wanted { sort: vec![SortKey { column: "symbol".into(), descending: true }], filters: Vec::new() };
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
