//! The command line of `afterglow`.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind, parser::ValueSource};
use shared::address::address;

const CONNECTION_FILE: &str = "An .afterglow file is TOML: server = \"https://HOST:PORT\" and optionally \
    watchlist = \"ID\", ca_fingerprint = \"SHA-256 of the certificate of the server's authority\", and token_file = \"NAME\", a \
    file in the same folder.";

/// A shared watchlist: every window shows the same rows, and a row changed by someone else glows and fades.
#[derive(Parser, Clone, Debug, Default)]
#[command(name = "afterglow", version, about, max_term_width = 100, after_help = CONNECTION_FILE)]
pub struct Args {
    /// An .afterglow file or an afterglow://HOST:PORT/WATCHLIST link with the server to join and the
    /// watchlist to show. A token is read from the file that it names, or from the one last used with that
    /// server; without one you sign in.
    #[arg(value_name = "FILE|LINK")]
    pub open: Option<OsString>,
    /// Server to join, as https://HOST:PORT. Default: use the local data folder.
    #[arg(long, env = "AFTERGLOW_CONNECT")]
    pub connect: Option<String>,
    /// File with the token for the server of --connect. Default: sign in with a name and a password.
    #[arg(long, env = "AFTERGLOW_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the certificates of authorities, as PEM, that are trusted for the server besides those of
    /// the system.
    #[arg(long, value_name = "FILE", env = "AFTERGLOW_CA")]
    pub ca: Option<PathBuf>,
    /// Folder with this user's data.
    #[arg(long, env = "AFTERGLOW_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Number of windows to open. Default: restore the last windows.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub windows: Option<u16>,
    /// For administrators: address to check for a newer version at the start and every day. It answers with
    /// JSON: {"version": "1.2.3", "page": "https://..."}.
    #[arg(long, env = "AFTERGLOW_UPDATE_URL")]
    pub update_url: Option<String>,
}

impl Args {
    /// Parses a command line. A file or a link overrides the server from the environment.
    ///
    /// # Errors
    /// The command line is invalid, or requests the help or the version.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        if args.open.is_some() {
            for (name, flag) in [("connect", "--connect"), ("token_file", "--token-file")] {
                if matches.value_source(name) == Some(ValueSource::CommandLine) {
                    let why = format!(
                        "{flag} cannot be used with a file or a link, which already names the server"
                    );
                    return Err(command.error(ErrorKind::ArgumentConflict, why));
                }
            }
            (args.connect, args.token_file) = (None, None);
        }
        if args.connect.is_none() && matches.value_source("token_file") == Some(ValueSource::CommandLine) {
            let why = "--token-file requires --connect";
            return Err(command.error(ErrorKind::MissingRequiredArgument, why));
        }
        // An empty environment variable counts as unset.
        let non_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
        let connect = non_empty(args.connect).map(|text| address(&text)).transpose();
        args.connect = connect.map_err(|why| command.error(ErrorKind::ValueValidation, why))?;
        args.update_url = non_empty(args.update_url);
        args.ca = args.ca.filter(|path| !path.as_os_str().is_empty());
        args.data_dir = args.data_dir.filter(|path| !path.as_os_str().is_empty());
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Args, String> {
        let arguments = ["afterglow"].iter().chain(arguments).map(OsString::from);
        Args::read(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_or_a_link_excludes_connect_and_token_file() {
        let args = read(&["desk.afterglow"]).unwrap();
        assert_eq!((args.open, args.connect), (Some("desk.afterglow".into()), None));
        let error = read(&["afterglow://desk", "--connect", "http://other:1"]).unwrap_err();
        assert!(error.contains("--connect cannot be used with a file or a link"), "{error}");
        // Text after a link is never parsed as an option.
        let error = read(&["--", "afterglow://desk", "--data-dir=/elsewhere"]).unwrap_err();
        assert!(error.contains("unexpected argument"), "{error}");
        let error = read(&["afterglow://desk", "--token-file", "x"]).unwrap_err();
        assert!(error.contains("--token-file cannot be used"), "{error}");
    }

    #[test]
    fn a_server_address_is_normalized_and_needs_a_scheme() {
        let args = read(&["--connect", "HTTP://Desk:7878/", "--token-file", "x"]).unwrap();
        assert_eq!(args.connect.as_deref(), Some("http://desk:7878"));
        assert!(read(&["--connect", "desk:7878"]).unwrap_err().contains("https://HOST:PORT"));
    }
}
