//! The `afterglow` program: parses the command line and runs the desktop.

#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use desktop::{app, args::Args};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let quiet = "info,egui_winit=error,winit=error,ewebsock=warn,zbus=error";
    let filter = EnvFilter::try_from_env("AFTERGLOW_LOG").unwrap_or_else(|_unset| EnvFilter::new(quiet));
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            print_clap_error(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match app::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints an error of the command line, or the help or version that it requests.
fn print_clap_error(error: &clap::Error) {
    // A closed stdout is not an error.
    drop(error.print());
    #[cfg(windows)]
    show_message_box(&error.render().to_string());
}

/// Prints why the program ends.
fn print_error(why: &str) {
    eprintln!("afterglow: {why}");
    #[cfg(windows)]
    show_message_box(why);
}

/// Shows a text in a message box, because the program has no console on Windows.
#[cfg(windows)]
fn show_message_box(text: &str) {
    let level = rfd::MessageLevel::Info;
    rfd::MessageDialog::new().set_level(level).set_title("Afterglow").set_description(text).show();
}
