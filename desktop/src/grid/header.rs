//! Column headers: clicks that sort and select, and dragging.

use std::sync::Arc;

use shared::column::{ColumnKey, ColumnKind};

use super::{config::GridConfig, cursor::Cursor, layout::Layout, selection::Selection, view::Frame};

/// Handles a click on a header: sorts by the column, adds a sort key with Shift, selects the column with
/// Ctrl.
pub(super) fn click(
    selection: &mut Selection,
    config: &mut GridConfig,
    frame: &Frame<'_>,
    key: &ColumnKey,
    modifiers: egui::Modifiers,
) {
    if modifiers.command {
        let cell = Cursor { row: frame.table.id_at(0), column: key.clone() };
        let is_first = selection.blocks.is_single();
        selection.blocks.select_columns(cell.clone(), cell.clone(), !is_first, frame.table);
        selection.choose(cell);
    } else if frame.table.column(key).is_some_and(|column| column.data().is_some()) {
        config.sort_by(key, modifiers.shift);
    }
}

/// Moves a column whose header was dragged to `x`.
pub(super) fn drop_column(
    config: &mut GridConfig,
    frame: &Frame<'_>,
    layout: &Layout,
    key: &ColumnKey,
    x: f32,
) {
    let before = layout.column_before(x).map(|column| column.shown.key().clone());
    if before.as_ref() != Some(key) {
        config.place(frame.view.watchlist, key, before.as_ref());
    }
}

/// Returns the kinds of a new column and their names. The choice kind has no options yet.
pub fn new_column_kinds() -> [(&'static str, ColumnKind); 6] {
    [
        ("Number", ColumnKind::Number { decimals: 2 }),
        ("Percent", ColumnKind::Percent { decimals: 2 }),
        ("Text", ColumnKind::Text),
        ("Yes or no", ColumnKind::Flag),
        ("Time", ColumnKind::Time),
        ("Choice", ColumnKind::Choice(Arc::default())),
    ]
}
