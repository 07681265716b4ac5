//! Which servers are reached and trusted, directly and through a proxy, and what a person is told otherwise.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use desktop::{
    account::Identity,
    host::RemoteServer,
    net::{Net, NetEvent},
    remote::{Credential, Request, Server, Trust, call, dial},
};
use shared::{
    ids::ClientId,
    time::{MILLIS_PER_DAY, Timestamp},
    wire::{
        client::{ClientMessage, Hello},
        server::ServerMessage,
    },
};
use ureq::Proxy;

use crate::{
    account_server::{AccountServer, PASSWORD},
    screen::wait_for,
};

/// Calls a server and returns what a person reads.
fn reach(desk: &AccountServer, server: &Server) -> Result<(), String> {
    let called = call(server, None, Request::new("GET", "/healthz"));
    desk.block_on(called).map(drop).map_err(|error| error.to_string())
}

fn with(desk: &AccountServer, trust: Trust) -> Server {
    Server { trust, ..desk.server() }
}

#[test]
fn a_certificate_is_trusted_by_its_authority_or_by_its_fingerprint_and_otherwise_explained() {
    let desk = AccountServer::start();
    assert_eq!(reach(&desk, &desk.server()), Ok(()));
    let by_file = Trust { ca_file: Some(desk.authority()), fingerprint: None };
    assert_eq!(reach(&desk, &with(&desk, by_file)), Ok(()));

    let unknown = reach(&desk, &with(&desk, Trust::default())).unwrap_err();
    assert!(unknown.contains("does not trust") && unknown.contains("--ca FILE"), "{unknown}");
    let other = Trust { ca_file: None, fingerprint: Some("a".repeat(64).parse().unwrap()) };
    let other = reach(&desk, &with(&desk, other)).unwrap_err();
    assert!(other.contains("not from the authority that the connection file names"), "{other}");
    let by_address = Server { base: format!("https://127.0.0.1:{}", desk.port()), ..desk.server() };
    let by_address = reach(&desk, &by_address).unwrap_err();
    assert!(by_address.contains("is for another name"), "{by_address}");
}

#[test]
fn an_expired_certificate_and_one_of_the_future_are_explained() {
    let now = jiff::Timestamp::now().as_millisecond();
    for (days, words) in [(-4_000, "has expired"), (4_000, "is not valid yet")] {
        let created_at = Timestamp::from_millis(now + days * MILLIS_PER_DAY);
        let desk = AccountServer::with_certificate("localhost", created_at);
        let error = reach(&desk, &desk.server()).unwrap_err();
        assert!(error.contains(words) && error.contains("clock"), "{error}");
    }
}

#[test]
fn a_server_without_encryption_or_without_life_is_explained() {
    let desk = AccountServer::start();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = plain.local_addr().unwrap().port();
    let answering = thread::Builder::new().spawn(move || {
        let (mut stream, _) = plain.accept().unwrap();
        drop(stream.read(&mut [0; 1024]));
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let server = Server { base: format!("https://localhost:{port}"), ..desk.server() };
    let error = reach(&desk, &server).unwrap_err();
    assert!(error.contains("does not encrypt at this port") && !error.contains("http://"), "{error}");
    answering.unwrap().join().unwrap();
    let error = reach(&desk, &server).unwrap_err();
    assert!(error.contains("no server is running at https://localhost"), "{error}");
    let unknown = Server { base: "https://unknown.invalid:1".to_owned(), ..desk.server() };
    let error = reach(&desk, &unknown).unwrap_err();
    assert!(error.contains("cannot be reached"), "{error}");
}

/// A proxy that passes one connection on to a port of this machine, or answers with a status line. Returns
/// its address and the head of the request that it got.
fn proxy(port: u16, refusal: Option<&'static str>) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://bob:a%20secret@127.0.0.1:{}", listener.local_addr().unwrap().port());
    let run = move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map(Result::unwrap);
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        if let Some(refusal) = refusal {
            client.write_all(format!("{refusal}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            return head.join("\n");
        }
        let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = thread::Builder::new().spawn(move || {
            drop(std::io::copy(&mut from, &mut to));
            drop(to.shutdown(std::net::Shutdown::Write));
        });
        drop(std::io::copy(&mut { server }, &mut client));
        drop(client.shutdown(std::net::Shutdown::Both));
        up.unwrap().join().unwrap();
        head.join("\n")
    };
    (address, thread::Builder::new().spawn(run).unwrap())
}

#[test]
fn a_server_on_another_machine_is_reached_through_the_proxy_which_sees_only_the_name() {
    // Servers on this machine do without a proxy, so the name is one that only the proxy can resolve.
    let desk = AccountServer::with_certificate("desk.invalid", (server::clock::system())());
    let (address, head) = proxy(desk.port(), None);
    let server = Server {
        base: "https://desk.invalid:7443".to_owned(),
        proxy: Some(Proxy::new(&address).unwrap()),
        ..desk.server()
    };
    // The server refuses the host name, which is none of its own, so it was reached.
    let opened = desk.block_on(dial(&server)).map(drop);
    opened.unwrap();
    let head = head.join().unwrap();
    assert!(head.starts_with("CONNECT desk.invalid:7443 HTTP/1.1\nHost: desk.invalid:7443\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic Ym9iOmEgc2VjcmV0"), "{head}");
}

/// The sign-in and the WebSocket, each through a proxy of its own.
#[test]
fn a_session_and_its_websocket_run_through_the_proxy() {
    let desk = AccountServer::with_certificate("desk.invalid", (server::clock::system())());
    desk.add("ann");
    let proxied = || {
        let (address, head) = proxy(desk.port(), None);
        let base = "https://desk.invalid:7443".to_owned();
        (Server { base, proxy: Some(Proxy::new(&address).unwrap()), ..desk.server() }, head)
    };
    let (server, head) = proxied();
    let body = serde_json::json!({ "name": "ann", "password": PASSWORD });
    let answer = desk.block_on(call(&server, None, Request::new("POST", "/api/v1/session").with(&body)));
    let identity = Identity::new(None);
    identity.set(answer.unwrap().session.map(Credential::Session));
    head.join().unwrap();
    let (server, head) = proxied();
    let remote = RemoteServer { server, token_file: None, has_consent: Arc::new(true.into()), identity };
    let net = Net::start(remote, Arc::new(|| {})).unwrap();
    let welcomed = wait_for("the welcome", || match net.poll()? {
        NetEvent::Connected => {
            let client = ClientId(uuid::Uuid::from_u128(7));
            net.send(ClientMessage::Hello(Hello { client, app: "test".into() }));
            None
        }
        NetEvent::Message(message) => match *message {
            ServerMessage::Welcome(welcome) => Some(welcome.user.name.to_string()),
            _ => None,
        },
        NetEvent::Down { reason, .. } => panic!("{reason}"),
        _ => None,
    });
    assert_eq!(welcomed, "ann");
    drop(net);
    assert!(head.join().unwrap().starts_with("CONNECT desk.invalid:7443 HTTP/1.1\n"));
}

#[test]
fn a_proxy_that_refuses_is_named_with_its_reason() {
    let desk = AccountServer::start();
    for (refusal, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required", "asks for a name and a password"),
        ("HTTP/1.1 403 Forbidden", "403 Forbidden"),
        ("nonsense", "nonsense"),
    ] {
        let (address, head) = proxy(0, Some(refusal));
        let proxy = Some(Proxy::new(&address).unwrap());
        let server = Server { base: "https://desk.invalid:7443".to_owned(), proxy, ..desk.server() };
        let error = desk.block_on(dial(&server)).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("the proxy 127.0.0.1:") && error.contains(words), "{error}");
        head.join().unwrap();
    }
    let proxy = Some(Proxy::new("http://127.0.0.1:1").unwrap());
    assert_eq!(reach(&desk, &Server { proxy, ..desk.server() }), Ok(()), "a near server needs no proxy");
}

#[test]
fn a_session_is_started_used_and_refused_after_its_end() {
    let desk = AccountServer::start();
    desk.add("ann");
    let body = serde_json::json!({ "name": "ann", "password": PASSWORD });
    let answer =
        desk.block_on(call(&desk.server(), None, Request::new("POST", "/api/v1/session").with(&body)));
    let credential = Credential::Session(answer.unwrap().session.unwrap());
    let ask = |method, path: &str| {
        desk.block_on(call(&desk.server(), Some(&credential), Request::new(method, path)))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(ask("GET", "/api/v1/watchlists"), Ok(()));
    assert_eq!(ask("DELETE", "/api/v1/session"), Ok(()));
    assert_eq!(ask("GET", "/api/v1/watchlists"), Err("you are not signed in".to_owned()));
}
