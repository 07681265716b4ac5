//! Who may use a watchlist. The hub has checked that the watchlist exists and that the caller may ask.

use std::net::IpAddr;

use shared::{
    account::{ListRole, User},
    ids::{UserId, WatchlistId},
    rejection::{Code, Rejection},
};
use unicode_normalization::UnicodeNormalization;

use super::{
    audit::Event,
    record::{Account, Change, Grant},
    refusal::{invalid, unavailable},
    state::Accounts,
};
use crate::access::{Action, Caller, Credential, unknown};

/// Maximum number of accounts that a search returns.
const MAX_FOUND: usize = 50;
/// Maximum number of accounts that a watchlist is shared with.
const MAX_GRANTS: usize = 1_000;

/// Who may use a watchlist, with the account of each; without one it is everyone who is signed in.
pub type AccessList = Vec<(Option<User>, ListRole)>;

impl Accounts {
    /// Returns accounts whose name contains a text, by name.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn find(&self, caller: &Caller, query: &str) -> Result<Vec<User>, Rejection> {
        caller.check_find_people(self.role(caller))?;
        let query = query.trim().nfc().collect::<String>().to_lowercase();
        let directory = self.directory();
        let accounts = directory.accounts().into_iter().filter(|account| !account.is_disabled);
        let mut found: Vec<User> =
            accounts.filter(|account| account.name.to_lowercase().contains(&query)).map(user_of).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found.truncate(MAX_FOUND);
        Ok(found)
    }

    /// Returns who may use a watchlist: owners first, then by name.
    pub fn access_list(&self, watchlist: WatchlistId) -> AccessList {
        let directory = self.directory();
        let grants = directory.grants(watchlist).into_iter();
        let mut list: AccessList = grants
            .filter_map(|(user, role)| match user {
                None => Some((None, role)),
                Some(id) => Some((Some(user_of(directory.account(id)?)), role)),
            })
            .collect();
        list.sort_by_key(|(user, role)| {
            (std::cmp::Reverse(*role), user.as_ref().map(|user| user.name.clone()))
        });
        list
    }

    /// Makes the caller the only owner of a watchlist that it is about to create. The data folder's user owns
    /// every watchlist anyway.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn own(&self, caller: &Caller, watchlist: WatchlistId) -> Result<(), Rejection> {
        let lock = self.lock_changes().await;
        // A creation that failed may have left others.
        let mut changes = self.grants_to_revoke(watchlist);
        if caller.credential != Credential::Local {
            let grant = Grant { watchlist, user: Some(caller.user), role: ListRole::Owner };
            changes.push(Change::Grant(grant));
        }
        if changes.is_empty() {
            return Ok(());
        }
        let stored = self.store_and_apply(lock, changes, Vec::new()).await;
        stored.map_err(|error| unavailable(&error))
    }

    fn grants_to_revoke(&self, watchlist: WatchlistId) -> Vec<Change> {
        let grants = self.directory().grants(watchlist);
        grants.into_keys().map(|user| Change::Revoke(watchlist, user)).collect()
    }

    /// Gives an account, or everyone who is signed in, a role on a watchlist, or takes it away.
    ///
    /// # Errors
    /// `unknownWatchlist` and `forbidden` if the caller may no longer share it, `invalidValue` for an unknown account,
    /// `lastOwner`, `unavailable`.
    pub async fn share(
        &self,
        caller: &Caller,
        watchlist: WatchlistId,
        (user, role): (Option<UserId>, Option<ListRole>),
        address: IpAddr,
    ) -> Result<(), Rejection> {
        let lock = self.lock_changes().await;
        let rights = self.rights(caller, watchlist);
        rights.ok_or_else(|| unknown(watchlist))?.check(Action::Share)?;
        let grants = self.directory().grants(watchlist);
        let account = match user {
            None => None,
            Some(id) => {
                let name = self.directory().account(id).map(|account| account.name.to_string());
                Some(name.ok_or_else(|| invalid(format!("there is no account {id}")))?)
            }
        };
        if grants.get(&user).copied() == role {
            return Ok(());
        }
        let is_owner = |role: Option<ListRole>| role == Some(ListRole::Owner);
        // An account that may not be used cannot manage the watchlist.
        let is_active = |who: &Option<UserId>| who.is_none_or(|id| self.directory().role(id).is_some());
        let has_other =
            grants.iter().any(|(other, role)| *other != user && is_owner(Some(*role)) && is_active(other));
        if is_owner(grants.get(&user).copied()) && !is_owner(role) && !has_other {
            return Err(Rejection::new(
                Code::LastOwner,
                "a watchlist needs an owner; make someone else an owner first",
            ));
        }
        if grants.len() >= MAX_GRANTS && !grants.contains_key(&user) {
            return Err(invalid(format!(
                "the limit is {MAX_GRANTS} accounts; share it with everyone instead"
            )));
        }
        let change = match role {
            Some(role) => Change::Grant(Grant { watchlist, user, role }),
            None => Change::Revoke(watchlist, user),
        };
        let event = Event::Shared { watchlist, account, role };
        self.record(lock, vec![change], caller, Some(address), vec![event]).await
    }

    /// Removes the grants of watchlists that were erased.
    pub async fn forget(&self, watchlists: &[WatchlistId]) {
        let lock = self.lock_changes().await;
        let changes: Vec<Change> = watchlists.iter().flat_map(|list| self.grants_to_revoke(*list)).collect();
        if !changes.is_empty()
            && let Err(error) = self.store_and_apply(lock, changes, Vec::new()).await
        {
            drop(unavailable(&error));
        }
    }
}

fn user_of(account: &Account) -> User {
    User { id: account.id, name: account.name.clone(), role: account.role }
}
