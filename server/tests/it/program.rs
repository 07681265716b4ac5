//! Runs the program as a separate process: to completion, or as a server until it is killed.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

pub use crate::served::Served;
use crate::support::Client;

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterglow-server"));
    command.env("USER", "ann").env_remove("AFTERGLOW_DATA_DIR").env_remove("AFTERGLOW_LISTEN");
    command
}

pub fn run(arguments: &[&str], data_dir: &Path) -> Output {
    program().args(arguments).arg("--data-dir").arg(data_dir).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the error message on stderr, below the logs, of a program that exited with code 1.
pub fn error_message(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr.lines().filter(|line| line.starts_with("afterglow-server: ")).collect()
}

impl Served {
    /// Starts a server on a free port.
    pub fn start(data_dir: &Path) -> Self {
        let mut program = program();
        program.stderr(Stdio::null());
        Self::spawn(program, data_dir)
    }

    /// Starts a server on a free port with a program that takes the same flags as ours.
    pub fn spawn(program: Command, data_dir: &Path) -> Self {
        Self::listen(program, data_dir, "127.0.0.1:0")
    }
}

/// Returns a connected client of the server of a data folder.
pub async fn client_of(served: &Served, data_dir: &Path) -> Client {
    let token = std::fs::read_to_string(data_dir.join("local.token")).unwrap();
    let mut client = Client::to(&served.address, &token).await;
    client.greet().await;
    client
}
