//! Which server is joined, and which of its watchlists is shown: as the command line, an `.afterglow` file or an
//! `afterglow://` link says.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use shared::ids::WatchlistId;
use url::{Host, Url};
use uuid::Uuid;

/// The port of a server whose link names none.
const PORT: u16 = 7878;
/// No sound connection file is as long.
const LONGEST: u64 = 64 * 1024;
/// What stands in every link.
const SCHEME: &str = "afterglow:";
/// The token files of servers that were joined before, in the data folder.
const KNOWN: &str = "servers.json";

/// A server to join, and what to look at there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Its address, as `http://HOST:PORT`.
    pub base: String,
    /// The watchlist to show first.
    pub watchlist: Option<WatchlistId>,
    /// The file with its token.
    pub token_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionFile {
    server: String,
    watchlist: Option<Uuid>,
    token_file: Option<PathBuf>,
}

impl Destination {
    /// Reads a link, or the file of this name.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn read(named: &OsStr) -> Result<Self, String> {
        match named.to_str() {
            Some(link)
                if link.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME)) =>
            {
                Self::of_link(link)
            }
            _ => Self::of_file(Path::new(named)),
        }
    }

    /// `afterglow://HOST[:PORT][/WATCHLIST]`, and nothing beside it: a link may come from anywhere.
    fn of_link(link: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "This link is no connection: {why}. It is afterglow://HOST:PORT/WATCHLIST, with the watchlist's id."
            )
        };
        let url = Url::parse(link).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a name or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("something stands behind the watchlist"));
        }
        let base =
            base(url.host_str(), url.port()).ok_or_else(|| wrong("its host is no name and no address"))?;
        let watchlist = match url.path().trim_start_matches('/') {
            "" => None,
            id => {
                Some(id.parse().map(WatchlistId).map_err(|_not_an_id| wrong("a watchlist's id is a UUID"))?)
            }
        };
        Ok(Self { base, watchlist, token_file: None })
    }

    /// TOML: `server = "http://HOST:PORT"`, and perhaps `watchlist` and `token_file`, which may be relative to it.
    fn of_file(path: &Path) -> Result<Self, String> {
        let named = path.display();
        let wrong = |why: &str| format!("{named} is no connection file of Afterglow: {why}.");
        let text = match fs::metadata(path) {
            Ok(file) if file.is_dir() => return Err(format!("{named} is a folder.")),
            Ok(file) if file.len() > LONGEST => return Err(wrong("it is too long")),
            _ => fs::read_to_string(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!("There is no file {named}."),
                io::ErrorKind::InvalidData => wrong("it is not text"),
                _ => format!("{named} cannot be read: {error}."),
            })?,
        };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message()))?;
        if table.contains_key("token") {
            return Err(wrong(
                "it holds a token, which whoever is sent the file could use; it names a token's file (token_file) instead",
            ));
        }
        let file: ConnectionFile =
            table.try_into().map_err(|error: toml::de::Error| wrong(error.message()))?;
        let server = Url::parse(&file.server).ok().filter(|url| url.scheme() == "http");
        let plain = server.as_ref().filter(|url| {
            url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.path() == "/"
        });
        let base = plain.and_then(|url| base(url.host_str(), url.port().or(Some(80))));
        let base = base.ok_or_else(|| wrong("its server is not written as http://HOST:PORT"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            base,
            watchlist: file.watchlist.map(WatchlistId),
            token_file: file.token_file.map(|token_file| folder.join(token_file)),
        })
    }

    /// Finds the token's file where none is named, if the server was joined with one before; one that is named is
    /// remembered. A token so goes to the server that it was meant for and to no other.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn find_token(&mut self, data_dir: &Path) -> io::Result<()> {
        let path = data_dir.join(KNOWN);
        let mut known: BTreeMap<String, PathBuf> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        match &self.token_file {
            None => self.token_file = known.get(&self.base).cloned(),
            Some(named) => {
                let whole = std::path::absolute(named)?;
                if known.get(&self.base) != Some(&whole) {
                    known.insert(self.base.clone(), whole);
                    let new = path.with_extension("json.new");
                    fs::write(&new, serde_json::to_vec_pretty(&known)?)?;
                    fs::rename(new, path)?;
                }
            }
        }
        Ok(())
    }
}

/// The address of a server, where the host is one: a name, or an address of four or six.
fn base(host: Option<&str>, port: Option<u16>) -> Option<String> {
    // Hosts of schemes that browsers do not know are taken as they stand: they are looked at here.
    let host = Host::parse(host?).ok()?;
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_sound = match &host {
        Host::Domain(name) => name.split('.').all(is_label),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    };
    is_sound.then(|| format!("http://{host}:{}", port.unwrap_or(PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "01a50000-0000-7000-8000-000000000001";

    fn read(named: &str) -> Result<Destination, String> {
        Destination::read(OsStr::new(named))
    }

    #[test]
    fn a_link_names_a_server_and_a_watchlist() {
        let list = Some(WatchlistId(LIST.parse().unwrap()));
        for (link, base, watchlist) in [
            (format!("afterglow://desk.example:7000/{LIST}"), "http://desk.example:7000", list),
            (format!("AFTERGLOW://127.0.0.1/{LIST}"), "http://127.0.0.1:7878", list),
            ("afterglow://[::1]:7000/".to_owned(), "http://[::1]:7000", None),
            ("afterglow://desk".to_owned(), "http://desk:7878", None),
        ] {
            let connection = Destination { base: base.to_owned(), watchlist, token_file: None };
            assert_eq!(read(&link), Ok(connection), "{link}");
        }
    }

    #[test]
    fn a_hostile_link_is_refused_with_the_reason() {
        for (link, why) in [
            ("afterglow:", "host"),
            ("afterglow:///etc/passwd", "host"),
            ("afterglow://me:secret@desk/", "a name or a password"),
            ("afterglow://desk%2Fevil/", "host"),
            ("afterglow://desk$(reboot)/", "host"),
            ("afterglow://-oProxyCommand=x/", "host"),
            ("afterglow://desk:99999/", "port"),
            ("afterglow://desk/../../etc/passwd", "a UUID"),
            ("afterglow://desk/01a5?token=x", "behind the watchlist"),
            ("afterglow://desk/#x", "behind the watchlist"),
        ] {
            let said = read(link).unwrap_err();
            assert!(said.contains(why) && said.contains("afterglow://HOST:PORT/WATCHLIST"), "{link}: {said}");
        }
    }

    #[test]
    fn a_file_names_a_server_and_the_file_of_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("desk.afterglow");
        let text =
            format!("server = \"http://desk:7000\"\nwatchlist = \"{LIST}\"\ntoken_file = \"desk.token\"\n");
        fs::write(&path, text).unwrap();
        let connection = Destination::read(path.as_os_str()).unwrap();
        assert_eq!(connection.base, "http://desk:7000");
        assert_eq!(connection.watchlist, Some(WatchlistId(LIST.parse().unwrap())));
        assert_eq!(connection.token_file, Some(folder.path().join("desk.token")));
    }

    #[test]
    fn a_broken_file_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.afterglow");
        for (text, why) in [
            (&b"\xff\xfe"[..], "not text"),
            (b"server", "expected"),
            (b"", "missing field `server`"),
            (b"server = 7", "invalid type"),
            (b"server = \"http://desk\"\ncolour = 1", "colour"),
            (b"server = \"http://desk\"\nwatchlist = \"x\"", "UUID"),
            (b"server = \"http://desk\"\ntoken = \"secret\"", "token_file"),
            (b"server = \"ftp://desk\"", "http://HOST:PORT"),
            (b"server = \"http://a:b@desk\"", "http://HOST:PORT"),
            (&[b'#'; 70_000], "too long"),
        ] {
            fs::write(&path, text).unwrap();
            let said = Destination::read(path.as_os_str()).unwrap_err();
            assert!(said.contains(why) && said.contains("broken.afterglow"), "{said}");
        }
        let said = Destination::read(folder.path().as_os_str()).unwrap_err();
        assert!(said.ends_with("is a folder."), "{said}");
        assert!(read("/nowhere/desk.afterglow").unwrap_err().starts_with("There is no file"));
    }

    #[test]
    fn a_servers_token_file_is_found_again_for_it_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let to = |base: &str, token_file: Option<&str>| {
            let token_file = token_file.map(PathBuf::from);
            Destination { base: base.to_owned(), watchlist: None, token_file }
        };
        let known = |mut destination: Destination| {
            destination.find_token(folder.path()).unwrap();
            destination.token_file
        };
        assert_eq!(known(to("http://desk:1", None)), None);
        assert_eq!(known(to("http://desk:1", Some("/a/token"))), Some("/a/token".into()));
        assert_eq!(known(to("http://desk:1", None)), Some("/a/token".into()));
        assert_eq!(known(to("http://desk:2", None)), None);
        fs::write(folder.path().join(KNOWN), "{").unwrap();
        assert_eq!(known(to("http://desk:1", None)), None, "what cannot be read is not used");
    }
}
