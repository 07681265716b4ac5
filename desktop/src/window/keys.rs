//! The keyboard shortcuts of a window, which work regardless of the focus.

use egui::Ui;

use super::state::Window;
use crate::command::{self, Command, Scope};

impl Window {
    /// Takes the window's next shortcut from the input of the frame. Keyboard input that was pressed before
    /// it is handled in this frame, and input that follows it in the next one, when its command has been
    /// executed.
    pub(super) fn take_shortcut(&mut self, ui: &Ui) -> Option<Command> {
        let is_typing = ui.text_edit_focused();
        // The overlays cover an open editor, which keeps its text.
        let is_covered = !self.is_grid_uncovered() || self.grid.has_confirmation();
        let delayed = std::mem::take(&mut self.keyboard.delayed);
        let taken = ui.input_mut(|input| {
            input.events.splice(0..0, delayed);
            command::remove_menu_characters(&mut input.events);
            command::take_first(&mut input.events, |entry| match entry.scope {
                Scope::Program => true,
                Scope::Window => !is_covered,
                Scope::WindowWithoutText => !is_covered && !is_typing,
                Scope::Grid
                | Scope::Clipboard
                | Scope::Editor
                | Scope::List
                | Scope::Calendar
                | Scope::FindBar
                | Scope::FilterRow => false,
            })
        })?;
        self.keyboard.delayed = taken.following;
        if taken.follows_input {
            self.keyboard.delayed.insert(0, taken.event);
            ui.request_repaint();
            return None;
        }
        if !self.keyboard.delayed.is_empty() {
            ui.request_repaint();
        }
        Some(taken.command)
    }
}
