//! The list of watchlists as connections are sent it: encoded once for all connections of an account, and at most a few times
//! a second.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shared::{
    ids::UserId,
    limits::SERVER_MESSAGE_BYTES,
    wire::server::{ServerMessage, Watchlists},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    access::Caller,
    dialect::{Dialect, frame::Frame},
    hub::Hub,
    pace::Pace,
};

/// Maximum age of the revisions and numbers of rows in a list.
const MAX_AGE: Duration = Duration::from_millis(250);
/// Sustained number of lists to a connection per second.
const PER_SECOND: u32 = 4;
/// Number of lists that a connection may be sent at once.
const BURST: u32 = 8;

/// The lists that were encoded last.
#[derive(Default)]
pub struct EncodedLists(Mutex<HashMap<(UserId, Dialect), EncodedList>>);

struct EncodedList {
    version: u64,
    at: Instant,
    frame: Frame,
}

impl EncodedLists {
    /// Returns the list of the watchlists that a caller sees.
    pub(super) fn get(&self, hub: &Hub, caller: &Caller, dialect: Dialect) -> Frame {
        let (now, version) = (Instant::now(), *hub.changes().borrow());
        let mut encoded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        encoded.retain(|_, list| now < list.at + MAX_AGE && list.version == version);
        let encode = || {
            let frame = dialect.encode(&ServerMessage::Watchlists(Watchlists { list: hub.list(caller) }));
            debug_assert!(frame.bytes().len() <= SERVER_MESSAGE_BYTES, "the number of watchlists is limited");
            EncodedList { version, at: now, frame }
        };
        encoded.entry((caller.user().id, dialect)).or_insert_with(encode).frame.clone()
    }
}

/// When a connection is sent the list again.
pub(super) struct ListUpdates {
    changes: watch::Receiver<u64>,
    pace: Pace,
}

impl ListUpdates {
    /// Starts after a list that was sent just now.
    pub(super) fn new(hub: &Hub) -> Self {
        Self { changes: hub.changes(), pace: Pace::new(PER_SECOND, BURST, Instant::now()) }
    }

    /// Waits until the list has changed and may be sent. The future may be dropped.
    pub(super) async fn due(&mut self) {
        // `changed` marks the change as seen, so it comes last: until then the future may be dropped.
        if self.changes.has_changed().is_ok_and(|has_changed| !has_changed) {
            let mut changes = self.changes.clone();
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
        self.pace.fill(Instant::now());
        if let Some(at) = self.pace.wait_until() {
            sleep_until(at).await;
        }
        self.changes.mark_unchanged();
        self.pace.consume(Instant::now());
    }
}
