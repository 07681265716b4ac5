//! Notices at the lower right of the grid, shown until they are dismissed or expire.

use egui::{Align2, Area, Frame, Id, Order, Stroke, Ui, vec2};
use shared::ids::WindowId;

use crate::{
    command::{AppCommand, Command, DISMISS, RESTORE, entry_of},
    state::AppState,
    store::{Notice, Offer},
    theme::{self, Palette},
};

/// Maximum number of notices shown at once: the newest.
const MAX_SHOWN: usize = 4;
const WIDTH: f32 = 360.0;

/// Which notices a window shows: its own, and those for all that were added after it was opened.
#[derive(Clone, Copy, Debug)]
pub struct Addressee {
    /// The window.
    pub window: WindowId,
    /// The newest notice when the window was opened.
    pub opened_after: u64,
}

impl Addressee {
    /// Returns the notices that the window shows, oldest first.
    pub fn notices<'s>(&self, state: &'s AppState) -> impl DoubleEndedIterator<Item = &'s Notice> + use<'s> {
        let Self { window, opened_after } = *self;
        let is_for = move |notice: &&Notice| match notice.window {
            Some(only) => only == window,
            None => notice.id > opened_after,
        };
        state.store.notices().iter().filter(is_for)
    }
}

/// Draws the notices over the grid, which ends at `right`, without covering the panels beside it.
pub fn show(ui: &Ui, right: f32, state: &AppState, addressee: Addressee, palette: &Palette) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut shown: Vec<&Notice> = addressee.notices(state).rev().take(MAX_SHOWN).collect();
    shown.reverse();
    if shown.is_empty() {
        return commands;
    }
    let corner = vec2(right - ui.ctx().content_rect().right() - 20.0, -theme::STATUS_BAR - 16.0);
    Area::new(Id::unique("notices")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, corner).show(
        ui,
        |ui| {
            for notice in shown {
                let frame = Frame::new()
                    .fill(palette.raised)
                    .stroke(Stroke::new(1.0, palette.hairline))
                    .corner_radius(theme::RADIUS)
                    .inner_margin(12);
                frame.show(ui, |ui| {
                    ui.set_width(WIDTH);
                    ui.label(&notice.text);
                    ui.horizontal(|ui| commands.extend(show_buttons(ui, notice)));
                });
            }
        },
    );
    commands
}

/// Shows what a notice offers, and the button that dismisses it.
fn show_buttons(ui: &mut Ui, notice: &Notice) -> Vec<Command> {
    let mut commands = Vec::new();
    match &notice.offer {
        Some(Offer::Restore(watchlist)) if ui.button(RESTORE).clicked() => {
            commands.push(AppCommand::Restore(*watchlist).into());
        }
        Some(Offer::Undo { steps, .. }) if ui.button(entry_of(&Command::Undo).title).clicked() => {
            commands.extend(std::iter::repeat_n(Command::Undo, *steps));
        }
        _ => {}
    }
    if ui.button(DISMISS).clicked() || !commands.is_empty() {
        commands.push(AppCommand::DismissNotice(notice.id).into());
    }
    commands
}
