//! Names of accounts. Two names that look alike cannot both exist, so that no one can pass as another person.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

/// Maximum number of characters of a name.
const MAX_CHARACTERS: usize = 64;
/// Punctuation that a name may contain, besides letters and digits.
const PUNCTUATION: &str = "-_.@' ";
/// Names that stand for callers without an account.
const RESERVED: [&str; 2] = ["everyone", "local"];

/// The name of an account, in the form in which others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountName {
    /// The name.
    pub name: Arc<str>,
    /// Equal for names that look alike.
    pub key: Arc<str>,
}

/// Why a text is not the name of an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidName {
    /// It is empty.
    #[error("the name is empty")]
    Empty,
    /// It is too long.
    #[error("the name has more than {MAX_CHARACTERS} characters")]
    TooLong,
    /// It has a character that is not allowed.
    #[error("the name has the character {0:?} (U+{code:04X}); use letters, digits and any of -_.@'", code = *.0 as u32)]
    Character(char),
    /// It mixes scripts, such as Latin and Cyrillic letters.
    #[error("the name {0:?} mixes letters of different scripts")]
    MixedScripts(String),
    /// It stands for callers without an account.
    #[error("the name {0:?} is reserved")]
    Reserved(String),
}

impl AccountName {
    /// Reads a name: letters and digits of one script, in normal form, without spaces at its ends.
    ///
    /// # Errors
    /// See [`InvalidName`].
    pub(super) fn read(text: &str) -> Result<Self, InvalidName> {
        if text.chars().nth(4 * MAX_CHARACTERS).is_some() {
            return Err(InvalidName::TooLong);
        }
        let name: String = text.trim_matches(' ').nfc().collect();
        if name.is_empty() {
            return Err(InvalidName::Empty);
        }
        if name.chars().count() > MAX_CHARACTERS {
            return Err(InvalidName::TooLong);
        }
        let is_allowed = |c: char| PUNCTUATION.contains(c) || c.identifier_allowed();
        if let Some(character) = name.chars().find(|c| !is_allowed(*c)) {
            return Err(InvalidName::Character(character));
        }
        if !name.is_single_script() {
            return Err(InvalidName::MixedScripts(name));
        }
        if RESERVED.iter().any(|reserved| look_alike(reserved, &name)) {
            return Err(InvalidName::Reserved(name));
        }
        Ok(Self { key: key_of(&name), name: name.into() })
    }
}

/// Returns the key of a text: equal for names that look alike.
pub(super) fn key_of(text: &str) -> Arc<str> {
    let lower: String = text.trim_matches(' ').nfc().collect::<String>().to_lowercase();
    skeleton(&lower).collect::<String>().to_lowercase().into()
}

/// Whether two names look alike. Capital letters may look like other small ones: `I` like `l`.
pub(super) fn look_alike(one: &str, other: &str) -> bool {
    let shape = |text: &str| skeleton(text).collect::<String>().to_lowercase();
    key_of(one) == key_of(other) || shape(one) == shape(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, InvalidName> {
        AccountName::read(text).map(|name| name.name.to_string())
    }

    #[test]
    fn names_are_letters_and_digits_of_one_script() {
        for name in [
            "ann",
            "Ann O'Hara",
            "ann.lee@desk-2",
            "Zo\u{eb}",
            "\u{43e}\u{43b}\u{44f}",
            "\u{738b}\u{82b3}",
            "7",
        ] {
            assert_eq!(read(name).as_deref(), Ok(name));
        }
        assert_eq!(read("  ann "), Ok("ann".to_owned()));
        assert_eq!(read("Zoe\u{308}").as_deref(), Ok("Zo\u{eb}"), "the normal form");
    }

    #[test]
    fn an_error_says_what_is_wrong_with_the_name() {
        assert_eq!(read(" "), Err(InvalidName::Empty));
        assert_eq!(read(&"x".repeat(65)), Err(InvalidName::TooLong));
        assert_eq!(read(&"x".repeat(1 << 20)), Err(InvalidName::TooLong));
        for character in
            ['\u{202e}', '\u{200f}', '\u{200b}', '\n', '\0', '\u{2066}', '/', '\u{feff}', '\t', '<']
        {
            assert_eq!(read(&format!("a{character}nn")), Err(InvalidName::Character(character)));
        }
        assert!(read("a\u{202e}nn").is_err_and(|error| error.to_string().contains("U+202E")));
        let mixed = "\u{430}nn";
        assert_eq!(read(mixed), Err(InvalidName::MixedScripts(mixed.to_owned())));
        for reserved in ["everyone", " Everyone ", "local", "Iocal"] {
            assert!(matches!(read(reserved), Err(InvalidName::Reserved(_))), "{reserved}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_key() {
        let key = |name: &str| AccountName::read(name).unwrap().key;
        for (one, other) in
            [("ann", "ANN"), ("\u{441}\u{43e}\u{440}\u{430}", "copa"), ("Zoe\u{308}", "zo\u{eb}")]
        {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("ann"), key("anna"));
        assert!(look_alike("bill", "biII") && look_alike("Ann", "ann") && !look_alike("ann", "anna"));
    }
}
