//! Sparkline columns, which draw the latest values of each cell of a number column. They exist only in a
//! window: their keys are not valid in a watchlist.

use egui::{Color32, Painter, Rect, Shape, Stroke, pos2};
use shared::{
    column::{Column, ColumnKey, ColumnKind, Derive},
    ids::RowId,
    watchlist::ColumnEntry,
};

use super::metrics::PADDING;
use crate::store::trails::Trails;

/// Suffix of a sparkline column's key, after the key of its source. Watchlist keys have only letters, digits,
/// `_` and `-`.
const MARK: char = '~';

/// Returns the sparkline column of a number column.
pub(super) fn column(of: &ColumnEntry) -> ColumnEntry {
    let Column { key, title, .. } = &of.column;
    let derive = Some(Derive::ChangedAt { of: key.clone() });
    let (own, title) = (ColumnKey(format!("{key}{MARK}").into()), format!("{title} trend").into());
    let column = Column { key: own, title, kind: ColumnKind::Time, derive, removed: false };
    ColumnEntry { column, slot: usize::MAX, tracked: false }
}

/// Whether a column can have a sparkline. Past values of computed columns are not recorded.
pub(super) fn can_draw(entry: &ColumnEntry) -> bool {
    entry.column.kind.is_numeric() && entry.column.derive.is_none()
}

/// Returns the source of a sparkline column; `None` for any other column.
pub(super) fn source(entry: &ColumnEntry) -> Option<&ColumnKey> {
    match &entry.column.derive {
        Some(Derive::ChangedAt { of }) if entry.column.key.0.ends_with(MARK) => Some(of),
        _ => None,
    }
}

/// Returns the accessible value of a sparkline cell: its values, oldest first.
pub(super) fn accessible_value(trails: Option<&Trails>, row: RowId, source: &ColumnKey) -> String {
    let values = trails.and_then(|trails| trails.get(row, source)).unwrap_or_default();
    values.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
}

/// Draws values from left to right, scaled to the cell's height, with a dot at the last one.
pub(super) fn paint(painter: &Painter, cell: Rect, values: &[f32], line: Color32, dot: Color32) {
    let [.., last] = values else { return };
    let room = cell.shrink2(egui::vec2(PADDING, 4.0));
    let (least, greatest) =
        values.iter().fold((*last, *last), |(least, most), value| (least.min(*value), most.max(*value)));
    let y_of = |value: f32| {
        let share = if greatest > least { (value - least) / (greatest - least) } else { 0.5 };
        egui::lerp(room.bottom()..=room.top(), share)
    };
    let step = room.width() / (values.len().max(2) - 1) as f32;
    let points: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(index, value)| pos2(room.left() + step * index as f32, y_of(*value)))
        .collect();
    let end = points.last().copied();
    if points.len() > 1 {
        painter.add(Shape::line(points, Stroke::new(1.0, line)));
    }
    if let Some(end) = end {
        painter.circle_filled(end, 1.8, dot);
    }
}
