//! The context menus of the rows and of a column.

use egui::{Pos2, Ui};
use shared::{
    column::ColumnKey,
    edit::{Change, ColumnRef},
    watchlist::ColumnEntry,
};

use super::{config::GridConfig, view::Frame};
use crate::command::{
    ColumnCommand, Command, Conditions, GridCommand, RESTORE_COLUMN, SHOW_HIDDEN_COLUMN, When, entry_of,
    menu_items, scroll_to_focus, scrolling_menu,
};

/// The state of the context menu.
#[derive(Debug, Default)]
pub(super) struct Menu {
    /// The column whose menu is open; `None` for the menu of the selected rows.
    pub(super) column: Option<ColumnKey>,
    /// Position of a menu opened by a key; `None` if it was opened by the pointer.
    pub(super) position: Option<Pos2>,
    /// A key has requested the menu.
    pub(super) is_requested: bool,
}

impl Menu {
    /// Opens the menu of a column, or of the selected rows, in this frame.
    pub(super) fn request(&mut self, column: Option<ColumnKey>) {
        (self.column, self.is_requested) = (column, true);
    }
}

/// Shows the menu of the selected rows. Returns the chosen command.
pub(super) fn show_row_menu(ui: &mut Ui, conditions: &Conditions) -> Option<Command> {
    use GridCommand as G;
    let groups: [&[Command]; 5] = [
        &[G::OpenAll, G::Cut, G::Copy, G::RequestPaste].map(Command::Grid),
        &[G::InsertAbove, G::InsertBelow, G::InsertSection, G::Duplicate, G::RemoveRows].map(Command::Grid),
        &[G::History, G::ShowHistory].map(Command::Grid),
        &[G::FillDown, G::FillRight].map(Command::Grid),
        &[Command::Undo, Command::Redo],
    ];
    menu_items(ui, &groups, conditions)
}

/// Shows the menu of a column. Returns the chosen command and the column that it is for.
pub(super) fn show_column_menu(
    ui: &mut Ui,
    config: &GridConfig,
    frame: &Frame<'_>,
    key: &ColumnKey,
    conditions: &Conditions,
) -> Option<(ColumnKey, Command)> {
    use ColumnCommand as C;
    let data = frame.table.column(key)?.data();
    let mut groups: Vec<Vec<Command>> = Vec::new();
    if data.is_some() {
        let mut sorting = vec![C::Sort { descending: false }.into(), C::Sort { descending: true }.into()];
        if conditions.allow(When::Sorted) {
            let is_paused = conditions.allow(When::PausedSort);
            sorting.extend([GridCommand::ClearSort.into(), GridCommand::PauseSort(!is_paused).into()]);
        }
        groups.push(sorting);
        let mut filters = vec![C::Filter.into()];
        if conditions.allow(When::Filtered) {
            filters.push(GridCommand::ClearFilters.into());
        }
        groups.push(filters);
    }
    let mut looks = vec![C::Hide.into(), C::Freeze.into(), C::Fit.into()];
    if conditions.allow(When::FrozenColumns) {
        looks.push(GridCommand::FreezeFirst.into());
    }
    if conditions.allow(When::Sparkline) {
        looks.push(C::ToggleSparkline.into());
    }
    groups.push(looks);
    let groups: Vec<&[Command]> = groups.iter().map(Vec::as_slice).collect();
    let chosen = menu_items(ui, &groups, conditions);
    let decimals =
        data.and_then(|entry| entry.column.kind.decimals()).and_then(|decimals| show_decimals(ui, decimals));
    let shown = show_hidden_columns(ui, config, frame).map(|key| (key, C::Show.into()));
    let mut changed = None;
    if data.is_some() {
        ui.separator();
        changed =
            menu_items(ui, &[&[C::Add, C::Rename, C::ChangeType, C::Remove].map(Command::from)], conditions);
        changed = changed.or(show_removed_columns(ui, frame));
    }
    let own = chosen.or(decimals.map(Command::from)).or(changed);
    own.map(|command| (key.clone(), command)).or(shown)
}

/// Shows the number of decimals with buttons to change it. The menu stays open, because several steps are
/// common.
fn show_decimals(ui: &mut Ui, decimals: u32) -> Option<ColumnCommand> {
    let mut chosen = None;
    ui.horizontal(|ui| {
        // As the titles of the items above and below.
        ui.add_space(ui.spacing().button_padding.x);
        ui.label(format!("{decimals} {}", if decimals == 1 { "decimal" } else { "decimals" }));
        for (text, more) in [("\u{2212}", false), ("+", true)] {
            let command = ColumnCommand::Decimals { more };
            if ui.button(text).on_hover_text(entry_of(&command.into()).title).clicked() {
                chosen = Some(command);
            }
        }
    });
    chosen
}

/// Shows the submenu of the columns that are hidden in this window.
fn show_hidden_columns(ui: &mut Ui, config: &GridConfig, frame: &Frame<'_>) -> Option<ColumnKey> {
    let columns = frame.view.watchlist.columns().visible();
    submenu(ui, SHOW_HIDDEN_COLUMN, columns.filter(|entry| config.hidden.contains(&entry.column.key)))
}

/// Shows the submenu of the columns that were removed for everyone.
fn show_removed_columns(ui: &mut Ui, frame: &Frame<'_>) -> Option<Command> {
    let columns = frame.view.watchlist.columns().iter();
    let key = submenu(ui, RESTORE_COLUMN, columns.filter(|entry| entry.column.removed))?;
    Some(frame.view.edit(vec![Change::RestoreColumn(ColumnRef { key })]))
}

/// Shows a submenu of columns, unless there are none. Returns the chosen one.
fn submenu<'a>(
    ui: &mut Ui,
    title: &str,
    columns: impl Iterator<Item = &'a ColumnEntry>,
) -> Option<ColumnKey> {
    let columns: Vec<&ColumnEntry> = columns.collect();
    let mut chosen = None;
    if !columns.is_empty() {
        ui.menu_button(title, |ui| {
            scrolling_menu(ui, |ui| {
                for entry in columns {
                    let item = ui.button(&*entry.column.title);
                    scroll_to_focus(ui, &item, 0.0);
                    if item.clicked() {
                        chosen = Some(entry.column.key.clone());
                        ui.close();
                    }
                }
            });
        });
    }
    chosen
}
