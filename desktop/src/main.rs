//! The desktop's program; see `afterglow --help`.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use desktop::{app, args::Args};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let quiet = "info,egui_winit=error,winit=error,ewebsock=warn,sqlx=warn,zbus=error";
    let filter = EnvFilter::try_from_env("AFTERGLOW_LOG").unwrap_or_else(|_unset| EnvFilter::new(quiet));
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
    let args = Args::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match app::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says why the program ends.
#[cfg(not(windows))]
fn say(why: &str) {
    eprintln!("afterglow: {why}");
}

/// Says why the program ends: it has no console to say it on.
#[cfg(windows)]
fn say(why: &str) {
    eprintln!("afterglow: {why}");
    rfd::MessageDialog::new()
        .set_level(rfd::MessageLevel::Error)
        .set_title("Afterglow")
        .set_description(why)
        .show();
}
