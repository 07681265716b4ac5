//! Messages that are legal, nearly legal or not at all, and of extreme sizes and counts.

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

/// Number of different rows. What a hostile client fills stays bounded, because what people may store is not
/// the question here.
const ROWS: u128 = 300;
/// Number of different columns.
const COLUMNS: usize = 40;

/// Returns changes that add the rows and columns that the messages are about.
pub(super) fn first_changes() -> Vec<Value> {
    let kinds = [json!("text"), json!({ "number": { "decimals": 2 } }), json!("flag")];
    let column = |number: usize| {
        let kind = &kinds[number % kinds.len()];
        json!({ "addColumn": { "key": format!("c{number}"), "title": "Column", "kind": kind } })
    };
    let row = |number: u128| json!({ "insert": { "row": Uuid::from_u128(number), "position": format!("{number:04x}80"), "cells": {} } });
    (0..COLUMNS).map(column).chain((0..ROWS).map(row)).collect()
}

pub(super) struct Messages {
    rng: Rng,
    lists: Vec<String>,
    edit: u64,
}

impl Messages {
    pub(super) fn new(lists: Vec<String>, seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed ^ 0x5eed), lists, edit: 0 }
    }

    /// Returns a message for a WebSocket. Those of one kind are alike.
    pub(super) fn websocket(&mut self, kind: u8) -> Vec<u8> {
        let list = self.list();
        let message = match if self.rng.u8(..100) == 0 { self.rng.u8(..) } else { kind } % 12 {
            0..=3 => {
                self.edit += 1;
                let edit = if self.rng.u8(..10) == 0 { self.rng.u64(..) } else { self.edit };
                let changes = self.changes();
                json!({ "type": "edit", "watchlist": list, "edit": edit, "changes": changes })
            }
            4 => {
                let at = self.rng.bool().then(|| {
                    json!({ "epoch": Uuid::from_u128(self.rng.u128(..)), "revision": self.rng.u64(..100) })
                });
                json!({ "type": "open", "watchlist": list, "at": at })
            }
            5 => json!({ "type": "close", "watchlist": list }),
            6 => {
                let cell = json!({ "row": self.row(), "column": self.column() });
                let window = if self.rng.bool() { self.rng.u64(..) } else { self.rng.u64(..4) };
                json!({ "type": "presence", "watchlist": list, "window": window, "cell": cell, "editing": true })
            }
            7 => json!({
                "type": "history", "request": self.rng.u64(..), "watchlist": list, "row": self.row(),
                "column": self.column(), "limit": self.rng.u32(..), "before": self.rng.u64(..1_000),
            }),
            8 => json!({ "type": "deletedLists", "request": 1 }),
            9 => {
                // A few lists that come and go.
                let id = Uuid::from_u128(self.rng.u128(1..6));
                let kind = ["create", "delete", "restore"][self.rng.usize(..3)];
                json!({ "type": kind, "request": 1, "watchlist": id, "name": self.text() })
            }
            10 => json!({ "type": self.text(), "watchlist": list }),
            _ => return self.damaged(),
        };
        message.to_string().into_bytes()
    }

    /// Returns the method, path and body of an HTTP request.
    pub(super) fn http(&mut self) -> (&'static str, String, Vec<u8>) {
        let list = self.list();
        let body = match self.rng.u8(..4) {
            0 => self.damaged(),
            1 => Vec::new(),
            _ => {
                let client = Uuid::new_v4();
                json!({ "client": client, "edit": 1, "changes": self.changes(), "name": self.text() })
                    .to_string()
                    .into_bytes()
            }
        };
        let path = match self.rng.u8(..9) {
            0 => "/api/v1/watchlists?deleted=true".to_owned(),
            1 => format!("/api/v1/watchlists/{list}"),
            2 => format!("/api/v1/watchlists/{list}?format=csv"),
            3 | 4 => format!("/api/v1/watchlists/{list}/edits"),
            5 => format!("/api/v1/watchlists/{list}/history?limit={}&row={}", self.rng.u32(..), self.row()),
            6 => format!("/api/v1/watchlists/{}", Uuid::from_u128(self.rng.u128(1..6))),
            7 => format!("/healthz?nonce={}", "ab".repeat(self.rng.usize(..100))),
            _ => format!("/{}", "a/".repeat(self.rng.usize(..1_000))),
        };
        let methods: &[&str] = if path.starts_with("/api/v1/watchlists/0000") {
            &["GET", "DELETE", "POST"]
        } else {
            &["GET", "POST", "PUT", "OPTIONS"]
        };
        (methods[self.rng.usize(..methods.len())], path, body)
    }

    fn list(&mut self) -> String {
        match self.rng.u8(..10) {
            0 => Uuid::from_u128(self.rng.u128(1..6)).to_string(),
            1 if self.rng.bool() => Uuid::new_v4().to_string(),
            _ => self.lists[self.rng.usize(..self.lists.len())].clone(),
        }
    }

    fn row(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.u128(..ROWS))
    }

    fn column(&mut self) -> String {
        match self.rng.u8(..4) {
            0 => ["symbol", "price", "change", "note", "lastChange"][self.rng.usize(..5)].to_owned(),
            1 if self.rng.u8(..50) == 0 => self.text(),
            _ => format!("c{}", self.rng.usize(..COLUMNS)),
        }
    }

    fn text(&mut self) -> String {
        let pieces = ["x", "\u{1}", "\"", "\u{1f4c8}", "-", "9", "\u{202e}", "\\"];
        let length = match self.rng.u8(..20) {
            0 => self.rng.usize(..100_000),
            1..=3 => self.rng.usize(..4_096),
            _ => self.rng.usize(..20),
        };
        pieces[self.rng.usize(..pieces.len())].repeat(length)
    }

    fn value(&mut self) -> Value {
        match self.rng.u8(..10) {
            0 => Value::Null,
            1 => json!(self.rng.bool()),
            2 | 6 => json!(self.rng.i32(..).to_string()),
            3 => json!("9".repeat(self.rng.usize(1..40))),
            4 => json!(format!("0.{}1", "0".repeat(self.rng.usize(..30)))),
            5 => json!({ "a": [self.rng.u64(..)] }),
            _ => json!(self.text()),
        }
    }

    fn kind(&mut self) -> Value {
        match self.rng.u8(..6) {
            0 => json!("text"),
            1 => json!({ "number": { "decimals": self.rng.u8(..) } }),
            2 => json!("flag"),
            3 => json!("time"),
            4 => json!({ "percent": { "decimals": 2 } }),
            _ => {
                let options: Vec<String> =
                    (0..self.rng.usize(..500)).map(|option| option.to_string()).collect();
                json!({ "choice": options })
            }
        }
    }

    fn position(&mut self) -> String {
        match self.rng.u8(..5) {
            0 => "ff".repeat(self.rng.usize(1..130)),
            1 => format!("{}01", "00".repeat(self.rng.usize(..128))),
            2 => self.text(),
            _ => format!("{:08x}1", self.rng.u32(..)) + "1",
        }
    }

    fn changes(&mut self) -> Vec<Value> {
        let count = match self.rng.u8(..20) {
            0 => self.rng.usize(..11_000),
            1..=3 => self.rng.usize(..500),
            _ => self.rng.usize(..4),
        };
        // Many changes of one kind.
        let kind = self.rng.u8(..);
        (0..count).map(|_| self.change(kind)).collect()
    }

    fn change(&mut self, kind: u8) -> Value {
        match if self.rng.u8(..10) == 0 { self.rng.u8(..) } else { kind } % 10 {
            0..=2 => json!({ "set": { "row": self.row(), "column": self.column(), "value": self.value() } }),
            3 => {
                let cells = json!({ self.column(): self.value(), self.column(): self.value() });
                json!({ "insert": { "row": self.row(), "position": self.position(), "cells": cells } })
            }
            4 => json!({ "move": { "row": self.row(), "position": self.position() } }),
            5 => json!({ "remove": { "row": self.row(), "asOf": self.rng.u64(..100) } }),
            6 => json!({ "addColumn": { "key": self.column(), "title": self.text(), "kind": self.kind() } }),
            7 => {
                json!({ "setColumn": { "key": self.column(), "title": self.text(), "kind": self.kind(), "after": self.column() } })
            }
            8 => {
                let change = ["removeColumn", "restoreColumn"][self.rng.usize(..2)];
                json!({ change: { "key": self.column() } })
            }
            _ => json!({ "rename": { "name": self.text() } }),
        }
    }

    /// Returns a message with a part cut off, repeated or replaced.
    fn damaged(&mut self) -> Vec<u8> {
        let mut bytes = self.websocket(0);
        let at = self.rng.usize(..bytes.len());
        match self.rng.u8(..3) {
            0 => bytes.truncate(at),
            1 => bytes = "[".repeat(self.rng.usize(1..200_000)).into_bytes(),
            _ => bytes[at] = self.rng.u8(..),
        }
        bytes
    }
}
