//! Notices at the lower right of the grid, shown until they are dismissed or expire.

use egui::{Align2, Area, Frame, Id, Order, Stroke, Ui, vec2};

use crate::{
    command::{AppCommand, DISMISS, RESTORE},
    state::AppState,
    theme::{self, Palette},
};

/// Maximum number of notices shown at once, oldest first.
const MAX_SHOWN: usize = 4;
const WIDTH: f32 = 360.0;

/// Draws the notices over the grid, which ends at `right`, without covering the panels beside it.
pub fn show(ui: &Ui, right: f32, state: &AppState, palette: &Palette) -> Vec<AppCommand> {
    let mut commands = Vec::new();
    if state.store.notices().is_empty() {
        return commands;
    }
    let corner = vec2(right - ui.ctx().content_rect().right() - 20.0, -theme::STATUS_BAR - 16.0);
    Area::new(Id::unique("notices")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, corner).show(
        ui,
        |ui| {
            for notice in state.store.notices().iter().take(MAX_SHOWN) {
                let frame = Frame::new()
                    .fill(palette.raised)
                    .stroke(Stroke::new(1.0, palette.hairline))
                    .corner_radius(theme::RADIUS)
                    .inner_margin(12);
                frame.show(ui, |ui| {
                    ui.set_width(WIDTH);
                    ui.label(&notice.text);
                    ui.horizontal(|ui| {
                        if let Some(watchlist) = notice.restore
                            && ui.button(RESTORE).clicked()
                        {
                            commands.push(AppCommand::Restore(watchlist));
                            commands.push(AppCommand::DismissNotice(notice.id));
                        }
                        if ui.button(DISMISS).clicked() {
                            commands.push(AppCommand::DismissNotice(notice.id));
                        }
                    });
                });
            }
        },
    );
    commands
}
