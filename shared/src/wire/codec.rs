//! The two encodings, which write the same fields. A message is decoded by its `type` first, so that unknown
//! types, unknown fields and partially valid edits each get the response that the protocol specifies.

use std::{borrow::Cow, io};

use memchr::memmem;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    client::{ClientMessage, Edit},
    server::ServerMessage,
};
use crate::{
    ids::{EditId, WatchlistId},
    rejection::shortened,
};

/// An encoding of messages, selected by the WebSocket subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// Text frames, for scripts and debugging.
    Json,
    /// Binary frames: MessagePack maps with the same field names; ids are 16 bytes.
    MessagePack,
}

/// Why a message cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a valid message. The connection is closed.
    #[error("{0}")]
    BadMessage(String),
    /// An invalid edit whose number is known, so that only the edit is rejected.
    #[error("edit {edit}: {message}")]
    BadEdit {
        /// The watchlist that the edit belongs to.
        watchlist: WatchlistId,
        /// The edit's number within the client.
        edit: EditId,
        /// What is wrong with the rest of the edit.
        message: String,
    },
}

impl Encoding {
    /// All encodings, the preferred one first.
    pub const ALL: [Encoding; 2] = [Encoding::MessagePack, Encoding::Json];

    /// Returns the name of the WebSocket subprotocol.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Encoding::Json => "afterglow.v1.json",
            Encoding::MessagePack => "afterglow.v1.msgpack",
        }
    }

    /// Encodes any serialisable value.
    pub fn encode<T: Serialize>(self, message: &T) -> Vec<u8> {
        match self {
            Encoding::Json => serde_json::to_vec(message).expect("messages have string keys only"),
            Encoding::MessagePack => rmp_serde::to_vec_named(message).expect("messages are plain data"),
        }
    }

    /// Returns the number of bytes that [`Self::encode`] would write, without allocating them.
    pub fn size<T: Serialize>(self, message: &T) -> usize {
        let mut counter = Counter(0);
        match self {
            Encoding::Json => {
                serde_json::to_writer(&mut counter, message).expect("messages have string keys only");
            }
            Encoding::MessagePack => {
                rmp_serde::encode::write_named(&mut counter, message).expect("messages are plain data");
            }
        }
        counter.0
    }

    /// Decodes any deserialisable value.
    ///
    /// # Errors
    /// The decoder's message, with the location of the error if it is known.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, String> {
        match self {
            Encoding::Json => serde_json::from_slice(bytes).map_err(|error| shortened(error.to_string())),
            Encoding::MessagePack => {
                rmp_serde::from_slice(bytes).map_err(|error| shortened(error.to_string()))
            }
        }
    }

    /// Decodes a client's message.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_client(self, bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
        let kind = self.kind(bytes)?;
        Ok(match &*kind {
            "hello" => ClientMessage::Hello(self.body(&kind, bytes)?),
            "open" => ClientMessage::Open(self.body(&kind, bytes)?),
            "close" => ClientMessage::Close(self.body(&kind, bytes)?),
            "edit" => ClientMessage::Edit(self.edit(bytes)?),
            "presence" => ClientMessage::Presence(self.body(&kind, bytes)?),
            "create" => ClientMessage::Create(self.body(&kind, bytes)?),
            "delete" => ClientMessage::Delete(self.body(&kind, bytes)?),
            "restore" => ClientMessage::Restore(self.body(&kind, bytes)?),
            "deletedLists" => ClientMessage::DeletedLists(self.body(&kind, bytes)?),
            "history" => ClientMessage::History(self.body(&kind, bytes)?),
            _ => return Err(unknown_type(&kind)),
        })
    }

    /// Decodes a server's message.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_server(self, bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
        let kind = self.kind(bytes)?;
        Ok(match &*kind {
            "welcome" => ServerMessage::Welcome(self.body(&kind, bytes)?),
            "watchlists" => ServerMessage::Watchlists(self.body(&kind, bytes)?),
            "created" => ServerMessage::Created(self.body(&kind, bytes)?),
            "deleted" => ServerMessage::Deleted(self.body(&kind, bytes)?),
            "restored" => ServerMessage::Restored(self.body(&kind, bytes)?),
            "deletedLists" => ServerMessage::DeletedLists(self.body(&kind, bytes)?),
            "history" => ServerMessage::History(self.body(&kind, bytes)?),
            "closed" => ServerMessage::Closed(self.body(&kind, bytes)?),
            "access" => ServerMessage::Access(self.body(&kind, bytes)?),
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

    /// Returns the message's `type`. Messages encoded here have it first, where it is read without parsing
    /// the rest.
    fn kind(self, bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: String,
        }
        if let Some(kind) = self.leading_kind(bytes).filter(|_| !self.may_repeat_type(bytes)) {
            return Ok(Cow::Borrowed(kind));
        }
        let kind = self
            .decode::<Kind>(bytes)
            .map_err(|error| DecodeError::BadMessage(shortened(format!("invalid message: {error}"))))?;
        Ok(Cow::Owned(kind.r#type))
    }

    /// Returns the `type` if it is the message's first field and a short plain word.
    fn leading_kind(self, bytes: &[u8]) -> Option<&str> {
        let kind = match self {
            Encoding::Json => {
                let rest = bytes.strip_prefix(b"{\"type\":\"")?;
                rest.split(|byte| *byte == b'"').next()?
            }
            Encoding::MessagePack => {
                // A map of at most 15 fields, then "type" and its value as strings of at most 31 bytes.
                let (map, rest) = bytes.split_first()?;
                let (length, rest) = rest.strip_prefix(b"\xa4type")?.split_first()?;
                let is_short = map & 0xf0 == 0x80 && length & 0xe0 == 0xa0;
                rest.get(..usize::from(length & 0x1f)).filter(|_| is_short)?
            }
        };
        std::str::from_utf8(kind).ok().filter(|kind| kind.bytes().all(|byte| byte.is_ascii_alphabetic()))
    }

    /// Whether the message may have a second field `type`, which makes it invalid.
    fn may_repeat_type(self, bytes: &[u8]) -> bool {
        let is_escaped = || self == Encoding::Json && memmem::find(bytes, br"\u00").is_some();
        memmem::find_iter(bytes, b"type").nth(1).is_some() || is_escaped()
    }

    fn body<T: DeserializeOwned>(self, kind: &str, bytes: &[u8]) -> Result<T, DecodeError> {
        self.decode(bytes)
            .map_err(|error| DecodeError::BadMessage(shortened(format!("invalid {kind:?} message: {error}"))))
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
    DecodeError::BadMessage(format!("unknown message type {shown:?}"))
}

/// Counts the bytes written to it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
