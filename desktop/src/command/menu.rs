//! Menu items of commands, and the keys that move within a menu.

use egui::{
    Button, Context, EventFilter, FocusDirection, Id, Key, Modifiers, Popup, Response, ScrollArea, Ui,
    style::ScrollAnimation, vec2,
};

use super::{table::entry_of, when::Conditions, window::Command};

/// Height that a menu leaves free in its window, in points.
const MENU_MARGIN: f32 = 32.0;

/// Shows groups of commands with a line between them. Returns the command that was clicked.
pub fn menu_items(ui: &mut Ui, groups: &[&[Command]], conditions: &Conditions) -> Option<Command> {
    let mut chosen = None;
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            ui.separator();
        }
        for command in *group {
            if menu_item(ui, command, conditions) {
                chosen = Some(command.clone());
            }
        }
    }
    chosen
}

/// Shows a command of the table as a menu item, which closes the menu. Returns whether it was clicked.
fn menu_item(ui: &mut Ui, command: &Command, conditions: &Conditions) -> bool {
    let entry = entry_of(command);
    let button = Button::new(entry.title).shortcut_text(entry.key());
    let refusal = conditions.refusal(&entry.command, entry.when);
    let mut response = ui.add_enabled(refusal.is_none(), button);
    if let Some(reason) = refusal {
        response = response.on_disabled_hover_text(reason);
    }
    if !entry.description.is_empty() {
        response = response.on_hover_text(&*entry.description);
    }
    scroll_to_focus(ui, &response, 0.0);
    if response.clicked() {
        ui.close();
    }
    response.clicked()
}

/// Scrolls to an item that the keys have moved to, and to a margin above and below it, in points.
pub fn scroll_to_focus(ui: &Ui, item: &Response, margin: f32) {
    if item.gained_focus() {
        // At once: the next key may come before an animation ends.
        let shown = item.rect.expand2(vec2(0.0, margin));
        ui.scroll_to_rect_animation(shown, None, ScrollAnimation::none());
    }
}

/// Shows the content of a menu, which scrolls in a small window.
pub fn scrolling_menu(ui: &mut Ui, add_items: impl FnOnce(&mut Ui)) {
    let height = (ui.ctx().content_rect().height() - MENU_MARGIN).max(0.0);
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
        menu_keys(ui);
        add_items(ui);
    });
}

/// Whether keys move within the open menus of a window. They do once a key has opened one, or an arrow key
/// was pressed.
fn keys_id(ctx: &Context) -> Id {
    Id::unique("keys move within menus").with(ctx.viewport_id())
}

/// Gives the keys to the menu that a key opens.
pub fn open_with_keys(ctx: &Context) {
    let id = keys_id(ctx);
    ctx.data_mut(|data| data.insert_temp(id, true));
    ctx.memory_mut(|memory| {
        if let Some(focused) = memory.focused() {
            memory.surrender_focus(focused);
        }
    });
}

/// Takes the keys from the menus once all of them are closed. Call it before any menu is opened or shown in a
/// frame.
pub fn release_keys(ctx: &Context) {
    if !Popup::is_any_open(ctx) {
        let id = keys_id(ctx);
        ctx.data_mut(|data| data.remove_temp::<bool>(id));
    }
}

/// Lets the arrow keys move within a menu. Call it at the start of the menu's content.
pub fn menu_keys(ui: &Ui) {
    let (ctx, layer) = (ui.ctx(), ui.layer_id());
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    let id = keys_id(ctx);
    let has_keys = ctx.data(|data| data.get_temp(id).unwrap_or(false));
    if !has_keys {
        if pressed(Key::ArrowDown) || pressed(Key::ArrowUp) {
            open_with_keys(ctx);
        }
        return;
    }
    let top = ctx.memory(|memory| memory.top_modal_layer());
    ctx.memory_mut(|memory| memory.set_modal_layer(layer));
    if top != Some(layer) {
        // A submenu has the keys, or this menu has them from the next frame on.
        ctx.request_repaint();
        return;
    }
    let consume = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let (down, up) = (consume(Key::ArrowDown), consume(Key::ArrowUp));
    ctx.memory_mut(|memory| match memory.focused() {
        None => memory.move_focus(FocusDirection::Next),
        Some(focused) => {
            let keeps_arrows = EventFilter { vertical_arrows: true, ..EventFilter::default() };
            memory.set_focus_lock_filter(focused, keeps_arrows);
            if down {
                memory.move_focus(FocusDirection::Next);
            } else if up {
                memory.move_focus(FocusDirection::Previous);
            }
        }
    });
}
