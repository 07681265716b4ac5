//! What the person is asked before something is sent.

use egui::{Align, Id, Key, Layout, Modal, Modifiers, Ui};

use super::{GridAction, GridState};

/// Shows the question, where there is one, and does what is agreed to.
pub(super) fn show(ui: &mut Ui, state: &mut GridState, actions: &mut Vec<GridAction>) {
    let Some(question) = state.question.take() else { return };
    let (mut agreed, mut refused) = (false, false);
    let modal = Modal::new(Id::unique("question"))
        .frame(egui::Frame::popup(&ui.global_style()).inner_margin(16))
        .show(ui, |ui| {
            ui.set_width(440.0);
            ui.heading(&question.title);
            for line in &question.lines {
                ui.label(line);
            }
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    agreed = ui.button(&question.yes).clicked();
                    refused = ui.button("Cancel").clicked();
                });
            });
            // The grid behind it must not see the same key.
            agreed |= ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        });
    if agreed {
        actions.extend(question.agreed());
    } else if !refused && !modal.should_close() {
        state.question = Some(question);
    }
}
