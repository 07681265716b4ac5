//! The servers that this person has joined, and the file with each one's token; and the one that is being joined.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::destination::Destination;

const FILE: &str = "servers.json";
/// What names this user's own data folder beside the servers in names of files.
pub const OWN: &str = "own";

/// What names a server in names of files, or [`OWN`] where it is none: no two have one name.
pub fn file_name(base: Option<&str>) -> String {
    let Some(base) = base else { return OWN.to_owned() };
    let named = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("_{byte:02x}"),
    };
    base.bytes().map(named).fold("at_".to_owned(), |name, part| name + &part)
}

/// The servers that were joined: a token goes to the server that it was meant for, and to no other unasked.
#[derive(Debug, Default)]
pub struct Servers {
    path: PathBuf,
    token_files: BTreeMap<String, PathBuf>,
    /// The file holds something else, which must not be lost.
    is_unread: bool,
}

impl Servers {
    /// Reads them from a data folder; none where the file cannot be understood.
    pub fn read(data_dir: &Path) -> Self {
        Self::at(data_dir.join(FILE))
    }

    fn at(path: PathBuf) -> Self {
        let read = fs::read(&path).map(|bytes| serde_json::from_slice(&bytes));
        match read {
            Ok(Ok(token_files)) => Self { path, token_files, is_unread: false },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self { path, ..Self::default() },
            Ok(Err(_)) | Err(_) => Self { path, is_unread: true, ..Self::default() },
        }
    }

    /// The file with a server's token.
    pub fn token_file(&self, base: &str) -> Option<&Path> {
        self.token_files.get(base).map(PathBuf::as_path)
    }

    /// Remembers a server, whole or not at all. A file that cannot be understood is kept aside.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn remember(&mut self, base: &str, token_file: &Path) -> io::Result<()> {
        let token_file = std::path::absolute(token_file)?;
        // Other processes have joined servers since.
        *self = Self::at(self.path.clone());
        if self.token_file(base) == Some(&*token_file) {
            return Ok(());
        }
        if std::mem::take(&mut self.is_unread) {
            fs::rename(&self.path, self.path.with_extension("json.unread"))?;
        }
        self.token_files.insert(base.to_owned(), token_file);
        let new = self.path.with_extension(format!("json.{}", std::process::id()));
        fs::write(&new, serde_json::to_vec_pretty(&self.token_files)?)?;
        fs::rename(new, &self.path)
    }
}

/// A server that is being joined.
#[derive(Debug)]
pub struct Joining {
    servers: Servers,
    /// Where to, with the token's file that is used.
    pub destination: Destination,
    agreed: Arc<AtomicBool>,
}

impl Joining {
    /// Finds the token's file where none is named, if the server was joined before.
    pub fn new(mut destination: Destination, servers: Servers) -> Self {
        let known = servers.token_file(&destination.base).map(Path::to_owned);
        let is_known = destination.token_file.is_none() || destination.token_file == known;
        // What this person has typed was meant.
        let is_agreed = is_known || destination.named_in.is_none();
        destination.token_file = destination.token_file.or(known);
        Self { servers, destination, agreed: Arc::new(AtomicBool::new(is_agreed)) }
    }

    /// Whether the person has agreed to join; nothing is sent before.
    pub fn agreed(&self) -> Arc<AtomicBool> {
        self.agreed.clone()
    }

    /// Whether the person is still to be asked.
    pub fn is_asking(&self) -> bool {
        !self.agreed.load(Ordering::Acquire)
    }

    /// The person agrees.
    pub fn agree(&self) {
        self.agreed.store(true, Ordering::Release);
    }

    /// The server has taken the token: it is found again.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn welcomed(mut self) -> io::Result<()> {
        match &self.destination.token_file {
            Some(token_file) => self.servers.remember(&self.destination.base, token_file),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(base: &str, token_file: Option<&str>, named_in: Option<&str>) -> Destination {
        Destination {
            base: base.to_owned(),
            watchlist: None,
            token_file: token_file.map(PathBuf::from),
            named_in: named_in.map(PathBuf::from),
        }
    }

    #[test]
    fn no_two_servers_share_a_name() {
        let bases = ["http://a.b:1", "http://a-b:1", "http://a_b:1", "http://a_2eb:1", "http://a:b1", "own"];
        let names: std::collections::BTreeSet<String> =
            bases.iter().map(|base| file_name(Some(base))).chain([file_name(None)]).collect();
        assert_eq!(names.len(), bases.len() + 1, "{names:?}");
        let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(names.iter().all(is_plain), "{names:?}");
    }

    #[test]
    fn a_servers_token_file_is_found_again_for_it_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let join = |destination| Joining::new(destination, Servers::read(folder.path()));
        let first = join(to("http://desk:1", Some("/a/token"), None));
        assert!(!first.is_asking(), "this person typed it");
        assert_eq!(
            join(to("http://desk:1", None, None)).destination.token_file,
            None,
            "it was not taken yet"
        );
        first.welcomed().unwrap();
        let again = join(to("http://desk:1", None, None));
        assert_eq!(again.destination.token_file, Some("/a/token".into()));
        assert!(!again.is_asking());
        assert_eq!(join(to("http://desk:2", None, None)).destination.token_file, None);
    }

    #[test]
    fn what_a_file_names_is_asked_about_until_it_was_joined_so() {
        let folder = tempfile::tempdir().unwrap();
        let join = |base, token| {
            let destination = to(base, Some(token), Some("/a/desk.afterglow"));
            Joining::new(destination, Servers::read(folder.path()))
        };
        let first = join("http://desk:1", "/a/token");
        assert!(first.is_asking());
        first.agree();
        assert!(first.agreed().load(Ordering::Acquire));
        first.welcomed().unwrap();
        assert!(!join("http://desk:1", "/a/token").is_asking());
        assert!(join("http://desk:1", "/a/other").is_asking(), "another token");
        assert!(join("http://desk:2", "/a/token").is_asking(), "another server");
    }

    #[test]
    fn what_cannot_be_read_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let joining = Joining::new(to("http://desk:1", Some("/a/token"), None), Servers::read(folder.path()));
        joining.welcomed().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("servers.json.unread")).unwrap(), "{");
        assert!(Servers::read(folder.path()).token_file("http://desk:1").is_some());
    }
}
