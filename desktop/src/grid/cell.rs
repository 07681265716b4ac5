//! The text, colour and font of a cell.

use egui::{Align, Color32};
use shared::{column::Derive, number::MINUS, value::Value, watchlist::ColumnEntry};

use super::{layout::ColumnLayout, view::GridView};
use crate::theme;

/// Returns a column's font: stronger for the first column, which names the row.
pub(super) fn cell_font(column: &ColumnLayout) -> egui::FontId {
    if column.is_first { theme::strong() } else { theme::text() }
}

/// Returns a cell's text, colour and alignment.
pub(super) fn format_cell(
    value: &Value,
    entry: &ColumnEntry,
    view: &GridView<'_>,
) -> (String, Color32, Align) {
    let palette = view.palette;
    let kind = &entry.column.kind;
    let is_change =
        matches!(entry.column.derive, Some(Derive::Difference { .. } | Derive::PercentDifference { .. }));
    match value {
        Value::Number(_) if is_change => {
            let shown = kind.format(value, view.separators);
            let is_zero = shown.bytes().all(|byte| !(b'1'..=b'9').contains(&byte));
            match (is_zero, shown.starts_with(MINUS)) {
                (true, _) => (shown, palette.muted, Align::RIGHT),
                (false, true) => (shown, palette.down, Align::RIGHT),
                (false, false) => (format!("+{shown}"), palette.up, Align::RIGHT),
            }
        }
        Value::Number(_) => (kind.format(value, view.separators), palette.text, Align::RIGHT),
        Value::Time(time) => {
            let local = time.to_jiff().to_zoned(view.zone.clone());
            let pattern = if local.date() == view.today { "%H:%M:%S" } else { "%Y-%m-%d" };
            (local.strftime(pattern).to_string(), palette.muted, Align::RIGHT)
        }
        Value::Text(text) => (sanitized(text), palette.text, Align::LEFT),
        Value::Flag(_) | Value::Empty => (kind.format(value, view.separators), palette.text, Align::LEFT),
    }
}

/// Replaces control and bidirectional formatting characters, so that the text stays on one line.
pub(super) fn sanitized(text: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(is_unsafe) {
        text.chars().map(|c| if is_unsafe(c) { '\u{b7}' } else { c }).collect()
    } else {
        text.to_owned()
    }
}
