//! A client that does not read costs the others nothing, and the server only bounded memory.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::settings::Settings;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    program::{Served, client_of, program},
    support::{Client, PATIENCE, TestServer, insert},
};

/// Number of rows that the feed changes.
const ROWS: usize = 200;
/// Changes in each edit of the feed, which sends one every [`PAUSE`]: 5,000 changes a second.
const CHANGES: usize = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// Returns the resident memory of a process in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Starts a server with a client that has a new watchlist open.
async fn start() -> (TempDir, Served, Client, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = program();
    server.stderr(Stdio::null());
    let served = Served::spawn(server, folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let list = client.create("List").await;
    client.open(&list).await;
    (folder, served, client, list)
}

/// Returns a client with a small receive buffer in the kernel.
async fn client_with_small_buffer(served: &Served, data_dir: &Path) -> Client {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let stream = socket.connect(served.address.parse().unwrap()).await.unwrap();
    let token = std::fs::read_to_string(data_dir.join("local.token")).unwrap();
    Client::over(stream, &served.address, &token).await
}

/// Sends an edit of the feed. Each changes the rows after those of the previous one.
async fn publish(client: &mut Client, list: &str, rows: &[String], round: usize, changes: usize) {
    let set = |index: usize| {
        let row = &rows[(round * changes + index) % ROWS];
        json!({ "set": { "row": row, "column": "price", "value": format!("{round}.{index:03}") } })
    };
    let answer = client.edit_answered(list, (0..changes).map(set).collect()).await;
    assert_eq!(answer["type"], "accepted", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_costs_bounded_memory_and_catches_up_once_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    // The silent client must not be disconnected here; another test covers that.
    let mut server = program();
    server.env("AFTERGLOW_SILENCE_SECONDS", "600").stderr(Stdio::null());
    let served = Served::spawn(server, folder.path());
    let mut publisher = client_of(&served, folder.path()).await;
    let list = publisher.create("Feed").await;
    publisher.open(&list).await;
    let (rows, inserts): (Vec<String>, Vec<Value>) =
        (0..ROWS).map(|index| insert(&format!("{:04x}80", index + 1), json!({ "price": "0" }))).unzip();
    publisher.edit_answered(&list, json!(inserts)).await;
    let mut silent = client_with_small_buffer(&served, folder.path()).await;
    silent.greet().await;
    silent.open(&list).await;
    // Fill the bounded buffers first: the newest commits and SQLite's page cache.
    let mut round = 0;
    while round < 150 {
        publish(&mut publisher, &list, &rows, round, 500).await;
        round += 1;
    }
    let before = resident(served.child.id());
    let fed = Instant::now();
    while fed.elapsed() < Duration::from_secs(6) {
        publish(&mut publisher, &list, &rows, round, CHANGES).await;
        round += 1;
        tokio::time::sleep(PAUSE).await;
    }
    let growth = resident(served.child.id()).saturating_sub(before);
    // The benchmark measures the exact amount; here it must be far less than what was sent.
    assert!(growth < 8 * 1024, "the server grew by {growth} KiB");

    let truth = publisher.open(&list).await;
    assert!(round > 300, "the feed continued: {round} edits");
    let (started, head) = (Instant::now(), truth["revision"].as_u64().unwrap());
    let mut cells = std::collections::BTreeMap::new();
    let mut at = 0;
    let mut messages = 0;
    while at < head {
        let message = silent.next().await.expect("it is still connected");
        // A client that missed more than the size of the watchlist gets a snapshot instead.
        if message["type"] == "snapshot" {
            at = message["revision"].as_u64().unwrap();
            for row in message["rows"].as_array().unwrap() {
                cells.insert(row["row"].to_string(), row["cells"]["price"].clone());
            }
        }
        if message["type"] == "changes" {
            at = message["to"].as_u64().unwrap();
            let commits = message["commits"].as_array().unwrap().iter();
            let changes = commits.flat_map(|commit| commit["changes"].as_array().unwrap());
            for set in changes.filter_map(|change| change.get("set")) {
                cells.insert(set["row"].to_string(), set["value"].clone());
            }
        }
        messages += 1;
    }
    assert!(started.elapsed() < PATIENCE, "caught up after {:?}", started.elapsed());
    assert!(messages < round / 10, "{messages} messages for {round} edits");
    for row in truth["rows"].as_array().unwrap() {
        assert_eq!(cells.get(&row["row"].to_string()), Some(&row["cells"]["price"]));
    }
}

/// Histories are asked for over sockets and over HTTP, and not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_that_are_not_read_cost_bounded_memory_and_keep_no_other_from_reading() {
    let (folder, served, mut reader, list) = start().await;
    for edit in 0..8_u64 {
        let note = "x".repeat(4_000);
        let inserts: Vec<Value> = (0..200)
            .map(|row| insert(&format!("{:04x}80", edit * 200 + row + 1), json!({ "note": note })).1)
            .collect();
        assert_eq!(reader.edit_answered(&list, json!(inserts)).await["type"], "accepted");
    }
    let request = json!({ "type": "history", "request": 1, "watchlist": list, "limit": 1_000 });
    reader.send(&request).await;
    let page = reader.expect("history").await;
    let before = resident(served.child.id());
    let mut silent = Vec::new();
    for _ in 0..16 {
        let mut client = client_with_small_buffer(&served, folder.path()).await;
        client.greet().await;
        for _ in 0..20 {
            client.send(&request).await;
        }
        silent.push(client);
    }
    let mut calls = Vec::new();
    for _ in 0..16 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        let mut stream = socket.connect(served.address.parse().unwrap()).await.unwrap();
        let token = std::fs::read_to_string(folder.path().join("local.token")).unwrap();
        let head = format!(
            "GET /api/v1/watchlists/{list}/history?limit=1000 HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\r\n",
            served.address
        );
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        calls.push(stream);
    }
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        let growth = resident(served.child.id()).saturating_sub(before);
        assert!(growth < 48 * 1024, "the server grew by {growth} KiB");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Those who hold what this one waits for are disconnected.
    reader.send(&request).await;
    assert_eq!(reader.expect("history").await, page);
    drop((silent, calls));
}

#[tokio::test]
async fn a_flood_of_edits_is_throttled_and_not_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let mut client = client_of(&served, folder.path()).await;
    let list = client.create("Flood").await;
    client.open(&list).await;
    let (row, first) = insert("80", json!({ "price": "0" }));
    client.edit_answered(&list, json!([first])).await;
    let started = Instant::now();
    let (mut sender, mut receiver) = client.socket.split();
    let sending = tokio::spawn(async move {
        for edit in 2..=800_u32 {
            let changes = json!([{ "set": { "row": row, "column": "price", "value": edit.to_string() } }]);
            let edit = json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": changes });
            sender.send(Message::text(edit.to_string())).await.unwrap();
        }
        sender
    });
    let mut accepted = 0;
    while accepted < 799 {
        let message = tokio::time::timeout(PATIENCE, receiver.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        assert!(!text.contains("\"rejected\""), "{text}");
        accepted += u32::from(text.contains("\"accepted\""));
    }
    drop(sending.await.unwrap());
    // A burst of 400, then 200 a second.
    assert!(started.elapsed() > Duration::from_millis(1_500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_disconnected_and_leaves_presence() {
    let settings = Settings { ping_seconds: 1, silence_seconds: 2, ..Settings::default() };
    let server = TestServer::with(settings).await;
    let mut worker = server.client().await;
    worker.greet().await;
    let list = worker.create("Desk").await;
    worker.open(&list).await;
    let (row, first) = insert("80", json!({ "price": "0" }));
    worker.edit_answered(&list, json!([first])).await;
    let mut dead = server.client().await;
    dead.greet().await;
    dead.open(&list).await;
    let cell = json!({ "row": row, "column": "price" });
    dead.send(&json!({ "type": "presence", "watchlist": list, "window": 1, "cell": cell, "editing": true }))
        .await;
    let count_dead = |people: &Value| {
        let people = people["people"].as_array().unwrap().iter();
        people.filter(|person| person["client"] == json!(dead.id)).count()
    };
    while count_dead(&worker.expect("presence").await) == 0 {}
    // From here on its socket is not read, so that pings are not answered, as with an unplugged cable.
    let started = Instant::now();
    while count_dead(&worker.expect("presence").await) > 0 {}
    let took = started.elapsed();
    assert!(took > Duration::from_millis(500) && took < Duration::from_secs(10), "{took:?}");
    assert!(dead.expect("error").await["message"].as_str().unwrap().contains("no message received"));
    assert_eq!(dead.next().await, None);
}

/// Each of these messages is a legal edit below every limit.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_column_changes_in_one_edit_cost_bounded_memory() {
    const COLUMNS: usize = 200;
    const WORDS: usize = 200;
    let (_folder, served, mut client, list) = start().await;
    let words: Vec<String> = (0..WORDS).map(|word| format!("word {word}")).collect();
    for column in 0..COLUMNS {
        let add = json!({ "key": format!("c{column}"), "title": "Choice", "kind": { "choice": words } });
        let answer = client.edit_answered(&list, json!([{ "addColumn": add }])).await;
        assert_eq!(answer["type"], "accepted", "{answer}");
    }
    let before = resident(served.child.id());
    let changes: [&dyn Fn(usize) -> Value; 3] = [
        &|change| json!({ "setColumn": { "key": format!("c{}", change % COLUMNS), "title": "Other" } }),
        &|change| json!({ "setColumn": { "key": format!("c{}", change % COLUMNS), "after": null } }),
        &|change| {
            let key = json!({ "key": format!("c{}", change / 2 % COLUMNS) });
            if change % 2 == 0 { json!({ "removeColumn": key }) } else { json!({ "restoreColumn": key }) }
        },
    ];
    for change in changes {
        let started = Instant::now();
        let answer = client.edit_answered(&list, (0..10_000).map(change).collect()).await;
        assert_eq!(answer["type"], "accepted", "{answer}");
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    }
    let grown = resident(served.child.id()).saturating_sub(before);
    assert!(grown < 64 * 1024, "the server grew by {grown} KiB");
}
