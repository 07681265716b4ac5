//! The status bar below the grid: row count, selection summary, unsent edits and revision.

use egui::{Align, Label, Layout, RichText, Ui};
use shared::{
    account::ListRole,
    ids::{Revision, WatchlistId},
    number::Separators,
};

use crate::{
    command::{GridCommand, entry_of},
    grid::sums::Summary,
    state::AppState,
    theme::{self, Palette},
};

use super::view::WindowView;

/// Distance between the parts of the bar, in points.
const DISTANCE: f32 = 16.0;

/// Content of the status bar.
#[derive(Clone, Debug)]
pub struct Status<'a> {
    /// Total and visible number of rows without sections; `None` without a loaded watchlist.
    pub rows: Option<(usize, usize)>,
    /// When the rows were copied, if they are those of an earlier run, in words.
    pub copied_at: Option<String>,
    /// Summary of the selection, if it has more than one cell.
    pub sums: Option<&'a Summary>,
    /// Why the server cannot serve the watchlist, if it cannot; the rows shown are then out of date.
    pub unavailable_reason: Option<&'a str>,
    /// Who shares the watchlist and what the person may do, if it is not their own.
    pub shared_by: Option<String>,
    /// What hidden columns do to the rows, in words.
    pub hidden: Option<String>,
    /// Whether live sorting is paused.
    pub is_sort_paused: bool,
    /// Number of edits that the server has not answered.
    pub waiting: usize,
    /// Revision of the watchlist.
    pub revision: Option<Revision>,
    /// How numbers are shown.
    pub separators: Separators,
}

impl<'a> Status<'a> {
    /// Collects the status of a window.
    pub fn of(window: &WindowView<'a>, state: &'a AppState) -> Self {
        let replica = state.store.replica();
        let list = window.list.and_then(|list| replica.list(list));
        let watchlist = list.and_then(|list| list.state());
        Self {
            rows: watchlist.map(|_| window.grid.row_counts()),
            copied_at: window.list.and_then(|list| state.store.copied_at(list)).map(|at| {
                let local = at.to_jiff().to_zoned(state.region.zone.clone());
                local.strftime("%-d %B %Y, %H:%M").to_string()
            }),
            sums: window.grid.sums().get(),
            unavailable_reason: window.list.and_then(|list| state.store.unavailable_reason(list)),
            shared_by: window.list.and_then(|list| shared_by(list, state)),
            hidden: watchlist.and_then(|watchlist| window.grid.config.hidden_effect(watchlist)),
            is_sort_paused: window.grid.config.is_sort_paused && !window.grid.config.sort.is_empty(),
            waiting: replica.unanswered_count(),
            revision: list.and_then(|list| list.at()).map(|at| at.revision),
            separators: state.region.separators,
        }
    }
}

/// Returns who shares a watchlist and what the person may do, if it is not their own.
fn shared_by(list: WatchlistId, state: &AppState) -> Option<String> {
    let account = &state.joined.as_ref()?.account;
    let may = match state.store.role(list)? {
        ListRole::Owner => return None,
        ListRole::Editor => "",
        ListRole::Viewer => "View only. ",
    };
    let owners = account.owners(list).join(", ");
    let by = if owners.is_empty() { String::new() } else { format!("Shared by {owners}") };
    Some(format!("{may}{by}")).filter(|text| !text.is_empty())
}

/// Draws the status bar.
pub fn show(ui: &mut Ui, status: &Status<'_>, palette: &Palette) {
    let quiet = |text: String| RichText::new(text).font(theme::small()).color(palette.muted);
    let strong = |text: String| RichText::new(text).font(theme::small()).color(palette.text);
    let waiting = (status.waiting > 0)
        .then(|| format!("{} pending", status.separators.format_count(status.waiting, "edit", "edits")));
    let revision = status.revision.map(|revision| format!("Revision {revision}"));
    let width =
        |text: &String| ui.painter().layout_no_wrap(text.clone(), theme::small(), palette.text).size().x;
    // What is at the right end is drawn last: screen readers follow that order.
    let right: f32 = waiting.iter().chain(&revision).map(|text| width(text) + DISTANCE).sum();
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = DISTANCE;
        let left = egui::vec2((ui.available_width() - right).max(0.0), ui.available_height());
        ui.allocate_ui_with_layout(left, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(left.x);
            if let Some((all, shown)) = status.rows {
                ui.label(quiet(row_count(status.separators, all, shown)));
                if let Some(copied_at) = &status.copied_at {
                    let text = format!("Offline copy from {copied_at}");
                    let hint = "Not connected yet. Your edits will be sent once the server responds.";
                    let text = RichText::new(text).font(theme::small()).color(palette.down);
                    ui.add(Label::new(text).truncate()).on_hover_text(hint);
                }
                if let Some(why) = status.unavailable_reason {
                    let text = RichText::new(format!("Not up to date. {why}")).font(theme::small());
                    ui.add(Label::new(text.color(palette.down)).truncate()).on_hover_text(why);
                }
                if let Some(text) = &status.shared_by {
                    let text = RichText::new(text).font(theme::small()).color(palette.muted);
                    ui.add(Label::new(text).truncate());
                }
                if let Some(text) = &status.hidden {
                    let text = RichText::new(text).font(theme::small()).color(palette.accent);
                    ui.add(Label::new(text).truncate());
                }
                if status.is_sort_paused {
                    let key = entry_of(&GridCommand::SortAgain.into()).key();
                    ui.label(quiet(format!("Sorting paused. Press {key} to sort.")));
                }
                if let Some(summary) = status.sums.filter(|summary| summary.cells > 0) {
                    sums(ui, summary, status.separators, palette);
                }
            }
        });
        waiting.map(|text| ui.label(strong(text)));
        revision.map(|text| ui.label(quiet(text)));
    });
}

/// Returns the row count, as "20 rows" or "5 of 20 rows".
fn row_count(separators: Separators, all: usize, shown: usize) -> String {
    let rows = separators.format_count(all, "row", "rows");
    if shown == all { rows } else { format!("{} of {rows}", separators.format(shown.into(), 0)) }
}

fn sums(ui: &mut Ui, summary: &Summary, separators: Separators, palette: &Palette) {
    let quiet = |text: &str| RichText::new(text).font(theme::small()).color(palette.muted);
    let strong = |text: String| RichText::new(text).font(theme::small()).color(palette.text);
    ui.label(quiet(&format!("{} selected", separators.format(summary.cells.into(), 0))));
    let figures = [
        ("sum", summary.sum),
        // The average has at least as many decimals as the sum.
        (
            "average",
            summary.average().zip(summary.sum).map(|(average, sum)| average.round_dp(sum.scale().max(2))),
        ),
        ("min", summary.min),
        ("max", summary.max),
    ];
    for (name, figure) in figures.into_iter().filter(|_| summary.numbers > 1) {
        let Some(figure) = figure else { continue };
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(quiet(name));
        let decimals = figure.scale().clamp(2, 6);
        ui.label(strong(separators.format(figure, decimals)));
        ui.add_space(8.0);
    }
}
