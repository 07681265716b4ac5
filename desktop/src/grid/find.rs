//! Finding: a bar above the grid, and the next cell that has a text in it.

use egui::{Key, Modifiers, TextEdit, Ui};
use shared::watchlist::{ColumnEntry, Row};

use super::{Frame, GridState, GridView, filter::shown, table::Table};
use crate::theme;

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Find {
    text: String,
    is_open: bool,
    wants_focus: bool,
    /// Asked for in the bar: true is the next one.
    asked: Option<bool>,
    found_nothing: bool,
}

impl Find {
    /// Opens the bar.
    pub(super) fn open(&mut self) {
        (self.is_open, self.wants_focus) = (true, true);
    }

    /// Closes it; what was looked for is kept.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// What cells are searched for, in lower case, while the bar is open.
    pub(super) fn needle(&self) -> Option<String> {
        (self.is_open && !self.text.is_empty()).then(|| self.text.to_lowercase())
    }
}

/// Shows the bar, where it is open, and goes where it is asked to.
pub(super) fn show(ui: &mut Ui, state: &mut GridState, view: &GridView<'_>) {
    if !state.find.is_open {
        return;
    }
    let palette = view.palette;
    let frame = egui::Frame::new().fill(palette.bars).inner_margin(egui::Margin::symmetric(8, 4));
    frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_width(ui.available_width());
            let find = &mut state.find;
            let field = TextEdit::singleline(&mut find.text).hint_text("Find").desired_width(240.0);
            let response = ui.add(field);
            ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Find"));
            if std::mem::take(&mut find.wants_focus) {
                response.request_focus();
            }
            if response.changed() {
                find.found_nothing = false;
            }
            if response.has_focus() {
                // In the field they mean what they mean in the grid.
                let (back, forward) = ui.input_mut(|input| {
                    let mut take = |modifiers| input.consume_key(modifiers, Key::F3);
                    (take(Modifiers::SHIFT), take(Modifiers::NONE))
                });
                if back || forward {
                    find.asked = Some(forward);
                }
            }
            if response.lost_focus() {
                let (enter, back, escape) = ui.input(|input| {
                    (input.key_pressed(Key::Enter), input.modifiers.shift, input.key_pressed(Key::Escape))
                });
                if enter {
                    find.asked = Some(!back);
                    response.request_focus();
                } else if escape {
                    find.is_open = false;
                }
            }
            if ui.button("Next").on_hover_text("F3").clicked() {
                find.asked = Some(true);
            }
            if ui.button("Previous").on_hover_text("Shift+F3").clicked() {
                find.asked = Some(false);
            }
            if find.found_nothing {
                ui.label(egui::RichText::new("not found").font(theme::small()).color(palette.down));
            }
            if ui.button("Close").on_hover_text("Esc").clicked() {
                find.is_open = false;
            }
        });
    });
    if let Some(forward) = state.find.asked.take() {
        let table = state.table(view.watchlist);
        next(state, &Frame { view, table: &table }, forward);
        state.reveal_next = true;
    }
}

/// Puts the cursor on the next or previous cell with the text, from the cursor on and round the end.
pub(super) fn next(state: &mut GridState, frame: &Frame<'_>, forward: bool) {
    let needle = state.find.text.to_lowercase();
    if needle.is_empty() {
        return;
    }
    let table = frame.table;
    let (rows, columns) = (table.len(), table.columns().len());
    let cells = rows * columns;
    if cells == 0 {
        return;
    }
    let row = state.cursor_index(table).unwrap_or(0).min(rows - 1);
    let column = state.cursor.as_ref().and_then(|cursor| table.column_index(&cursor.column)).unwrap_or(0);
    let from = row * columns + column;
    let place = |step: usize| if forward { (from + step) % cells } else { (from + cells - step) % cells };
    let found = (1..=cells).map(place).find(|place| {
        let entry = &table.columns()[place % columns];
        table.row_at(place / columns).is_some_and(|row| is_found(&needle, row, entry, table, frame.view))
    });
    state.find.found_nothing = found.is_none();
    if let Some(place) = found {
        state.selection.clear();
        state.go_to(table, place / columns, place % columns);
    }
}

/// Whether a cell has a text in it, which is in lower case.
pub(super) fn is_found(
    needle: &str,
    row: &Row,
    entry: &ColumnEntry,
    table: &Table<'_>,
    view: &GridView<'_>,
) -> bool {
    shown(&table.value(row, entry), view.reading(&entry.column.kind)).to_lowercase().contains(needle)
}
