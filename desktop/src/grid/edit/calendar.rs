//! A month calendar in which a day is picked with the arrow keys or a click.

use egui::{Align2, Button, RichText, Sense, Ui, vec2};
use jiff::{
    ToSpan, Zoned,
    civil::{Date, Weekday},
};

use crate::{
    command::{EditorCommand, GridCommand, PickerCommand, entry_of},
    grid::{times::read_time, view::GridView},
    theme,
};

/// Size of a day's cell, in points.
const DAY: egui::Vec2 = vec2(30.0, 24.0);
/// Maximum number of weeks that a month spans.
const WEEKS: i64 = 6;

/// Parses the day in a text.
pub(super) fn day_of(text: &str, view: &GridView<'_>) -> Option<Date> {
    Some(local_time(text, view)?.date())
}

/// Formats a day for the editor, keeping the time of day in `text`.
pub(super) fn format_day(day: Date, text: &str, view: &GridView<'_>) -> String {
    let time = local_time(text, view).map(|local| local.time());
    match time.filter(|time| *time != jiff::civil::Time::midnight()) {
        Some(time) => format!("{day} {}", time.strftime("%H:%M:%S")),
        None => day.to_string(),
    }
}

fn local_time(text: &str, view: &GridView<'_>) -> Option<Zoned> {
    let time = read_time(text.trim(), view.zone, view.today).ok()?;
    Some(time.to_jiff().to_zoned(view.zone.clone()))
}

/// Returns the day that a command of the calendar leads to.
pub(super) fn day_after(day: Date, command: PickerCommand) -> Option<Date> {
    match command {
        PickerCommand::Days(days) => day.checked_add(days.days()).ok(),
        PickerCommand::Months(months) => day.checked_add(months.months()).ok(),
        PickerCommand::Choose { .. } => None,
    }
}

/// Shows the month of a day. Returns the day that was clicked.
pub(super) fn show(ui: &mut Ui, day: Date, view: &GridView<'_>) -> Option<Date> {
    let palette = view.palette;
    let mut chosen = None;
    ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
    ui.set_width(DAY.x * 7.0);
    ui.horizontal(|ui| {
        chosen = month_button(ui, "\u{2039}", day, PickerCommand::Months(-1)).or(chosen);
        let title = RichText::new(day.strftime("%B %Y").to_string()).font(theme::strong());
        let room = ui.available_width() - 24.0;
        ui.add_sized(vec2(room, 24.0), egui::Label::new(title));
        chosen = month_button(ui, "\u{203a}", day, PickerCommand::Months(1)).or(chosen);
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

/// Shows the button of a command. Returns the day that it leads to if it was clicked.
fn month_button(ui: &mut Ui, symbol: &str, day: Date, command: PickerCommand) -> Option<Date> {
    let entry = entry_of(&GridCommand::Editor(EditorCommand::Pick(command)).into());
    let button = ui.add(Button::new(symbol).frame(false)).on_hover_text(entry.hint());
    button.clicked().then(|| day_after(day, command)).flatten()
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
