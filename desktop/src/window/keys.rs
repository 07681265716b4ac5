//! The keyboard shortcuts of a window, which work regardless of the focus.

use egui::{Key, Modifiers, Ui};

use super::state::{AfterEditor, Window};
use crate::{
    action::{Action, WindowAction},
    panels::commands::Search,
};

impl Window {
    /// Handles the window's shortcuts; returns the resulting actions.
    pub(super) fn handle_keys(&mut self, ui: &Ui) -> Vec<WindowAction> {
        let mut actions = Vec::new();
        let tab = ui.input_mut(|input| {
            let mut take = |modifiers, key| input.consume_key(modifiers, key);
            let back = take(Modifiers::COMMAND | Modifiers::SHIFT, Key::Tab);
            if back || take(Modifiers::COMMAND, Key::PageUp) {
                Some(false)
            } else if take(Modifiers::COMMAND, Key::Tab) || take(Modifiers::COMMAND, Key::PageDown) {
                Some(true)
            } else {
                None
            }
        });
        if let Some(is_next) = tab.filter(|_| self.is_grid_uncovered() && !self.grid.has_question()) {
            actions.push(WindowAction::ShowAdjacent { is_next });
        }
        let is_typing = ui.text_edit_focused();
        let toggles_history =
            !is_typing && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::H));
        if toggles_history {
            self.toggle_history();
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Q)) && self.dialog.is_none() {
            self.leave_editor_then(AfterEditor::Quit);
        }
        let (new, search, help) = ui.input_mut(|input| {
            let question = Key::Questionmark;
            let mut take = |modifiers, key| input.consume_key(modifiers, key);
            let help = take(Modifiers::NONE, Key::F1);
            let (new, search) = (take(Modifiers::COMMAND, Key::N), take(Modifiers::COMMAND, Key::K));
            let is_help_typed =
                !is_typing && (take(Modifiers::NONE, question) || take(Modifiers::SHIFT, question));
            if is_help_typed {
                input.events.retain(|event| !matches!(event, egui::Event::Text(text) if text == "?"));
            }
            (new, search, help || is_help_typed)
        });
        if search {
            actions.push(Action::RequestDeleted.into());
        }
        // The overlays cover an open editor, which keeps its text.
        if self.is_grid_uncovered() {
            self.is_keys_open = help;
            self.search = search.then(Search::new);
        }
        actions.extend(new.then_some(WindowAction::OpenWindow));
        actions
    }
}
