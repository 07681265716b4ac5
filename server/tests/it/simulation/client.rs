//! One client: its replica, its end of the connection, and the outbox that survives a crash of its process.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use server::access::Caller;
use shared::{
    edit::Change,
    ids::{At, ClientId, EditId, WatchlistId, WindowId},
    limits::Limits,
    rejection::{Code, Rejection},
    replica::{Event, KeptEdit, ListReplica, Outcome, Replica},
    wire::{client::ClientMessage, codec::Encoding},
};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use uuid::Uuid;

use super::{
    LISTS,
    clock::now,
    disk::Name,
    events::{Kind, count, record},
    wire::Wire,
};
use crate::support::admin;

/// Number of iterations within a few milliseconds that no client needs unless it loops forever.
const MAX_PUMP_ROUNDS: usize = 20_000;
/// Time that a client that reads slowly takes for a message.
const SLOW_READ: Duration = Duration::from_millis(30);

/// How a client reads from its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    AtOnce,
    Slowly,
    NotAtAll,
}

/// A client with its replica, its connection and its outbox.
pub(super) struct SimulatedClient {
    /// Whose client it is.
    pub(super) caller: Caller,
    pub(super) replica: Replica,
    pub(super) socket: Option<WebSocketStream<Wire>>,
    pub(super) reading: Reading,
    /// The unanswered edits, and the next unused number.
    pub(super) outbox: SimulatedOutbox,
    /// An earlier copy of the outbox, with the client id at that time.
    pub(super) copy: Option<(ClientId, SimulatedOutbox)>,
    /// The answer to each edit, and its changes.
    pub(super) answers: BTreeMap<Name, (Outcome, Vec<Change>)>,
    /// Edits that it forgot by restoring a copy. They may or may not be applied.
    pub(super) lost: BTreeSet<Name>,
    renewals: u128,
    /// Whether it sends its next edit twice.
    pub(super) sends_twice: bool,
    /// The newest revision that it has seen of each watchlist.
    seen: BTreeMap<WatchlistId, At>,
    /// Unanswered edits of watchlists that were deleted since.
    kept_while_deleted: BTreeSet<Name>,
}

/// What a client's disk keeps.
#[derive(Clone)]
pub(super) struct SimulatedOutbox {
    next: EditId,
    pub(super) kept: BTreeMap<EditId, KeptEdit>,
}

/// Whether the answer says that the watchlist is deleted. An edit that gets it may be stored: it was sent
/// before the watchlist was deleted, and the connection was lost before its answer.
pub(super) fn is_unknown_watchlist(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Rejected(rejection) if rejection.code == Code::UnknownWatchlist)
}

impl SimulatedClient {
    pub(super) fn new(id: u128) -> Self {
        let client = ClientId(Uuid::from_u128(id));
        Self {
            caller: admin(),
            replica: Replica::new(client, "simulation", Limits::default(), EditId(1), Vec::new()),
            socket: None,
            reading: Reading::AtOnce,
            outbox: SimulatedOutbox { next: EditId(1), kept: BTreeMap::new() },
            copy: None,
            answers: BTreeMap::new(),
            lost: BTreeSet::new(),
            renewals: 0,
            sends_twice: false,
            seen: BTreeMap::new(),
            kept_while_deleted: BTreeSet::new(),
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
                    self.answered((watchlist, self.replica.client(), edit), outcome, changes);
                }
                Event::Committed { watchlist, revision, by, .. } => {
                    record(("seen", self.replica.client(), watchlist, revision, by.client, by.edit));
                }
                Event::Closed { watchlist, .. } => self.closed(watchlist),
                Event::NumbersReused => self.renew(),
                _ => {}
            }
        }
    }

    fn answered(&mut self, name: Name, outcome: Outcome, changes: Vec<Change>) {
        let (watchlist, _, edit) = name;
        if self.outbox.kept.remove(&edit).is_none() {
            let is_lost = self.lost.iter().any(|(of, _, lost)| (*of, *lost) == (watchlist, edit));
            assert!(is_lost, "{edit} was answered twice");
            return;
        }
        match &outcome {
            Outcome::Accepted(revision) => {
                count(Kind::Accepted);
                record(("accepted", name, revision));
                if self.kept_while_deleted.remove(&name) {
                    count(Kind::KeptWhileDeleted);
                }
            }
            Outcome::Rejected(Rejection { code, .. }) => {
                let is_abandoned = matches!(code, Code::EditReused | Code::TooOld | Code::Unavailable);
                assert!(!is_abandoned, "{edit} was abandoned");
                if *code == Code::Forbidden {
                    count(Kind::Forbidden);
                }
                record(("rejected", name, code));
            }
        }
        let changes = changes.into_iter().map(Change::without_guard).collect();
        let answer = (outcome, changes);
        if is_unknown_watchlist(&answer.0) {
            count(Kind::UnknownWatchlist);
            self.answers.entry(name).or_insert(answer);
            return;
        }
        match self.answers.insert(name, answer.clone()) {
            Some(first) if !is_unknown_watchlist(&first.0) => {
                assert_eq!(first, answer, "{edit} had another answer before");
            }
            Some(_) | None => {}
        }
    }

    /// Handles the deletion of a watchlist: its unanswered edits are kept.
    fn closed(&mut self, watchlist: WatchlistId) {
        record(("closed", self.replica.client(), watchlist));
        let kept = self.outbox.kept.values().filter(|kept| kept.watchlist == watchlist);
        let client = self.replica.client();
        self.kept_while_deleted.extend(kept.map(|kept| (watchlist, client, kept.edit)));
    }

    /// Checks that the replica has every unanswered edit, and that no revision and no epoch is older than one
    /// that the client has seen.
    fn check(&mut self) {
        let lists = || LISTS.into_iter().filter_map(|id| Some((id, self.replica.list(id)?)));
        let pending: usize = lists().map(|(_, list)| list.unanswered_count()).sum();
        // Under a new id, an edit that was accepted under the old one is pending until its commit arrives.
        let kept = self.outbox.kept.len();
        assert!(
            pending == kept || self.renewals > 0,
            "the replica has {pending} edits and the outbox {kept}"
        );
        for (id, at) in lists().filter_map(|(id, list)| Some((id, list.at()?))) {
            let seen = self.seen.entry(id).or_insert(at);
            assert_eq!(at.epoch, seen.epoch, "a watchlist keeps its epoch");
            assert!(at.revision >= seen.revision, "{} came after {}", at.revision, seen.revision);
            *seen = at;
        }
    }

    /// Makes an edit and keeps it in the outbox.
    pub(super) fn edit(&mut self, list: WatchlistId, changes: Vec<Change>) {
        if let Ok((kept, _)) = self.replica.edit(list, WindowId(1), changes) {
            self.outbox.next = kept.edit.next();
            self.outbox.kept.insert(kept.edit, kept);
        }
    }

    /// Opens the watchlists again that were deleted and are listed once more.
    fn open_listed(&mut self) {
        let listed = self.replica.summaries().unwrap_or_default();
        let listed: Vec<_> = listed.iter().map(|summary| summary.watchlist).collect();
        LISTS.into_iter().filter(|list| listed.contains(list)).for_each(|list| self.replica.open(list));
    }

    /// Whether it has answers to all its edits, and shows each watchlist at its newest revision.
    pub(super) fn has_converged(&self, heads: &[At]) -> bool {
        let shows = |(id, head): (WatchlistId, &At)| {
            self.replica.list(id).and_then(ListReplica::at).as_ref() == Some(head)
        };
        self.outbox.kept.is_empty()
            && self.replica.unanswered_count() == 0
            && LISTS.into_iter().zip(heads).all(shows)
    }

    /// Sends and receives for a duration.
    pub(super) async fn pump(&mut self, duration: Duration) {
        self.replica.tick(u64::try_from(now().as_millis()).unwrap());
        self.open_listed();
        self.exchange(duration).await;
        self.collect();
        self.check();
    }

    async fn exchange(&mut self, duration: Duration) {
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
            match self.reading {
                Reading::AtOnce => {}
                Reading::Slowly => sleep(SLOW_READ).await,
                Reading::NotAtAll => return,
            }
            let left =
                end.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_millis(1));
            match timeout(left, socket.next()).await {
                Err(_) => return,
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    let message = Encoding::MessagePack.decode_server(&bytes).unwrap();
                    self.replica.handle(message, u64::try_from(now().as_millis()).unwrap());
                    self.collect();
                    self.check();
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => return self.cut(),
                Ok(Some(Ok(_))) => {}
            }
            if tokio::time::Instant::now() >= end {
                return;
            }
        }
    }
}
