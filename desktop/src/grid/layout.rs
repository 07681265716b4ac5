//! The geometry of one frame: columns, visible rows and scroll bars.

#![expect(clippy::cast_possible_truncation, reason = "pixels and rows in view are computed here")]

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use egui::{Pos2, Rangef, Rect, pos2, vec2};
use shared::column::{ColumnKey, ColumnKind};

use super::{
    config::GridConfig,
    metrics::{ARROW, BAR, FIGURE, FILTERS, GRIP, HEADER, MARK, MAX_GROWN, PADDING},
    scroll::Scroll,
    table::Table,
    view_column::ViewColumn,
};
use crate::theme::Density;

/// One visible column.
#[derive(Clone, Debug)]
pub(super) struct ColumnLayout {
    pub(super) shown: ViewColumn,
    /// Left edge on screen.
    pub(super) left: f32,
    pub(super) width: f32,
    /// Width of the part that is not beyond the right edge of the rows. Contents are painted in it.
    pub(super) room: f32,
    pub(super) frozen: bool,
    /// Whether this is the first column, which names the rows.
    pub(super) is_first: bool,
    /// The width that the numbers in view need; zero if they fit.
    pub(super) needed: Cell<f32>,
}

/// The widths of columns that have grown with their numbers, in points.
#[derive(Clone, Debug, Default)]
pub(super) struct Grown(BTreeMap<ColumnKey, f32>);

impl Grown {
    /// Widens the columns whose numbers were too wide in this frame, unless the person has chosen their width.
    /// Returns whether a column has grown.
    pub(super) fn grow(&mut self, layout: &Layout, config: &GridConfig) -> bool {
        let mut has_grown = false;
        for column in &layout.columns {
            let (key, needed) = (column.shown.key(), column.needed.get().min(MAX_GROWN).ceil());
            // A frozen column may be narrower than it has grown to.
            let width = self.0.get(key).copied().unwrap_or(column.width);
            if needed > width && !config.widths.contains_key(key) {
                self.0.insert(key.clone(), needed);
                has_grown = true;
            }
        }
        has_grown
    }
}

/// The frame's geometry: one field for each measure that the parts of the grid share.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) rect: Rect,
    pub(super) columns: Vec<ColumnLayout>,
    /// The column titles.
    pub(super) header: Rect,
    /// The filter row; its height is 0 if it is closed.
    pub(super) filters: Rect,
    /// The rows.
    pub(super) body: Rect,
    /// Left edge of the first column, right of the row numbers.
    pub(super) left: f32,
    /// Right edge of the frozen columns.
    pub(super) frozen_right: f32,
    pub(super) vertical_bar: Rect,
    pub(super) horizontal_bar: Rect,
    /// Height of a row, in points.
    pub(super) row: f32,
    /// Number of rows, including the empty one at the end.
    pub(super) rows: usize,
    pub(super) scroll_row: f64,
    /// Index that stays free for a row that was removed while it is edited.
    pub(super) gap: Option<usize>,
    /// Horizontal offset that was scrolled to.
    scroll_x: f32,
    /// Horizontal offset of the columns, which move one by one, so that no figure is cut off at the left.
    offset: f32,
    /// Largest horizontal offset: the one that shows the last column.
    last_offset: f32,
    scrolled_width: f32,
}

/// Tolerance in comparisons of sums of widths, in points.
pub(super) const ROUNDING: f32 = 0.5;

impl Layout {
    /// Lays out the grid in a rectangle. `gap` is the index of the slot that stays free for a removed row.
    pub(super) fn new(
        rect: Rect,
        table: &Table<'_>,
        (config, grown, density): (&GridConfig, &Grown, Density),
        scroll: &Scroll,
        gap: Option<usize>,
    ) -> Self {
        let width_of = |shown: &ViewColumn| {
            let own = config.widths.get(shown.key()).or_else(|| grown.0.get(shown.key()));
            own.copied().unwrap_or_else(|| default_width(shown))
        };
        let mut widths: Vec<(ViewColumn, f32)> =
            table.columns().iter().map(|shown| (shown.clone(), width_of(shown))).collect();
        let total: f32 = widths.iter().map(|(_, width)| width).sum();
        let rows = table.len() + 1;
        let start = rect.left() + gutter(rows);
        // Frozen columns leave room for the others: those that fit stay frozen, the first one always does.
        let max_frozen = (rect.right() - start) * 0.6;
        let mut frozen_width = 0.0;
        let mut frozen_count = 0;
        for (_, width) in widths.iter_mut().take(config.frozen) {
            if frozen_count > 0 && frozen_width + *width > max_frozen {
                break;
            }
            *width = width.min(max_frozen);
            frozen_width += *width;
            frozen_count += 1;
        }
        let needs_bar = start + total > rect.right() - BAR;
        let bottom = if needs_bar { BAR } else { 0.0 };
        let filters_height = if config.has_filters { FILTERS } else { 0.0 };
        let header = Rect::from_min_size(rect.min, vec2(rect.width(), HEADER));
        let filters = Rect::from_min_size(header.left_bottom(), vec2(rect.width(), filters_height));
        let body = Rect::from_min_max(filters.left_bottom(), rect.max - vec2(BAR, bottom));
        let vertical_bar =
            Rect::from_min_max(pos2(body.right(), body.top()), pos2(rect.right(), body.bottom()));
        let horizontal_bar =
            Rect::from_min_max(pos2(start + frozen_width, body.bottom()), pos2(body.right(), rect.bottom()));
        let scrolled: Vec<f32> = widths.iter().skip(frozen_count).map(|(_, width)| *width).collect();
        let (offset, last_offset) = offsets(&scrolled, body.right() - (start + frozen_width), scroll.x);
        let mut left = start;
        let columns = widths
            .into_iter()
            .enumerate()
            .map(|(index, (shown, width))| {
                let frozen = index < frozen_count;
                let on_screen = if frozen { left } else { left - offset };
                let column = ColumnLayout {
                    shown,
                    left: on_screen,
                    width,
                    room: width.min(body.right() - on_screen).max(0.0),
                    frozen,
                    is_first: index == 0,
                    needed: Cell::new(0.0),
                };
                left += width;
                column
            })
            .collect();
        Self {
            rect,
            columns,
            header,
            filters,
            body,
            left: start,
            frozen_right: start + frozen_width,
            vertical_bar,
            horizontal_bar,
            row: density.row_height(),
            rows,
            scroll_row: scroll.row,
            gap,
            scroll_x: scroll.x,
            offset,
            last_offset,
            scrolled_width: total - frozen_width,
        }
    }

    /// Whether the scroll position is still the one of this layout.
    pub(super) fn matches_scroll(&self, scroll: &Scroll) -> bool {
        self.scroll_row.to_bits() == scroll.row.to_bits() && self.scroll_x.to_bits() == scroll.x.to_bits()
    }

    /// Number of whole rows that fit into the body, at least 1.
    pub(super) fn page_rows(&self) -> usize {
        (self.body.height() / self.row).floor().max(1.0) as usize
    }

    pub(super) fn last_scroll_row(&self) -> f64 {
        let slots = self.rows + usize::from(self.gap.is_some());
        (slots as f64 - f64::from(self.body.height() / self.row)).max(0.0)
    }

    pub(super) fn last_scroll_x(&self) -> f32 {
        self.last_offset
    }

    /// Returns the horizontal scroll position that shows a column, if it is not shown as a whole.
    pub(super) fn scroll_x_showing(&self, key: &ColumnKey) -> Option<f32> {
        let start = |column: &ColumnLayout| column.left - self.frozen_right + self.offset;
        let column = self.column(key).filter(|column| !column.frozen)?;
        if column.left < self.frozen_right {
            return Some(start(column));
        }
        if column.room >= column.width - ROUNDING {
            return None;
        }
        let (end, pane) = (start(column) + column.width, self.body.right() - self.frozen_right);
        let starts = self.columns.iter().filter(|column| !column.frozen).map(start);
        Some(offset_showing(starts, end, pane).map_or(start(column), |first| first.min(start(column))))
    }

    /// Returns the indices of the rows that are at least partly visible.
    pub(super) fn visible_rows(&self) -> Range<usize> {
        let first = self.scroll_row.floor().max(0.0) as usize;
        let last = (self.scroll_row + f64::from(self.body.height() / self.row)).ceil();
        let is_below = self.gap.is_some_and(|gap| gap < first);
        first - usize::from(is_below)..(last as usize).min(self.rows)
    }

    pub(super) fn row_top(&self, index: usize) -> f32 {
        self.slot_top(index + usize::from(self.gap.is_some_and(|gap| gap <= index)))
    }

    /// Returns the top of a slot. Each row takes one slot, and so does the gap of a removed row.
    fn slot_top(&self, place: usize) -> f32 {
        self.body.top() + ((place as f64 - self.scroll_row) * f64::from(self.row)) as f32
    }

    /// Returns the top of the editor: that of its row, or of the gap if the row was removed.
    pub(super) fn editor_top(&self, index: usize) -> f32 {
        self.gap.map_or_else(|| self.row_top(index), |gap| self.slot_top(gap))
    }

    /// Returns the distance of `y` from the top of the body, in rows.
    pub(super) fn rows_from_top(&self, y: f32) -> f64 {
        f64::from((y - self.body.top()) / self.row)
    }

    /// Returns the row at `y` in the body.
    fn row_at(&self, y: f32) -> Option<usize> {
        let place = (self.scroll_row + self.rows_from_top(y)).floor() as usize;
        let index = match self.gap {
            Some(gap) if place == gap => return None,
            Some(gap) if place > gap => place - 1,
            _ => place,
        };
        (index < self.rows).then_some(index)
    }

    /// Returns a row's rectangle across the whole body.
    pub(super) fn band(&self, index: usize) -> Rect {
        let top = self.row_top(index);
        Rect::from_x_y_ranges(self.body.x_range(), top..=top + self.row)
    }

    pub(super) fn cell_rect(&self, index: usize, column: &ColumnLayout) -> Rect {
        Rect::from_min_size(pos2(column.left, self.row_top(index)), vec2(column.width, self.row))
    }

    /// Returns the part of a cell in which its contents are painted.
    pub(super) fn cell_room(&self, index: usize, column: &ColumnLayout) -> Rect {
        Rect::from_min_size(pos2(column.left, self.row_top(index)), vec2(column.room, self.row))
    }

    /// Returns where each column is, the frozen ones first.
    pub(super) fn column_places(&self) -> Vec<(ColumnKey, Rangef)> {
        let (frozen, others): (Vec<_>, Vec<_>) = self.columns.iter().partition(|column| column.frozen);
        let place = |column: &ColumnLayout| {
            (column.shown.key().clone(), Rangef::new(column.left, column.left + column.width))
        };
        frozen.into_iter().chain(others).map(place).collect()
    }

    pub(super) fn column(&self, key: &ColumnKey) -> Option<&ColumnLayout> {
        self.columns.iter().find(|column| column.shown.key() == key)
    }

    pub(super) fn column_at(&self, x: f32) -> Option<&ColumnLayout> {
        let frozen = x < self.frozen_right;
        self.columns
            .iter()
            .find(|column| column.frozen == frozen && (column.left..column.left + column.width).contains(&x))
    }

    /// Returns the cell at a point in the body.
    pub(super) fn cell_at(&self, position: Pos2) -> Option<(usize, ColumnKey)> {
        if !self.body.contains(position) {
            return None;
        }
        let index = self.row_at(position.y)?;
        let column = self.column_at(position.x)?;
        Some((index, column.shown.key().clone()))
    }

    /// Returns the cell nearest to a point, which may be outside the body: the end of a drag that left it.
    pub(super) fn cell_near(&self, position: Pos2) -> Option<(usize, ColumnKey)> {
        let inside = pos2(
            position.x.clamp(self.left, self.body.right() - 1.0),
            position.y.clamp(self.body.top(), self.body.bottom() - 1.0),
        );
        let index = self.row_at(inside.y).unwrap_or(self.rows - 1);
        let column = self.column_at(inside.x).or_else(|| self.columns.last())?;
        Some((index, column.shown.key().clone()))
    }

    /// Returns the row whose number is at a point.
    pub(super) fn row_number_at(&self, position: Pos2) -> Option<usize> {
        if !self.body.contains(position) || position.x >= self.left {
            return None;
        }
        self.row_at(position.y)
    }

    /// Whether a point is in the corner between the row numbers and the column titles.
    pub(super) fn is_corner(&self, position: Pos2) -> bool {
        self.header.contains(position) && position.x < self.left
    }

    /// Returns the insertion index nearest to `y`: that of the row that would follow.
    pub(super) fn insertion_index_at(&self, y: f32) -> usize {
        let place = self.scroll_row + self.rows_from_top(y);
        (place.round().max(0.0) as usize).min(self.rows - 1)
    }

    /// Returns the column whose header is at a point.
    pub(super) fn header_at(&self, position: Pos2) -> Option<ColumnKey> {
        let is_header = self.header.contains(position) && position.x < self.body.right();
        let column = is_header.then(|| self.column_at(position.x)).flatten()?;
        Some(column.shown.key().clone())
    }

    /// Returns the column whose right edge is at a point in the header, and its width in points.
    pub(super) fn edge_at(&self, position: Option<Pos2>) -> Option<(ColumnKey, f32)> {
        let position =
            position.filter(|position| self.header.contains(*position) && position.x < self.body.right())?;
        let found = self.columns.iter().rev().find(|column| {
            let edge = column.left + column.width;
            (edge - position.x).abs() <= GRIP && (column.frozen || edge > self.frozen_right)
        })?;
        Some((found.shown.key().clone(), found.width))
    }

    /// Returns the handle of the vertical scroll bar.
    pub(super) fn vertical_handle(&self) -> Rect {
        let shown = f64::from(self.body.height() / self.row) / self.rows as f64;
        let height = (self.vertical_bar.height() * shown as f32)
            .clamp(24.0_f32.min(self.vertical_bar.height()), self.vertical_bar.height());
        let last = self.last_scroll_row();
        let share = if last > 0.0 { (self.scroll_row / last) as f32 } else { 0.0 };
        let top = self.vertical_bar.top() + (self.vertical_bar.height() - height) * share;
        Rect::from_min_size(pos2(self.vertical_bar.left(), top), vec2(BAR, height))
    }

    /// Returns the handle of the horizontal scroll bar; `None` if all columns fit.
    pub(super) fn horizontal_handle(&self) -> Option<Rect> {
        let last = self.last_scroll_x();
        if last <= 0.0 {
            return None;
        }
        let bar = self.horizontal_bar;
        let width = (bar.width() * bar.width() / self.scrolled_width).max(24.0).min(bar.width());
        let left = bar.left() + (bar.width() - width) * (self.scroll_x / last).min(1.0);
        Some(Rect::from_min_size(pos2(left, bar.top()), vec2(width, BAR)))
    }

    /// Returns the vertical scroll position, in rows, when the handle is dragged to `y`.
    pub(super) fn scroll_row_at(&self, y: f32) -> f64 {
        let handle = self.vertical_handle().height();
        let track = (self.vertical_bar.height() - handle).max(1.0);
        let share = ((y - self.vertical_bar.top() - handle / 2.0) / track).clamp(0.0, 1.0);
        f64::from(share) * self.last_scroll_row()
    }

    /// Returns the horizontal scroll offset, in points, when the handle is dragged to `x`.
    pub(super) fn scroll_x_at(&self, x: f32) -> f32 {
        let handle = self.horizontal_handle().map_or(0.0, |handle| handle.width());
        let track = (self.horizontal_bar.width() - handle).max(1.0);
        ((x - self.horizontal_bar.left() - handle / 2.0) / track).clamp(0.0, 1.0) * self.last_scroll_x()
    }

    /// Returns the column before which a column dragged to `x` would be dropped; `None` is the end.
    pub(super) fn column_before(&self, x: f32) -> Option<&ColumnLayout> {
        self.columns.iter().find(|column| x < column.left + column.width / 2.0)
    }
}

impl Layout {
    /// Number of marks that fit on the vertical scroll bar.
    pub(super) fn mark_count(&self) -> usize {
        (self.vertical_bar.height() / MARK).floor().max(1.0) as usize
    }

    /// Returns the index of a row's mark.
    pub(super) fn mark_index(&self, index: usize) -> usize {
        index * self.mark_count() / self.rows
    }

    /// Returns the rectangle of a mark.
    pub(super) fn mark_rect(&self, mark: usize) -> Rect {
        let bar = self.vertical_bar;
        let top = bar.top() + mark as f32 * MARK;
        Rect::from_x_y_ranges(bar.left() + 2.0..=bar.right() - 2.0, top..=top + MARK)
    }
}

/// Returns the horizontal offset nearest to a scroll position, and the last one: columns of these widths move
/// one by one through a pane, until the last of them is shown.
fn offsets(widths: &[f32], pane: f32, scrolled: f32) -> (f32, f32) {
    let mut end = 0.0;
    let starts = widths.iter().map(|width| {
        end += width;
        end - width
    });
    let starts: Vec<f32> = starts.collect();
    let showing = offset_showing(starts.iter().copied(), end, pane);
    let last = showing.or(starts.last().copied()).unwrap_or_default();
    let distance = |from: &f32| (from - scrolled).abs();
    let shown = starts.iter().copied().take_while(|from| *from <= last);
    let offset = shown.min_by(|one, other| distance(one).total_cmp(&distance(other)));
    (offset.unwrap_or_default(), last)
}

/// Returns the first of the columns' starts from which a pane shows everything up to `end`.
fn offset_showing(mut starts: impl Iterator<Item = f32>, end: f32, pane: f32) -> Option<f32> {
    starts.find(|from| end - from <= pane + ROUNDING)
}

/// Returns the width of the row numbers, in points: that of the largest.
fn gutter(rows: usize) -> f32 {
    rows.to_string().len().max(2) as f32 * FIGURE + 2.0 * PADDING
}

fn default_width(shown: &ViewColumn) -> f32 {
    let by_title = shown.title().chars().count() as f32 * 7.0 + 2.0 * PADDING;
    let by_kind: f32 = match shown {
        ViewColumn::Sparkline { .. } => 120.0,
        ViewColumn::Data(entry) => match (&*entry.column.key.0, &entry.column.kind) {
            ("symbol", _) => 88.0,
            ("company", _) => 240.0,
            ("note", _) => 220.0,
            (_, ColumnKind::Text) => 150.0,
            (_, ColumnKind::Number { .. } | ColumnKind::Percent { .. }) => 104.0,
            (_, ColumnKind::Time) => 104.0,
            (_, ColumnKind::Flag) => 64.0,
            (_, ColumnKind::Choice(_)) => 96.0,
        },
    };
    by_kind.max(by_title.min(200.0) + if shown.is_numeric() { ARROW } else { 0.0 })
}
