//! A month calendar in which a day is picked with the arrow keys or a click.

use egui::{Align2, Button, Key, RichText, Sense, Ui, vec2};
use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

use crate::{
    grid::{filter::parse_timestamp, view::GridView},
    theme,
};

/// Size of a day's cell, in points.
const DAY: egui::Vec2 = vec2(30.0, 24.0);
/// Maximum number of weeks that a month spans.
const WEEKS: i64 = 6;

/// Parses the day in a text.
pub(super) fn day_of(text: &str, view: &GridView<'_>) -> Option<Date> {
    Some(parse_timestamp(text.trim(), view.zone)?.to_zoned(view.zone.clone()).date())
}

/// Formats a day for the editor, keeping the time of day in `text`.
pub(super) fn format_day(day: Date, text: &str, view: &GridView<'_>) -> String {
    let time =
        parse_timestamp(text.trim(), view.zone).map(|moment| moment.to_zoned(view.zone.clone()).time());
    match time.filter(|time| *time != jiff::civil::Time::midnight()) {
        Some(time) => format!("{day} {}", time.strftime("%H:%M:%S")),
        None => day.to_string(),
    }
}

/// Returns the day that the pressed key leads to: arrows step by days and weeks, PgUp and PgDn by months.
/// `consume` returns whether a key was pressed.
pub(super) fn day_after_key(day: Date, mut consume: impl FnMut(Key) -> bool) -> Option<Date> {
    let steps = [
        (Key::ArrowLeft, (-1).days()),
        (Key::ArrowRight, 1.day()),
        (Key::ArrowUp, (-7).days()),
        (Key::ArrowDown, 7.days()),
        (Key::PageUp, (-1).months()),
        (Key::PageDown, 1.month()),
    ];
    let (_, span) = steps.into_iter().find(|(key, _)| consume(*key))?;
    day.checked_add(span).ok()
}

/// Shows the month of a day. Returns the day that was clicked.
pub(super) fn show(ui: &mut Ui, day: Date, view: &GridView<'_>) -> Option<Date> {
    let palette = view.palette;
    let mut chosen = None;
    ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
    ui.set_width(DAY.x * 7.0);
    ui.horizontal(|ui| {
        if ui.add(Button::new("\u{2039}").frame(false)).on_hover_text("PgUp").clicked() {
            chosen = day.checked_sub(1.month()).ok();
        }
        let title = RichText::new(day.strftime("%B %Y").to_string()).font(theme::strong());
        let room = ui.available_width() - 24.0;
        ui.add_sized(vec2(room, 24.0), egui::Label::new(title));
        if ui.add(Button::new("\u{203a}").frame(false)).on_hover_text("PgDn").clicked() {
            chosen = day.checked_add(1.month()).ok();
        }
    });
    ui.horizontal(|ui| {
        for name in ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"] {
            let name = RichText::new(name).font(theme::small()).color(palette.muted);
            ui.add_sized(vec2(DAY.x, 20.0), egui::Label::new(name));
        }
    });
    let first = day.first_of_month();
    let before = i64::from(first.weekday().since(Weekday::Monday));
    for week in 0..WEEKS {
        ui.horizontal(|ui| {
            for weekday in 0..7 {
                let Ok(shown) = first.checked_add((week * 7 + weekday - before).days()) else { continue };
                if show_day(ui, shown, day, view) {
                    chosen = Some(shown);
                }
            }
        });
    }
    chosen
}

fn show_day(ui: &mut Ui, shown: Date, chosen: Date, view: &GridView<'_>) -> bool {
    let palette = view.palette;
    let (rect, response) = ui.allocate_exact_size(DAY, Sense::click());
    let is_chosen = shown == chosen;
    let background = if is_chosen {
        palette.accent
    } else if response.hovered() {
        palette.hover
    } else {
        palette.bars
    };
    let within = rect.shrink(1.0);
    ui.painter().rect_filled(within, theme::RADIUS, background);
    if shown == view.today && !is_chosen {
        let stroke = egui::Stroke::new(1.0, palette.accent);
        ui.painter().rect_stroke(within, theme::RADIUS, stroke, egui::StrokeKind::Inside);
    }
    let color = if shown.month() == chosen.month() { palette.text } else { palette.muted };
    let color = theme::readable(color, background);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, shown.day().to_string(), theme::small(), color);
    let name = shown.strftime("%-d %B %Y").to_string();
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(egui::accesskit::Role::Button);
        node.set_label(name);
        node.set_selected(is_chosen);
    });
    response.clicked()
}
