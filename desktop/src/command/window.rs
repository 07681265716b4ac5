//! Commands of a window.

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId},
};

use super::{
    app::AppCommand,
    grid::{ColumnCommand, GridCommand},
};
use crate::{
    follow::Group,
    theme::{Density, Flash},
};

/// A command that a window executes or passes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// A command of the window's grid.
    Grid(GridCommand),
    /// A command that concerns no window's own state.
    App(AppCommand),
    /// Undoes the window's last edit.
    Undo,
    /// Redoes the window's last undone edit.
    Redo,
    /// Shows a watchlist.
    Show(WatchlistId),
    /// Shows the next or the previous watchlist.
    ShowAdjacent {
        /// Whether to show the next one.
        is_next: bool,
    },
    /// Opens a dialog.
    OpenDialog(DialogKind),
    /// Opens the dialog that renames the shown watchlist.
    RenameShownList,
    /// Asks whether to delete the shown watchlist, which can be restored.
    DeleteShownList,
    /// Shows who may use the shown watchlist, and shares it.
    ShareShownList,
    /// Shows the person's account: the sessions and the password.
    OpenAccount,
    /// Opens or closes the history panel.
    ToggleHistory,
    /// Shows all changes of a cell in the history panel.
    ShowHistoryOf(RowId, ColumnKey),
    /// Dismisses the newest notice that the window shows.
    DismissNewestNotice,
    /// Opens the command palette.
    OpenPalette,
    /// Opens the list of all watchlists.
    OpenListPicker,
    /// Opens a menu of the top bar.
    OpenMenu(Menu),
    /// Moves the keyboard focus to the next or the previous region of the window.
    FocusRegion {
        /// Whether to move to the next one.
        is_next: bool,
    },
    /// Opens the table of keyboard shortcuts.
    ShowShortcuts,
    /// Sets the height of the rows.
    SetDensity(Density),
    /// Sets what glows when others change a cell.
    SetFlash(Flash),
    /// Sets whether the window stays on top.
    SetOnTop(bool),
    /// Links the window to others, or unlinks it.
    Link(Option<Group>),
    /// Opens another window that shows the same watchlist.
    OpenWindow,
    /// Closes the window.
    CloseWindow,
}

/// A menu of the top bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Adds or restores a watchlist.
    New,
    /// Links the window with others.
    Link,
    /// The settings.
    Settings,
    /// The account on the joined server.
    Account,
}

/// A dialog that a command opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialogKind {
    /// Names a new watchlist.
    NewWatchlist,
    /// Asks for the address of another server.
    Connect,
    /// Renames a watchlist.
    Rename(WatchlistId),
    /// Asks whether to delete a watchlist.
    Delete(WatchlistId),
    /// Chooses a file to import.
    Import,
    /// Chooses a file to export the shown watchlist to.
    Export,
    /// Adds a column to a watchlist, after another one.
    AddColumn(WatchlistId, ColumnKey),
    /// Renames a column of a watchlist.
    RenameColumn(WatchlistId, ColumnKey),
    /// Changes the type of a column of a watchlist.
    ColumnType(WatchlistId, ColumnKey),
}

impl Command {
    /// Whether it may remove rows or columns.
    pub fn removes_cells(&self) -> bool {
        let removes = |change: &Change| matches!(change, Change::Remove(_) | Change::RemoveColumn(_));
        match self {
            Self::Undo | Self::Redo => true,
            Self::App(AppCommand::Edit { changes, .. }) => changes.iter().any(removes),
            _ => false,
        }
    }

    /// Returns the command that shows a notice.
    pub fn notify(text: impl Into<String>) -> Self {
        Self::App(AppCommand::Notify(text.into()))
    }
}

impl From<AppCommand> for Command {
    fn from(command: AppCommand) -> Self {
        Self::App(command)
    }
}

impl From<GridCommand> for Command {
    fn from(command: GridCommand) -> Self {
        Self::Grid(command)
    }
}

impl From<ColumnCommand> for Command {
    fn from(command: ColumnCommand) -> Self {
        Self::Grid(GridCommand::Column(command))
    }
}
