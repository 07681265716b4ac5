//! A server process. The benchmarks of the server and the tests of the desktop use this file as well.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// A server process, which is killed on drop.
pub struct Served {
    pub child: Child,
    /// The address that it listens on, without its scheme.
    pub address: String,
}

impl Served {
    /// Starts a server of a data folder with `afterglow-server`, or with a program that takes the same flags,
    /// and waits until it listens.
    pub fn listen(mut program: Command, data_dir: &Path, listen: &str) -> Self {
        let arguments = ["serve", "--listen", listen, "--data-dir"];
        let mut child = program.args(arguments).arg(data_dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let address = first.trim_end().split_once("://").expect("it listens").1.to_owned();
        Self { child, address }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
