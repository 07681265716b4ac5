//! The context menu of the rows.

use egui::{Button, Ui};

use crate::command::Command;

/// Shows the menu for the selected rows. Returns the chosen command.
pub(super) fn show(ui: &mut Ui, rows: usize) -> Option<Command> {
    let remove = if rows > 1 { format!("Remove {rows} rows") } else { "Remove row".to_owned() };
    let groups: [&[(&str, &str, Command)]; 5] = [
        &[
            ("Edit cell", "F2", Command::Open),
            ("Cut", "Ctrl+X", Command::Cut),
            ("Copy", "Ctrl+C", Command::Copy),
            ("Paste", "Ctrl+V", Command::RequestPaste),
        ],
        &[
            ("Insert row above", "Insert", Command::InsertAbove),
            ("Insert row below", "Ctrl+Enter", Command::InsertBelow),
            ("Insert section above", "Ctrl+Shift+Enter", Command::InsertSection),
            ("Duplicate", "Ctrl+Shift+D", Command::Duplicate),
            (&remove, "Ctrl+Delete", Command::RemoveRows),
        ],
        &[
            ("Show recent changes", "Shift+F2", Command::History),
            ("Show cell history", "", Command::ShowHistory),
        ],
        &[("Fill down", "Ctrl+D", Command::FillDown), ("Fill right", "Ctrl+R", Command::FillRight)],
        &[("Undo", "Ctrl+Z", Command::Undo), ("Redo", "Ctrl+Shift+Z", Command::Redo)],
    ];
    let mut chosen = None;
    for (index, group) in groups.into_iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        for (title, keys, command) in group {
            if ui.add(Button::new(*title).shortcut_text(*keys)).clicked() {
                chosen = Some(command.clone());
                ui.close();
            }
        }
    }
    chosen
}
