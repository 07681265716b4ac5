//! Hostile clients: anything that they send closes at most their own connection, is answered with an error
//! message, and does not affect the others.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use server::settings::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame, FrameHeader,
        coding::{Data, OpCode},
    },
};
use uuid::Uuid;

use crate::support::{Client, PATIENCE, TestServer, insert, wait_for};

/// Returns a server with a watchlist of one row, and a well-behaved client.
async fn server_with_row() -> (TestServer, Client, String, String) {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let list = client.create("Desk").await;
    client.open(&list).await;
    let (row, first) = insert("80", json!({ "symbol": "MMM", "price": "1" }));
    client.edit_answered(&list, json!([first])).await;
    (server, client, list, row)
}

/// Asserts that another client is still served.
async fn assert_served(client: &mut Client, list: &str, row: &str) {
    let changes = json!([{ "set": { "row": row, "column": "note", "value": "still here" } }]);
    assert_eq!(client.edit_answered(list, changes).await["type"], "accepted");
}

fn frame(opcode: Data, is_final: bool, payload: &[u8]) -> Message {
    let header = FrameHeader {
        is_final,
        opcode: OpCode::Data(opcode),
        mask: Some([1, 2, 3, 4]),
        ..Default::default()
    };
    Message::Frame(Frame::from_payload(header, payload.to_vec().into()))
}

/// Returns the last message before the server closes the connection.
async fn last_message(client: &mut Client) -> Value {
    let mut last = Value::Null;
    while let Some(message) = client.next().await {
        last = message;
    }
    last
}

#[tokio::test]
async fn a_fragmented_message_is_accepted() {
    let (server, _worker, list, row) = server_with_row().await;
    let mut client = server.client().await;
    client.greet().await;
    let changes = json!([{ "set": { "row": row, "column": "price", "value": "2" } }]);
    let edit = json!({ "type": "edit", "watchlist": list, "edit": 1, "changes": changes }).to_string();
    let (first, rest) = edit.as_bytes().split_at(10);
    client.socket.send(frame(Data::Text, false, first)).await.unwrap();
    for (index, byte) in rest.iter().enumerate() {
        let is_final = index + 1 == rest.len();
        client.socket.send(frame(Data::Continue, is_final, &[*byte])).await.unwrap();
    }
    assert_eq!(client.answer(1).await["type"], "accepted");
}

#[tokio::test]
async fn endless_fragments_are_cut_off() {
    let (server, mut worker, list, row) = server_with_row().await;
    let mut client = server.client().await;
    client.greet().await;
    let piece = vec![b' '; 64 * 1024];
    client.socket.send(frame(Data::Text, false, &piece)).await.unwrap();
    let mut sent = piece.len();
    while client.socket.send(frame(Data::Continue, false, &piece)).await.is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "{sent} bytes of one message were accepted");
    }
    assert_served(&mut worker, &list, &row).await;
}

#[tokio::test]
async fn invalid_frames_and_text_close_the_connection() {
    let (server, mut worker, list, row) = server_with_row().await;
    // Compression was not negotiated.
    let mut client = server.client().await;
    client.greet().await;
    let header = FrameHeader {
        rsv1: true,
        opcode: OpCode::Data(Data::Text),
        mask: Some([0; 4]),
        ..Default::default()
    };
    client.socket.send(Message::Frame(Frame::from_payload(header, vec![b'{'; 100].into()))).await.unwrap();
    assert_eq!(last_message(&mut client).await["code"], "badMessage");
    // Text that is not UTF-8.
    let mut client = server.client().await;
    client.greet().await;
    client.socket.send(frame(Data::Text, true, &[b'"', 0xff, 0xfe, b'"'])).await.unwrap();
    assert_eq!(last_message(&mut client).await["code"], "badMessage");
    // Not a WebSocket at all.
    let mut raw = tokio::net::TcpStream::connect(server.running.serving.address).await.unwrap();
    raw.write_all(&[0; 4_096]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, raw.read_to_end(&mut answer)).await.expect("it is closed").ok();
    assert_served(&mut worker, &list, &row).await;
}

#[tokio::test]
async fn ten_thousand_opens_are_answered() {
    let (server, mut worker, list, row) = server_with_row().await;
    let mut client = server.client().await;
    client.greet().await;
    let (mut socket_in, mut socket_out) = client.socket.split();
    let opened = list.clone();
    let sending = tokio::spawn(async move {
        for number in 0..10_000_u32 {
            let id = if number % 2 == 0 { opened.clone() } else { Uuid::now_v7().to_string() };
            let open = json!({ "type": "open", "watchlist": id }).to_string();
            socket_in.send(Message::text(open)).await.unwrap();
        }
        socket_in
    });
    let mut unknown = 0;
    while unknown < 5_000 {
        let message = tokio::time::timeout(PATIENCE, socket_out.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = message else { continue };
        unknown += u32::from(text.contains("\"unknownWatchlist\""));
    }
    drop(sending.await.unwrap());
    assert_served(&mut worker, &list, &row).await;
}

#[tokio::test]
async fn open_watchlists_are_limited() {
    let limits = shared::limits::Limits { open_watchlists: 2, ..shared::limits::Limits::default() };
    let server = TestServer::with(Settings { limits, ..Settings::default() }).await;
    let mut client = server.client().await;
    client.greet().await;
    let mut lists = Vec::new();
    for name in ["one", "two", "three"] {
        lists.push(client.create(name).await);
    }
    client.open(&lists[0]).await;
    client.open(&lists[1]).await;
    client.send(&json!({ "type": "open", "watchlist": lists[2] })).await;
    let error = client.expect("error").await;
    assert!(error["message"].as_str().unwrap().contains("at most 2 watchlists"), "{error}");
    client.send(&json!({ "type": "close", "watchlist": lists[0] })).await;
    client.open(&lists[2]).await;
}

#[tokio::test]
async fn connections_are_limited() {
    let server = TestServer::with(Settings { connections: 2, ..Settings::default() }).await;
    let (mut one, mut two) = (server.client().await, server.client().await);
    one.greet().await;
    two.greet().await;
    let bearer = server.bearer();
    let connect = async || server.connect(&[("authorization", &bearer), crate::support::JSON]).await;
    let error = connect().await.expect_err("the third is rejected").to_string();
    assert!(error.contains("503"), "{error}");
    drop(one);
    wait_for("a free connection", async || connect().await.ok()).await;
}

#[tokio::test]
async fn invalid_edits_are_rejected_and_change_nothing() {
    let (_server, mut client, list, row) = server_with_row().await;
    let before = client.open(&list).await["rows"].clone();
    let set =
        |column: &str, value: Value| json!([{ "set": { "row": row, "column": column, "value": value } }]);
    let too_many: Vec<Value> = (0..12_000).map(|_| json!({ "remove": { "row": row } })).collect();
    let too_long = "80".repeat(200);
    for (changes, code) in [
        (set("price", json!("1e9999")), "invalidValue"),
        (set("price", json!("9".repeat(400))), "invalidValue"),
        (set("price", json!("NaN")), "invalidValue"),
        (set("price", json!("-0.0")), "invalidValue"),
        (set("price", json!(71.5)), "invalidValue"),
        (set("lastChange", json!("+300000-01-01T00:00:00.000Z")), "readOnlyColumn"),
        (set("note", json!("x".repeat(5_000))), "tooLong"),
        (set("nowhere", json!("1")), "unknownColumn"),
        (json!(too_many), "tooLarge"),
        (json!([]), "badMessage"),
        (json!([{ "explode": {} }]), "badMessage"),
        (json!([{ "insert": { "row": Uuid::now_v7(), "position": too_long, "cells": {} } }]), "invalidValue"),
        (json!([{ "insert": { "row": Uuid::now_v7(), "position": "zz", "cells": {} } }]), "invalidValue"),
        (json!([{ "remove": { "row": Uuid::now_v7() } }]), "unknownRow"),
        (json!([{ "addColumn": { "key": "due", "title": "", "kind": "time" } }]), "invalidValue"),
        (json!([{ "addColumn": { "key": "A KEY", "title": "x", "kind": "time" } }]), "invalidValue"),
    ] {
        let answer = client.edit_answered(&list, changes.clone()).await;
        let shown: String = changes.to_string().chars().take(80).collect();
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("rejected"), &json!(code)),
            "{shown}: {answer}"
        );
        assert!(!answer["message"].as_str().unwrap().is_empty());
    }
    let due = json!([{ "addColumn": { "key": "due", "title": "Due", "kind": "time" } }]);
    assert_eq!(client.edit_answered(&list, due).await["type"], "accepted");
    for time in ["+300000-01-01T00:00:00.000Z", "2026-13-40T99:00:00Z", "-9999999-01-01T00:00:00Z"] {
        let answer = client.edit_answered(&list, set("due", json!(time))).await;
        assert_eq!(answer["code"], "invalidValue", "{time}: {answer}");
    }
    assert_eq!(client.open(&list).await["rows"], before);
}

#[tokio::test]
async fn edit_numbers_and_ids_of_others_cannot_be_abused() {
    let (server, mut client, list, row) = server_with_row().await;
    let snapshot = client.open(&list).await;
    let set = |value: &str| json!([{ "set": { "row": row, "column": "price", "value": value } }]);
    let accepted = client.edit_answered(&list, set("2")).await["revision"].clone();
    // Another connection with the same client id: its number is used already, and the first edit stays.
    let mut other = server.client().await;
    other.id = client.id;
    other.greet().await;
    other.edit = client.edit - 1;
    assert_eq!(other.edit_answered(&list, set("3")).await["code"], "editReused");
    other.edit = client.edit - 1;
    assert_eq!(
        other.edit_answered(&list, set("2")).await["revision"],
        accepted,
        "the same answer as the first"
    );
    for edit in [json!(0), json!(-1), json!(1.5), json!("7"), json!(9_007_199_254_740_993_u64)] {
        let mut other_client = server.client().await;
        other_client.greet().await;
        other_client
            .send(&json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": set("9") }))
            .await;
        let message = other_client.next().await.unwrap();
        assert_eq!(message["code"], "badMessage", "{edit}: {message}");
    }
    // A revision from the future or of another epoch is answered with a snapshot.
    for at in [
        json!({ "epoch": snapshot["epoch"], "revision": 9_999_999 }),
        json!({ "epoch": Uuid::new_v4(), "revision": 1 }),
    ] {
        other.send(&json!({ "type": "open", "watchlist": list, "at": at })).await;
        let snapshot = other.expect("snapshot").await;
        assert_eq!(snapshot["rows"][0]["cells"]["price"], "2");
    }
}

#[tokio::test]
async fn control_characters_in_text_are_preserved() {
    let (_server, mut client, list, row) = server_with_row().await;
    let text = "a\u{202e}b\u{0}c\u{1b}[31md\r\n\t\u{feff}";
    let changes = json!([{ "set": { "row": row, "column": "note", "value": text } }]);
    assert_eq!(client.edit_answered(&list, changes).await["type"], "accepted");
    assert_eq!(client.open(&list).await["rows"][0]["cells"]["note"], text);
}

/// What a client sent is quoted in the text of an error, and texts of rejections are kept in memory and on
/// disk.
#[tokio::test]
async fn errors_quote_at_most_the_start_of_what_was_sent() {
    let (server, mut worker, list, row) = server_with_row().await;
    let long = "x".repeat(900_000);
    for changes in [
        json!([{ "set": { "row": row, "column": "price", "value": long } }]),
        json!([{ "set": { "row": row, "column": long, "value": "1" } }]),
        json!([{ "set": { "row": long, "column": "price", "value": "1" } }]),
        json!([{ "move": { "row": row, "position": long } }]),
        json!([{ "addColumn": { "key": long, "title": "Title", "kind": "text" } }]),
        json!([{ "addColumn": { "key": "key", "title": long, "kind": "text" } }]),
        json!([{ "addColumn": { "key": "key", "title": "Title", "kind": long } }]),
        json!([{ "rename": { "name": long } }]),
        json!([{ long.clone(): {} }]),
    ] {
        let answer = worker.edit_answered(&list, changes).await;
        let message = answer["message"].as_str().unwrap();
        assert!(answer["type"] == "rejected" && message.len() <= 512, "{} bytes", message.len());
    }
    for message in [
        json!({ "type": long }),
        json!({ "type": "open", "watchlist": long }),
        json!({ "type": "close", "watchlist": list, long.clone(): 1, "watchlist2": [] }),
        json!({ "type": "create", "request": long, "name": "Name" }),
    ] {
        let mut client = server.client().await;
        client.greet().await;
        client.send(&message).await;
        client.send(&json!({ "type": "jump" })).await;
        while let Some(error) = client.next().await {
            let bytes = error["message"].as_str().map_or(0, str::len);
            assert!(bytes <= 512, "{bytes} bytes");
        }
    }
    assert_served(&mut worker, &list, &row).await;
}
