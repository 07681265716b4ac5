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
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            say_of_arguments(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match app::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says what was wrong with the command line, or what it asks for.
fn say_of_arguments(error: &clap::Error) {
    // Help and the version go to stdout, if anybody has it.
    drop(error.print());
    #[cfg(windows)]
    show(&error.render().to_string());
}

/// Says why the program ends.
fn say(why: &str) {
    eprintln!("afterglow: {why}");
    #[cfg(windows)]
    show(why);
}

/// On Windows the program has no console to say it on.
#[cfg(windows)]
fn show(text: &str) {
    let level = rfd::MessageLevel::Info;
    rfd::MessageDialog::new().set_level(level).set_title("Afterglow").set_description(text).show();
}
