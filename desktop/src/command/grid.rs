//! Commands of a grid.

use std::path::PathBuf;

use shared::{
    edit::{Change, SetColumn},
    ids::WatchlistId,
};

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

impl Step {
    /// Whether it leads to an adjacent row or column.
    pub(crate) fn is_to_neighbour(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Left | Self::Right | Self::Next | Self::Previous)
    }
}

/// A command that a grid executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GridCommand {
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
    /// A command of the open editor.
    Editor(EditorCommand),
    /// Clears the selected cells.
    Clear,
    /// Copies the selected cells as text.
    Copy,
    /// Copies the selected cells as text and clears them.
    Cut,
    /// Requests the clipboard's text from the system, to paste it.
    RequestPaste,
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
    /// Moves the selected rows one row up or down in list order.
    MoveRows {
        /// Whether to move them up.
        up: bool,
    },
    /// Removes the selected rows.
    RemoveRows,
    /// Sorts again while live sorting is paused.
    SortAgain,
    /// Shows the rows in list order.
    ClearSort,
    /// Pauses or resumes live sorting.
    PauseSort(bool),
    /// Shows all columns that are hidden in this window.
    ShowAllColumns,
    /// Freezes only the first column.
    FreezeFirst,
    /// Executes a command on the cursor's column.
    Column(ColumnCommand),
    /// Shows the latest changes of the cursor's cell in a card.
    History,
    /// Shows all changes of the cursor's cell.
    ShowHistory,
    /// Opens the find bar.
    Find,
    /// Moves to the next or the previous match.
    FindAdjacent {
        /// Whether to move to the next one.
        is_next: bool,
    },
    /// Shows only the rows that match the text in the find bar, or all again.
    ToggleFindFilter,
    /// Closes the find bar.
    CloseFind,
    /// Leaves the filter row. Its fields execute this command.
    LeaveFilter,
    /// Clears a filter and leaves the filter row. Its fields execute this command.
    ClearFilter,
    /// Clears all filters and keeps the filter row open.
    ClearFilters,
    /// Changes the type of a column for everyone, with the values that are written in another way.
    SetColumn(WatchlistId, SetColumn),
    /// Writes the watchlist to a file.
    Export {
        /// The file.
        path: PathBuf,
        /// Whether to write only the shown rows and columns.
        only_shown: bool,
    },
    /// Opens the menu of the selected rows at the cursor, or the menu of its column if that is selected as a
    /// whole.
    OpenMenu,
    /// Opens the menu of the cursor's column at its header.
    OpenColumnMenu,
    /// Asks for confirmation before edits are sent.
    Confirm(Confirmation),
}

/// A command of the open editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditorCommand {
    /// Commits the text, then moves the cursor.
    Commit(Step),
    /// Commits the text to all selected cells.
    CommitToSelection,
    /// In an editor that was opened by typing over a value: commits the text, then moves the cursor.
    Leave(Step),
    /// Closes the editor without an edit.
    Discard,
    /// Opens the list or calendar of the column.
    OpenList,
    /// Closes the list or calendar.
    CloseList,
    /// Steps the number by the column's last decimal.
    StepNumber {
        /// Whether to increase it.
        up: bool,
    },
    /// A command of the list or calendar.
    Pick(PickerCommand),
}

/// A command of the list or calendar beside the open editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerCommand {
    /// Chooses the next or previous option of the list.
    Choose {
        /// Whether to choose the next one.
        is_next: bool,
    },
    /// Moves by days in the calendar.
    Days(i64),
    /// Moves by months in the calendar.
    Months(i64),
}

/// Edits that are sent once a person confirms them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// Title of the command that makes the edits.
    pub title: &'static str,
    /// The messages, one per line.
    pub lines: Vec<String>,
    /// The label of the button that confirms.
    pub confirm_label: &'static str,
    /// The edits, in order.
    pub edits: Vec<Vec<Change>>,
    /// Whether the button that confirms requests focus in the next frame.
    pub is_new: bool,
}

/// A command for one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnCommand {
    /// Sorts by the column: ascending or descending.
    Sort {
        /// Whether the largest value comes first.
        descending: bool,
    },
    /// Cycles the sorting of the column: ascending, descending, none.
    CycleSort {
        /// Whether the other sort keys are kept.
        keep_others: bool,
    },
    /// Opens the filter row, and moves the focus to the column's field.
    Filter,
    /// Hides the column in this window.
    Hide,
    /// Shows the column again.
    Show,
    /// Freezes the columns up to this one.
    Freeze,
    /// Toggles the column's sparkline.
    ToggleSparkline,
    /// Shows one decimal more or fewer.
    Decimals {
        /// Whether to show one more.
        more: bool,
    },
    /// Fits the width to the content.
    Fit,
    /// Makes the column wider or narrower.
    Width {
        /// Whether to make it wider.
        wider: bool,
    },
    /// Moves the column one place left or right.
    Move {
        /// Whether to move it to the right.
        right: bool,
    },
    /// Opens the dialog for a new column, which goes after this one.
    Add,
    /// Opens the dialog that renames the column.
    Rename,
    /// Opens the dialog that changes the type of the column.
    ChangeType,
    /// Removes the column for everyone. It can be restored.
    Remove,
}

impl From<ColumnCommand> for GridCommand {
    fn from(command: ColumnCommand) -> Self {
        Self::Column(command)
    }
}
