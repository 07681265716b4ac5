//! The history of a watchlist, beside the grid: who changed what, when, from what to what. A value can be put back.

use egui::{Align, ComboBox, Label, Layout, Panel, RichText, Ui};
use egui_extras::{Column, TableBuilder, TableRow};
use jiff::tz::TimeZone;
use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
    limits::Limits,
    number::Separators,
    value::{Literal, Value},
    watchlist::Watchlist,
};

use crate::{
    action::Action,
    grid::{
        Cursor,
        filter::{self, Reading},
    },
    store::{
        history::Asked,
        log::{Entry, Log, LogQuery, What},
    },
    theme::{self, Palette},
};

/// Its width where nobody has dragged its edge, in points.
const WIDTH: f32 = 460.0;
const NARROWEST: f32 = 320.0;
const ROW: f32 = 24.0;

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
    /// Of one cell.
    pub fn of(row: RowId, column: ColumnKey) -> Self {
        Self { row: Some(row), column: Some(column), ..Self::default() }
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
    Panel::right("history").default_size(WIDTH).min_size(NARROWEST).frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.heading("History");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                is_open = !ui.button("Close").on_hover_text("Ctrl+H").clicked();
            });
        });
        filters(ui, panel, view);
        panel.is_held = entries(ui, panel.is_held, view, actions);
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
        let column = column.filter(|key| view.watchlist.columns().get(key).is_some());
        if let Some(column) = column {
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

/// Shows the entries; tells whether they are to stay where they are.
fn entries(ui: &mut Ui, is_held: bool, view: &View<'_>, actions: &mut Vec<Action>) -> bool {
    let quiet = |text: &str| RichText::new(text).font(theme::small()).color(view.palette.muted);
    let Some(log) = view.log else { return false };
    match log.asked {
        Asked::Offline => {
            ui.label(quiet(
                "The history cannot be read: the server is not connected, or cannot use its disk.",
            ));
        }
        Asked::Waiting(_) if log.entries.is_empty() => {
            ui.label(quiet("Loading\u{2026}"));
        }
        Asked::Answered if log.entries.is_empty() => {
            ui.label(quiet("Nothing was changed, or it is older than the history that is kept."));
        }
        Asked::Waiting(_) | Asked::Answered => {}
    }
    if log.is_old && (is_held || log.is_older()) && ui.button("Show newer changes").clicked() {
        actions.push(Action::AskLog { window: view.window, older: false });
    }
    let rows = log.entries.len() + usize::from(log.has_more);
    let when = 112.0;
    // A button that is about to be pressed must not become another's.
    let is_pointed_at = ui.rect_contains_pointer(ui.available_rect_before_wrap());
    let table = TableBuilder::new(ui)
        .id_salt("history")
        .column(Column::exact(when))
        .column(Column::exact(64.0).clip(true))
        .column(Column::remainder().clip(true))
        .column(Column::exact(64.0))
        .auto_shrink([false, false]);
    let shown = table.body(|body| {
        body.rows(ROW, rows, |mut row| match log.entries.get(row.index()) {
            Some(entry) => show_entry(&mut row, entry, view, actions),
            None => {
                row.col(|_| {});
                row.col(|_| {});
                row.col(|ui| {
                    if ui.button("Older changes").clicked() {
                        actions.push(Action::AskLog { window: view.window, older: true });
                    }
                });
                row.col(|_| {});
            }
        });
    });
    shown.state.clamped_offset().y > 0.0 || is_pointed_at
}

fn show_entry(row: &mut TableRow<'_, '_>, entry: &Entry, view: &View<'_>, actions: &mut Vec<Action>) {
    let small = |text: String, color| RichText::new(text).font(theme::small()).color(color);
    let (muted, text) = (view.palette.muted, view.palette.text);
    let local = entry.at.to_jiff().to_zoned(view.zone.clone());
    row.col(|ui| {
        let is_today = local.date() == view.today;
        let pattern = if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
        let full = local.strftime("%A %-d %B %Y, %H:%M:%S UTC%:z").to_string();
        ui.add(Label::new(small(local.strftime(pattern).to_string(), muted)))
            .on_hover_text(format!("{full}, revision {}", entry.revision));
    });
    row.col(|ui| {
        ui.add(Label::new(small(entry.by.to_string(), muted)).truncate()).on_hover_text(&*entry.by);
    });
    let said = said(entry, view);
    row.col(|ui| {
        ui.add(Label::new(small(said.clone(), text)).truncate()).on_hover_text(said);
    });
    row.col(|ui| {
        if let Some((change, what)) = put_back(entry, view)
            && ui.small_button("Restore").on_hover_text(what).clicked()
        {
            actions.push(Action::Edit { watchlist: view.id, window: view.window, changes: vec![change] });
        }
    });
}

/// What a change did, in words.
fn said(entry: &Entry, view: &View<'_>) -> String {
    match &entry.what {
        What::Cell { row, column, from, to } => {
            let from = from.as_ref().map_or_else(|| "?".to_owned(), |from| shown(from, column, view));
            let (name, to) = (column_name(column, view), shown(to, column, view));
            format!("{} {name}: {from} \u{203a} {to}", row_name(*row, view))
        }
        What::Inserted(row, cells) => {
            let cells = if *cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") };
            format!("{} was added with {cells}", row_name(*row, view))
        }
        What::Moved(row) => format!("{} was moved", row_name(*row, view)),
        What::Removed(row) => format!("{} was removed", row_name(*row, view)),
        What::Column(key, done) => format!("the column {} {done}", column_name(key, view)),
        What::Renamed(name) => format!("the watchlist was named {name}"),
    }
}

/// The edit that puts back what a change replaced, and what it does, where it does anything now.
fn put_back(entry: &Entry, view: &View<'_>) -> Option<(Change, String)> {
    let What::Cell { row, column, from: Some(from), .. } = &entry.what else { return None };
    view.watchlist.rows().get(*row)?;
    let kind = &view.watchlist.columns().visible_column(column).ok()?.column.kind;
    let value = kind.read(from, &Limits::default()).ok()?;
    let present = view.watchlist.cell(*row, column);
    (value != present).then(|| {
        let what = format!(
            "Put {} back into {} of {}",
            shown(from, column, view),
            column_name(column, view),
            row_name(*row, view)
        );
        (Change::set_guarded(*row, column, value.to_literal(), present.to_literal()), what)
    })
}

/// What a row is called: its first text.
fn row_name(row: RowId, view: &View<'_>) -> String {
    let Some(row) = view.watchlist.rows().get(row) else { return "a removed row".to_owned() };
    let texts = view.watchlist.columns().iter().filter(|entry| !entry.column.removed);
    let first = texts.map(|entry| row.value(entry, view.watchlist.columns())).find_map(|value| match value {
        Value::Text(text) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    });
    first.unwrap_or_else(|| "a row without a name".to_owned())
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
