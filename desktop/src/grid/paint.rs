//! Paints the visible cells, with one clip rectangle for the frozen columns and one for the scrolled columns.

use std::sync::Arc;

use egui::{
    Align, Color32, Galley, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Ui, Vec2, pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};
use shared::{value::Value, watchlist::Row};

use super::{
    cell::{cell_font, format_cell, sanitized},
    config::GridConfig,
    filter::Needle,
    find::cell_matches,
    layout::{ColumnLayout, Layout, ROUNDING},
    metrics::{ARROW, inner},
    pointer::Drag,
    selection::Selection,
    sparkline,
    view::{Frame, GridView, PersonAt},
    view_column::ViewColumn,
};
use crate::{
    store::glow::{Direction, RowGlow},
    theme::{self, Palette, in_visual_order, is_readable_on, mix, readable},
};

/// Share of the accent colour in the background of a cell that matches the find text, 0 to 1.
const MATCH_TINT: f32 = 0.35;
/// Maximum number of recent changes that are marked on the scroll bar. More would fill it.
const MAX_MARKED_CHANGES: usize = 2_000;
/// Distance of the plate behind a coloured number from the edges of its cell, in points.
const PLATE_MARGIN: Vec2 = vec2(3.0, 3.0);
const PLATE_RADIUS: u8 = 4;
/// Share of the accent colour in the background of a selected cell, 0 to 1.
const SELECTION_TINT: f32 = 0.16;

/// The state of the grid's parts that is painted.
pub(super) struct Painted<'a> {
    pub(super) config: &'a GridConfig,
    pub(super) selection: &'a Selection,
    /// The text to find.
    pub(super) needle: Option<Needle>,
    pub(super) drag: Option<&'a Drag>,
    pub(super) is_editing: bool,
    /// Whether no other widget has the keyboard focus.
    pub(super) has_focus: bool,
    pub(super) sorting: Sorting,
    pub(super) pointer: Option<Pos2>,
}

/// Whether the shown order follows changed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sorting {
    /// It does.
    Live,
    /// A new order waits until rows may move.
    Waiting,
    /// Live sorting is paused.
    Paused,
}

/// Paints the header, rows, cursor and scroll bars.
pub(super) fn paint(ui: &Ui, state: &Painted<'_>, frame: &Frame<'_>, layout: &Layout) {
    let pointer = state.pointer;
    let view = frame.view;
    let painter = ui.painter_at(layout.rect);
    painter.rect_filled(layout.rect, 0, view.palette.background);
    let scrolled = Rect::from_min_max(pos2(layout.frozen_right, layout.body.top()), layout.body.max);
    let frozen = Rect::from_min_max(layout.body.min, pos2(layout.frozen_right, layout.body.bottom()));
    for (clip, is_frozen) in [(scrolled, false), (frozen, true)] {
        let painter = painter.with_clip_rect(clip.intersect(painter.clip_rect()));
        paint_rows(&painter, state, frame, layout, is_frozen);
    }
    paint_row_numbers(&painter, state, frame, layout);
    paint_header(&painter, state, view, layout);
    if matches!(state.drag, Some(Drag::Move(_)))
        && let Some(pointer) = pointer
    {
        let y = layout.row_top(layout.insertion_index_at(pointer.y));
        painter.hline(layout.body.x_range(), y, Stroke::new(2.0, view.palette.accent));
    }
    paint_frozen_edge(&painter, frame, layout);
    paint_scroll_bars(&painter, frame, layout, pointer);
}

fn paint_rows(painter: &Painter, state: &Painted<'_>, frame: &Frame<'_>, layout: &Layout, frozen: bool) {
    let (view, table) = (frame.view, frame.table);
    let needle = state.needle.as_ref();
    let clip = painter.clip_rect();
    let hovered = state.pointer.and_then(|pointer| layout.cell_at(pointer)).map(|(index, _)| index);
    for index in layout.visible_rows() {
        let top = layout.row_top(index);
        let band = Rect::from_min_max(pos2(clip.left(), top), pos2(clip.right(), top + layout.row));
        let row = table.row_at(index);
        let glow = row.and_then(|row| view.row_glow(row.id));
        let strength = glow.as_ref().map_or(0.0, |glow| glow.strength);
        let background = mix(view.palette.background, view.palette.glow, strength);
        if strength > 0.0 {
            painter.rect_filled(band, 0, background);
        } else if hovered == Some(index) {
            painter.rect_filled(band, 0, mix(view.palette.background, view.palette.hover, 0.5));
        }
        if let Some(row) = row.filter(|row| table.is_section(row)) {
            paint_section(painter, state, frame, layout, index, row, background);
            continue;
        }
        painter.hline(band.x_range(), band.bottom() - 0.5, Stroke::new(1.0, view.palette.hairline));
        for column in layout.columns.iter().filter(|column| column.frozen == frozen) {
            let rect = layout.cell_rect(index, column);
            if rect.right() < clip.left() || rect.left() > clip.right() {
                continue;
            }
            match row {
                Some(row) => {
                    let key = column.shown.key();
                    if !state.selection.blocks.is_single() && state.selection.blocks.contains(row.id, key) {
                        painter.rect_filled(rect, 0, mix(background, view.palette.accent, SELECTION_TINT));
                    }
                    if needle.is_some_and(|needle| cell_matches(needle, row, &column.shown, frame)) {
                        painter.rect_filled(
                            rect.shrink(1.0),
                            2,
                            mix(background, view.palette.accent, MATCH_TINT),
                        );
                    }
                    let cell_background =
                        paint_cell_glow(painter, view, column, rect, background, glow.as_ref());
                    let room = layout.cell_room(index, column);
                    paint_cell(painter, view, column, row, room, cell_background, glow.as_ref());
                }
                None if view.can_edit()
                    && layout.columns.first().is_some_and(|first| std::ptr::eq(first, column)) =>
                {
                    paint_text(
                        painter,
                        inner(layout.cell_room(index, column)),
                        "New symbol",
                        Align::LEFT,
                        view.palette.muted,
                        theme::small(),
                    );
                }
                None => {}
            }
        }
    }
    for person in view.people {
        let place = table.index_of(person.row).filter(|index| layout.visible_rows().contains(index));
        let column = layout.column(&person.column).filter(|column| column.frozen == frozen);
        if let (Some(index), Some(column)) = (place, column) {
            paint_person(painter, layout.cell_rect(index, column), person);
        }
    }
    if let (Some(cursor), false, Some(index)) = (&state.selection.cursor, state.is_editing, state.selection.cursor_index(table))
        && let is_section = table.row_at(index).is_some_and(|row| table.is_section(row))
        // A section's cursor frame spans both panes.
        && let Some(column) = layout.column(&cursor.column).filter(|column| is_section || column.frozen == frozen)
    {
        let rect = if is_section { layout.band(index) } else { layout.cell_rect(index, column) };
        let is_meant = state.has_focus && state.selection.displacement().is_none();
        let color = if is_meant { view.palette.accent } else { view.palette.muted };
        painter.rect_stroke(rect, 2, Stroke::new(2.0, color), StrokeKind::Inside);
    }
}

/// Paints the line right of the frozen columns. Section titles interrupt it.
fn paint_frozen_edge(painter: &Painter, frame: &Frame<'_>, layout: &Layout) {
    let x = layout.frozen_right - 0.5;
    let line = |y: egui::Rangef| painter.vline(x, y, Stroke::new(1.0, frame.view.palette.hairline));
    line(egui::Rangef::new(layout.rect.top(), layout.body.top()));
    let mut top = layout.body.top();
    for index in layout.visible_rows() {
        if frame.table.row_at(index).is_some_and(|row| frame.table.is_section(row)) {
            let band = layout.band(index);
            line(egui::Rangef::new(top, band.top().max(top)));
            top = band.bottom();
        }
    }
    line(egui::Rangef::new(top, layout.body.bottom()));
}

/// Paints a section title across the list. Both panes paint it, each within its clip rectangle.
fn paint_section(
    painter: &Painter,
    state: &Painted<'_>,
    frame: &Frame<'_>,
    layout: &Layout,
    index: usize,
    row: &Row,
    background: Color32,
) {
    let palette = frame.view.palette;
    let band = layout.band(index);
    let is_glowing = background != palette.background;
    let mut fill = if is_glowing { background } else { palette.bars };
    if !state.selection.blocks.is_single() && state.selection.blocks.has_row(row.id) {
        fill = mix(fill, palette.accent, SELECTION_TINT);
    }
    painter.rect_filled(band, 0, fill);
    painter.hline(band.x_range(), band.bottom() - 0.5, Stroke::new(1.0, palette.outline));
    let title = frame.table.columns().first().map(|first| frame.table.value(row, first));
    if let Some(Value::Text(title)) = title {
        let (shown, color) = (sanitized(&title), readable(palette.text, fill));
        paint_text(painter, inner(band.with_min_x(layout.left)), &shown, Align::LEFT, color, theme::strong());
    }
}

/// Paints the number of each visible row. The number is also the row's drag handle.
fn paint_row_numbers(painter: &Painter, state: &Painted<'_>, frame: &Frame<'_>, layout: &Layout) {
    let palette = frame.view.palette;
    let strip = Rect::from_min_max(layout.body.min, pos2(layout.left, layout.body.bottom()));
    let painter = painter.with_clip_rect(strip.intersect(painter.clip_rect()));
    let cursor = state.selection.cursor_index(frame.table);
    for index in layout.visible_rows() {
        let Some(row) = frame.table.row_at(index) else { continue };
        let (is_section, row) = (frame.table.is_section(row), row.id);
        let cell = layout.band(index).with_max_x(layout.left);
        let is_selected = !state.selection.blocks.is_single() && state.selection.blocks.has_row(row);
        if is_selected {
            painter.rect_filled(cell, 0, mix(palette.background, palette.accent, SELECTION_TINT));
        }
        let color = if is_selected || cursor == Some(index) { palette.text } else { palette.muted };
        let glow = frame.view.row_glow(row);
        let background = mix(palette.background, palette.glow, glow.map_or(0.0, |glow| glow.strength));
        let color = readable(color, background);
        // A section is not a row of data.
        let number = if is_section { String::new() } else { (index + 1).to_string() };
        paint_text(&painter, inner(cell), &number, Align::RIGHT, color, theme::number());
    }
}

/// Paints the glow of a single cell if only cells glow, not rows. Returns the background colour of its text.
fn paint_cell_glow(
    painter: &Painter,
    view: &GridView<'_>,
    column: &ColumnLayout,
    rect: Rect,
    background: Color32,
    glow: Option<&RowGlow<'_>>,
) -> Color32 {
    let by_itself = glow.filter(|glow| glow.strength <= 0.0);
    let key = column.shown.key();
    let changed = by_itself.and_then(|glow| glow.cells.iter().find(|(changed, _, _)| *changed == key));
    let Some((_, strength, _)) = changed else { return background };
    let background = mix(background, view.palette.glow, *strength);
    painter.rect_filled(rect.with_max_y(rect.max.y - 1.0), 0, background);
    background
}

fn paint_cell(
    painter: &Painter,
    view: &GridView<'_>,
    column: &ColumnLayout,
    row: &Row,
    rect: Rect,
    background: Color32,
    glow: Option<&RowGlow<'_>>,
) {
    let palette = view.palette;
    let entry = match &column.shown {
        ViewColumn::Data(entry) => entry,
        ViewColumn::Sparkline { of, .. } => {
            let values = view.sparklines.and_then(|values| values.get(row.id, of)).unwrap_or_default();
            let [line, dot] = [palette.muted, palette.text].map(|color| readable(color, background));
            sparkline::paint(painter, rect, values, line, dot);
            return;
        }
    };
    let changed = glow.and_then(|glow| glow.cells.iter().find(|(key, _, _)| **key == entry.column.key));
    let value = view.watchlist.value(row, entry);
    let formatted = (!value.is_empty()).then(|| format_cell(&value, entry, view));
    let is_colored = formatted.as_ref().is_some_and(|(_, color, _)| is_direction(*color, palette));
    let plate = rect.shrink2(PLATE_MARGIN);
    let background = if is_colored { paint_plate(painter, plate, background, palette) } else { background };
    if let Some((_, strength, direction)) = changed {
        let edge = mix(background, palette.glow_edge, *strength);
        painter.rect_stroke(rect.shrink(1.0), 2, Stroke::new(1.5, edge), StrokeKind::Inside);
        if let Some(direction) = direction {
            let plate = plate.with_min_x(plate.right() - ARROW - 2.0);
            let background = paint_plate(painter, plate, background, palette);
            paint_arrow(painter, rect, *direction, palette, background);
        }
    }
    if let Some((shown, color, align)) = formatted {
        let font = cell_font(column);
        let mut room = inner(rect);
        if entry.column.kind.is_numeric() {
            room.max.x -= ARROW;
        }
        let mut galley = lay_out(painter, &shown, font.clone(), room.width());
        let is_figure_cut = galley.elided && align == Align::RIGHT;
        if is_figure_cut {
            let whole = painter.layout_no_wrap(shown.clone(), font.clone(), Color32::PLACEHOLDER).size().x;
            let needed = whole + (column.width - room.width()) + ROUNDING;
            // What the edge of the window cuts off needs no wider column.
            if rect.width() + ROUNDING >= column.width {
                column.needed.set(column.needed.get().max(needed));
            }
            // A truncated number would be read as a different one.
            let mut signs = LayoutJob::simple_singleline("#".repeat(shown.len()), font, Color32::PLACEHOLDER);
            signs.wrap =
                TextWrapping { overflow_character: None, ..TextWrapping::truncate_at_width(room.width()) };
            galley = painter.layout_job(signs);
        }
        paint_galley(painter, room, galley, align, readable(color, background));
    }
    if (view.pending)(row.id, &entry.column.key) {
        let corner = rect.right_top();
        let points = vec![corner + vec2(-7.0, 0.0), corner, corner + vec2(0.0, 7.0)];
        painter.add(Shape::convex_polygon(points, palette.accent, Stroke::NONE));
    }
}

/// Whether a colour says that a number is up or down.
fn is_direction(color: Color32, palette: &Palette) -> bool {
    color == palette.up || color == palette.down
}

/// Paints the background without the glow behind the text of a cell, if the colours of directions are not
/// readable on the glow: on its way from bright to dark, no colour is readable at every moment. Returns the
/// background of the text.
fn paint_plate(painter: &Painter, rect: Rect, background: Color32, palette: &Palette) -> Color32 {
    let is_readable = |color| is_readable_on(color, palette.glow);
    if background == palette.background || is_readable(palette.up) && is_readable(palette.down) {
        return background;
    }
    painter.rect_filled(rect, PLATE_RADIUS, palette.background);
    palette.background
}

fn paint_text(painter: &Painter, room: Rect, text: &str, align: Align, color: Color32, font: egui::FontId) {
    paint_galley(painter, room, lay_out(painter, text, font, room.width()), align, color);
}

/// Paints a line of text in a part of a cell, unless that part is too narrow for any. A figure, which is
/// aligned to the right, is not painted in part: another one would be read.
fn paint_galley(painter: &Painter, room: Rect, galley: Arc<Galley>, align: Align, color: Color32) {
    let x = if align == Align::RIGHT { room.right() - galley.size().x } else { room.left() };
    let y = room.center().y - galley.size().y / 2.0;
    let at = pos2(x, y.round());
    let is_cut = || {
        let bounds = galley.mesh_bounds.translate(at.to_vec2());
        !painter.clip_rect().contains_rect(bounds) || bounds.left() < room.left() - 1.0
    };
    if !room.is_positive() || align == Align::RIGHT && is_cut() {
        return;
    }
    painter.galley_with_override_text_color(at, galley, color);
}

fn lay_out(painter: &Painter, text: &str, font: egui::FontId, width: f32) -> Arc<Galley> {
    let text = in_visual_order(text).into_owned();
    let mut job = LayoutJob::simple_singleline(text, font, Color32::PLACEHOLDER);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

fn paint_arrow(painter: &Painter, rect: Rect, direction: Direction, palette: &Palette, background: Color32) {
    let (color, tip) = match direction {
        Direction::Up => (palette.up, -4.0),
        Direction::Down => (palette.down, 4.0),
    };
    let center = pos2(rect.right() - ARROW / 2.0 - 4.0, rect.center().y);
    let points = vec![center + vec2(-4.0, -tip), center + vec2(4.0, -tip), center + vec2(0.0, tip)];
    // The arrow does not fade: it stays readable as long as the cell glows.
    painter.add(Shape::convex_polygon(points, readable(color, background), Stroke::NONE));
}

/// Outlines the cell that another user is on and labels it with their initials.
fn paint_person(painter: &Painter, rect: Rect, person: &PersonAt) {
    let width = if person.is_editing { 2.0 } else { 1.0 };
    painter.rect_stroke(rect, 2, Stroke::new(width, person.color), StrokeKind::Inside);
    let galley = lay_out(painter, &person.initials, theme::tiny(), 40.0);
    let flag = Rect::from_min_size(
        pos2(rect.right() - galley.size().x - 6.0, rect.top()),
        galley.size() + vec2(6.0, 0.0),
    );
    painter.rect_filled(flag, 2, person.color);
    let ink = readable(person.color, person.color);
    painter.galley_with_override_text_color(flag.min + vec2(3.0, 0.0), galley, ink);
}

fn paint_header(painter: &Painter, state: &Painted<'_>, view: &GridView<'_>, layout: &Layout) {
    let palette = view.palette;
    let pointer = state.pointer;
    let band = layout.header;
    painter.rect_filled(band, 0, palette.bars);
    painter.hline(band.x_range(), band.bottom() - 0.5, Stroke::new(1.0, palette.hairline));
    for frozen in [false, true] {
        let left = if frozen { layout.rect.left() } else { layout.frozen_right };
        let right = if frozen { layout.frozen_right } else { layout.rect.right() };
        let painter = painter.with_clip_rect(
            Rect::from_x_y_ranges(left..=right, band.y_range()).intersect(painter.clip_rect()),
        );
        for column in layout.columns.iter().filter(|column| column.frozen == frozen) {
            let rect = Rect::from_min_max(
                pos2(column.left, band.top()),
                pos2(column.left + column.width, band.bottom()),
            );
            let mut room = inner(rect.with_max_x(column.left + column.room));
            let align = if column.shown.is_right_aligned() { Align::RIGHT } else { Align::LEFT };
            if column.shown.is_numeric() {
                room.max.x -= ARROW;
            }
            let key = column.shown.key();
            let is_selected = !state.selection.blocks.is_single() && state.selection.blocks.has_column(key);
            let is_hovered = pointer.is_some_and(|pointer| rect.contains(pointer));
            if is_selected || is_hovered {
                let share = if is_selected { SELECTION_TINT } else { 0.5 };
                let tint = if is_selected { palette.accent } else { palette.hover };
                painter.rect_filled(rect.shrink2(vec2(0.0, 1.0)), 0, mix(palette.bars, tint, share));
            }
            let sorted = state.config.sort.iter().position(|sort| sort.column == *key);
            if let Some(place) = sorted {
                let descending = state.config.sort[place].descending;
                let number = (state.config.sort.len() > 1).then_some(place + 1);
                room = paint_sort_mark(&painter, (room, align), (descending, state.sorting), number, palette);
            }
            let color = if sorted.is_some() { palette.text } else { palette.muted };
            paint_text(&painter, room, column.shown.title(), align, color, theme::small());
        }
    }
    if let (Some(Drag::Column(_)), Some(pointer)) = (state.drag, state.pointer) {
        let x = layout.column_before(pointer.x).map_or_else(
            || layout.columns.last().map_or(layout.rect.left(), |last| last.left + last.width),
            |column| column.left,
        );
        painter.vline(x, layout.rect.top()..=layout.body.bottom(), Stroke::new(2.0, palette.accent));
    }
}

/// Paints a column's sort direction, and its rank if there are several sort keys. The mark is an outline
/// while a new order waits, and has two bars beside it while sorting is paused. Returns the rectangle that is
/// left for the title.
fn paint_sort_mark(
    painter: &Painter,
    (room, align): (Rect, Align),
    (descending, sorting): (bool, Sorting),
    number: Option<usize>,
    palette: &Palette,
) -> Rect {
    let bars = if sorting == Sorting::Paused { 7.0 } else { 0.0 };
    let width = 12.0 + bars + if number.is_some() { 6.0 } else { 0.0 };
    let (mark, rest) = if align == Align::RIGHT {
        room.split_left_right_at_x(room.left() + width)
    } else {
        let (rest, mark) = room.split_left_right_at_x(room.right() - width);
        (mark, rest)
    };
    let tip = if descending { 3.0 } else { -3.0 };
    let center = pos2(mark.left() + 5.0, mark.center().y);
    let points = vec![center + vec2(-4.0, -tip), center + vec2(4.0, -tip), center + vec2(0.0, tip)];
    let accent = Stroke::new(1.5, palette.accent);
    painter.add(match sorting {
        Sorting::Waiting => Shape::closed_line(points, accent),
        Sorting::Live | Sorting::Paused => Shape::convex_polygon(points, palette.accent, Stroke::NONE),
    });
    if sorting == Sorting::Paused {
        for x in [12.0, 15.0] {
            painter.vline(mark.left() + x, center.y - 3.5..=center.y + 3.5, accent);
        }
    }
    if let Some(number) = number {
        let place = mark.with_min_x(mark.left() + 11.0 + bars);
        paint_text(painter, place, &number.to_string(), Align::LEFT, palette.accent, theme::tiny());
    }
    rest
}

fn paint_scroll_bars(painter: &Painter, frame: &Frame<'_>, layout: &Layout, pointer: Option<Pos2>) {
    let palette = frame.view.palette;
    let handle = |rect: Rect, bar: Rect| {
        let near = pointer.is_some_and(|pointer| bar.contains(pointer));
        let color = if near { palette.muted } else { mix(palette.background, palette.muted, 0.45) };
        painter.rect_filled(rect.shrink(3.0), 3, color);
    };
    if layout.last_scroll_row() > 0.0 {
        handle(layout.vertical_handle(), layout.vertical_bar);
    }
    if let Some(rect) = layout.horizontal_handle() {
        handle(rect, layout.horizontal_bar);
    }
    paint_marks(painter, frame, layout);
}

/// Marks changed rows outside the view on the scroll bar. Of several changes at one mark, the latest is
/// shown: it is the strongest.
fn paint_marks(painter: &Painter, frame: &Frame<'_>, layout: &Layout) {
    let view = frame.view;
    let Some(glow) = view.glow else { return };
    let mut marked = vec![false; layout.mark_count()];
    let in_view = layout.visible_rows();
    for (row, strength) in glow.glowing(view.window, view.now).take(MAX_MARKED_CHANGES) {
        let Some(index) = frame.table.index_of(row).filter(|index| !in_view.contains(index)) else {
            continue;
        };
        let mark = layout.mark_index(index);
        if !std::mem::replace(&mut marked[mark], true) {
            let color = mix(view.palette.background, view.palette.glow_edge, strength.sqrt());
            painter.rect_filled(layout.mark_rect(mark), 0, color);
        }
    }
}
