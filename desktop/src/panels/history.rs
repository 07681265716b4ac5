//! The history panel beside the grid: who changed which cell, when, from which value to which. Earlier values
//! and removed rows can be restored.

use egui::{Align, ComboBox, Label, Layout, Panel, RichText, Ui};
use egui_extras::{Column, TableBuilder, TableRow};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    edit::{Change, Set},
    ids::{RowId, WatchlistId},
    limits::Limits,
    number::Separators,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Watchlist},
};

use crate::{
    command::{AppCommand, Command, RESTORE, entry_of},
    grid::{
        Cursor,
        filter::{self, ValueFormat},
    },
    store::{
        history::RequestState,
        log::{Entry, Log, LogQuery},
    },
    theme::{self, Palette},
};

/// Default width in points.
const WIDTH: f32 = 460.0;
/// Minimum width in points.
const MIN_WIDTH: f32 = 240.0;
/// Maximum share of the window's width, which leaves the grid the rest.
const MAX_SHARE: f32 = 0.6;
const ROW: f32 = 24.0;
/// Minimum width in points for full dates and wider names.
const WIDE: f32 = 380.0;

/// Filters and state of a window's history panel.
#[derive(Clone, Debug, Default)]
pub struct HistoryPanel {
    /// Shows only changes of this row.
    row: Option<RowId>,
    /// Shows only changes of this column.
    column: Option<ColumnKey>,
    /// Shows only changes by this account.
    user: Option<shared::ids::UserId>,
    /// Whether new entries are held back, because the pointer is over the entries or they are scrolled.
    pub is_paused: bool,
}

impl HistoryPanel {
    /// Creates a panel that shows the history of a cell, or of its row if the cell is computed.
    pub fn of(row: RowId, column: ColumnKey, watchlist: &Watchlist) -> Self {
        let column = Some(column).filter(|column| has_history(watchlist, column));
        Self { row: Some(row), column, ..Self::default() }
    }

    /// Returns the query for the filters.
    pub fn query(&self, watchlist: WatchlistId) -> LogQuery {
        LogQuery { watchlist, row: self.row, column: self.column.clone(), user: self.user }
    }
}

/// Inputs of the panel for one frame.
pub struct View<'a> {
    /// The watchlist's id.
    pub id: WatchlistId,
    /// Current state of the watchlist.
    pub watchlist: &'a Watchlist,
    /// The loaded changes.
    pub log: Option<&'a Log>,
    /// The grid's cursor.
    pub cursor: Option<&'a Cursor>,
    /// Time zone in which times are shown.
    pub zone: &'a TimeZone,
    /// Current date in that zone.
    pub today: jiff::civil::Date,
    /// Number format.
    pub separators: Separators,
    /// Colours of the current theme.
    pub palette: &'a Palette,
}

/// Draws the panel; returns false if it was closed.
pub fn show(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, commands: &mut Vec<AppCommand>) -> bool {
    let mut is_open = true;
    let frame = egui::Frame::new().fill(view.palette.bars).inner_margin(egui::Margin::symmetric(12, 8));
    let max_width = (ui.available_width() * MAX_SHARE).max(MIN_WIDTH);
    let side = Panel::right("history").default_size(WIDTH.min(max_width)).size_range(MIN_WIDTH..=max_width);
    side.frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let entry = entry_of(&Command::ToggleHistory);
            ui.heading(entry.short);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                is_open = !ui.button("Close").on_hover_text(entry.key()).clicked();
            });
        });
        filters(ui, panel, view);
        entries(ui, panel, view, commands);
    });
    is_open
}

fn filters(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>) {
    ui.horizontal_wrapped(|ui| {
        let row = panel.row.or_else(|| view.cursor.and_then(|cursor| cursor.row));
        if let Some(row) = row {
            let mut only = panel.row.is_some();
            ui.checkbox(&mut only, format!("Only {}", row_name(row, view)));
            panel.row = Some(row).filter(|_| only);
        }
        let column = panel.column.clone().or_else(|| view.cursor.map(|cursor| cursor.column.clone()));
        if let Some(column) = column.filter(|column| has_history(view.watchlist, column)) {
            let mut only = panel.column.is_some();
            ui.checkbox(&mut only, format!("Only {}", column_name(&column, view)));
            panel.column = Some(column).filter(|_| only);
        }
        let people = view.log.map(|log| &log.people);
        let name = |user| people.and_then(|people| people.get(user)).map(|name| name.to_string());
        let chosen = panel.user.as_ref().and_then(name).unwrap_or_else(|| "Everyone".to_owned());
        let shown = ComboBox::from_id_salt("person").selected_text(chosen).show_ui(ui, |ui| {
            ui.selectable_value(&mut panel.user, None, "Everyone");
            for (user, name) in people.into_iter().flatten() {
                ui.selectable_value(&mut panel.user, Some(*user), &**name);
            }
        });
        ui.ctx().accesskit_node_builder(shown.response.id, |node| node.set_label("Changes by"));
    });
}

/// Returns whether a column's cells are set by edits; computed cells have no history.
fn has_history(watchlist: &Watchlist, column: &ColumnKey) -> bool {
    watchlist.columns().get(column).is_some_and(|entry| entry.column.derive.is_none())
}

fn entries(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, commands: &mut Vec<AppCommand>) {
    let quiet = |text: &str| RichText::new(text).font(theme::small()).color(view.palette.muted);
    let Some(log) = view.log else { return };
    match log.request {
        RequestState::Offline => {
            ui.label(quiet("Cannot load history. You are offline, or the server cannot read it."));
        }
        RequestState::Waiting(_) if log.entries().is_empty() => {
            ui.label(quiet("Loading\u{2026}"));
        }
        RequestState::Answered if log.entries().is_empty() && !log.has_older => {
            ui.label(quiet("No changes found"));
        }
        RequestState::Waiting(_) | RequestState::Answered => {}
    }
    if log.is_stale && (panel.is_paused || log.shows_older()) {
        commands.extend(log_button(ui, false));
    }
    let rows = log.entries().len() + usize::from(log.has_older);
    let is_wide = ui.available_width() >= WIDE;
    let is_today = |entry: &Entry| entry.at.to_jiff().to_zoned(view.zone.clone()).date() == view.today;
    // The last entry is the oldest; if it is of today, no entry needs room for a date.
    let when = if is_wide && !log.entries().last().is_none_or(is_today) { 112.0 } else { 64.0 };
    let who = if is_wide { 64.0 } else { 44.0 };
    ui.add_space(4.0);
    // New entries must not move the buttons under the pointer.
    let is_pointed_at = ui.rect_contains_pointer(ui.available_rect_before_wrap());
    let table = TableBuilder::new(ui)
        .id_salt("history")
        .column(Column::exact(when))
        .column(Column::exact(who).clip(true))
        .column(Column::remainder().clip(true))
        .column(Column::exact(64.0))
        .auto_shrink([false, false]);
    let shown = table.body(|body| {
        body.rows(ROW, rows, |mut row| {
            if row.index() < log.entries().len() {
                show_entry(&mut row, (log, is_wide), panel, view, commands);
                return;
            }
            row.col(|_| {});
            row.col(|_| {});
            row.col(|ui| {
                commands.extend(log_button(ui, true));
            });
            row.col(|_| {});
        });
    });
    panel.is_paused = shown.state.clamped_offset().y > 0.0 || is_pointed_at;
}

/// Draws the button that requests older changes, or the newest ones. Returns the command if it was clicked.
fn log_button(ui: &mut Ui, older: bool) -> Option<AppCommand> {
    let command = AppCommand::RequestLog { older };
    ui.button(entry_of(&command.clone().into()).title).clicked().then_some(command)
}

fn show_entry(
    row: &mut TableRow<'_, '_>,
    (log, is_wide): (&Log, bool),
    panel: &mut HistoryPanel,
    view: &View<'_>,
    commands: &mut Vec<AppCommand>,
) {
    let index = row.index();
    let entry = &log.entries()[index];
    let small = |text: String, color| RichText::new(text).font(theme::small()).color(color);
    let (muted, text) = (view.palette.muted, view.palette.text);
    let local = entry.at.to_jiff().to_zoned(view.zone.clone());
    row.col(|ui| {
        let is_today = local.date() == view.today;
        let pattern = match (is_today, is_wide) {
            (true, _) => "%H:%M:%S",
            (false, true) => "%Y-%m-%d %H:%M",
            (false, false) => "%y-%m-%d",
        };
        let full = local.strftime("%A %-d %B %Y, %H:%M:%S UTC%:z").to_string();
        ui.add(Label::new(small(local.strftime(pattern).to_string(), muted)))
            .on_hover_text(format!("{full}, revision {}", entry.revision));
    });
    row.col(|ui| {
        ui.add(Label::new(small(entry.by.to_string(), muted)).truncate()).on_hover_text(&*entry.by);
    });
    let description = describe(log, index, view);
    row.col(|ui| {
        ui.add(Label::new(small(description.clone(), text)).truncate()).on_hover_text(description);
    });
    row.col(|ui| match restore_of(log, index, view) {
        Restore::Edit(change, what) => {
            if ui.small_button(RESTORE).on_hover_text(what).clicked() {
                let changes = vec![change];
                commands.push(AppCommand::Edit { watchlist: view.id, changes });
            }
        }
        Restore::Unknown(row) => {
            if ui.small_button("Show row").on_hover_text("Show all changes of this row").clicked() {
                (panel.row, panel.column, panel.user) = (Some(row), None, None);
            }
        }
        Restore::Nothing => {}
    });
}

/// Describes a change in words.
fn describe(log: &Log, index: usize, view: &View<'_>) -> String {
    let row_name = |row| row_name(row, view);
    match &log.entries()[index].change {
        Change::Set(Set { row, column, value, was }) => {
            let from = was.as_ref().map_or_else(|| "?".to_owned(), |from| formatted(from, column, view));
            let (name, to) = (column_name(column, view), formatted(value, column, view));
            format!("{} {name}: {from} \u{203a} {to}", row_name(*row))
        }
        Change::Insert(insert) => {
            let asked = log.query.column.as_ref().and_then(|key| Some((key, insert.cells.get(key)?)));
            let with = match (asked, insert.cells.len()) {
                (Some((key, value)), _) => {
                    format!("{} {}", column_name(key, view), formatted(value, key, view))
                }
                (None, cells) => view.separators.format_count(cells, "cell", "cells"),
            };
            format!("{} added with {with}", row_name(insert.row))
        }
        Change::Move(moved) => format!("{} moved", row_name(moved.row)),
        Change::Remove(removed) => format!("{} removed", row_name(removed.row)),
        Change::AddColumn(add) => format!("Column {} added", column_name(&add.key, view)),
        Change::SetColumn(set) => format!("Column {} changed", column_name(&set.key, view)),
        Change::RemoveColumn(named) => format!("Column {} removed", column_name(&named.key, view)),
        Change::RestoreColumn(named) => {
            format!("Column {} restored", column_name(&named.key, view))
        }
        Change::Rename(rename) => match log.name_before(index) {
            Some(before) => format!("Watchlist renamed from {before} to {}", rename.name),
            None => format!("Watchlist named {}", rename.name),
        },
    }
}

/// How the state before a change can be restored.
enum Restore {
    /// An edit restores it; the text describes the edit.
    Edit(Change, String),
    /// The row's values are in older changes, which are not loaded.
    Unknown(RowId),
    /// It is current already, or is unknown.
    Nothing,
}

fn restore_of(log: &Log, index: usize, view: &View<'_>) -> Restore {
    match &log.entries()[index].change {
        Change::Set(Set { row, column, was: Some(was), .. }) => {
            restore_value(*row, column, was, view).unwrap_or(Restore::Nothing)
        }
        Change::Remove(removed) if view.watchlist.rows().get(removed.row).is_none() => {
            match log.restoring_change(index) {
                Some(Change::Insert(mut insert)) => {
                    // Only values that their columns accept today.
                    let columns = view.watchlist.columns();
                    insert.cells.retain(|key, value| {
                        let entry = columns.get(key);
                        entry.is_some_and(|entry| entry.column.kind.read(value, &Limits::default()).is_ok())
                    });
                    let what = format!("Restore {} at its former position", row_name(removed.row, view));
                    Restore::Edit(Change::Insert(insert), what)
                }
                _ if log.query
                    == LogQuery { row: Some(removed.row), column: None, user: None, ..log.query } =>
                {
                    Restore::Nothing
                }
                _ => Restore::Unknown(removed.row),
            }
        }
        _ => Restore::Nothing,
    }
}

/// Returns the edit that restores a value, unless the cell has that value already.
fn restore_value(row: RowId, column: &ColumnKey, was: &Literal, view: &View<'_>) -> Option<Restore> {
    view.watchlist.rows().get(row)?;
    let kind = &view.watchlist.columns().visible_column(column).ok()?.column.kind;
    let value = kind.read(was, &Limits::default()).ok()?;
    let present = view.watchlist.cell(row, column);
    (value != present).then(|| {
        let (was, column_name) = (formatted(was, column, view), column_name(column, view));
        let what = format!("Restore {column_name} of {} to {was}", row_name(row, view));
        Restore::Edit(Change::set_guarded(row, column, value.to_literal(), present.to_literal()), what)
    })
}

/// Returns a row's first text as its name; for a removed row, the last known text.
fn row_name(row: RowId, view: &View<'_>) -> String {
    let columns = view.watchlist.columns();
    let current = view.watchlist.rows().get(row);
    let value = |entry: &ColumnEntry| match current {
        Some(row) => Some(row.value(entry, columns)),
        None => {
            let last = view.log?.last_value(row, &entry.column.key)?;
            entry.column.kind.read(last, &Limits::default()).ok()
        }
    };
    let mut texts = columns.iter().filter(|entry| !entry.column.removed);
    let first = texts.find_map(|entry| match value(entry)? {
        Value::Text(text) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    });
    let nameless = if current.is_some() { "Unnamed row" } else { "Unknown row" };
    first.unwrap_or_else(|| nameless.to_owned())
}

fn column_name(key: &ColumnKey, view: &View<'_>) -> String {
    view.watchlist.columns().get(key).map_or_else(|| key.to_string(), |entry| entry.column.title.to_string())
}

/// Formats a value as its cell would show it.
fn formatted(literal: &Literal, key: &ColumnKey, view: &View<'_>) -> String {
    let Some(entry) = view.watchlist.columns().get(key) else { return literal.to_string() };
    let kind = &entry.column.kind;
    match kind.read(literal, &Limits::default()) {
        Ok(Value::Empty) => "empty".to_owned(),
        Ok(value) => {
            filter::display_text(&value, ValueFormat { kind, separators: view.separators, zone: view.zone })
        }
        // The column had another kind at that time.
        Err(_) => literal.to_string(),
    }
}
