//! What can be done with a column, from its menu or by name.

use egui::Ui;
use shared::{
    column::ColumnKey,
    edit::{Change, KeyOnly},
    watchlist::ColumnEntry,
};

use super::{
    Frame, GridAction, GridState,
    config::GridConfig,
    filter::shown,
    layout::{self, Layout},
    trend,
};
use crate::theme;

/// Rows that a column is fitted to, those in view first.
const FITTED: usize = 2_000;
/// How much wider or narrower a step makes it, in points.
const STEP: f32 = 16.0;
/// Figures after the point that can be asked for.
const MOST_DECIMALS: u32 = 12;

/// Something to be done with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnCommand {
    /// Show it here no more.
    Hide,
    /// Show those again that are hidden here.
    ShowAll,
    /// Keep it and all before it where the others scroll.
    Freeze,
    /// Keep only the first one there.
    FreezeFirst,
    /// Show or hide its sparkline.
    Trend,
    /// A figure more or less after the point: true is more.
    Decimals(bool),
    /// As wide as what it shows.
    Fit,
    /// Wider or narrower: true is wider.
    Width(bool),
    /// One place towards the first or the last: true is towards the last.
    Move(bool),
    /// Ask for a new one behind it.
    Add,
    /// Ask for its new title.
    Rename,
    /// Take it away for everyone; it can be brought back.
    Remove,
}

/// Does it.
pub(super) fn obey(
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
    // What is done to a sparkline for everyone is done to the column that it draws.
    let own = trend::source(entry).unwrap_or(key).clone();
    let index = table.column_index(key).unwrap_or(0);
    let config = &mut state.config;
    match command {
        ColumnCommand::Hide => match trend::source(entry) {
            Some(source) => drop(config.trends.remove(source)),
            None if table.columns().len() > 1 => drop(config.hidden.insert(key.clone())),
            None => actions.push(GridAction::Say("The last column cannot be hidden.".to_owned())),
        },
        ColumnCommand::ShowAll => {}
        ColumnCommand::Freeze => config.frozen = index + 1,
        ColumnCommand::FreezeFirst => config.frozen = 1,
        ColumnCommand::Trend => {
            if trend::can_draw(entry) {
                config.toggle_trend(key);
            } else {
                let text = "Sparklines draw the numbers that are typed or fed, not those that are computed.";
                actions.push(GridAction::Say(text.to_owned()));
            }
        }
        ColumnCommand::Decimals(more) => set_decimals(config, entry, more),
        ColumnCommand::Fit => fit(ui, state, frame, layout, key),
        ColumnCommand::Width(wider) => {
            let present = layout.column(key).map_or(layout::MIN_WIDTH, |column| column.width);
            let width = if wider { present + STEP } else { present - STEP };
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
                let text =
                    format!("{} is computed from other columns; it can be hidden.", entry.column.title);
                actions.push(GridAction::Say(text));
            } else {
                actions.push(GridAction::Edit(vec![Change::RemoveColumn(KeyOnly { key: key.clone() })]));
            }
        }
    }
}

fn set_decimals(config: &mut GridConfig, entry: &ColumnEntry, more: bool) {
    let Some(present) = entry.column.kind.decimals() else { return };
    let wanted = if more { (present + 1).min(MOST_DECIMALS) } else { present.saturating_sub(1) };
    config.decimals.extend(u8::try_from(wanted).ok().map(|wanted| (entry.column.key.clone(), wanted)));
}

/// Makes a column as wide as what it shows.
pub(super) fn fit(ui: &Ui, state: &mut GridState, frame: &Frame<'_>, layout: &Layout, key: &ColumnKey) {
    let Some(entry) = frame.table.column(key) else { return };
    let reading = frame.view.reading(&entry.column.kind);
    let first = layout.visible_rows().start.saturating_sub(FITTED / 2);
    let rows = (first..(first + FITTED).min(frame.table.len())).filter_map(|index| frame.table.row_at(index));
    // The title of a section goes across the list, however narrow the first column is.
    let rows = rows.filter(|row| !frame.table.is_section(row));
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
