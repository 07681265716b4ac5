//! The menus of the top bar: the settings, and the link to other windows.

use egui::{
    Atom, Button, Color32, Id, Popup, Response, Sense, SetOpenCommand, Shape, Stroke, Ui, accesskit::Toggled,
    vec2,
};

use crate::{
    account::AccountCommand,
    command::{
        AppCommand, Command, DialogKind, Menu, entry_of, menu_items, open_with_keys, scroll_to_focus,
        scrolling_menu,
    },
    follow::Group,
    panels::view::WindowView,
    preferences::{GlowSetting, Motion},
    state::AppState,
    theme::{Density, Flash, Palette, ThemeChoice},
};

/// Maximum number of characters shown of a name.
const MAX_NAME_CHARS: usize = 16;

/// Returns the menu of a button of the bar. A key that opens it moves the focus into it.
pub(super) fn menu_of<'a>(button: &'a Response, menu: Menu, window: &WindowView<'_>) -> Popup<'a> {
    let popup = Popup::menu(button);
    let is_pressed = button.clicked() && !button.ctx.input(|input| input.pointer.any_click());
    if is_pressed || window.menu == Some(menu) {
        open_with_keys(&button.ctx);
    }
    if window.menu == Some(menu) { popup.open_memory(SetOpenCommand::Bool(true)) } else { popup }
}

/// Draws the button that links the window with others. Returns its id.
pub(super) fn show_link(
    ui: &mut Ui,
    window: &WindowView<'_>,
    palette: &Palette,
    commands: &mut Vec<Command>,
) -> Id {
    let group = window.group;
    let entry = entry_of(&Command::OpenMenu(Menu::Link));
    let (rect, response) = ui.allocate_exact_size(vec2(22.0, 22.0), Sense::click());
    let color = group.map(|group| palette.user_color(group.shade()));
    let width = if response.hovered() { 2.0 } else { 1.5 };
    let stroke = Stroke::new(width, color.unwrap_or(palette.muted));
    for side in [-3.5, 3.5] {
        let center = rect.center() + vec2(side, 0.0);
        if let Some(color) = color {
            ui.painter().circle_filled(center, 5.0, color.gamma_multiply(0.45));
        }
        ui.painter().circle_stroke(center, 5.0, stroke);
    }
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(egui::accesskit::Role::Button);
        node.set_label(entry.title);
    });
    let hint = format!("{} ({})", entry.description, entry.key());
    let response = response.on_hover_text(hint);
    menu_of(&response, Menu::Link, window).show(|ui| {
        scrolling_menu(ui, |ui| {
            choice(ui, group.is_none(), None, Command::Link(None), commands);
            for other in Group::ALL {
                let color = palette.user_color(other.shade());
                choice(ui, group == Some(other), Some(color), Command::Link(Some(other)), commands);
            }
        });
    });
    response.id
}

/// Draws the button of the settings and their menu.
pub(super) fn show_settings(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    commands: &mut Vec<Command>,
) {
    let entry = entry_of(&Command::OpenMenu(Menu::Settings));
    let button = ui.add(Button::new(entry.title).frame_when_inactive(false)).on_hover_text(entry.key());
    let popup = menu_of(&button, Menu::Settings, window);
    popup.show(|ui| scrolling_menu(ui, |ui| settings_menu(ui, window, state, commands)));
}

/// Draws the button with the name of the person who is signed in, and its menu.
pub(super) fn show_account(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    commands: &mut Vec<Command>,
) {
    let Some(user) = state.joined.as_ref().and_then(|joined| joined.account.user()) else { return };
    let entry = entry_of(&Command::OpenMenu(Menu::Account));
    let button = Button::new(shortened(&user.name)).frame_when_inactive(false);
    let button = ui.add(button).on_hover_text(format!("{}: {} ({})", entry.title, user.name, entry.key()));
    let popup = menu_of(&button, Menu::Account, window);
    popup.show(|ui| {
        scrolling_menu(ui, |ui| {
            let own = [
                Command::ShareShownList,
                Command::OpenAccount,
                AppCommand::Account(AccountCommand::SignOut).into(),
            ];
            let others = [Command::OpenDialog(DialogKind::Connect)];
            commands.extend(menu_items(ui, &[&own, &others], &window.conditions(state)));
        });
    });
}

/// Returns the start of a name that is too long for the bar.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => format!("{}\u{2026}", &name[..end]),
        None => name.to_owned(),
    }
}

fn settings_menu(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, commands: &mut Vec<Command>) {
    ui.set_min_width(200.0);
    let preferences = state.preferences();
    for theme in [ThemeChoice::System, ThemeChoice::Dark, ThemeChoice::Light] {
        choice(ui, preferences.theme == theme, None, AppCommand::SetTheme(theme), commands);
    }
    choice(ui, preferences.colour_blind, None, AppCommand::ToggleColourBlind, commands);
    ui.separator();
    glow_menu(ui, window, state, commands);
    ui.menu_button((check(false), "Rows"), |ui| {
        scrolling_menu(ui, |ui| {
            for density in [Density::Compact, Density::Comfortable] {
                let is_chosen = window.grid.density == density;
                choice(ui, is_chosen, None, Command::SetDensity(density), commands);
            }
        });
    });
    choice(ui, window.on_top, None, Command::SetOnTop(!window.on_top), commands);
    choice(ui, preferences.announces, None, AppCommand::ToggleAnnouncements, commands);
    ui.separator();
    let others = [
        Command::OpenWindow,
        Command::OpenDialog(DialogKind::Import),
        Command::OpenDialog(DialogKind::Export),
        Command::OpenDialog(DialogKind::Connect),
        Command::OpenPalette,
        Command::ShowShortcuts,
    ];
    commands.extend(menu_items(ui, &[&others], &window.conditions(state)));
}

/// Draws the submenu of the glow settings: duration, extent and motion.
fn glow_menu(ui: &mut Ui, window: &WindowView<'_>, state: &AppState, commands: &mut Vec<Command>) {
    ui.menu_button((check(false), "Glow"), |ui| {
        scrolling_menu(ui, |ui| {
            let current = state.preferences().glow;
            let mut setting = |ui: &mut Ui, setting| {
                let is_chosen = current.with(setting) == current;
                choice(ui, is_chosen, None, AppCommand::SetGlow(setting), commands);
            };
            [0, 1, 2, 5, 10].map(GlowSetting::Seconds).into_iter().for_each(|seconds| setting(ui, seconds));
            ui.separator();
            let motions = [Motion::System, Motion::Fade, Motion::Still];
            motions.map(GlowSetting::Motion).into_iter().for_each(|motion| setting(ui, motion));
            ui.separator();
            for flash in [Flash::Row, Flash::Cell] {
                choice(ui, window.grid.flash == flash, None, Command::SetFlash(flash), commands);
            }
        })
    });
}

/// Returns a check mark, or its empty place.
fn check(is_chosen: bool) -> Atom<'static> {
    Atom::paint(vec2(14.0, 14.0), move |ui, args| {
        if is_chosen {
            let center = args.rect.center();
            let points = [vec2(-4.5, 0.0), vec2(-1.5, 3.5), vec2(4.5, -4.0)].map(|by| center + by);
            ui.painter().add(Shape::line(points.into(), Stroke::new(1.5, args.fallback_text_color)));
        }
    })
}

/// Draws a command of the table as a menu item that is checked if it is chosen, and may have a colour.
fn choice(
    ui: &mut Ui,
    is_chosen: bool,
    color: Option<Color32>,
    command: impl Into<Command>,
    commands: &mut Vec<Command>,
) {
    let command = command.into();
    let dot = color.map(|color| {
        Atom::paint(vec2(14.0, 14.0), move |ui, args| {
            ui.painter().circle_filled(args.rect.center(), 5.0, color);
        })
    });
    // The menu has the name of the setting already.
    let title = entry_of(&command).short;
    let button = match dot {
        Some(dot) => Button::new((check(is_chosen), dot, title)),
        None => Button::new((check(is_chosen), title)),
    };
    let response = ui.add(button.min_size(vec2(110.0, 0.0)));
    let toggled = if is_chosen { Toggled::True } else { Toggled::False };
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_toggled(toggled));
    scroll_to_focus(ui, &response, 0.0);
    if response.clicked() {
        commands.push(command);
        ui.close();
    }
}
