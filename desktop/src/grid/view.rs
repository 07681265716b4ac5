//! What a grid is given for one frame.

use std::time::Duration;

use egui::Color32;
use shared::{
    account::ListRole,
    column::{ColumnKey, ColumnKind},
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
    number::Separators,
    value::Value,
    watchlist::{Row, Watchlist},
};

use super::{
    filter::{ValueFormat, display_text},
    table::Table,
    view_column::ViewColumn,
};
use crate::{
    command::{AppCommand, Command},
    store::{
        glow::{Glow, RowGlow},
        history::CellHistory,
        recent::Recent,
        sparklines::SparklineValues,
    },
    theme::{Flash, Palette},
};

/// The input of a grid for one frame: one field for each thing that it shows but does not own.
pub struct GridView<'a> {
    /// Id of the watchlist.
    pub id: WatchlistId,
    /// The watchlist to show.
    pub watchlist: &'a Watchlist,
    /// Recent changes by others, which glow.
    pub glow: Option<&'a Glow>,
    /// What others have changed a moment ago.
    pub recent: Option<&'a Recent>,
    /// This window: its own edits do not glow in it.
    pub window: WindowId,
    /// The current time on the glow's clock.
    pub now: Duration,
    /// Whether a cell has an edit that the server has not confirmed yet.
    pub pending: &'a dyn Fn(RowId, &ColumnKey) -> bool,
    /// The latest values of the cells that have sparklines.
    pub sparklines: Option<&'a SparklineValues>,
    /// The latest changes of the cell whose history was requested.
    pub history: Option<&'a CellHistory>,
    /// Name of the user who changed the edited cell since its editor was opened.
    pub author: Option<String>,
    /// Cells that other users are on.
    pub people: &'a [PersonAt],
    /// The colours.
    pub palette: &'a Palette,
    /// The time zone in which times are shown.
    pub zone: &'a jiff::tz::TimeZone,
    /// The current day in that zone.
    pub today: jiff::civil::Date,
    /// Decimal and thousands separators.
    pub separators: Separators,
    /// Generates ids for new rows.
    pub new_row: &'a dyn Fn() -> RowId,
    /// The person's role on the watchlist; `None` without accounts.
    pub role: Option<ListRole>,
    /// Whether the window has an edit to undo.
    pub can_undo: bool,
    /// Whether the window has an edit to redo.
    pub can_redo: bool,
    /// Whether the grid may have keyboard focus: false while a dialog is open.
    pub accepts_keyboard: bool,
    /// What glows when others change a cell.
    pub flash: Flash,
}

impl<'a> GridView<'a> {
    /// Returns the command that changes the watchlist in one edit.
    pub(super) fn edit(&self, changes: Vec<Change>) -> Command {
        Command::App(AppCommand::Edit { watchlist: self.id, changes })
    }

    /// Whether the person can change cells.
    pub(super) fn can_edit(&self) -> bool {
        self.role.is_none_or(|role| role >= ListRole::Editor)
    }

    /// Returns the glow of a row in this window.
    pub(super) fn row_glow(&self, row: RowId) -> Option<RowGlow<'a>> {
        let mut glow = self.glow?.row(row, self.window, self.now)?;
        if self.flash == Flash::Cell && !glow.cells.is_empty() {
            glow.strength = 0.0;
        }
        Some(glow)
    }

    /// Returns the value of a cell that the person has read: not one that others have just set.
    pub(super) fn read_value(&self, row: RowId, column: &ColumnKey, current: Value) -> Value {
        if (self.pending)(row, column) {
            return current;
        }
        let before = self.recent.and_then(|recent| recent.value_before(row, column, self.now));
        before.cloned().unwrap_or(current)
    }

    /// Returns how the values of a column are parsed and shown.
    pub(super) fn value_format(&self, kind: &'a ColumnKind) -> ValueFormat<'a> {
        ValueFormat { kind, separators: self.separators, zone: self.zone }
    }
}

/// The cell that another user is on.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonAt {
    /// The row.
    pub row: RowId,
    /// The column.
    pub column: ColumnKey,
    /// Whether they are editing the cell.
    pub is_editing: bool,
    /// Their initials.
    pub initials: String,
    /// Their colour.
    pub color: Color32,
}

/// The view and the rows and columns shown in one frame.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) view: &'a GridView<'a>,
    pub(super) table: &'a Table<'a>,
}

impl Frame<'_> {
    /// Returns a cell's text, or an empty string for a cell that has no value.
    pub(super) fn text(&self, row: &Row, column: &ViewColumn) -> String {
        let storage = self.table.storage_column(row, column);
        storage.map_or_else(String::new, |storage| {
            let value = self.view.watchlist.value(row, storage);
            display_text(&value, self.view.value_format(&storage.column.kind))
        })
    }
}
