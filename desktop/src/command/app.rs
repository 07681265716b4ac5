//! Commands that concern no window's own state.

use std::path::PathBuf;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId},
};

use crate::{account::AccountCommand, preferences::GlowSetting, theme::ThemeChoice};

/// What is written to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The watchlist.
    pub watchlist: WatchlistId,
    /// The file. Its extension chooses the format.
    pub path: PathBuf,
    /// The rows, in order; `None` for all of them.
    pub rows: Option<Vec<RowId>>,
    /// The columns, in order; `None` for all of them.
    pub columns: Option<Vec<ColumnKey>>,
}

/// A command that the shared state executes.
#[derive(Clone, Debug, PartialEq)]
pub enum AppCommand {
    /// Changes a watchlist in one edit.
    Edit {
        /// The watchlist to edit.
        watchlist: WatchlistId,
        /// The changes of the edit.
        changes: Vec<Change>,
    },
    /// Requests the latest changes of a cell from the server.
    RequestCellHistory {
        /// Watchlist of the cell.
        watchlist: WatchlistId,
        /// Row of the cell.
        row: RowId,
        /// Column of the cell.
        column: ColumnKey,
    },
    /// Requests a page of the history that a window shows.
    RequestLog {
        /// Whether to request the next older page instead of the newest.
        older: bool,
    },
    /// Creates a watchlist with this name and shows it in the window.
    Create(String),
    /// Deletes a watchlist, which can be restored.
    Delete(WatchlistId),
    /// Requests the deleted watchlists that may be restored.
    RequestDeleted,
    /// Restores a deleted watchlist.
    Restore(WatchlistId),
    /// Creates a watchlist from a CSV file and shows it in the window.
    Import(PathBuf),
    /// Writes rows and columns of a watchlist to a file.
    Export(Export),
    /// Shows a notice.
    Notify(String),
    /// Dismisses the notice with this id.
    DismissNotice(u64),
    /// Sets the cells that a notice is about although others have changed them, and dismisses it.
    Overwrite {
        /// The notice.
        notice: u64,
        /// The watchlist.
        watchlist: WatchlistId,
        /// Edits within the limits.
        edits: Vec<Vec<Change>>,
    },
    /// Retries the connection at once.
    Reconnect,
    /// Joins the server of a connection file, with the person's consent.
    Join,
    /// A request about the account on the joined server.
    Account(AccountCommand),
    /// Opens windows on another server, in a process of its own.
    Connect(String),
    /// Quits, and restores all windows at the next start.
    Quit,
    /// Adds to the zoom factor of all windows.
    Zoom(f32),
    /// Resets the zoom factor of all windows.
    ResetZoom,
    /// Chooses the theme.
    SetTheme(ThemeChoice),
    /// Toggles whether a screen reader announces changes by others.
    ToggleAnnouncements,
    /// Toggles the colour-blind palette.
    ToggleColourBlind,
    /// Changes a setting of the glow.
    SetGlow(GlowSetting),
}
