//! The find bar above the grid, and the search for the next matching cell.

use egui::{Key, Modifiers, TextEdit, Ui};
use shared::watchlist::{ColumnEntry, Row};

use super::{
    filter::display_text,
    selection::Selection,
    table::Table,
    view::{Frame, GridView},
};
use crate::theme::{self, Palette};

/// The state of the find bar.
#[derive(Clone, Debug, Default)]
pub(super) struct Find {
    text: String,
    is_open: bool,
    wants_focus: bool,
    /// The requested direction: true is forward.
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

    /// Returns the text to find in lower case, if the bar is open and not empty.
    pub(super) fn needle(&self) -> Option<String> {
        (self.is_open && !self.text.is_empty()).then(|| self.text.to_lowercase())
    }
}

/// Shows the find bar if it is open. Returns the direction of a requested search: true is forward.
pub(super) fn show(ui: &mut Ui, find: &mut Find, palette: &Palette) -> Option<bool> {
    if !find.is_open {
        return None;
    }
    let frame = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 4));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_width(ui.available_width());
            let field = TextEdit::singleline(&mut find.text).hint_text("Find").desired_width(240.0);
            let response = ui.add(field);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Find"));
            if std::mem::take(&mut find.wants_focus) {
                response.request_focus();
            }
            if response.changed() {
                find.has_no_match = false;
            }
            if response.has_focus() {
                // F3 works in the text field as it does in the grid.
                let (back, forward) = ui.input_mut(|input| {
                    let mut consume = |modifiers| input.consume_key(modifiers, Key::F3);
                    (consume(Modifiers::SHIFT), consume(Modifiers::NONE))
                });
                if back || forward {
                    find.requested = Some(forward);
                }
            }
            if response.lost_focus() {
                let (enter, back, escape) = ui.input(|input| {
                    (input.key_pressed(Key::Enter), input.modifiers.shift, input.key_pressed(Key::Escape))
                });
                if enter {
                    find.requested = Some(!back);
                    response.request_focus();
                } else if escape {
                    find.is_open = false;
                }
            }
            if ui.button("Next").on_hover_text("F3").clicked() {
                find.requested = Some(true);
            }
            if ui.button("Previous").on_hover_text("Shift+F3").clicked() {
                find.requested = Some(false);
            }
            if find.has_no_match {
                ui.label(egui::RichText::new("No matches").font(theme::small()).color(palette.down));
            }
            if ui.button("Close").on_hover_text("Esc").clicked() {
                find.is_open = false;
            }
        });
    });
    find.requested.take()
}

/// Moves the cursor to the next or previous matching cell, wrapping at the end.
pub(super) fn find_next(find: &mut Find, selection: &mut Selection, frame: &Frame<'_>, forward: bool) {
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
    let place = |step: usize| if forward { (from + step) % cells } else { (from + cells - step) % cells };
    let found = (1..=cells).map(place).find(|place| {
        let entry = &table.columns()[place % columns];
        table.row_at(place / columns).is_some_and(|row| cell_matches(&needle, row, entry, table, frame.view))
    });
    find.has_no_match = found.is_none();
    if let Some(place) = found {
        selection.blocks.clear();
        selection.go_to(table, place / columns, place % columns);
    }
}

/// Whether a cell contains `needle`, which is in lower case.
pub(super) fn cell_matches(
    needle: &str,
    row: &Row,
    entry: &ColumnEntry,
    table: &Table<'_>,
    view: &GridView<'_>,
) -> bool {
    display_text(&table.value(row, entry), view.value_format(&entry.column.kind))
        .to_lowercase()
        .contains(needle)
}
