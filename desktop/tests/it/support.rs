//! Helpers that start and stop the programs, and query a server over HTTP.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use server::client::Client;
use shared::ids::WatchlistId;

use crate::{
    screen::{Screen, wait_for},
    served::Served,
};

/// A process that is killed when dropped.
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills the process with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn wait(&mut self) {
        wait_for("the end of the process", || self.0.try_wait().unwrap());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

/// Starts the desktop on a screen.
pub fn desktop(screen: &Screen, data_dir: &Path, arguments: &[&str]) -> Process {
    desktop_with(screen, data_dir, arguments, &[])
}

/// Starts the desktop on a screen with environment variables.
pub fn desktop_with(
    screen: &Screen,
    data_dir: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_afterglow"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .env("DISPLAY", screen.display())
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .envs(variables.iter().copied())
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("AFTERGLOW_CONNECT")
        // Its warnings appear in the output of a failed test.
        .env("AFTERGLOW_LOG", "warn,winit=error,egui_winit=error,zbus=error")
        .spawn()
        .unwrap();
    Process(child)
}

/// Returns the path of the server's executable, next to the desktop's.
fn server_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_afterglow")).with_file_name("afterglow-server");
    assert!(program.exists(), "{} is not built: run `cargo test --workspace`", program.display());
    program
}

/// A server process on its own port.
pub struct ServerProcess {
    served: Served,
    pub base: String,
}

impl ServerProcess {
    /// Starts a server that listens on a free port (`127.0.0.1:0`) or on a given one.
    pub fn start(data_dir: &Path, listen: &str) -> Self {
        let mut program = Command::new(server_program());
        program.stderr(Stdio::null());
        let served = Served::listen(program, data_dir, listen);
        let base = format!("http://{}", served.address);
        Self { served, base }
    }

    pub fn address(&self) -> &str {
        &self.served.address
    }

    /// Stops the process with SIGSTOP, as a network that carries nothing would, or lets it go on.
    pub fn set_stopped(&self, is_stopped: bool) {
        let signal = if is_stopped { "-STOP" } else { "-CONT" };
        let ran = Command::new("kill").args([signal, &self.served.child.id().to_string()]).status();
        assert!(ran.unwrap().success());
    }

    /// Kills the process with SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        self.served.child.kill().unwrap();
        self.served.child.wait().unwrap();
    }
}

/// Imports the twenty companies into a new watchlist.
pub fn import_companies(data_dir: &Path) -> WatchlistId {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/data/companies.csv");
    let ran = Command::new(server_program())
        .args(["import", file, "--name", "Companies", "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    WatchlistId(String::from_utf8(ran.stdout).unwrap().trim().parse().unwrap())
}

/// Returns the price of a symbol on the server.
pub fn price_of(remote: &Client, watchlist: WatchlistId, symbol: &str) -> Option<String> {
    let csv = String::from_utf8(remote.csv(watchlist).ok()?).unwrap();
    let line = csv.lines().find(|line| line.split(',').next() == Some(symbol))?;
    // No field before the price contains a comma.
    line.split(',').nth(2).map(str::to_owned)
}

/// Returns the revision of a watchlist.
pub fn revision_of(remote: &Client, watchlist: WatchlistId) -> u64 {
    let list = remote.list().unwrap().list;
    list.iter().find(|summary| summary.watchlist == watchlist).unwrap().revision.0
}
