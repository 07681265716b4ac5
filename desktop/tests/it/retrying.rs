//! A person retries the connection while an attempt is in progress.

use std::{
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use desktop::net::{Endpoint, Locate, Net, NetEvent};

use super::screen::wait_for;

/// The address of a server that accepts connections and never answers.
struct Silent(String);

impl Locate for Silent {
    fn locate(&mut self) -> Result<Endpoint, String> {
        Ok(Endpoint { base: self.0.clone(), token: "token".to_owned() })
    }
}

#[test]
fn a_retry_starts_a_new_attempt_and_is_not_shown_as_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let net = Net::start(Silent(address), Arc::new(|| {})).unwrap();
    let accept = |accepted: &mut Vec<TcpStream>, count| {
        wait_for("a connection", || {
            match listener.accept() {
                Ok((stream, _)) => accepted.push(stream),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            (accepted.len() == count).then_some(())
        });
    };
    let mut accepted = Vec::new();
    accept(&mut accepted, 1);
    net.retry_now();
    accept(&mut accepted, 2);
    let events: Vec<NetEvent> = std::iter::from_fn(|| net.poll()).collect();
    let attempts = events.iter().filter(|event| matches!(event, NetEvent::Connecting)).count();
    assert_eq!(attempts, 2, "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, NetEvent::Down { .. })), "{events:?}");
}
