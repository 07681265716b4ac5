//! Tests of the command line: flags, output and exit codes.

use std::{net::TcpListener, process::Command};

use crate::program::{Served, client_of, error_message, program, run, stdout};

const COMPANIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/data/companies.csv");

#[test]
fn import_list_and_export_work_with_and_without_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    for served in [false, true] {
        let _server = served.then(|| Served::start(folder.path()));
        let id = stdout(&run(&["import", COMPANIES, "--name", "Companies"], folder.path()));
        let id = id.trim_end();
        let listed = stdout(&run(&["list"], folder.path()));
        assert!(listed.lines().any(|line| line == format!("{id}\tCompanies\t20")), "{listed}");
        let csv = stdout(&run(&["export", id, "--format", "csv"], folder.path()));
        assert_eq!(csv.lines().count(), 21);
        assert!(csv.contains("\nMMM,3m Co,71.72,0.02,0.03,"), "{csv}");
    }
}

#[cfg(unix)]
#[test]
fn serve_prints_its_address_and_exits_cleanly_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Served::start(folder.path());
    assert!(server.address.starts_with("127.0.0.1:"));
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn names_are_printed_without_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("list.csv");
    std::fs::write(&csv, "symbol\nMMM\n").unwrap();
    let data = folder.path().join("data");
    let imported = run(&["import", "--name", "a\u{1b}[31mb\tc", csv.to_str().unwrap()], &data);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let listed = stdout(&run(&["list"], &data));
    assert_eq!(listed.split('\t').nth(1), Some("a [31mb c"));
}

#[test]
fn errors_are_reported_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let output = error_message(&run(&["serve", "--listen", &address], folder.path()));
    assert!(output.contains(&address) && output.contains("--listen"), "{output}");
    let output = error_message(&run(&["serve", "--listen", "0.0.0.0:0"], folder.path()));
    assert!(output.contains("loopback"), "{output}");
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let output = error_message(&run(&["serve", "--listen", "127.0.0.1:0"], &file.join("below")));
    assert!(output.contains("--data-dir"), "{output}");
    let broken = folder.path().join("broken.csv");
    std::fs::write(&broken, "Symbol,Price\nMMM,71.72\nAA\n").unwrap();
    let output = error_message(&run(&["import", broken.to_str().unwrap(), "--name", "x"], folder.path()));
    assert!(output.contains("line 3"), "{output}");
    assert_eq!(stdout(&run(&["list"], folder.path())), "", "an invalid file does not create a watchlist");
    assert_eq!(program().arg("frolic").output().unwrap().status.code(), Some(2));
}

#[test]
fn a_file_that_is_not_a_journal_is_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    std::fs::write(&journal, "my diary").unwrap();
    let output = error_message(&run(&["list"], folder.path()));
    assert!(output.contains("not a journal"), "{output}");
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), "my diary");
}

#[test]
fn a_truncated_journal_is_rejected_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(&["import", COMPANIES, "--name", "Companies"], folder.path()));
    let journal = folder.path().join("journal.sqlite");
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &whole[..whole.len() / 2]).unwrap();
    let output = error_message(&run(&["list"], folder.path()));
    assert!(output.contains("afterglow-server restore"), "{output}");
    std::fs::write(&journal, "").unwrap();
    for leftover in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        drop(std::fs::remove_file(folder.path().join(leftover)));
    }
    let output = error_message(&run(&["list"], folder.path()));
    assert!(output.contains("truncated"), "{output}");
    assert_eq!(std::fs::read(&journal).unwrap(), b"", "it is left unchanged");
}

#[test]
fn list_does_not_create_a_missing_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let typo = folder.path().join("typo");
    assert!(error_message(&run(&["list"], &typo)).contains("no data folder"));
    assert!(!typo.exists());
}

#[test]
fn a_flag_overrides_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let id = stdout(&run(&["import", COMPANIES, "--name", "Companies"], folder.path()));
    let listed = |ran: std::process::Output| stdout(&ran).contains(id.trim());
    let mut by_flag = program();
    by_flag.args(["list", "--data-dir"]).arg(folder.path()).env("AFTERGLOW_CONNECT", "http://127.0.0.1:1");
    assert!(listed(by_flag.output().unwrap()));
    let by_variable = program().arg("list").env("AFTERGLOW_DATA_DIR", folder.path()).output().unwrap();
    assert!(listed(by_variable));
    let invalid = program().args(["list", "--connect", "127.0.0.1:1", "--token-file", "x"]).output().unwrap();
    assert!(error_message(&invalid).contains("http://HOST:PORT"));
}

#[test]
fn two_servers_cannot_serve_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Served::start(folder.path());
    let output = error_message(&run(&["serve", "--listen", "127.0.0.1:0"], folder.path()));
    assert!(output.contains("served by another process"), "{output}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn systemd_is_notified_and_a_missing_socket_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let mut notifying = program();
    notifying.env("NOTIFY_SOCKET", &path);
    let served = Served::spawn(notifying, &folder.path().join("notifying"));
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1\n");
    drop(served);
    let mut unheard = program();
    unheard.env("NOTIFY_SOCKET", folder.path().join("missing"));
    let data_dir = folder.path().join("unheard");
    let served = Served::spawn(unheard, &data_dir);
    client_of(&served, &data_dir).await;
}

#[test]
fn every_command_leaves_a_newer_data_folder_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("core.sqlite");
    let backup = backup.to_str().unwrap();
    let data_dir = folder.path().join("data");
    stdout(&run(&["import", COMPANIES, "--name", "Core"], &data_dir));
    stdout(&run(&["backup", backup], &data_dir));
    std::fs::write(data_dir.join("version"), "99").unwrap();
    let before = std::fs::read_dir(&data_dir).unwrap().count();
    for command in [&["serve"][..], &["list"], &["import", COMPANIES, "--name", "More"], &["check"]] {
        assert!(
            error_message(&run(command, &data_dir)).contains("a newer Afterglow (version 99 "),
            "{command:?}"
        );
    }
    let other = folder.path().join("other.sqlite");
    for command in [&["backup", other.to_str().unwrap()][..], &["restore", backup]] {
        assert!(
            error_message(&run(command, &data_dir)).contains("a newer Afterglow (version 99 "),
            "{command:?}"
        );
    }
    assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), before);
}
