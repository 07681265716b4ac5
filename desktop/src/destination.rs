//! The server to join and the watchlist to show there, from the command line, an `.afterglow` file or an
//! `afterglow://` link.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;
use shared::{
    address::{ENCRYPTED, PLAIN, Parts, address, address_for_host},
    ids::WatchlistId,
};
use url::Url;

use crate::remote::Fingerprint;

/// Maximum size of a connection file in bytes.
const MAX_LENGTH: u64 = 64 * 1024;
/// Scheme of every link.
const SCHEME: &str = "afterglow:";
/// Default port of a link.
const DEFAULT_PORT: u16 = 7878;

/// A server to join, and the watchlist to show first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Address of the server, as `https://HOST:PORT`.
    pub base: String,
    /// The watchlist to show first.
    pub watchlist: Option<WatchlistId>,
    /// File with the server's token.
    pub token_file: Option<PathBuf>,
    /// File with more authorities that the server's certificate may be from.
    pub ca_file: Option<PathBuf>,
    /// Fingerprint of the only authority that the server's certificate may be from.
    pub fingerprint: Option<Fingerprint>,
    /// Who named the server.
    pub origin: Origin,
}

/// Who named a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The person.
    #[default]
    Person,
    /// A link, which any web page may contain.
    Link,
    /// A connection file, which someone else may have written.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionFile {
    server: Option<String>,
    watchlist: Option<String>,
    token_file: Option<String>,
    ca_fingerprint: Option<String>,
}

impl Destination {
    /// Reads a link, a `file:` address or a file name. A connection file cannot name a token in the data
    /// folder.
    ///
    /// # Errors
    /// A sentence that says why the argument is invalid.
    pub fn read(argument: &OsStr, data_dir: &Path) -> Result<Self, String> {
        let has_scheme = |scheme: &str| {
            let start = argument.to_str().and_then(|text| text.get(..scheme.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        match argument.to_str() {
            Some(link) if has_scheme(SCHEME) => Self::from_link(link),
            Some(link) if has_scheme("file:") => {
                let path = Url::parse(link).ok().and_then(|url| url.to_file_path().ok());
                let path = path.ok_or_else(|| format!("{link} is not a file on this machine."))?;
                Self::from_file(&path, data_dir)
            }
            _ => Self::from_file(Path::new(argument), data_dir),
        }
    }

    /// Parses `afterglow://HOST[:PORT][/WATCHLIST]` and rejects anything else, because links are untrusted.
    fn from_link(link: &str) -> Result<Self, String> {
        let invalid = |why: &str| {
            format!(
                "Invalid Afterglow link: {why}. Use afterglow://HOST:PORT/WATCHLIST with the id of the \
                 watchlist."
            )
        };
        let url = Url::parse(link).map_err(|error| invalid(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it contains a user name or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            let from = url.as_str().find(['?', '#']).unwrap_or_default();
            return Err(invalid(&format!(
                "unexpected text after the watchlist id: {}",
                &url.as_str()[from..]
            )));
        }
        let of_scheme = |scheme| address_for_host(scheme, url.host_str(), url.port().unwrap_or(DEFAULT_PORT));
        let plain = of_scheme(PLAIN).ok_or_else(|| invalid("the host is neither a name nor an address"))?;
        // A server on another machine is reached over TLS.
        let is_near = Parts::of(&plain).is_ok_and(|parts| parts.is_loopback());
        let base = if is_near { plain } else { of_scheme(ENCRYPTED).unwrap_or(plain) };
        let path = url.path().strip_prefix('/').unwrap_or(url.path());
        let watchlist = match path.strip_suffix('/').unwrap_or(path) {
            "" => None,
            id => Some(
                id.parse()
                    .map(WatchlistId)
                    .map_err(|_not_an_id| invalid("the watchlist's id is not a UUID"))?,
            ),
        };
        Ok(Self { base, watchlist, origin: Origin::Link, ..Self::default() })
    }

    /// Parses a TOML file with `server = "https://HOST:PORT"` and optionally `watchlist`, `token_file`, the
    /// name of a file in the same folder, and `ca_fingerprint`, the SHA-256 of the certificate of the
    /// server's authority.
    fn from_file(path: &Path, data_dir: &Path) -> Result<Self, String> {
        let invalid = |why: &str| invalid_file(path, why);
        let table: toml::Table = read_text(path)?
            .parse()
            .map_err(|error: toml::de::Error| invalid(&error.message().replace('\n', " ")))?;
        if table.contains_key("token") {
            return Err(invalid(
                "it contains a token, which anyone who receives the file could use; name a file with token_file instead",
            ));
        }
        let file: ConnectionFile = table
            .try_into()
            .map_err(|error: toml::de::Error| invalid(&error.message().replace('\n', " ")))?;
        let server = file
            .server
            .ok_or_else(|| invalid("the server is missing; add server = \"https://HOST:PORT\""))?;
        let base = address(&server).map_err(|error| invalid(&error))?;
        let watchlist = file.watchlist.map(|id| id.parse().map(WatchlistId)).transpose();
        let watchlist = watchlist.map_err(|_not_an_id| invalid("the watchlist is not a UUID"))?;
        let token_file =
            file.token_file.as_deref().map(|name| resolve_token_file(path, name, data_dir)).transpose();
        let token_file = token_file.map_err(|why| invalid(&why))?;
        let fingerprint = file.ca_fingerprint.map(|text| text.parse()).transpose();
        let fingerprint: Option<Fingerprint> = fingerprint.map_err(|why: String| invalid(&why))?;
        if fingerprint.is_some() && !Parts::of(&base).is_ok_and(|parts| parts.is_encrypted) {
            return Err(invalid("ca_fingerprint needs a server that begins with https://"));
        }
        let origin = Origin::File(path.to_owned());
        Ok(Self { base, watchlist, token_file, ca_file: None, fingerprint, origin })
    }
}

fn invalid_file(path: &Path, why: &str) -> String {
    format!("{} is not a valid connection file: {why}.", path.display())
}

/// Reads a regular file of at most [`MAX_LENGTH`] bytes.
fn read_text(path: &Path) -> Result<String, String> {
    let name = path.display();
    let invalid = |why: &str| invalid_file(path, why);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} does not exist."),
        io::ErrorKind::InvalidData => invalid("it is not UTF-8 text"),
        _ => format!("Cannot read {name}: {error}."),
    };
    // Checked before opening, because opening a pipe blocks until it has a writer.
    let file = fs::metadata(path).map_err(unreadable)?;
    if file.is_dir() {
        return Err(format!("{name} is a folder."));
    }
    if !file.is_file() {
        return Err(invalid("it is a device or a pipe"));
    }
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_LENGTH + 1).read_to_string(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > MAX_LENGTH { Err(invalid("it is larger than 64 KiB")) } else { Ok(text) }
}

/// Resolves the `token_file` of a connection file. It must be in the same folder and outside the data folder,
/// so that an untrusted file cannot point to another secret.
fn resolve_token_file(connection: &Path, name: &str, data_dir: &Path) -> Result<PathBuf, String> {
    let mut parts = Path::new(name).components();
    let is_plain =
        matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if !is_plain {
        return Err("token_file must be the plain name of a file in the same folder".to_owned());
    }
    let folder = std::path::absolute(connection).and_then(|path| match path.parent() {
        Some(folder) => fs::canonicalize(folder),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    let folder = folder.map_err(|error| format!("its folder cannot be resolved ({error})"))?;
    if fs::canonicalize(data_dir).is_ok_and(|data_dir| folder.starts_with(data_dir)) {
        return Err("it is in the data folder, whose tokens are never sent to other servers".to_owned());
    }
    let file = folder.join(name);
    match fs::symlink_metadata(&file) {
        Ok(found) if !found.is_file() => {
            Err("token_file is a link, a folder or a device instead of a regular file".to_owned())
        }
        Ok(_) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Omits the name, which may be the token itself, entered by mistake.
            Err("the file named by token_file does not exist in the same folder".to_owned())
        }
        Err(error) => Err(format!("token_file cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "01a50000-0000-7000-8000-000000000001";

    fn read(argument: impl AsRef<OsStr>) -> Result<Destination, String> {
        Destination::read(argument.as_ref(), Path::new("/nowhere"))
    }

    #[test]
    fn a_link_names_a_server_and_a_watchlist() {
        let list = Some(WatchlistId(LIST.parse().unwrap()));
        for (link, base, watchlist) in [
            (format!("afterglow://desk.example:7000/{LIST}"), "https://desk.example:7000", list),
            (format!("AFTERGLOW://127.0.0.1/{LIST}"), "http://127.0.0.1:7878", list),
            ("afterglow://Desk:80".to_owned(), "https://desk:80", None),
            ("afterglow://[::1]:7000/".to_owned(), "http://[::1]:7000", None),
            ("afterglow://desk".to_owned(), "https://desk:7878", None),
        ] {
            let base = base.to_owned();
            let destination = Destination { base, watchlist, origin: Origin::Link, ..Destination::default() };
            assert_eq!(read(&link), Ok(destination), "{link}");
        }
    }

    #[test]
    fn a_hostile_link_is_rejected_with_the_reason() {
        for (link, why) in [
            ("afterglow:", "host"),
            ("afterglow:///etc/passwd", "host"),
            ("afterglow://me:secret@desk/", "a user name or a password"),
            ("afterglow://desk%2Fevil/", "host"),
            ("afterglow://desk$(reboot)/", "host"),
            ("afterglow://-oProxyCommand=x/", "host"),
            ("afterglow://desk:99999/", "port"),
            ("afterglow://desk/../../etc/passwd", "not a UUID"),
            ("afterglow://desk/01a5?token=x", "after the watchlist"),
            ("afterglow://desk/#x", "after the watchlist"),
        ] {
            let error = read(link).unwrap_err();
            assert!(
                error.contains(why) && error.contains("afterglow://HOST:PORT/WATCHLIST"),
                "{link}: {error}"
            );
        }
    }

    #[test]
    fn a_file_names_a_server_and_its_token_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a desk.afterglow");
        let text =
            format!("server = \"http://desk:7000\"\nwatchlist = \"{LIST}\"\ntoken_file = \"desk.token\"\n");
        fs::write(&path, text).unwrap();
        assert!(read(&path).unwrap_err().contains("does not exist in the same folder"));
        let token = fs::canonicalize(folder.path()).unwrap().join("desk.token");
        fs::write(&token, "secret").unwrap();
        let destination = read(&path).unwrap();
        assert_eq!(destination.base, "http://desk:7000");
        assert_eq!(destination.watchlist, Some(WatchlistId(LIST.parse().unwrap())));
        assert_eq!(
            (destination.token_file.as_ref(), &destination.origin),
            (Some(&token), &Origin::File(path.clone()))
        );
        let address = Url::from_file_path(&path).unwrap().to_string();
        assert_eq!(read(address), Ok(destination), "a file address, as file managers pass it");
        assert!(read("file://elsewhere/desk.afterglow").is_err());
    }

    #[test]
    fn a_broken_file_is_rejected_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.afterglow");
        for (text, why) in [
            (&b"\xff\xfe"[..], "not UTF-8 text"),
            (b"server", "expected"),
            (b"", "server is missing"),
            (b"server = 7", "invalid type"),
            (b"server = \"http://desk\"\ncolour = 1", "colour"),
            (b"server = \"http://desk\"\nwatchlist = \"x\"", "UUID"),
            (b"server = \"http://desk\"\ntoken = \"secret\"", "token_file"),
            (b"server = \"ftp://desk\"", "https://HOST:PORT"),
            (b"server = \"http://a:b@desk\"", "https://HOST:PORT"),
            (b"server = \"https://desk\"\nca_fingerprint = \"ab\"", "64 hexadecimal digits"),
            (&[b'#'; 70_000], "larger than 64 KiB"),
        ] {
            fs::write(&path, text).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.contains(why) && error.contains("broken.afterglow"), "{error}");
        }
        assert!(read(folder.path()).unwrap_err().ends_with("is a folder."));
        assert_eq!(read("/nowhere/desk.afterglow").unwrap_err(), "/nowhere/desk.afterglow does not exist.");
        #[cfg(unix)]
        assert!(read("/dev/zero").unwrap_err().contains("a device or a pipe"));
    }

    #[test]
    fn an_untrusted_file_cannot_name_another_secret() {
        let folder = tempfile::tempdir().unwrap();
        let (data_dir, downloads) = (folder.path().join("data"), folder.path().join("downloads"));
        fs::create_dir_all(downloads.join("deeper")).unwrap();
        fs::create_dir_all(&data_dir).unwrap();
        fs::write(data_dir.join("local.token"), "secret").unwrap();
        let error_of = |folder: &Path, token_file: &str| {
            let path = folder.join("desk.afterglow");
            let text = format!("server = \"http://evil\"\ntoken_file = {token_file:?}\n");
            fs::write(&path, text).unwrap();
            Destination::read(path.as_os_str(), &data_dir).unwrap_err()
        };
        for name in ["../data/local.token", "/etc/passwd", "..", ".", "", "deeper/../x", "deeper/"] {
            let error = error_of(&downloads, name);
            assert!(error.contains("plain name of a file in the same folder"), "{name}: {error}");
        }
        assert!(error_of(&downloads, "deeper").contains("a link, a folder or a device"));
        assert!(error_of(&data_dir, "local.token").contains("data folder"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(data_dir.join("local.token"), downloads.join("desk.token")).unwrap();
            assert!(error_of(&downloads, "desk.token").contains("a link, a folder or a device"));
        }
    }
}
