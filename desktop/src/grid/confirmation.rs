//! The confirmation dialog that is shown before edits are sent.

use egui::{Align, Id, Layout, Modal, Ui};

use super::view::GridView;
use crate::{
    command::{Command, Confirmation},
    theme::{dialog_title, fit_width},
};

/// Shows the open confirmation, if there is one. Returns its edits once the user confirms.
pub(super) fn show(ui: &mut Ui, open: &mut Option<Confirmation>, view: &GridView<'_>) -> Vec<Command> {
    let Some(mut confirmation) = open.take() else { return Vec::new() };
    let (mut confirmed, mut cancelled) = (false, false);
    let modal = Modal::new(Id::unique("confirmation"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            fit_width(ui, 440.0);
            dialog_title(ui, confirmation.title);
            for line in &confirmation.lines {
                ui.label(line);
            }
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let confirm = ui.button(confirmation.confirm_label);
                    if std::mem::take(&mut confirmation.is_new) {
                        confirm.request_focus();
                    }
                    confirmed = confirm.clicked();
                    // Without edits there is nothing to cancel, and the other button closes the dialog.
                    cancelled = !confirmation.edits.is_empty() && ui.button("Cancel").clicked();
                });
            });
        });
    if !confirmed && !cancelled && !modal.should_close() {
        *open = Some(confirmation);
        return Vec::new();
    }
    if !confirmed {
        return Vec::new();
    }
    confirmation.edits.into_iter().map(|changes| view.edit(changes)).collect()
}
