//! A client that sends single messages.

use std::collections::BTreeMap;

use futures_util::{SinkExt, StreamExt};
use shared::{
    edit::Change,
    ids::{At, ClientId, EditId, RequestId, Revision, RowId, WatchlistId},
    position::Position,
    wire::{
        client::{self, ClientMessage},
        codec::Encoding,
        server::ServerMessage,
    },
};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::process::{Endpoint, Server, Socket};

/// A connection that has sent `hello`.
pub struct Connection {
    socket: Socket,
    edit: u64,
}

impl Connection {
    pub async fn open(endpoint: &Endpoint) -> Self {
        let mut connection = Self { socket: endpoint.connect().await.unwrap(), edit: 0 };
        let hello = client::Hello { client: ClientId(Uuid::new_v4()), app: "bench".into() };
        connection.send(&ClientMessage::Hello(hello)).await;
        connection
    }

    pub async fn send(&mut self, message: &ClientMessage) {
        self.send_bytes(Encoding::MessagePack.encode(message)).await;
    }

    pub async fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }

    /// Returns the next message that `wanted` returns something for.
    pub async fn find<T>(&mut self, wanted: impl Fn(&ServerMessage) -> Option<T>) -> T {
        loop {
            if let Message::Binary(bytes) = self.socket.next().await.unwrap().unwrap()
                && let Some(found) = wanted(&Encoding::MessagePack.decode_server(&bytes).unwrap())
            {
                return found;
            }
        }
    }

    /// Creates a watchlist with a number of rows.
    pub async fn create(&mut self, rows: usize) -> (WatchlistId, Vec<RowId>) {
        let list = WatchlistId(Uuid::now_v7());
        let create = client::Create {
            request: RequestId(1),
            watchlist: Some(list),
            name: "Bench".into(),
            columns: None,
        };
        self.send(&ClientMessage::Create(create)).await;
        self.find(|message| matches!(message, ServerMessage::Created(_)).then_some(())).await;
        let ids: Vec<RowId> = (0..rows).map(|_| RowId(Uuid::now_v7())).collect();
        let positions = Position::between(None, None, rows).unwrap();
        let inserts = ids.iter().zip(&positions).map(|(row, at)| Change::insert(*row, at, BTreeMap::new()));
        self.edit(list, inserts.collect()).await;
        assert!(self.answer().await.is_some(), "the rows are inserted");
        (list, ids)
    }

    /// Opens a watchlist, and waits for the snapshot. Returns where it is.
    pub async fn subscribe(&mut self, list: WatchlistId) -> At {
        self.send(&ClientMessage::Open(client::Open { watchlist: list, at: None })).await;
        self.find(|message| match message {
            ServerMessage::Snapshot(part) if part.part == part.parts => {
                Some(At { epoch: part.epoch, revision: part.revision })
            }
            _ => None,
        })
        .await
    }

    /// Returns the number of the next edit.
    pub fn next_edit(&mut self) -> EditId {
        self.edit += 1;
        EditId(self.edit)
    }

    /// Sends an edit.
    pub async fn edit(&mut self, watchlist: WatchlistId, changes: Vec<Change>) {
        let edit = self.next_edit();
        self.send(&ClientMessage::Edit(client::Edit { watchlist, edit, changes })).await;
    }

    /// Returns the revision of the last edit, or `None` if it is rejected.
    pub async fn answer(&mut self) -> Option<Revision> {
        let edit = EditId(self.edit);
        self.find(|message| match message {
            ServerMessage::Accepted(accepted) if accepted.edit == edit => Some(Some(accepted.revision)),
            ServerMessage::Rejected(rejected) if rejected.edit == edit => Some(None),
            _ => None,
        })
        .await
    }

    /// Waits until the changes up to a revision have arrived.
    pub async fn reach(&mut self, revision: Revision) {
        self.find(|message| match message {
            ServerMessage::Changes(changes) if changes.to >= revision => Some(()),
            ServerMessage::Snapshot(part) if part.part == part.parts && part.revision >= revision => Some(()),
            _ => None,
        })
        .await;
    }
}

/// Starts a server, whose connections may be encrypted, and connects.
pub async fn start(folder: &std::path::Path, listen: &str, is_encrypted: bool) -> (Server, Connection) {
    let server = Server::start(folder, listen, is_encrypted);
    let connection = Connection::open(server.endpoint()).await;
    (server, connection)
}
