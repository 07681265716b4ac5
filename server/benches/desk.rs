//! A client as the desktop has it, without windows: a replica over a socket.

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
    wire::codec::Encoding,
};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::process::{Socket, Way};

/// Somebody who works on one watchlist.
pub struct Desk {
    pub replica: Replica,
    pub list: WatchlistId,
    socket: Option<Socket>,
    started: Instant,
}

/// What somebody shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub revision: u64,
    pub digest: u64,
}

impl Desk {
    pub fn new(list: WatchlistId) -> Self {
        let mut desk = Self::idle(list);
        desk.replica.open(list);
        desk
    }

    /// The watchlist is not there yet.
    fn idle(list: WatchlistId) -> Self {
        let client = ClientId(Uuid::new_v4());
        let replica = Replica::new(client, "bench", Limits::default(), EditId(1), Vec::new());
        Self { replica, list, socket: None, started: Instant::now() }
    }

    /// The first of all: makes the watchlist, with rows.
    pub async fn found(way: &Way, rows: usize) -> (Self, Vec<RowId>) {
        let mut desk = Self::idle(WatchlistId(Uuid::now_v7()));
        desk.connect(way).await;
        while desk.replica.create(desk.list, "Bench", None).is_none() {
            desk.pump(Duration::from_millis(10)).await;
        }
        let is_made = |event: &Event| matches!(event, Event::Created { .. });
        while !desk.pump(Duration::from_millis(10)).await.iter().any(is_made) {}
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

    pub async fn connect(&mut self, way: &Way) {
        self.cut();
        self.socket = way.connect().await;
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

    /// Makes an edit; gives its number.
    pub fn edit(&mut self, changes: Vec<Change>) -> EditId {
        self.replica.edit(self.list, WindowId(1), changes).unwrap().edit
    }

    /// Puts numbers into the prices of rows.
    pub fn set_prices(&mut self, rows: impl IntoIterator<Item = (RowId, u64)>) -> EditId {
        let set = |(row, price): (RowId, u64)| {
            Change::set(row, &"price".into(), Literal::from(format!("{price}.25").as_str()))
        };
        self.edit(rows.into_iter().map(set).collect())
    }

    /// Sends and hears for so long; gives what happened.
    pub async fn pump(&mut self, long: Duration) -> Vec<Event> {
        let end = Instant::now() + long;
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

    /// What is shown, where nothing waits.
    pub fn state(&self) -> Option<State> {
        let list = self.replica.list(self.list)?;
        let is_settled = self.is_connected() && self.replica.waiting() == 0 && list.waiting() == 0;
        let (state, at) = (list.state().filter(|_| is_settled)?, list.at()?);
        let frozen = state.freeze();
        let mut hasher = DefaultHasher::new();
        for row in frozen.rows() {
            Encoding::MessagePack.encode(&frozen.wire_row(row, false)).hash(&mut hasher);
        }
        Some(State { revision: at.revision.0, digest: hasher.finish() })
    }
}
