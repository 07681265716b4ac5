//! Sessions in the system's password store, so that a person stays signed in.

use keyring::{Entry, Error};
use shared::ids::UserId;

/// Name of the program in the store.
const SERVICE: &str = "afterglow";

/// Returns the stored session of an account on a server.
///
/// # Errors
/// The system has no password store, or it is locked.
pub(super) fn load(base: &str, account: UserId) -> Result<Option<String>, String> {
    match entry(base, account)?.get_password() {
        Ok(session) => Ok(Some(session)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Stores the session of an account on a server.
///
/// # Errors
/// See [`load`].
pub(super) fn save(base: &str, account: UserId, session: &str) -> Result<(), String> {
    entry(base, account)?.set_password(session).map_err(|error| error.to_string())
}

/// Removes the session of an account on a server.
///
/// # Errors
/// See [`load`].
pub(super) fn remove(base: &str, account: UserId) -> Result<(), String> {
    match entry(base, account)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn entry(base: &str, account: UserId) -> Result<Entry, String> {
    if let Err(error) = Entry::store_status() {
        return Err(error.to_string());
    }
    Entry::new(SERVICE, &format!("{base} {account}")).map_err(|error| error.to_string())
}
