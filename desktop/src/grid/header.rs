//! Column headers: clicks that sort and select, dragging, and the column menu.

use egui::Ui;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{Change, ColumnRef},
    watchlist::ColumnEntry,
};

use super::{
    config::GridConfig, cursor::Cursor, filters::Filters, layout::Layout, order::SortKey,
    selection::Selection, trend, view::Frame,
};
use crate::command::{ColumnCommand, Command};

/// Handles a click on a header: sorts by the column, adds a sort key with Shift, selects the column with
/// Ctrl.
pub(super) fn click(
    selection: &mut Selection,
    config: &mut GridConfig,
    frame: &Frame<'_>,
    key: &ColumnKey,
    modifiers: egui::Modifiers,
) {
    if modifiers.command {
        let cell = Cursor { row: frame.table.id_at(0), column: key.clone() };
        let is_first = selection.blocks.is_single();
        selection.blocks.select_columns(cell.clone(), cell.clone(), !is_first, frame.table);
        selection.cursor = Some(cell);
    } else if frame.table.column(key).is_some_and(|entry| trend::source(entry).is_none()) {
        config.sort_by(key, modifiers.shift);
    }
}

/// Moves a column whose header was dragged to `x`.
pub(super) fn drop_column(
    config: &mut GridConfig,
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    x: f32,
) {
    let before = layout.column_before(x).map(|column| column.entry.column.key.clone());
    if before.as_ref() != Some(key) {
        config.place(frame.view.watchlist, key, before.as_ref());
    }
}

/// Shows the menu of a column. Returns the chosen command, and an edit that restores a column.
pub(super) fn menu(
    ui: &mut Ui,
    filters: &mut Filters,
    config: &mut GridConfig,
    frame: &Frame<'_>,
    key: &ColumnKey,
) -> (Option<ColumnCommand>, Option<Command>) {
    let Some(entry) = frame.table.column(key) else { return (None, None) };
    let mut restored = None;
    let title = entry.column.title.clone();
    let mut chosen = None;
    if trend::source(entry).is_none() {
        sort_menu(ui, config, key);
        ui.separator();
        if item(ui, if config.has_filters { "Hide filters" } else { "Filter" }) {
            filters.toggle(config, Some(key.clone()));
        }
    }
    let mut offer = |ui: &mut Ui, text: &str, command| {
        if item(ui, text) {
            chosen = Some(command);
        }
    };
    offer(ui, &format!("Hide {title}"), ColumnCommand::Hide);
    hidden_menu(ui, config, frame);
    let index = frame.table.column_index(key).unwrap_or(0);
    if index + 1 != config.frozen {
        offer(ui, "Freeze columns up to this one", ColumnCommand::Freeze);
    }
    if config.frozen > 1 {
        offer(ui, "Freeze only the first column", ColumnCommand::FreezeFirst);
    }
    offer(ui, "Fit to content", ColumnCommand::Fit);
    if trend::can_draw(entry) {
        let has_trend = config.trends.contains(key);
        let text = if has_trend { "Hide sparkline" } else { "Show sparkline" };
        offer(ui, text, ColumnCommand::Trend);
    }
    if let Some(decimals) = entry.column.kind.decimals() {
        // The menu stays open, because several steps are common.
        ui.horizontal(|ui| {
            ui.label(format!("{decimals} decimals"));
            if ui.small_button("\u{2212}").clicked() {
                chosen = Some(ColumnCommand::Decimals(false));
            }
            if ui.small_button("+").clicked() {
                chosen = Some(ColumnCommand::Decimals(true));
            }
        });
    }
    if trend::source(entry).is_none() {
        ui.separator();
        let mut offer = |ui: &mut Ui, text: &str, command| {
            if item(ui, text) {
                chosen = Some(command);
            }
        };
        offer(ui, "Add column\u{2026}", ColumnCommand::Add);
        offer(ui, "Rename\u{2026}", ColumnCommand::Rename);
        if entry.column.derive.is_none() {
            offer(ui, &format!("Remove {title} for everyone"), ColumnCommand::Remove);
        }
        restored = removed_menu(ui, frame);
    }
    (chosen, restored)
}

/// Shows a menu item that closes the menu. Returns whether it was clicked.
fn item(ui: &mut Ui, text: &str) -> bool {
    let clicked = ui.button(text).clicked();
    if clicked {
        ui.close();
    }
    clicked
}

fn sort_menu(ui: &mut Ui, config: &mut GridConfig, key: &ColumnKey) {
    let sort = |descending| vec![SortKey { column: key.clone(), descending }];
    if item(ui, "Sort ascending") {
        config.sort = sort(false);
    }
    if item(ui, "Sort descending") {
        config.sort = sort(true);
    }
    if !config.sort.is_empty() {
        if item(ui, "Clear sort") {
            config.sort.clear();
        }
        let title = if config.is_sort_paused { "Resume live sorting" } else { "Pause live sorting" };
        if item(ui, title) {
            config.is_sort_paused = !config.is_sort_paused;
        }
    }
}

fn hidden_menu(ui: &mut Ui, config: &mut GridConfig, frame: &Frame<'_>) {
    let columns = frame.view.watchlist.columns();
    let hidden: Vec<&ColumnEntry> =
        columns.visible().filter(|entry| config.hidden.contains(&entry.column.key)).collect();
    if hidden.is_empty() {
        return;
    }
    ui.menu_button("Show hidden column", |ui| {
        for entry in hidden {
            if ui.button(&*entry.column.title).clicked() {
                config.hidden.remove(&entry.column.key);
                ui.close();
            }
        }
    });
}

fn removed_menu(ui: &mut Ui, frame: &Frame<'_>) -> Option<Command> {
    let removed: Vec<&ColumnEntry> =
        frame.view.watchlist.columns().iter().filter(|entry| entry.column.removed).collect();
    if removed.is_empty() {
        return None;
    }
    let mut restored = None;
    ui.menu_button("Restore column", |ui| {
        for entry in removed {
            if ui.button(&*entry.column.title).clicked() {
                let key = entry.column.key.clone();
                restored = Some(Command::Edit(vec![Change::RestoreColumn(ColumnRef { key })]));
                ui.close();
            }
        }
    });
    restored
}

/// Returns the kinds of a new column and their names. The choice kind has no words yet.
pub fn new_column_kinds() -> [(&'static str, ColumnKind); 6] {
    [
        ("Number", ColumnKind::Number { decimals: 2 }),
        ("Percent", ColumnKind::Percent { decimals: 2 }),
        ("Text", ColumnKind::Text),
        ("Yes or no", ColumnKind::Flag),
        ("Time", ColumnKind::Time),
        ("Choice", ColumnKind::Choice(Vec::new())),
    ]
}
