//! The accessibility tree: the visible rows and cells, and the cursor. It is built only while a screen reader
//! is active. The name of a cell says everything about it, because some systems pass only names on.

use egui::{
    Id, Rect, Sense, Ui, UiBuilder,
    accesskit::{Action, Node, Role, SortDirection},
    pos2,
};

use super::{
    cell::format_cell,
    config::GridConfig,
    cursor::Cursor,
    layout::{ColumnLayout, Layout},
    paint::Sorting,
    selection::Selection,
    sparkline,
    view::Frame,
    view_column::ViewColumn,
};

/// Adds the grid's nodes to the accessibility tree. A screen reader's click or focus action moves the cursor.
pub(super) fn describe(
    ui: &mut Ui,
    id: Id,
    selection: &mut Selection,
    (config, sorting): (&GridConfig, Sorting),
    frame: &Frame<'_>,
    layout: &Layout,
) {
    let (table, view) = (frame.table, frame.view);
    let is_active = ui.ctx().accesskit_node_builder(id, |node| {
        node.set_role(Role::Grid);
        node.set_bounds(bounds(layout.rect));
        node.set_label(view.watchlist.name().to_string());
        node.set_row_count(table.len() + 1);
        node.set_column_count(table.columns().len());
        node.set_multiselectable();
        node.add_action(Action::Focus);
    });
    if is_active.is_none() {
        return;
    }
    headers(ui, id, (config, sorting), layout);
    let mut active = None;
    for index in layout.visible_rows() {
        let row = table.id_at(index);
        let top = layout.row_top(index);
        let band =
            Rect::from_min_max(pos2(layout.rect.left(), top), pos2(layout.body.right(), top + layout.row));
        let key = row.map_or_else(|| "new".to_owned(), |row| row.to_string());
        let name = name_of(frame, index);
        let row_ui = child(ui, id, ("row", &key), band, Role::Row);
        ui.ctx().accesskit_node_builder(row_ui.unique_id(), |node| {
            node.set_label(name.clone());
            node.set_bounds(bounds(band));
            node.set_row_index(index + 1);
            if row.is_some_and(|row| selection.blocks.has_row(row)) {
                node.set_selected(true);
            }
        });
        for (place, column) in layout.columns.iter().enumerate() {
            let cell_id = id.with(("cell", &key, column.shown.key()));
            let target = Cursor { row, column: column.shown.key().clone() };
            if ui.input(|input| {
                input.has_accesskit_action_request(cell_id, Action::Click)
                    || input.has_accesskit_action_request(cell_id, Action::Focus)
            }) {
                selection.choose_alone(target.clone());
            }
            let rect = layout.cell_rect(index, column).intersect(layout.body);
            row_ui.interact(rect, cell_id, Sense::hover());
            ui.ctx().accesskit_node_builder(cell_id, |node| {
                node.set_bounds(bounds(rect));
                cell(node, frame, index, place, column, &name);
                node.set_selected(row.is_some_and(|row| selection.contains(row, &target.column)));
            });
            if selection.cursor.as_ref() == Some(&target) {
                active = Some(cell_id.accesskit_id());
            }
        }
    }
    if let Some(active) = active {
        ui.ctx().accesskit_node_builder(id, |node| node.set_active_descendant(active));
    }
}

fn headers(ui: &mut Ui, id: Id, (config, sorting): (&GridConfig, Sorting), layout: &Layout) {
    let row_ui = child(ui, id, ("row", &"header".to_owned()), layout.header, Role::Row);
    for (place, column) in layout.columns.iter().enumerate() {
        let key = column.shown.key();
        let header_id = id.with(("header", key));
        let rect = Rect::from_min_size(
            pos2(column.left, layout.header.top()),
            egui::vec2(column.width, layout.header.height()),
        );
        row_ui.interact(rect, header_id, Sense::hover());
        ui.ctx().accesskit_node_builder(header_id, |node| {
            node.set_role(Role::ColumnHeader);
            node.set_bounds(bounds(rect));
            node.set_label(column.shown.title().to_string());
            node.set_column_index(place);
            if let Some(sort) = config.sort.iter().find(|sort| sort.column == *key) {
                let direction =
                    if sort.descending { SortDirection::Descending } else { SortDirection::Ascending };
                node.set_sort_direction(direction);
                match sorting {
                    Sorting::Live => {}
                    Sorting::Waiting => {
                        node.set_description("Sorting waits for the pointer, or until you stop typing")
                    }
                    Sorting::Paused => node.set_description("Sorting is paused"),
                }
            }
        });
    }
}

fn cell(node: &mut Node, frame: &Frame<'_>, index: usize, place: usize, column: &ColumnLayout, name: &str) {
    node.set_role(if place == 0 { Role::RowHeader } else { Role::GridCell });
    let value = frame.table.row_at(index).map_or_else(String::new, |row| match &column.shown {
        ViewColumn::Sparkline { of, .. } => sparkline::accessible_value(frame.view.sparklines, row.id, of),
        ViewColumn::Data(entry) => format_cell(&frame.table.value(row, &column.shown), entry, frame.view).0,
    });
    let spoken = if value.is_empty() { "empty" } else { &value };
    node.set_label(format!("{}, {spoken}, {name}", column.shown.title()));
    node.set_row_index(index + 1);
    node.set_column_index(place);
    node.add_action(Action::Focus);
    node.add_action(Action::Click);
    if frame.table.editable(frame.table.id_at(index), &column.shown).is_none() {
        node.set_read_only();
    }
}

/// Returns a row's accessible name: the text of its first column.
fn name_of(frame: &Frame<'_>, index: usize) -> String {
    let first = frame.table.columns().first();
    match (frame.table.row_at(index), first) {
        (Some(row), _) if frame.table.is_section(row) => {
            format!("section {}", first.map(|first| frame.text(row, first)).unwrap_or_default())
        }
        (Some(row), Some(first)) => {
            let text = frame.text(row, first);
            if text.is_empty() { format!("row {}", index + 1) } else { format!("row {text}") }
        }
        _ => "new row".to_owned(),
    }
}

fn bounds(rect: Rect) -> egui::accesskit::Rect {
    let [x0, y0, x1, y1] = [rect.left(), rect.top(), rect.right(), rect.bottom()].map(f64::from);
    egui::accesskit::Rect { x0, y0, x1, y1 }
}

fn child(ui: &mut Ui, parent: Id, salt: (&str, &String), rect: Rect, role: Role) -> Ui {
    let builder =
        UiBuilder::new().max_rect(rect).id_salt(salt).accessibility_parent(parent).accessibility_role(role);
    ui.new_child(builder)
}
