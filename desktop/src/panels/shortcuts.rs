//! The table of keyboard shortcuts (F1).

use egui::{Id, Key, Label, LayerId, Modal, Modifiers, Order, RichText, ScrollArea, Ui, vec2};

use crate::{
    command::{Command, entry_of, help_rows},
    theme,
};

/// Maximum width of the keys, in points. Longer lists of keys are wrapped.
const MAX_KEYS: f32 = 280.0;

/// Draws the table of keyboard shortcuts. Returns whether it stays open.
pub fn show(ui: &Ui) -> bool {
    let id = Id::unique("keys");
    let is_new = !ui.memory(|memory| memory.areas().visible_last_frame(&LayerId::new(Order::Foreground, id)));
    let modal =
        Modal::new(id).frame(egui::Frame::popup(&ui.global_style()).inner_margin(16)).show(ui, |ui| {
            // Fits into a small window with a large zoom.
            let room = ui.ctx().content_rect().size() - vec2(64.0, 140.0);
            ui.set_width(680.0_f32.min(room.x));
            theme::dialog_title(ui, entry_of(&Command::ShowShortcuts).title);
            // Keeps the title and the button visible.
            let height = room.y.clamp(60.0, 420.0);
            let mut scrolled =
                ScrollArea::both().auto_shrink(false).max_height(height).min_scrolled_height(height);
            if is_new {
                scrolled = scrolled.vertical_scroll_offset(0.0);
            }
            scrolled.show(ui, |ui| {
                ui.scroll_with_delta(vec2(0.0, -scrolled_by_keys(ui, height)));
                let table = egui::Grid::new("keys").num_columns(2).spacing([24.0, 4.0]);
                table.max_col_width(MAX_KEYS.min(room.x / 2.0)).show(ui, |ui| {
                    for row in help_rows() {
                        ui.add(Label::new(RichText::new(row.keys).font(theme::strong())).wrap());
                        ui.horizontal(|ui| {
                            let title = ui.label(row.title);
                            if !row.description.is_empty() {
                                title.on_hover_text(row.description);
                            }
                            if !row.place.is_empty() {
                                ui.weak(format!("({})", row.place));
                            }
                        });
                        ui.end_row();
                    }
                });
            });
            let close = ui.button("Close");
            if is_new {
                close.request_focus();
            }
            if close.clicked() {
                ui.close();
            }
        });
    !modal.should_close()
}

/// Returns by how much the keys of the frame scroll down, in points.
fn scrolled_by_keys(ui: &Ui, page: f32) -> f32 {
    let steps = [
        (Key::ArrowDown, 24.0),
        (Key::ArrowUp, -24.0),
        (Key::PageDown, page),
        (Key::PageUp, -page),
        (Key::Space, page),
        (Key::End, f32::from(u16::MAX)),
        (Key::Home, -f32::from(u16::MAX)),
    ];
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    steps.into_iter().filter(|(key, _)| pressed(*key)).map(|(_, by)| by).sum()
}
