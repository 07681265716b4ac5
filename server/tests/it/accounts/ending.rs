//! What ends with a session, a token or an account, and what changes while sockets are open.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt, future::join_all};
use serde_json::{Value, json};
use server::settings::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

use super::people::{Desk, PASSWORD, Proof, cookie, ended, until};
use crate::support::{Client, PATIENCE, insert, settable_clock};

/// Starts a server on which an account may have as many sockets as these tests open.
async fn start() -> Desk {
    Desk::with(Settings { connections_per_account: 0, ..Settings::default() }).await
}

/// Sockets that have nothing to do with what ends.
const OTHERS: usize = 1_000;
const SECOND: Duration = Duration::from_secs(1);

/// Opens sockets of a session.
async fn sockets(desk: &Desk, proof: &Proof, count: usize) -> Vec<Client> {
    let mut opened = Vec::new();
    for _ in 0..count {
        opened.push(desk.socket(proof).await.unwrap());
    }
    opened
}

/// Asserts that a socket still answers.
async fn assert_open(client: &mut Client) {
    client.send(&json!({ "type": "deletedLists", "request": 77 })).await;
    assert_eq!(client.expect("deletedLists").await["request"], 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_closes_the_sockets_of_that_session_and_no_other() {
    let desk = start().await;
    let (_, bob) = desk.person("bob").await;
    let mut others = sockets(&desk, &bob, OTHERS).await;
    desk.add("ann", false).await;
    let (first, second) = (desk.sign_in("ann").await, desk.sign_in("ann").await);
    let closing = sockets(&desk, &first, 3).await;
    others.extend(sockets(&desk, &second, 2).await);
    assert_eq!(desk.call(&first, "DELETE", "/api/v1/session", None).await.0, 204);
    for (code, took) in join_all(closing.into_iter().map(ended)).await {
        assert!(code == "signedOut" && took < SECOND, "{code} after {took:?}");
    }
    for socket in &mut others {
        assert_open(socket).await;
    }
    assert_eq!(desk.call(&first, "GET", "/api/v1/session", None).await.0, 401);
    assert_eq!(desk.socket(&first).await.err(), Some(401));
    assert_eq!(desk.call(&second, "GET", "/api/v1/session", None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_an_account_reaches_its_windows_within_a_second() {
    let desk = start().await;
    let (_, bob) = desk.person("bob").await;
    let mut others = sockets(&desk, &bob, OTHERS).await;
    let (ann, first) = desk.person("ann").await;
    let second = desk.sign_in("ann").await;
    let (_, token) =
        desk.call(&desk.local(), "POST", "/api/v1/tokens", json!({ "name": "hers", "user": ann })).await;
    let token = Proof::Bearer(token["token"].as_str().unwrap().to_owned());
    let mut windows = sockets(&desk, &first, 3).await;
    windows.extend(sockets(&desk, &second, 2).await);
    windows.extend(sockets(&desk, &token, 1).await);
    desk.change(&ann, json!({ "disabled": true })).await;
    for (code, took) in join_all(windows.into_iter().map(ended)).await {
        assert!(code == "signedOut" && took < SECOND, "{code} after {took:?}");
    }
    for proof in [&first, &second, &token] {
        assert_eq!(desk.call(proof, "GET", "/api/v1/watchlists", None).await.0, 401);
    }
    desk.change(&ann, json!({ "disabled": false })).await;
    assert_eq!(desk.call(&first, "GET", "/api/v1/session", None).await.0, 401, "its sessions have ended");
    assert_eq!(desk.call(&token, "GET", "/api/v1/watchlists", None).await.0, 200, "its token is valid again");
    let again = desk.sign_in("ann").await;
    sockets(&desk, &again, 1).await;
    for socket in &mut others {
        assert_open(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_other_sessions() {
    const NEW: &str = "quiet river ninety";
    let desk = Desk::start().await;
    let (_, here) = desk.person("ann").await;
    let elsewhere = desk.sign_in("ann").await;
    let (mut kept, closing) = (desk.socket(&here).await.unwrap(), desk.socket(&elsewhere).await.unwrap());
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let path = "/api/v1/session/password";
    let (status, answer) = desk.call(&here, "POST", path, change("wrong", NEW)).await;
    assert_eq!((status, &answer["code"]), (401, &json!("badCredentials")));
    let (status, answer) = desk.call(&here, "POST", path, change(PASSWORD, "password")).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalidValue")), "a common one");
    assert_eq!(desk.call(&here, "POST", path, change(PASSWORD, NEW)).await.0, 204);
    assert_eq!(ended(closing).await.0, "signedOut");
    assert_open(&mut kept).await;
    assert_eq!(desk.call(&elsewhere, "GET", "/api/v1/session", None).await.0, 401);
    assert_eq!(desk.try_sign_in("ann", PASSWORD, &Proof::Nothing, &[]).await.0, 401);
    desk.sign_in_with("ann", NEW).await;
}

/// The rest of a request arrives after the end of its session.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_changes_no_password() {
    const NEW: &str = "quiet river ninety";
    let desk = Desk::start().await;
    let (id, first) = desk.person("ann").await;
    let second = desk.sign_in("ann").await;
    for (proof, is_disabled) in [(first, false), (second, true)] {
        let body = json!({ "old": PASSWORD, "new": NEW }).to_string();
        let (name, value) = proof.header().unwrap();
        let (start, rest) = body.split_at(body.len() - 1);
        let head = format!(
            "POST /api/v1/session/password HTTP/1.1\r\nhost: localhost\r\n{name}: {value}\r\n\
             expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(desk.server.running.serving.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1_024];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 100 "), "the head is accepted, and the body is read");
        stream.write_all(start.as_bytes()).await.unwrap();
        if is_disabled {
            desk.change(&id, json!({ "disabled": true })).await;
        } else {
            assert_eq!(desk.call(&proof, "DELETE", "/api/v1/session", None).await.0, 204);
        }
        stream.write_all(rest.as_bytes()).await.unwrap();
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    desk.change(&id, json!({ "disabled": false })).await;
    desk.sign_in_with("ann", PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_ends_own_sessions_and_no_others() {
    let desk = Desk::start().await;
    let (_, here) = desk.person("ann").await;
    let elsewhere = desk.sign_in("ann").await;
    let (_, bob) = desk.person("bob").await;
    let socket = desk.socket(&elsewhere).await.unwrap();
    let sessions = desk.call(&here, "GET", "/api/v1/session", None).await.1;
    let other = sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == false);
    let path = format!("/api/v1/session/{}", other.unwrap()["id"].as_str().unwrap());
    assert_eq!(desk.call(&bob, "DELETE", &path, None).await.0, 204, "the answer does not tell");
    assert_eq!(desk.call(&elsewhere, "GET", "/api/v1/session", None).await.0, 200);
    assert_eq!(desk.call(&here, "DELETE", &path, None).await.0, 204);
    assert_eq!(ended(socket).await.0, "signedOut");
    assert_eq!(desk.call(&elsewhere, "GET", "/api/v1/session", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_or_expired_token_proves_nothing() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let (time, clock) = settable_clock(1_000_000);
    let server = crate::support::TestServer::at(folder, server::settings::Settings::default(), clock).await;
    let desk = Desk { server };
    let local = desk.local();
    let add = |body| desk.call(&local, "POST", "/api/v1/tokens", body);
    let (_, lasting) = add(json!({ "name": "one" })).await;
    let (_, short) = add(json!({ "name": "two", "expires": "1970-01-01T00:20:00.000Z" })).await;
    let proof = |added: &serde_json::Value| Proof::Bearer(added["token"].as_str().unwrap().to_owned());
    let sockets = [desk.socket(&proof(&lasting)).await.unwrap(), desk.socket(&proof(&short)).await.unwrap()];
    let [first, second] = sockets;
    time.store(1_300_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(ended(second).await.0, "signedOut");
    assert_eq!(desk.call(&proof(&short), "GET", "/api/v1/watchlists", None).await.0, 401);
    assert_eq!(desk.call(&proof(&lasting), "GET", "/api/v1/watchlists", None).await.0, 200);
    let path = format!("/api/v1/tokens/{}", lasting["id"].as_str().unwrap());
    assert_eq!(desk.call(&desk.local(), "DELETE", &path, None).await.0, 204);
    assert_eq!(ended(first).await.0, "signedOut");
    assert_eq!(desk.call(&proof(&lasting), "GET", "/api/v1/watchlists", None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_role_is_told_and_a_lost_watchlist_is_closed() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    let list = desk.list("Desk").await;
    let mut socket = desk.socket(&proof).await.unwrap();
    desk.share(&list, Some(&ann), Some("viewer")).await;
    let lists = until(&mut socket, "watchlists", SECOND).await;
    assert_eq!((&lists["list"][0]["watchlist"], &lists["list"][0]["role"]), (&json!(list), &json!("viewer")));
    let snapshot = socket.open(&list).await;
    assert_eq!(snapshot["role"], "viewer");
    let (_, row) = insert("80", json!({ "symbol": "MMM" }));
    let refused = socket.edit_answered(&list, json!([row])).await;
    assert_eq!(refused["code"], "forbidden");
    desk.share(&list, Some(&ann), Some("editor")).await;
    let access = until(&mut socket, "access", SECOND).await;
    assert_eq!((&access["watchlist"], &access["role"]), (&json!(list), &json!("editor")));
    let accepted = socket.edit_answered(&list, json!([row])).await;
    assert_eq!(accepted["type"], "accepted");
    desk.share(&list, Some(&ann), None).await;
    let closed = until(&mut socket, "closed", SECOND).await;
    assert_eq!((&closed["watchlist"], &closed["reason"]), (&json!(list), &json!("forbidden")));
    let answer = socket.edit_answered(&list, json!([row])).await;
    assert_eq!(answer["code"], "unknownWatchlist");
    desk.share(&list, None, Some("viewer")).await;
    let lists = until(&mut socket, "watchlists", SECOND).await;
    assert_eq!(lists["list"][0]["role"], "viewer", "everyone's role");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_watchlists_that_a_person_does_not_see_do_not_show() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    let list = desk.list("Desk").await;
    desk.share(&list, Some(&ann), Some("viewer")).await;
    let mut socket = desk.socket(&proof).await.unwrap();
    let hidden = desk.list("Hidden").await;
    let path = format!("/api/v1/watchlists/{hidden}");
    assert_eq!(desk.call(&desk.local(), "DELETE", &path, None).await.0, 204);
    assert_eq!(desk.call(&desk.local(), "POST", &format!("{path}/restore"), None).await.0, 200);
    desk.person("bob").await;
    let silence = tokio::time::timeout(SECOND, socket.expect("watchlists")).await;
    assert!(silence.is_err(), "{silence:?}");
    // A watchlist that the person sees was deleted and restored before the list could be sent: the list is
    // sent all the same.
    let path = format!("/api/v1/watchlists/{list}");
    assert_eq!(desk.call(&desk.local(), "DELETE", &path, None).await.0, 204);
    assert_eq!(desk.call(&desk.local(), "POST", &format!("{path}/restore"), None).await.0, 200);
    // Perhaps one without it comes before.
    let shown = async {
        while until(&mut socket, "watchlists", SECOND).await["list"][0]["watchlist"] != json!(list) {}
    };
    timeout(SECOND, shown).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_tokens_and_roles_outlive_a_restart() {
    let desk = Desk::start().await;
    let (ann, proof) = desk.person("ann").await;
    let list = desk.list("Desk").await;
    desk.share(&list, Some(&ann), Some("editor")).await;
    let (_, created) = desk.call(&proof, "POST", "/api/v1/watchlists", json!({ "name": "Hers" })).await;
    let desk = Desk { server: desk.server.restart().await };
    let (status, lists) = desk.call(&proof, "GET", "/api/v1/watchlists", None).await;
    let roles: Vec<_> =
        lists["list"].as_array().unwrap().iter().map(|entry| (&entry["watchlist"], &entry["role"])).collect();
    assert_eq!(
        (status, roles),
        (200, vec![(&json!(list), &json!("editor")), (&created["watchlist"], &json!("owner"))])
    );
    let (_, response) = desk.try_sign_in("ann", PASSWORD, &Proof::Nothing, &[]).await;
    cookie(&response);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_too_many_connections_takes_none_from_the_others() {
    let desk = Desk::with(Settings { connections_per_account: 3, ..Settings::default() }).await;
    let (_, ann) = desk.person("ann").await;
    let (_, bob) = desk.person("bob").await;
    let mut open = sockets(&desk, &ann, 3).await;
    let (status, problem) = desk.call(&ann, "GET", "/api/v1/watchlists", None).await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("this account has 3 connections"), "{problem}");
    let _others = (desk.socket(&bob).await.unwrap(), desk.socket(&desk.local()).await.unwrap());
    assert_open(&mut open[2]).await;
    drop(open);
    let a_place = async { while desk.call(&ann, "GET", "/api/v1/watchlists", None).await.0 != 200 {} };
    timeout(PATIENCE, a_place).await.expect("a place after the connections have ended");
}

/// Size of the notes of [`large_list`].
const LARGE_BYTES: usize = 40 * 200 * 4_000;

/// Creates a watchlist that is larger than what the system buffers for a connection.
async fn large_list(desk: &Desk) -> String {
    let list = desk.list("Large").await;
    let note = "x".repeat(LARGE_BYTES / 40 / 200);
    for edit in 1..=40 {
        let inserts: Vec<_> =
            (0..200).map(|_| insert("80", json!({ "symbol": "A", "note": note })).1).collect();
        let body = json!({ "client": uuid::Uuid::from_u128(1), "edit": edit, "changes": inserts });
        let path = format!("/api/v1/watchlists/{list}/edits");
        assert_eq!(desk.call(&desk.local(), "POST", &path, body).await.0, 200);
    }
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_being_sent_ends_when_the_watchlist_is_taken_away_or_deleted() {
    let desk = Desk::start().await;
    let list = large_list(&desk).await;
    for is_deleted in [false, true] {
        let (ann, proof) = desk.person(if is_deleted { "ann" } else { "bob" }).await;
        desk.share(&list, Some(&ann), Some("viewer")).await;
        let mut reader = desk.socket(&proof).await.unwrap();
        reader.send(&json!({ "type": "open", "watchlist": list })).await;
        let parts = reader.expect("snapshot").await["parts"].as_u64().unwrap();
        if is_deleted {
            let path = format!("/api/v1/watchlists/{list}");
            assert_eq!(desk.call(&desk.local(), "DELETE", &path, None).await.0, 204);
        } else {
            desk.share(&list, Some(&ann), None).await;
        }
        let mut received = 1;
        let closed = loop {
            let message = reader.next().await.unwrap();
            match message["type"].as_str().unwrap() {
                "snapshot" => received += 1,
                "closed" => break message,
                _ => {}
            }
        };
        assert_eq!(closed["reason"], if is_deleted { "deleted" } else { "forbidden" });
        assert!(received < parts / 2, "{received} of {parts} parts");
        assert_open(&mut reader).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_cut_off_when_its_caller_may_no_longer_read() {
    let desk = Desk::start().await;
    let list = large_list(&desk).await;
    for (name, query) in [("ann", ""), ("bob", "?format=csv")] {
        let (id, proof) = desk.person(name).await;
        desk.share(&list, Some(&id), Some("viewer")).await;
        let (header, value) = proof.header().unwrap();
        let request = format!(
            "GET /api/v1/watchlists/{list}{query} HTTP/1.1\r\nhost: localhost\r\n{header}: {value}\r\n\r\n"
        );
        let mut stream = tokio::net::TcpStream::connect(desk.server.running.serving.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 1_000];
        stream.read_exact(&mut start).await.unwrap();
        assert!(start.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&start));
        match name {
            "ann" => desk.share(&list, Some(&id), None).await,
            _ => desk.change(&id, json!({ "disabled": true })).await,
        }
        let mut rest = Vec::new();
        // The end of a body that is cut off may be an error.
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().ok();
        let is_whole = rest.len() > LARGE_BYTES / 2 || rest.ends_with(b"0\r\n\r\n");
        assert!(!is_whole, "{} of {LARGE_BYTES} bytes", rest.len());
    }
}

/// The right is taken away and given back while the client reads slowly.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_last_of_a_watchlist_that_it_may_see_again() {
    let desk = Desk::start().await;
    let list = large_list(&desk).await;
    let (ann, proof) = desk.person("ann").await;
    desk.share(&list, Some(&ann), Some("viewer")).await;
    let mut readers = Vec::new();
    for _ in 0..8 {
        let mut reader = desk.socket(&proof).await.unwrap();
        let (list, stop) = (list.clone(), tokio_util::sync::CancellationToken::new());
        let stopped = stop.clone();
        let reading = tokio::spawn(async move {
            let open = json!({ "type": "open", "watchlist": list });
            reader.send(&open).await;
            let (mut last, mut closed) = (String::new(), 0);
            loop {
                // After the last change it reads until nothing more comes.
                let quiet = async {
                    stopped.cancelled().await;
                    tokio::time::sleep(SECOND).await;
                };
                let message = tokio::select! {
                    biased;
                    message = reader.next() => message.expect("the connection stays"),
                    () = quiet => return (last, closed),
                };
                let is_named = |message: &serde_json::Value| {
                    message["list"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|entry| entry["watchlist"] == list.as_str())
                };
                match message["type"].as_str().unwrap() {
                    "closed" => {
                        closed += 1;
                        last = "closed".to_owned();
                    }
                    "watchlists" if is_named(&message) => {
                        if last == "closed" && !stopped.is_cancelled() {
                            reader.send(&open).await;
                        }
                        last = "named".to_owned();
                    }
                    "watchlists" => last = "not named".to_owned(),
                    _ if stopped.is_cancelled() => {}
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        });
        readers.push((stop, reading));
    }
    for round in 0..40 {
        desk.share(&list, Some(&ann), None).await;
        tokio::time::sleep(Duration::from_millis(round % 4)).await;
        desk.share(&list, Some(&ann), Some("viewer")).await;
        tokio::time::sleep(Duration::from_millis(round * 7 % 50)).await;
    }
    let mut all = 0;
    for (stop, reading) in readers {
        stop.cancel();
        let (last, closed) = reading.await.unwrap();
        assert_eq!(last, "named", "after {closed} closes");
        all += closed;
    }
    assert!(all > 0, "the right was never seen to be missing");
}

/// The code with which a socket is closed is that of the contract.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_an_ended_session_is_closed_with_4401() {
    let desk = start().await;
    let (_, ann) = desk.person("ann").await;
    let mut client = desk.socket(&ann).await.unwrap();
    assert_eq!(desk.call(&ann, "DELETE", "/api/v1/session", None).await.0, 204);
    loop {
        let message = timeout(PATIENCE, client.socket.next()).await.expect("it is closed in time");
        if let Message::Close(frame) = message.unwrap().unwrap() {
            let frame = frame.expect("it has a code");
            assert_eq!(
                (u16::from(frame.code), frame.reason.as_str()),
                (4401, "your session has ended; sign in again")
            );
            return;
        }
    }
}

/// The account is disabled while its sockets send requests of every kind.
#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_when_a_session_ends_is_not_answered_as_if_the_right_were_missing() {
    let desk = start().await;
    let (ann, _) = desk.person("ann").await;
    let list = desk.list("Prices").await;
    desk.share(&list, Some(&ann), Some("owner")).await;
    for round in 0..40 {
        let proof = desk.sign_in("ann").await;
        let mut sending = Vec::new();
        for socket in sockets(&desk, &proof, 6).await {
            let list = list.clone();
            sending.push(tokio::spawn(async move {
                let (mut sink, mut stream) = socket.socket.split();
                let flood = async {
                    for number in 1_u64.. {
                        let rename = json!([{ "rename": { "name": format!("List {number}") } }]);
                        for message in [
                            json!({ "type": "edit", "watchlist": list, "edit": number, "changes": rename }),
                            json!({ "type": "history", "request": number, "watchlist": list, "limit": 1 }),
                            json!({ "type": "open", "watchlist": list }),
                            json!({ "type": "restore", "request": number, "watchlist": list }),
                        ] {
                            if sink.send(Message::text(message.to_string())).await.is_err() {
                                return;
                            }
                        }
                        tokio::time::sleep(Duration::from_millis(8)).await;
                    }
                };
                let read = async {
                    let (mut seen, mut code) = (Vec::new(), Value::Null);
                    while let Some(Ok(message)) = stream.next().await {
                        // Pings, and the close.
                        let Message::Text(text) = message else { continue };
                        let message: Value = serde_json::from_str(&text).unwrap();
                        match message["code"].as_str() {
                            Some("signedOut") => code = message["code"].clone(),
                            Some(_) => seen.push(message),
                            None => {}
                        }
                    }
                    (seen, code)
                };
                let ((), answers) = tokio::join!(flood, read);
                answers
            }));
        }
        tokio::time::sleep(Duration::from_millis(100 + round)).await;
        desk.change(&ann, json!({ "disabled": true })).await;
        for sending in sending {
            let (seen, code) = sending.await.unwrap();
            assert_eq!((seen, code), (Vec::new(), json!("signedOut")), "round {round}");
        }
        desk.change(&ann, json!({ "disabled": false })).await;
    }
}
