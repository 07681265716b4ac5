//! The keyboard shortcuts of a window, which work regardless of the focus.

use egui::{Event, Key, Ui};

use super::state::Window;
use crate::command::{self, Command, Scope};

impl Window {
    /// Consumes the keys of the window's shortcuts. Returns their commands.
    pub(super) fn consume_keys(&self, ui: &Ui) -> Vec<Command> {
        let is_typing = ui.text_edit_focused();
        // The overlays cover an open editor, which keeps its text.
        let is_covered = !self.is_grid_uncovered() || self.grid.has_question();
        ui.input_mut(|input| {
            let commands = command::consume(input, |entry| match entry.scope {
                Scope::Program => true,
                Scope::Window => !is_covered,
                Scope::WindowWithoutText => !is_covered && !is_typing,
                Scope::Grid | Scope::Editor => false,
            });
            // The character of a key that was a shortcut is not typed.
            if commands.contains(&Command::ShowShortcuts) {
                let question = Key::Questionmark.symbol_or_name();
                input.events.retain(|event| !matches!(event, Event::Text(text) if text == question));
            }
            commands
        })
    }
}
