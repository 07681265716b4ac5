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
    let button = Button::new(entry.title).shortcut_text(entry.key());
    let refusal = conditions.refusal(entry.when);
    let mut response = ui.add_enabled(refusal.is_none(), button);
    if let Some(reason) = refusal {
        response = response.on_disabled_hover_text(reason);
    }
    if !entry.description.is_empty() {
        response = response.on_hover_text(&*entry.description);
    }
    if response.clicked() {
        ui.close();
    }
    response.clicked()
}
