//! The filter row below the header.

use egui::{Color32, Id, Key, Rect, Response, RichText, TextEdit, Ui, UiBuilder, pos2, vec2};
use shared::column::ColumnKey;

use super::{
    config::GridConfig,
    filter::Filter,
    layout::Layout,
    view::{Frame, GridView},
};
use crate::{
    command::{self, Command, GridCommand, Scope},
    focus::{self, Region},
    text_field::select_all,
    theme,
};

/// The state of the filter row between frames.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// The column whose field gets focus in the next frame.
    focus_next: Option<ColumnKey>,
}

impl Filters {
    /// Opens the filter row if it is closed, and focuses the field of a column.
    pub(super) fn open(&mut self, config: &mut GridConfig, column: ColumnKey) {
        config.has_filters = true;
        self.focus_next = Some(column);
    }

    /// Whether a text field is about to get the focus.
    pub(super) fn is_opening(&self) -> bool {
        self.focus_next.is_some()
    }
}

/// Returns the filters of existing columns. A filter that cannot be parsed hides nothing.
pub(super) fn active_filters(config: &GridConfig, view: &GridView<'_>) -> Vec<(ColumnKey, Filter)> {
    let typed = config.filters.iter().filter_map(|(key, text)| {
        let entry = view.watchlist.columns().visible_column(key).ok()?;
        let filter = Filter::read(text, view.value_format(&entry.column.kind), view.today).ok()??;
        Some((key.clone(), filter))
    });
    typed.collect()
}

/// Shows the filter row if it is open. Returns the column to scroll to, whose field gets the focus.
pub(super) fn show(
    ui: &mut Ui,
    filters: &mut Filters,
    config: &mut GridConfig,
    cursor: Option<&ColumnKey>,
    (frame, layout): (&Frame<'_>, &Layout),
) -> Option<ColumnKey> {
    if !config.has_filters {
        return None;
    }
    let palette = frame.view.palette;
    ui.painter().rect_filled(layout.filters, 0, palette.bars);
    let (mut should_leave, mut should_close, mut left_with_tab) = (false, false, None);
    for column in &layout.columns {
        let left = if column.frozen { layout.left } else { layout.frozen_right };
        let clip = Rect::from_x_y_ranges(left..=layout.body.right(), layout.filters.y_range());
        let rect = Rect::from_min_size(
            pos2(column.left, layout.filters.top()),
            vec2(column.width, layout.filters.height()),
        )
        .shrink2(vec2(2.0, 3.0));
        let Some(entry) = column.shown.data().filter(|_| clip.intersects(rect)) else { continue };
        let key = &entry.column.key;
        let mut text = config.filters.get(key).cloned().unwrap_or_default();
        let error = Filter::read(&text, frame.view.value_format(&entry.column.kind), frame.view.today).err();
        let id = ui.scope_id().with(("filter", key));
        let color = if error.is_some() { palette.down } else { palette.text };
        let hint = if column.is_first { "Filter" } else { "" };
        let response = show_field(ui, &mut text, id, (rect, clip), (color, hint));
        if cursor.is_none_or(|cursor| cursor == key) {
            focus::record(ui, Region::Filters, layout.filters, id);
        }
        if filters.focus_next.as_ref() == Some(key) {
            filters.focus_next = None;
            response.request_focus();
        }
        // What is typed replaces the filter, unless the pointer has put the caret into it.
        if response.gained_focus() && !response.is_pointer_button_down_on() {
            select_all(ui, id, &text);
        }
        let title = &entry.column.title;
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(format!("Filter {title}")));
        if ui.memory(|memory| memory.had_focus_last_frame(id)) {
            let pressed = ui.input(|input| command::pressed(input, Scope::FilterRow));
            should_close |= matches!(pressed, Some(Command::Grid(GridCommand::ClearFilters)));
            if let Some(Command::Grid(GridCommand::ClearFilter)) = pressed {
                text.clear();
            }
            should_leave |= pressed.is_some();
        }
        let tab = ui.input(|input| input.key_pressed(Key::Tab).then_some(!input.modifiers.shift));
        if let Some(is_next) = tab.filter(|_| ui.memory(|memory| memory.had_focus_last_frame(id))) {
            left_with_tab = Some((key.clone(), is_next));
        }
        if text.is_empty() {
            config.filters.remove(key);
        } else {
            config.filters.insert(key.clone(), text);
        }
        if let Some(error) = error {
            response.on_hover_text(&error);
            let below = Rect::from_min_size(rect.left_bottom() + vec2(0.0, 2.0), vec2(0.0, 0.0));
            show_error(ui, below, error, frame);
        }
    }
    if should_close {
        config.close_filters();
    }
    if should_leave || should_close {
        ui.memory_mut(egui::Memory::stop_text_input);
    }
    // Fields that are out of view are not drawn, so that egui cannot move the focus to them.
    if let Some(next) = left_with_tab.and_then(|(key, is_next)| neighbor(layout, &key, is_next)) {
        filters.focus_next = Some(next);
    }
    filters.focus_next.take_if(|next| layout.column(next).is_none());
    if filters.focus_next.is_some() {
        ui.request_repaint();
    }
    filters.focus_next.clone()
}

fn show_field(
    ui: &mut Ui,
    text: &mut String,
    id: Id,
    (rect, clip): (Rect, Rect),
    (color, hint): (Color32, &str),
) -> Response {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(id));
    child.shrink_clip_rect(clip);
    let field = TextEdit::singleline(text)
        .id(id)
        .font(theme::small())
        .text_color(color)
        .hint_text(hint)
        .margin(vec2(4.0, 0.0))
        .align(egui::Align2::LEFT_CENTER)
        .desired_width(rect.width());
    child.add_sized(rect.size(), field)
}

/// Returns the next or the previous column that can be filtered.
fn neighbor(layout: &Layout, key: &ColumnKey, is_next: bool) -> Option<ColumnKey> {
    let keys = layout.columns.iter().filter_map(|column| column.shown.data()).map(|entry| &entry.column.key);
    let keys: Vec<_> = keys.collect();
    let index = keys.iter().position(|other| *other == key)?;
    let found = if is_next { keys.get(index + 1) } else { keys.get(index.checked_sub(1)?) };
    found.map(|key| (*key).clone())
}

/// Says that no row matches, with a button that clears the filters. Returns whether it was clicked.
pub(super) fn show_no_match(ui: &mut Ui, frame: &Frame<'_>, layout: &Layout) -> bool {
    let palette = frame.view.palette;
    let rect = layout.body.with_min_y(layout.body.top() + 2.0 * layout.row);
    let mut child =
        ui.new_child(UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Center)));
    child.label(RichText::new("No row matches the filters.").color(palette.muted));
    child.button(command::entry_of(&GridCommand::ClearFilters.into()).title).clicked()
}

fn show_error(ui: &Ui, at: Rect, text: String, frame: &Frame<'_>) {
    let palette = frame.view.palette;
    let galley = ui.painter().layout_no_wrap(text, theme::small(), palette.down);
    let bubble = Rect::from_min_size(at.min, galley.size() + vec2(16.0, 8.0));
    let stroke = egui::Stroke::new(1.0, palette.hairline);
    ui.painter().rect(bubble, theme::RADIUS, palette.bars, stroke, egui::StrokeKind::Inside);
    ui.painter().galley(bubble.min + vec2(8.0, 4.0), galley, palette.down);
}
