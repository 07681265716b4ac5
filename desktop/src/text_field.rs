//! Text fields.

use egui::{
    Id, TextEdit, Ui,
    text::{CCursor, CCursorRange},
};

/// Gives a field of a dialog the focus if nothing has had it for two frames: what is typed then is meant for
/// the dialog. Between two widgets, Tab leaves one frame without a focus.
pub fn keep_focus(ui: &Ui, field: Id) {
    let id = field.with("nothing has the focus");
    let is_lost = ui.memory(|memory| memory.focused().is_none());
    let was_lost = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default(id), is_lost));
    if is_lost && was_lost {
        ui.memory_mut(|memory| memory.request_focus(field));
    } else if is_lost {
        ui.request_repaint();
    }
}

/// Selects the whole text of a field, so that typing replaces it.
pub fn select_all(ui: &Ui, field: Id, text: &str) {
    let mut state = TextEdit::load_state(ui.ctx(), field).unwrap_or_default();
    let end = CCursor::new(text.chars().count());
    state.cursor.set_char_range(Some(CCursorRange::two(CCursor::default(), end)));
    state.store(ui.ctx(), field);
}
