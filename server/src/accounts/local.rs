//! The account of the data folder's own user, and the token that proves it.

use std::{fs, io, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use shared::{
    account::{Role, User},
    ids::UserId,
};
use uuid::Uuid;

use super::secret::Secret;
use crate::files::{TOKEN_FILE, write_atomically};

const USER_FILE: &str = "local.user.json";
/// Minimum length of a token, in characters. A shorter one was truncated.
const TOKEN_LENGTH: usize = 32;

/// The local user and the token for it.
#[derive(Debug)]
pub struct LocalAccount {
    token: String,
    user: Arc<User>,
}

#[derive(Serialize, Deserialize)]
struct StoredUser {
    id: UserId,
}

impl LocalAccount {
    /// Reads the account of a data folder, or creates it with a token that only this user can read.
    ///
    /// # Errors
    /// A file cannot be read or written, or does not hold what it should.
    pub fn open(data_dir: &Path, user_name: &str) -> io::Result<Self> {
        let token_file = data_dir.join(TOKEN_FILE);
        let token = read_or_write(&token_file, || format!("{}\n", new_token()))?;
        if token.trim().len() < TOKEN_LENGTH {
            let message = format!(
                "{TOKEN_FILE} is too short to be a token (the disk may have been full): delete it, and the server creates a new one at its next start"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        check_is_private(&token_file)?;
        let stored = read_or_write(&data_dir.join(USER_FILE), || {
            let user = StoredUser { id: UserId(Uuid::new_v4()) };
            serde_json::to_string(&user).expect("an id is plain data")
        })?;
        let stored: StoredUser = serde_json::from_str(&stored)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{USER_FILE}: {error}")))?;
        let user = Arc::new(User { id: stored.id, name: user_name.into(), role: Role::Admin });
        Ok(Self { token: token.trim().to_owned(), user })
    }

    /// Creates an account with a random token that is not stored.
    pub fn in_memory(user: User) -> Self {
        Self { token: new_token(), user: Arc::new(user) }
    }

    /// Returns the user.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Returns whether a token is the account's.
    pub fn is_token(&self, token: &str) -> bool {
        is_equal(token.as_bytes(), self.token.as_bytes())
    }

    /// Returns the token, for the process that serves itself.
    pub fn token(&self) -> &str {
        &self.token
    }
}

fn new_token() -> String {
    Secret::of_session().text().to_owned()
}

/// Checks that no other user can know the token: its file is this user's, and only this user can read or
/// write it.
#[cfg(unix)]
fn check_is_private(token_file: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let file = fs::metadata(token_file)?;
    let what = if file.uid() != rustix::process::geteuid().as_raw() {
        format!("belongs to another user (id {})", file.uid())
    } else if file.mode() & 0o077 != 0 {
        format!("is accessible to other users (mode {:03o})", file.mode() & 0o777)
    } else {
        return Ok(());
    };
    let message = format!(
        "{TOKEN_FILE} {what}: delete it, and the server creates a new one at its next start, or, if no one else has read it, run chmod 600"
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

/// Access to files is controlled by the data folder's own permissions here.
#[cfg(not(unix))]
fn check_is_private(_token_file: &Path) -> io::Result<()> {
    Ok(())
}

/// Compares in a time that does not depend on where the two differ.
fn is_equal(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn read_or_write(path: &Path, new_text: impl FnOnce() -> String) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = new_text();
            write_atomically(path, text.as_bytes())?;
            Ok(text)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_token_authenticates_no_request() {
        for truncated in ["", "\n", "abc"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(TOKEN_FILE), truncated).unwrap();
            let error = LocalAccount::open(folder.path(), "ann").map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("too short"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        drop(LocalAccount::open(folder.path(), "ann").unwrap());
        for (length, is_token) in [(TOKEN_LENGTH - 1, false), (TOKEN_LENGTH, true)] {
            fs::write(folder.path().join(TOKEN_FILE), "x".repeat(length)).unwrap();
            assert_eq!(LocalAccount::open(folder.path(), "ann").is_ok(), is_token, "{length} characters");
        }
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_reported_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(TOKEN_FILE);
        fs::write(&file, b"\xff\xfe").unwrap();
        let error = LocalAccount::open(folder.path(), "ann").map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read(&file).unwrap(), b"\xff\xfe");
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_others_may_have_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        drop(LocalAccount::open(folder.path(), "ann").unwrap());
        let file = folder.path().join(TOKEN_FILE);
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let error = LocalAccount::open(folder.path(), "ann").map(drop).unwrap_err().to_string();
            assert!(error.contains(&format!("{mode:03o}")), "{error}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(LocalAccount::open(folder.path(), "ann").is_ok());
    }

    #[test]
    fn the_token_is_kept_required_and_readable_by_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let account = LocalAccount::open(folder.path(), "ann").unwrap();
        let again = LocalAccount::open(folder.path(), "ann").unwrap();
        assert_eq!((account.token(), &account.user), (again.token(), &again.user));
        let token = account.token();
        assert!(account.is_token(token));
        let same_length = "0".repeat(token.len());
        let same_characters: String = token.chars().rev().collect();
        let one_wrong = format!("{}-", &token[..token.len() - 1]);
        for wrong in ["", "x", &format!("{token}0"), &token[1..], &same_length, &same_characters, &one_wrong]
        {
            assert!(!account.is_token(wrong), "{wrong}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(TOKEN_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
