//! Who may do what. Pure: it decides from the caller, the role of its account, and the role on the watchlist.

use std::sync::Arc;

use shared::{
    account::{ListRole, Role, Scope},
    edit::Change,
    ids::{UserId, WatchlistId},
    rejection::{Code, Rejection},
};
use uuid::Uuid;

/// What makes a request: an account, by the credential that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Id of the account.
    pub user: UserId,
    /// The name that others see.
    pub name: Arc<str>,
    /// How the account was proved.
    pub credential: Credential,
    /// What a token is restricted to.
    pub scope: Arc<Scope>,
}

/// What proves an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credential {
    /// The token in the data folder.
    Local,
    /// A session that a person has signed in for, by its public id.
    Session(Uuid),
    /// The token of a program, by its public id.
    Token(Uuid),
}

/// What a caller may do with a watchlist that it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// The role.
    pub role: ListRole,
    /// The scope of the caller.
    scope: Arc<Scope>,
}

/// Something that a caller does with a watchlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Reads the watchlist, its history and who is in it.
    Read,
    /// Changes rows or cells.
    EditRows,
    /// Changes columns or the name.
    EditStructure,
    /// Deletes or restores the watchlist.
    Delete,
    /// Changes who may use the watchlist. Everyone who reads it reads that, too.
    Share,
}

impl Caller {
    /// Returns what the caller may do with a watchlist, given the role of its account on the server, which is
    /// `None` if the account may not be used, and its role on the watchlist. `None` if the watchlist does not
    /// exist for the caller.
    pub fn rights(
        &self,
        account: Option<Role>,
        watchlist: WatchlistId,
        role: Option<ListRole>,
    ) -> Option<Rights> {
        let role = match account? {
            Role::Admin => ListRole::Owner,
            Role::User => role?,
        };
        let is_in_scope = self.scope.lists.as_ref().is_none_or(|lists| lists.contains(&watchlist));
        if !is_in_scope || self.scope.ticks_only {
            return None;
        }
        let most = if self.scope.columns.is_some() { ListRole::Editor } else { ListRole::Owner };
        Some(Rights { role: role.min(most), scope: self.scope.clone() })
    }

    /// Checks that the caller may create a watchlist, which it then owns.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_create(&self, account: Option<Role>) -> Result<(), Rejection> {
        if account.is_some() && self.scope.is_whole() {
            return Ok(());
        }
        Err(forbidden("create a watchlist"))
    }

    /// Checks that the caller may manage the accounts and tokens of the server.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_administer(&self, account: Option<Role>) -> Result<(), Rejection> {
        if account == Some(Role::Admin) && self.scope.is_whole() {
            return Ok(());
        }
        Err(forbidden("manage accounts; ask an administrator"))
    }

    /// Checks that the caller may search the accounts, to share a watchlist with them.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_find_people(&self, account: Option<Role>) -> Result<(), Rejection> {
        if account.is_some() && self.scope.is_whole() {
            return Ok(());
        }
        Err(forbidden("see the other accounts"))
    }
}

impl Rights {
    /// Checks an action.
    ///
    /// # Errors
    /// `forbidden`, naming what needs another role.
    pub fn check(&self, action: Action) -> Result<(), Rejection> {
        if self.role >= action.lowest_role() {
            return Ok(());
        }
        Err(forbidden(match action {
            Action::Read => "read this watchlist; ask an owner for access",
            Action::EditRows => "edit this watchlist; ask an owner for access",
            Action::EditStructure => {
                "change the columns or the name of this watchlist; ask an owner for access"
            }
            Action::Delete => "delete or restore this watchlist; ask an owner for access",
            Action::Share => "share this watchlist; ask an owner",
        }))
    }

    /// Checks an edit: its most demanding change decides. A token that is restricted to columns may only set
    /// their cells.
    ///
    /// # Errors
    /// `forbidden`, naming what is not allowed.
    pub fn check_edit(&self, changes: &[Change]) -> Result<(), Rejection> {
        self.check(Action::of_edit(changes))?;
        let Some(columns) = &self.scope.columns else { return Ok(()) };
        for change in changes {
            match change {
                Change::Set(set) if columns.contains(&set.column) => {}
                Change::Set(set) => {
                    let what =
                        format!("set the column {:?}: this token is for other columns", &*set.column.0);
                    return Err(forbidden(&what));
                }
                _ => {
                    return Err(forbidden(
                        "do this with this token: it may only set the cells of some columns",
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Action {
    /// Returns the action that an edit is: that of the change that needs the highest role.
    fn of_edit(changes: &[Change]) -> Self {
        changes.iter().map(Self::of_change).max().unwrap_or(Action::EditRows)
    }

    fn of_change(change: &Change) -> Self {
        if change.is_structural() { Action::EditStructure } else { Action::EditRows }
    }

    /// Returns the lowest role that may do it.
    fn lowest_role(self) -> ListRole {
        match self {
            Action::Read => ListRole::Viewer,
            Action::EditRows => ListRole::Editor,
            Action::EditStructure | Action::Delete | Action::Share => ListRole::Owner,
        }
    }
}

fn forbidden(what: &str) -> Rejection {
    Rejection::new(Code::Forbidden, format!("your account may not {what}"))
}

/// Returns the rejection for a watchlist that does not exist, or not for the caller.
pub fn unknown(id: WatchlistId) -> Rejection {
    Rejection::new(Code::UnknownWatchlist, format!("there is no watchlist {id}"))
}

#[cfg(test)]
mod tests;
