//! The bar below the grid: how many rows, what waits, which revision.

use egui::{Align, Layout, RichText, Ui};
use shared::number::format_grouped;

use crate::{
    dispatch::Core,
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
                ui.label(quiet(count(watchlist.rows().len(), "row", "rows")));
            }
        });
    });
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", format_grouped(number.into(), 0), if number == 1 { one } else { many })
}
