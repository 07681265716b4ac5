//! Which server is joined, and which of its watchlists is shown: as the command line, an `.afterglow` file or an
//! `afterglow://` link says.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;
use shared::address::{address, address_of};
use shared::ids::WatchlistId;
use url::Url;

/// No sound connection file is as long, in bytes.
const LONGEST: u64 = 64 * 1024;
/// What stands in every link.
const SCHEME: &str = "afterglow:";
/// The port of a server whose link names none.
const PORT: u16 = 7878;

/// A server to join, and what to look at there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// Its address, as `http://HOST:PORT`.
    pub base: String,
    /// The watchlist to show first.
    pub watchlist: Option<WatchlistId>,
    /// The file with its token.
    pub token_file: Option<PathBuf>,
    /// The connection file that named the token's: somebody else may have written it.
    pub named_in: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionFile {
    server: Option<String>,
    watchlist: Option<String>,
    token_file: Option<String>,
}

impl Destination {
    /// Reads a link, or the file of this name or at this `file:` address. No token of the data folder is ever sent to
    /// whom a file names.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub fn read(named: &OsStr, data_dir: &Path) -> Result<Self, String> {
        let begins = |scheme: &str| {
            let start = named.to_str().and_then(|text| text.get(..scheme.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        match named.to_str() {
            Some(link) if begins(SCHEME) => Self::of_link(link),
            Some(link) if begins("file:") => {
                let path = Url::parse(link).ok().and_then(|url| url.to_file_path().ok());
                let path = path.ok_or_else(|| format!("{link} names no file on this machine."))?;
                Self::of_file(&path, data_dir)
            }
            _ => Self::of_file(Path::new(named), data_dir),
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
        let base = address_of(url.host_str(), url.port().unwrap_or(PORT));
        let base = base.ok_or_else(|| wrong("its host is no name and no address"))?;
        let path = url.path().strip_prefix('/').unwrap_or(url.path());
        let watchlist = match path.strip_suffix('/').unwrap_or(path) {
            "" => None,
            id => {
                Some(id.parse().map(WatchlistId).map_err(|_not_an_id| wrong("a watchlist's id is a UUID"))?)
            }
        };
        Ok(Self { base, watchlist, ..Self::default() })
    }

    /// TOML: `server = "http://HOST:PORT"`, and perhaps `watchlist`, and `token_file`, a file beside it.
    fn of_file(path: &Path, data_dir: &Path) -> Result<Self, String> {
        let wrong = |why: &str| no_connection(path, why);
        let table: toml::Table = read_text(path)?
            .parse()
            .map_err(|error: toml::de::Error| wrong(&error.message().replace('\n', " ")))?;
        if table.contains_key("token") {
            return Err(wrong(
                "it holds a token, which whoever is sent the file could use; it names a token's file (token_file) instead",
            ));
        }
        let file: ConnectionFile =
            table.try_into().map_err(|error: toml::de::Error| wrong(&error.message().replace('\n', " ")))?;
        let server =
            file.server.ok_or_else(|| wrong("it names no server, as server = \"http://HOST:PORT\""))?;
        let base = address(&server).map_err(|error| wrong(&error))?;
        let watchlist = file.watchlist.map(|id| id.parse().map(WatchlistId)).transpose();
        let watchlist = watchlist.map_err(|_not_an_id| wrong("its watchlist is not an id (a UUID)"))?;
        let token_file = file.token_file.as_deref().map(|name| beside(path, name, data_dir)).transpose();
        let token_file = token_file.map_err(|why| wrong(&why))?;
        let named_in = token_file.is_some().then(|| path.to_owned());
        Ok(Self { base, watchlist, token_file, named_in })
    }
}

fn no_connection(path: &Path, why: &str) -> String {
    format!("{} is no connection file of Afterglow: {why}.", path.display())
}

/// The text of a file that is no folder, no device and not too long.
fn read_text(path: &Path) -> Result<String, String> {
    let named = path.display();
    let wrong = |why: &str| no_connection(path, why);
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("There is no file {named}."),
        io::ErrorKind::InvalidData => wrong("it is not text"),
        _ => format!("{named} cannot be read: {error}."),
    };
    // Looked at before it is opened: opening a pipe waits for whoever writes into it.
    let file = fs::metadata(path).map_err(unreadable)?;
    if file.is_dir() {
        return Err(format!("{named} is a folder."));
    }
    if !file.is_file() {
        return Err(wrong("it is a device or a pipe"));
    }
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LONGEST { Err(wrong("it is too long")) } else { Ok(text) }
}

/// The token's file that a connection file names: one beside it, and none that could hold another secret.
fn beside(connection: &Path, name: &str, data_dir: &Path) -> Result<PathBuf, String> {
    let mut parts = Path::new(name).components();
    let is_plain =
        matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    if !is_plain {
        return Err("its token_file is not the plain name of a file beside it".to_owned());
    }
    let folder = std::path::absolute(connection).and_then(|path| match path.parent() {
        Some(folder) => fs::canonicalize(folder),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    let folder = folder.map_err(|error| format!("its folder cannot be found ({error})"))?;
    if fs::canonicalize(data_dir).is_ok_and(|data_dir| folder.starts_with(data_dir)) {
        return Err("it stands in the data folder, whose tokens are sent to nobody".to_owned());
    }
    let file = folder.join(name);
    match fs::symlink_metadata(&file) {
        Ok(found) if !found.is_file() => {
            Err("its token_file is no file, but a link, a folder or a device".to_owned())
        }
        Ok(_) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The name is not said: it may be the token, put there by mistake.
            Err("there is no file beside it of the name that token_file says".to_owned())
        }
        Err(error) => Err(format!("its token_file cannot be looked at: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "01a50000-0000-7000-8000-000000000001";

    fn read(named: impl AsRef<OsStr>) -> Result<Destination, String> {
        Destination::read(named.as_ref(), Path::new("/nowhere"))
    }

    #[test]
    fn a_link_names_a_server_and_a_watchlist() {
        let list = Some(WatchlistId(LIST.parse().unwrap()));
        for (link, base, watchlist) in [
            (format!("afterglow://desk.example:7000/{LIST}"), "http://desk.example:7000", list),
            (format!("AFTERGLOW://127.0.0.1/{LIST}"), "http://127.0.0.1:7878", list),
            ("afterglow://Desk:80".to_owned(), "http://desk:80", None),
            ("afterglow://[::1]:7000/".to_owned(), "http://[::1]:7000", None),
            ("afterglow://desk".to_owned(), "http://desk:7878", None),
        ] {
            let destination = Destination { base: base.to_owned(), watchlist, ..Destination::default() };
            assert_eq!(read(&link), Ok(destination), "{link}");
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
        let path = folder.path().join("a desk.afterglow");
        let text =
            format!("server = \"http://desk:7000\"\nwatchlist = \"{LIST}\"\ntoken_file = \"desk.token\"\n");
        fs::write(&path, text).unwrap();
        assert!(read(&path).unwrap_err().contains("there is no file beside it"));
        let token = fs::canonicalize(folder.path()).unwrap().join("desk.token");
        fs::write(&token, "secret").unwrap();
        let destination = read(&path).unwrap();
        assert_eq!(destination.base, "http://desk:7000");
        assert_eq!(destination.watchlist, Some(WatchlistId(LIST.parse().unwrap())));
        assert_eq!(
            (destination.token_file.as_ref(), destination.named_in.as_ref()),
            (Some(&token), Some(&path))
        );
        let address = Url::from_file_path(&path).unwrap().to_string();
        assert_eq!(read(address), Ok(destination), "as a desktop hands it over");
        assert!(read("file://elsewhere/desk.afterglow").is_err());
    }

    #[test]
    fn a_broken_file_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.afterglow");
        for (text, why) in [
            (&b"\xff\xfe"[..], "not text"),
            (b"server", "expected"),
            (b"", "names no server"),
            (b"server = 7", "invalid type"),
            (b"server = \"http://desk\"\ncolour = 1", "colour"),
            (b"server = \"http://desk\"\nwatchlist = \"x\"", "UUID"),
            (b"server = \"http://desk\"\ntoken = \"secret\"", "token_file"),
            (b"server = \"ftp://desk\"", "http://HOST:PORT"),
            (b"server = \"http://a:b@desk\"", "http://HOST:PORT"),
            (&[b'#'; 70_000], "too long"),
        ] {
            fs::write(&path, text).unwrap();
            let said = read(&path).unwrap_err();
            assert!(said.contains(why) && said.contains("broken.afterglow"), "{said}");
        }
        assert!(read(folder.path()).unwrap_err().ends_with("is a folder."));
        assert!(read("/nowhere/desk.afterglow").unwrap_err().starts_with("There is no file"));
        #[cfg(unix)]
        assert!(read("/dev/zero").unwrap_err().contains("a device or a pipe"));
    }

    #[test]
    fn a_file_of_a_stranger_can_name_no_other_secret() {
        let folder = tempfile::tempdir().unwrap();
        let (data_dir, downloads) = (folder.path().join("data"), folder.path().join("downloads"));
        fs::create_dir_all(downloads.join("deeper")).unwrap();
        fs::create_dir_all(&data_dir).unwrap();
        fs::write(data_dir.join("local.token"), "secret").unwrap();
        let refused = |folder: &Path, token_file: &str| {
            let path = folder.join("desk.afterglow");
            let text = format!("server = \"http://evil\"\ntoken_file = {token_file:?}\n");
            fs::write(&path, text).unwrap();
            Destination::read(path.as_os_str(), &data_dir).unwrap_err()
        };
        for name in ["../data/local.token", "/etc/passwd", "..", ".", "", "deeper/../x", "deeper/"] {
            let said = refused(&downloads, name);
            assert!(said.contains("not the plain name of a file beside it"), "{name}: {said}");
        }
        assert!(refused(&downloads, "deeper").contains("a link, a folder or a device"));
        assert!(refused(&data_dir, "local.token").contains("data folder"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(data_dir.join("local.token"), downloads.join("desk.token")).unwrap();
            assert!(refused(&downloads, "desk.token").contains("a link, a folder or a device"));
        }
    }
}
