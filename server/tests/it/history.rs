//! The history of a watchlist: authors, times, and old and new values.

use serde_json::{Value, json};

use crate::support::{Client, TestServer, insert};

async fn history(client: &mut Client, list: &str, filter: Value) -> Vec<Value> {
    let mut request = json!({ "type": "history", "request": 9, "watchlist": list });
    request.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
    client.send(&request).await;
    client.expect("history").await["commits"].as_array().unwrap().clone()
}

fn revisions(commits: &[Value]) -> Vec<u64> {
    commits.iter().map(|commit| commit["revision"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn history_has_the_replaced_values_and_is_filtered_by_row_column_and_person() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let welcome = client.greet().await;
    let list = client.create("List").await;
    client.open(&list).await;
    let ((one, first), (two, second)) = (insert("10", json!({ "price": "1" })), insert("20", json!({})));
    client.edit_answered(&list, json!([first, second])).await;
    let set = |row: &str, column: &str, value: &str| json!({ "set": { "row": row, "column": column, "value": value } });
    client.edit_answered(&list, json!([set(&one, "price", "2"), set(&one, "price", "3")])).await;
    client.edit_answered(&list, json!([set(&two, "note", "price it"), set(&two, "target", "5")])).await;
    client.edit_answered(&list, json!([{ "remove": { "row": two } }])).await;

    let all = history(&mut client, &list, json!({})).await;
    assert_eq!(revisions(&all), [4, 3, 2, 1]);
    let was: Vec<&Value> = all[2]["changes"].as_array().unwrap().iter().map(|c| &c["set"]["was"]).collect();
    assert_eq!(was, [&json!("1"), &json!("2")], "within one edit, too");
    assert_eq!(all[1]["changes"][0]["set"]["was"], json!(null), "an empty cell was replaced");
    assert!(all[1]["changes"][0]["set"].as_object().unwrap().contains_key("was"));

    let removed = &all[0]["changes"][0]["remove"];
    let was = json!({ "position": "20", "cells": { "note": "price it", "target": "5" } });
    assert_eq!((&removed["row"], &removed["was"]), (&json!(two), &was), "a removed row");

    assert_eq!(revisions(&history(&mut client, &list, json!({ "row": two })).await), [4, 3, 1]);
    assert_eq!(revisions(&history(&mut client, &list, json!({ "column": "price" })).await), [2, 1]);
    let both = json!({ "row": two, "column": "price" });
    assert_eq!(
        revisions(&history(&mut client, &list, both).await),
        [0; 0],
        "a word in a text is not a column"
    );
    assert_eq!(revisions(&history(&mut client, &list, json!({ "before": 3, "limit": 1 })).await), [2]);
    let next = async |client: &mut Client, filter: Value| {
        let mut request = json!({ "type": "history", "request": 9, "watchlist": list });
        request.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        client.send(&request).await;
        client.expect("history").await["next"].clone()
    };
    assert_eq!(next(&mut client, json!({ "before": 4, "limit": 2 })).await, 2, "commit 1 is left");
    assert_eq!(next(&mut client, json!({ "before": 3, "limit": 2 })).await, json!(null), "that is all");
    let user = &welcome["user"]["id"];
    assert_eq!(history(&mut client, &list, json!({ "user": user })).await.len(), 4);
    let unknown_user = json!({ "user": "00000000-0000-4000-8000-000000000009" });
    assert_eq!(history(&mut client, &list, unknown_user).await.len(), 0);

    // Broadcast changes do not contain the replaced values.
    let mut other = server.client().await;
    other.greet().await;
    let snapshot = other.open(&list).await;
    other.send(&json!({ "type": "open", "watchlist": list, "at": { "epoch": snapshot["epoch"], "revision": 1 } })).await;
    other.expect("resumed").await;
    let changes = other.expect("changes").await;
    assert!(!changes.to_string().contains("\"was\""), "{changes}");
}
