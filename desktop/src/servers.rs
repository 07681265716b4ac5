//! The servers that this user has joined, with their token files, and the one that is being joined.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{destination::Destination, files::WriteFile};

const FILE: &str = "servers.json";
/// File name part for the local data folder, in place of a server.
pub const OWN: &str = "own";

/// Returns the file name part for a server, unique to its address, or [`OWN`] for the local data folder.
pub fn file_name(base: Option<&str>) -> String {
    let Some(base) = base else { return OWN.to_owned() };
    let named = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("_{byte:02x}"),
    };
    base.bytes().map(named).fold("at_".to_owned(), |name, part| name + &part)
}

/// The servers that were joined. A token is sent to another server only with the person's consent.
#[derive(Debug)]
pub struct Servers {
    path: PathBuf,
    token_files: BTreeMap<String, PathBuf>,
    /// Whether the file exists but cannot be parsed, so that it must not be overwritten.
    is_invalid: bool,
    write_file: WriteFile,
}

impl Servers {
    /// Reads the servers from a data folder; an invalid file counts as empty.
    pub fn read(data_dir: &Path, write_file: WriteFile) -> Self {
        Self::read_file(data_dir.join(FILE), write_file)
    }

    fn read_file(path: PathBuf, write_file: WriteFile) -> Self {
        let read = fs::read(&path).map(|bytes| serde_json::from_slice(&bytes));
        let (token_files, is_invalid) = match read {
            Ok(Ok(token_files)) => (token_files, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), false),
            Ok(Err(_)) | Err(_) => (BTreeMap::new(), true),
        };
        Self { path, token_files, is_invalid, write_file }
    }

    /// Returns the token file of a server.
    pub fn token_file(&self, base: &str) -> Option<&Path> {
        self.token_files.get(base).map(PathBuf::as_path)
    }

    /// Saves a server atomically. An invalid file is renamed first.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn save_token_file(&mut self, base: &str, token_file: &Path) -> io::Result<()> {
        let token_file = std::path::absolute(token_file)?;
        // Locked, because other processes may join servers at the same time.
        let lock = File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        *self = Self::read_file(self.path.clone(), self.write_file);
        if self.token_file(base) == Some(&*token_file) {
            return Ok(());
        }
        if std::mem::take(&mut self.is_invalid) {
            fs::rename(&self.path, self.path.with_extension("json.unread"))?;
        }
        self.token_files.insert(base.to_owned(), token_file);
        (self.write_file)(&self.path, &serde_json::to_vec_pretty(&self.token_files)?)
    }
}

/// A server that is being joined.
#[derive(Debug)]
pub struct Joining {
    servers: Servers,
    /// Destination, with the token file in use.
    pub destination: Destination,
    has_consent: Arc<AtomicBool>,
}

impl Joining {
    /// Creates it with the destination's token file, or else the one that the server was joined with before.
    pub fn new(mut destination: Destination, servers: Servers) -> Self {
        let known = servers.token_file(&destination.base).map(Path::to_owned);
        let is_known = destination.token_file.is_none() || destination.token_file == known;
        // A token file from the command line is the person's own choice.
        let has_consent = is_known || destination.connection_file.is_none();
        destination.token_file = destination.token_file.or(known);
        Self { servers, destination, has_consent: Arc::new(AtomicBool::new(has_consent)) }
    }

    /// Returns the shared flag of the person's consent; nothing is sent before it is set.
    pub fn consent(&self) -> Arc<AtomicBool> {
        self.has_consent.clone()
    }

    /// Returns whether the person's consent is missing.
    pub fn needs_consent(&self) -> bool {
        !self.has_consent.load(Ordering::Acquire)
    }

    /// Records the person's consent.
    pub fn give_consent(&self) {
        self.has_consent.store(true, Ordering::Release);
    }

    /// Saves the server and its token file after the server's welcome.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn save(mut self) -> io::Result<()> {
        match &self.destination.token_file {
            Some(token_file) => self.servers.save_token_file(&self.destination.base, token_file),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path) -> Servers {
        Servers::read(folder, server::files::write_atomically)
    }

    fn to(base: &str, token_file: Option<&str>, connection_file: Option<&str>) -> Destination {
        Destination {
            base: base.to_owned(),
            watchlist: None,
            token_file: token_file.map(PathBuf::from),
            connection_file: connection_file.map(PathBuf::from),
        }
    }

    #[test]
    fn file_names_of_servers_are_unique() {
        let bases = ["http://a.b:1", "http://a-b:1", "http://a_b:1", "http://a_2eb:1", "http://a:b1", "own"];
        let names: std::collections::BTreeSet<String> =
            bases.iter().map(|base| file_name(Some(base))).chain([file_name(None)]).collect();
        assert_eq!(names.len(), bases.len() + 1, "{names:?}");
        let is_plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(names.iter().all(is_plain), "{names:?}");
    }

    #[test]
    fn a_token_file_is_saved_for_its_server_only() {
        let folder = tempfile::tempdir().unwrap();
        let join = |destination| Joining::new(destination, read(folder.path()));
        let first = join(to("http://desk:1", Some("/a/token"), None));
        assert!(!first.needs_consent(), "the command line implies consent");
        assert_eq!(
            join(to("http://desk:1", None, None)).destination.token_file,
            None,
            "not saved before the welcome"
        );
        first.save().unwrap();
        let again = join(to("http://desk:1", None, None));
        assert_eq!(again.destination.token_file, Some("/a/token".into()));
        assert!(!again.needs_consent());
        assert_eq!(join(to("http://desk:2", None, None)).destination.token_file, None);
    }

    #[test]
    fn servers_that_are_joined_at_the_same_time_are_all_saved() {
        let folder = tempfile::tempdir().unwrap();
        let base = |number| format!("http://desk:{number}");
        std::thread::scope(|scope| {
            for number in 1..=16 {
                let joining = Joining::new(to(&base(number), Some("/a/token"), None), read(folder.path()));
                std::thread::Builder::new().spawn_scoped(scope, || joining.save().unwrap()).unwrap();
            }
        });
        let saved = read(folder.path());
        assert!((1..=16).all(|number| saved.token_file(&base(number)).is_some()), "{saved:?}");
    }

    #[test]
    fn a_connection_file_needs_consent_until_its_server_and_token_are_saved() {
        let folder = tempfile::tempdir().unwrap();
        let join = |base, token| {
            let destination = to(base, Some(token), Some("/a/desk.afterglow"));
            Joining::new(destination, read(folder.path()))
        };
        let first = join("http://desk:1", "/a/token");
        assert!(first.needs_consent());
        first.give_consent();
        assert!(first.consent().load(Ordering::Acquire));
        first.save().unwrap();
        assert!(!join("http://desk:1", "/a/token").needs_consent());
        assert!(join("http://desk:1", "/a/other").needs_consent(), "another token");
        assert!(join("http://desk:2", "/a/token").needs_consent(), "another server");
    }

    #[test]
    fn an_invalid_file_is_renamed_before_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let joining = Joining::new(to("http://desk:1", Some("/a/token"), None), read(folder.path()));
        joining.save().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("servers.json.unread")).unwrap(), "{");
        assert!(read(folder.path()).token_file("http://desk:1").is_some());
    }
}
