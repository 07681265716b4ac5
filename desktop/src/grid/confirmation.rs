//! The confirmation dialog that is shown before edits are sent.

use egui::{Align, Id, Key, Layout, Modal, Modifiers, Ui};

use super::view::GridView;
use crate::{
    command::{Command, Confirmation},
    theme::fit_width,
};

/// Shows the open confirmation, if there is one. Returns its edits once the user confirms.
pub(super) fn show(ui: &mut Ui, open: &mut Option<Confirmation>, view: &GridView<'_>) -> Vec<Command> {
    let Some(confirmation) = open.take() else { return Vec::new() };
    let (mut confirmed, mut cancelled) = (false, false);
    let modal = Modal::new(Id::unique("confirmation"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            fit_width(ui, 440.0);
            ui.heading(confirmation.title);
            for line in &confirmation.lines {
                ui.label(line);
            }
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    confirmed = ui.button(confirmation.confirm_label).clicked();
                    cancelled = ui.button("Cancel").clicked();
                });
            });
            // Consumes the key so that the grid behind the dialog does not handle it.
            confirmed |= ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        });
    if confirmed {
        return confirmation.edits.into_iter().map(|changes| view.edit(changes)).collect();
    }
    if !cancelled && !modal.should_close() {
        *open = Some(confirmation);
    }
    Vec::new()
}
