//! Sparkline columns: beside a number column, the last values that each of its cells had. They are a window's own: no
//! watchlist has such a column, and its key is none that a watchlist can have.

use egui::{Color32, Painter, Rect, Shape, Stroke, pos2};
use shared::{
    column::{Column, ColumnKey, ColumnKind, Derive},
    ids::RowId,
    watchlist::ColumnEntry,
};

use super::layout::PADDING;
use crate::store::trails::Trails;

/// What stands behind the key of the column that is drawn. Keys of watchlists are letters, digits, `_` and `-`.
const MARK: char = '~';

/// The sparkline column of a number column.
pub(super) fn column(of: &ColumnEntry) -> ColumnEntry {
    let Column { key, title, .. } = &of.column;
    let derive = Some(Derive::ChangedAt { of: key.clone() });
    let (own, title) = (ColumnKey(format!("{key}{MARK}").into()), format!("{title} trend").into());
    let column = Column { key: own, title, kind: ColumnKind::Time, derive, removed: false };
    ColumnEntry { column, slot: usize::MAX, tracked: false }
}

/// Whether a column's past values are kept: computed ones are not.
pub(super) fn can_draw(entry: &ColumnEntry) -> bool {
    entry.column.kind.is_numeric() && entry.column.derive.is_none()
}

/// The column that a sparkline column draws; nothing of any other.
pub(super) fn source(entry: &ColumnEntry) -> Option<&ColumnKey> {
    match &entry.column.derive {
        Some(Derive::ChangedAt { of }) if entry.column.key.0.ends_with(MARK) => Some(of),
        _ => None,
    }
}

/// What a screen reader says of a cell: its values, oldest first.
pub(super) fn spoken(trails: Option<&Trails>, row: RowId, source: &ColumnKey) -> String {
    let values = trails.and_then(|trails| trails.get(row, source)).unwrap_or_default();
    values.iter().map(f32::to_string).collect::<Vec<_>>().join(", ")
}

/// Draws values from left to right, the least at the bottom, with a dot at the last one.
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
