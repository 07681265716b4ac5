//! The command line of `afterglow`.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind, parser::ValueSource};
use shared::address::address;

const CONNECTION_FILE: &str = "An .afterglow file is TOML: server = \"http://HOST:PORT\" and, where they are wanted, \
    token_file = \"NAME\" of a file beside it and watchlist = \"ID\".";

/// A shared watchlist: every window shows the same rows, and a row that somebody else changed glows and fades.
#[derive(Parser, Clone, Debug, Default)]
#[command(name = "afterglow", version, about, max_term_width = 100, after_help = CONNECTION_FILE)]
pub struct Args {
    /// An .afterglow file, or a link as afterglow://HOST:PORT/WATCHLIST: joins that server and shows that watchlist.
    /// The token's file is the one that the file names, or the one that the server was joined with before.
    #[arg(value_name = "FILE|LINK")]
    pub open: Option<OsString>,
    /// A server to join, as http://HOST:PORT; without it this user's own data folder is used.
    #[arg(long, env = "AFTERGLOW_CONNECT")]
    pub connect: Option<String>,
    /// The file with the token of the server that --connect names.
    #[arg(long, env = "AFTERGLOW_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Where this user's data are.
    #[arg(long, env = "AFTERGLOW_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How many windows to open; without it those that were open last.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub windows: Option<u16>,
    /// For administrators: where to ask, at the start and every day, whether there is a newer version. It answers
    /// with JSON: {"version": "1.2.3", "page": "https://..."}.
    #[arg(long, env = "AFTERGLOW_UPDATE_URL")]
    pub update_url: Option<String>,
}

impl Args {
    /// Reads a command line. A file or a link goes before the server that the environment names.
    ///
    /// # Errors
    /// What is wrong with it; also that help was asked for, or the version.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        if args.open.is_some() {
            for (name, flag) in [("connect", "--connect"), ("token_file", "--token-file")] {
                if matches.value_source(name) == Some(ValueSource::CommandLine) {
                    let why =
                        format!("{flag} cannot be used with a file or a link, which names the server itself");
                    return Err(command.error(ErrorKind::ArgumentConflict, why));
                }
            }
            (args.connect, args.token_file) = (None, None);
        }
        if args.connect.is_none() && matches.value_source("token_file") == Some(ValueSource::CommandLine) {
            let why = "--token-file is of the server that --connect names";
            return Err(command.error(ErrorKind::MissingRequiredArgument, why));
        }
        // A variable that is set to nothing says nothing.
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let connect = said(args.connect).map(|text| address(&text)).transpose();
        args.connect = connect.map_err(|why| command.error(ErrorKind::ValueValidation, why))?;
        args.update_url = said(args.update_url);
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
    fn a_file_or_a_link_names_the_server_alone() {
        let args = read(&["desk.afterglow"]).unwrap();
        assert_eq!((args.open, args.connect), (Some("desk.afterglow".into()), None));
        let said = read(&["afterglow://desk", "--connect", "http://other:1"]).unwrap_err();
        assert!(said.contains("--connect cannot be used with a file or a link"), "{said}");
        // What a link says is never read as more than a link.
        let said = read(&["--", "afterglow://desk", "--data-dir=/elsewhere"]).unwrap_err();
        assert!(said.contains("unexpected argument"), "{said}");
        let said = read(&["afterglow://desk", "--token-file", "x"]).unwrap_err();
        assert!(said.contains("--token-file cannot be used"), "{said}");
    }

    #[test]
    fn a_server_is_named_by_one_address() {
        let args = read(&["--connect", "HTTP://Desk:7878/", "--token-file", "x"]).unwrap();
        assert_eq!(args.connect.as_deref(), Some("http://desk:7878"));
        assert!(read(&["--connect", "desk:7878"]).unwrap_err().contains("http://HOST:PORT"));
    }
}
