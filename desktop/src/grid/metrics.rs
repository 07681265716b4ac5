//! Sizes of the grid, in points.

use egui::{Rect, vec2};

/// Height of the header, in points.
pub(super) const HEADER: f32 = 26.0;
/// Height of the filter row, in points.
pub(super) const FILTERS: f32 = 28.0;
/// Space between a cell's edge and its text, in points.
pub(super) const PADDING: f32 = 8.0;
/// Width reserved for the arrow after a number, in points.
pub(super) const ARROW: f32 = 12.0;
/// Width of one digit of a row number, in points.
pub(super) const FIGURE: f32 = 7.0;
/// Height of a change mark on the vertical scroll bar, in points.
pub(super) const MARK: f32 = 3.0;
/// Width of a scroll bar, in points.
pub(super) const BAR: f32 = 12.0;
/// Minimum width of a column, in points.
pub(super) const MIN_WIDTH: f32 = 36.0;
/// Maximum width of a column, in points.
pub(super) const MAX_WIDTH: f32 = 800.0;
/// Maximum width to which a column grows by itself, in points.
pub(super) const MAX_GROWN: f32 = 240.0;
/// Distance from a column's edge within which the pointer can drag it, in points.
pub(super) const GRIP: f32 = 4.0;

/// Returns the part of a cell's rectangle that is available for text.
pub(super) fn inner(rect: Rect) -> Rect {
    rect.shrink2(vec2(PADDING, 0.0))
}
