//! The memory of idle connections, and what is left of it after the largest message of each kind and after many
//! rejections of long texts.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    column::{Column, ColumnKind},
    edit::{Change, SetColumn},
    ids::{EditId, RequestId, RowId, WatchlistId},
    limits::MAX_KEPT_ANSWERS,
    position::Position,
    value::Literal,
    wire::{
        client::{self, ClientMessage},
        codec::Encoding,
    },
};
use uuid::Uuid;

use super::{
    connection::{Connection, start},
    process::ANY_PORT,
    report::Report,
};

const CONNECTIONS: usize = 500;
const ROWS: usize = 3_000;
/// A little less than the largest message.
const MESSAGE: usize = 1_000_000;
/// Number of times that each message is sent, on one connection.
const REPEATS: usize = 10;

/// Number of clients whose edits are rejected, and how many of each.
const SENDERS: usize = 4;
const REJECTIONS: usize = MAX_KEPT_ANSWERS / 2;

/// Measures all of them.
pub async fn measure(report: &mut Report) {
    connections(report).await;
    messages(report).await;
    rejections(report).await;
}

async fn connections(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut publisher) = start(folder.path(), ANY_PORT, false).await;
    let (list, _) = publisher.create(ROWS).await;
    publisher.subscribe(list).await;
    let before = server.resident_kib();
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(server.endpoint()).await;
        connection.subscribe(list).await;
        open.push(connection);
    }
    let each = (server.resident_kib() - before) / CONNECTIONS as f64;
    report.at_most("memory of an idle connection with an open watchlist", each, 8.0, "KiB");
}

/// The name of a kind of message, and a large message of it.
type Large = (&'static str, fn(WatchlistId, &[RowId]) -> Message);

/// An edit with changes of an unknown kind.
#[derive(Serialize)]
struct Unreadable {
    r#type: &'static str,
    watchlist: WatchlistId,
    edit: EditId,
    changes: Vec<BTreeMap<&'static str, String>>,
}

enum Message {
    Edit(Vec<Change>),
    /// An edit that cannot be read.
    Unreadable(WatchlistId),
    /// A message that is followed by an edit, to know when it is done.
    Other(ClientMessage),
}

const KINDS: [Large; 10] = [
    ("10,000 cells", |_, rows| {
        let set = |number: usize| Change::set(rows[number % ROWS], &"target".into(), Literal::from("1.5"));
        Message::Edit((0..10_000).map(set).collect())
    }),
    ("long texts", |_, rows| {
        let text = "x".repeat(4_000);
        let set = |row: &RowId| Change::set(*row, &"note".into(), Literal::from(text.as_str()));
        Message::Edit(rows[..MESSAGE / 4_100].iter().map(set).collect())
    }),
    ("10,000 moves", |_, rows| {
        let to = Position::from_hex("7f80").unwrap();
        Message::Edit((0..10_000).map(|number| Change::move_to(rows[number % ROWS], &to)).collect())
    }),
    ("10,000 changes of a column", |_, _| {
        let title = |number: usize| {
            let title = Some(format!("Note {number}").into());
            Change::SetColumn(SetColumn { key: "note".into(), title, kind: None, after: None })
        };
        Message::Edit((0..10_000).map(title).collect())
    }),
    ("kinds of a column, back and forth", |_, _| {
        let kind = |number: usize| {
            let kind =
                if number.is_multiple_of(2) { ColumnKind::Text } else { ColumnKind::Number { decimals: 2 } };
            Change::SetColumn(SetColumn { key: "target".into(), title: None, kind: Some(kind), after: None })
        };
        Message::Edit((0..100).map(kind).collect())
    }),
    ("a rejected value of 1 MB", |_, rows| {
        let digits = "9".repeat(MESSAGE);
        Message::Edit(vec![Change::set(rows[0], &"price".into(), Literal::from(digits.as_str()))])
    }),
    ("an edit of 1 MB that cannot be read", |list, _| Message::Unreadable(list)),
    ("256 columns of 256 choices", |_, _| {
        let choices = (0..256).map(|number| format!("{number}").into()).collect();
        let kind = ColumnKind::Choice(choices);
        let column = |number: usize| Column::new(&format!("c{number}"), "Choice", kind.clone());
        let columns = Some((0..255).map(column).collect());
        let (request, watchlist) = (RequestId(2), Some(WatchlistId(Uuid::from_u128(2))));
        Message::Other(ClientMessage::Create(client::Create {
            request,
            watchlist,
            name: "Wide".into(),
            columns,
        }))
    }),
    ("a history of 1,000 commits", |watchlist, _| {
        let (row, column, user, before) = (None, None, None, None);
        let (request, limit) = (RequestId(3), Some(1_000));
        Message::Other(ClientMessage::History(client::History {
            request,
            watchlist,
            row,
            column,
            user,
            before,
            limit,
        }))
    }),
    ("a snapshot", |watchlist, _| Message::Other(ClientMessage::Open(client::Open { watchlist, at: None }))),
];

async fn messages(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut connection) = start(folder.path(), ANY_PORT, false).await;
    let (list, rows) = connection.create(ROWS).await;
    // What is stored of the first ones, and what the allocator keeps, is not what is measured.
    for (name, message) in KINDS {
        let mut most: f64 = 0.0;
        send(&mut connection, list, message(list, &rows)).await;
        let before = server.resident_kib();
        for _ in 0..REPEATS {
            send(&mut connection, list, message(list, &rows)).await;
            most = most.max(server.resident_kib());
        }
        report.at_most(&format!("memory after {name}"), (most - before) / 1024.0, 16.0, "MiB");
    }
}

/// Each rejection quotes another long text, and each is kept.
async fn rejections(report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let (server, mut connection) = start(folder.path(), ANY_PORT, false).await;
    let (list, rows) = connection.create(1).await;
    let note = "note".into();
    let before = server.resident_kib();
    for sender in 0..SENDERS {
        let mut connection = Connection::open(server.endpoint()).await;
        for number in 0..REJECTIONS {
            let text = format!("{sender} {number} {}", "x".repeat(4_000));
            connection.edit(list, vec![Change::set(rows[0], &note, Literal::from(text.as_str()))]).await;
            let guarded = Change::set_guarded(rows[0], &note, "new".into(), "other".into());
            connection.edit(list, vec![guarded]).await;
            assert_eq!(connection.answer().await, None, "the edit is in conflict");
        }
    }
    let grown = (server.resident_kib() - before) / 1024.0;
    report.at_most("memory after rejections that quote 32 MiB", grown, 24.0, "MiB");
}

/// Sends a message and waits until it is done.
async fn send(connection: &mut Connection, list: WatchlistId, message: Message) {
    match message {
        Message::Edit(changes) => connection.edit(list, changes).await,
        Message::Unreadable(watchlist) => {
            let edit = connection.next_edit();
            let changes = vec![BTreeMap::from([("unknown", "x".repeat(MESSAGE))])];
            let unreadable = Unreadable { r#type: "edit", watchlist, edit, changes };
            connection.send_bytes(Encoding::MessagePack.encode(&unreadable)).await;
        }
        Message::Other(message) => {
            connection.send(&message).await;
            connection.edit(list, Vec::new()).await;
        }
    }
    connection.answer().await;
}
