//! One client: its replica, its end of the connection, and the outbox that survives a crash of its process.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, WatchlistId, WindowId},
    limits::Limits,
    rejection::{Code, Rejection},
    replica::{Event, KeptEdit, Outcome, Replica},
    wire::{client::ClientMessage, codec::Encoding},
};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use uuid::Uuid;

use super::{clock::now, journal::Name, wire::Wire};

/// Number of iterations within a few milliseconds that no client needs unless it loops forever.
const MAX_PUMP_ROUNDS: usize = 20_000;

/// A client with its replica, its connection and its outbox.
pub(super) struct SimulatedClient {
    pub(super) replica: Replica,
    pub(super) socket: Option<WebSocketStream<Wire>>,
    /// The unanswered edits, and the next unused number.
    pub(super) outbox: SimulatedOutbox,
    /// An earlier copy of the outbox, with the client id at that time.
    pub(super) copy: Option<(ClientId, SimulatedOutbox)>,
    /// The answer to each edit, and its changes.
    pub(super) answers: BTreeMap<Name, (Outcome, Vec<Change>)>,
    /// Edits that it forgot by restoring a copy. They may or may not be applied.
    pub(super) lost: BTreeSet<Name>,
    pub(super) renewals: u128,
    /// Whether it sends its next edit twice.
    pub(super) sends_twice: bool,
}

/// What a client's disk keeps.
#[derive(Clone)]
pub(super) struct SimulatedOutbox {
    next: EditId,
    pub(super) kept: BTreeMap<EditId, KeptEdit>,
}

impl SimulatedClient {
    pub(super) fn new(id: u128) -> Self {
        let client = ClientId(Uuid::from_u128(id));
        Self {
            replica: Replica::new(client, "simulation", Limits::default(), EditId(1), Vec::new()),
            socket: None,
            outbox: SimulatedOutbox { next: EditId(1), kept: BTreeMap::new() },
            copy: None,
            answers: BTreeMap::new(),
            lost: BTreeSet::new(),
            renewals: 0,
            sends_twice: false,
        }
    }

    /// Closes the connection.
    pub(super) fn cut(&mut self) {
        if self.socket.take().is_some() {
            self.replica.disconnected();
            self.collect();
        }
    }

    /// Crashes the client's process and restarts it from its outbox.
    pub(super) fn restart(&mut self) {
        self.cut();
        self.load_outbox(self.replica.client());
    }

    fn load_outbox(&mut self, client: ClientId) {
        let kept = self.outbox.kept.values().cloned().collect();
        self.replica = Replica::new(client, "simulation", Limits::default(), self.outbox.next, kept);
    }

    /// Copies the outbox, or restores the copy.
    pub(super) fn copy_or_restore(&mut self) {
        match self.copy.take() {
            None => self.copy = Some((self.replica.client(), self.outbox.clone())),
            Some((client, outbox)) => {
                let forgotten = std::mem::replace(&mut self.outbox, outbox).kept;
                let name = |kept: KeptEdit| (kept.watchlist, self.replica.client(), kept.edit);
                self.lost.extend(forgotten.into_values().map(name));
                self.load_outbox(client);
            }
        }
    }

    /// Continues under a new id. Edits accepted under the old id are dropped from the outbox before their
    /// commits arrive.
    fn renew(&mut self) {
        self.renewals += 1;
        let old = self.replica.client();
        let client = ClientId(Uuid::from_u128(old.0.as_u128() + 1_000 * self.renewals));
        self.socket = None;
        let mut kept = std::mem::take(&mut self.outbox.kept);
        for (old, renumbered) in self.replica.renew(client) {
            kept.remove(&old).expect("every unanswered edit is in the outbox");
            self.outbox.next = renumbered.edit.next();
            self.outbox.kept.insert(renumbered.edit, renumbered);
        }
        self.lost.extend(kept.into_values().map(|accepted| (accepted.watchlist, old, accepted.edit)));
    }

    fn collect(&mut self) {
        for event in self.replica.take_events() {
            match event {
                Event::EditAnswered { watchlist, edit, outcome, changes, .. } => {
                    let name = (watchlist, self.replica.client(), edit);
                    if self.outbox.kept.remove(&edit).is_none() {
                        let is_lost = self.lost.iter().any(|(of, _, lost)| (*of, *lost) == (watchlist, edit));
                        assert!(is_lost, "{edit} was answered twice");
                        continue;
                    }
                    let changes = changes.into_iter().map(Change::without_guard).collect();
                    let answer = (outcome.clone(), changes);
                    let first = self.answers.entry(name).or_insert_with(|| answer.clone());
                    assert_eq!(*first, answer, "{edit} had another answer before");
                    let is_abandoned = |rejection: &Rejection| {
                        matches!(rejection.code, Code::EditReused | Code::TooOld | Code::Unavailable)
                    };
                    assert!(
                        !matches!(&outcome, Outcome::Rejected(rejection) if is_abandoned(rejection)),
                        "{edit} was abandoned"
                    );
                }
                Event::NumbersReused => self.renew(),
                _ => {}
            }
        }
    }

    /// Makes an edit and keeps it in the outbox.
    pub(super) fn edit(&mut self, list: WatchlistId, changes: Vec<Change>) {
        if let Ok((kept, _)) = self.replica.edit(list, WindowId(1), changes) {
            self.outbox.next = kept.edit.next();
            self.outbox.kept.insert(kept.edit, kept);
        }
    }

    /// Sends and receives for a duration.
    pub(super) async fn pump(&mut self, duration: Duration) {
        self.replica.tick(u64::try_from(now().as_millis()).unwrap());
        self.collect();
        let end = tokio::time::Instant::now() + duration;
        let mut rounds = 0;
        loop {
            // Simulated time does not advance while there is work to do, so only this detects an endless
            // loop.
            rounds += 1;
            assert!(rounds < MAX_PUMP_ROUNDS, "client {} loops forever", self.replica.client());
            let Some(socket) = &mut self.socket else { return };
            while let Some(message) = self.replica.poll_send() {
                let bytes = Encoding::MessagePack.encode(&message);
                // An edit that is sent twice must be applied once.
                let is_edit = matches!(message, ClientMessage::Edit(_));
                let times = if is_edit && std::mem::take(&mut self.sends_twice) { 2 } else { 1 };
                for _ in 0..times {
                    let sending = socket.send(Message::binary(bytes.clone()));
                    if !matches!(timeout(Duration::from_millis(50), sending).await, Ok(Ok(()))) {
                        return self.cut();
                    }
                }
            }
            let left =
                end.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(1));
            match timeout(left, socket.next()).await {
                Err(_) => break,
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    let message = Encoding::MessagePack.decode_server(&bytes).unwrap();
                    self.replica.handle(message, u64::try_from(now().as_millis()).unwrap());
                    self.collect();
                    if self.socket.is_none() {
                        return;
                    }
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => {
                    self.cut();
                    break;
                }
                Ok(Some(Ok(_))) => {}
            }
            if tokio::time::Instant::now() >= end {
                break;
            }
        }
        self.collect();
    }
}
