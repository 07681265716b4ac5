//! The top bar above the grid: watchlist tabs, linking, people, connection state and the settings menu.

use std::time::Duration;

use egui::{Align, Button, Color32, Layout, RichText, Sense, Ui, vec2};
use jiff::tz::TimeZone;
use shared::{
    number::Separators,
    wire::server::{DeletedSummary, Summary},
};

use super::{people, view::WindowView};
use crate::{
    command::{AppCommand, Command, DialogKind, RESTORE_WATCHLIST, entry_of, menu_items},
    follow::Group,
    preferences::{GlowSetting, Motion},
    state::AppState,
    store::Connection,
    theme::{self, Density, Palette, ThemeChoice},
};

/// Maximum number of people shown by their initials; the rest are counted.
const MAX_INITIALS: usize = 6;

/// Draws the top bar.
pub fn show(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, palette: &Palette) -> Vec<Command> {
    let mut commands = Vec::new();
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        menu(ui, window, state, &mut commands);
        connection(ui, state.store.connection(), window.now, palette, &mut commands);
        people_present(ui, window, state, palette);
        link(ui, window, palette, &mut commands);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            tabs(ui, window, state, palette, &mut commands);
        });
    });
    commands
}

fn tabs(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    palette: &Palette,
    commands: &mut Vec<Command>,
) {
    let max_width = (ui.available_width() - 36.0).max(60.0);
    egui::ScrollArea::horizontal()
        .id_salt("tabs")
        .max_width(max_width)
        .auto_shrink([true, false])
        .scroll_bar_visibility(egui::scroll_area::ScrollBarVisibility::AlwaysHidden)
        .show(ui, |ui| {
            ui.horizontal_centered(|ui| {
                for summary in state.store.replica().summaries().unwrap_or_default() {
                    tab(ui, window, state, palette, summary, commands);
                }
            });
        });
    let plus =
        ui.add(Button::new(RichText::new("+").font(theme::strong()).color(palette.muted)).frame(false));
    if plus.clicked() {
        commands.push(AppCommand::RequestDeleted.into());
    }
    egui::Popup::menu(&plus.on_hover_text("New, import or restore watchlist")).show(|ui| {
        let new = [DialogKind::NewWatchlist, DialogKind::Import].map(Command::OpenDialog);
        commands.extend(menu_items(ui, &[&new], &window.conditions(state)));
        restore_menu(ui, state, commands);
    });
}

/// Draws the submenu of the deleted watchlists.
fn restore_menu(ui: &mut Ui, state: &AppState, commands: &mut Vec<Command>) {
    let deleted = state.store.deleted();
    ui.add_enabled_ui(!deleted.is_empty(), |ui| {
        let menu = ui.menu_button(RESTORE_WATCHLIST, |ui| {
            for deleted in deleted {
                let entry = ui.button(&*deleted.name);
                if entry
                    .on_hover_text(deletion(deleted, &state.region.zone, state.region.separators))
                    .clicked()
                {
                    commands.push(AppCommand::Restore(deleted.watchlist).into());
                    ui.close();
                }
            }
        });
        menu.response.on_disabled_hover_text("There are no deleted watchlists.");
    });
}

/// Describes a deletion: the local day, who deleted the watchlist, and how many rows it has.
fn deletion(deleted: &DeletedSummary, zone: &TimeZone, separators: Separators) -> String {
    let day = deleted.deleted_at.to_jiff().to_zoned(zone.clone()).date();
    let by = deleted.by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let rows = separators.format_count(deleted.rows, "row", "rows");
    format!("Deleted on {day}{by}, {rows}")
}

fn tab(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    palette: &Palette,
    summary: &Summary,
    commands: &mut Vec<Command>,
) {
    let is_shown = window.list == Some(summary.watchlist);
    // The watchlist has a rename made here before the server's list of watchlists does.
    let name = state.store.watchlist(summary.watchlist).map_or(&summary.name, |watchlist| watchlist.name());
    let shown: String = if name.chars().count() > 28 {
        name.chars().take(27).chain(['…']).collect()
    } else {
        name.to_string()
    };
    let text = RichText::new(shown).font(if is_shown { theme::strong() } else { theme::text() });
    let text = text.color(if is_shown { palette.text } else { palette.muted });
    let fill = if is_shown { palette.background } else { Color32::TRANSPARENT };
    let tab = ui.add(Button::new(text).fill(fill).stroke(egui::Stroke::NONE).min_size(vec2(0.0, 26.0)));
    if is_shown {
        let line = tab.rect.with_min_y(tab.rect.bottom() - 2.0);
        ui.painter().rect_filled(line, 1, palette.accent);
    }
    if tab.clicked() {
        commands.push(Command::Show(summary.watchlist));
    }
    if tab.double_clicked() {
        commands.push(Command::OpenDialog(DialogKind::Rename(summary.watchlist)));
    }
    tab.context_menu(|ui| {
        if ui.button(entry_of(&Command::RenameShownList).title).clicked() {
            commands.push(Command::OpenDialog(DialogKind::Rename(summary.watchlist)));
            ui.close();
        }
        if ui.button(entry_of(&Command::DeleteShownList).title).clicked() {
            commands.push(AppCommand::Delete(summary.watchlist).into());
            ui.close();
        }
    });
}

fn connection(
    ui: &mut Ui,
    connection: &Connection,
    now: Duration,
    palette: &Palette,
    commands: &mut Vec<Command>,
) {
    let (color, text) = match connection {
        Connection::Up { round_trip: None } => (palette.up, "Connected".to_owned()),
        Connection::Up { round_trip: Some(took) } => (palette.up, round_trip(*took)),
        Connection::Connecting => (palette.muted, "Connecting…".to_owned()),
        Connection::Down { reason, retry_at } => {
            let left = retry_at.saturating_sub(now).as_secs();
            let next = if left == 0 { "Reconnecting…".to_owned() } else { format!("Retrying in {left} s") };
            (palette.down, format!("Offline: {reason}. {next}"))
        }
    };
    let is_down = matches!(connection, Connection::Down { .. });
    let reconnect = Command::from(AppCommand::Reconnect);
    if is_down && ui.button(entry_of(&reconnect).title).clicked() {
        commands.push(reconnect);
    }
    let text =
        RichText::new(text).font(theme::small()).color(if is_down { palette.text } else { palette.muted });
    let max_width = (ui.available_width() * 0.6).max(80.0);
    ui.scope(|ui| {
        ui.set_max_width(max_width);
        ui.add(egui::Label::new(text).truncate())
            .on_hover_text("Connection to the server and its round-trip time");
    });
    let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
    ui.painter().circle_filled(dot.center(), 4.0, color);
}

/// Draws the initials of the other people in the watchlist.
fn people_present(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, palette: &Palette) {
    let replica = state.store.replica();
    let list = window.list.and_then(|list| replica.list(list));
    let own = replica.client();
    let others = list.into_iter().flat_map(|list| list.people()).filter(|person| person.client != own);
    let mut clients: Vec<_> = others.map(|person| (person.client, person.name.clone())).collect();
    clients.sort();
    clients.dedup();
    ui.spacing_mut().item_spacing.x = 4.0;
    let shown = clients.len().min(MAX_INITIALS);
    if clients.len() > shown {
        let more = format!("+{}", clients.len() - shown);
        ui.label(RichText::new(more).font(theme::small()).color(palette.muted));
    }
    for (_, name) in clients.iter().take(shown) {
        let color = palette.user_color(people::shade(name));
        let (badge, response) = ui.allocate_exact_size(vec2(22.0, 22.0), Sense::hover());
        ui.painter().circle_filled(badge.center(), 11.0, color);
        let ink = theme::readable(color, color);
        ui.painter().text(
            badge.center(),
            egui::Align2::CENTER_CENTER,
            people::initials(name),
            theme::tiny(),
            ink,
        );
        response.on_hover_text(format!("{name} is viewing this watchlist"));
    }
    ui.spacing_mut().item_spacing.x = 12.0;
}

/// Draws the button that links the window with others.
fn link(ui: &mut Ui, window: &WindowView<'_>, palette: &Palette, commands: &mut Vec<Command>) {
    let group = window.group;
    let (rect, response) = ui.allocate_exact_size(vec2(22.0, 22.0), Sense::click());
    let color = group.map(|group| palette.user_color(group.shade()));
    let width = if response.hovered() || response.has_focus() { 2.0 } else { 1.5 };
    let stroke = egui::Stroke::new(width, color.unwrap_or(palette.muted));
    for side in [-3.5, 3.5] {
        let center = rect.center() + vec2(side, 0.0);
        if let Some(color) = color {
            ui.painter().circle_filled(center, 5.0, color.gamma_multiply(0.45));
        }
        ui.painter().circle_stroke(center, 5.0, stroke);
    }
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(egui::accesskit::Role::Button);
        node.set_label("Link windows");
    });
    let hint = "Windows linked by the same colour follow each other to the same watchlist and row";
    let response = response.on_hover_text(hint);
    egui::Popup::menu(&response).show(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
        choice(ui, group.is_none(), Command::Link(None), commands);
        for other in Group::ALL {
            // The colour is shown before the name.
            ui.horizontal(|ui| {
                let (dot, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
                ui.painter().circle_filled(dot.center(), 5.0, palette.user_color(other.shade()));
                choice(ui, group == Some(other), Command::Link(Some(other)), commands);
            });
        }
    });
}

fn round_trip(took: Duration) -> String {
    match took.as_millis() {
        0 => "< 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}

/// Draws the submenu of the glow settings: duration, extent and motion.
fn glow_menu(ui: &mut Ui, state: &AppState, commands: &mut Vec<Command>) {
    let groups = [
        [0, 1, 2, 5, 10].map(GlowSetting::Seconds).to_vec(),
        [false, true].map(GlowSetting::CellOnly).to_vec(),
        [Motion::System, Motion::Fade, Motion::Still].map(GlowSetting::Motion).to_vec(),
    ];
    ui.menu_button("Glow", |ui| {
        let current = state.preferences().glow;
        for (index, group) in groups.into_iter().enumerate() {
            if index > 0 {
                ui.separator();
            }
            for setting in group {
                choice(ui, current.with(setting) == current, AppCommand::SetGlow(setting), commands);
            }
        }
    });
}

/// Draws a command of the table as a menu item that shows whether it is chosen.
fn choice(ui: &mut Ui, is_chosen: bool, command: impl Into<Command>, commands: &mut Vec<Command>) {
    let command = command.into();
    // The menu has the name of the setting already.
    let button = Button::selectable(is_chosen, entry_of(&command).short).min_size(vec2(110.0, 0.0));
    if ui.add(button).clicked() {
        commands.push(command);
        ui.close();
    }
}

fn menu(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, commands: &mut Vec<Command>) {
    let button = ui.add(Button::new("Settings").frame(false));
    egui::Popup::menu(&button).show(|ui| {
        ui.set_min_width(200.0);
        let preferences = state.preferences();
        for theme in [ThemeChoice::System, ThemeChoice::Dark, ThemeChoice::Light] {
            choice(ui, preferences.theme == theme, AppCommand::SetTheme(theme), commands);
        }
        let is_colour_blind = preferences.colour_blind;
        choice(ui, is_colour_blind, AppCommand::ToggleColourBlind, commands);
        ui.separator();
        glow_menu(ui, state, commands);
        ui.menu_button("Rows", |ui| {
            for density in [Density::Compact, Density::Comfortable] {
                choice(ui, window.grid.density == density, Command::SetDensity(density), commands);
            }
        });
        choice(ui, window.on_top, Command::SetOnTop(!window.on_top), commands);
        ui.separator();
        let others = [
            Command::OpenWindow,
            Command::OpenDialog(DialogKind::Import),
            Command::OpenPalette,
            Command::ShowShortcuts,
        ];
        commands.extend(menu_items(ui, &[&others], &window.conditions(state)));
    });
}

#[cfg(test)]
mod tests {
    use shared::{ids::WatchlistId, time::Timestamp};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_deletion_has_the_local_day_and_a_grouped_number_of_rows() {
        let late: jiff::Timestamp = "2026-03-01T23:30:00Z".parse().unwrap();
        let deleted = |rows| DeletedSummary {
            watchlist: WatchlistId(Uuid::nil()),
            name: "Energy".into(),
            deleted_at: Timestamp::from_millis(late.as_millisecond()),
            by: Some("Ada".into()),
            rows,
        };
        let text = |rows, hours| {
            let zone = TimeZone::fixed(jiff::tz::offset(hours));
            deletion(&deleted(rows), &zone, Separators::ENGLISH)
        };
        assert_eq!(text(1, 0), "Deleted on 2026-03-01 by Ada, 1 row");
        assert_eq!(text(1_200, 1), "Deleted on 2026-03-02 by Ada, 1,200 rows");
    }
}
