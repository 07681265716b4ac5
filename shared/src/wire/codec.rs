//! The two encodings. Both write the same fields; a message is read by its `type` first, so that unknown
//! types, unknown fields and half-readable edits each get the answer that the protocol gives them.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    client::{ClientMessage, Edit},
    server::ServerMessage,
};
use crate::ids::{EditId, WatchlistId};

/// How messages are written, chosen by WebSocket subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Text frames, for scripts and for reading.
    Json,
    /// Binary frames: MessagePack maps with the same field names; ids are 16 bytes.
    MessagePack,
}

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a message at all; the connection is closed for it.
    #[error("{0}")]
    BadMessage(String),
    /// An edit that can be named, so that it is refused and nothing else happens.
    #[error("edit {edit}: {message}")]
    BadEdit {
        /// Of which watchlist.
        watchlist: WatchlistId,
        /// Which.
        edit: EditId,
        /// What is wrong with the rest of it.
        message: String,
    },
}

impl Encoding {
    /// All of them, the preferred one first.
    pub const ALL: [Encoding; 2] = [Encoding::MessagePack, Encoding::Json];

    /// The WebSocket subprotocol's name.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Encoding::Json => "afterglow.v1.json",
            Encoding::MessagePack => "afterglow.v1.msgpack",
        }
    }

    /// Writes anything serialisable, in this encoding.
    pub fn encode<T: Serialize>(self, message: &T) -> Vec<u8> {
        match self {
            Encoding::Json => serde_json::to_vec(message).expect("messages have string keys only"),
            Encoding::MessagePack => rmp_serde::to_vec_named(message).expect("messages are plain data"),
        }
    }

    /// Reads anything readable, in this encoding.
    ///
    /// # Errors
    /// What is wrong with the bytes, and where.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, String> {
        match self {
            Encoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Encoding::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }

    /// Reads a client's message.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_client(self, bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
        let kind = self.kind(bytes)?;
        Ok(match kind.as_str() {
            "hello" => ClientMessage::Hello(self.body(&kind, bytes)?),
            "open" => ClientMessage::Open(self.body(&kind, bytes)?),
            "close" => ClientMessage::Close(self.body(&kind, bytes)?),
            "edit" => ClientMessage::Edit(self.edit(bytes)?),
            "presence" => ClientMessage::Presence(self.body(&kind, bytes)?),
            "create" => ClientMessage::Create(self.body(&kind, bytes)?),
            "delete" => ClientMessage::Delete(self.body(&kind, bytes)?),
            "restore" => ClientMessage::Restore(self.body(&kind, bytes)?),
            "history" => ClientMessage::History(self.body(&kind, bytes)?),
            _ => return Err(unknown_type(&kind)),
        })
    }

    /// Reads a server's message.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_server(self, bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
        let kind = self.kind(bytes)?;
        Ok(match kind.as_str() {
            "welcome" => ServerMessage::Welcome(self.body(&kind, bytes)?),
            "watchlists" => ServerMessage::Watchlists(self.body(&kind, bytes)?),
            "created" => ServerMessage::Created(self.body(&kind, bytes)?),
            "deleted" => ServerMessage::Deleted(self.body(&kind, bytes)?),
            "restored" => ServerMessage::Restored(self.body(&kind, bytes)?),
            "history" => ServerMessage::History(self.body(&kind, bytes)?),
            "closed" => ServerMessage::Closed(self.body(&kind, bytes)?),
            "snapshot" => ServerMessage::Snapshot(self.body(&kind, bytes)?),
            "resumed" => ServerMessage::Resumed(self.body(&kind, bytes)?),
            "changes" => ServerMessage::Changes(self.body(&kind, bytes)?),
            "accepted" => ServerMessage::Accepted(self.body(&kind, bytes)?),
            "rejected" => ServerMessage::Rejected(self.body(&kind, bytes)?),
            "presence" => ServerMessage::Presence(self.body(&kind, bytes)?),
            "error" => ServerMessage::Error(self.body(&kind, bytes)?),
            _ => return Err(unknown_type(&kind)),
        })
    }

    fn kind(self, bytes: &[u8]) -> Result<String, DecodeError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: String,
        }
        let kind = self
            .decode::<Kind>(bytes)
            .map_err(|error| DecodeError::BadMessage(format!("not a message: {error}")))?;
        Ok(kind.r#type)
    }

    fn body<T: DeserializeOwned>(self, kind: &str, bytes: &[u8]) -> Result<T, DecodeError> {
        self.decode(bytes).map_err(|error| DecodeError::BadMessage(format!("not a sound {kind:?}: {error}")))
    }

    fn edit(self, bytes: &[u8]) -> Result<Edit, DecodeError> {
        #[derive(Deserialize)]
        struct Named {
            watchlist: WatchlistId,
            edit: EditId,
        }
        self.body("edit", bytes).map_err(|error| match self.decode::<Named>(bytes) {
            Ok(Named { watchlist, edit }) => {
                DecodeError::BadEdit { watchlist, edit, message: error.to_string() }
            }
            Err(_) => error,
        })
    }
}

fn unknown_type(kind: &str) -> DecodeError {
    let shown: String = kind.chars().take(64).collect();
    DecodeError::BadMessage(format!("there is no message of type {shown:?}"))
}
