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

use serde::{Deserialize, Serialize};
use shared::ids::UserId;

use crate::{
    destination::{Destination, Origin},
    files::WriteFile,
    remote::{Fingerprint, Trust},
};

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

/// What is known of a server that was joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Known {
    /// File with a token. Without one the person signs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// File with more authorities that its certificate may be from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Fingerprint of the authority that its certificate is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The account that was last signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<KnownAccount>,
}

/// An account that was signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownAccount {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// Whether the system's password store has its session.
    pub stays: bool,
}

/// An entry of the file. Earlier versions wrote the token file only.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    TokenFile(PathBuf),
    Known(Known),
}

impl From<Entry> for Known {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::TokenFile(token_file) => Self { token_file: Some(token_file), ..Self::default() },
            Entry::Known(known) => known,
        }
    }
}

/// The servers that were joined. A token is sent to another server only with the person's consent.
#[derive(Debug)]
pub struct Servers {
    path: PathBuf,
    known: BTreeMap<String, Known>,
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
        let read = fs::read(&path).map(|bytes| serde_json::from_slice::<BTreeMap<String, Entry>>(&bytes));
        let (known, is_invalid) = match read {
            Ok(Ok(entries)) => {
                (entries.into_iter().map(|(base, entry)| (base, entry.into())).collect(), false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (BTreeMap::new(), false),
            Ok(Err(_)) | Err(_) => (BTreeMap::new(), true),
        };
        Self { path, known, is_invalid, write_file }
    }

    /// Returns what is known of a server.
    pub fn known(&self, base: &str) -> Option<&Known> {
        self.known.get(base)
    }

    /// Returns the addresses of the servers that were joined.
    pub fn bases(&self) -> Vec<String> {
        self.known.keys().cloned().collect()
    }

    /// Changes what is known of a server, and saves it atomically. An invalid file is renamed first.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn change(&mut self, base: &str, change: impl FnOnce(&mut Known)) -> io::Result<()> {
        // Locked, because other processes may join servers at the same time.
        let lock = File::create(self.path.with_extension("lock"))?;
        lock.lock()?;
        *self = Self::read_file(self.path.clone(), self.write_file);
        let before = self.known.get(base).cloned();
        let known = self.known.entry(base.to_owned()).or_default();
        change(known);
        if before.as_ref() == Some(known) {
            return Ok(());
        }
        if std::mem::take(&mut self.is_invalid) {
            fs::rename(&self.path, self.path.with_extension("json.unread"))?;
        }
        (self.write_file)(&self.path, &serde_json::to_vec_pretty(&self.known)?)
    }
}

/// A server that is being joined.
#[derive(Debug)]
pub struct Joining {
    servers: Servers,
    /// Destination, with the token file and the authorities in use.
    pub destination: Destination,
    /// Whether a server of this address was joined before.
    pub is_known: bool,
    /// Whether the destination names another authority than the one that the server was joined with.
    pub changes_authority: bool,
    has_consent: Arc<AtomicBool>,
    /// Whether the server has accepted this client.
    is_saved: bool,
}

impl Joining {
    /// Creates it with the destination's token file and authorities, or else those that the server was joined
    /// with before.
    pub fn new(mut destination: Destination, servers: Servers) -> Self {
        let known = servers.known(&destination.base).cloned();
        let is_known = known.is_some();
        let known = known.unwrap_or_default();
        let is_known_token = destination.token_file.is_none() || destination.token_file == known.token_file;
        let changes_authority =
            is_known && destination.fingerprint.is_some() && destination.fingerprint != known.fingerprint;
        // What the person has named needs no question.
        let has_consent =
            destination.origin == Origin::Person || (is_known && is_known_token && !changes_authority);
        destination.token_file = destination.token_file.or(known.token_file);
        if destination.fingerprint.is_none() && destination.ca_file.is_none() {
            (destination.fingerprint, destination.ca_file) = (known.fingerprint, known.ca_file);
        }
        let has_consent = Arc::new(AtomicBool::new(has_consent));
        Self { servers, destination, is_known, changes_authority, has_consent, is_saved: false }
    }

    /// Returns the account that was last signed in to the server, if the person signs in there.
    pub fn account(&self) -> Option<&KnownAccount> {
        self.servers.known(&self.destination.base)?.account.as_ref()
    }

    /// Returns the authorities that the server's certificate may be from.
    pub fn trust(&self) -> Trust {
        let Destination { ca_file, fingerprint, .. } = &self.destination;
        Trust { ca_file: ca_file.clone(), fingerprint: *fingerprint }
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

    /// Saves the server with its token file and authorities once, after the server's welcome.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn save(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.is_saved, true) {
            return Ok(());
        }
        let Destination { base, token_file, ca_file, fingerprint, .. } = &self.destination;
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(std::path::absolute).transpose();
        let (token_file, ca_file, fingerprint) = (absolute(token_file)?, absolute(ca_file)?, *fingerprint);
        self.servers
            .change(base, |known| *known = Known { token_file, ca_file, fingerprint, ..known.clone() })
    }

    /// Saves which account is signed in; `None` after the person has signed out.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn save_account(&mut self, account: Option<KnownAccount>) -> io::Result<()> {
        self.servers.change(&self.destination.base, |known| known.account = account)
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
            token_file: token_file.map(PathBuf::from),
            origin: connection_file.map_or(Origin::Person, |file| Origin::File(file.into())),
            ..Destination::default()
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
        let mut first = join(to("http://desk:1", Some("/a/token"), None));
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
                let mut joining =
                    Joining::new(to(&base(number), Some("/a/token"), None), read(folder.path()));
                std::thread::Builder::new().spawn_scoped(scope, move || joining.save().unwrap()).unwrap();
            }
        });
        let saved = read(folder.path());
        assert!((1..=16).all(|number| saved.known(&base(number)).is_some()), "{saved:?}");
    }

    #[test]
    fn a_connection_file_needs_consent_until_its_server_and_token_are_saved() {
        let folder = tempfile::tempdir().unwrap();
        let join = |base, token| {
            let destination = to(base, Some(token), Some("/a/desk.afterglow"));
            Joining::new(destination, read(folder.path()))
        };
        let mut first = join("http://desk:1", "/a/token");
        assert!(first.needs_consent());
        first.give_consent();
        assert!(first.consent().load(Ordering::Acquire));
        first.save().unwrap();
        assert!(!join("http://desk:1", "/a/token").needs_consent());
        assert!(join("http://desk:1", "/a/other").needs_consent(), "another token");
        assert!(join("http://desk:2", "/a/token").needs_consent(), "another server");
    }

    #[test]
    fn a_link_or_a_file_needs_consent_for_a_server_that_was_not_joined() {
        let folder = tempfile::tempdir().unwrap();
        let fingerprint = |byte: &str| Some(byte.repeat(32).parse().unwrap());
        let join = |origin, fingerprint| {
            let base = "https://desk:1".to_owned();
            let destination = Destination { base, fingerprint, origin, ..Destination::default() };
            Joining::new(destination, read(folder.path()))
        };
        let file = || Origin::File("/a/desk.afterglow".into());
        for origin in [Origin::Link, file()] {
            assert!(join(origin, None).needs_consent(), "an unknown server");
        }
        assert!(!join(Origin::Person, None).needs_consent());
        join(file(), fingerprint("ab")).save().unwrap();
        assert!(!join(Origin::Link, None).needs_consent(), "joined before");
        assert!(!join(file(), fingerprint("ab")).needs_consent(), "the same authority");
        let other = join(file(), fingerprint("cd"));
        assert!(other.needs_consent() && other.changes_authority, "another authority");
        assert_eq!(join(Origin::Person, None).trust().fingerprint, fingerprint("ab"));
    }

    #[test]
    fn an_invalid_file_is_renamed_before_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{").unwrap();
        let mut joining = Joining::new(to("http://desk:1", Some("/a/token"), None), read(folder.path()));
        joining.save().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("servers.json.unread")).unwrap(), "{");
        assert!(read(folder.path()).known("http://desk:1").is_some());
    }

    #[test]
    fn a_file_of_an_earlier_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"http://desk:1\": \"/a/token\"}").unwrap();
        let known = Known { token_file: Some("/a/token".into()), ..Known::default() };
        assert_eq!(read(folder.path()).known("http://desk:1"), Some(&known));
    }

    #[test]
    fn the_account_is_kept_with_the_server_until_the_person_signs_out() {
        let folder = tempfile::tempdir().unwrap();
        let join = || Joining::new(to("https://desk:1", None, None), read(folder.path()));
        let account =
            KnownAccount { id: UserId(uuid::Uuid::from_u128(7)), name: "ann".to_owned(), stays: true };
        let mut joining = join();
        joining.save().unwrap();
        joining.save_account(Some(account.clone())).unwrap();
        assert_eq!(join().account(), Some(&account));
        joining.save_account(None).unwrap();
        assert_eq!(join().account(), None);
        assert_eq!(read(folder.path()).bases(), ["https://desk:1"]);
    }
}
