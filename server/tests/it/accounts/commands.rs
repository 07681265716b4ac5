//! The sub-commands about accounts, with and without a running server.

use std::{
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use crate::{
    http_calls::call,
    program::{Served, client_of, error_message, program, run, stdout},
};

const PASSWORD: &str = "harbour lamp forty";

/// Runs a sub-command that reads a password from stdin.
fn with_password(arguments: &[&str], password: &str, data_dir: &Path) -> Output {
    let mut command = program();
    command.args(arguments).arg("--data-dir").arg(data_dir);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn accounts_are_added_listed_and_changed_with_and_without_a_running_server() {
    for is_served in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let _server = is_served.then(|| Served::start(folder.path()));
        let ann = stdout(&with_password(&["user", "add", "ann"], PASSWORD, folder.path()));
        let bob = stdout(&with_password(&["user", "add", "bob", "--admin"], PASSWORD, folder.path()));
        let list = || stdout(&run(&["user", "list"], folder.path()));
        let line = |id: &str, rest: &str| format!("{}\t{rest}\n", id.trim_end());
        assert_eq!(list(), line(&ann, "ann\tuser\tactive") + &line(&bob, "bob\tadmin\tactive"));
        for (arguments, expected) in [
            (&["user", "disable", "ann"][..], "ann\tuser\tdisabled"),
            (&["user", "enable", "ann"], "ann\tuser\tactive"),
            (&["user", "admin", "ann"], "ann\tadmin\tactive"),
            (&["user", "admin", "ann", "--revoke"], "ann\tuser\tactive"),
        ] {
            assert_eq!(stdout(&run(arguments, folder.path())), "");
            assert!(list().starts_with(&line(&ann, expected)), "{arguments:?}: {}", list());
        }
        assert_eq!(
            stdout(&with_password(&["user", "passwd", "ann"], "quiet river ninety", folder.path())),
            ""
        );
        let log = stdout(&run(&["audit"], folder.path()));
        assert_eq!(log.lines().count(), 7, "{log}");
        assert!(!log.contains(PASSWORD) && log.contains("\"passwordChanged\""), "{log}");
    }
}

#[test]
fn tokens_are_shown_once_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let list = stdout(&run(
        &[
            "import",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/data/companies.csv"),
            "--name",
            "Companies",
        ],
        folder.path(),
    ));
    let add = [
        "token",
        "add",
        "--name",
        "feed",
        "--lists",
        list.trim_end(),
        "--ticks-only",
        "--columns",
        "price,volume",
        "--expires",
        "90d",
    ];
    let token = stdout(&run(&add, folder.path()));
    assert!(token.starts_with("ag_") && token.trim_end().len() == 67, "{token}");
    let listed = stdout(&run(&["token", "list"], folder.path()));
    let fields: Vec<&str> = listed.trim_end().split('\t').collect();
    assert_eq!((fields[1], fields[2]), ("feed", "ann"));
    assert_eq!(fields[3], format!("lists {}; ticks only; columns price,volume", list.trim_end()));
    assert!(!listed.contains(token.trim_end()) && fields[5] == "never", "{listed}");
    assert_eq!(stdout(&run(&["token", "revoke", "feed"], folder.path())), "");
    assert_eq!(stdout(&run(&["token", "list"], folder.path())), "");
}

#[test]
fn an_error_says_what_is_wrong_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    stdout(&with_password(&["user", "add", "ann"], PASSWORD, folder.path()));
    for (arguments, password, expected) in [
        (&["user", "add", "bob"][..], "short", "fewer than 8 characters"),
        (&["user", "add", "bob"], "password1", "guessed first"),
        (&["user", "add", "ANN"], PASSWORD, "is taken"),
        (&["user", "add", "a\u{202e}nn"], PASSWORD, "U+202E"),
        (&["user", "add", ""], PASSWORD, "empty"),
        (&["user", "passwd", "nobody"], PASSWORD, "no account \"nobody\""),
    ] {
        let error = error_message(&with_password(arguments, password, folder.path()));
        assert!(error.contains(expected) && !error.contains(password), "{error}");
    }
    for (arguments, expected) in [
        (&["user", "disable", "nobody"][..], "no account \"nobody\""),
        (&["token", "revoke", "nothing"], "no token \"nothing\""),
        (&["token", "add", "--name", "feed", "--user", "nobody"], "no account \"nobody\""),
    ] {
        let error = error_message(&run(arguments, folder.path()));
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(stdout(&run(&["user", "list"], folder.path())).lines().count(), 1);
    assert_eq!(
        run(&["token", "add", "--name", "x", "--expires", "soon"], folder.path()).status.code(),
        Some(2)
    );
    let missing = folder.path().join("missing");
    assert!(error_message(&run(&["user", "list"], &missing)).contains("no data folder"));
}

#[test]
fn a_changed_audit_log_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ann", "bob", "eve"] {
        stdout(&with_password(&["user", "add", name], PASSWORD, folder.path()));
    }
    assert!(run(&["audit"], folder.path()).status.success());
    let file = rusqlite::Connection::open(folder.path().join("accounts.sqlite")).unwrap();
    file.execute("DELETE FROM audit WHERE number = 2", []).unwrap();
    let error = error_message(&run(&["audit"], folder.path()));
    assert!(error.contains("broken at entry 2"), "{error}");
}

/// Whatever is logged, and however much, no secret is.
#[tokio::test(flavor = "multi_thread")]
async fn no_password_and_no_secret_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut server = program();
    server.env("AFTERGLOW_LOG", "trace").stderr(std::fs::File::create(&log).unwrap());
    let data = folder.path().join("data");
    let served = Served::spawn(server, &data);
    stdout(&with_password(&["user", "add", "ann"], PASSWORD, &data));
    let token = stdout(&run(&["token", "add", "--name", "feed", "--user", "ann"], &data));
    let url = |path: &str| format!("http://{}/api/v1/{path}", served.address);
    let body = |password: &str| serde_json::json!({ "name": "ann", "password": password });
    let (status, answer) = call("POST", url("session"), None, Some(body(PASSWORD))).await;
    assert_eq!(status, 200);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let session = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    let (status, _) = call("POST", url("session"), None, Some(body("another secret lamp"))).await;
    assert_eq!(status, 401);
    let bearer = format!("Bearer {}", token.trim());
    assert_eq!(call("GET", url("watchlists"), Some(bearer), None).await.0, 200);
    let listed = stdout(&run(&["token", "list"], &data));
    let last_used = listed.trim_end().split('\t').nth(5).unwrap();
    assert!(last_used.starts_with("20"), "the last use is kept: {listed}");
    let local = std::fs::read_to_string(data.join("local.token")).unwrap();
    drop(client_of(&served, &data).await);
    drop(served);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("listening"), "{text}");
    assert!(
        text.contains("there are no accounts") && text.contains("`afterglow-server user add NAME`"),
        "{text}"
    );
    for secret in [PASSWORD, "another secret lamp", token.trim(), &session, local.trim()] {
        assert!(!text.contains(secret), "{secret} is logged");
    }
    let stored = std::fs::read(data.join("accounts.sqlite")).unwrap();
    let wal = std::fs::read(data.join("accounts.sqlite-wal")).unwrap_or_default();
    for secret in [PASSWORD, "another secret lamp", token.trim(), &session] {
        let is_stored = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_stored(&stored) && !is_stored(&wal), "{secret} is stored");
    }
}

#[test]
fn several_accounts_are_added_with_a_line_of_stdin_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let passwords = format!("{PASSWORD}\nquiet river ninety");
    let ids = stdout(&with_password(&["user", "add", "ann", "bob"], &passwords, folder.path()));
    assert_eq!(ids.lines().count(), 2);
    let again = with_password(&["user", "add", "cem", "ann"], &passwords, folder.path());
    let message = error_message(&again);
    assert!(message.contains("the account \"ann\" was not added") && message.contains("taken"), "{message}");
    let list = stdout(&run(&["user", "list"], folder.path()));
    assert!(["ann", "bob", "cem"].iter().all(|name| list.contains(&format!("\t{name}\t"))), "{list}");
}

/// Restores a backup after a token was revoked, an account was disabled and another one was added.
#[test]
fn accounts_are_part_of_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.sqlite");
    let name = backup.to_str().unwrap();
    let served = Served::start(folder.path());
    stdout(&with_password(&["user", "add", "ann"], PASSWORD, folder.path()));
    let token = stdout(&run(&["token", "add", "--name", "feed"], folder.path()));
    let output = stdout(&run(&["backup", name], folder.path()));
    assert!(output.contains("backup.sqlite.accounts"), "{output}");
    let accounts = folder.path().join("backup.sqlite.accounts");
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&accounts.metadata().unwrap().permissions()) & 0o777,
        0o600
    );
    stdout(&run(&["user", "disable", "ann"], folder.path()));
    stdout(&with_password(&["user", "add", "bob"], PASSWORD, folder.path()));
    drop(served);
    let output = stdout(&run(&["restore", name], folder.path()));
    assert!(output.contains("everybody has to sign in again"), "{output}");
    let list = stdout(&run(&["user", "list"], folder.path()));
    assert!(list.contains("\tann\tuser\tactive") && !list.contains("bob"), "{list}");
    assert!(stdout(&run(&["token", "list"], folder.path())).contains("feed"), "{token}");
    assert!(stdout(&run(&["audit"], folder.path())).lines().count() >= 2, "the log of that time is whole");
    let replaced = folder.path().join("journal.sqlite.replaced-1");
    let path = replaced.to_str().unwrap();
    assert!(stdout(&run(&["check", path], folder.path())).contains("is undamaged"));
    stdout(&run(&["restore", path], folder.path()));
    let undone = stdout(&run(&["user", "list"], folder.path()));
    assert!(undone.contains("\tann\tuser\tdisabled") && undone.contains("\tbob\t"), "{undone}");
    assert!(stdout(&run(&["restore", name], folder.path())).contains("journal.sqlite.replaced-3"));
    assert_eq!(stdout(&run(&["user", "list"], folder.path())), list);

    std::fs::write(&accounts, "damaged").unwrap();
    for command in ["check", "restore"] {
        let message = error_message(&run(&[command, name], folder.path()));
        assert!(message.contains(".accounts is damaged"), "{command}: {message}");
    }
    assert_eq!(stdout(&run(&["user", "list"], folder.path())), list, "nothing was changed");
}

#[test]
fn a_certificate_is_created_with_a_connection_file_and_only_for_possible_names() {
    let folder = tempfile::tempdir().unwrap();
    let out = stdout(&run(&["tls", "self-signed", "--name", "desk.example,10.0.0.7"], folder.path()));
    assert!(out.contains("server = \"https://desk.example:7878\"\nca_fingerprint = \""), "{out}");
    for name in ["a b", "desk/x", "desk..example", "desk-"] {
        let message = error_message(&run(&["tls", "self-signed", "--name", name], folder.path()));
        assert!(message.contains("neither a host name nor an address"), "{name}: {message}");
    }
}

#[test]
fn a_token_cannot_be_named_like_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Served::start(folder.path());
    stdout(&with_password(&["user", "add", "bob"], PASSWORD, folder.path()));
    // The second name has a Cyrillic o, the third one turns the direction of the text.
    for name in ["bob", "b\u{43e}b", "feed\u{202e}bob", ""] {
        let refused = error_message(&run(&["token", "add", "--name", name], folder.path()));
        assert!(refused.contains("name"), "{name}: {refused}");
    }
    stdout(&run(&["token", "add", "--name", "bobs feed"], folder.path()));
}

#[test]
fn a_server_listens_beyond_its_machine_only_with_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let refused = error_message(&run(&["serve", "--listen", "0.0.0.0:0"], folder.path()));
    assert!(refused.contains("--tls-cert") && refused.contains("--insecure-lan"), "{refused}");
    let mut insecure = program();
    insecure.env("AFTERGLOW_INSECURE_LAN", "true").stderr(Stdio::null());
    assert!(Served::listen(insecure, folder.path(), "0.0.0.0:0").address.starts_with("0.0.0.0:"));
}
