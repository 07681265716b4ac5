//! What a screen reader says of a window: its name, and if wanted the changes by others.

use std::time::Duration;

use egui::{
    Id, Rect, Sense, Ui, Vec2,
    accesskit::{Live, Role},
};
use shared::ids::WatchlistId;

use crate::{
    grid::filter::{ValueFormat, display_text},
    state::AppState,
    store::Announcement,
};

/// Names the window, and if the person wants that, announces changes by others in its watchlist. Only the
/// window that has the keyboard does: others may show the same watchlist.
pub(super) fn describe(
    ui: &Ui,
    title: &str,
    shown: Option<WatchlistId>,
    state: &mut AppState,
    now: Duration,
) {
    ui.ctx().accesskit_node_builder(egui::accesskit_root_id(), |node| node.set_label(title));
    if !state.preferences().announces || !ui.input(|input| input.focused) {
        return;
    }
    let announced = shown.and_then(|list| Some((list, state.store.announcement(list, now)?.clone())));
    let Some(text) = announced.and_then(|(list, announced)| text_of(list, &announced, state)) else { return };
    let id = Id::unique("announcement").with(ui.ctx().viewport_id());
    // A node needs a widget, which takes no room.
    ui.interact(Rect::from_min_size(ui.max_rect().min, Vec2::ZERO), id, Sense::hover());
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_role(Role::Status);
        node.set_live(Live::Polite);
        node.set_label(text);
    });
}

/// Returns the sentence that announces a change, unless its row or column is gone.
fn text_of(list: WatchlistId, announced: &Announcement, state: &AppState) -> Option<String> {
    let watchlist = state.store.watchlist(list)?;
    let entry = watchlist.columns().visible_column(&announced.column).ok()?;
    let row = watchlist.rows().get(announced.row)?;
    let (kind, separators, zone) = (&entry.column.kind, state.region.separators, &state.region.zone);
    let value = display_text(&announced.value, ValueFormat { kind, separators, zone });
    let value = if value.is_empty() { "empty" } else { &value };
    let name = row.first_text(watchlist.columns()).map_or("unnamed row", |(_, text)| text);
    let change = format!("{} changed {name} {} to {value}", announced.by, entry.column.title);
    Some(match announced.cells {
        1 => change,
        cells => {
            let others = separators.format_count(cells - 1, "other cell", "other cells");
            format!("{change}, and {others} changed")
        }
    })
}
