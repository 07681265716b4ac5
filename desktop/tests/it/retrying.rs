//! Servers that do not answer: a person retries the connection while an attempt is in progress, and is told
//! of the silence of a connected one.

use std::{
    io::ErrorKind,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::{
    net::{Endpoint, Locate, LocateError, Net, NetEvent},
    remote::Credential,
    store::{Connection, Store},
};

use server::accounts::{TOKEN_FILE, read_token};

use super::{screen::wait_for, support::ServerProcess};

/// The address of a server that accepts connections and never answers.
struct Silent(String);

impl Locate for Silent {
    fn locate(&mut self) -> Result<Endpoint, LocateError> {
        let credential = Credential::Token("token".to_owned());
        Ok(Endpoint { base: self.0.clone(), server: self.0.clone(), credential })
    }
}

#[test]
fn a_retry_abandons_only_an_attempt_that_hangs_and_is_not_shown_as_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let net = Net::start(Silent(address), Arc::new(|| {})).unwrap();
    let started = Instant::now();
    let mut accepted = Vec::new();
    // However often a person retries, an attempt has time to succeed.
    wait_for("a second attempt", || {
        net.retry_now();
        match listener.accept() {
            Ok((stream, _)) => accepted.push(stream),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        (accepted.len() == 2).then_some(())
    });
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    let events: Vec<NetEvent> = std::iter::from_fn(|| net.poll()).collect();
    let attempts = events.iter().filter(|event| matches!(event, NetEvent::Connecting)).count();
    assert_eq!(attempts, 2, "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, NetEvent::Down { .. })), "{events:?}");
}

/// A server, with the token of its data folder.
struct Known {
    base: String,
    token: String,
}

impl Locate for Known {
    fn locate(&mut self) -> Result<Endpoint, LocateError> {
        let credential = Credential::Token(self.token.clone());
        Ok(Endpoint { base: self.base.clone(), server: self.base.clone(), credential })
    }
}

#[test]
fn the_silence_of_a_server_is_told_within_seconds_and_ends_with_its_next_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path(), "127.0.0.1:0");
    let token = read_token(&folder.path().join(TOKEN_FILE)).unwrap();
    let net = Net::start(Known { base: server.base.clone(), token }, Arc::new(|| {})).unwrap();
    let mut store =
        Store::open(&folder.path().join("outbox"), Instant::now, server::files::write_atomically).unwrap();
    let started = Instant::now();
    let mut step = |is_done: &dyn Fn(&Connection) -> bool, what: &str| {
        wait_for(what, || {
            let now = started.elapsed();
            while let Some(event) = net.poll() {
                match event {
                    NetEvent::Connected => store.connected(),
                    NetEvent::Message(message) => store.receive(*message, now),
                    NetEvent::RoundTrip(took) => store.set_round_trip(took),
                    NetEvent::Silent(silence) => store.set_silence(silence, now),
                    other => assert!(matches!(other, NetEvent::Connecting), "{other:?}"),
                }
            }
            while let Some(message) = store.poll_send() {
                net.send(message);
            }
            is_done(store.connection()).then_some(())
        });
    };
    let is_up = |connection: &Connection| {
        let short = |took: &Duration| *took < Duration::from_secs(1);
        matches!(connection, Connection::Up { round_trip: Some(took), silent_since: None } if short(took))
    };
    step(&is_up, "the round trip");
    server.set_stopped(true);
    let stopped = Instant::now();
    step(&|connection| matches!(connection, Connection::Up { silent_since: Some(_), .. }), "the silence");
    assert!(stopped.elapsed() < Duration::from_secs(9), "{:?}", stopped.elapsed());
    server.set_stopped(false);
    step(&is_up, "the end of the silence, with a new round trip");
}
