//! Draws sparklines: the latest values of a cell.

use egui::{Color32, Painter, Rect, Shape, Stroke, pos2};
use shared::{column::ColumnKey, ids::RowId};

use super::metrics::PADDING;
use crate::store::sparklines::SparklineValues;

/// Returns the accessible value of a sparkline cell: its values, oldest first.
pub(super) fn accessible_value(
    sparklines: Option<&SparklineValues>,
    row: RowId,
    source: &ColumnKey,
) -> String {
    let values = sparklines.and_then(|sparklines| sparklines.get(row, source)).unwrap_or_default();
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
