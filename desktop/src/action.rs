//! Everything that a person can have done, as data. Windows emit actions; only `dispatch` acts.

use std::path::PathBuf;

use shared::{
    column::ColumnKey,
    edit::Change,
    ids::{RowId, WatchlistId, WindowId},
};

use crate::settings::{GlowChoice, ThemeChoice};

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Change a watchlist, from a window.
    Edit {
        /// Which.
        watchlist: WatchlistId,
        /// From where: the window that does not glow for it.
        window: WindowId,
        /// What.
        changes: Vec<Change>,
    },
    /// Take back the window's last edit.
    Undo(WindowId),
    /// Make the window's last undone edit again.
    Redo(WindowId),
    /// Ask for the last changes of a cell that a window looks at.
    AskHistory {
        /// Of which watchlist.
        watchlist: WatchlistId,
        /// Which looks.
        window: WindowId,
        /// Its row.
        row: RowId,
        /// Its column.
        column: ColumnKey,
    },
    /// Ask for the newest changes for a window that reads them, or for those before the ones that it has.
    AskLog {
        /// Which reads them.
        window: WindowId,
        /// Whether for those before.
        older: bool,
    },
    /// Show a watchlist in a window.
    Show(WindowId, WatchlistId),
    /// Make a watchlist and show it.
    Create(WindowId, String),
    /// Delete a watchlist; it can be restored.
    Delete(WatchlistId),
    /// Bring a deleted watchlist back.
    Restore(WatchlistId),
    /// Make a watchlist from a CSV file and show it.
    Import(WindowId, PathBuf),
    /// Say something to the person.
    Say(String),
    /// Connect at once.
    Reconnect,
    /// Join the server that a connection file names: the person has agreed.
    Join,
    /// End the program, and find all its windows again at the next start.
    Quit,
    /// Another window.
    OpenWindow,
    /// Dark, light, or as the system has it.
    SetTheme(ThemeChoice),
    /// Up and down in other colours than green and red, or in those.
    SetColourBlind(bool),
    /// How changes by others are shown.
    SetGlow(GlowChoice),
    /// A notice was read.
    DismissNotice(u64),
}
