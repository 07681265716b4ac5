//! Commands: what a person can do, as data. Keys, menus and panels emit commands; the grid executes those about its own
//! state and passes the others on.

use shared::{column::ColumnKey, edit::Change, ids::RowId};

/// A movement of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    /// Up to the edge of the data.
    Top,
    /// Down to the edge of the data.
    Bottom,
    /// Left to the edge of the data.
    FarLeft,
    /// Right to the edge of the data.
    FarRight,
    RowStart,
    RowEnd,
    First,
    Last,
    /// To the next editable cell, wrapping to the next row.
    Next,
    /// To the previous editable cell, wrapping to the previous row.
    Previous,
}

/// A command of the grid, from a key, a menu or the command palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Moves the cursor.
    Move(Step),
    /// Extends the selection.
    Extend(Step),
    /// Selects all cells.
    SelectAll,
    /// Selects all cells of the selected rows.
    SelectRows,
    /// Selects all cells of the selected columns.
    SelectColumns,
    /// Clears the selection and closes the find bar and the card.
    Escape,
    /// Opens the editor with the caret at the end.
    Open,
    /// Opens the editor with the whole text selected.
    OpenAll,
    /// Opens the editor with this text in place of the value.
    Type(String),
    /// Opens the editor with its list or calendar.
    OpenList,
    /// Clears the selected cells.
    Clear,
    /// Copies the selected cells as text.
    Copy,
    /// Copies the selected cells as text and clears them.
    Cut,
    /// Pastes text into cells.
    Paste(String),
    /// Copies the first selected row into the selected rows below.
    FillDown,
    /// Copies the first selected column into the selected columns to the right.
    FillRight,
    /// Inserts a row above the cursor.
    InsertAbove,
    /// Inserts a row below the cursor.
    InsertBelow,
    /// Inserts a section above the cursor.
    InsertSection,
    /// Duplicates the selected rows below them.
    Duplicate,
    /// Moves the selected rows one row up or down in list order: true is up.
    MoveRows(bool),
    /// Removes the selected rows.
    RemoveRows,
    /// Undoes the last edit.
    Undo,
    /// Redoes the last undone edit.
    Redo,
    /// Cycles the sorting of the cursor's column: ascending, descending, none. True keeps the other sort
    /// keys.
    Sort(bool),
    /// Sorts again while live sorting is paused.
    SortAgain,
    /// Executes a command on the cursor's column.
    Column(ColumnCommand),
    /// Shows the latest changes of the cursor's cell in a card.
    History,
    /// Requests the clipboard's text from the system, to paste it.
    RequestPaste,
    /// Shows all changes of the cursor's cell.
    ShowHistory,
    /// Toggles the filter row.
    Filters,
    /// Opens the find bar.
    Find,
    /// Moves to the next or previous match: true is the next.
    FindNext(bool),
    /// Changes the watchlist in one edit.
    Edit(Vec<Change>),
    /// Asks for confirmation before edits are sent.
    Confirm(Confirmation),
    /// Shows a notice.
    Notify(String),
    /// Opens the dialog for a new column, which goes after this one.
    AddColumn(ColumnKey),
    /// Opens the dialog that renames a column.
    RenameColumn(ColumnKey),
    /// Shows all changes of a cell in the history panel.
    ShowHistoryOf(RowId, ColumnKey),
    /// Requests the latest changes of a cell from the server.
    RequestHistory(RowId, ColumnKey),
}

/// Edits that are sent once a person confirms them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// The operation, such as "Paste".
    pub title: String,
    /// The messages, one per line.
    pub lines: Vec<String>,
    /// The label of the button that confirms.
    pub confirm_label: String,
    /// The edits, in order.
    pub edits: Vec<Vec<Change>>,
}

/// A command for one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnCommand {
    /// Hides the column in this window.
    Hide,
    /// Shows all columns that are hidden in this window.
    ShowAll,
    /// Freezes the columns up to this one.
    Freeze,
    /// Freezes only the first column.
    FreezeFirst,
    /// Toggles the column's sparkline.
    Trend,
    /// Shows one decimal more or fewer: true is more.
    Decimals(bool),
    /// Fits the width to the content.
    Fit,
    /// Makes the column wider or narrower: true is wider.
    Width(bool),
    /// Moves the column one place left or right: true is right.
    Move(bool),
    /// Opens the dialog for a new column, which goes after this one.
    Add,
    /// Opens the dialog that renames the column.
    Rename,
    /// Removes the column for everyone. It can be restored.
    Remove,
}
