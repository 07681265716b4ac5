//! Runs the program as a separate process: to completion, or as a server until it is killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

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

pub struct Served {
    pub child: Child,
    pub address: String,
}

impl Served {
    pub fn start(data_dir: &Path) -> Self {
        let mut program = program();
        program.stderr(Stdio::null());
        Self::spawn(program, data_dir)
    }

    /// Starts a server with a program that takes the same flags as ours.
    pub fn spawn(mut program: Command, data_dir: &Path) -> Self {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir"];
        let mut child = program.args(arguments).arg(data_dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }
}

/// Returns a connected client of the server of a data folder.
pub async fn client_of(served: &Served, data_dir: &Path) -> Client {
    let token = std::fs::read_to_string(data_dir.join("local.token")).unwrap();
    let mut client = Client::to(&served.address, &token).await;
    client.greet().await;
    client
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
