//! Clients that edit, read, delete and restore one watchlist, and record what they were answered.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    CELLS, Recorded, Target,
    history::{Edit, Outcome, Read, Span, Text},
    requests::{Connection, call},
};

/// Pause after a call without an answer.
const RETRY: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug)]
pub(super) enum Transport {
    WebSocket,
    Http,
}

/// A client that edits and reads, one call after the other.
pub(super) struct Worker {
    target: Target,
    transport: Transport,
    rng: Rng,
    client: String,
    edit: u64,
    connection: Option<Connection>,
    /// What it has seen of the cells, to guard its edits with.
    seen: BTreeMap<u128, Text>,
    recorded: Recorded,
    /// Number of edits of all workers that were in conflict.
    conflicts: Arc<AtomicUsize>,
}

/// What an attempt came to.
enum Answer<T> {
    Found(T),
    /// The watchlist is unknown.
    Missing,
    /// Nothing is known.
    None,
}

impl Worker {
    pub(super) fn new(
        target: Target,
        transport: Transport,
        number: u64,
        conflicts: Arc<AtomicUsize>,
    ) -> Self {
        let rng = Rng::with_seed(number);
        let client = Uuid::new_v4().to_string();
        let (connection, seen, recorded) = (None, BTreeMap::new(), Recorded::default());
        Self { target, transport, rng, client, edit: 0, connection, seen, recorded, conflicts }
    }

    /// Edits and reads until it is stopped. Its last edit is answered then.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Recorded {
        while !stop.is_cancelled() {
            if self.rng.u8(..3) == 0 {
                self.read().await;
            } else {
                self.edit().await;
            }
        }
        self.recorded
    }

    /// Records whether an attempt has found the watchlist, and waits after one without an answer.
    async fn record<T>(&mut self, start: Instant, answer: Answer<T>) -> Option<T> {
        let span = Span { start, end: Instant::now() };
        let existence = &mut self.recorded.existence;
        match answer {
            Answer::Found(found) => {
                existence.found.push(span);
                return Some(found);
            }
            Answer::Missing => existence.missing.push(span),
            Answer::None => {}
        }
        sleep(RETRY).await;
        None
    }

    /// Makes an edit, and sends it until it is accepted or in conflict.
    async fn edit(&mut self) {
        self.edit += 1;
        let (edit, cell) = (self.edit, self.rng.u128(1..=CELLS));
        let text = format!("{} {edit}", &self.client[..8]);
        let guard = self.rng.bool().then(|| self.seen.get(&cell).cloned().flatten());
        let mut set = json!({ "row": Uuid::from_u128(cell), "column": "note", "value": text });
        if let Some(guard) = &guard {
            set["was"] = json!(guard);
        }
        let changes = json!([{ "set": set }]);
        let first = Instant::now();
        let outcome = loop {
            let start = Instant::now();
            let answer = match self.transport {
                Transport::Http => self.edit_http(&changes).await,
                Transport::WebSocket => self.edit_socket(&changes).await,
            };
            if let Some(outcome) = self.record(start, answer).await {
                break outcome;
            }
        };
        let now = match &outcome {
            Outcome::Accepted(_) => Some(text.clone()),
            Outcome::Conflict(current) => {
                self.conflicts.fetch_add(1, Ordering::Relaxed);
                current.clone()
            }
        };
        self.seen.insert(cell, now);
        let span = Span { start: first, end: Instant::now() };
        let name = (self.client.clone(), edit);
        self.recorded.edits.push(Edit { name, span, cell, text, guard, outcome });
    }

    async fn edit_http(&self, changes: &Value) -> Answer<Outcome> {
        let body = json!({ "client": self.client, "edit": self.edit, "changes": changes });
        match call(&self.target, "POST", "/edits", Some(body)).await {
            Some((200, body)) => Answer::Found(Outcome::Accepted(body["revision"].as_u64().unwrap())),
            Some((409, body)) => Answer::Found(Outcome::Conflict(text_of(&body["current"]))),
            Some((404, _)) => Answer::Missing,
            Some((503, _)) | None => Answer::None,
            Some(unexpected) => panic!("{unexpected:?}"),
        }
    }

    /// Returns the connection, or opens it.
    async fn connected(&mut self) -> Option<&mut Connection> {
        if self.connection.is_none() {
            self.connection = Connection::open(&self.target, &self.client).await;
        }
        self.connection.as_mut()
    }

    async fn edit_socket(&mut self, changes: &Value) -> Answer<Outcome> {
        let (list, edit) = (self.target.list.clone(), self.edit);
        let message = json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": changes });
        let answered = async {
            let connection = self.connected().await?;
            connection.send(&message).await?;
            let is_answer = |message: &Value| {
                let kind = message["type"].as_str().unwrap();
                let is_this = message["edit"] == edit && matches!(kind, "accepted" | "rejected");
                is_this.then(|| message.clone())
            };
            connection.find(is_answer).await
        };
        let Some(answer) = answered.await else {
            self.connection = None;
            return Answer::None;
        };
        match (answer["revision"].as_u64(), answer["code"].as_str()) {
            (Some(revision), _) => Answer::Found(Outcome::Accepted(revision)),
            (None, Some("conflict")) => Answer::Found(Outcome::Conflict(text_of(&answer["current"]))),
            (None, Some("unknownWatchlist")) => Answer::Missing,
            (None, Some("unavailable")) => Answer::None,
            _ => panic!("{answer}"),
        }
    }

    async fn read(&mut self) {
        let start = Instant::now();
        let answer = match self.transport {
            Transport::Http => self.read_http().await,
            Transport::WebSocket => self.read_socket().await,
        };
        if let Some((epoch, revision, cells)) = self.record(start, answer).await {
            self.seen.clone_from(&cells);
            let span = Span { start, end: Instant::now() };
            let is_current = matches!(self.transport, Transport::Http);
            self.recorded.reads.push(Read { span, is_current, epoch, revision, cells });
        }
    }

    async fn read_http(&self) -> Answer<(String, u64, BTreeMap<u128, Text>)> {
        match call(&self.target, "GET", "", None).await {
            Some((200, body)) => Answer::Found(state_of(&[body])),
            Some((404, _)) => Answer::Missing,
            Some((503, _)) | None => Answer::None,
            Some(unexpected) => panic!("{unexpected:?}"),
        }
    }

    async fn read_socket(&mut self) -> Answer<(String, u64, BTreeMap<u128, Text>)> {
        let list = self.target.list.clone();
        let read = async {
            let connection = self.connected().await?;
            connection.send(&json!({ "type": "open", "watchlist": list })).await?;
            let mut parts: Vec<Value> = Vec::new();
            loop {
                let is_wanted = |message: &Value| {
                    let is_of_list = message["watchlist"] == *list;
                    let is_kind =
                        ["snapshot", "closed", "error"].contains(&message["type"].as_str().unwrap());
                    (is_of_list && is_kind).then(|| message.clone())
                };
                let message = connection.find(is_wanted).await?;
                if message["type"] == "closed" {
                    // It may be about the subscription before, and long restored.
                    return None;
                }
                if message["type"] == "error" {
                    return Some(Err(message["code"].as_str().unwrap().to_owned()));
                }
                let is_last = message["part"] == message["parts"];
                parts.push(message);
                if is_last {
                    connection.send(&json!({ "type": "close", "watchlist": list })).await?;
                    return Some(Ok(state_of(&parts)));
                }
            }
        };
        match read.await {
            Some(Ok(state)) => Answer::Found(state),
            Some(Err(code)) if code == "unknownWatchlist" => Answer::Missing,
            Some(Err(code)) if code == "unavailable" => Answer::None,
            Some(Err(code)) => panic!("{code}"),
            None => {
                self.connection = None;
                Answer::None
            }
        }
    }
}

fn text_of(value: &Value) -> Text {
    value.as_str().map(ToOwned::to_owned)
}

/// Returns the epoch, the revision and the cells of the parts of a snapshot.
fn state_of(parts: &[Value]) -> (String, u64, BTreeMap<u128, Text>) {
    let rows = parts.iter().flat_map(|part| part["rows"].as_array().unwrap());
    let cells = rows.map(|row| {
        let number = row["row"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128();
        (number, text_of(&row["cells"]["note"]))
    });
    let (epoch, revision) = (&parts[0]["epoch"], &parts[0]["revision"]);
    (epoch.as_str().unwrap().to_owned(), revision.as_u64().unwrap(), cells.collect())
}

/// The one client that deletes and restores the watchlist.
pub(super) struct Manager(Target);

impl Manager {
    pub(super) fn new(target: Target) -> Self {
        Self(target)
    }

    /// Deletes and restores until it is stopped. The watchlist is there then.
    pub(super) async fn run(self, stop: CancellationToken) -> Recorded {
        let mut recorded = Recorded::default();
        while !stop.is_cancelled() {
            sleep(Duration::from_millis(fastrand::u64(20..150))).await;
            let deletion = self.until("DELETE", "", &[204, 404]).await;
            recorded.existence.deletions.push(deletion);
            sleep(Duration::from_millis(fastrand::u64(..40))).await;
            let restoration = self.until("POST", "/restore", &[200]).await;
            recorded.existence.restorations.push(restoration);
        }
        recorded
    }

    /// Makes a call until it is answered with one of these statuses. A deletion that was done without an
    /// answer is then `404`.
    async fn until(&self, method: &'static str, path: &str, statuses: &[u16]) -> Span {
        let start = Instant::now();
        loop {
            match call(&self.0, method, path, None).await {
                Some((status, _)) if statuses.contains(&status) => {
                    return Span { start, end: Instant::now() };
                }
                Some((503, _)) | None => sleep(RETRY).await,
                Some(unexpected) => panic!("{method} {path}: {unexpected:?}"),
            }
        }
    }
}
