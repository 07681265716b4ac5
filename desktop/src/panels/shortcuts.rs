//! The table of keyboard shortcuts (F1).

use egui::{Id, Modal, RichText, ScrollArea, Ui};

use crate::{command::help_rows, theme};

/// Draws the table of keyboard shortcuts. Returns whether it stays open.
pub fn show(ui: &Ui) -> bool {
    let modal = Modal::new(Id::unique("keys"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            ui.set_width(680.0);
            ui.heading("Keyboard shortcuts");
            // Keeps the title and the button visible in a low window.
            let height = (ui.ctx().content_rect().height() - 140.0).clamp(120.0, 420.0);
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
                egui::Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                    for row in help_rows() {
                        ui.label(RichText::new(row.keys).font(theme::strong()));
                        let title = ui.label(row.title);
                        if !row.description.is_empty() {
                            title.on_hover_text(row.description);
                        }
                        ui.end_row();
                    }
                });
            });
            if ui.button("Close").clicked() {
                ui.close();
            }
        });
    !modal.should_close()
}
