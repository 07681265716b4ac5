//! The top bar above the grid: watchlist tabs, linking, people, connection state and the settings menu.

mod menus;
mod tabs;

use std::time::Duration;

use egui::{Align, Label, Layout, RichText, Sense, Ui, UiBuilder, WidgetInfo, vec2};

use super::{
    people,
    security::{Security, lock},
    view::WindowView,
};
use crate::{
    account::AccountCommand,
    command::{AppCommand, Command, entry_of},
    focus::{self, Region},
    state::AppState,
    store::Connection,
    theme::{self, Palette},
};

/// Maximum number of people shown by their initials; the rest are counted.
const MAX_INITIALS: usize = 6;
/// Width that every usual round trip fits in, in points, so that a change of it moves nothing.
const ROUND_TRIP_WIDTH: f32 = 52.0;
/// Maximum share of the bar that the state of the connection takes.
const MAX_CONNECTION_SHARE: f32 = 0.4;
const SIGNED_OUT: &str = "Not signed in";
const RECONNECTING: &str = "Reconnecting\u{2026}";
/// Distance between the parts of the bar, in points.
const DISTANCE: f32 = 12.0;

/// Draws the top bar. Everything is drawn from left to right: keys and screen readers follow that order.
pub fn show(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, palette: &Palette) -> Vec<Command> {
    let mut commands = Vec::new();
    let bar = ui.max_rect();
    let id = ui.scope_id().with("right end");
    let expected = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or_default();
    let start = bar.right() - expected;
    let place = |rect| UiBuilder::new().max_rect(rect).layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(place(bar.with_max_x((start - DISTANCE).max(bar.left()))), |ui| {
        tabs::show(ui, window, state, palette, &mut commands);
    });
    let shown = ui.scope_builder(place(bar.with_min_x(start)), |ui| {
        ui.spacing_mut().item_spacing.x = DISTANCE;
        let first = menus::show_link(ui, window, palette, &mut commands);
        people_present(ui, window, state, palette);
        if let Some(joined) = &state.joined {
            let security = Security::of(&joined.account.server().base);
            if let Some(lock) = lock(ui, security, palette) {
                lock.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, security.sentence()));
                lock.on_hover_text(security.sentence());
            }
        }
        connection(ui, state.store.connection(), window.now, (palette, bar.width()), &mut commands);
        menus::show_account(ui, window, state, &mut commands);
        menus::show_settings(ui, window, state, &mut commands);
        first
    });
    focus::record(ui, Region::Bar, shown.response.rect, shown.inner);
    let width = shown.response.rect.width();
    if (width - expected).abs() > 0.5 {
        ui.data_mut(|data| data.insert_temp::<f32>(id, width));
        ui.ctx().request_discard("the right end of the top bar has another width");
    }
    commands
}

fn connection(
    ui: &mut Ui,
    connection: &Connection,
    now: Duration,
    (palette, bar): (&Palette, f32),
    commands: &mut Vec<Command>,
) {
    let (color, text) = match connection {
        Connection::Up { silent_since: Some(since), .. } => {
            (palette.down, no_answer_for(now.saturating_sub(*since).as_secs()))
        }
        Connection::Up { round_trip: None, .. } => (palette.up, "Connected".to_owned()),
        Connection::Up { round_trip: Some(took), .. } => (palette.up, round_trip(*took)),
        Connection::Connecting => (palette.muted, "Connecting…".to_owned()),
        Connection::Down { retry_at: None, .. } => (palette.down, SIGNED_OUT.to_owned()),
        Connection::Down { reason, retry_at: Some(retry_at) } => {
            let left = retry_at.saturating_sub(now).as_secs();
            let next = if left == 0 { RECONNECTING.to_owned() } else { retrying_in(left) };
            (palette.down, format!("Offline: {reason}. {next}"))
        }
    };
    let longest = match connection {
        // Whatever comes next moves nothing.
        Connection::Down { reason, retry_at: Some(_) } => [RECONNECTING.to_owned(), retrying_in(59)]
            .map(|next| format!("Offline: {reason}. {next}"))
            .to_vec(),
        Connection::Up { silent_since: Some(_), .. } => vec![no_answer_for(20)],
        Connection::Down { .. } | Connection::Up { .. } | Connection::Connecting => vec![text.clone()],
    };
    let is_down =
        matches!(connection, Connection::Down { .. } | Connection::Up { silent_since: Some(_), .. });
    let color_of_text = if is_down { palette.text } else { palette.muted };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
        ui.painter().circle_filled(dot.center(), 4.0, color);
        let width =
            |text| ui.painter().layout_no_wrap(text, theme::small(), color_of_text).size().x.ceil() + 1.0;
        let needed = longest.into_iter().map(width).fold(0.0, f32::max);
        let width = needed.clamp(ROUND_TRIP_WIDTH, (bar * MAX_CONNECTION_SHARE).max(ROUND_TRIP_WIDTH));
        let size = vec2(width, ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(width);
            let label = RichText::new(&text).font(theme::small()).color(color_of_text);
            let shown = ui.add(Label::new(label).truncate());
            shown.on_hover_ui(|ui| {
                if needed > width {
                    ui.label(&text);
                }
                ui.label("Server connection and round-trip time");
            });
        });
    });
    let action = match connection {
        Connection::Down { retry_at: None, .. } => AppCommand::Account(AccountCommand::OpenSignIn),
        Connection::Down { .. } => AppCommand::Reconnect,
        Connection::Up { .. } | Connection::Connecting => return,
    };
    let action = Command::from(action);
    if ui.button(entry_of(&action).title).clicked() {
        commands.push(action);
    }
}

fn no_answer_for(seconds: u64) -> String {
    format!("No answer for {seconds} s")
}

fn retrying_in(seconds: u64) -> String {
    format!("Retrying in {seconds} s")
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
    if clients.is_empty() {
        return;
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let shown = clients.len().min(MAX_INITIALS);
        for (_, name) in clients.iter().take(shown) {
            let color = palette.user_color(people::shade(name));
            let (badge, response) = ui.allocate_exact_size(vec2(22.0, 22.0), Sense::hover());
            ui.painter().circle_filled(badge.center(), 11.0, color);
            let ink = theme::readable(color, color);
            let (center, initials) = (egui::Align2::CENTER_CENTER, people::initials(name));
            ui.painter().text(badge.center(), center, initials, theme::tiny(), ink);
            let text = format!("{name} is viewing this watchlist");
            ui.ctx().accesskit_node_builder(response.id, |node| {
                node.set_role(egui::accesskit::Role::Label);
                node.set_value(text.clone());
            });
            response.on_hover_text(text);
        }
        if clients.len() > shown {
            let more = format!("+{}", clients.len() - shown);
            ui.label(RichText::new(more).font(theme::small()).color(palette.muted));
        }
    });
}

fn round_trip(took: Duration) -> String {
    match took.as_millis() {
        0 => "< 1 ms".to_owned(),
        millis => format!("{millis} ms"),
    }
}
