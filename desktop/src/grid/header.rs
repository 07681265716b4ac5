//! What a column's header does: sorts, selects, moves, and offers what can be done with the column.

use egui::Ui;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{Change, KeyOnly},
    watchlist::ColumnEntry,
};

use super::{
    Frame, GridAction, GridState,
    filter::shown,
    layout::{self, Layout},
    state::Cursor,
    trend,
};
use crate::theme;

/// Rows that a column is fitted to, those in view first.
const FITTED: usize = 2_000;

/// A click sorts; with Ctrl it selects the column, with Shift it adds to the sorting.
pub(super) fn click(state: &mut GridState, frame: &Frame<'_>, key: &ColumnKey, modifiers: egui::Modifiers) {
    if modifiers.command {
        let cell = Cursor { row: frame.table.id_at(0), column: key.clone() };
        let is_first = state.selection.is_single();
        state.selection.columns(cell.clone(), cell.clone(), !is_first, frame.table);
        state.cursor = Some(cell);
    } else if frame.table.column(key).is_some_and(|entry| trend::source(entry).is_none()) {
        state.config.sort_by(key, modifiers.shift);
    }
}

/// A header was dragged to `x`.
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

/// Makes a column as wide as what it shows.
pub(super) fn fit(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, key: &ColumnKey) {
    let Some(entry) = frame.table.column(key) else { return };
    let reading = frame.view.reading(&entry.column.kind);
    let first = layout.visible_rows().start.saturating_sub(FITTED / 2);
    let rows = (first..(first + FITTED).min(frame.table.len())).filter_map(|index| frame.table.row_at(index));
    let texts = rows.map(|row| shown(&frame.table.value(row, entry), reading));
    let width_of = |text: String, font: egui::FontId| {
        ui.painter().layout_no_wrap(text, font, egui::Color32::PLACEHOLDER).size().x
    };
    let longest = texts.max_by_key(|text| text.chars().count()).unwrap_or_default();
    let title = width_of(entry.column.title.to_string(), theme::small());
    let arrow = if entry.column.kind.is_numeric() { layout::ARROW } else { 0.0 };
    let width = width_of(longest, theme::strong()).max(title) + 2.0 * layout::PADDING + arrow + 4.0;
    state.config.widths.insert(key.clone(), width.clamp(layout::MIN_WIDTH, layout::MAX_WIDTH));
}

/// What can be done with a column.
pub(super) fn menu(
    ui: &mut Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    key: &ColumnKey,
    actions: &mut Vec<GridAction>,
) {
    let Some(entry) = frame.table.column(key) else { return };
    let title = entry.column.title.clone();
    if let Some(source) = trend::source(entry) {
        if ui.button(format!("Hide {title}")).clicked() {
            state.config.trends.remove(source);
            ui.close();
        }
        return;
    }
    let item = |ui: &mut Ui, text: &str| {
        let clicked = ui.button(text).clicked();
        if clicked {
            ui.close();
        }
        clicked
    };
    let sort = |descending| vec![super::order::SortKey { column: key.clone(), descending }];
    if item(ui, "Sort ascending") {
        state.config.sort = sort(false);
    }
    if item(ui, "Sort descending") {
        state.config.sort = sort(true);
    }
    if !state.config.sort.is_empty() {
        if item(ui, "The list's own order") {
            state.config.sort.clear();
        }
        let held = if state.config.is_held { "Sort live" } else { "Hold the order" };
        if item(ui, held) {
            state.config.is_held = !state.config.is_held;
        }
    }
    ui.separator();
    let filters = if state.config.has_filters { "Close the filters" } else { "Filter" };
    if item(ui, filters) {
        state.toggle_filters(Some(key.clone()));
    }
    if frame.table.columns().len() > 1 && item(ui, &format!("Hide {title}")) {
        state.config.hidden.insert(key.clone());
    }
    hidden_menu(ui, state, frame);
    let index = frame.table.column_index(key).unwrap_or(0);
    if index + 1 != state.config.frozen && item(ui, "Freeze up to here") {
        state.config.frozen = index + 1;
    }
    if state.config.frozen > 1 && item(ui, "Freeze only the first") {
        state.config.frozen = 1;
    }
    if entry.column.kind.is_numeric() {
        let has_trend = state.config.trends.contains(key);
        if item(ui, if has_trend { "Hide the sparkline" } else { "Show a sparkline" }) {
            state.config.toggle_trend(key);
        }
    }
    if let Some(decimals) = entry.column.kind.decimals() {
        ui.horizontal(|ui| {
            ui.label(format!("{decimals} decimals"));
            let mut set = |decimals: u32| {
                state.config.decimals.insert(key.clone(), u8::try_from(decimals).unwrap_or(28));
            };
            if ui.small_button("−").clicked() && decimals > 0 {
                set(decimals - 1);
            }
            if ui.small_button("+").clicked() && decimals < 12 {
                set(decimals + 1);
            }
        });
    }
    ui.separator();
    if item(ui, "Add a column…") {
        actions.push(GridAction::AddColumn(key.clone()));
    }
    if item(ui, "Rename…") {
        actions.push(GridAction::RenameColumn(key.clone()));
    }
    if entry.column.derive.is_none() && item(ui, &format!("Remove {title} for everyone")) {
        actions.push(GridAction::Edit(vec![Change::RemoveColumn(KeyOnly { key: key.clone() })]));
    }
    removed_menu(ui, frame, actions);
}

fn hidden_menu(ui: &mut Ui, state: &mut GridState, frame: &Frame<'_>) {
    let columns = frame.view.watchlist.columns();
    let hidden: Vec<&ColumnEntry> =
        columns.visible().filter(|entry| state.config.hidden.contains(&entry.column.key)).collect();
    if hidden.is_empty() {
        return;
    }
    ui.menu_button("Show a hidden column", |ui| {
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
    ui.menu_button("Bring a removed column back", |ui| {
        for entry in removed {
            if ui.button(&*entry.column.title).clicked() {
                let key = entry.column.key.clone();
                actions.push(GridAction::Edit(vec![Change::RestoreColumn(KeyOnly { key })]));
                ui.close();
            }
        }
    });
}

/// The kinds that a new column can be of, by name; a choice has no words yet.
pub fn kinds() -> [(&'static str, ColumnKind); 6] {
    [
        ("Number", ColumnKind::Number { decimals: 2 }),
        ("Percent", ColumnKind::Percent { decimals: 2 }),
        ("Text", ColumnKind::Text),
        ("Yes or no", ColumnKind::Flag),
        ("Time", ColumnKind::Time),
        ("Choice", ColumnKind::Choice(Vec::new())),
    ]
}
