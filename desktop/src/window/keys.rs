//! The keyboard shortcuts of a window, which work regardless of the focus.

use egui::{Event, Key, Ui};

use super::state::Window;
use crate::command::{self, Command, Scope};

impl Window {
    /// Takes the window's next shortcut from the input of the frame. Keyboard input that was pressed before it is handled in
    /// this frame, and input that follows it in the next one, when its command has been executed.
    pub(super) fn take_shortcut(&mut self, ui: &Ui) -> Option<Command> {
        let is_typing = ui.text_edit_focused();
        // The overlays cover an open editor, which keeps its text.
        let is_covered = !self.is_grid_uncovered() || self.grid.has_question();
        let delayed = std::mem::take(&mut self.delayed);
        let taken = ui.input_mut(|input| {
            input.events.splice(0..0, delayed);
            command::take_first(&mut input.events, |entry| match entry.scope {
                Scope::Program => true,
                Scope::Window => !is_covered,
                Scope::WindowWithoutText => !is_covered && !is_typing,
                Scope::Grid | Scope::Clipboard | Scope::Editor => false,
            })
        })?;
        self.delayed = taken.following;
        if taken.follows_input {
            self.delayed.insert(0, taken.event);
            ui.request_repaint();
            return None;
        }
        // The character of a key that was a shortcut is not typed.
        let question = Key::Questionmark.symbol_or_name();
        if taken.command == Command::ShowShortcuts
            && matches!(self.delayed.first(), Some(Event::Text(text)) if text == question)
        {
            self.delayed.remove(0);
        }
        if !self.delayed.is_empty() {
            ui.request_repaint();
        }
        Some(taken.command)
    }
}
