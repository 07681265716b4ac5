//! The find bar above the grid, and the search for the next matching cell.

use egui::{TextEdit, Ui};
use shared::watchlist::Row;

use super::{selection::Selection, view::Frame, view_column::ViewColumn};
use crate::{
    command::{self, Command, GridCommand, Scope, entry_of},
    theme::{self, Palette},
};

/// The state of the find bar.
#[derive(Clone, Debug, Default)]
pub(super) struct Find {
    text: String,
    is_open: bool,
    wants_focus: bool,
    /// The requested search: whether it is for the next match or the previous one.
    requested: Option<bool>,
    has_no_match: bool,
}

impl Find {
    /// Opens the find bar and focuses it.
    pub(super) fn open(&mut self) {
        (self.is_open, self.wants_focus) = (true, true);
    }

    /// Whether the text field is about to get the focus.
    pub(super) fn is_opening(&self) -> bool {
        self.wants_focus
    }

    /// Closes the find bar and keeps its text.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// Executes a command of the find bar.
    fn execute(&mut self, command: &Command) {
        match command {
            Command::Grid(GridCommand::FindAdjacent { is_next }) => self.requested = Some(*is_next),
            command if is_close(command) => self.close(),
            _ => {}
        }
    }

    /// Returns the text to find in lower case, if the bar is open and not empty.
    pub(super) fn needle(&self) -> Option<String> {
        (self.is_open && !self.text.is_empty()).then(|| self.text.to_lowercase())
    }
}

/// Shows the find bar if it is open. Returns whether a requested search is for the next match or the
/// previous one.
pub(super) fn show(ui: &mut Ui, find: &mut Find, palette: &Palette) -> Option<bool> {
    if !find.is_open {
        return None;
    }
    let frame = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 4));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_width(ui.available_width());
            let title = entry_of(&GridCommand::Find.into()).title;
            let field = TextEdit::singleline(&mut find.text).hint_text(title).desired_width(240.0);
            let response = ui.add(field);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(title));
            if std::mem::take(&mut find.wants_focus) {
                response.request_focus();
            }
            if response.changed() {
                find.has_no_match = false;
            }
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
            if find.has_no_match {
                ui.label(egui::RichText::new("No matches").font(theme::small()).color(palette.down));
            }
            commands.extend(button(ui, GridCommand::CloseFind));
            commands.iter().for_each(|command| find.execute(command));
        });
    });
    find.requested.take()
}

/// Shows the button of a command. Returns the command if it was clicked.
fn button(ui: &mut Ui, command: GridCommand) -> Option<Command> {
    let entry = entry_of(&command.into());
    ui.button(entry.short).on_hover_text(entry.key()).clicked().then(|| entry.command.clone())
}

fn is_close(command: &Command) -> bool {
    *command == Command::Grid(GridCommand::CloseFind)
}

/// Moves the cursor to the next or previous matching cell, wrapping at the end.
pub(super) fn find_adjacent(find: &mut Find, selection: &mut Selection, frame: &Frame<'_>, is_next: bool) {
    let needle = find.text.to_lowercase();
    if needle.is_empty() {
        return;
    }
    let table = frame.table;
    let (rows, columns) = (table.len(), table.columns().len());
    let cells = rows * columns;
    if cells == 0 {
        return;
    }
    let row = selection.cursor_index(table).unwrap_or(0).min(rows - 1);
    let column = selection.cursor.as_ref().and_then(|cursor| table.column_index(&cursor.column)).unwrap_or(0);
    let from = row * columns + column;
    let place = |step: usize| if is_next { (from + step) % cells } else { (from + cells - step) % cells };
    let found = (1..=cells).map(place).find(|place| {
        let column = &table.columns()[place % columns];
        table.row_at(place / columns).is_some_and(|row| cell_matches(&needle, row, column, frame))
    });
    find.has_no_match = found.is_none();
    if let Some(place) = found {
        selection.blocks.clear();
        selection.go_to(table, place / columns, place % columns);
    }
}

/// Whether a cell contains `needle`, which is in lower case.
pub(super) fn cell_matches(needle: &str, row: &Row, column: &ViewColumn, frame: &Frame<'_>) -> bool {
    frame.text(row, column).to_lowercase().contains(needle)
}
