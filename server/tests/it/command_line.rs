//! The program itself: flags, outputs and exit codes.

use std::{net::TcpListener, process::Command};

use crate::program::{Served, client_of, program, run, sentence, stdout};

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
fn serve_says_where_and_ends_well_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Served::start(folder.path());
    assert!(server.address.starts_with("127.0.0.1:"));
    let pid = server.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = sentence(&run(&["serve", "--listen", &address], folder.path()));
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    let said = sentence(&run(&["serve", "--listen", "0.0.0.0:0"], folder.path()));
    assert!(said.contains("loopback"), "{said}");
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let said = sentence(&run(&["serve", "--listen", "127.0.0.1:0"], &file.join("below")));
    assert!(said.contains("--data-dir"), "{said}");
    let broken = folder.path().join("broken.csv");
    std::fs::write(&broken, "Symbol,Price\nMMM,71.72\nAA\n").unwrap();
    let said = sentence(&run(&["import", broken.to_str().unwrap(), "--name", "x"], folder.path()));
    assert!(said.contains("line 3"), "{said}");
    assert_eq!(stdout(&run(&["list"], folder.path())), "", "a broken file makes no watchlist");
    assert_eq!(program().arg("frolic").output().unwrap().status.code(), Some(2));
}

#[test]
fn a_journal_that_is_not_ours_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal.sqlite");
    std::fs::write(&journal, "my diary").unwrap();
    let said = sentence(&run(&["list"], folder.path()));
    assert!(said.contains("not a journal"), "{said}");
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), "my diary");
}

#[test]
fn a_journal_cut_short_is_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&run(&["import", COMPANIES, "--name", "Companies"], folder.path()));
    let journal = folder.path().join("journal.sqlite");
    let whole = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &whole[..whole.len() / 2]).unwrap();
    let said = sentence(&run(&["list"], folder.path()));
    assert!(said.contains("afterglow-server restore"), "{said}");
    std::fs::write(&journal, "").unwrap();
    for left in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        drop(std::fs::remove_file(folder.path().join(left)));
    }
    let said = sentence(&run(&["list"], folder.path()));
    assert!(said.contains("cut short"), "{said}");
    assert_eq!(std::fs::read(&journal).unwrap(), b"", "it is left as it is");
}

#[test]
fn a_folder_that_is_not_there_is_not_made_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let typo = folder.path().join("typo");
    assert!(sentence(&run(&["list"], &typo)).contains("no data folder"));
    assert!(!typo.exists());
}

#[test]
fn a_flag_counts_more_than_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let id = stdout(&run(&["import", COMPANIES, "--name", "Companies"], folder.path()));
    let listed = |ran: std::process::Output| stdout(&ran).contains(id.trim());
    let mut by_flag = program();
    by_flag.args(["list", "--data-dir"]).arg(folder.path()).env("AFTERGLOW_CONNECT", "http://127.0.0.1:1");
    assert!(listed(by_flag.output().unwrap()));
    let by_variable = program().arg("list").env("AFTERGLOW_DATA_DIR", folder.path()).output().unwrap();
    assert!(listed(by_variable));
    let odd = program().args(["list", "--connect", "127.0.0.1:1", "--token-file", "x"]).output().unwrap();
    assert!(sentence(&odd).contains("http://HOST:PORT"));
}

#[test]
fn two_servers_do_not_serve_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Served::start(folder.path());
    let said = sentence(&run(&["serve", "--listen", "127.0.0.1:0"], folder.path()));
    assert!(said.contains("served by another process"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn systemd_is_told_that_the_server_listens_and_a_deaf_one_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let mut told = program();
    told.env("NOTIFY_SOCKET", &path);
    let served = Served::spawn(told, &folder.path().join("told"));
    let mut said = [0; 64];
    let length = socket.recv(&mut said).unwrap();
    assert_eq!(&said[..length], b"READY=1\n");
    drop(served);
    let mut deaf = program();
    deaf.env("NOTIFY_SOCKET", folder.path().join("nobody"));
    let data_dir = folder.path().join("deaf");
    let served = Served::spawn(deaf, &data_dir);
    client_of(&served, &data_dir).await;
}

#[test]
fn a_data_folder_of_a_newer_version_is_left_alone_by_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("core.sqlite");
    let backup = backup.to_str().unwrap();
    let data_dir = folder.path().join("data");
    stdout(&run(&["import", COMPANIES, "--name", "Core"], &data_dir));
    stdout(&run(&["backup", backup], &data_dir));
    std::fs::write(data_dir.join("version"), "99").unwrap();
    let before = std::fs::read_dir(&data_dir).unwrap().count();
    for command in [&["serve"][..], &["list"], &["import", COMPANIES, "--name", "More"], &["check"]] {
        assert!(sentence(&run(command, &data_dir)).contains("a newer Afterglow (version 99 "), "{command:?}");
    }
    let other = folder.path().join("other.sqlite");
    for command in [&["backup", other.to_str().unwrap()][..], &["restore", backup]] {
        assert!(sentence(&run(command, &data_dir)).contains("a newer Afterglow (version 99 "), "{command:?}");
    }
    assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), before);
}
