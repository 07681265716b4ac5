//! The top bar above the grid: watchlist tabs, linking, people, connection state and the settings menu.

use std::time::{Duration, Instant};

use egui::{Align, Button, Color32, Layout, RichText, Sense, Ui, vec2};
use shared::wire::server::Summary;

use super::{commands::glow_choices, people, view::WindowView};
use crate::{
    action::{Action, DialogKind, WindowAction},
    follow::Group,
    grid::config::Density,
    state::AppState,
    store::Connection,
    theme::{self, Palette, ThemeChoice},
};

/// Maximum number of people shown by their initials; the rest are counted.
const MAX_INITIALS: usize = 6;

/// Draws the top bar.
pub fn show(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, palette: &Palette) -> Vec<WindowAction> {
    let mut actions = Vec::new();
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 12.0;
        menu(ui, window, state, &mut actions);
        connection(ui, state.store.connection(), palette, &mut actions);
        people_present(ui, window, state, palette);
        link(ui, window, palette, &mut actions);
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            tabs(ui, window, state, palette, &mut actions);
        });
    });
    actions
}

fn tabs(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    palette: &Palette,
    actions: &mut Vec<WindowAction>,
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
                    tab(ui, window, state, palette, summary, actions);
                }
            });
        });
    let plus =
        ui.add(Button::new(RichText::new("+").font(theme::strong()).color(palette.muted)).frame(false));
    if plus.clicked() {
        actions.push(Action::RequestDeleted.into());
    }
    egui::Popup::menu(&plus.on_hover_text("New watchlist")).show(|ui| {
        if ui.button("New watchlist…").clicked() {
            actions.push(WindowAction::OpenDialog(DialogKind::NewWatchlist));
            ui.close();
        }
        if ui.button("Import CSV file…").clicked() {
            actions.push(WindowAction::OpenDialog(DialogKind::Import));
            ui.close();
        }
        restore_menu(ui, state, actions);
    });
}

/// Draws the submenu of the deleted watchlists.
fn restore_menu(ui: &mut Ui, state: &AppState, actions: &mut Vec<WindowAction>) {
    let deleted = state.store.deleted();
    ui.add_enabled_ui(!deleted.is_empty(), |ui| {
        ui.menu_button("Restore deleted watchlist", |ui| {
            for deleted in deleted {
                let day = deleted.deleted_at.to_string();
                let day = day.split('T').next().unwrap_or_default();
                let by = deleted.by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
                let entry = ui.button(&*deleted.name);
                if entry.on_hover_text(format!("Deleted on {day}{by}, {} rows", deleted.rows)).clicked() {
                    actions.push(Action::Restore(deleted.watchlist).into());
                    ui.close();
                }
            }
        });
    });
}

fn tab(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    palette: &Palette,
    summary: &Summary,
    actions: &mut Vec<WindowAction>,
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
        actions.push(WindowAction::Show(summary.watchlist));
    }
    if tab.double_clicked() {
        actions.push(WindowAction::OpenDialog(DialogKind::Rename(summary.watchlist)));
    }
    tab.context_menu(|ui| {
        if ui.button("Rename…").clicked() {
            actions.push(WindowAction::OpenDialog(DialogKind::Rename(summary.watchlist)));
            ui.close();
        }
        if ui.button("Delete").clicked() {
            actions.push(Action::Delete(summary.watchlist).into());
            ui.close();
        }
    });
}

fn connection(ui: &mut Ui, connection: &Connection, palette: &Palette, actions: &mut Vec<WindowAction>) {
    let (color, text) = match connection {
        Connection::Up { round_trip: None } => (palette.up, "Connected".to_owned()),
        Connection::Up { round_trip: Some(took) } => (palette.up, round_trip(*took)),
        Connection::Connecting => (palette.muted, "Connecting…".to_owned()),
        Connection::Down { reason, retry_at } => {
            let left = retry_at.saturating_duration_since(Instant::now()).as_secs();
            let next = if left == 0 { "Reconnecting…".to_owned() } else { format!("Retrying in {left} s") };
            (palette.down, format!("Offline: {reason}. {next}"))
        }
    };
    let is_down = matches!(connection, Connection::Down { .. });
    if is_down && ui.button("Retry now").clicked() {
        actions.push(Action::Reconnect.into());
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
fn link(ui: &mut Ui, window: &WindowView<'_>, palette: &Palette, actions: &mut Vec<WindowAction>) {
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
        if ui.add(Button::selectable(group.is_none(), "Not linked")).clicked() {
            actions.push(WindowAction::Link(None));
            ui.close();
        }
        for (other, name) in Group::ALL {
            // The colour is shown before the name.
            let entry = Button::selectable(group == Some(other), name);
            let entry = ui.horizontal(|ui| {
                let (dot, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
                ui.painter().circle_filled(dot.center(), 5.0, palette.user_color(other.shade()));
                ui.add(entry.min_size(vec2(110.0, 0.0)))
            });
            if entry.inner.clicked() {
                actions.push(WindowAction::Link(Some(other)));
                ui.close();
            }
        }
    });
}

fn round_trip(took: Duration) -> String {
    match took.as_millis() {
        0 => "< 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}

/// Draws the submenu of the glow settings.
fn glow_menu(ui: &mut Ui, state: &AppState, actions: &mut Vec<WindowAction>) {
    ui.menu_button("Glow", |ui| {
        let present = state.preferences().glow;
        for (index, (title, choice)) in glow_choices(present).into_iter().enumerate() {
            // Separates duration, extent and motion.
            if index == 5 || index == 7 {
                ui.separator();
            }
            if ui.add(Button::selectable(choice == present, title)).clicked() {
                actions.push(Action::SetGlow(choice).into());
                ui.close();
            }
        }
    });
}

fn menu(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, actions: &mut Vec<WindowAction>) {
    let button = ui.add(Button::new("Settings").frame(false));
    egui::Popup::menu(&button).show(|ui| {
        ui.set_min_width(200.0);
        for (title, choice) in [
            ("System theme", ThemeChoice::System),
            ("Dark", ThemeChoice::Dark),
            ("Light", ThemeChoice::Light),
        ] {
            if ui.add(Button::selectable(state.preferences().theme == choice, title)).clicked() {
                actions.push(Action::SetTheme(choice).into());
                ui.close();
            }
        }
        if ui.add(Button::selectable(state.preferences().colour_blind, "Colour-blind palette")).clicked() {
            actions.push(Action::SetColourBlind(!state.preferences().colour_blind).into());
        }
        ui.separator();
        glow_menu(ui, state, actions);
        ui.menu_button("Rows", |ui| {
            for (title, density) in [("Compact", Density::Compact), ("Comfortable", Density::Comfortable)] {
                if ui.add(Button::selectable(window.grid.density == density, title)).clicked() {
                    actions.push(WindowAction::SetDensity(density));
                    ui.close();
                }
            }
        });
        if ui.add(Button::selectable(window.on_top, "Keep this window on top")).clicked() {
            actions.push(WindowAction::SetOnTop(!window.on_top));
        }
        ui.separator();
        if ui.add(Button::new("New window").shortcut_text("Ctrl+N")).clicked() {
            actions.push(WindowAction::OpenWindow);
            ui.close();
        }
        if ui.button("Import CSV file…").clicked() {
            actions.push(WindowAction::OpenDialog(DialogKind::Import));
            ui.close();
        }
    });
}
