//! Secrets that prove an account: those of sessions and of tokens. The server keeps only their digests.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What the secret of a program's token starts with, so that one is recognised wherever it is found.
pub(super) const TOKEN_PREFIX: &str = "ag_";

/// A new secret. Its random part has 244 bits of the system's generator.
pub struct Secret(String);

/// The SHA-256 digest of a secret. A secret is random and long, so that it needs neither salt nor a slow
/// hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Digest(..)")
    }
}

impl Secret {
    /// Creates the secret of a session.
    pub fn of_session() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// Creates the secret of a token.
    pub fn of_token() -> Self {
        Self(format!("{TOKEN_PREFIX}{}", Self::of_session().0))
    }

    /// Returns the secret, which is shown once.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns the digest that is kept.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl Digest {
    /// Returns the digest of a secret that was presented.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Returns its bytes in hexadecimal, as they are stored.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Parses what [`Self::to_hex`] returns.
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode(text).ok()?.try_into().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_secret_is_another_one_and_its_digest_is_kept() {
        let secrets: BTreeSet<String> = (0..1_000).map(|_| Secret::of_session().0).collect();
        assert_eq!(secrets.len(), 1_000);
        let token = Secret::of_token();
        assert!(token.text().starts_with(TOKEN_PREFIX) && token.text().len() == 67);
        assert_eq!(Digest::from_hex(&token.digest().to_hex()), Some(token.digest()));
        assert_ne!(Digest::of(&token.text()[1..]), token.digest());
        assert_eq!(format!("{:?}", token.digest()), "Digest(..)");
    }
}
