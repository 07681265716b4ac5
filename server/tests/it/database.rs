//! A server whose journal is in PostgreSQL.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use server::{clock, tls::create_self_signed};

use crate::{
    postgres::{Postgres, postgres},
    program::{Served, client_of, error_message, program, run, stdout},
    support::{Client, PATIENCE, insert, skipped, wait_for},
};

/// Starts a server whose journal is in a database.
fn serve(url: &str, folder: &Path) -> Served {
    let mut program = program();
    program.env("AFTERGLOW_JOURNAL", url).stderr(Stdio::null());
    Served::spawn(program, folder)
}

/// Runs a command with the setting of a journal.
fn run_with(url: &str, arguments: &[&str], folder: &Path) -> Output {
    program().env("AFTERGLOW_JOURNAL", url).args(arguments).arg("--data-dir").arg(folder).output().unwrap()
}

/// Creates a watchlist with one row. Returns both ids.
async fn list_with_row(client: &mut Client) -> (String, String) {
    let list = client.create("Prices").await;
    client.open(&list).await;
    let (row, insert) = insert("80", json!({ "symbol": "MMM", "price": "1" }));
    client.edit_answered(&list, json!([insert])).await;
    (list, row)
}

fn price(row: &str, value: u64) -> Value {
    json!([{ "set": { "row": row, "column": "price", "value": value.to_string() } }])
}

#[tokio::test]
async fn watchlists_in_a_database_survive_the_death_of_the_server() {
    let Some(postgres) = postgres() else { return };
    let (url, folder) = (postgres.database().await, tempfile::tempdir().unwrap());
    let served = serve(&url, folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client).await;
    for value in 2..30 {
        assert_eq!(client.edit_answered(&list, price(&row, value)).await["revision"], value);
    }
    let conflicting = json!([{ "set": { "row": row, "column": "price", "value": "99", "was": "1" } }]);
    let rejected = client.edit_answered(&list, conflicting.clone()).await;
    assert_eq!((&rejected["code"], &rejected["current"]), (&json!("conflict"), &json!("29")));
    let (id, edit) = (client.id, client.edit);
    // Killed.
    drop((client, served));
    let served = serve(&url, folder.path());
    let mut client = Client { id, edit, ..Client::to(&served.address, &token(folder.path())).await };
    client.greet().await;
    let snapshot = client.open(&list).await;
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(29), &json!("29")));
    client.edit_answered(&list, price(&row, 30)).await;
    let again = json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": conflicting });
    client.send(&again).await;
    assert_eq!(client.answer(edit).await, rejected, "the first answer is kept");
    client.send(&json!({ "type": "history", "request": 1, "watchlist": list, "limit": 2 })).await;
    let history = client.expect("history").await;
    assert_eq!(history["commits"][0]["changes"][0]["set"]["was"], "29");
    assert!(!folder.path().join("journal.sqlite").exists());
}

fn token(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("local.token")).unwrap()
}

#[tokio::test]
async fn commands_use_the_database_of_the_data_folder_and_no_other_journal() {
    let Some(postgres) = postgres() else { return };
    let (url, folder) = (postgres.database().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("prices.csv");
    std::fs::write(&file, "Symbol,Price\nMMM,71.72\n").unwrap();
    let data = folder.path().join("data");
    let import = ["import", file.to_str().unwrap(), "--name", "Prices"];
    let id = stdout(&run_with(&url, &import, &data)).trim().to_owned();
    assert_eq!(stdout(&run_with(&url, &["list"], &data)), format!("{id}\tPrices\t1\n"));
    for arguments in [&["list"][..], &import] {
        let message = error_message(&run(arguments, &data));
        assert!(message.contains("name it with --journal"), "{arguments:?}: {message}");
    }
    let message = error_message(&run(&["check"], &data));
    assert!(message.contains("use pg_dump"), "{message}");
    let backup = folder.path().join("backup");
    let copied = run(&["backup", backup.to_str().unwrap()], &data);
    assert!(stdout(&copied).contains("which pg_dump copies") && !backup.exists());
    let own = folder.path().join("own");
    stdout(&run(&import, &own));
    let message = error_message(&run_with(&url, &["list"], &own));
    assert!(message.contains("has a journal of its own"), "{message}");
}

#[tokio::test]
async fn a_database_serves_one_server_at_a_time() {
    let Some(postgres) = postgres() else { return };
    let (url, first, second) =
        (postgres.database().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let served = serve(&url, first.path());
    let refused = error_message(&run_with(&url, &["list"], second.path()));
    assert!(refused.contains("another server uses the journal"), "{refused}");
    drop(served);
    // Its reservation ends with it.
    assert_eq!(stdout(&run_with(&url, &["list"], second.path())), "");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_named_and_left_as_it_is() {
    let Some(postgres) = postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let other = postgres.database().await;
    postgres.execute(&other, "CREATE SCHEMA afterglow; CREATE TABLE afterglow.things (id int)").await;
    let newer = postgres.database().await;
    stdout(&run_with(&newer, &["list"], folder.path()));
    postgres.execute(&newer, "UPDATE afterglow.meta SET version = 99").await;
    let missing = other.rsplit_once('/').unwrap().0.to_owned() + "/missing";
    let secret = |url: &str| url.replace("afterglow@", "afterglow:secret@");
    for (url, expected) in [
        (other, "that is no journal: name another database"),
        (newer, "was written by a newer version"),
        (missing, "database \"missing\" does not exist"),
        ("postgres://afterglow@127.0.0.1:1/x".to_owned(), "x at 127.0.0.1:1) cannot be reached"),
        ("mysql://afterglow@127.0.0.1/x".to_owned(), "the setting journal is no URL"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let message = error_message(&run_with(&secret(&url), &["list"], folder.path()));
        assert!(message.contains(expected) && !message.contains("secret"), "{url}: {message}");
        assert!(!folder.path().join("journal.place").exists(), "{url}");
    }
}

#[tokio::test]
async fn edits_go_on_after_a_restart_of_the_database_and_none_is_lost_or_made_twice() {
    let started = tokio::task::spawn_blocking(|| Postgres::start("restarted")).await.unwrap();
    let Some(mut postgres) = started else { return skipped("PostgreSQL (Debian: postgresql-15)") };
    let (url, folder) = (postgres.database().await, tempfile::tempdir().unwrap());
    let served = serve(&url, folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client).await;
    let mut accepted = 1;
    for round in 0..3 {
        for value in 0..20 {
            if value == 10 {
                postgres.stop();
                if round == 1 {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                postgres.start_again();
            }
            // The same edit until it is answered.
            let edit = client.edit + 1;
            client.edit = edit;
            let message = json!({
                "type": "edit", "watchlist": list, "edit": edit, "changes": price(&row, round * 100 + value)
            });
            let answer = wait_for("an answer", async || {
                client.send(&message).await;
                let answer = client.answer(edit).await;
                (answer["code"] != "unavailable").then_some(answer)
            });
            let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap();
            accepted += 1;
            assert_eq!(answer["revision"], accepted, "in round {round}");
        }
    }
    let mut other = client_of(&served, folder.path()).await;
    let snapshot = other.open(&list).await;
    assert_eq!((&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]), (&json!(61), &json!("219")));
}

#[tokio::test]
async fn edits_go_on_when_the_database_is_no_longer_read_only() {
    let Some(postgres) = postgres() else { return };
    let (url, folder) = (postgres.database().await, tempfile::tempdir().unwrap());
    let served = serve(&url, folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let (list, row) = list_with_row(&mut client).await;
    let name = url.rsplit_once('/').unwrap().1;
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    postgres.execute(&url, &read_only).await;
    let end_connections = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    postgres.execute(&url, end_connections).await;
    client.edit += 1;
    let edit = client.edit;
    let message = json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": price(&row, 2) });
    // Often enough that no connection from before is left.
    for _ in 0..10 {
        client.send(&message).await;
        assert_eq!(client.answer(edit).await["code"], "unavailable");
    }
    let writable =
        format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT");
    postgres.execute(&url, &writable).await;
    // Each connection that is still read-only fails once.
    let mut answer = Value::Null;
    for _ in 0..5 {
        client.send(&message).await;
        answer = client.answer(edit).await;
        if answer["code"] != "unavailable" {
            break;
        }
    }
    assert_eq!((&answer["type"], &answer["revision"]), (&json!("accepted"), &json!(2)));
}

#[tokio::test]
async fn a_connection_is_encrypted_and_the_database_verified() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = folder.path().join("tls");
    let created = create_self_signed(&certificates, &["localhost".to_owned()], (clock::system())()).unwrap();
    let files = (created.certificate.clone(), created.key.clone());
    let start = move || Postgres::start_with("encrypted", Some((&files.0, &files.1)));
    let Some(postgres) = tokio::task::spawn_blocking(start).await.unwrap() else {
        return skipped("PostgreSQL (Debian: postgresql-15)");
    };
    let plain = postgres.database().await;
    let (named, data) = (plain.replace("127.0.0.1", "localhost"), tempfile::tempdir().unwrap());
    let verified = format!("{named}?sslrootcert={}", created.authority.display());
    assert_eq!(stdout(&run_with(&verified, &["list"], data.path())), "");
    let other = tempfile::tempdir().unwrap();
    let refused = error_message(&run_with(&format!("{named}?sslmode=verify-full"), &["list"], other.path()));
    assert!(refused.contains("invalid peer certificate"), "the authority is unknown: {refused}");
    let missing = format!("{named}?sslrootcert=/nowhere.pem");
    let refused = error_message(&run_with(&missing, &["list"], other.path()));
    assert!(refused.contains("/nowhere.pem: No such file"), "{refused}");
    let address = verified.replace("localhost", "127.0.0.1");
    let refused = error_message(&run_with(&address, &["list"], other.path()));
    assert!(refused.contains("invalid peer certificate"), "it is of another name: {refused}");
}
