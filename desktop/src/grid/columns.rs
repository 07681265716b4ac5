//! Column commands, from the column menu or the command palette.

use egui::Ui;
use shared::{
    column::ColumnKey,
    edit::{Change, ColumnRef},
    watchlist::ColumnEntry,
};

use super::{
    Frame, GridAction, GridState,
    config::GridConfig,
    filter::display_text,
    layout::{self, Layout},
    trend,
};
use crate::theme;

/// Number of rows that a column is fitted to, around the visible ones.
const FITTED: usize = 2_000;
/// Step by which a command changes a column's width, in points.
const STEP: f32 = 16.0;
/// Maximum number of decimals.
const MAX_DECIMALS: u32 = 12;

/// A command for one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnCommand {
    /// Hides the column in this window.
    Hide,
    /// Shows all columns that are hidden in this window.
    ShowAll,
    /// Freezes the columns up to this one.
    Freeze,
    /// Freezes only the first column.
    FreezeFirst,
    /// Toggles the column's sparkline.
    Trend,
    /// Shows one decimal more or fewer: true is more.
    Decimals(bool),
    /// Fits the width to the content.
    Fit,
    /// Makes the column wider or narrower: true is wider.
    Width(bool),
    /// Moves the column one place left or right: true is right.
    Move(bool),
    /// Opens the dialog for a new column, which goes after this one.
    Add,
    /// Opens the dialog that renames the column.
    Rename,
    /// Removes the column for everyone. It can be restored.
    Remove,
}

/// Executes a column command.
pub(super) fn execute_column_command(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    command: ColumnCommand,
    actions: &mut Vec<GridAction>,
) {
    let table = frame.table;
    if command == ColumnCommand::ShowAll {
        state.config.hidden.clear();
    }
    let Some(entry) = table.column(key) else { return };
    // Commands that affect everyone apply to the column that a sparkline draws.
    let own = trend::source(entry).unwrap_or(key).clone();
    let index = table.column_index(key).unwrap_or(0);
    let config = &mut state.config;
    match command {
        ColumnCommand::Hide => match trend::source(entry) {
            Some(source) => drop(config.trends.remove(source)),
            None if table.columns().len() > 1 => drop(config.hidden.insert(key.clone())),
            None => actions.push(GridAction::Notify("The last column cannot be hidden.".to_owned())),
        },
        ColumnCommand::ShowAll => {}
        ColumnCommand::Freeze => config.frozen = index + 1,
        ColumnCommand::FreezeFirst => config.frozen = 1,
        ColumnCommand::Trend => {
            if trend::can_draw(entry) {
                config.toggle_trend(key);
            } else {
                let text = "Sparklines are not available for computed columns.";
                actions.push(GridAction::Notify(text.to_owned()));
            }
        }
        ColumnCommand::Decimals(more) => set_decimals(config, entry, more),
        ColumnCommand::Fit => fit(ui, state, frame, layout, key),
        ColumnCommand::Width(wider) => {
            let current = layout.column(key).map_or(layout::MIN_WIDTH, |column| column.width);
            let width = if wider { current + STEP } else { current - STEP };
            config.widths.insert(key.clone(), width.clamp(layout::MIN_WIDTH, layout::MAX_WIDTH));
        }
        ColumnCommand::Move(towards_last) => {
            let before = if towards_last { index + 2 } else { index.saturating_sub(1) };
            if towards_last || index > 0 {
                let before = table.columns().get(before).map(|entry| entry.column.key.clone());
                config.place(frame.view.watchlist, key, before.as_ref());
            }
        }
        ColumnCommand::Add => actions.push(GridAction::AddColumn(own)),
        ColumnCommand::Rename => actions.push(GridAction::RenameColumn(own)),
        ColumnCommand::Remove => {
            if entry.column.derive.is_some() {
                let text = format!("{} is computed from other columns. Hide it instead.", entry.column.title);
                actions.push(GridAction::Notify(text));
            } else {
                actions.push(GridAction::Edit(vec![Change::RemoveColumn(ColumnRef { key: key.clone() })]));
            }
        }
    }
}

fn set_decimals(config: &mut GridConfig, entry: &ColumnEntry, more: bool) {
    let Some(current) = entry.column.kind.decimals() else { return };
    let decimals = if more { (current + 1).min(MAX_DECIMALS) } else { current.saturating_sub(1) };
    config.decimals.extend(u8::try_from(decimals).ok().map(|decimals| (entry.column.key.clone(), decimals)));
}

/// Fits a column's width to its content.
pub(super) fn fit(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, key: &ColumnKey) {
    let Some(entry) = frame.table.column(key) else { return };
    let format = frame.view.value_format(&entry.column.kind);
    let first = layout.visible_rows().start.saturating_sub(FITTED / 2);
    let rows = (first..(first + FITTED).min(frame.table.len())).filter_map(|index| frame.table.row_at(index));
    // A section title spans the list, so it does not need a wide first column.
    let rows = rows.filter(|row| !frame.table.is_section(row));
    let texts = rows.map(|row| display_text(&frame.table.value(row, entry), format));
    let width_of = |text: String, font: egui::FontId| {
        ui.painter().layout_no_wrap(text, font, egui::Color32::PLACEHOLDER).size().x
    };
    let longest = texts.max_by_key(|text| text.chars().count()).unwrap_or_default();
    let title = width_of(entry.column.title.to_string(), theme::small());
    let arrow = if entry.column.kind.is_numeric() { layout::ARROW } else { 0.0 };
    let width = width_of(longest, theme::strong()).max(title) + 2.0 * layout::PADDING + arrow + 4.0;
    state.config.widths.insert(key.clone(), width.clamp(layout::MIN_WIDTH, layout::MAX_WIDTH));
}
