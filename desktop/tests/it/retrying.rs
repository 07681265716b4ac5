//! A person retries the connection while an attempt is in progress.

use std::{
    io::ErrorKind,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use desktop::{
    net::{Endpoint, Locate, LocateError, Net, NetEvent},
    remote::Credential,
};

use super::screen::wait_for;

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
