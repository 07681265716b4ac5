//! Every message in both encodings, byte for byte as in `tests/golden`: other programs are written against
//! these bytes. `AFTERGLOW_WRITE_GOLDEN=1` writes the files anew; a difference is a change of the protocol.

use std::{collections::BTreeMap, fs, path::PathBuf};

use shared::{
    column::{ColumnKind, standard_columns},
    edit::{AddColumn, Author, Change, Code, Commit, KeyOnly, Rejection, SetColumn},
    ids::{ClientId, EditId, Epoch, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
    position::Position,
    value::Literal,
    wire::{
        At, CellRef,
        client::{self, ClientMessage},
        codec::Encoding,
        server::{self, ErrorCode, Role, ServerMessage},
    },
};
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0123_4567_89ab_7cde_8f01_0000_0000_0000 + number)
}

fn list() -> WatchlistId {
    WatchlistId(id(1))
}

fn row() -> RowId {
    RowId(id(2))
}

fn at() -> At {
    At { epoch: Epoch(id(3)), revision: Revision(41) }
}

fn cell() -> CellRef {
    CellRef { row: row(), column: "price".into() }
}

fn changes() -> Vec<Change> {
    let place = Position::from_hex("7f80").unwrap();
    let cells = BTreeMap::from([
        ("done".into(), Literal::Flag(true)),
        ("price".into(), Literal::from("71.72")),
        ("symbol".into(), Literal::from("MMM")),
    ]);
    let number = ColumnKind::Number { decimals: 2 };
    vec![
        Change::set_guarded(row(), &"price".into(), "71.80".into(), "71.72".into()),
        Change::set_guarded(row(), &"note".into(), Literal::Empty, Literal::Empty),
        Change::set(row(), &"note".into(), "a \"quoted\" ünïcode".into()),
        Change::insert(row(), &place, cells),
        Change::move_to(row(), &place),
        Change::remove(row(), Some(Revision(43))),
        Change::AddColumn(AddColumn {
            key: "target".into(),
            title: "Target".into(),
            kind: number,
            after: Some(Some("price".into())),
        }),
        Change::AddColumn(AddColumn {
            key: "done".into(),
            title: "Done".into(),
            kind: ColumnKind::Flag,
            after: Some(None),
        }),
        Change::SetColumn(SetColumn {
            key: "target".into(),
            title: Some("Target price".into()),
            kind: Some(ColumnKind::Choice(vec!["buy".into(), "hold".into()])),
            after: None,
        }),
        Change::RemoveColumn(KeyOnly { key: "target".into() }),
        Change::RestoreColumn(KeyOnly { key: "target".into() }),
        Change::rename("Core book"),
    ]
}

fn client_messages() -> Vec<(&'static str, ClientMessage)> {
    let request = RequestId(2);
    let watchlist = list();
    vec![
        (
            "hello",
            ClientMessage::Hello(client::Hello { client: ClientId(id(9)), app: "afterglow/0.1.0".into() }),
        ),
        ("open", ClientMessage::Open(client::Open { watchlist, at: None })),
        ("open-at", ClientMessage::Open(client::Open { watchlist, at: Some(at()) })),
        ("close", ClientMessage::Close(client::Close { watchlist })),
        ("edit", ClientMessage::Edit(client::Edit { watchlist, edit: EditId(7), changes: changes() })),
        (
            "presence",
            ClientMessage::Presence(client::Presence {
                watchlist,
                window: WindowId(1),
                cell: Some(cell()),
                editing: true,
            }),
        ),
        (
            "create",
            ClientMessage::Create(client::Create {
                request,
                watchlist: Some(watchlist),
                name: "Core book".into(),
                columns: Some(standard_columns()),
            }),
        ),
        ("delete", ClientMessage::Delete(client::WatchlistRequest { request, watchlist })),
        ("restore", ClientMessage::Restore(client::WatchlistRequest { request, watchlist })),
        (
            "history",
            ClientMessage::History(client::History {
                request,
                watchlist,
                row: Some(row()),
                column: Some("price".into()),
                before: Some(Revision(44)),
                limit: Some(50),
                user: None,
            }),
        ),
    ]
}

fn commit() -> Commit {
    let by = Author { user: UserId(id(8)), name: "ann".into(), client: ClientId(id(9)), edit: EditId(7) };
    let changes = vec![Change::set(row(), &"price".into(), "71.80".into())];
    Commit { revision: Revision(42), by, at: "2026-11-22T20:00:00.000Z".parse().unwrap(), changes }
}

/// What is said of the server and its watchlists.
fn server_wide_messages() -> Vec<(&'static str, ServerMessage)> {
    let watchlist = list();
    let request = RequestId(2);
    let moment = "2026-11-22T20:00:00.000Z".parse().unwrap();
    let user = server::User { id: UserId(id(8)), name: "ann".into(), role: Role::Editor };
    let summary = server::Summary { watchlist, name: "Core book".into(), revision: Revision(44), rows: 503 };
    vec![
        (
            "welcome",
            ServerMessage::Welcome(server::Welcome {
                protocol: 1,
                server: "0.1.0".into(),
                user,
                now: moment,
            }),
        ),
        ("watchlists", ServerMessage::Watchlists(server::Watchlists { list: vec![summary] })),
        ("created", ServerMessage::Created(server::Created { request, watchlist })),
        ("deleted", ServerMessage::Deleted(server::Done { request })),
        ("restored", ServerMessage::Restored(server::Done { request })),
        ("history-answer", ServerMessage::History(server::History { request, commits: vec![commit()] })),
        (
            "closed",
            ServerMessage::Closed(server::Closed { watchlist, reason: server::ClosedReason::Deleted }),
        ),
    ]
}

/// What is said of one watchlist.
fn watchlist_messages() -> Vec<(&'static str, ServerMessage)> {
    let watchlist = list();
    let moment = "2026-11-22T20:00:00.000Z".parse().unwrap();
    let rejection = Rejection {
        change: Some(0),
        current: Some("71.75".into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "the cell holds \"71.75\" and not \"71.72\"")
    };
    let rows = vec![server::SnapshotRow {
        row: row(),
        position: Position::from_hex("80").unwrap(),
        cells: BTreeMap::from([
            ("price".into(), Literal::from("71.72")),
            ("symbol".into(), Literal::from("MMM")),
        ]),
        changed: BTreeMap::from([("price".into(), moment)]),
    }];
    let person = server::Person {
        client: ClientId(id(9)),
        window: WindowId(1),
        name: "bob".into(),
        cell: Some(cell()),
        editing: true,
    };
    let error =
        |code, message: &str| server::Error { code, message: message.into(), request: None, watchlist: None };
    vec![
        (
            "snapshot",
            ServerMessage::Snapshot(server::Snapshot {
                watchlist,
                name: "Core book".into(),
                columns: standard_columns(),
                epoch: Epoch(id(3)),
                revision: Revision(44),
                part: 1,
                parts: 3,
                rows,
            }),
        ),
        (
            "resumed",
            ServerMessage::Resumed(server::Resumed {
                watchlist,
                epoch: Epoch(id(3)),
                revision: Revision(44),
            }),
        ),
        (
            "changes",
            ServerMessage::Changes(server::Changes {
                watchlist,
                from: Revision(41),
                to: Revision(44),
                conflated: true,
                commits: vec![commit()],
            }),
        ),
        (
            "accepted",
            ServerMessage::Accepted(server::Accepted { watchlist, edit: EditId(7), revision: Revision(43) }),
        ),
        ("rejected", ServerMessage::Rejected(server::Rejected { watchlist, edit: EditId(7), rejection })),
        ("people", ServerMessage::Presence(server::Presence { watchlist, people: vec![person] })),
        ("error", ServerMessage::Error(error(ErrorCode::Restarting, "the server is stopping"))),
    ]
}

fn server_messages() -> Vec<(&'static str, ServerMessage)> {
    server_wide_messages().into_iter().chain(watchlist_messages()).collect()
}

fn path(name: &str, encoding: Encoding) -> PathBuf {
    let extension = match encoding {
        Encoding::Json => "json",
        Encoding::MessagePack => "msgpack",
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.{extension}"))
}

fn check(name: &str, encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    let path = path(name, encoding);
    if std::env::var_os("AFTERGLOW_WRITE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(bytes == golden, "{name} in {encoding:?} is not as in {}", path.display());
    golden
}

#[test]
fn every_message_is_written_and_read_as_in_the_golden_files() {
    for encoding in Encoding::ALL {
        for (name, message) in client_messages() {
            let golden = check(name, encoding, &encoding.encode(&message));
            assert_eq!(encoding.decode_client(&golden).unwrap(), message, "{name}");
        }
        for (name, message) in server_messages() {
            let golden = check(name, encoding, &encoding.encode(&message));
            assert_eq!(encoding.decode_server(&golden).unwrap(), message, "{name}");
        }
    }
}

/// The form in the protocol's own words, in case that the golden files were written anew by mistake.
#[test]
fn the_json_form_is_the_protocols() {
    let json = |message: &ServerMessage| String::from_utf8(Encoding::Json.encode(message)).unwrap();
    let messages = server_messages();
    let of = |name: &str| json(&messages.iter().find(|(found, _)| *found == name).unwrap().1);
    let watchlist = list();
    assert_eq!(
        of("accepted"),
        format!(r#"{{"type":"accepted","watchlist":"{watchlist}","edit":7,"revision":43}}"#)
    );
    let conflict = of("rejected");
    for part in [r#""code":"conflict""#, r#""change":0"#, r#""current":"71.75""#, r#""by":"bob""#] {
        assert!(conflict.contains(part), "{conflict}");
    }
    let edit = Encoding::Json.encode(&changes());
    let edit = String::from_utf8(edit).unwrap();
    for part in [
        r#""column":"price","value":"71.80","was":"71.72""#,
        r#""column":"note","value":null,"was":null"#,
        r#""asOf":43"#,
        r#"{"addColumn":{"key":"target","title":"Target","kind":{"number":{"decimals":2}},"after":"price"}}"#,
        r#""kind":"flag","after":null"#,
        r#"{"choice":["buy","hold"]}"#,
        r#"{"rename":{"name":"Core book"}}"#,
    ] {
        assert!(edit.contains(part), "{part} is not in {edit}");
    }
    let snapshot = of("snapshot");
    for part in [
        r#""derive":{"difference":{"of":"price","from":"previousClose"}}"#,
        r#""derive":{"percentDifference":{"of":"price","from":"previousClose"}}"#,
        r#""derive":{"changedAt":{"of":"price"}}"#,
        r#""changed":{"price":"2026-11-22T20:00:00.000Z"}"#,
    ] {
        assert!(snapshot.contains(part), "{part} is not in {snapshot}");
    }
}
