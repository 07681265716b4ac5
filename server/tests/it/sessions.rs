//! Tests of the protocol over real sockets.

use std::sync::Arc;

use serde_json::{Value, json};
use server::{clock::Clock, settings::Settings};
use shared::{
    limits::{Limits, MAX_KEPT_ANSWERS},
    time::Timestamp,
};
use tokio_tungstenite::tungstenite::{Error, http::StatusCode};
use uuid::Uuid;

use crate::support::{Client, JSON, TestServer, insert};

async fn with_row(server: &TestServer) -> (Client, String, String) {
    let mut client = server.client().await;
    client.greet().await;
    let list = client.create("Core book").await;
    let (row, change) = insert("80", json!({ "symbol": "MMM", "price": "71.72", "previousClose": "71.70" }));
    assert_eq!(client.edit_answered(&list, json!([change])).await["type"], "accepted");
    (client, list, row)
}

fn set(row: &str, value: Value) -> Value {
    json!({ "set": { "row": row, "column": "price", "value": value } })
}

#[tokio::test]
async fn an_accepted_edit_reaches_the_other_clients() {
    let server = TestServer::start().await;
    let (mut ann, list, row) = with_row(&server).await;
    let mut bob = server.client().await;
    let welcome = bob.greet().await;
    assert_eq!((&welcome["protocol"], &welcome["user"]["name"]), (&json!(1), &json!("ann")));
    let snapshot = bob.open(&list).await;
    assert_eq!(
        snapshot["rows"][0]["cells"],
        json!({ "symbol": "MMM", "price": "71.72", "previousClose": "71.70" })
    );
    assert_eq!(
        (&snapshot["revision"], &snapshot["part"], &snapshot["parts"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(snapshot["rows"][0]["changed"]["price"].is_string());
    let accepted = ann.edit_answered(&list, json!([set(&row, json!("71.80"))])).await;
    assert_eq!(accepted["revision"], 2);
    let changes = bob.expect("changes").await;
    assert_eq!(
        (&changes["from"], &changes["to"], &changes["conflated"]),
        (&json!(1), &json!(2), &json!(false))
    );
    let commit = &changes["commits"][0];
    assert_eq!(commit["changes"], json!([set(&row, json!("71.80"))]));
    assert_eq!((&commit["by"]["client"], &commit["by"]["edit"]), (&json!(ann.id), &json!(2)));
}

#[tokio::test]
async fn a_repeated_edit_gets_its_first_answer_even_after_a_restart() {
    let server = TestServer::start().await;
    let (mut client, list, row) = with_row(&server).await;
    let change = json!([set(&row, json!("72"))]);
    let conflicting = json!([{ "set": { "row": row, "column": "price", "value": "73", "was": "1" } }]);
    let first = client.edit_answered(&list, change.clone()).await;
    let rejected = client.edit_answered(&list, conflicting.clone()).await;
    assert_eq!(
        (&rejected["code"], &rejected["current"], &rejected["by"]),
        (&json!("conflict"), &json!("72"), &json!("ann"))
    );
    let again = |edit: u64, changes: &Value| json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": changes });
    let later = client.edit_answered(&list, json!([set(&row, json!("74"))])).await;
    assert_eq!(later["type"], "accepted");
    for (edit, changes, answer) in [(2, &change, &first), (3, &conflicting, &rejected)] {
        client.send(&again(edit, changes)).await;
        assert_eq!(client.answer(edit).await, *answer);
    }
    // Twice at once.
    client.send(&again(5, &conflicting)).await;
    client.send(&again(5, &conflicting)).await;
    let twice = [client.answer(5).await, client.answer(5).await];
    assert_eq!((&twice[0]["current"], &twice[0]), (&json!("74"), &twice[1]));
    let server = server.restart().await;
    let mut back = Client { id: client.id, ..server.client().await };
    back.greet().await;
    back.send(&again(2, &change)).await;
    assert_eq!(back.answer(2).await, first);
    back.send(&again(3, &conflicting)).await;
    assert_eq!(back.answer(3).await, rejected);
    back.send(&again(2, &conflicting)).await;
    assert_eq!(back.answer(2).await["code"], "editReused");
    let mut other = server.client().await;
    other.greet().await;
    assert_eq!(other.open(&list).await["revision"], 3, "the repeats did not create commits");
}

#[tokio::test]
async fn every_rejection_has_its_code() {
    let server = TestServer::start().await;
    let (mut client, list, row) = with_row(&server).await;
    let cell =
        |column: &str, value: Value| json!([{ "set": { "row": row, "column": column, "value": value } }]);
    let other = Uuid::now_v7();
    for (changes, code) in [
        (cell("price", json!("1.2.3")), "invalidValue"),
        (cell("price", json!(71.8)), "invalidValue"),
        (cell("price", json!("1e9999")), "invalidValue"),
        (cell("change", json!("1")), "readOnlyColumn"),
        (cell("nothing", json!("1")), "unknownColumn"),
        (cell("note", json!("x".repeat(4097))), "tooLong"),
        (json!([{ "remove": { "row": other } }]), "unknownRow"),
        (json!([{ "remove": { "row": row, "asOf": 0 } }, { "remove": { "row": other } }]), "unknownRow"),
        (
            json!([insert("80", json!({})).1, { "insert": { "row": row, "position": "90", "cells": {} } }]),
            "duplicateRow",
        ),
        (json!([insert("8000", json!({})).1]), "invalidValue"),
        (json!([{ "addColumn": { "key": "price", "title": "Again", "kind": "text" } }]), "duplicateColumn"),
        (json!([]), "badMessage"),
        (json!([{ "jump": {} }]), "badMessage"),
        (json!("nonsense"), "badMessage"),
        (json!(vec![set(&row, json!("1")); 10_001]), "tooLarge"),
    ] {
        let shown = changes.to_string().chars().take(120).collect::<String>();
        let answer = client.edit_answered(&list, changes).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("rejected"), &json!(code)), "{shown}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{shown}");
    }
    let unknown = client.edit_answered(&other.to_string(), json!([set(&row, json!("1"))])).await;
    assert_eq!(unknown["code"], "unknownWatchlist");
    client.send(&json!({ "type": "open", "watchlist": other })).await;
    assert_eq!(client.expect("error").await["code"], "unknownWatchlist");
    let snapshot = client.open(&list).await;
    assert_eq!(
        (&snapshot["revision"], &snapshot["rows"][0]["cells"]["price"]),
        (&json!(1), &json!("71.72")),
        "nothing changed"
    );
}

#[tokio::test]
async fn an_invalid_edit_gets_the_same_answer_when_repeated() {
    let server = TestServer::start().await;
    let (mut client, list, row) = with_row(&server).await;
    let first = client.edit_answered(&list, json!([{ "jump": {} }])).await;
    assert_eq!(first["code"], "badMessage");
    client.edit -= 1;
    assert_eq!(client.edit_answered(&list, json!([{ "jump": {} }])).await, first);
    client.edit -= 1;
    assert_eq!(client.edit_answered(&list, json!([set(&row, json!("1"))])).await["code"], "editReused");
    let bare = client.edit_answered(&list, json!([set(&row, json!(71.8))])).await;
    assert_eq!(bare["code"], "invalidValue");
    client.edit -= 1;
    assert_eq!(client.edit_answered(&list, json!([set(&row, json!(null))])).await["code"], "editReused");
}

#[tokio::test]
async fn the_size_of_missed_changes_is_measured_after_conflation() {
    let server = TestServer::start().await;
    let (mut ann, list, row) = with_row(&server).await;
    let epoch = ann.open(&list).await["epoch"].clone();
    for price in 0..300 {
        ann.edit_answered(&list, json!([set(&row, json!(price.to_string()))])).await;
    }
    let open = json!({ "type": "open", "watchlist": list, "at": { "epoch": epoch, "revision": 1 } });
    let mut bob = server.client().await;
    bob.greet().await;
    bob.send(&open).await;
    assert_eq!(
        bob.next().await.unwrap()["type"],
        "resumed",
        "three hundred prices of a cell are conflated to one"
    );
    assert_eq!(bob.expect("changes").await["commits"].as_array().unwrap().len(), 1);
    let server = server.restart().await;
    let mut bob = server.client().await;
    bob.greet().await;
    bob.send(&open).await;
    assert_eq!(bob.next().await.unwrap()["type"], "resumed", "even if they are read from disk");
    let note = |text: &str| json!([{ "set": { "row": row, "column": "note", "value": text.repeat(4_000) } }]);
    let mut carol = server.client().await;
    carol.greet().await;
    for text in ["a", "b", "c"] {
        let rows: Vec<Value> =
            (0..20).map(|_| insert("90", json!({ "note": text.repeat(4_000) })).1).collect();
        let ids: Vec<Value> =
            rows.iter().map(|row| json!({ "remove": { "row": row["insert"]["row"] } })).collect();
        carol.edit_answered(&list, json!(rows)).await;
        carol.edit_answered(&list, note(text)).await;
        carol.edit_answered(&list, json!(ids)).await;
    }
    let mut dave = server.client().await;
    dave.greet().await;
    dave.send(&open).await;
    assert_eq!(
        dave.next().await.unwrap()["type"],
        "resumed",
        "rows that were inserted and removed are left out"
    );
}

#[tokio::test]
async fn a_close_frame_is_answered() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    client.socket.close(None).await.unwrap();
    let mut last = None;
    while let Some(message) = futures_util::StreamExt::next(&mut client.socket).await {
        last = Some(message.unwrap());
    }
    assert!(matches!(last, Some(tokio_tungstenite::tungstenite::Message::Close(_))), "{last:?}");
}

#[tokio::test]
async fn as_of_ignores_the_clients_own_changes() {
    let server = TestServer::start().await;
    let (mut ann, list, row) = with_row(&server).await;
    let mut bob = server.client().await;
    bob.greet().await;
    bob.edit_answered(&list, json!([set(&row, json!("72"))])).await;
    ann.edit_answered(&list, json!([set(&row, json!("73"))])).await;
    let remove = |as_of: u64| json!([{ "remove": { "row": row, "asOf": as_of } }]);
    assert_eq!(ann.edit_answered(&list, remove(1)).await["code"], "conflict");
    assert_eq!(ann.edit_answered(&list, remove(2)).await["type"], "accepted");
}

#[tokio::test]
async fn a_resumed_client_receives_only_missing_commits() {
    let server = TestServer::start().await;
    let (mut ann, list, row) = with_row(&server).await;
    // A restart keeps the history.
    let epoch = ann.open(&list).await["epoch"].clone();
    for price in 0..5 {
        ann.edit_answered(&list, json!([set(&row, json!(price.to_string()))])).await;
    }
    let open = |epoch: &Value, revision: u64| json!({ "type": "open", "watchlist": list, "at": { "epoch": epoch, "revision": revision } });
    let server = server.restart().await;
    let mut bob = server.client().await;
    bob.greet().await;
    bob.send(&open(&epoch, 2)).await;
    let resumed = bob.next().await.unwrap();
    assert_eq!((&resumed["type"], &resumed["revision"]), (&json!("resumed"), &json!(6)));
    let changes = bob.expect("changes").await;
    assert_eq!((&changes["from"], &changes["to"]), (&json!(2), &json!(6)));
    assert_eq!(changes["conflated"], true);
    assert_eq!(changes["commits"].as_array().unwrap().len(), 1);
    for (epoch, revision) in [(json!(Uuid::new_v4()), 2), (epoch.clone(), 99)] {
        bob.send(&open(&epoch, revision)).await;
        assert_eq!(bob.expect("snapshot").await["revision"], 6);
    }
}

#[tokio::test]
async fn unauthorised_requests_are_rejected_before_the_upgrade() {
    let server = TestServer::start().await;
    let bearer = server.bearer();
    let token = ("authorization", bearer.as_str());
    for (headers, status) in [
        (vec![JSON], StatusCode::UNAUTHORIZED),
        (vec![("authorization", "Bearer wrong"), JSON], StatusCode::UNAUTHORIZED),
        (vec![token, JSON, ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![token], StatusCode::BAD_REQUEST),
        (vec![token, ("sec-websocket-protocol", "chat")], StatusCode::BAD_REQUEST),
    ] {
        match server.connect(&headers).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), status, "{headers:?}"),
            other => panic!("{headers:?}: {:?}", other.map(|_| "upgraded")),
        }
    }
}

#[tokio::test]
async fn an_invalid_message_closes_only_its_own_connection() {
    let server = TestServer::start().await;
    let (mut bystander, list, row) = with_row(&server).await;
    bystander.open(&list).await;
    for invalid in
        ["", "[]", "7", "{", "{\"type\":\"dance\"}", "{\"type\":\"open\"}", "{\"type\":\"edit\",\"edit\":1}"]
    {
        let mut client = server.client().await;
        client.greet().await;
        client.send_text(invalid).await;
        let error = client.expect("error").await;
        assert_eq!(error["code"], "badMessage", "{invalid}");
        assert_eq!(client.next().await, None, "{invalid}");
    }
    let mut early = server.client().await;
    early.send(&json!({ "type": "open", "watchlist": list })).await;
    assert_eq!(early.expect("error").await["code"], "helloExpected");
    let mut large = server.client().await;
    large.greet().await;
    large.send_text(&format!("{{\"type\":\"hello\",\"pad\":\"{}\"}}", "x".repeat(1 << 20))).await;
    assert!(large.next().await.is_none_or(|message| message["code"] == "tooLarge"));
    assert_eq!(bystander.edit_answered(&list, json!([set(&row, json!("80"))])).await["type"], "accepted");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client
        .send(&json!({ "type": "hello", "client": client.id, "app": "x", "mood": { "good": [1, 2] } }))
        .await;
    client.expect("welcome").await;
}

#[tokio::test]
async fn a_large_watchlist_is_sent_in_small_parts_in_list_order() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let list = client.create("Large").await;
    let inserts: Vec<Value> = (1..=2_000)
        .map(|number| insert(&format!("80{number:04x}01"), json!({ "symbol": format!("S{number}") })).1)
        .collect();
    assert_eq!(client.edit_answered(&list, json!(inserts)).await["type"], "accepted");
    let mut part = client.open(&list).await;
    let mut symbols = Vec::new();
    let parts = part["parts"].as_u64().unwrap();
    assert!(parts > 4, "{parts}");
    for number in 1..=parts {
        assert_eq!((&part["part"], &part["revision"]), (&json!(number), &json!(1)));
        assert!(part.to_string().len() < 64 * 1024);
        symbols.extend(
            part["rows"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["cells"]["symbol"].as_str().unwrap().to_owned()),
        );
        if number < parts {
            part = client.next().await.unwrap();
        }
    }
    assert_eq!(symbols, (1..=2_000).map(|number| format!("S{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn watchlists_are_created_renamed_deleted_and_restored_for_everyone() {
    let server = TestServer::start().await;
    let (mut ann, list, _) = with_row(&server).await;
    let mut bob = server.client().await;
    bob.greet().await;
    bob.open(&list).await;
    ann.send(&json!({ "type": "create", "request": 5, "watchlist": list, "name": "Other" })).await;
    assert_eq!(
        ann.expect("created").await,
        json!({ "type": "created", "request": 5, "watchlist": list }),
        "a repeat is harmless"
    );
    ann.edit_answered(&list, json!([{ "rename": { "name": "Book" } }])).await;
    assert_eq!(bob.expect("watchlists").await["list"][0]["name"], "Book");
    ann.send(&json!({ "type": "delete", "request": 6, "watchlist": list })).await;
    assert_eq!(ann.expect("deleted").await["request"], 6);
    assert_eq!(
        bob.expect("closed").await,
        json!({ "type": "closed", "watchlist": list, "reason": "deleted" })
    );
    assert_eq!(
        bob.edit_answered(&list, json!([{ "rename": { "name": "x" } }])).await["code"],
        "unknownWatchlist"
    );
    ann.send(&json!({ "type": "deletedLists", "request": 9 })).await;
    let deleted = ann.expect("deletedLists").await;
    assert_eq!((&deleted["request"], &deleted["list"][0]["watchlist"]), (&json!(9), &json!(list)));
    ann.send(&json!({ "type": "restore", "request": 7, "watchlist": list })).await;
    assert_eq!(ann.expect("restored").await["request"], 7);
    let snapshot = bob.open(&list).await;
    assert_eq!((&snapshot["name"], &snapshot["rows"].as_array().unwrap().len()), (&json!("Book"), &1));
    ann.send(&json!({ "type": "delete", "request": 8, "watchlist": Uuid::new_v4() })).await;
    let error = ann.expect("error").await;
    assert_eq!((&error["code"], &error["request"]), (&json!("unknownWatchlist"), &json!(8)));
}

#[tokio::test]
async fn presence_follows_the_windows_of_others() {
    let server = TestServer::start().await;
    let (mut ann, list, row) = with_row(&server).await;
    ann.open(&list).await;
    let mut bob = server.client().await;
    bob.greet().await;
    bob.open(&list).await;
    let cell = json!({ "row": row, "column": "price" });
    bob.send(&json!({ "type": "presence", "watchlist": list, "window": 1, "cell": cell, "editing": true }))
        .await;
    let people = ann.expect("presence").await["people"].clone();
    assert_eq!(
        people,
        json!([{ "client": bob.id, "window": 1, "name": "ann", "cell": cell, "editing": true }])
    );
    let unknown_cell = json!({ "row": row, "column": "nothing" });
    bob.send(
        &json!({ "type": "presence", "watchlist": list, "window": 1, "cell": unknown_cell, "editing": false }),
    )
    .await;
    assert_eq!(ann.expect("presence").await["people"][0]["cell"], Value::Null, "no such column");
    drop(bob);
    assert_eq!(ann.expect("presence").await["people"], json!([]));
}

#[tokio::test]
async fn commit_times_never_go_back_even_if_the_clock_does() {
    let clock_at = |millis: i64| -> Clock { Arc::new(move || Timestamp::from_millis(millis)) };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let server = TestServer::at(folder, Settings::default(), clock_at(1_790_000_000_000)).await;
    let (_, list, row) = with_row(&server).await;
    let server = server.restart_at(clock_at(1_000)).await;
    let mut client = server.client().await;
    client.greet().await;
    let before = client.open(&list).await["rows"][0]["changed"]["price"].clone();
    // The answer may arrive before or after the changes.
    client.edit(&list, json!([set(&row, json!("72"))])).await;
    assert_eq!(client.expect("changes").await["commits"][0]["at"], before);
}

#[tokio::test]
async fn an_edit_older_than_the_kept_answers_is_too_old_even_after_a_restart() {
    let kept = u64::try_from(MAX_KEPT_ANSWERS).unwrap();
    let unlimited = Settings { edits_per_second: 0, ..Settings::default() };
    let server = TestServer::with(unlimited).await;
    let (mut client, list, row) = with_row(&server).await;
    for _ in 0..kept + 10 {
        let last = client.edit(&list, json!([set(&row, json!("72"))])).await;
        if last % 200 == 0 {
            client.answer(last).await;
        }
    }
    client.answer(client.edit).await;
    let server = server.restart().await;
    let mut back = Client { id: client.id, ..server.client().await };
    back.greet().await;
    let oldest_kept = kept + 11 - kept + 1;
    for (edit, code) in [(oldest_kept - 1, json!("tooOld")), (oldest_kept, json!(null))] {
        back.edit = edit - 1;
        let answer = back.edit_answered(&list, json!([set(&row, json!("72"))])).await;
        assert_eq!(answer["code"], code, "{edit}");
    }
}

#[tokio::test]
async fn limits_can_be_configured() {
    let limits = Limits { rows: 1, open_watchlists: 1, ..Limits::default() };
    let server = TestServer::with(Settings { limits, ..Settings::default() }).await;
    let (mut client, list, _) = with_row(&server).await;
    assert_eq!(client.edit_answered(&list, json!([insert("90", json!({})).1])).await["code"], "tooLarge");
    client.open(&list).await;
    let other = client.create("Other").await;
    client.send(&json!({ "type": "open", "watchlist": other })).await;
    assert_eq!(client.expect("error").await["code"], "forbidden");
}

#[tokio::test]
async fn a_stopping_server_sends_restarting() {
    let server = TestServer::start().await;
    let (mut client, _, _) = with_row(&server).await;
    let stopping = tokio::spawn(server.running.stop());
    assert_eq!(client.expect("error").await["code"], "restarting");
    assert_eq!(client.next().await, None);
    stopping.await.unwrap();
}
