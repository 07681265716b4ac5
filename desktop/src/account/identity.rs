//! What this process proves to its server who it is with, shared by the connection and the thread that signs
//! in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::ids::UserId;

use super::keyring;
use crate::remote::Credential;

/// The credential of this process.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    credential: Option<Credential>,
    /// The account whose session the system's password store may have, until that is read.
    stored: Option<UserId>,
    /// Whether the server has rejected the last one.
    was_rejected: bool,
}

impl Identity {
    /// Creates it without a credential. `stored` is the account whose session the system's password store
    /// has.
    pub fn new(stored: Option<UserId>) -> Self {
        Self(Arc::new(Mutex::new(State { credential: None, stored, was_rejected: false })))
    }

    /// Returns the credential for a server; reads it from the password store the first time, which may wait
    /// for the person.
    pub fn credential(&self, base: &str) -> Option<Credential> {
        let mut state = self.lock();
        if let Some(account) = state.stored.take()
            && state.credential.is_none()
        {
            state.credential = keyring::load(base, account).ok().flatten().map(Credential::Session);
        }
        state.credential.clone()
    }

    /// Takes the credential away.
    pub(super) fn take(&self) -> Option<Credential> {
        std::mem::replace(&mut *self.lock(), State { credential: None, stored: None, was_rejected: false })
            .credential
    }

    /// Returns the credential if it is known already.
    pub(super) fn known(&self) -> Option<Credential> {
        self.lock().credential.clone()
    }

    /// Sets the credential.
    pub fn set(&self, credential: Option<Credential>) {
        *self.lock() = State { credential, stored: None, was_rejected: false };
    }

    /// Drops a credential that the server no longer accepts, unless another one was set in the meantime.
    pub fn reject(&self, credential: &Credential) {
        let mut state = self.lock();
        if state.credential.as_ref() == Some(credential) {
            *state = State { credential: None, stored: None, was_rejected: true };
        }
    }

    /// Returns whether the server has rejected the last credential.
    pub fn was_rejected(&self) -> bool {
        self.lock().was_rejected
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_credential_is_dropped_unless_another_was_set() {
        let (old, new) = (Credential::Session("old".into()), Credential::Session("new".into()));
        let identity = Identity::new(None);
        identity.set(Some(old.clone()));
        identity.reject(&old);
        assert_eq!((identity.known(), identity.was_rejected()), (None, true));
        identity.set(Some(new.clone()));
        identity.reject(&old);
        assert_eq!((identity.credential("x"), identity.was_rejected()), (Some(new), false));
    }
}
