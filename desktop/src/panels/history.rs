//! The history panel beside the grid: who changed which cell, when, from which value to which. Earlier
//! values, removed rows and whole edits can be restored.

mod describe;
mod restore;
mod view;

use std::{collections::BTreeSet, ops::Range};

use egui::{
    Align, Event, EventFilter, Id, Key, Label, Layout, Modifiers, Panel, RichText, Sense, Ui,
    accesskit::{Action, ActionRequest, TreeId},
    collapsing_header::paint_default_icon,
    vec2,
};
use egui_extras::{Column, TableBuilder, TableRow};
use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{Revision, RowId, WatchlistId},
    watchlist::Watchlist,
};

pub use self::view::View;
use self::{
    describe::{column_name, describe, describe_edit, row_name},
    restore::{Restoration, Restore, can_restore_edit, changed_since, restore_edit, restore_of},
};
use super::choice::choose;
use crate::{
    command::{AppCommand, Command, RESTORE, RESTORE_EDIT, entry_of, scroll_to_focus},
    focus::{self, Region},
    grid::edits_or_question,
    store::{
        history::RequestState,
        log::{Entry, Log, LogQuery},
        recent::REACTION,
    },
    theme,
};

/// Default width in points.
const WIDTH: f32 = 460.0;
/// Minimum width in points.
const MIN_WIDTH: f32 = 240.0;
/// Maximum share of the window's width, which leaves the grid the rest.
const MAX_SHARE: f32 = 0.6;
const ROW: f32 = 24.0;
/// Distance to which the list scrolls around the focus: to the neighbors, which the keys move to next.
const NEIGHBORS: f32 = 1.5 * ROW;
/// Minimum width in points for full dates and wider names.
const WIDE: f32 = 380.0;
/// Width of the buttons, in points.
const BUTTONS: f32 = 82.0;
/// Distance of the changes of an edit from its left edge, in points.
const INDENT: f32 = 18.0;
/// Maximum number of changes of an edit that are shown at first.
const FEW_CHANGES: usize = 5;

/// Filters and state of a window's history panel.
#[derive(Clone, Debug, Default)]
pub struct HistoryPanel {
    /// Shows only changes of this row.
    row: Option<RowId>,
    /// Shows only changes of this column.
    column: Option<ColumnKey>,
    /// Shows only changes by this account.
    user: Option<shared::ids::UserId>,
    /// Edits of several changes that the person has opened or closed.
    toggled: BTreeSet<Revision>,
    /// Whether new entries are held back, because the pointer is over the entries or they are scrolled.
    pub is_paused: bool,
    /// The newest entry, and when it became that, in seconds of egui's clock: the others moved down then.
    newest: Option<(Revision, f64)>,
}

/// A line of the panel.
enum Line {
    /// The heading of an edit of several changes.
    Edit(Range<usize>),
    /// The change at an index, and whether it is below such a heading.
    Change(usize, bool),
    /// The button that requests older changes.
    Older,
}

impl HistoryPanel {
    /// Creates a panel that shows the history of a cell, or of its row if the cell is computed.
    pub fn of(row: RowId, column: ColumnKey, watchlist: &Watchlist) -> Self {
        let column = Some(column).filter(|column| has_history(watchlist, column));
        Self { row: Some(row), column, ..Self::default() }
    }

    /// Whether the changes of an edit are shown below its heading.
    fn is_open(&self, revision: Revision, changes: usize) -> bool {
        (changes <= FEW_CHANGES) != self.toggled.contains(&revision)
    }

    /// Whether the entries have moved so recently that a click may be meant for another one.
    fn has_just_moved(&self, now: f64) -> bool {
        self.newest.is_some_and(|(_, at)| now - at < REACTION.as_secs_f64())
    }

    /// Returns the lines of the loaded history.
    fn lines(&self, log: &Log) -> Vec<Line> {
        let mut lines = Vec::new();
        for edit in log.edits() {
            let has_heading = edit.len() > 1;
            let is_open = !has_heading || self.is_open(log.entries()[edit.start].revision, edit.len());
            if has_heading {
                lines.push(Line::Edit(edit.clone()));
            }
            if is_open {
                lines.extend(edit.clone().map(|index| Line::Change(index, has_heading)));
            }
        }
        if log.has_older {
            lines.push(Line::Older);
        }
        lines
    }

    /// Returns the query for the filters.
    pub fn query(&self, watchlist: WatchlistId) -> LogQuery {
        LogQuery { watchlist, row: self.row, column: self.column.clone(), user: self.user }
    }
}

/// Draws the panel; returns false if it was closed.
pub fn show(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, commands: &mut Vec<Command>) -> bool {
    let mut is_open = true;
    let frame = egui::Frame::new().fill(view.palette.bars).inner_margin(egui::Margin::symmetric(12, 8));
    let max_width = (ui.available_width() * MAX_SHARE).max(MIN_WIDTH);
    // A window that was small does not leave the panel narrow: its width is kept apart.
    let id = Id::unique("history").with(max_width < WIDTH);
    resize_with_keys(ui, ui.scope_id().with(id).with("__resize"));
    let side = Panel::right(id).default_size(WIDTH).size_range(MIN_WIDTH..=max_width);
    // In a small window it is as wide as it may be, whatever another size of the window has left.
    let side = if max_width < WIDTH { side.exact_size(max_width) } else { side };
    side.frame(frame).show(ui, |ui| {
        let area = ui.max_rect();
        ui.horizontal(|ui| {
            let entry = entry_of(&Command::ToggleHistory);
            ui.heading(entry.short);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let close = ui.button("Close").on_hover_text(entry.key());
                focus::record(ui, Region::History, area, close.id);
                is_open = !close.clicked();
                // In the title, so that the entries do not move under the pointer.
                if view.log.is_some_and(|log| log.is_stale && (panel.is_paused || log.shows_older())) {
                    commands.extend(log_button(ui, false));
                }
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
        let known = people.into_iter().flatten().map(|(user, name)| (Some(*user), &**name));
        let choices: Vec<_> = std::iter::once((None, "Everyone")).chain(known).collect();
        choose(ui, "Changes by", None, &mut panel.user, &choices);
    });
}

/// Lets the arrow keys move the edge of the panel, as a screen reader does. egui gives the edge the focus, but
/// no keys.
fn resize_with_keys(ui: &Ui, edge: Id) {
    if !ui.memory(|memory| memory.has_focus(edge)) {
        return;
    }
    let keeps_arrows = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(edge, keeps_arrows));
    ui.input_mut(|input| {
        for (key, action) in [(Key::ArrowLeft, Action::Increment), (Key::ArrowRight, Action::Decrement)] {
            for _ in 0..input.count_and_consume_key(Modifiers::NONE, key) {
                input.events.push(Event::AccessKitActionRequest(ActionRequest {
                    action,
                    target_tree: TreeId::ROOT,
                    target_node: edge.accesskit_id(),
                    data: None,
                }));
            }
        }
    });
}

/// Returns whether a column's cells are set by edits; computed cells have no history.
fn has_history(watchlist: &Watchlist, column: &ColumnKey) -> bool {
    watchlist.columns().get(column).is_some_and(|entry| entry.column.derive.is_none())
}

fn entries(ui: &mut Ui, panel: &mut HistoryPanel, view: &View<'_>, commands: &mut Vec<Command>) {
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
    let newest = log.entries().first().map(|newest| newest.revision);
    if newest != panel.newest.map(|(revision, _)| revision) {
        // The first ones have moved no other.
        let at = panel.newest.map_or(f64::NEG_INFINITY, |_| ui.input(|input| input.time));
        panel.newest = newest.map(|newest| (newest, at));
    }
    let lines = panel.lines(log);
    let is_wide = ui.available_width() >= WIDE;
    let is_today = |entry: &Entry| entry.at.to_jiff().to_zoned(view.zone.clone()).date() == view.today;
    // The last entry is the oldest; if it is of today, no entry needs room for a date.
    let when = if is_wide && !log.entries().last().is_none_or(is_today) { 112.0 } else { 64.0 };
    let who = if is_wide { 64.0 } else { 44.0 };
    ui.add_space(4.0);
    // New entries must not move the buttons under the pointer.
    let is_pointed_at = ui.rect_contains_pointer(ui.available_rect_before_wrap());
    ui.spacing_mut().item_spacing.y = 0.0;
    let table = TableBuilder::new(ui)
        .id_salt("history")
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(when))
        .column(Column::exact(who).clip(true))
        .column(Column::remainder().clip(true))
        .column(Column::exact(BUTTONS))
        .auto_shrink([false, false]);
    let shown = table.body(|body| {
        body.rows(ROW, lines.len(), |mut row| match &lines[row.index()] {
            Line::Edit(edit) => show_edit(&mut row, (log, is_wide), edit.clone(), panel, view, commands),
            Line::Change(index, is_below) => {
                show_change(&mut row, (log, is_wide), (*index, *is_below), panel, view, commands);
            }
            Line::Older => {
                row.col(|_| {});
                row.col(|_| {});
                row.col(|ui| commands.extend(log_button(ui, true)));
                row.col(|_| {});
            }
        });
    });
    panel.is_paused = shown.state.clamped_offset().y > 0.0 || is_pointed_at;
}

/// Draws the button that requests older changes, or the newest ones. Returns the command if it was clicked.
fn log_button(ui: &mut Ui, older: bool) -> Option<Command> {
    let command = Command::from(AppCommand::RequestLog { older });
    let button = ui.button(entry_of(&command).title);
    scroll_to_focus(ui, &button, NEIGHBORS);
    button.clicked().then_some(command)
}

/// Shows when and by whom an edit was made.
fn show_origin(row: &mut TableRow<'_, '_>, entry: &Entry, is_wide: bool, view: &View<'_>) {
    let small = |text: String| RichText::new(text).font(theme::small()).color(view.palette.muted);
    let local = entry.at.to_jiff().to_zoned(view.zone.clone());
    row.col(|ui| {
        let is_today = local.date() == view.today;
        let pattern = match (is_today, is_wide) {
            (true, _) => "%H:%M:%S",
            (false, true) => "%Y-%m-%d %H:%M",
            (false, false) => "%y-%m-%d",
        };
        let full = local.strftime("%A %-d %B %Y, %H:%M:%S UTC%:z").to_string();
        ui.add(Label::new(small(local.strftime(pattern).to_string())))
            .on_hover_text(format!("{full}, revision {}", entry.revision));
    });
    row.col(|ui| {
        ui.add(Label::new(small(entry.by.to_string())).truncate()).on_hover_text(&*entry.by);
    });
}

/// Shows the heading of an edit of several changes, which opens and closes them.
fn show_edit(
    row: &mut TableRow<'_, '_>,
    (log, is_wide): (&Log, bool),
    edit: Range<usize>,
    panel: &mut HistoryPanel,
    view: &View<'_>,
    commands: &mut Vec<Command>,
) {
    let entries = &log.entries()[edit.clone()];
    let revision = entries[0].revision;
    show_origin(row, &entries[0], is_wide, view);
    let text = describe_edit(entries, view);
    row.col(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let (_, icon) = ui.allocate_exact_size(vec2(INDENT - 4.0, INDENT - 4.0), Sense::hover());
        let openness = if panel.is_open(revision, edit.len()) { 1.0 } else { 0.0 };
        paint_default_icon(ui, openness, &icon);
        let label = RichText::new(&text).font(theme::small()).color(view.palette.text);
        let label = ui.add(Label::new(label).truncate().sense(Sense::click())).on_hover_text(&text);
        ui.ctx().accesskit_node_builder(label.id, |node| {
            node.set_role(egui::accesskit::Role::Button);
            node.set_label(text.clone());
            node.set_expanded(openness > 0.0);
        });
        scroll_to_focus(ui, &label, NEIGHBORS);
        if label.clicked() && !panel.toggled.remove(&revision) {
            panel.toggled.insert(revision);
        }
    });
    row.col(|ui| {
        if !can_restore_edit(log, edit.clone(), view) {
            return;
        }
        let (by, at) = (&entries[0].by, entries[0].at.to_jiff().to_zoned(view.zone.clone()));
        let what = format!("Restore what this edit of {by} at {} replaced", at.strftime("%H:%M:%S"));
        if restore_button(ui, RESTORE_EDIT, &what) {
            let question =
                panel.has_just_moved(ui.input(|input| input.time)).then(|| format!("{what}: {text}."));
            commands.extend(restoration_commands(restore_edit(log, edit, view), question, view));
        }
    });
}

/// Shows a button whose purpose a screen reader reads, too. Returns whether it was clicked.
fn restore_button(ui: &mut Ui, title: &str, what: &str) -> bool {
    let button = ui.small_button(title);
    scroll_to_focus(ui, &button, NEIGHBORS);
    ui.ctx().accesskit_node_builder(button.id, |node| node.set_description(what));
    button.on_hover_text(what).clicked()
}

/// Returns the commands that restore an edit, or one that asks first: if there is a question, if not everything can
/// be restored, if rows would be removed, or if it takes several edits.
fn restoration_commands(restoration: Restoration, question: Option<String>, view: &View<'_>) -> Vec<Command> {
    let Restoration { changes, left_out } = restoration;
    let mut lines: Vec<String> = question.into_iter().collect();
    if left_out > 0 {
        let changes = view.separators.format_count(left_out, "change", "changes");
        lines.push(format!(
            "{changes} of this edit cannot be restored, or somebody has changed the same since."
        ));
    }
    let removed = changes.iter().filter(|change| matches!(change, Change::Remove(_))).count();
    if removed > 0 {
        let rows = view.separators.format_count(removed, "row", "rows");
        lines.push(format!("This edit added {rows}, which are removed for everyone."));
    }
    edits_or_question((RESTORE_EDIT, "Revert"), lines, changes, (view.id, view.separators))
}

fn show_change(
    row: &mut TableRow<'_, '_>,
    (log, is_wide): (&Log, bool),
    (index, is_below): (usize, bool),
    panel: &mut HistoryPanel,
    view: &View<'_>,
    commands: &mut Vec<Command>,
) {
    if is_below {
        row.col(|_| {});
        row.col(|_| {});
    } else {
        show_origin(row, &log.entries()[index], is_wide, view);
    }
    let description = describe(log, index, view);
    let mut line = None;
    row.col(|ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        ui.add_space(if is_below { INDENT } else { 0.0 });
        let text = RichText::new(&description).font(theme::small()).color(view.palette.text);
        // A stop of the keys: entries without a button are passed and read, too.
        let label = Label::new(text).truncate().sense(Sense::focusable_noninteractive());
        let label = ui.add(label).on_hover_text(&description);
        scroll_to_focus(ui, &label, NEIGHBORS);
        line = Some(label.id);
    });
    row.col(|ui| match restore_of(log, index, view) {
        Restore::Edit(change, what) => {
            if restore_button(ui, RESTORE, &what) {
                // The button goes away: what follows is for the history, and not for the rows.
                line.into_iter().for_each(|line| ui.memory_mut(|memory| memory.request_focus(line)));
                let mut lines: Vec<String> = changed_since(log, &change, view).into_iter().collect();
                if !lines.is_empty() || panel.has_just_moved(ui.input(|input| input.time)) {
                    lines.insert(0, format!("{what}?"));
                }
                let to = (view.id, view.separators);
                commands.extend(edits_or_question((RESTORE, RESTORE), lines, vec![change], to));
            }
        }
        Restore::Unknown(row) => {
            let show = ui.small_button("Show row").on_hover_text("Show all changes of this row");
            scroll_to_focus(ui, &show, NEIGHBORS);
            if show.clicked() {
                (panel.row, panel.column, panel.user) = (Some(row), None, None);
            }
        }
        Restore::Nothing => {}
    });
}
