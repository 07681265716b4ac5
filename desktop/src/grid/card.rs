//! The card beside a cell: its value in full, and its last changes. It comes when the pointer rests on a cell, or by a
//! key at the cursor.

use std::time::Duration;

use egui::{Area, Event, Id, Label, Order, Rect, RichText, Ui};
use shared::{
    ids::RowId,
    value::{Literal, Value},
    watchlist::ColumnEntry,
};

use super::{
    Frame, GridAction, GridState, GridView, filter, inner,
    layout::{ColumnLayout, Layout},
    paint::{font_of, format},
    state::Cursor,
    trend,
};
use crate::{
    store::history::{Asked, CellChange, CellHistory},
    theme,
};

/// How long the pointer rests before the card comes.
const REST: Duration = Duration::from_millis(600);
/// How wide a text may be before it is wrapped, in points.
const WIDTH: f32 = 360.0;
/// How often the changes of a cell that goes on changing are asked for.
const ASK: Duration = Duration::from_secs(1);

/// Where the card is, or is about to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Card {
    at: Option<Cursor>,
    since: Duration,
    /// Asked for by a key: it stays until the cursor moves.
    is_pinned: bool,
    asked_at: Option<Duration>,
    /// Where the pointer rested when a key was pressed: there nobody looks at it.
    ignored: Option<egui::Pos2>,
}

impl Card {
    /// Shows the card of a cell at once.
    pub(super) fn pin(&mut self, cell: Option<Cursor>) {
        *self = Self { at: cell, is_pinned: true, ..Self::default() };
    }

    /// Takes it away.
    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Whoever types does not look at the pointer: until it moves, no card comes.
    fn heed_keys(&mut self, ui: &Ui, pointer: Option<egui::Pos2>) {
        let has_keys = ui.input(|input| {
            input
                .events
                .iter()
                .any(|event| matches!(event, Event::Key { pressed: true, .. } | Event::Text(_)))
        });
        if self.ignored.is_some() && self.ignored != pointer {
            self.ignored = None;
        }
        if has_keys && !self.is_pinned {
            *self = Self { ignored: pointer, ..Self::default() };
        }
    }

    /// Follows the pointer from cell to cell.
    fn follow(&mut self, hovered: Option<Cursor>, now: Duration) {
        if !self.is_pinned && self.at != hovered {
            *self = Self { at: hovered, since: now, ignored: self.ignored, ..Self::default() };
        }
    }
}

/// Shows the card, where its time has come.
pub(super) fn show(
    ui: &Ui,
    state: &mut GridState,
    frame: &Frame<'_>,
    layout: &Layout,
    pointer: Option<egui::Pos2>,
    actions: &mut Vec<GridAction>,
) {
    let (view, table) = (frame.view, frame.table);
    let is_busy = state.editor.is_some()
        || state.drag.is_some()
        || state.question.is_some()
        || egui::Popup::is_any_open(ui)
        || !view.takes_keys;
    if state.card.is_pinned && state.card.at != state.cursor {
        state.card.close();
    }
    state.card.heed_keys(ui, pointer);
    let is_ignored = state.card.ignored.is_some();
    let hovered = pointer.filter(|_| !is_busy && !is_ignored).and_then(|pointer| layout.cell_at(pointer));
    let hovered = hovered.map(|(index, column)| Cursor { row: table.id_at(index), column });
    state.card.follow(hovered.filter(|cell| cell.row.is_some()), view.now);
    let Some(Cursor { row: Some(id), column }) = state.card.at.clone() else { return };
    let wait = if state.card.is_pinned {
        Duration::ZERO
    } else {
        (state.card.since + REST).saturating_sub(view.now)
    };
    if !wait.is_zero() {
        ui.request_repaint_after(wait);
        return;
    }
    let (Some(place), Some(index)) = (layout.column(&column), table.index_of(id)) else { return };
    let Some(row) = table.row_at(index).filter(|_| layout.visible_rows().contains(&index)) else { return };
    let kept = table.editable(Some(id), &place.entry).map(|(kept, _)| kept.clone());
    let known = kept.as_ref().and_then(|kept| view.history.filter(|known| known.is_of(id, &kept.column.key)));
    if let Some(kept) = &kept
        && known.is_none_or(|known| known.is_old)
        && state.card.asked_at.is_none_or(|at| view.now >= at + ASK)
    {
        state.card.asked_at = Some(view.now);
        actions.push(GridAction::AskHistory(id, kept.column.key.clone()));
    }
    let full = full(&table.value(row, &place.entry), place, view, ui);
    let rect = layout.cell_rect(index, place).intersect(layout.body);
    paint(ui, id, view, rect, full, kept.as_ref(), known, state.card.is_pinned);
}

fn paint(
    ui: &Ui,
    row: RowId,
    view: &GridView<'_>,
    cell: Rect,
    full: Option<String>,
    kept: Option<&ColumnEntry>,
    known: Option<&CellHistory>,
    is_pinned: bool,
) {
    let changes = known.map_or(&[][..], |known| &known.changes);
    let has_changes = !changes.is_empty();
    let is_offline = known.is_some_and(|known| known.asked == Asked::Offline);
    let is_known = known.is_some_and(|known| known.asked == Asked::Answered);
    // Who asks by a key is told that there is nothing; who points is not disturbed.
    let says_nothing = is_pinned && is_known && !has_changes;
    if full.is_none() && !has_changes && !is_offline && !says_nothing {
        return;
    }
    let quiet = |text: String| RichText::new(text).font(theme::small()).color(view.palette.muted);
    Area::new(Id::unique("card").with(row))
        .order(Order::Tooltip)
        .fade_in(false)
        .interactable(false)
        .fixed_pos(cell.left_bottom() + egui::vec2(4.0, 4.0))
        .constrain_to(ui.ctx().content_rect())
        .show(ui.ctx(), |ui| {
            egui::Frame::popup(&ui.global_style()).inner_margin(8).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 4.0;
                ui.spacing_mut().interact_size.y = 0.0;
                ui.set_max_width(WIDTH);
                if let Some(full) = full {
                    ui.add(Label::new(full).wrap());
                }
                if let Some(kept) = kept.filter(|_| has_changes) {
                    egui::Grid::new("card").num_columns(3).spacing([12.0, 4.0]).show(ui, |ui| {
                        for change in changes {
                            ui.label(quiet(moment(change.at, view)));
                            ui.label(quiet(change.by.to_string()));
                            let (from, to) = from_to(change, kept, view);
                            ui.label(RichText::new(format!("{from} \u{203a} {to}")).font(theme::small()));
                            ui.end_row();
                        }
                    });
                } else if is_offline {
                    let text = "Its changes are on the server, which is not connected.";
                    ui.label(quiet(text.to_owned()));
                } else if says_nothing {
                    ui.label(quiet("Nobody has changed it yet.".to_owned()));
                }
            });
        });
}

/// What the cell itself does not show: the rest of a text that is cut off, a time's date and offset, figures beyond the
/// column's decimals.
fn full(value: &Value, column: &ColumnLayout, view: &GridView<'_>, ui: &Ui) -> Option<String> {
    if trend::source(&column.entry).is_some() {
        return None;
    }
    match value {
        Value::Empty | Value::Flag(_) => None,
        Value::Time(time) => {
            let local = time.to_jiff().to_zoned(view.zone.clone());
            Some(local.strftime("%A %-d %B %Y, %H:%M:%S UTC%:z").to_string())
        }
        Value::Number(number) => {
            let decimals = column.entry.column.kind.decimals().unwrap_or(0);
            (number.normalize().scale() > decimals).then(|| view.separators.write(*number))
        }
        Value::Text(_) => {
            let (shown, _, _) = format(value, column, view);
            let font = font_of(column);
            let galley = ui.painter().layout_no_wrap(shown.clone(), font, view.palette.text);
            let cell = Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(column.width, 1.0));
            (galley.size().x > inner(cell).width()).then_some(shown)
        }
    }
}

fn moment(at: shared::time::Timestamp, view: &GridView<'_>) -> String {
    let local = at.to_jiff().to_zoned(view.zone.clone());
    let pattern = if local.date() == view.today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    local.strftime(pattern).to_string()
}

/// What was there and what was put there: as the cell shows it, or with every digit where that is the same.
fn from_to(change: &CellChange, kept: &ColumnEntry, view: &GridView<'_>) -> (String, String) {
    let as_shown = [&change.from, &change.to].map(|literal| shown(literal, kept, view));
    match (as_shown, &change.from, &change.to) {
        ([from, to], Literal::Text(exact_from), Literal::Text(exact_to)) if from == to => {
            (exact_from.to_string(), exact_to.to_string())
        }
        ([from, to], _, _) => (from, to),
    }
}

/// A value of a change as its cell would show it.
fn shown(literal: &Literal, kept: &ColumnEntry, view: &GridView<'_>) -> String {
    let read = kept.column.kind.read(literal, &shared::limits::Limits::default());
    match read {
        Ok(Value::Empty) => "empty".to_owned(),
        Ok(Value::Time(time)) => moment(time, view),
        Ok(value) => {
            let text = filter::shown(&value, view.reading(&kept.column.kind));
            let is_long = text.chars().count() > 40;
            if is_long { text.chars().take(39).chain(['\u{2026}']).collect() } else { text }
        }
        // It was of another kind then.
        Err(_) => literal.to_string(),
    }
}
