//! The selection: the active cell, and the selected blocks beside it.

use shared::{column::ColumnKey, ids::RowId};

use super::{
    blocks::Blocks,
    cursor::Cursor,
    displacement::{Chosen, Displacement, Reason, is_removed},
    run::{Next, Run},
    steps::{index_of, step_target},
    table::Table,
    view_column::ViewColumn,
};
use crate::command::{GridCommand, Step};

/// The active cell and the selected blocks.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The active cell.
    pub cursor: Option<Cursor>,
    /// The selected blocks, in addition to the cursor's cell.
    pub blocks: Blocks,
    /// Last known index of the cursor's row, used if that row is removed.
    pub(super) last_index: usize,
    /// A row that was inserted in this window: the filters ignore it while the cursor is on it.
    pub(super) inserted_row: Option<RowId>,
    /// The row that a filter has hidden from under the cursor, and the row where the cursor waits for it.
    away: Option<(RowId, Option<RowId>)>,
    /// Rows and columns that are selected once all of the rows exist.
    awaited: Option<(Vec<RowId>, Vec<ColumnKey>)>,
    /// The column in which a run of Tabs began.
    tabs_from: Option<ColumnKey>,
    /// Last known index of the cursor's column, used if that column is hidden or removed.
    last_column: usize,
    /// Where the cursor moves once the row exists.
    target: Option<Target>,
    /// The row that was typed into the empty row at the end, while the cursor has not left it.
    pub(super) appended: Option<RowId>,
    displaced: Option<Displacement>,
    /// Whether the watchlist has taken the place of another one that is gone.
    is_other_list: bool,
    /// Whether this window has just removed rows or columns.
    expects_removal: bool,
}

/// A row, and optionally a column, that the cursor is to move to.
#[derive(Clone, Debug)]
struct Target {
    row: RowId,
    column: Option<ColumnKey>,
    /// What the person is told if the cell is not shown.
    unseen: Option<String>,
}

impl Selection {
    /// Creates a selection of one cell, or of none.
    pub fn at(cursor: Option<Cursor>) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// Moves the cursor to a row, and optionally to another column, once the row exists.
    pub fn move_to_row(&mut self, row: RowId, column: Option<ColumnKey>) {
        self.target = Some(Target { row, column, unseen: None });
    }

    /// Moves the cursor to a cell that has just been changed; if it is not shown, the person is told so.
    pub fn move_to_change(&mut self, row: RowId, column: Option<ColumnKey>, unseen: String) {
        self.target = Some(Target { row, column, unseen: Some(unseen) });
    }

    /// Moves the cursor to another column of its row, once that column exists.
    pub fn move_to_column(&mut self, column: ColumnKey) {
        if let Some(row) = self.cursor.as_ref().and_then(|cursor| cursor.row) {
            self.move_to_row(row, Some(column));
        }
    }

    /// Whether the cursor has reached the row of the last [`move_to_row`](Self::move_to_row).
    pub fn has_reached_target(&self) -> bool {
        self.target.is_none()
    }

    /// Says that this window removes rows or columns now: the cell that slides under the cursor then is the
    /// one to go on with.
    pub fn expect_removal(&mut self) {
        self.expects_removal = true;
    }

    /// Says that the watchlist has taken the place of another one that is gone: what the person types may be
    /// meant for that one.
    pub fn expect_other_list(&mut self) {
        self.is_other_list = true;
    }

    /// Returns why nothing is typed into the cell under the cursor: somebody else removed the one that the
    /// person meant.
    pub fn displacement(&self) -> Option<&'static str> {
        self.displaced.as_ref().map(Displacement::why)
    }

    /// Returns the same, once.
    pub(super) fn take_displacement(&mut self) -> Option<&'static str> {
        self.displaced.as_mut()?.take_why()
    }

    /// Accepts the cell under the cursor as the one that the person means.
    pub(super) fn settle(&mut self) {
        self.displaced = None;
    }

    /// Moves the cursor to the pending target row if it is shown, and returns whether it did, and what the person
    /// is told.
    pub(super) fn go_to_target(&mut self, table: &Table<'_>) -> (bool, Option<String>) {
        let Some(Target { row, column, unseen }) = self.target.take() else { return (false, None) };
        let is_row_shown = table.index_of(row).is_some();
        let is_gone = table.watchlist.rows().get(row).is_none();
        let is_column_shown = column.as_ref().is_none_or(|column| table.column(column).is_some());
        let unseen = unseen.filter(|_| !(is_gone || is_row_shown && is_column_shown));
        let Some(cursor) = self.cursor.as_mut().filter(|_| is_row_shown) else { return (false, unseen) };
        cursor.row = Some(row);
        (self.displaced, self.tabs_from) = (None, None);
        if let Some(column) = column.filter(|_| is_column_shown) {
            cursor.column = column;
        }
        self.blocks.clear();
        (true, unseen)
    }

    /// Selects rows and columns, from the first to the last, once all of the rows exist.
    pub(super) fn select_once_shown(&mut self, rows: Vec<RowId>, columns: Vec<ColumnKey>) {
        self.awaited =
            Some((rows, columns)).filter(|(rows, columns)| !rows.is_empty() && !columns.is_empty());
    }

    /// Selects the awaited rows and columns if all of the rows exist, and returns whether it did.
    pub(super) fn select_awaited(&mut self, table: &Table<'_>) -> bool {
        let exist = |(rows, _): &mut (Vec<RowId>, Vec<ColumnKey>)| {
            rows.iter().all(|row| table.watchlist.rows().get(*row).is_some())
        };
        let Some((rows, columns)) = self.awaited.take_if(exist) else { return false };
        let corner = |row: Option<&RowId>, column: Option<&ColumnKey>| {
            Some(Cursor { row: Some(*row?), column: column?.clone() })
        };
        let corners = corner(rows.first(), columns.first()).zip(corner(rows.last(), columns.last()));
        let Some((first, last)) = corners else { return false };
        self.choose(first.clone());
        if first == last {
            self.blocks.clear();
        } else {
            self.blocks.select_block(first, last, rows, columns);
        }
        true
    }

    /// Returns the index of the cursor's row, if that row is still shown.
    pub fn cursor_index(&self, table: &Table<'_>) -> Option<usize> {
        index_of(self.cursor.as_ref()?, table)
    }

    /// Moves the cursor to a valid cell if it has none, or if its row or column is gone. If a filter hides
    /// its row, the cursor waits on the nearest shown row and returns to its own once that is shown again. A
    /// selection that the cursor has left is cleared. Returns whether the cursor went to another row because
    /// of a filter.
    pub(super) fn ensure_cursor(&mut self, table: &Table<'_>) -> bool {
        let before = self.cursor.clone();
        let has_moved = self.place_cursor(table);
        let is_own = std::mem::take(&mut self.expects_removal);
        let reason = before.as_ref().and_then(|before| Reason::of(before, table)).filter(|_| !is_own);
        let reason = if std::mem::take(&mut self.is_other_list) { Some(Reason::ListGone) } else { reason };
        let row = self.cursor.as_ref().and_then(|cursor| cursor.row);
        self.appended.take_if(|appended| row != Some(*appended));
        if self.cursor.as_ref().is_none_or(|cursor| !self.blocks.include(cursor)) {
            self.blocks.clear();
        }
        // What is left of a selection is still meant.
        if let Some(reason) = reason.filter(|_| self.blocks.is_single()) {
            self.displace(reason);
        }
        self.displaced.take_if(|displaced| displaced.is_left_by(self.cursor.as_ref()));
        has_moved
    }

    /// Lets nothing be typed into the cursor's cell until the person has chosen one.
    pub(super) fn displace(&mut self, reason: Reason) {
        self.displaced = self.cursor.clone().map(|cell| Displacement::new(cell, reason));
    }

    /// Chooses the row or column that has taken the place of a removed one, if a step leads to it from that one.
    /// Returns whether it does.
    pub(super) fn step_into_place(&mut self, step: Step) -> bool {
        let chosen = self.displaced.as_ref().map(|displaced| displaced.chosen_by(step));
        if matches!(chosen, Some(Chosen::Here | Chosen::Target)) {
            self.displaced = None;
        }
        chosen == Some(Chosen::Here)
    }

    fn place_cursor(&mut self, table: &Table<'_>) -> bool {
        let Some(first) = table.columns().first() else {
            self.cursor = None;
            return false;
        };
        let cursor =
            self.cursor.get_or_insert_with(|| Cursor { row: table.id_at(0), column: first.key().clone() });
        match table.column_index(&cursor.column) {
            Some(index) => self.last_column = index,
            None => {
                let last = table.columns().len() - 1;
                cursor.column = table.columns()[self.last_column.min(last)].key().clone();
            }
        }
        self.away.take_if(|(_, waits_on)| *waits_on != cursor.row);
        let index = index_of(cursor, table);
        self.last_index = index.unwrap_or(self.last_index);
        if let Some((home, _)) = self.away
            && table.index_of(home).is_some()
        {
            cursor.row = Some(home);
            self.away = None;
            return true;
        }
        if index.is_some() {
            return false;
        }
        let row = cursor.row.filter(|row| table.watchlist.rows().get(*row).is_some());
        let Some(row) = row else {
            cursor.row = table.id_at(self.last_index.min(table.len().saturating_sub(1)));
            return false;
        };
        let home = self.away.map_or(row, |(home, _)| home);
        cursor.row = table.nearest_shown(row);
        self.away = Some((home, cursor.row));
        true
    }

    /// Moves the cursor by one step and clears the selection, within which Tab goes round.
    pub(super) fn step(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        let is_tab = matches!(step, Step::Next | Step::Previous);
        if is_tab && self.go_round(table, step) {
            return;
        }
        self.note_tab(&cursor.column, is_tab);
        if let Some((index, column)) = step_target(table, &cursor, self.last_index, step, page) {
            self.blocks.clear();
            self.go_to(table, index, column);
        }
    }

    /// Remembers the column in which a run of Tabs began, and forgets it at another step.
    fn note_tab(&mut self, column: &ColumnKey, is_tab: bool) {
        self.tabs_from = is_tab.then(|| self.tabs_from.take().unwrap_or_else(|| column.clone()));
    }

    /// Moves the cursor after a commit: within the selection if there is one, else past sections, whose
    /// titles the next figure would replace. After a run of Tabs, or from the title of a section, a step up
    /// or down leads to the column in which it began.
    pub(super) fn step_after_commit(&mut self, table: &Table<'_>, run: &Run, step: Step, page: usize) {
        if self.go_round(table, step) {
            return;
        }
        let appended = self.appended.take_if(|_| matches!(step, Step::Up | Step::Down));
        let from = self.tabs_from.take_if(|_| matches!(step, Step::Up | Step::Down));
        let is_lost = from.as_ref().is_some_and(|from| is_removed(table, from));
        if let (Some(from), Some(cursor)) =
            (from.filter(|from| table.column(from).is_some()), &mut self.cursor)
        {
            cursor.column = from;
        }
        if let (Step::Down, Some(cursor), Some(_)) = (step, &mut self.cursor, appended) {
            // Sorted rows may have taken the new one elsewhere; the next is typed into the empty row again.
            cursor.row = None;
            self.last_index = table.len();
            return;
        }
        if is_lost {
            self.step(table, step, page);
            return self.displace(Reason::FirstColumnRemoved);
        }
        self.step_in_run(table, run, step, page);
        while matches!(step, Step::Up | Step::Down)
            && let Some(index) = self.cursor_index(table)
            && table.row_at(index).is_some_and(|row| table.is_section(row))
        {
            self.step(table, step, page);
            if self.cursor_index(table) == Some(index) {
                break;
            }
        }
    }

    /// Moves the cursor on from a committed value, to the row or the column that was next when the list of
    /// values was begun.
    pub(super) fn step_in_run(&mut self, table: &Table<'_>, run: &Run, step: Step, page: usize) {
        let is_tab = matches!(step, Step::Next | Step::Previous);
        let Some(cursor) = self.cursor.clone() else { return };
        if is_tab && self.go_round(table, step) {
            return;
        }
        match run.next(table, &cursor, step) {
            Next::Unknown => self.step(table, step, page),
            Next::Cell(next) => {
                self.note_tab(&cursor.column, is_tab);
                self.last_index = next.row.and_then(|row| table.index_of(row)).unwrap_or(table.len());
                self.move_to(next);
            }
            Next::Gone(reason) => {
                self.step(table, step, page);
                self.displace(reason);
            }
        }
    }

    /// Whether the cursor is on a section, but not on its title.
    pub(super) fn is_beside_title(&self, table: &Table<'_>) -> bool {
        let Some(cursor) = &self.cursor else { return false };
        let row = self.cursor_index(table).and_then(|index| table.row_at(index));
        row.is_some_and(|row| table.is_section(row))
            && table.columns().first().is_some_and(|first| *first.key() != cursor.column)
    }

    /// Moves the cursor to the title of the section that it is on. A step after the commit leads back to its
    /// column.
    pub(super) fn go_to_title(&mut self, title: ColumnKey) {
        if let Some(cursor) = self.cursor.as_mut().filter(|cursor| cursor.column != title) {
            self.tabs_from = Some(std::mem::replace(&mut cursor.column, title));
        }
    }

    /// Moves the cursor to the next cell of the selection, row by row, or column by column for a step up or
    /// down. Returns false if the cursor is in no selection, or the step leads elsewhere.
    fn go_round(&mut self, table: &Table<'_>, step: Step) -> bool {
        let Some(Cursor { row: Some(row), column }) = self.cursor.clone() else { return false };
        let (by_row, forward) = match step {
            Step::Next => (true, true),
            Step::Previous => (true, false),
            Step::Down => (false, true),
            Step::Up => (false, false),
            _ => return false,
        };
        if self.blocks.is_single() || !self.blocks.contains(row, &column) {
            return false;
        }
        let rows = self.rows_as_selected(table);
        let columns: Vec<ColumnKey> =
            self.columns(table).into_iter().map(|column| column.key().clone()).collect();
        let place = rows
            .iter()
            .position(|known| *known == row)
            .zip(columns.iter().position(|known| *known == column));
        let Some((row_place, column_place)) = place else { return false };
        let count = rows.len() * columns.len();
        let from = if by_row {
            row_place * columns.len() + column_place
        } else {
            column_place * rows.len() + row_place
        };
        let place_after = |step: usize| if forward { from + step } else { from + count - step };
        let next = (1..count).map(|step| place_after(step) % count);
        let cell = |place: usize| {
            let (row, column) = if by_row {
                (place / columns.len(), place % columns.len())
            } else {
                (place % rows.len(), place / rows.len())
            };
            Cursor { row: Some(rows[row]), column: columns[column].clone() }
        };
        let is_editable = |cell: &Cursor| {
            let column = table.column(&cell.column);
            let row = cell.row.filter(|row| self.blocks.contains(*row, &cell.column));
            row.zip(column).is_some_and(|(row, column)| table.editable(Some(row), column).is_some())
        };
        let found = next.map(cell).find(is_editable);
        self.cursor = found.or(self.cursor.take());
        true
    }

    /// Extends the selection by one step.
    pub(super) fn extend(&mut self, table: &Table<'_>, step: Step, page: usize) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.blocks.moving_corner(&cursor).clone();
        if let Some((index, column)) = step_target(table, &end, self.last_index, step, page) {
            let index = index.min(table.len().saturating_sub(1));
            let to = Cursor { row: table.id_at(index), column: table.columns()[column].key().clone() };
            self.blocks.extend_by_key(&cursor, to, table);
        }
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

    /// Forgets that a row was inserted, unless the cursor is on it: other filters than those at that time
    /// hide it.
    pub(super) fn forget_insertion(&mut self) {
        self.inserted_row = self.inserted_at_cursor();
    }

    /// Selects all cells, or all cells of the selected rows or columns.
    pub(super) fn select_whole(&mut self, what: &GridCommand, table: &Table<'_>) {
        let Some(cursor) = self.cursor.clone() else { return };
        let end = self.blocks.moving_corner(&cursor).clone();
        match what {
            // Rows that others have inserted between the selected ones are not selected.
            GridCommand::SelectRows if self.blocks.widen_to_rows() => {}
            GridCommand::SelectRows => self.blocks.select_rows(cursor, end, false, table),
            GridCommand::SelectColumns => self.blocks.select_columns(cursor, end, false, table),
            _ => self.blocks.select_all(cursor),
        }
    }

    /// Moves the cursor to a cell by its row and column index.
    fn go_to(&mut self, table: &Table<'_>, index: usize, column: usize) {
        if let Some(column) = table.columns().get(column) {
            self.cursor = Some(Cursor { row: table.id_at(index), column: column.key().clone() });
            self.last_index = index;
        }
    }

    /// Returns the selected rows in display order, or the cursor's row if there is no selection.
    pub fn rows(&self, table: &Table<'_>) -> Vec<RowId> {
        if self.blocks.is_single() {
            return self.cursor.iter().filter_map(|cursor| cursor.row).collect();
        }
        let selected = (0..table.len()).filter_map(|index| table.id_at(index));
        selected.filter(|row| self.blocks.has_row(*row)).collect()
    }

    /// Returns the selected rows in the order in which they were selected: those that others change may have
    /// been sorted again since.
    pub(super) fn rows_as_selected(&self, table: &Table<'_>) -> Vec<RowId> {
        match self.blocks.sequence() {
            Some(rows) => rows.iter().copied().filter(|row| table.index_of(*row).is_some()).collect(),
            None => self.rows(table),
        }
    }

    /// Whether a row that was selected is gone, or hidden by a filter. A paste would go to others in its place.
    pub(super) fn has_lost_rows(&self, table: &Table<'_>) -> bool {
        self.blocks.sequence().is_some_and(|rows| rows.iter().any(|row| table.index_of(*row).is_none()))
    }

    /// Returns the selected rows in the order in which they were selected, if they are no longer one below the
    /// other.
    pub(super) fn scattered_rows(&self, table: &Table<'_>) -> Option<Vec<RowId>> {
        self.blocks.sequence()?;
        let rows = self.rows_as_selected(table);
        let places: Vec<Option<usize>> = rows.iter().map(|row| table.index_of(*row)).collect();
        let is_below = |pair: &[Option<usize>]| pair[1] == pair[0].map(|above| above + 1);
        (!places.windows(2).all(is_below)).then_some(rows)
    }

    /// Returns the selected columns in display order, or the cursor's column if there is no selection.
    pub fn columns<'t>(&self, table: &'t Table<'_>) -> Vec<&'t ViewColumn> {
        let is_selected = |column: &&ViewColumn| {
            let key = column.key();
            if self.blocks.is_single() {
                self.cursor.as_ref().is_some_and(|cursor| cursor.column == *key)
            } else {
                self.blocks.has_column(key)
            }
        };
        table.columns().iter().filter(is_selected).collect()
    }

    /// Whether a cell is selected.
    pub fn contains(&self, row: RowId, column: &ColumnKey) -> bool {
        if self.blocks.is_single() {
            self.cursor.as_ref().is_some_and(|cursor| cursor.row == Some(row) && cursor.column == *column)
        } else {
            self.blocks.contains(row, column)
        }
    }

    /// Forgets the pending target row, because a cell is being edited.
    pub(super) fn drop_target(&mut self) {
        self.target = None;
    }

    /// Moves the cursor to a cell that the person has chosen otherwise than by a step: no run of Tabs leads back
    /// from there.
    pub(super) fn choose(&mut self, cell: Cursor) {
        self.cursor = Some(cell);
        self.tabs_from = None;
    }

    /// The same, and clears the selection.
    pub(super) fn choose_alone(&mut self, cell: Cursor) {
        self.blocks.clear();
        self.choose(cell);
    }

    /// Moves the cursor to a cell and clears the blocks.
    fn move_to(&mut self, cell: Cursor) {
        self.blocks.clear();
        self.cursor = Some(cell);
    }

    /// Returns the cell that Shift moves, and that stays in view.
    pub(super) fn moving_corner(&self) -> Option<&Cursor> {
        self.cursor.as_ref().map(|cursor| self.blocks.moving_corner(cursor))
    }

    /// Returns the column of the cursor.
    pub(super) fn column(&self) -> Option<ColumnKey> {
        self.cursor.as_ref().map(|cursor| cursor.column.clone())
    }

    /// Returns the column of the cursor if entire columns are selected, and it is one of them.
    pub(super) fn whole_column(&self) -> Option<ColumnKey> {
        self.column().filter(|column| self.blocks.has_whole_column(column))
    }

    /// Returns the inserted row while the cursor is on it: the filters ignore it.
    pub(super) fn inserted_at_cursor(&self) -> Option<RowId> {
        let at_cursor = self.cursor.as_ref().and_then(|cursor| cursor.row);
        self.inserted_row.filter(|inserted_row| at_cursor == Some(*inserted_row))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use shared::{
        column::standard_columns,
        edit::Change,
        limits::Limits,
        number::Separators,
        position::Position,
        watchlist::{Watchlist, apply::Mode},
    };
    use uuid::Uuid;

    use super::*;
    use crate::grid::{
        config::GridConfig,
        order::{Locale, Order, OrderSpec, SortKey},
    };

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

    fn at(selection: &Selection) -> (Option<RowId>, String) {
        let cursor = selection.cursor.clone().unwrap();
        (cursor.row, cursor.column.to_string())
    }

    #[test]
    fn steps_stop_at_the_edges_and_tab_skips_computed_columns() {
        let watchlist = watchlist(3);
        let table = plain(&watchlist);
        let mut selection = Selection::default();
        selection.ensure_cursor(&table);
        let mut step = |step| {
            selection.step(&table, step, 10);
            at(&selection)
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
        let mut selection = Selection::at(Some(Cursor { row: Some(row(2)), column: "price".into() }));
        selection.ensure_cursor(&plain(&watchlist));
        let first =
            Position::between(None, Some(&watchlist.rows().at(0).unwrap().position), 1).unwrap().remove(0);
        watchlist
            .apply(&[Change::insert(row(9), &first, BTreeMap::new())], &Mode::Pending { limits: &limits })
            .unwrap();
        selection.ensure_cursor(&plain(&watchlist));
        assert_eq!(selection.cursor_index(&plain(&watchlist)), Some(2));
        watchlist.apply(&[Change::remove(row(2), None)], &Mode::Pending { limits: &limits }).unwrap();
        selection.ensure_cursor(&plain(&watchlist));
        assert_eq!(at(&selection), (Some(row(3)), "price".to_owned()));
    }

    #[test]
    fn a_selection_keeps_its_rows_when_they_are_reordered() {
        let watchlist = watchlist(5);
        let table = plain(&watchlist);
        let mut selection = Selection::default();
        selection.ensure_cursor(&table);
        selection.step(&table, Step::Down, 10);
        selection.extend(&table, Step::Down, 10);
        selection.extend(&table, Step::Right, 10);
        assert_eq!(selection.rows(&table), [row(2), row(3)]);
        let keys: Vec<String> =
            selection.columns(&table).iter().map(|column| column.key().to_string()).collect();
        assert_eq!(keys, ["symbol", "company"]);
        assert!(
            selection.contains(row(3), &"company".into()) && !selection.contains(row(4), &"company".into())
        );
        let frozen = watchlist.freeze();
        let by_symbol = OrderSpec {
            sort: vec![SortKey { column: "symbol".into(), descending: true }],
            ..OrderSpec::default()
        };
        let locale = Locale { separators: Separators::ENGLISH, zone: jiff::tz::TimeZone::UTC };
        let order = Order::arrange(&frozen, &by_symbol, &locale, None);
        let sorted = Table::new(&watchlist, Arc::new(order), &GridConfig::default());
        let mut selected = selection.rows(&sorted);
        selected.sort();
        assert_eq!(selected, [row(2), row(3)]);
        selection.step(&table, Step::Up, 10);
        assert_eq!(selection.rows(&table), [row(1)]);
    }
}
