//! Who is asking: until there are accounts, whoever can read this server's token file.

use std::{fs, io, io::Write, path::Path, sync::Arc};

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use shared::{
    ids::UserId,
    wire::server::{Role, User},
};
use uuid::Uuid;

/// The file in the data folder that holds the token.
pub const TOKEN_FILE: &str = "local.token";
const USER_FILE: &str = "local.user.json";

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token, or a wrong one.
    Unauthorized,
    /// A page of another site sent it.
    ForeignOrigin,
}

/// Checks requests against the one local account.
#[derive(Debug)]
pub struct Auth {
    token: String,
    user: User,
}

#[derive(Serialize, Deserialize)]
struct StoredUser {
    id: UserId,
}

/// The least that a token has, in characters: one that was cut short lets nobody in.
const TOKEN_LENGTH: usize = 32;

impl Auth {
    /// Reads the data folder's token, or writes one that only this user can read.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn open(data_dir: &Path, user_name: &str) -> io::Result<Self> {
        let token = read_or_write(&data_dir.join(TOKEN_FILE), || {
            format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple())
        })?;
        if token.trim().len() < TOKEN_LENGTH {
            let message = format!(
                "{TOKEN_FILE} is too short to be a token, as after a full disk: delete it, and a new one is written"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let stored = read_or_write(&data_dir.join(USER_FILE), || {
            let user = StoredUser { id: UserId(Uuid::new_v4()) };
            serde_json::to_string(&user).expect("an id is plain data")
        })?;
        let stored: StoredUser = serde_json::from_str(&stored)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{USER_FILE}: {error}")))?;
        let user = User { id: stored.id, name: user_name.into(), role: Role::Admin };
        Ok(Self { token: token.trim().to_owned(), user })
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn check(&self, headers: &HeaderMap) -> Result<Arc<User>, Refusal> {
        check_origin(headers)?;
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, token)| token.trim());
        if same(given.as_bytes(), self.token.as_bytes()) {
            Ok(Arc::new(self.user.clone()))
        } else {
            Err(Refusal::Unauthorized)
        }
    }

    /// The token, for the process that serves itself.
    pub fn token(&self) -> &str {
        &self.token
    }
}

/// Takes requests without an `Origin` (they come from programs) and those of this server's own pages.
///
/// # Errors
/// [`Refusal::ForeignOrigin`].
pub fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    match (origin_host, host) {
        (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Refusal::ForeignOrigin),
    }
}

/// Compares without telling by the time it takes where two differ.
fn same(given: &[u8], expected: &[u8]) -> bool {
    given.len() == expected.len()
        && given.iter().zip(expected).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn read_or_write(path: &Path, make: impl FnOnce() -> String) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = make();
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let half_written = path.with_extension("new");
            // What a crash left half written is of no use.
            drop(fs::remove_file(&half_written));
            let mut file = options.open(&half_written)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(half_written, path)?;
            Ok(text)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_that_was_cut_short_lets_nobody_in() {
        for cut in ["", "\n", "abc"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(TOKEN_FILE), cut).unwrap();
            let refused = Auth::open(folder.path(), "ann").map(|_| ()).unwrap_err();
            assert!(refused.to_string().contains("too short"), "{refused}");
        }
    }

    #[test]
    fn the_token_is_asked_for_kept_and_readable_by_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let auth = Auth::open(folder.path(), "ann").unwrap();
        let again = Auth::open(folder.path(), "ann").unwrap();
        assert_eq!((auth.token(), &auth.user), (again.token(), &again.user));
        let bearer = format!("Bearer {}", auth.token());
        assert!(auth.check(&headers(&[(header::AUTHORIZATION, &bearer)])).is_ok());
        for wrong in ["", "Bearer", "Bearer x", &format!("Basic {}", auth.token()), &format!("{bearer}0")] {
            let given = headers(&[(header::AUTHORIZATION, wrong)]);
            assert_eq!(auth.check(&given), Err(Refusal::Unauthorized), "{wrong}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(TOKEN_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn pages_of_other_sites_are_turned_away() {
        let folder = tempfile::tempdir().unwrap();
        let auth = Auth::open(folder.path(), "ann").unwrap();
        let bearer = format!("Bearer {}", auth.token());
        for (origin, taken) in
            [("http://evil.example", false), ("null", false), ("http://127.0.0.1:7878", true)]
        {
            let given = headers(&[
                (header::AUTHORIZATION, &bearer),
                (header::HOST, "127.0.0.1:7878"),
                (header::ORIGIN, origin),
            ]);
            assert_eq!(auth.check(&given).is_ok(), taken, "{origin}");
        }
    }
}
