//! The find bar above the grid, and the search for the next matching cell.

use std::time::Duration;

use egui::{TextEdit, Ui};
use shared::watchlist::{Row, Version};

use super::{
    cursor::Cursor, filter::Needle, order::QuickFilter, selection::Selection, view::Frame,
    view_column::ViewColumn,
};
use crate::{
    command::{self, Command, GridCommand, Scope, entry_of},
    focus::{self, Region},
    text_field::select_all,
    theme,
};

/// The state of the find bar.
#[derive(Clone, Debug, Default)]
pub(super) struct Find {
    text: String,
    is_open: bool,
    wants_focus: bool,
    requested: Option<Search>,
    count: Count,
    /// Whether only matching rows are shown.
    is_filter: bool,
}

/// Which match to move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The cursor's cell, or else the next one: the text has changed.
    First,
    Next,
    Previous,
}

/// The number of matching cells, counted over several frames in a large list.
#[derive(Clone, Debug, Default)]
struct Count {
    /// What is counted: the text, the state of the list, and the number of the order of the rows.
    of: (Needle, Version, u64),
    /// Number of rows that are counted.
    rows: usize,
    matches: usize,
    started_at: Duration,
}

/// Number of cells that are looked at in a frame.
const CELLS_PER_FRAME: usize = 4_000;
/// Width of the number of matches, in points.
const COUNT_WIDTH: f32 = 84.0;
/// Minimum time between two counts while rows change.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

impl Count {
    /// Counts on. Returns when to continue, unless every row is counted and none has changed.
    fn update(&mut self, needle: &Needle, order: u64, frame: &Frame<'_>) -> Option<Duration> {
        let (table, now) = (frame.table, frame.view.now);
        let version = table.watchlist.version();
        let is_done = self.rows >= table.len();
        let is_behind = is_done && self.of.1 != version;
        let due_in = (self.started_at + COUNT_INTERVAL).saturating_sub(now);
        if self.of.0 != *needle || self.of.2 != order || is_behind && due_in.is_zero() {
            *self = Self { of: (needle.clone(), version, order), started_at: now, ..Self::default() };
        } else if is_done {
            return is_behind.then_some(due_in);
        }
        let columns = table.columns();
        let until = (self.rows + CELLS_PER_FRAME.div_ceil(columns.len().max(1))).min(table.len());
        for row in (self.rows..until).filter_map(|index| table.row_at(index)) {
            let is_match = |column: &&ViewColumn| cell_matches(needle, row, column, frame);
            self.matches += columns.iter().filter(is_match).count();
        }
        self.rows = until;
        (until < table.len()).then_some(Duration::ZERO)
    }
}

impl Find {
    /// Opens the find bar and focuses it.
    pub(super) fn open(&mut self) {
        (self.is_open, self.wants_focus) = (true, true);
        self.count = Count::default();
    }

    /// Whether the text field is about to get the focus.
    pub(super) fn is_opening(&self) -> bool {
        self.wants_focus
    }

    /// Whether the find bar is open.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Closes the find bar and keeps its text. All rows are shown again.
    pub(super) fn close(&mut self) {
        (self.is_open, self.is_filter) = (false, false);
    }

    /// Shows only the matching rows, or all again.
    pub(super) fn toggle_filter(&mut self) {
        self.is_filter = self.is_open && !self.is_filter;
    }

    /// Shows all rows.
    pub(super) fn stop_filtering(&mut self) {
        self.is_filter = false;
    }

    /// Whether rows that do not match are hidden.
    pub(super) fn is_filtering(&self) -> bool {
        self.is_filter && self.is_open && !self.text.is_empty()
    }

    /// Returns the filter across the shown columns, if only matching rows are shown.
    pub(super) fn filter(&self, columns: &[ViewColumn]) -> Option<QuickFilter> {
        let columns =
            || columns.iter().filter_map(ViewColumn::data).map(|entry| entry.clone().into()).collect();
        self.is_filtering().then(|| QuickFilter { needle: Needle::new(&self.text), columns: columns() })
    }

    /// Executes a command of the find bar.
    fn execute(&mut self, command: &Command) {
        match command {
            Command::Grid(GridCommand::FindAdjacent { is_next }) => {
                self.requested = Some(if *is_next { Search::Next } else { Search::Previous });
            }
            Command::Grid(GridCommand::ToggleFindFilter) => self.toggle_filter(),
            command if is_close(command) => self.close(),
            _ => {}
        }
    }

    /// Returns what to find, if the bar is open and not empty.
    pub(super) fn needle(&self) -> Option<Needle> {
        (self.is_open && !self.text.is_empty()).then(|| Needle::new(&self.text))
    }
}

/// Shows the find bar if it is open. `order` identifies the order of the rows. Returns the requested search.
pub(super) fn show(ui: &mut Ui, find: &mut Find, order: u64, grid: &Frame<'_>) -> Option<Search> {
    if !find.is_open {
        return None;
    }
    let palette = grid.view.palette;
    if let Some(needle) = find.needle()
        && let Some(wait) = find.count.update(&needle, order, grid)
    {
        ui.request_repaint_after(wait);
    }
    let frame = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 4));
    ui.spacing_mut().item_spacing.y = 0.0;
    frame.show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.set_min_width(ui.available_width());
            let title = entry_of(&GridCommand::Find.into()).title;
            let field = TextEdit::singleline(&mut find.text).hint_text(title).desired_width(240.0);
            let response = ui.add(field);
            focus::record(ui, Region::Find, ui.max_rect(), response.id);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(title));
            if std::mem::take(&mut find.wants_focus) {
                response.request_focus();
                select_all(ui, response.id, &find.text);
            }
            if response.changed() {
                find.requested = Some(Search::First);
            }
            show_count(ui, find, grid);
            let mut commands = Vec::new();
            if response.has_focus() || response.lost_focus() {
                commands =
                    ui.input_mut(|input| command::consume(input, |entry| entry.scope == Scope::FindBar));
            }
            // Enter takes the focus from the text field.
            if response.lost_focus() && commands.iter().any(|command| !is_close(command)) {
                response.request_focus();
            }
            for is_next in [true, false] {
                commands.extend(button(ui, GridCommand::FindAdjacent { is_next }));
            }
            let entry = entry_of(&GridCommand::ToggleFindFilter.into());
            let mut is_filter = find.is_filter;
            if ui.checkbox(&mut is_filter, entry.title).on_hover_text(entry.key()).clicked() {
                commands.push(entry.command.clone());
            }
            commands.extend(button(ui, GridCommand::CloseFind));
            commands.iter().for_each(|command| find.execute(command));
        });
    });
    find.requested.take()
}

/// Shows the number of matches. The buttons after it keep their places.
fn show_count(ui: &mut Ui, find: &Find, grid: &Frame<'_>) {
    let palette = grid.view.palette;
    let (text, color) = match find.count.matches {
        _ if find.text.is_empty() => return,
        0 if find.count.rows < grid.table.len() => ("Counting\u{2026}".to_owned(), palette.muted),
        0 => ("No matches".to_owned(), palette.down),
        matches => (grid.view.separators.format_count(matches, "match", "matches"), palette.muted),
    };
    let label = egui::Label::new(egui::RichText::new(text).font(theme::small()).color(color));
    let size = egui::vec2(COUNT_WIDTH, ui.spacing().interact_size.y);
    ui.add_sized(size, label);
}

/// Shows the button of a command. Returns the command if it was clicked.
fn button(ui: &mut Ui, command: GridCommand) -> Option<Command> {
    let entry = entry_of(&command.into());
    ui.button(entry.short).on_hover_text(entry.key()).clicked().then(|| entry.command.clone())
}

fn is_close(command: &Command) -> bool {
    *command == Command::Grid(GridCommand::CloseFind)
}

/// Moves the cursor to a matching cell, wrapping at the end. Returns whether there is one.
pub(super) fn go_to_match(find: &Find, selection: &mut Selection, frame: &Frame<'_>, search: Search) -> bool {
    let needle = Needle::new(&find.text);
    let table = frame.table;
    let (rows, columns) = (table.len(), table.columns().len());
    let cells = rows * columns;
    if find.text.is_empty() || cells == 0 {
        return false;
    }
    let row = selection.cursor_index(table).unwrap_or(0).min(rows - 1);
    let column = selection.cursor.as_ref().and_then(|cursor| table.column_index(&cursor.column)).unwrap_or(0);
    let from = row * columns + column;
    let place = |step: usize| match search {
        Search::First => (from + step - 1) % cells,
        Search::Next => (from + step) % cells,
        Search::Previous => (from + cells - step) % cells,
    };
    let found = (1..=cells).map(place).find(|place| {
        let column = &table.columns()[place % columns];
        table.row_at(place / columns).is_some_and(|row| cell_matches(&needle, row, column, frame))
    });
    if let Some(place) = found {
        let (index, column) = (place / columns, table.columns()[place % columns].key().clone());
        selection.settle();
        selection.last_index = index;
        selection.choose_alone(Cursor { row: table.id_at(index), column });
    }
    found.is_some()
}

/// Whether the text of a cell matches.
pub(super) fn cell_matches(needle: &Needle, row: &Row, column: &ViewColumn, frame: &Frame<'_>) -> bool {
    needle.matches(&frame.text(row, column))
}
