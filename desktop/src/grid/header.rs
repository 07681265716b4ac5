//! Column headers: clicks that sort and select, dragging, and the column menu.

use egui::Ui;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{Change, ColumnRef},
    watchlist::ColumnEntry,
};

use super::{
    Frame, GridAction, GridState,
    columns::{self, ColumnCommand},
    layout::Layout,
    state::Cursor,
    trend,
};

/// Handles a click on a header: sorts by the column, adds a sort key with Shift, selects the column with
/// Ctrl.
pub(super) fn click(state: &mut GridState, frame: &Frame<'_>, key: &ColumnKey, modifiers: egui::Modifiers) {
    if modifiers.command {
        let cell = Cursor { row: frame.table.id_at(0), column: key.clone() };
        let is_first = state.selection.is_single();
        state.selection.select_columns(cell.clone(), cell.clone(), !is_first, frame.table);
        state.cursor = Some(cell);
    } else if frame.table.column(key).is_some_and(|entry| trend::source(entry).is_none()) {
        state.config.sort_by(key, modifiers.shift);
    }
}

/// Moves a column whose header was dragged to `x`.
pub(super) fn drop_column(
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    x: f32,
) {
    let before = layout.column_before(x).map(|column| column.entry.column.key.clone());
    if before.as_ref() != Some(key) {
        state.config.place(frame.view.watchlist, key, before.as_ref());
    }
}

/// Shows the menu of a column.
pub(super) fn menu(
    ui: &mut Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    actions: &mut Vec<GridAction>,
) {
    let Some(entry) = frame.table.column(key) else { return };
    let title = entry.column.title.clone();
    let mut chosen = None;
    if trend::source(entry).is_none() {
        sort_menu(ui, state, key);
        ui.separator();
        let filters = if state.config.has_filters { "Hide filters" } else { "Filter" };
        if item(ui, filters) {
            state.toggle_filters(Some(key.clone()));
        }
    }
    let mut offer = |ui: &mut Ui, text: &str, command| {
        if item(ui, text) {
            chosen = Some(command);
        }
    };
    offer(ui, &format!("Hide {title}"), ColumnCommand::Hide);
    hidden_menu(ui, state, frame);
    let index = frame.table.column_index(key).unwrap_or(0);
    if index + 1 != state.config.frozen {
        offer(ui, "Freeze columns up to this one", ColumnCommand::Freeze);
    }
    if state.config.frozen > 1 {
        offer(ui, "Freeze only the first column", ColumnCommand::FreezeFirst);
    }
    offer(ui, "Fit to content", ColumnCommand::Fit);
    if trend::can_draw(entry) {
        let has_trend = state.config.trends.contains(key);
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
        removed_menu(ui, frame, actions);
    }
    if let Some(command) = chosen {
        columns::execute_column_command(ui, state, frame, layout, key, command, actions);
    }
}

/// Shows a menu item that closes the menu. Returns whether it was clicked.
fn item(ui: &mut Ui, text: &str) -> bool {
    let clicked = ui.button(text).clicked();
    if clicked {
        ui.close();
    }
    clicked
}

fn sort_menu(ui: &mut Ui, state: &mut GridState, key: &ColumnKey) {
    let sort = |descending| vec![super::order::SortKey { column: key.clone(), descending }];
    if item(ui, "Sort ascending") {
        state.config.sort = sort(false);
    }
    if item(ui, "Sort descending") {
        state.config.sort = sort(true);
    }
    if !state.config.sort.is_empty() {
        if item(ui, "Clear sort") {
            state.config.sort.clear();
        }
        let title = if state.config.is_sort_paused { "Resume live sorting" } else { "Pause live sorting" };
        if item(ui, title) {
            state.config.is_sort_paused = !state.config.is_sort_paused;
        }
    }
}

fn hidden_menu(ui: &mut Ui, state: &mut GridState, frame: &Frame<'_>) {
    let columns = frame.view.watchlist.columns();
    let hidden: Vec<&ColumnEntry> =
        columns.visible().filter(|entry| state.config.hidden.contains(&entry.column.key)).collect();
    if hidden.is_empty() {
        return;
    }
    ui.menu_button("Show hidden column", |ui| {
        for entry in hidden {
            if ui.button(&*entry.column.title).clicked() {
                state.config.hidden.remove(&entry.column.key);
                ui.close();
            }
        }
    });
}

fn removed_menu(ui: &mut Ui, frame: &Frame<'_>, actions: &mut Vec<GridAction>) {
    let removed: Vec<&ColumnEntry> =
        frame.view.watchlist.columns().iter().filter(|entry| entry.column.removed).collect();
    if removed.is_empty() {
        return;
    }
    ui.menu_button("Restore column", |ui| {
        for entry in removed {
            if ui.button(&*entry.column.title).clicked() {
                let key = entry.column.key.clone();
                actions.push(GridAction::Edit(vec![Change::RestoreColumn(ColumnRef { key })]));
                ui.close();
            }
        }
    });
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
