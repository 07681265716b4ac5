//! What a screen reader is told: a real client of AT-SPI reads the window over the accessibility bus.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    screen::Screen,
    support::{Process, desktop_with},
};

/// Where Debian has Python's modules for AT-SPI.
const PYTHON: &str = "/usr/bin/python3";
const BUS: &str = "/usr/libexec/at-spi-bus-launcher";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/assistive.py");

/// Returns whether an AT-SPI client can run. Panics if it is required.
fn has_tools() -> bool {
    let imports = Command::new(PYTHON).args(["-c", "import pyatspi"]).stderr(Stdio::null()).status();
    let has_daemon = Command::new("dbus-daemon").arg("--version").stdout(Stdio::null()).status().is_ok();
    let is_there = imports.is_ok_and(|status| status.success()) && has_daemon && Path::new(BUS).exists();
    if !is_there {
        let required = std::env::var_os("AFTERGLOW_REQUIRE_SERVICES").is_some();
        assert!(!required, "required and not installed: a client of AT-SPI");
        eprintln!("SKIPPED: no client of AT-SPI (Debian: at-spi2-core dbus python3-pyatspi)");
    }
    is_there
}

/// A session bus with an accessibility bus.
struct Session {
    address: String,
    _daemon: Process,
    _accessibility: Process,
}

impl Session {
    fn start(display: &str) -> Self {
        let mut daemon: Child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let accessibility = Command::new(BUS)
            .arg("--launch-immediately")
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .env("DISPLAY", display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { address, _daemon: daemon.into(), _accessibility: accessibility.into() }
    }

    /// Returns what a screen reader reads of the program, a line for each node.
    fn read(&self) -> Vec<String> {
        let output = Command::new(PYTHON)
            .args([SCRIPT, "afterglow"])
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_screen_reader_hears_each_cell_and_reads_the_bars_from_left_to_right() {
    let Some(screen) = Screen::open().filter(|_| has_tools()) else { return };
    let session = Session::start(screen.display());
    let folder = tempfile::tempdir().unwrap();
    let bus = [("DBUS_SESSION_BUS_ADDRESS", &*session.address)];
    let program = desktop_with(&screen, folder.path(), &[], &bus);
    screen.place(program.id(), [0, 0, 1_240, 700]);
    let read = session.read();
    let places = |line: &str| {
        read.iter().position(|found| found == line).unwrap_or_else(|| panic!("no {line}: {read:#?}"))
    };
    for line in [
        "frame: Companies \u{2013} Afterglow",
        "table: Companies",
        "table row: row MMM",
        "row header: Symbol, MMM, row MMM",
        "table cell: Price, 71.72, row MMM",
        "table cell: Change, \u{2212}0.48, row T",
        "table cell: Note, empty, row MMM",
    ] {
        places(line);
    }
    let bar = ["push button: Companies", "push button: Link windows", "push button: Settings"].map(places);
    assert!(bar.is_sorted(), "{read:#?}");
    assert!(places("label: 20 rows") < places("label: Revision 1"), "{read:#?}");
    let is_nameless = |line: &&String| {
        ["push button: ", "table cell: ", "table row: ", "column header: "].contains(&line.as_str())
    };
    // The row of the column headers is named by them.
    assert_eq!(read.iter().filter(is_nameless).collect::<Vec<_>>(), ["table row: "]);
}
