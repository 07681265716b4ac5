//! What callers of the HTTP interface cannot do to others: fill the places of connections, hold memory by not
//! reading, delay the end of the server, and send edits without limit.

use std::time::{Duration, Instant};

use serde_json::json;
use server::settings::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use uuid::Uuid;

use crate::support::{Client, TestServer, insert};

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.running.serving.address).await.unwrap()
}

/// Sends a request and returns the response's head and what arrives with it.
async fn request(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 4_096];
    let read = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_strangers_keep_nobody_out() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let mut strangers = Vec::new();
    for number in 0..1_300 {
        let mut stream = connect(&server).await;
        if number % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
        }
        strangers.push(stream);
    }
    let mut newcomer = server.client().await;
    newcomer.greet().await;
    let list = client.create("Still served").await;
    newcomer.open(&list).await;
    let mut end = [0; 1];
    let closed = strangers[0].read(&mut end).await;
    assert!(matches!(closed, Ok(0) | Err(_)), "the oldest stranger was disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let server = TestServer::start().await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ").await.unwrap();
    let started = Instant::now();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut bytes)).await;
    assert!(read.is_ok(), "the server closes the connection");
    assert!(started.elapsed() > Duration::from_secs(5), "a slow client has some time");
}

/// Strangers who begin to sign in and never finish.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_end_delay_no_one_and_are_given_up() {
    let server = TestServer::start().await;
    let head = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{\"name\": \"";
    let (started, mut strangers) = (Instant::now(), Vec::new());
    for _ in 0..1_000 {
        let mut stream = connect(&server).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        strangers.push(stream);
    }
    let mut client = server.client().await;
    client.greet().await;
    client.create("Still served").await;
    assert!(started.elapsed() < Duration::from_secs(15), "while the strangers are still connected");
    let (mut answered, mut first) = (0, None);
    for mut stream in strangers {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        drop(read.expect("a body that never ends is given up"));
        first.get_or_insert(started.elapsed());
        answered += usize::from(bytes.starts_with(b"HTTP/1.1 408 "));
    }
    assert!(first.unwrap() > Duration::from_secs(15), "a slow client has some time");
    assert!(answered > 900, "{answered} were told why");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_hello_is_given_up() {
    let server = TestServer::with(Settings { hello_seconds: 1, ..Settings::default() }).await;
    let mut client = server.client().await;
    let error = client.expect("error").await;
    assert_eq!(error["code"], "helloExpected");
    assert!(client.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_declared_too_large_is_not_waited_for() {
    let server = TestServer::start().await;
    let bearer = server.bearer();
    let size = Settings::default().limits.message_bytes + 1;
    for (path, bytes) in [("/api/v1/watchlists", size), ("/api/v1/session", 1 << 20)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\
             Content-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n"
        );
        let mut stream = connect(&server).await;
        let answer = tokio::time::timeout(Duration::from_secs(5), request(&mut stream, &head)).await;
        let answer = answer.expect("an answer before the body");
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"code\":\"tooLarge\""), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_requests_do_not_delay_the_end_of_the_server() {
    let server = TestServer::start().await;
    let bearer = server.bearer();
    let mut streams = Vec::new();
    for half in [
        "GET /healthz HTTP/1.1\r\nHost: ".to_owned(),
        "POST /api/v1/watchlists HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{".to_owned(),
        format!(
            "POST /api/v1/watchlists HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\
             Content-Length: 100\r\n\r\n{{"
        ),
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(half.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    server.running.stop().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

/// Creates a watchlist of 3 MB.
async fn long_list(client: &mut Client) -> String {
    let list = client.create("Long").await;
    for _ in 0..5 {
        let changes: Vec<_> =
            (0..1_000).map(|_| insert("80", json!({ "note": "x".repeat(500) })).1).collect();
        client.edit_answered(&list, json!(changes)).await;
    }
    list
}

/// Connects with a small buffer, and opens a watchlist.
async fn slow_reader(server: &TestServer, list: &str) -> Client {
    let address = server.running.serving.address;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let mut reader = Client::over(stream, &address.to_string(), server.running.token()).await;
    reader.greet().await;
    reader.open(list).await;
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_and_says_nothing_is_disconnected() {
    let server = TestServer::with(Settings { silence_seconds: 1, ..Settings::default() }).await;
    let mut client = server.client().await;
    client.greet().await;
    let list = long_list(&mut client).await;
    let mut reader = slow_reader(&server, &list).await;
    let (started, mut total, mut bytes) = (Instant::now(), 0, [0; 2_048]);
    // So slowly that the snapshot would take half a minute.
    while let Ok(read @ 1..) = reader.socket.get_mut().read(&mut bytes).await {
        total += read;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(started.elapsed() < Duration::from_secs(15), "{total} bytes were read");
    }
    assert!(total < 2_500_000, "{total} bytes were read");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_do_not_read_do_not_delay_the_end_of_the_server() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let list = long_list(&mut client).await;
    let _silent = slow_reader(&server, &list).await;
    let started = Instant::now();
    server.running.stop().await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_a_name_of_another_site_are_refused() {
    let server =
        TestServer::with(Settings { public_names: vec!["desk.example".into()], ..Settings::default() }).await;
    let bearer = server.bearer();
    for (host, status) in [("localhost", "200"), ("desk.example:7878", "200"), ("rebound.example", "403")] {
        for path in ["/healthz", "/api/v1/watchlists"] {
            let mut stream = connect(&server).await;
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n\r\n");
            let response = request(&mut stream, &head).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{host}{path}: {response}");
            // The same with the host in the target.
            let mut stream = connect(&server).await;
            let head = head
                .replace(path, &format!("http://{host}{path}"))
                .replace(&format!("Host: {host}"), "Host: localhost");
            let response = request(&mut stream, &head).await;
            assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{host}{path}: {response}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_do_not_read_leave_room_for_those_that_do() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.greet().await;
    let list = long_list(&mut client).await;
    let head = format!(
        "GET /api/v1/watchlists/{list} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
        server.bearer()
    );
    let mut silent = Vec::new();
    // More than are sent at once to one caller.
    for _ in 0..100 {
        let mut stream = connect(&server).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        // It is being sent before the next one.
        stream.read_u8().await.unwrap();
        silent.push(stream);
    }
    let mut reader = connect(&server).await;
    let closing = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    reader.write_all(closing.as_bytes()).await.unwrap();
    let mut whole = Vec::new();
    reader.read_to_end(&mut whole).await.unwrap();
    let text = String::from_utf8(whole).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{}", &text[..200.min(text.len())]);
    assert_eq!(text.matches("\"position\"").count(), 5_000);
    // Readers that have gone away do not count.
    drop(silent);
    for _ in 0..32 {
        let mut stream = connect(&server).await;
        let response = request(&mut stream, &head).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_over_http_are_limited_to_one_rate_whatever_their_client_ids() {
    let settings = Settings { edits_per_second: 20, edits_burst: 10, ..Settings::default() };
    let server = TestServer::with(settings).await;
    let mut client = server.client().await;
    client.greet().await;
    let list = client.create("Fast").await;
    let started = Instant::now();
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let (row, _) = insert("80", json!({}));
        let body = json!({ "client": Uuid::new_v4(), "edit": 1, "changes": [{ "insert": { "row": row, "position": "80", "cells": {} } }] });
        let url = format!("{}/api/v1/watchlists/{list}/edits", server.base());
        statuses.push(crate::http_calls::call("POST", url, Some(server.bearer()), Some(body)).await.0);
    }
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert!(started.elapsed() > Duration::from_millis(900), "{:?}", started.elapsed());
}
