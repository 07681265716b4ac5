//! A client like the desktop's, without windows: a replica connected to a socket.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use shared::{
    edit::Change,
    ids::{ClientId, EditId, RowId, WatchlistId, WindowId},
    limits::Limits,
    position::Position,
    replica::{Event, Replica},
    value::Literal,
    wire::{codec::Encoding, snapshot::SnapshotRow},
};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::process::{Endpoint, Socket};

/// A client that has one watchlist open.
pub struct Desk {
    pub replica: Replica,
    pub list: WatchlistId,
    socket: Option<Socket>,
    started: Instant,
}

/// The state that a client shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub revision: u64,
    pub digest: u64,
}

impl Desk {
    pub fn new(list: WatchlistId) -> Self {
        let mut desk = Self::unopened(list);
        desk.replica.open(list);
        desk
    }

    /// Creates a client without opening the watchlist.
    fn unopened(list: WatchlistId) -> Self {
        let client = ClientId(Uuid::new_v4());
        let replica = Replica::new(client, "bench", Limits::default(), EditId(1), Vec::new());
        Self { replica, list, socket: None, started: Instant::now() }
    }

    /// Creates the watchlist with a number of rows. Returns the client that did, and the rows' ids.
    pub async fn create(endpoint: &Endpoint, rows: usize) -> (Self, Vec<RowId>) {
        let mut desk = Self::unopened(WatchlistId(Uuid::now_v7()));
        desk.connect(endpoint).await;
        while desk.replica.create(desk.list, "Bench", None).is_none() {
            desk.pump(Duration::from_millis(10)).await;
        }
        let is_created = |event: &Event| matches!(event, Event::Created { .. });
        while !desk.pump(Duration::from_millis(10)).await.iter().any(is_created) {}
        desk.replica.open(desk.list);
        let ids: Vec<RowId> = (0..rows).map(|_| RowId(Uuid::now_v7())).collect();
        let positions = Position::between(None, None, rows).unwrap();
        let inserts: Vec<Change> =
            ids.iter().zip(&positions).map(|(id, at)| Change::insert(*id, at, BTreeMap::new())).collect();
        while !desk.is_loaded() {
            desk.pump(Duration::from_millis(10)).await;
        }
        for inserts in inserts.chunks(5_000) {
            desk.edit(inserts.to_vec());
        }
        while desk.state().is_none() {
            desk.pump(Duration::from_millis(10)).await;
        }
        (desk, ids)
    }

    pub async fn connect(&mut self, endpoint: &Endpoint) {
        self.cut();
        self.socket = endpoint.connect().await;
        if self.socket.is_some() {
            self.replica.connected();
        }
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    pub fn is_loaded(&self) -> bool {
        self.replica.list(self.list).is_some_and(|list| list.state().is_some())
    }

    pub fn cut(&mut self) {
        if self.socket.take().is_some() {
            self.replica.disconnected();
        }
    }

    /// Makes an edit and returns its number.
    pub fn edit(&mut self, changes: Vec<Change>) -> EditId {
        self.replica.edit(self.list, WindowId(1), changes).unwrap().0.edit
    }

    /// Sets the prices of rows in one edit, and returns its number.
    pub fn set_prices(&mut self, rows: impl IntoIterator<Item = (RowId, u64)>) -> EditId {
        let set = |(row, price): (RowId, u64)| {
            Change::set(row, &"price".into(), Literal::from(format!("{price}.25").as_str()))
        };
        self.edit(rows.into_iter().map(set).collect())
    }

    /// Sends and receives for a duration. Returns the events.
    pub async fn pump(&mut self, duration: Duration) -> Vec<Event> {
        let end = Instant::now() + duration;
        loop {
            self.replica.tick(u64::try_from(self.started.elapsed().as_millis()).unwrap());
            let Some(socket) = &mut self.socket else {
                tokio::time::sleep_until(end).await;
                return self.replica.take_events();
            };
            while let Some(message) = self.replica.poll_send() {
                let bytes = Encoding::MessagePack.encode(&message);
                if socket.send(Message::binary(bytes)).await.is_err() {
                    self.cut();
                    return self.replica.take_events();
                }
            }
            match timeout_at(end, socket.next()).await {
                Err(_elapsed) => return self.replica.take_events(),
                Ok(Some(Ok(Message::Binary(bytes)))) => {
                    let message = Encoding::MessagePack.decode_server(&bytes).unwrap();
                    let now = u64::try_from(self.started.elapsed().as_millis()).unwrap();
                    self.replica.handle(message, now);
                }
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => self.cut(),
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Returns the state, if the client is connected and has no unanswered edits.
    pub fn state(&self) -> Option<State> {
        let list = self.replica.list(self.list)?;
        let is_idle =
            self.is_connected() && self.replica.unanswered_count() == 0 && list.unanswered_count() == 0;
        let (state, at) = (list.state().filter(|_| is_idle)?, list.at()?);
        let frozen = state.freeze();
        let mut hasher = DefaultHasher::new();
        for row in frozen.rows() {
            Encoding::MessagePack.encode(&SnapshotRow::stored(&frozen, row)).hash(&mut hasher);
        }
        Some(State { revision: at.revision.0, digest: hasher.finish() })
    }
}
