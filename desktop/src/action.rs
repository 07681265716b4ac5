//! The actions of the application, as data. Windows emit actions; only `dispatch` executes them.

use std::path::PathBuf;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
};

use crate::settings::{GlowChoice, ThemeChoice};

/// An operation that reaches beyond the window that emits it.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Edit a watchlist.
    Edit {
        /// The watchlist to edit.
        watchlist: WatchlistId,
        /// Window of origin, in which the edit does not glow.
        window: WindowId,
        /// The changes of the edit.
        changes: Vec<Change>,
    },
    /// Undo the window's last edit.
    Undo(WindowId),
    /// Redo the window's last undone edit.
    Redo(WindowId),
    /// Request the last changes of a cell.
    RequestCellHistory {
        /// Watchlist of the cell.
        watchlist: WatchlistId,
        /// Window that shows them.
        window: WindowId,
        /// Row of the cell.
        row: RowId,
        /// Column of the cell.
        column: ColumnKey,
    },
    /// Request a page of the history that a window shows.
    RequestLog {
        /// Window that shows the history.
        window: WindowId,
        /// Whether to request the next older page instead of the newest.
        older: bool,
    },
    /// Show a watchlist in a window.
    Show(WindowId, WatchlistId),
    /// Create a watchlist with this name and show it in the window.
    Create(WindowId, String),
    /// Delete a watchlist, which can be restored.
    Delete(WatchlistId),
    /// Restore a deleted watchlist.
    Restore(WatchlistId),
    /// Create a watchlist from a CSV file and show it in the window.
    Import(WindowId, PathBuf),
    /// Show a notice.
    Notify(String),
    /// Retry the connection at once.
    Reconnect,
    /// Join the server of a connection file, with the person's consent.
    Join,
    /// Quit and restore all windows at the next start.
    Quit,
    /// Open another window.
    OpenWindow,
    /// Choose the theme.
    SetTheme(ThemeChoice),
    /// Choose whether the colour-blind palette is used.
    SetColourBlind(bool),
    /// Choose the settings of the glow.
    SetGlow(GlowChoice),
    /// Dismiss the notice with this id.
    DismissNotice(u64),
}
