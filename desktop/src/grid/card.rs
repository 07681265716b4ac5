//! The hover card of a cell: its full value and its latest changes. It opens when the pointer rests on a
//! cell, or by a key at the cursor.

use std::time::Duration;

use egui::{Align, Align2, Area, Event, Id, Label, Order, Rect, RichText, Ui};
use shared::{
    ids::RowId,
    value::{Literal, Value},
    watchlist::ColumnEntry,
};

use super::{
    cell::{cell_font, format_cell},
    cursor::Cursor,
    filter,
    layout::{ColumnLayout, Layout},
    metrics::{ARROW, inner},
    view::{Frame, GridView},
};
use crate::{
    command::{AppCommand, Command},
    store::history::{CellChange, CellHistory, RequestState},
    theme,
};

/// Time that the pointer rests on a cell before the card opens.
const HOVER_DELAY: Duration = Duration::from_secs(1);
/// Width at which the text wraps, in points.
const MAX_TEXT_WIDTH: f32 = 360.0;
/// Distance of the card from its cell, in points.
const DISTANCE: f32 = 8.0;
/// Minimum time between two history requests for a cell that keeps changing.
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);

/// The cell that the card is shown for, or will be.
#[derive(Clone, Debug, Default)]
pub(super) struct Card {
    at: Option<Cursor>,
    since: Duration,
    /// Whether the card was opened by a key: it stays until the cursor moves.
    is_pinned: bool,
    requested_at: Option<Duration>,
    /// Pointer position at the last key press: the card stays closed while the pointer rests there.
    suppressed_at: Option<egui::Pos2>,
}

impl Card {
    /// Opens the card of a cell immediately.
    pub(super) fn pin(&mut self, cell: Option<Cursor>) {
        *self = Self { at: cell, is_pinned: true, ..Self::default() };
    }

    /// Whether the card was opened by a key.
    pub(super) fn is_pinned(&self) -> bool {
        self.is_pinned
    }

    /// Closes the card.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Closes the card on a key press. It stays closed until the pointer moves.
    fn dismiss_on_key(&mut self, ui: &Ui, pointer: Option<egui::Pos2>) {
        let has_keys = ui.input(|input| {
            input
                .events
                .iter()
                .any(|event| matches!(event, Event::Key { pressed: true, .. } | Event::Text(_)))
        });
        if self.suppressed_at.is_some() && self.suppressed_at != pointer {
            self.suppressed_at = None;
        }
        if has_keys && !self.is_pinned {
            *self = Self { suppressed_at: pointer, ..Self::default() };
        }
    }

    /// Moves the card to the hovered cell.
    fn track_pointer(&mut self, hovered: Option<Cursor>, now: Duration) {
        if !self.is_pinned && self.at != hovered {
            *self = Self { at: hovered, since: now, suppressed_at: self.suppressed_at, ..Self::default() };
        }
    }
}

/// Shows the card once the pointer has rested long enough or a key has opened it. While the grid `is_busy` it
/// follows no pointer. Returns a request for the cell's history.
pub(super) fn show(
    ui: &Ui,
    card: &mut Card,
    cursor: Option<&Cursor>,
    is_busy: bool,
    frame: &Frame<'_>,
    (layout, pointer): (&Layout, Option<egui::Pos2>),
) -> Option<Command> {
    let (view, table) = (frame.view, frame.table);
    let is_busy = is_busy || egui::Popup::is_any_open(ui) || !view.accepts_keyboard;
    if card.is_pinned && card.at.as_ref() != cursor {
        card.close();
    }
    card.dismiss_on_key(ui, pointer);
    let is_suppressed = card.suppressed_at.is_some();
    let hovered = pointer.filter(|_| !is_busy && !is_suppressed).and_then(|pointer| layout.cell_at(pointer));
    let hovered = hovered.map(|(index, column)| Cursor { row: table.id_at(index), column });
    card.track_pointer(hovered.filter(|cell| cell.row.is_some()), view.now);
    let Some(Cursor { row: Some(id), column }) = card.at.clone() else { return None };
    let wait =
        if card.is_pinned { Duration::ZERO } else { (card.since + HOVER_DELAY).saturating_sub(view.now) };
    if !wait.is_zero() {
        ui.request_repaint_after(wait);
        return None;
    }
    let (place, index) = (layout.column(&column)?, table.index_of(id)?);
    let row = table.row_at(index).filter(|_| layout.visible_rows().contains(&index))?;
    let mut request = None;
    let storage = table.editable(Some(id), &place.shown).map(|(storage, _)| storage.clone());
    let known = storage
        .as_ref()
        .and_then(|storage| view.history.filter(|known| known.is_for(id, &storage.column.key)));
    if let Some(storage) = &storage
        && known.is_none_or(|known| known.is_stale)
        && card.requested_at.is_none_or(|at| view.now >= at + REQUEST_INTERVAL)
    {
        card.requested_at = Some(view.now);
        let column = storage.column.key.clone();
        let command = AppCommand::RequestCellHistory { watchlist: view.id, row: id, column };
        request = Some(command.into());
    }
    let full = full_text(&table.value(row, &place.shown), place, view, ui);
    let rect = layout.cell_rect(index, place).intersect(layout.body);
    let content = Content { full, storage: storage.as_ref(), known, is_pinned: card.is_pinned };
    paint(ui, id, view, rect, content);
    request
}

/// What a card shows.
struct Content<'a> {
    /// The value in full, if the cell does not show all of it.
    full: Option<String>,
    /// The column that stores the cell's value.
    storage: Option<&'a ColumnEntry>,
    known: Option<&'a CellHistory>,
    is_pinned: bool,
}

fn paint(ui: &Ui, row: RowId, view: &GridView<'_>, cell: Rect, content: Content<'_>) {
    let Content { full, storage, known, is_pinned } = content;
    let changes = known.map_or(&[][..], |known| &known.changes);
    let has_changes = !changes.is_empty();
    let is_offline = known.is_some_and(|known| known.request == RequestState::Offline);
    let is_known = known.is_some_and(|known| known.request == RequestState::Answered);
    // A card opened by a key says that there are no changes; a hover card stays closed.
    let shows_no_changes = is_pinned && is_known && !has_changes;
    if full.is_none() && !has_changes && !is_offline && !shows_no_changes {
        return;
    }
    let muted = |text: String| RichText::new(text).font(theme::small()).color(view.palette.muted);
    // Beside the cell, where there is more room, so that the cells above and below it stay visible.
    let room = ui.ctx().content_rect();
    let (horizontal, x) = if cell.center().x < room.center().x {
        (Align::LEFT, cell.right() + DISTANCE)
    } else {
        (Align::RIGHT, cell.left() - DISTANCE)
    };
    Area::new(Id::unique("card").with(row))
        .order(Order::Tooltip)
        .fade_in(false)
        .interactable(false)
        .pivot(Align2([horizontal, Align::TOP]))
        .fixed_pos(egui::pos2(x, cell.top()))
        .constrain_to(room)
        .show(ui.ctx(), |ui| {
            egui::Frame::popup(&ui.global_style()).inner_margin(8).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 4.0;
                ui.spacing_mut().interact_size.y = 0.0;
                ui.set_max_width(MAX_TEXT_WIDTH);
                if let Some(full) = full {
                    ui.add(Label::new(full).wrap());
                }
                if let Some(storage) = storage.filter(|_| has_changes) {
                    egui::Grid::new("card").num_columns(3).spacing([12.0, 4.0]).show(ui, |ui| {
                        for change in changes {
                            ui.label(muted(format_time(change.at, view)));
                            ui.label(muted(change.by.to_string()));
                            let (from, to) = from_to(change, storage, view);
                            ui.label(RichText::new(format!("{from} \u{203a} {to}")).font(theme::small()));
                            ui.end_row();
                        }
                    });
                } else if is_offline {
                    let text = "Recent changes are not available offline.";
                    ui.label(muted(text.to_owned()));
                } else if shows_no_changes {
                    ui.label(muted("No changes yet.".to_owned()));
                }
            });
        });
}

/// Returns the value in full if the cell does not show all of it: truncated text, a time's date and offset,
/// digits beyond the column's decimals.
fn full_text(value: &Value, column: &ColumnLayout, view: &GridView<'_>, ui: &Ui) -> Option<String> {
    let entry = column.shown.data()?;
    match value {
        Value::Empty | Value::Flag(_) => None,
        Value::Time(time) => {
            let local = time.to_jiff().to_zoned(view.zone.clone());
            Some(local.strftime("%A %-d %B %Y, %H:%M:%S UTC%:z").to_string())
        }
        Value::Number(number)
            if number.normalize().scale() > entry.column.kind.decimals().unwrap_or_default() =>
        {
            Some(view.separators.write(*number))
        }
        Value::Number(_) | Value::Text(_) => {
            let (shown, _, _) = format_cell(value, entry, view);
            let galley = ui.painter().layout_no_wrap(shown.clone(), cell_font(column), view.palette.text);
            let cell = Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(column.room, 1.0));
            let arrow = if column.shown.is_numeric() { ARROW } else { 0.0 };
            (galley.size().x > inner(cell).width() - arrow).then_some(shown)
        }
    }
}

fn format_time(at: shared::time::Timestamp, view: &GridView<'_>) -> String {
    let local = at.to_jiff().to_zoned(view.zone.clone());
    let pattern = if local.date() == view.today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    local.strftime(pattern).to_string()
}

/// Returns the old and the new value as the cell shows them, or with every digit if those are equal.
fn from_to(change: &CellChange, storage: &ColumnEntry, view: &GridView<'_>) -> (String, String) {
    let as_shown = [&change.from, &change.to].map(|literal| format_literal(literal, storage, view));
    match (as_shown, &change.from, &change.to) {
        ([from, to], Literal::Text(exact_from), Literal::Text(exact_to)) if from == to => {
            (exact_from.to_string(), exact_to.to_string())
        }
        ([from, to], _, _) => (from, to),
    }
}

/// Formats a value of a change as its cell shows it.
fn format_literal(literal: &Literal, storage: &ColumnEntry, view: &GridView<'_>) -> String {
    let read = storage.column.kind.read(literal, &shared::limits::Limits::default());
    match read {
        Ok(Value::Empty) => "empty".to_owned(),
        Ok(Value::Time(time)) => format_time(time, view),
        Ok(value) => {
            let text = filter::display_text(&value, view.value_format(&storage.column.kind));
            let is_long = text.chars().count() > 40;
            if is_long { text.chars().take(39).chain(['\u{2026}']).collect() } else { text }
        }
        // The column had a different kind at the time of the change.
        Err(_) => literal.to_string(),
    }
}
