//! Scrolling to the selection.

use super::{layout::Layout, scroll::Scroll, selection::Selection, steps::index_of, table::Table};

/// Scrolls just far enough to show the selection's moving corner.
pub(super) fn reveal(scroll: &mut Scroll, selection: &Selection, table: &Table<'_>, layout: &Layout) {
    let Some(shown) = selection.moving_corner() else { return };
    let index = index_of(shown, table).unwrap_or(selection.last_index) as f64;
    let rows = f64::from(layout.body.height() / layout.row);
    let to = if index < scroll.row {
        Some(index)
    } else {
        Some(index + 1.0 - rows).filter(|top| *top > scroll.row)
    };
    if let Some(to) = to {
        scroll.row = to;
        scroll.release_anchor();
    }
    if let Some(column) = layout.column(&shown.column).filter(|column| !column.frozen) {
        let (left, right) = (column.left, column.left + column.width);
        if left < layout.frozen_right {
            scroll.x -= layout.frozen_right - left;
        } else if right > layout.body.right() {
            scroll.x += (right - layout.body.right()).min(left - layout.frozen_right);
        }
    }
}
