//! The bar below the grid: how many rows, what waits, which revision.

use egui::{Align, Layout, RichText, Ui};
use shared::number::{Separators, format_grouped};

use crate::{
    dispatch::Core,
    grid::sums::Summary,
    theme::{self, Palette},
    window::Window,
};

/// Shows the bar.
pub fn show(ui: &mut Ui, window: &Window, core: &Core, palette: &Palette) {
    let quiet = |text: String| RichText::new(text).font(theme::small()).color(palette.muted);
    let replica = core.store.replica();
    let list = window.list().and_then(|list| replica.list(list));
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        if let Some(at) = list.and_then(|list| list.at()) {
            ui.label(quiet(format!("rev {}", at.revision)));
        }
        let waiting = replica.waiting();
        if waiting > 0 {
            let text = format!("{} waiting", count(waiting, "edit", "edits"));
            ui.label(RichText::new(text).font(theme::small()).color(palette.accent));
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if let Some(watchlist) = list.and_then(|list| list.state()) {
                ui.label(quiet(rows(watchlist.rows().len(), window.grid.table(watchlist).len())));
                if let Some(summary) = window.grid.sums().get() {
                    sums(ui, summary, window.separators(), palette);
                }
            }
        });
    });
}

/// How many rows there are, and how many of them are shown.
fn rows(all: usize, shown: usize) -> String {
    if shown == all {
        count(all, "row", "rows")
    } else {
        format!("{} of {}", format_grouped(shown.into(), 0), count(all, "row", "rows"))
    }
}

fn sums(ui: &mut Ui, summary: &Summary, separators: Separators, palette: &Palette) {
    let quiet = |text: &str| RichText::new(text).font(theme::small()).color(palette.muted);
    let strong = |text: String| RichText::new(text).font(theme::small()).color(palette.text);
    ui.label(quiet(&format!("{} selected", format_grouped(summary.filled.into(), 0))));
    let figures = [
        ("sum", summary.sum),
        ("mean", summary.average()),
        ("min", summary.least),
        ("max", summary.greatest),
    ];
    for (name, figure) in figures.into_iter().filter(|_| summary.numbers > 1) {
        let Some(figure) = figure else { continue };
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(quiet(name));
        let decimals = figure.scale().clamp(2, 6);
        ui.label(strong(separators.localized(format_grouped(figure, decimals))));
        ui.add_space(8.0);
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", format_grouped(number.into(), 0), if number == 1 { one } else { many })
}
