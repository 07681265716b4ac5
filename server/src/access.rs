//! Who may do what. Pure: it decides from the caller, the action and the caller's role on the watchlist.

use std::sync::Arc;

use shared::{
    account::{Role, User},
    edit::Change,
    rejection::{Code, Rejection},
};

/// The account that makes a request, with its rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    user: Arc<User>,
}

/// What an account may do with one watchlist. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListRole {
    /// Reads it.
    Viewer,
    /// Changes its rows and cells.
    Editor,
    /// Changes its columns and name, deletes and restores it.
    Owner,
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
}

impl Caller {
    /// Creates the caller for an authenticated account.
    pub fn new(user: Arc<User>) -> Self {
        Self { user }
    }

    /// Returns the caller's account.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Returns the caller's role on every watchlist. The local user of a data folder owns them all.
    pub fn list_role(&self) -> ListRole {
        match self.user.role {
            Role::Viewer => ListRole::Viewer,
            Role::Editor => ListRole::Editor,
            Role::Admin => ListRole::Owner,
        }
    }

    /// Checks that the caller may create a watchlist, which it then owns.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn check_create(&self) -> Result<(), Rejection> {
        match self.user.role {
            Role::Editor | Role::Admin => Ok(()),
            Role::Viewer => Err(forbidden("create a watchlist; ask an administrator")),
        }
    }
}

impl Action {
    /// Returns the action that an edit is: that of the change that needs the highest role.
    pub fn of_edit(changes: &[Change]) -> Self {
        changes.iter().map(Self::of_change).max().unwrap_or(Action::EditRows)
    }

    fn of_change(change: &Change) -> Self {
        match change {
            Change::Set(_) | Change::Insert(_) | Change::Move(_) | Change::Remove(_) => Action::EditRows,
            Change::AddColumn(_)
            | Change::SetColumn(_)
            | Change::RemoveColumn(_)
            | Change::RestoreColumn(_)
            | Change::Rename(_) => Action::EditStructure,
        }
    }

    /// Returns the lowest role that may do it.
    fn lowest_role(self) -> ListRole {
        match self {
            Action::Read => ListRole::Viewer,
            Action::EditRows => ListRole::Editor,
            Action::EditStructure | Action::Delete => ListRole::Owner,
        }
    }
}

/// Whether a caller with a role on a watchlist may do something with it. Admins may do everything regardless of the role; a caller
/// without a role may do nothing.
pub fn is_allowed(caller: &Caller, action: Action, role: Option<ListRole>) -> bool {
    caller.user.role == Role::Admin || role.is_some_and(|role| role >= action.lowest_role())
}

/// Checks that a caller may do something with a watchlist that it sees.
///
/// # Errors
/// `forbidden`, naming what needs another role.
pub fn check(caller: &Caller, action: Action, role: ListRole) -> Result<(), Rejection> {
    if is_allowed(caller, action, Some(role)) {
        return Ok(());
    }
    Err(forbidden(match action {
        Action::Read => "read this watchlist; ask an owner for access",
        Action::EditRows => "edit this watchlist; ask an owner for access",
        Action::EditStructure => "change the columns or the name of this watchlist; ask an owner for access",
        Action::Delete => "delete or restore this watchlist; ask an owner for access",
    }))
}

fn forbidden(what: &str) -> Rejection {
    Rejection::new(Code::Forbidden, format!("your account may not {what}"))
}

#[cfg(test)]
mod tests {
    use shared::{
        column::ColumnKind,
        edit::{AddColumn, ColumnRef},
        ids::{RowId, UserId},
    };
    use uuid::Uuid;

    use super::*;

    const ACTIONS: [Action; 4] = [Action::Read, Action::EditRows, Action::EditStructure, Action::Delete];

    fn caller(role: Role) -> Caller {
        Caller::new(Arc::new(User { id: UserId(Uuid::nil()), name: "ann".into(), role }))
    }

    fn allowed(role: Role, list_role: Option<ListRole>) -> [bool; 4] {
        ACTIONS.map(|action| is_allowed(&caller(role), action, list_role))
    }

    #[test]
    fn each_role_may_do_what_it_includes_and_no_more() {
        for role in [Role::Viewer, Role::Editor] {
            assert_eq!(allowed(role, None), [false; 4]);
            assert_eq!(allowed(role, Some(ListRole::Viewer)), [true, false, false, false]);
            assert_eq!(allowed(role, Some(ListRole::Editor)), [true, true, false, false]);
            assert_eq!(allowed(role, Some(ListRole::Owner)), [true; 4]);
        }
    }

    #[test]
    fn an_admin_may_do_everything_with_any_role_or_none() {
        for role in [None, Some(ListRole::Viewer), Some(ListRole::Editor), Some(ListRole::Owner)] {
            assert_eq!(allowed(Role::Admin, role), [true; 4]);
        }
        assert_eq!(caller(Role::Admin).list_role(), ListRole::Owner);
    }

    #[test]
    fn an_edit_needs_the_role_of_its_most_demanding_change() {
        let row = RowId(Uuid::nil());
        let set = Change::set(row, &"price".into(), "1".into());
        let add = Change::AddColumn(AddColumn {
            key: "new".into(),
            title: "New".into(),
            kind: ColumnKind::Text,
            after: None,
        });
        let columns = [Change::RemoveColumn(ColumnRef { key: "new".into() }), Change::rename("Other"), add];
        assert_eq!(Action::of_edit(&[set.clone(), Change::remove(row, None)]), Action::EditRows);
        for structural in columns {
            assert_eq!(Action::of_edit(&[set.clone(), structural, set.clone()]), Action::EditStructure);
        }
    }

    #[test]
    fn a_refusal_says_what_is_not_allowed() {
        let viewer = caller(Role::Viewer);
        let refused = check(&viewer, Action::EditRows, ListRole::Viewer).unwrap_err();
        assert_eq!(refused.code, Code::Forbidden);
        assert!(refused.message.contains("edit this watchlist"), "{refused}");
        assert!(viewer.check_create().is_err() && caller(Role::Editor).check_create().is_ok());
    }
}
