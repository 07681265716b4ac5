//! The status bar below the grid: row count, selection summary, unsent edits and revision.

use egui::{Align, Label, Layout, RichText, Ui};
use shared::{ids::Revision, number::Separators};

use crate::{
    command::{GridCommand, entry_of},
    grid::sums::Summary,
    state::AppState,
    theme::{self, Palette},
};

use super::view::WindowView;

/// Content of the status bar.
#[derive(Clone, Debug)]
pub struct Status<'a> {
    /// Total and visible number of rows; `None` without a loaded watchlist.
    pub rows: Option<(usize, usize)>,
    /// Summary of the selection, if it has more than one cell.
    pub sums: Option<&'a Summary>,
    /// Why the server cannot serve the watchlist, if it cannot; the rows shown are then out of date.
    pub unavailable_reason: Option<&'a str>,
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
            rows: watchlist.map(|list| (list.rows().len(), window.grid.table(list).len())),
            sums: window.grid.sums().get(),
            unavailable_reason: window.list.and_then(|list| state.store.unavailable_reason(list)),
            is_sort_paused: window.grid.config.is_sort_paused && !window.grid.config.sort.is_empty(),
            waiting: replica.unanswered_count(),
            revision: list.and_then(|list| list.at()).map(|at| at.revision),
            separators: state.region.separators,
        }
    }
}

/// Draws the status bar.
pub fn show(ui: &mut Ui, status: &Status<'_>, palette: &Palette) {
    let quiet = |text: String| RichText::new(text).font(theme::small()).color(palette.muted);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        if let Some(revision) = status.revision {
            ui.label(quiet(format!("Revision {revision}")));
        }
        if status.waiting > 0 {
            let text = format!("{} pending", status.separators.format_count(status.waiting, "edit", "edits"));
            ui.label(RichText::new(text).font(theme::small()).color(palette.accent));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if let Some((all, shown)) = status.rows {
                ui.label(quiet(row_count(status.separators, all, shown)));
                if let Some(why) = status.unavailable_reason {
                    let text = RichText::new(format!("Not up to date. {why}")).font(theme::small());
                    ui.add(Label::new(text.color(palette.down)).truncate()).on_hover_text(why);
                }
                if status.is_sort_paused {
                    let key = entry_of(&GridCommand::SortAgain.into()).key();
                    ui.label(quiet(format!("Sorting paused. Press {key} to sort.")));
                }
                if let Some(summary) = status.sums {
                    sums(ui, summary, status.separators, palette);
                }
            }
        });
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
