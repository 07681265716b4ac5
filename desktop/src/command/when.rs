//! When a command can run.

use shared::account::ListRole;

use super::{rights::refusal_of_role, window::Command};

/// A condition of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// A watchlist is shown.
    List,
    /// The cursor is on a cell of a row.
    Row,
    /// The cursor is on a column.
    Column,
    /// The column is stored, not a sparkline and not computed from other columns.
    StoredColumn,
    /// The column shows decimals.
    Decimals,
    /// A sparkline can be drawn for the column.
    Sparkline,
    /// Another column is shown, so that the column can be hidden.
    OtherColumns,
    /// Columns are hidden in this window.
    HiddenColumns,
    /// More than one column is frozen.
    FrozenColumns,
    /// The rows are filtered.
    Filtered,
    /// The rows are in list order.
    ListOrder,
    /// The rows are sorted.
    Sorted,
    /// The rows are sorted, and live sorting is not paused.
    LiveSort,
    /// Live sorting is paused.
    PausedSort,
    /// There is an edit to undo.
    Undo,
    /// There is an edit to redo.
    Redo,
    /// The window stays on top.
    OnTop,
    /// The window does not stay on top.
    NotOnTop,
    /// The window is linked to others.
    Linked,
    /// There is more than one watchlist.
    OtherLists,
    /// The server is not connected.
    Offline,
    /// The person is signed in to the shared server.
    SignedIn,
    /// The person is not signed in to the shared server.
    SignedOut,
    /// A watchlist of a shared server is shown.
    SharedList,
}

impl When {
    /// Returns why a command cannot run while the condition does not hold.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Always => "Not available.",
            Self::List => "No watchlist is shown.",
            Self::Row => "The cursor is not on a row.",
            Self::Column => "The cursor is not on a column.",
            Self::StoredColumn => "This column is computed from other columns.",
            Self::Decimals => "This column has no decimals.",
            Self::Sparkline => "Sparklines are available only for number columns that are not computed.",
            Self::OtherColumns => "No other column is shown.",
            Self::HiddenColumns => "No columns are hidden in this window.",
            Self::FrozenColumns => "No other columns are frozen.",
            Self::Filtered => "The rows are not filtered.",
            Self::ListOrder => {
                "The rows are sorted. Clear the sort first: sections have a place in list order only."
            }
            Self::Sorted => "The rows are not sorted.",
            Self::LiveSort => "Live sorting is already paused, or nothing is sorted.",
            Self::PausedSort => "Live sorting is not paused.",
            Self::Undo => "Nothing to undo in this window.",
            Self::Redo => "Nothing to redo in this window.",
            Self::OnTop => "This window is not kept on top.",
            Self::NotOnTop => "This window is already kept on top.",
            Self::Linked => "This window is not linked.",
            Self::OtherLists => "No other watchlist.",
            Self::Offline => "The server is connected.",
            Self::SignedIn => "You are not signed in.",
            Self::SignedOut => "You are signed in, or no server is joined.",
            Self::SharedList => "Only watchlists on a shared server can be shared.",
        }
    }

    /// Whether the condition can hold only while a watchlist is shown.
    fn needs_list(self) -> bool {
        match self {
            Self::List
            | Self::Row
            | Self::Column
            | Self::StoredColumn
            | Self::Decimals
            | Self::Sparkline
            | Self::OtherColumns
            | Self::HiddenColumns
            | Self::FrozenColumns
            | Self::Filtered
            | Self::ListOrder
            | Self::Sorted
            | Self::LiveSort
            | Self::PausedSort
            | Self::SharedList => true,
            Self::Always
            | Self::Undo
            | Self::Redo
            | Self::OnTop
            | Self::NotOnTop
            | Self::Linked
            | Self::OtherLists
            | Self::Offline
            | Self::SignedIn
            | Self::SignedOut => false,
        }
    }
}

/// The conditions that hold at a moment.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    holding: Vec<When>,
    /// The person's role on the shown watchlist; `None` without accounts.
    role: Option<ListRole>,
}

impl Conditions {
    /// Adds a condition if it holds.
    pub fn add(&mut self, when: When, holds: bool) {
        if holds {
            self.holding.push(when);
        }
    }

    /// Whether a condition holds.
    pub fn allow(&self, when: When) -> bool {
        when == When::Always || self.holding.contains(&when)
    }

    /// Sets the person's role on the shown watchlist.
    pub fn set_role(&mut self, role: Option<ListRole>) {
        self.role = role;
    }

    /// Returns why a command with a condition cannot run; `None` if it can.
    pub fn refusal(&self, command: &Command, when: When) -> Option<&'static str> {
        if self.allow(when) {
            return refusal_of_role(command.lowest_role(), self.role);
        }
        let lacks_list = when.needs_list() && !self.allow(When::List);
        Some(if lacks_list { When::List.reason() } else { when.reason() })
    }
}
