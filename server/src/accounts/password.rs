//! Passwords: which are allowed, and how they are stored.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;
use zxcvbn::zxcvbn;

/// Number of characters of a password.
const CHARACTERS: std::ops::RangeInclusive<usize> = 8..=256;
/// Maximum number of bytes of a text that is looked at: more than any password has.
const MAX_BYTES: usize = 4 * 256 * 4;
/// A password that is found with fewer guesses is among the commonest.
const MIN_GUESSES: u64 = 10_000;
/// Number of bytes of a hash.
const HASH_BYTES: usize = 32;
/// The parameters that the OWASP Password Storage Cheat Sheet names for Argon2id: memory in KiB, passes,
/// lanes.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// A password in its normal form, so that it is the same whatever keyboard it is typed on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

/// Why a text is not accepted as a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPassword {
    /// It is too short.
    #[error("the password has fewer than {} characters", CHARACTERS.start())]
    TooShort,
    /// It is too long.
    #[error("the password has more than {} characters", CHARACTERS.end())]
    TooLong,
    /// It has a character that cannot be typed everywhere.
    #[error("the password has a control character")]
    ControlCharacter,
    /// It is one of those that are tried first.
    #[error("the password is one of the {MIN_GUESSES} that are guessed first; choose a longer one")]
    Common,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password(..)")
    }
}

impl Password {
    /// Reads a password that a person signs in with; `None` if no account can have it.
    pub(super) fn read(text: &str) -> Option<Self> {
        normalized(text).ok().map(Self)
    }

    /// Reads a new password for an account, whose name is guessed first.
    ///
    /// # Errors
    /// See [`InvalidPassword`].
    pub(super) fn new(text: &str, account: &str) -> Result<Self, InvalidPassword> {
        let password = normalized(text)?;
        let guesses = zxcvbn(&password, &[account]).guesses();
        if guesses <= MIN_GUESSES {
            return Err(InvalidPassword::Common);
        }
        Ok(Self(password))
    }

    /// Returns the Argon2id hash with a new salt, as a PHC string. Takes some 20 ms.
    pub(super) fn hash(&self, memory: &mut HashingMemory) -> String {
        let salt = *Uuid::new_v4().as_bytes();
        let output = memory.compute(&current_params(), self.0.as_bytes(), &salt);
        let params = ParamsString::try_from(&current_params()).expect("the parameters are valid");
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params,
            salt: Salt::new(&salt).ok(),
            hash: Output::new(&output).ok(),
        };
        hash.to_string()
    }
}

/// The memory of Argon2, 19 MiB, which is kept from one hash to the next: an allocator may not return it.
pub(super) struct HashingMemory(Vec<Block>);

impl HashingMemory {
    /// Allocates the memory with the first hash.
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    fn compute(&mut self, params: &Params, password: &[u8], salt: &[u8]) -> [u8; HASH_BYTES] {
        let mut output = [0; HASH_BYTES];
        self.0.resize(params.block_count().max(self.0.len()), Block::default());
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let computed = argon.hash_password_into_with_memory(password, salt, &mut output, &mut self.0);
        computed.expect("passwords, salts and parameters have valid lengths");
        output
    }
}

/// Returns whether a password has a hash. Without a hash or a password, a hash is computed all the same, so
/// that the time does not tell whether the account exists.
pub(super) fn verify(password: Option<&Password>, hash: Option<&str>, memory: &mut HashingMemory) -> bool {
    let parsed = hash.and_then(parsed);
    let bytes = password.map_or(&b"x"[..], |password| password.0.as_bytes());
    let (params, salt, expected) = parsed.clone().unwrap_or((current_params(), vec![0; 16], [0; HASH_BYTES]));
    let computed = memory.compute(&params, bytes, &salt);
    let difference = computed.iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b));
    difference == 0 && password.is_some() && parsed.is_some()
}

/// Returns whether a hash has other parameters than new ones have. It is replaced at the next sign-in.
pub(super) fn needs_rehash(hash: &str) -> bool {
    let Some((params, ..)) = parsed(hash) else { return true };
    (params.m_cost(), params.t_cost(), params.p_cost()) != COST
}

/// Returns the parameters, the salt and the output of an Argon2id hash.
fn parsed(hash: &str) -> Option<(Params, Vec<u8>, [u8; HASH_BYTES])> {
    let hash = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&hash).ok().filter(|params| params.m_cost() <= 4 * COST.0)?;
    let output = hash.hash?.as_bytes().try_into().ok()?;
    let is_argon2id = hash.algorithm == Algorithm::Argon2id.ident();
    is_argon2id.then_some((params, hash.salt?.to_vec(), output))
}

fn current_params() -> Params {
    let (memory, passes, lanes) = COST;
    Params::new(memory, passes, lanes, None).expect("the parameters are valid")
}

/// Returns a password in normal form C (as RFC 8265, OpaqueString), which NFD input of some systems needs.
fn normalized(text: &str) -> Result<String, InvalidPassword> {
    if text.len() > MAX_BYTES {
        return Err(InvalidPassword::TooLong);
    }
    let password: String = text.nfc().collect();
    match password.chars().count() {
        count if count < *CHARACTERS.start() => Err(InvalidPassword::TooShort),
        count if count > *CHARACTERS.end() => Err(InvalidPassword::TooLong),
        _ if password.chars().any(char::is_control) => Err(InvalidPassword::ControlCharacter),
        _ => Ok(password),
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordHasher;

    use super::*;

    #[test]
    fn length_and_commonness_decide_and_not_the_kinds_of_characters() {
        let read = |text: &str| Password::new(text, "margaret").map(drop);
        for good in ["harbour lamp forty", "kqzv wmtx", "x9$Lq2#vBn", "\u{f1}and\u{fa} vuela lejos"] {
            assert_eq!(read(good), Ok(()), "{good}");
        }
        for common in [
            "password",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "Password1",
            "aaaaaaaa",
            "margaret",
            "sunshine",
        ] {
            assert_eq!(read(common), Err(InvalidPassword::Common), "{common}");
        }
        assert_eq!(read("short 7"), Err(InvalidPassword::TooShort));
        assert_eq!(read(&"long word ".repeat(26)), Err(InvalidPassword::TooLong));
        assert_eq!(read(&"x".repeat(1 << 20)), Err(InvalidPassword::TooLong));
        assert_eq!(read("nul \0 inside it"), Err(InvalidPassword::ControlCharacter));
    }

    #[test]
    fn a_password_is_the_same_in_every_normal_form() {
        let (composed, decomposed) = ("caf\u{e9} on the corner", "cafe\u{301} on the corner");
        let hash = Password::new(composed, "ann").unwrap().hash(&mut HashingMemory::new());
        assert!(verify(Password::read(decomposed).as_ref(), Some(&hash), &mut HashingMemory::new()));
        assert!(!verify(
            Password::read("cafe on the corner").as_ref(),
            Some(&hash),
            &mut HashingMemory::new()
        ));
    }

    #[test]
    fn a_hash_has_the_current_parameters_and_others_are_replaced() {
        let password = Password::new("harbour lamp forty", "ann").unwrap();
        let hash = password.hash(&mut HashingMemory::new());
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, password.hash(&mut HashingMemory::new()), "each has its own salt");
        assert!(!needs_rehash(&hash));
        let weaker =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
        let weaker = PasswordHasher::hash_password(&weaker, b"harbour lamp forty").unwrap().to_string();
        assert!(needs_rehash(&weaker) && verify(Some(&password), Some(&weaker), &mut HashingMemory::new()));
        assert!(needs_rehash("nonsense"));
    }

    #[test]
    fn nothing_matches_without_a_password_or_a_hash() {
        let password = Password::new("harbour lamp forty", "ann").unwrap();
        assert!(!verify(None, Some(&password.hash(&mut HashingMemory::new())), &mut HashingMemory::new()));
        assert!(!verify(Some(&password), None, &mut HashingMemory::new()));
        assert!(!verify(Some(&password), Some("nonsense"), &mut HashingMemory::new()));
        assert!(!verify(Password::read("no account has this one").as_ref(), None, &mut HashingMemory::new()));
        assert_eq!(format!("{password:?}"), "Password(..)");
    }
}
