//! Menu items of commands.

use egui::{Button, Ui};

use super::{table::entry_of, when::Conditions, window::Command};

/// Shows groups of commands with a line between them. Returns the command that was clicked.
pub fn menu_items(ui: &mut Ui, groups: &[&[Command]], conditions: &Conditions) -> Option<Command> {
    let mut chosen = None;
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        for command in *group {
            if menu_item(ui, command, conditions) {
                chosen = Some(command.clone());
            }
        }
    }
    chosen
}

/// Shows a command of the table as a menu item, which closes the menu. Returns whether it was clicked.
fn menu_item(ui: &mut Ui, command: &Command, conditions: &Conditions) -> bool {
    let entry = entry_of(command);
    let keys = entry.shortcuts.first().map(|shortcut| shortcut.label()).unwrap_or_default();
    let button = Button::new(entry.title).shortcut_text(keys);
    let mut response = ui.add_enabled(conditions.allow(entry.when), button);
    if !entry.description.is_empty() {
        response = response.on_hover_text(entry.description);
    }
    if response.clicked() {
        ui.close();
    }
    response.clicked()
}
