//! Text fields.

use egui::{
    Id, TextEdit, Ui,
    text::{CCursor, CCursorRange},
};

/// Selects the whole text of a field, so that typing replaces it.
pub fn select_all(ui: &Ui, field: Id, text: &str) {
    let mut state = TextEdit::load_state(ui.ctx(), field).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::two(CCursor::default(), end)));
    state.store(ui.ctx(), field);
}
