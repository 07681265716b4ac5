//! The tabs of the watchlists, the list of all of them, and the menu that adds one.

use egui::{
    Button, Color32, Popup, RichText, ScrollArea, SetOpenCommand, Ui, scroll_area::ScrollBarVisibility, vec2,
};
use jiff::tz::TimeZone;
use shared::{ids::WatchlistId, number::Separators, wire::server::DeletedSummary};

use super::menus::menu_of;
use crate::{
    command::{
        AppCommand, Command, DialogKind, GridCommand, Menu, RESTORE_WATCHLIST, Scope, entry_of, menu_items,
        menu_keys, open_with_keys, pressed, scroll_to_focus, scrolling_menu,
    },
    focus::{self, Region},
    panels::view::WindowView,
    state::AppState,
    theme::{self, Palette, in_visual_order},
};

/// Width of the two buttons beside the tabs, in points.
const BUTTONS: f32 = 64.0;
/// Maximum number of characters of a name in a tab.
const MAX_NAME: usize = 28;

/// Draws the tabs and the buttons beside them.
pub(super) fn show(
    ui: &mut Ui,
    window: &WindowView<'_>,
    state: &AppState,
    palette: &Palette,
    commands: &mut Vec<Command>,
) {
    ui.spacing_mut().item_spacing.x = 4.0;
    let area = ui.max_rect();
    let lists = state.store.known_lists();
    // The tab of the shown watchlist is kept in view.
    let id = ui.scope_id().with("shown");
    let shown = (window.list, area.width(), lists.len());
    let before = ui.data(|data| data.get_temp(id));
    let mut first = None;
    ScrollArea::horizontal()
        .id_salt("tabs")
        .max_width((ui.available_width() - BUTTONS).max(0.0))
        .auto_shrink([true, false])
        .scroll_bar_visibility(ScrollBarVisibility::AlwaysHidden)
        .show(ui, |ui| {
            ui.horizontal_centered(|ui| {
                for (watchlist, name) in &lists {
                    let is_shown = window.list == Some(*watchlist);
                    let tab = tab(ui, is_shown, (*watchlist, name), palette, commands);
                    if is_shown && before != Some(shown) {
                        tab.scroll_to_me(None);
                        ui.data_mut(|data| data.insert_temp(id, shown));
                    }
                    if is_shown || first.is_none() {
                        first = Some(tab.id);
                    }
                }
            });
        });
    if lists.len() > 1 {
        let entry = entry_of(&Command::OpenListPicker);
        let arrow = egui::Atom::paint(vec2(8.0, 5.0), |ui, args| {
            let corners = [args.rect.left_top(), args.rect.right_top(), args.rect.center_bottom()];
            let color = args.fallback_text_color;
            ui.painter().add(egui::Shape::convex_polygon(corners.into(), color, egui::Stroke::NONE));
        });
        let all = ui.add(Button::new(arrow).frame_when_inactive(false));
        ui.ctx().accesskit_node_builder(all.id, |node| node.set_label(entry.title));
        if all.on_hover_text(entry.hint()).clicked() {
            commands.push(Command::OpenListPicker);
        }
    }
    let plus = ui.add(
        Button::new(RichText::new("+").font(theme::strong()).color(palette.muted)).frame_when_inactive(false),
    );
    focus::record(ui, Region::Tabs, area, first.unwrap_or(plus.id));
    if plus.clicked() || window.menu == Some(Menu::New) {
        commands.push(AppCommand::RequestDeleted.into());
    }
    let entry = entry_of(&Command::OpenMenu(Menu::New));
    let plus = plus.on_hover_text(entry.hint());
    menu_of(&plus, Menu::New, window).show(|ui| {
        scrolling_menu(ui, |ui| {
            let new = [DialogKind::NewWatchlist, DialogKind::Import].map(Command::OpenDialog);
            commands.extend(menu_items(ui, &[&new], &window.conditions(state)));
            restore_menu(ui, state, commands);
        });
    });
}

/// Draws a tab and its context menu.
fn tab(
    ui: &mut Ui,
    is_shown: bool,
    (watchlist, name): (WatchlistId, &str),
    palette: &Palette,
    commands: &mut Vec<Command>,
) -> egui::Response {
    let text = RichText::new(in_visual_order(&shortened(name))).font(if is_shown {
        theme::strong()
    } else {
        theme::text()
    });
    let text = text.color(if is_shown { palette.text } else { palette.muted });
    let fill = if is_shown { palette.background } else { Color32::TRANSPARENT };
    let tab = ui.add(Button::new(text).fill(fill).stroke(egui::Stroke::NONE).min_size(vec2(0.0, 26.0)));
    ui.ctx().accesskit_node_builder(tab.id, |node| {
        node.set_selected(is_shown);
        node.set_label(name);
    });
    if is_shown {
        let line = tab.rect.with_min_y(tab.rect.bottom() - 2.0);
        ui.painter().rect_filled(line, 1, palette.accent);
    }
    if tab.clicked() {
        commands.push(Command::Show(watchlist));
    }
    if tab.double_clicked() {
        commands.push(Command::OpenDialog(DialogKind::Rename(watchlist)));
    }
    let menu_key = Command::from(GridCommand::OpenMenu);
    let has_key = tab.has_focus() && ui.input(|input| pressed(input, Scope::Grid) == Some(&menu_key));
    let mut menu = Popup::context_menu(&tab).at_position(tab.rect.left_bottom());
    if has_key {
        open_with_keys(ui.ctx());
        menu = menu.open_memory(SetOpenCommand::Bool(true));
    }
    menu.show(|ui| {
        menu_keys(ui);
        for (same, dialog) in [
            (Command::RenameShownList, DialogKind::Rename(watchlist)),
            (Command::DeleteShownList, DialogKind::Delete(watchlist)),
        ] {
            if ui.button(entry_of(&same).title).clicked() {
                commands.push(Command::OpenDialog(dialog));
                ui.close();
            }
        }
    });
    tab
}

fn shortened(name: &str) -> String {
    if name.chars().count() > MAX_NAME {
        name.chars().take(MAX_NAME - 1).chain(['…']).collect()
    } else {
        name.to_owned()
    }
}

/// Draws the submenu of the deleted watchlists.
fn restore_menu(ui: &mut Ui, state: &AppState, commands: &mut Vec<Command>) {
    let deleted = state.store.deleted();
    ui.add_enabled_ui(!deleted.is_empty(), |ui| {
        let menu = ui.menu_button(RESTORE_WATCHLIST, |ui| {
            scrolling_menu(ui, |ui| {
                for deleted in deleted {
                    let entry = ui.button(&*deleted.name);
                    scroll_to_focus(ui, &entry, 0.0);
                    if entry
                        .on_hover_text(deletion(deleted, &state.region.zone, state.region.separators))
                        .clicked()
                    {
                        commands.push(AppCommand::Restore(deleted.watchlist).into());
                        ui.close();
                    }
                }
            });
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

#[cfg(test)]
mod tests {
    use shared::time::Timestamp;
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
