//! The server's program; see `afterglow-server --help`.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;
use server::cli::{Cli, printable, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter =
        EnvFilter::try_from_env("AFTERGLOW_LOG").unwrap_or_else(|_unset| EnvFilter::new(cli.log_filter()));
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("afterglow-server: {}", printable(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
