//! The actions of the application, as data. Keys, panels and grids emit actions; `window::dispatch` executes those about one window,
//! and the shared state executes the others.

use std::path::PathBuf;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId},
};

use crate::{
    command::Command, follow::Group, grid::config::Density, settings::GlowChoice, theme::ThemeChoice,
};

/// Something that a window does.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowAction {
    /// Undo the window's last edit.
    Undo,
    /// Redo the window's last undone edit.
    Redo,
    /// Show a watchlist.
    Show(WatchlistId),
    /// Show the next or the previous watchlist.
    ShowAdjacent {
        /// Whether to show the next one.
        is_next: bool,
    },
    /// Execute a command of the grid.
    Grid(Command),
    /// Open a dialog.
    OpenDialog(DialogKind),
    /// Open or close the history.
    ToggleHistory,
    /// Open the table of keyboard shortcuts.
    ShowShortcuts,
    /// Choose the height of the rows.
    SetDensity(Density),
    /// Pause or resume live sorting.
    PauseSort(bool),
    /// Choose whether the window stays on top.
    SetOnTop(bool),
    /// Link the window to others, or unlink it.
    Link(Option<Group>),
    /// Open another window that shows the same watchlist.
    OpenWindow,
    /// Change the zoom factor by this much.
    Zoom(f32),
    /// Something that concerns no window's own state.
    Shared(Action),
}

/// A dialog that an action opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialogKind {
    /// Names a new watchlist.
    NewWatchlist,
    /// Renames a watchlist.
    Rename(WatchlistId),
    /// Chooses a file to import.
    Import,
}

/// An operation on the shared state.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Edit a watchlist.
    Edit {
        /// The watchlist to edit.
        watchlist: WatchlistId,
        /// The changes of the edit.
        changes: Vec<Change>,
    },
    /// Request the last changes of a cell.
    RequestCellHistory {
        /// Watchlist of the cell.
        watchlist: WatchlistId,
        /// Row of the cell.
        row: RowId,
        /// Column of the cell.
        column: ColumnKey,
    },
    /// Request a page of the history that a window shows.
    RequestLog {
        /// Whether to request the next older page instead of the newest.
        older: bool,
    },
    /// Create a watchlist with this name and show it in the window.
    Create(String),
    /// Delete a watchlist, which can be restored.
    Delete(WatchlistId),
    /// Request the deleted watchlists that may be restored.
    RequestDeleted,
    /// Restore a deleted watchlist.
    Restore(WatchlistId),
    /// Create a watchlist from a CSV file and show it in the window.
    Import(PathBuf),
    /// Show a notice.
    Notify(String),
    /// Retry the connection at once.
    Reconnect,
    /// Join the server of a connection file, with the person's consent.
    Join,
    /// Quit and restore all windows at the next start.
    Quit,
    /// Choose the theme.
    SetTheme(ThemeChoice),
    /// Choose whether the colour-blind palette is used.
    SetColourBlind(bool),
    /// Choose the settings of the glow.
    SetGlow(GlowChoice),
    /// Dismiss the notice with this id.
    DismissNotice(u64),
}

impl From<Action> for WindowAction {
    fn from(action: Action) -> Self {
        Self::Shared(action)
    }
}
