//! Every message and every call, made by every kind of caller: what is allowed is in a table,
//! `tests/rights.md`, that these tests write and compare. `AFTERGLOW_WRITE_GOLDEN=1` rewrites it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use server::http;
use shared::wire::client::ClientMessage;
use uuid::Uuid;

use super::people::{Desk, PASSWORD, Proof};
use crate::support::{Client, TestServer, insert, wait_for};

/// The callers, in the order of the table.
const CALLERS: [&str; 8] =
    ["anonymous", "disabled", "ticks-only token", "stranger", "viewer", "editor", "owner", "admin"];
/// How long a socket waits for presence that may not come.
const PATIENCE: Duration = Duration::from_millis(400);

/// The messages, by their type and what of them needs another right.
const MESSAGES: [&str; 12] = [
    "hello",
    "open",
    "close",
    "edit (rows)",
    "edit (columns)",
    "presence",
    "create",
    "delete",
    "restore",
    "deletedLists",
    "history",
    "watchlists",
];

/// Returns the rows of the table that a message is in. A new message does not compile until it has one.
fn rows_of(message: &ClientMessage) -> &'static [&'static str] {
    match message {
        ClientMessage::Hello(_) => &["hello", "watchlists"],
        ClientMessage::Open(_) => &["open"],
        ClientMessage::Close(_) => &["close"],
        ClientMessage::Edit(_) => &["edit (rows)", "edit (columns)"],
        ClientMessage::Presence(_) => &["presence"],
        ClientMessage::Create(_) => &["create"],
        ClientMessage::Delete(_) => &["delete"],
        ClientMessage::Restore(_) => &["restore"],
        ClientMessage::DeletedLists(_) => &["deletedLists"],
        ClientMessage::History(_) => &["history"],
    }
}

/// The accounts of the table, signed in.
struct Cast {
    desk: Desk,
    callers: Vec<(&'static str, Proof)>,
    ids: Vec<(&'static str, String)>,
}

impl Cast {
    async fn new() -> Self {
        let desk = Desk::start().await;
        let (mut callers, mut ids) = (vec![("anonymous", Proof::Nothing)], Vec::new());
        for name in &CALLERS[1..] {
            if *name == "ticks-only token" {
                let body = json!({ "name": "feed", "ticksOnly": true });
                let (_, token) = desk.call(&desk.local(), "POST", "/api/v1/tokens", body).await;
                callers.push((name, Proof::Bearer(token["token"].as_str().unwrap().to_owned())));
                continue;
            }
            let id = desk.add(name, *name == "admin").await;
            callers.push((name, desk.sign_in(name).await));
            ids.push((*name, id));
        }
        let disabled = ids[0].1.clone();
        desk.change(&disabled, json!({ "disabled": true })).await;
        Self { desk, callers, ids }
    }

    fn id(&self, name: &str) -> &str {
        &self.ids.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Creates a watchlist that each of the cast has its role on, deleted or not.
    async fn list(&self, deleted: bool) -> String {
        let list = self.desk.list("Desk").await;
        for role in ["viewer", "editor", "owner"] {
            self.desk.share(&list, Some(self.id(role)), Some(role)).await;
        }
        if deleted {
            let path = format!("/api/v1/watchlists/{list}");
            assert_eq!(self.desk.call(&self.desk.local(), "DELETE", &path, None).await.0, 204);
        }
        list
    }
}

/// Returns the type of an answer, with its code if it has one.
fn outcome(answer: &Value) -> String {
    match answer["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer["type"].as_str().unwrap_or("nothing").to_owned(),
    }
}

/// Waits for a message that answers a request about a watchlist.
async fn answer(client: &mut Client, kinds: &[&str]) -> Value {
    loop {
        let message = client.next().await.expect("an answer");
        let kind = message["type"].as_str().unwrap();
        if kinds.contains(&kind) || kind == "error" {
            return message;
        }
    }
}

/// Sends a message of a row, and returns what comes of it.
async fn send(cast: &Cast, row: &str, proof: &Proof, client: &mut Client, list: &str) -> String {
    let (_, inserted) = insert("80", json!({ "symbol": "MMM" }));
    let column = json!({ "addColumn": { "key": "target2", "title": "Target", "kind": "text" } });
    match row {
        // `hello` was sent when the socket was opened.
        "hello" => "welcome".to_owned(),
        "watchlists" => {
            let lists = cast.desk.call(proof, "GET", "/api/v1/watchlists", None).await.1;
            let is_listed = lists["list"].as_array().unwrap().iter().any(|entry| entry["watchlist"] == list);
            if is_listed { "listed" } else { "not listed" }.to_owned()
        }
        "open" => {
            client.send(&json!({ "type": "open", "watchlist": list })).await;
            outcome(&answer(client, &["snapshot"]).await)
        }
        "close" => {
            client.send(&json!({ "type": "close", "watchlist": list })).await;
            client.send(&json!({ "type": "deletedLists", "request": 9 })).await;
            assert_eq!(outcome(&answer(client, &["deletedLists"]).await), "deletedLists");
            "no answer".to_owned()
        }
        "edit (rows)" => outcome(&client.edit_answered(list, json!([inserted])).await),
        "edit (columns)" => outcome(&client.edit_answered(list, json!([column])).await),
        "presence" => presence(cast, client, list).await,
        "create" => {
            client.send(&json!({ "type": "create", "request": 1, "name": "New" })).await;
            outcome(&answer(client, &["created"]).await)
        }
        "delete" | "restore" => {
            client.send(&json!({ "type": row, "request": 1, "watchlist": list })).await;
            outcome(&answer(client, &["deleted", "restored"]).await)
        }
        "deletedLists" => {
            client.send(&json!({ "type": "deletedLists", "request": 1 })).await;
            let answer = answer(client, &["deletedLists"]).await;
            let is_listed = answer["list"].as_array().unwrap().iter().any(|entry| entry["watchlist"] == list);
            if is_listed { "listed" } else { "not listed" }.to_owned()
        }
        "history" => {
            client.send(&json!({ "type": "history", "request": 1, "watchlist": list })).await;
            outcome(&answer(client, &["history"]).await)
        }
        other => panic!("{other} has no test"),
    }
}

/// Whether an administrator who has the watchlist open sees the caller in it.
async fn presence(cast: &Cast, client: &mut Client, list: &str) -> String {
    let mut observer = cast.desk.socket(&cast.desk.local()).await.unwrap();
    observer.open(list).await;
    client.send(&json!({ "type": "open", "watchlist": list })).await;
    client
        .send(&json!({ "type": "presence", "watchlist": list, "window": 1, "cell": null, "editing": false }))
        .await;
    let own = client.id.to_string();
    let seen = async {
        loop {
            let message = observer.expect("presence").await;
            if message["people"].as_array().unwrap().iter().any(|person| person["client"] == own) {
                return;
            }
        }
    };
    if tokio::time::timeout(PATIENCE, seen).await.is_ok() { "seen" } else { "not seen" }.to_owned()
}

/// Makes a call of a row with a body that would be right, and returns its status and code.
async fn call(cast: &Cast, (method, path): (&str, &str), proof: &Proof) -> String {
    let list = cast.list(path.ends_with("/restore")).await;
    let (_, inserted) = insert("80", json!({ "symbol": "MMM" }));
    let body = match (method, path) {
        ("POST", "/api/v1/watchlists") => json!({ "name": "New" }),
        ("POST", "/api/v1/watchlists/{id}/edits") => {
            json!({ "client": Uuid::new_v4(), "edit": 1, "changes": [inserted] })
        }
        ("PUT", "/api/v1/watchlists/{id}/access") => json!({ "user": null, "role": "viewer" }),
        // The password is wrong, so that the account is not changed.
        ("POST", "/api/v1/session/password") => json!({ "old": "not the password", "new": PASSWORD }),
        ("POST", "/api/v1/session") => json!({ "name": "viewer", "password": PASSWORD }),
        ("POST", "/api/v1/accounts") => json!({ "name": "viewer", "password": PASSWORD }),
        ("POST", "/api/v1/tokens") => json!({ "name": "new" }),
        ("PATCH", _) => json!({ "disabled": false }),
        _ => Value::Null,
    };
    let path = match path {
        "/api/v1/accounts/{id}" => path.replace("{id}", cast.id("viewer")),
        "/api/v1/watchlists/{id}"
        | "/api/v1/watchlists/{id}/restore"
        | "/api/v1/watchlists/{id}/edits"
        | "/api/v1/watchlists/{id}/history"
        | "/api/v1/watchlists/{id}/access" => path.replace("{id}", &list),
        _ => path.replace("{id}", &Uuid::new_v4().to_string()),
    };
    let (status, answer) =
        cast.desk.call(proof, method, &path, Some(body).filter(|body| !body.is_null())).await;
    match answer["code"].as_str() {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    }
}

/// Compares the table with the one in the repository.
fn check_table(rows: &[(String, Vec<String>)]) {
    let mut table = format!(
        "# Who may do what\n\nEvery message and every call, made by every kind of caller on one watchlist. The tests make each of \
         them and compare this\ntable. Of a watchlist that a caller may not see, every answer is the one for an unknown id. \"Stranger\" is an \
         account without\na role on the watchlist. The body of `POST /session/password` has a wrong password, that of `POST \
         /accounts` a name that is\ntaken, and the ids of sessions and tokens are unknown.\n\n| | {} |\n|{}\n",
        CALLERS.join(" | "),
        " --- |".repeat(CALLERS.len() + 1),
    );
    for (name, outcomes) in rows {
        writeln!(table, "| {name} | {} |", outcomes.join(" | ")).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rights.md");
    if std::env::var_os("AFTERGLOW_WRITE_GOLDEN").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    for (line, expected) in table.lines().zip(golden.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(table, golden);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_and_call_is_allowed_or_refused_as_the_table_says() {
    let cast = Cast::new().await;
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for row in MESSAGES {
        let mut outcomes = Vec::new();
        for (_, proof) in &cast.callers {
            let list = cast.list(matches!(row, "restore" | "deletedLists")).await;
            outcomes.push(match cast.desk.socket(proof).await {
                Err(status) => status.to_string(),
                Ok(mut client) => send(&cast, row, proof, &mut client, &list).await,
            });
        }
        rows.push((format!("`{row}`"), outcomes));
    }
    for (method, path) in http::calls() {
        let mut outcomes = Vec::new();
        for (name, proof) in &cast.callers {
            let signs_out = (method, path) == ("DELETE", "/api/v1/session");
            // The session ends, so it is one of its own.
            let own = signs_out && matches!(proof, Proof::Cookie(_)) && *name != "disabled";
            let proof = if own { cast.desk.sign_in(name).await } else { proof.clone() };
            outcomes.push(call(&cast, (method, path), &proof).await);
        }
        rows.push((format!("`{method} {path}`"), outcomes));
    }
    check_table(&rows);
}

#[test]
fn every_message_has_a_row() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(golden).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json")
            && let Ok(message) =
                shared::wire::codec::Encoding::Json.decode_client(&std::fs::read(&path).unwrap())
        {
            found.extend(rows_of(&message));
        }
    }
    assert_eq!(found, BTreeSet::from(MESSAGES));
}

/// The answers about a watchlist that a caller may not see are those for one that does not exist, but for the
/// id.
#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_watchlist_is_answered_like_an_unknown_one() {
    let cast = Cast::new().await;
    let hidden = cast.list(false).await;
    let deleted = cast.list(true).await;
    let unknown = Uuid::now_v7().to_string();
    let stranger = &cast.callers[3].1;
    let mut socket = cast.desk.socket(stranger).await.unwrap();
    for (method, path) in http::calls() {
        if !path.contains("/watchlists/{id}") {
            continue;
        }
        let mut answers = Vec::new();
        for list in [&unknown, &hidden, &deleted] {
            let body = match method {
                "POST" if path.ends_with("/edits") => Some(
                    json!({ "client": Uuid::nil(), "edit": 1, "changes": [{ "rename": { "name": "x" } }] }),
                ),
                "PUT" => Some(json!({ "user": null, "role": "viewer" })),
                _ => None,
            };
            let path = path.replace("{id}", list);
            let (status, response) = cast.desk.raw(stranger, (method, &path), body, &[]).await;
            let mut headers = response.headers().clone();
            headers.remove("date");
            answers.push((status, headers, response.body().replace(list.as_str(), "ID")));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{method} {path}: {answers:?}");
    }
    for message in ["open", "delete", "restore", "history", "edit"] {
        let mut answers = Vec::new();
        for (number, list) in [&unknown, &hidden, &deleted].into_iter().enumerate() {
            let changes = json!([{ "rename": { "name": "x" } }]);
            let edit = number + 1;
            let body =
                json!({ "type": message, "watchlist": list, "request": 1, "edit": edit, "changes": changes });
            socket.send(&body).await;
            let answer = answer(&mut socket, &["rejected"]).await;
            let text = answer.to_string().replace(list.as_str(), "ID");
            answers.push(text.replace(&format!("\"edit\":{edit}"), "\"edit\":0"));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{message}: {answers:?}");
    }
    // And they take as long.
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..300 {
        for (which, list) in [&unknown, &hidden].into_iter().enumerate() {
            let started = Instant::now();
            socket.send(&json!({ "type": "history", "watchlist": list, "request": 1 })).await;
            drop(answer(&mut socket, &[]).await);
            times[which].push(started.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let [unknown, hidden] = &times;
    let noise = unknown[225] - unknown[75];
    let difference = unknown[150].abs_diff(hidden[150]);
    assert!(difference <= noise.max(Duration::from_micros(20)), "{difference:?} of {noise:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchlist_keeps_an_owner_and_belongs_to_who_makes_it() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    let (bob, other) = desk.person("bob").await;
    let (_, created) = desk.call(&proof, "POST", "/api/v1/watchlists", json!({ "name": "Hers" })).await;
    let path = format!("/api/v1/watchlists/{}/access", created["watchlist"].as_str().unwrap());
    let (_, access) = desk.call(&proof, "GET", &path, None).await;
    assert_eq!(access["list"], json!([{ "user": { "id": ann, "name": "ann" }, "role": "owner" }]));
    for role in [json!("editor"), Value::Null] {
        let (status, answer) = desk.call(&proof, "PUT", &path, json!({ "user": ann, "role": role })).await;
        assert_eq!((status, &answer["code"]), (409, &json!("lastOwner")));
    }
    let set = |user: &str, role: &str| json!({ "user": user, "role": role });
    assert_eq!(desk.call(&proof, "PUT", &path, set(&bob, "owner")).await.0, 204);
    assert_eq!(desk.call(&other, "PUT", &path, set(&ann, "viewer")).await.0, 204);
    assert_eq!(desk.call(&proof, "PUT", &path, set(&ann, "owner")).await.0, 403, "no longer hers");
    let (status, answer) = desk.call(&other, "PUT", &path, set(&Uuid::nil().to_string(), "viewer")).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalidValue")), "an unknown account");
    let (_, found) = desk.call(&proof, "GET", "/api/v1/people?query=BO", None).await;
    assert_eq!(found["list"], json!([{ "id": bob, "name": "bob" }]));
    let (status, _) = desk.call(&other, "POST", "/api/v1/watchlists", json!({ "name": "His" })).await;
    assert_eq!(status, 201);
}

/// An id that somebody else's watchlist has is not a repeat.
#[tokio::test(flavor = "multi_thread")]
async fn a_watchlist_of_somebody_else_is_not_taken_over_by_its_id() {
    let desk = Desk::start().await;
    let (_, ann) = desk.person("ann").await;
    let (_, bob) = desk.person("bob").await;
    let (mut hers, mut his) = (desk.socket(&ann).await.unwrap(), desk.socket(&bob).await.unwrap());
    let list = hers.create("Hers").await;
    his.send(&json!({ "type": "create", "request": 1, "watchlist": list, "name": "His" })).await;
    let refused = answer(&mut his, &["created"]).await;
    assert_eq!(refused["code"], "invalidValue");
    his.send(&json!({ "type": "open", "watchlist": list })).await;
    assert_eq!(answer(&mut his, &["snapshot"]).await["code"], "unknownWatchlist");
    hers.send(&json!({ "type": "create", "request": 1, "watchlist": list, "name": "Hers" })).await;
    assert_eq!(answer(&mut hers, &["created"]).await["watchlist"], list, "a repeat of her own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_who_did_what() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    desk.try_sign_in("ann", "wrong lamp forty", &Proof::Nothing, &[]).await;
    let list = desk.list("Desk").await;
    desk.share(&list, Some(&ann), Some("viewer")).await;
    let change = json!({ "old": "wrong lamp forty", "new": "quiet river ninety" });
    assert_eq!(desk.call(&proof, "POST", "/api/v1/session/password", change).await.0, 401);
    assert_eq!(desk.call(&proof, "DELETE", "/api/v1/session", None).await.0, 204);
    let (_, log) = desk.call(&desk.local(), "GET", "/api/v1/audit", None).await;
    let entries = log["entries"].as_array().unwrap().iter().map(|stored| &stored["entry"]);
    let seen: Vec<_> = entries
        .map(|entry| format!("{} {}", entry["by"].as_str().unwrap(), entry["event"].as_str().unwrap()))
        .collect();
    let name = server::start::system_user_name();
    assert_eq!(seen.len(), 6, "{name}: {seen:?}");
    assert_eq!(&seen[1..3], ["ann signedIn", "ann signInFailed"]);
    assert!(seen[0].ends_with(" accountAdded") && seen[3].ends_with(" shared"));
    assert_eq!(&seen[4..], ["ann oldPasswordWrong", "ann signedOut"]);
    assert!(log["brokenAt"].is_null());
    assert!(!log.to_string().contains(PASSWORD) && !log.to_string().contains("wrong lamp"));
}

#[tokio::test]
async fn the_audit_log_has_deletions_and_each_refusal_once_a_minute() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    let list = desk.list("Desk").await;
    desk.share(&list, Some(&ann), Some("viewer")).await;
    let (_, inserted) = insert("80", json!({ "symbol": "MMM" }));
    let mut socket = desk.socket(&proof).await.unwrap();
    for _ in 0..3 {
        assert_eq!(socket.edit_answered(&list, json!([inserted.clone()])).await["code"], "forbidden");
    }
    for kind in ["delete", "restore"] {
        socket.send(&json!({ "type": kind, "request": 1, "watchlist": list })).await;
        assert_eq!(socket.expect("error").await["code"], "forbidden");
    }
    let edit = json!({ "client": Uuid::new_v4(), "edit": 1, "changes": [inserted] });
    let edits = format!("/api/v1/watchlists/{list}/edits");
    assert_eq!(desk.call(&proof, "POST", &edits, edit).await.0, 403);
    assert_eq!(desk.call(&proof, "GET", "/api/v1/accounts", None).await.0, 403);
    // What does not exist for the caller is not refused.
    let unknown = Uuid::new_v4();
    socket.edit_answered(&unknown.to_string(), json!([])).await;
    let path = format!("/api/v1/watchlists/{list}");
    assert_eq!(desk.call(&desk.local(), "DELETE", &path, None).await.0, 204);
    assert_eq!(desk.call(&desk.local(), "POST", &format!("{path}/restore"), None).await.0, 200);
    let denied = wait_for("the entries", async || {
        let (_, log) = desk.call(&desk.local(), "GET", "/api/v1/audit", None).await;
        for event in ["watchlistDeleted", "watchlistRestored"] {
            let is_there =
                |stored: &Value| stored["entry"]["event"] == event && stored["entry"]["watchlist"] == list;
            log["entries"].as_array().unwrap().iter().find(|stored| is_there(stored))?;
        }
        let entries = log["entries"].as_array().unwrap().iter().map(|stored| &stored["entry"]);
        let denied: Vec<String> = entries
            .filter(|entry| entry["event"] == "denied")
            .map(|entry| {
                assert!(entry["by"] == "ann" && entry["address"] == "127.0.0.1");
                entry["what"].as_str().unwrap().to_owned()
            })
            .collect();
        (denied.len() >= 5).then_some(denied)
    })
    .await;
    let expected = [
        format!("edit {list}"),
        format!("delete {list}"),
        format!("restore {list}"),
        format!("POST {edits}"),
        "GET /api/v1/accounts".to_owned(),
    ];
    assert_eq!(BTreeSet::from_iter(denied), BTreeSet::from_iter(expected));
}

/// Without accounts, nothing is kept of them.
#[tokio::test]
async fn a_deletion_by_the_only_user_creates_no_accounts() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let list = client.create("Desk").await;
    client.send(&json!({ "type": "delete", "request": 1, "watchlist": list })).await;
    client.expect("deleted").await;
    let stopped = server.restart().await;
    assert!(!stopped.folder.path().join("accounts.sqlite").exists());
}
