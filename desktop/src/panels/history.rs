//! The history of a watchlist, beside the grid: who changed what, when, from what to what. A value can be put back.

use egui::{Align, ComboBox, Label, Layout, Panel, RichText, Ui};
use egui_extras::{Column, TableBuilder, TableRow};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    edit::{Change, Set},
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
    number::Separators,
    value::{Literal, Value},
    watchlist::{ColumnEntry, Watchlist},
};

use crate::{
    action::Action,
    grid::{
        Cursor,
        filter::{self, Reading},
    },
    store::{
        history::Asked,
        log::{Entry, Log, LogQuery},
    },
    theme::{self, Palette},
};

/// Its width where nobody has dragged its edge, in points.
const WIDTH: f32 = 460.0;
const NARROWEST: f32 = 240.0;
/// How much of the window it takes at most: the grid is what the window is for.
const SHARE: f32 = 0.6;
const ROW: f32 = 24.0;
/// In a panel that is narrower than this the times are shorter.
const ROOMY: f32 = 380.0;

/// What a window shows of the history.
#[derive(Clone, Debug, Default)]
pub struct HistoryPanel {
    /// Only of this row.
    row: Option<RowId>,
    /// Only of this column.
    column: Option<ColumnKey>,
    /// Only by this account.
    user: Option<shared::ids::UserId>,
    /// The person points at the entries, or has scrolled away from the newest: they stay where they are.
    pub is_held: bool,
}

impl HistoryPanel {
    /// Of a cell, or of its row where the cell is computed.
    pub fn of(row: RowId, column: ColumnKey, watchlist: &Watchlist) -> Self {
        let column = Some(column).filter(|column| is_set(watchlist, column));
        Self { row: Some(row), column, ..Self::default() }
    }

    /// What it asks the server for.
    pub fn query(&self, watchlist: WatchlistId) -> LogQuery {
        LogQuery { watchlist, row: self.row, column: self.column.clone(), user: self.user }
    }
}

/// What the panel is given for one frame.
pub struct View<'a> {
    /// Which watchlist.
    pub id: WatchlistId,
    /// Its state.
    pub watchlist: &'a Watchlist,
    /// Which window.
    pub window: WindowId,
    /// The changes that are here.
    pub log: Option<&'a Log>,
    /// Where the person is.
    pub cursor: Option<&'a Cursor>,
    /// Where times are shown.
    pub zone: &'a TimeZone,
    /// The present day there.
    pub today: jiff::civil::Date,
    /// How numbers are written.
    pub separators: Separators,
    /// The colours.
    pub palette: &'a Palette,
}

/// Shows the panel; false once it is closed.
pub fn show(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, actions: &mut Vec<Action>) -> bool {
    let mut is_open = true;
    let frame = egui::Frame::new().fill(view.palette.bars).inner_margin(egui::Margin::symmetric(12, 8));
    let most = (ui.available_width() * SHARE).max(NARROWEST);
    let side = Panel::right("history").default_size(WIDTH.min(most)).size_range(NARROWEST..=most);
    side.frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.heading("History");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                is_open = !ui.button("Close").on_hover_text("Ctrl+H").clicked();
            });
        });
        filters(ui, panel, view);
        entries(ui, panel, view, actions);
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
        if let Some(column) = column.filter(|column| is_set(view.watchlist, column)) {
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

/// Whether a column's cells are set by somebody: what is computed has no history.
fn is_set(watchlist: &Watchlist, column: &ColumnKey) -> bool {
    watchlist.columns().get(column).is_some_and(|entry| entry.column.derive.is_none())
}

fn entries(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, actions: &mut Vec<Action>) {
    let quiet = |text: &str| RichText::new(text).font(theme::small()).color(view.palette.muted);
    let Some(log) = view.log else { return };
    match log.asked {
        Asked::Offline => {
            ui.label(quiet(
                "The history cannot be read: the server is not connected, or cannot use its disk.",
            ));
        }
        Asked::Waiting(_) if log.entries().is_empty() => {
            ui.label(quiet("Loading\u{2026}"));
        }
        Asked::Answered if log.entries().is_empty() => {
            ui.label(quiet("Nothing was changed, or it is older than the history that is kept."));
        }
        Asked::Waiting(_) | Asked::Answered => {}
    }
    if log.is_old && (panel.is_held || log.is_older()) && ui.button("Show newer changes").clicked() {
        actions.push(Action::AskLog { window: view.window, older: false });
    }
    let rows = log.entries().len() + usize::from(log.has_more);
    let is_roomy = ui.available_width() >= ROOMY;
    let is_today = |entry: &Entry| entry.at.to_jiff().to_zoned(view.zone.clone()).date() == view.today;
    // Times of today alone need no room for a date; the oldest stands last.
    let when = if is_roomy && !log.entries().last().is_none_or(is_today) { 112.0 } else { 64.0 };
    let who = if is_roomy { 64.0 } else { 44.0 };
    ui.add_space(4.0);
    // A button that is about to be pressed must not become another's.
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
                show_entry(&mut row, (log, is_roomy), panel, view, actions);
                return;
            }
            row.col(|_| {});
            row.col(|_| {});
            row.col(|ui| {
                if ui.button("Older changes").clicked() {
                    actions.push(Action::AskLog { window: view.window, older: true });
                }
            });
            row.col(|_| {});
        });
    });
    panel.is_held = shown.state.clamped_offset().y > 0.0 || is_pointed_at;
}

fn show_entry(
    row: &mut TableRow<'_, '_>,
    (log, is_roomy): (&Log, bool),
    panel: &mut HistoryPanel,
    view: &View<'_>,
    actions: &mut Vec<Action>,
) {
    let index = row.index();
    let entry = &log.entries()[index];
    let small = |text: String, color| RichText::new(text).font(theme::small()).color(color);
    let (muted, text) = (view.palette.muted, view.palette.text);
    let local = entry.at.to_jiff().to_zoned(view.zone.clone());
    row.col(|ui| {
        let is_today = local.date() == view.today;
        let pattern = match (is_today, is_roomy) {
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
    let said = said(log, index, view);
    row.col(|ui| {
        ui.add(Label::new(small(said.clone(), text)).truncate()).on_hover_text(said);
    });
    row.col(|ui| match put_back(log, index, view) {
        PutBack::Edit(change, what) => {
            if ui.small_button("Restore").on_hover_text(what).clicked() {
                let changes = vec![change];
                actions.push(Action::Edit { watchlist: view.id, window: view.window, changes });
            }
        }
        PutBack::Unknown(row) => {
            if ui.small_button("Show row").on_hover_text("Everything that was done to this row").clicked() {
                (panel.row, panel.column, panel.user) = (Some(row), None, None);
            }
        }
        PutBack::Nothing => {}
    });
}

/// What a change did, in words.
fn said(log: &Log, index: usize, view: &View<'_>) -> String {
    let row_name = |row| row_name(row, view);
    match &log.entries()[index].change {
        Change::Set(Set { row, column, value, was }) => {
            let from = was.as_ref().map_or_else(|| "?".to_owned(), |from| shown(from, column, view));
            let (name, to) = (column_name(column, view), shown(value, column, view));
            format!("{} {name}: {from} \u{203a} {to}", row_name(*row))
        }
        Change::Insert(insert) => {
            let asked = log.query.column.as_ref().and_then(|key| Some((key, insert.cells.get(key)?)));
            let with = match (asked, insert.cells.len()) {
                (Some((key, value)), _) => format!("{} {}", column_name(key, view), shown(value, key, view)),
                (None, 1) => "1 cell".to_owned(),
                (None, cells) => format!("{cells} cells"),
            };
            format!("{} was added with {with}", row_name(insert.row))
        }
        Change::Move(moved) => format!("{} was moved", row_name(moved.row)),
        Change::Remove(removed) => format!("{} was removed", row_name(removed.row)),
        Change::AddColumn(add) => format!("the column {} was added", column_name(&add.key, view)),
        Change::SetColumn(set) => format!("the column {} was changed", column_name(&set.key, view)),
        Change::RemoveColumn(named) => format!("the column {} was removed", column_name(&named.key, view)),
        Change::RestoreColumn(named) => {
            format!("the column {} was brought back", column_name(&named.key, view))
        }
        Change::Rename(rename) => match log.name_before(index) {
            Some(before) => format!("the watchlist was renamed from {before} to {}", rename.name),
            None => format!("the watchlist was named {}", rename.name),
        },
    }
}

/// How what a change replaced can be had again.
enum PutBack {
    /// By this edit, which does what is said.
    Edit(Change, String),
    /// What the row had is among its older changes.
    Unknown(RowId),
    /// It is there already, or is not known.
    Nothing,
}

fn put_back(log: &Log, index: usize, view: &View<'_>) -> PutBack {
    match &log.entries()[index].change {
        Change::Set(Set { row, column, was: Some(was), .. }) => {
            put_value_back(*row, column, was, view).unwrap_or(PutBack::Nothing)
        }
        Change::Remove(removed) if view.watchlist.rows().get(removed.row).is_none() => {
            match log.bring_back(index) {
                Some(Change::Insert(mut insert)) => {
                    // Of what was put in then, what its columns take today.
                    let columns = view.watchlist.columns();
                    insert.cells.retain(|key, value| {
                        let entry = columns.get(key);
                        entry.is_some_and(|entry| entry.column.kind.read(value, &Limits::default()).is_ok())
                    });
                    let what = format!("Bring {} back where it was", row_name(removed.row, view));
                    PutBack::Edit(Change::Insert(insert), what)
                }
                _ if log.query
                    == LogQuery { row: Some(removed.row), column: None, user: None, ..log.query } =>
                {
                    PutBack::Nothing
                }
                _ => PutBack::Unknown(removed.row),
            }
        }
        _ => PutBack::Nothing,
    }
}

/// The edit that puts a value back, where it is not there already.
fn put_value_back(row: RowId, column: &ColumnKey, was: &Literal, view: &View<'_>) -> Option<PutBack> {
    view.watchlist.rows().get(row)?;
    let kind = &view.watchlist.columns().visible_column(column).ok()?.column.kind;
    let value = kind.read(was, &Limits::default()).ok()?;
    let present = view.watchlist.cell(row, column);
    (value != present).then(|| {
        let (was, column_name) = (shown(was, column, view), column_name(column, view));
        let what = format!("Put {was} back into {column_name} of {}", row_name(row, view));
        PutBack::Edit(Change::set_guarded(row, column, value.to_literal(), present.to_literal()), what)
    })
}

/// What a row is called: its first text. Of one that is removed, the last that is known of it.
fn row_name(row: RowId, view: &View<'_>) -> String {
    let columns = view.watchlist.columns();
    let held = view.watchlist.rows().get(row);
    let value = |entry: &ColumnEntry| match held {
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
    let nameless = if held.is_some() { "a row without a name" } else { "a removed row" };
    first.unwrap_or_else(|| nameless.to_owned())
}

fn column_name(key: &ColumnKey, view: &View<'_>) -> String {
    view.watchlist.columns().get(key).map_or_else(|| key.to_string(), |entry| entry.column.title.to_string())
}

/// A value as its cell would show it.
fn shown(literal: &Literal, key: &ColumnKey, view: &View<'_>) -> String {
    let Some(entry) = view.watchlist.columns().get(key) else { return literal.to_string() };
    let kind = &entry.column.kind;
    match kind.read(literal, &Limits::default()) {
        Ok(Value::Empty) => "empty".to_owned(),
        Ok(value) => filter::shown(&value, Reading { kind, separators: view.separators, zone: view.zone }),
        // It was of another kind then.
        Err(_) => literal.to_string(),
    }
}
