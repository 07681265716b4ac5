//! What this process proves to its server who it is with, shared by the connection and the thread that signs in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::keyring;
use crate::remote::Credential;

/// The credential of this process.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    credential: Option<Credential>,
    /// Whether the system's password store may have one that was not read yet.
    is_stored: bool,
    /// Whether the server has rejected the last one.
    was_rejected: bool,
}

impl Identity {
    /// Creates it without a credential. `is_stored` tells whether the system's password store has one.
    pub fn new(is_stored: bool) -> Self {
        Self(Arc::new(Mutex::new(Held { credential: None, is_stored, was_rejected: false })))
    }

    /// Returns the credential for a server; reads it from the password store the first time, which may wait for the person.
    pub fn credential(&self, base: &str) -> Option<Credential> {
        let mut held = self.lock();
        if std::mem::take(&mut held.is_stored) && held.credential.is_none() {
            held.credential = keyring::load(base).ok().flatten().map(Credential::Session);
        }
        held.credential.clone()
    }

    /// Returns the credential if it is known already.
    pub(super) fn known(&self) -> Option<Credential> {
        self.lock().credential.clone()
    }

    /// Sets the credential.
    pub fn set(&self, credential: Option<Credential>) {
        *self.lock() = Held { credential, is_stored: false, was_rejected: false };
    }

    /// Drops a credential that the server no longer accepts, unless another one was set meanwhile.
    pub fn reject(&self, credential: &Credential) {
        let mut held = self.lock();
        if held.credential.as_ref() == Some(credential) {
            *held = Held { credential: None, is_stored: false, was_rejected: true };
        }
    }

    /// Returns whether the server has rejected the last credential.
    pub fn was_rejected(&self) -> bool {
        self.lock().was_rejected
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_credential_is_dropped_unless_another_was_set() {
        let (old, new) = (Credential::Session("old".into()), Credential::Session("new".into()));
        let identity = Identity::new(false);
        identity.set(Some(old.clone()));
        identity.reject(&old);
        assert_eq!((identity.known(), identity.was_rejected()), (None, true));
        identity.set(Some(new.clone()));
        identity.reject(&old);
        assert_eq!((identity.credential("x"), identity.was_rejected()), (Some(new), false));
    }
}
