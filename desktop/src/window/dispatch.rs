//! The only place that executes actions: those about one window here, the others in the shared state.

use std::time::Duration;

use egui::Context;

use super::state::Window;
use crate::{
    action::{DialogKind, WindowAction},
    follow::Link,
    panels::dialogs::Dialog,
    settings,
    state::AppState,
};

/// Executes an action of a window.
pub fn dispatch(
    action: impl Into<WindowAction>,
    window: &mut Window,
    state: &mut AppState,
    ctx: &Context,
    now: Duration,
) {
    match action.into() {
        WindowAction::Undo => match state.store.undo(window.id(), now) {
            Some(spot) => window.go_to(spot),
            None => state.store.notify("Nothing to undo in this window.", None, now),
        },
        WindowAction::Redo => match state.store.redo(window.id(), now) {
            Some(spot) => window.go_to(spot),
            None => state.store.notify("Nothing to redo in this window.", None, now),
        },
        WindowAction::Show(watchlist) => window.show_list(watchlist),
        WindowAction::ShowAdjacent { is_next } => {
            let lists = state.store.replica().summaries().unwrap_or_default();
            window.show_adjacent_list(lists, is_next);
        }
        WindowAction::Grid(command) => window.grid.queue_command(command),
        WindowAction::OpenDialog(kind) => open_dialog(kind, window, state),
        WindowAction::ToggleHistory => window.toggle_history(),
        WindowAction::ShowShortcuts => window.is_keys_open = true,
        WindowAction::SetDensity(density) => window.grid.density = density,
        WindowAction::PauseSort(is_paused) => window.grid.config.is_sort_paused = is_paused,
        WindowAction::SetOnTop(on_top) => window.on_top = on_top,
        WindowAction::Link(group) => window.link = Link::new(group),
        WindowAction::OpenWindow => state.open_window(window.list()),
        WindowAction::Zoom(by) => ctx.set_zoom_factor(settings::clamp_zoom(ctx.zoom_factor() + by)),
        WindowAction::Shared(action) => state.execute(action, window.id(), now),
    }
    state.flush();
}

fn open_dialog(kind: DialogKind, window: &mut Window, state: &AppState) {
    window.dialog = match kind {
        DialogKind::NewWatchlist => Some(Dialog::new_watchlist()),
        DialogKind::Import => Some(Dialog::import()),
        DialogKind::Rename(list) => {
            // The watchlist has a rename made here before the server's list of watchlists does.
            let name = state.store.watchlist(list).map(|watchlist| watchlist.name().clone());
            Some(Dialog::rename(list, &name.unwrap_or_else(|| state.list_name(list))))
        }
    };
}
