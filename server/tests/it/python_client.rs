//! An independent client in another language, written against the JSON protocol alone.

use std::process::Command;

use crate::support::{TestServer, skipped};

/// Returns a Python interpreter that has the package `websockets`.
fn python() -> Option<&'static str> {
    let has = |python: &&str| {
        let found = Command::new(python).args(["-c", "import websockets"]).output();
        found.is_ok_and(|found| found.status.success())
    };
    ["/usr/bin/python3", "python3"].into_iter().find(has)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_opens_edits_gets_a_conflict_and_resumes() {
    let Some(python) = python() else {
        return skipped("a Python with the package `websockets` (Debian: python3-websockets)");
    };
    let server = TestServer::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/client.py");
    let (base, token) = (server.base().replace("http", "ws"), server.running.token().to_owned());
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(python).args([script, &base, &token]).output().unwrap()
    });
    let ran = ran.await.unwrap();
    assert!(
        ran.status.success(),
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim_end(), "resumed at 2");
}
