//! The command line of `afterglow`.

use std::path::PathBuf;

use clap::Parser;

/// A shared watchlist: every window shows the same rows, and a row that somebody else changed glows and fades.
#[derive(Parser, Clone, Debug, Default)]
#[command(name = "afterglow", version, about, max_term_width = 100)]
pub struct Args {
    /// A server to join, as http://HOST:PORT; without it this user's own data folder is used.
    #[arg(long, env = "AFTERGLOW_CONNECT")]
    pub connect: Option<String>,
    /// The file with the server's token.
    #[arg(long, env = "AFTERGLOW_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Where this user's data are.
    #[arg(long, env = "AFTERGLOW_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How many windows to open; without it those that were open last.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub windows: Option<u16>,
}
