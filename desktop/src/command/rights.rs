//! Which role on the shown watchlist a command needs. The server decides; the desktop says beforehand what it
//! would refuse.

use shared::{account::ListRole, edit::Change, ids::WatchlistId};

use super::{
    app::AppCommand,
    grid::{ColumnCommand, GridCommand},
    window::{Command, DialogKind},
};

/// Why a viewer's command is refused.
pub const VIEW_ONLY: &str = "You can only view this watchlist.";
/// Why an editor's command is refused.
pub const OWNERS_ONLY: &str = "Only an owner of this watchlist can do this.";

impl Command {
    /// Returns the lowest role on its watchlist that may execute it; `None` if it changes none that is known
    /// beforehand.
    pub fn lowest_role(&self) -> Option<ListRole> {
        match self {
            Self::Grid(command) => command.lowest_role(),
            Self::App(AppCommand::Edit { changes, .. }) => Some(lowest_role_of(changes)),
            Self::App(AppCommand::Overwrite { .. }) => Some(ListRole::Editor),
            Self::RenameShownList | Self::DeleteShownList => Some(ListRole::Owner),
            Self::OpenDialog(
                DialogKind::Rename(_)
                | DialogKind::Delete(_)
                | DialogKind::AddColumn(..)
                | DialogKind::RenameColumn(..)
                | DialogKind::ColumnType(..),
            ) => Some(ListRole::Owner),
            _ => None,
        }
    }

    /// Returns the watchlist that it names; `None` if it is about the shown one.
    pub fn named_list(&self) -> Option<WatchlistId> {
        match self {
            Self::App(AppCommand::Edit { watchlist, .. } | AppCommand::Overwrite { watchlist, .. })
            | Self::OpenDialog(
                DialogKind::Rename(watchlist)
                | DialogKind::Delete(watchlist)
                | DialogKind::AddColumn(watchlist, _)
                | DialogKind::RenameColumn(watchlist, _)
                | DialogKind::ColumnType(watchlist, _),
            ) => Some(*watchlist),
            _ => None,
        }
    }
}

impl GridCommand {
    /// Returns the lowest role that may execute it; `None` if it changes nothing.
    pub fn lowest_role(&self) -> Option<ListRole> {
        match self {
            Self::Open
            | Self::OpenAll
            | Self::OpenList
            | Self::Type(_)
            | Self::Clear
            | Self::Cut
            | Self::RequestPaste
            | Self::Paste(_)
            | Self::FillDown
            | Self::FillRight
            | Self::InsertAbove
            | Self::InsertBelow
            | Self::InsertSection
            | Self::Duplicate
            | Self::MoveRows { .. }
            | Self::RemoveRows => Some(ListRole::Editor),
            Self::Column(
                ColumnCommand::Move { .. }
                | ColumnCommand::Add
                | ColumnCommand::Rename
                | ColumnCommand::ChangeType
                | ColumnCommand::Remove,
            )
            | Self::SetColumn(..) => Some(ListRole::Owner),
            _ => None,
        }
    }
}

fn lowest_role_of(changes: &[Change]) -> ListRole {
    if changes.iter().any(Change::is_structural) { ListRole::Owner } else { ListRole::Editor }
}

/// Returns why a role does not suffice for a command that needs another one. Without accounts there are no
/// roles, and everything is allowed.
pub fn refusal_of_role(lowest: Option<ListRole>, role: Option<ListRole>) -> Option<&'static str> {
    let (lowest, role) = (lowest?, role?);
    match role {
        _ if role >= lowest => None,
        ListRole::Viewer => Some(VIEW_ONLY),
        ListRole::Editor | ListRole::Owner => Some(OWNERS_ONLY),
    }
}
