//! Scrolling to the selection.

use super::{
    cursor::Cursor, layout::Layout, scroll::Scroll, selection::Selection, steps::index_of, table::Table,
};

/// Scrolls just far enough to show the selection's moving corner.
pub(super) fn reveal(scroll: &mut Scroll, selection: &Selection, table: &Table<'_>, layout: &Layout) {
    if let Some(corner) = selection.moving_corner() {
        reveal_cell(scroll, corner, selection, table, layout);
    }
}

/// Scrolls just far enough to show a cell of the selection.
pub(super) fn reveal_cell(
    scroll: &mut Scroll,
    shown: &Cursor,
    selection: &Selection,
    table: &Table<'_>,
    layout: &Layout,
) {
    let index = index_of(shown, table).unwrap_or(selection.last_index) as f64;
    let rows = f64::from(layout.body.height() / layout.row);
    let distance = if std::mem::take(&mut scroll.keeps_distance) { (rows / 3.0).floor() } else { 0.0 };
    let to = if index < scroll.row {
        Some(index - distance)
    } else {
        Some(index + 1.0 - rows).filter(|top| *top > scroll.row).map(|top| top + distance)
    };
    if let Some(to) = to {
        scroll.row = to.max(0.0);
        scroll.release_anchor();
    }
    if let Some(x) = layout.scroll_x_showing(&shown.column) {
        scroll.x = x;
    }
}
