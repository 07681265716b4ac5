//! The keys that are the window's, whatever has the keyboard.

use egui::{Key, Modifiers, Ui};

use super::{Next, Window};
use crate::{action::Action, dispatch::Core, panels::commands::Search};

impl Window {
    /// Does what the window's keys ask for.
    pub(super) fn keys(&mut self, ui: &Ui, core: &Core) -> Option<Action> {
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
        if let Some(forward) = tab.filter(|_| self.takes_keys() && !self.grid.has_question()) {
            self.show_neighbour(core, forward);
        }
        let is_typing = ui.text_edit_focused();
        let toggles_history =
            !is_typing && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::H));
        if toggles_history {
            self.toggle_history();
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Q)) && self.dialog.is_none() {
            self.ask(Next::Quit);
        }
        let (new, search, help) = ui.input_mut(|input| {
            let question = Key::Questionmark;
            let mut take = |modifiers, key| input.consume_key(modifiers, key);
            let help = take(Modifiers::NONE, Key::F1);
            let (new, search) = (take(Modifiers::COMMAND, Key::N), take(Modifiers::COMMAND, Key::K));
            let asks = !is_typing && (take(Modifiers::NONE, question) || take(Modifiers::SHIFT, question));
            if asks {
                input.events.retain(|event| !matches!(event, egui::Event::Text(text) if text == "?"));
            }
            (new, search, help || asks)
        });
        // They lie over an open editor, which keeps its text.
        if self.takes_keys() {
            self.shows_keys = help;
            self.search = search.then(Search::new);
        }
        new.then_some(Action::OpenWindow)
    }
}
