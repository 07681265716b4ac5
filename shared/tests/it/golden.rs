//! Compares every message in both encodings with `tests/golden` byte for byte, because other programs depend
//! on the format. `AFTERGLOW_WRITE_GOLDEN=1` rewrites the files; a difference is a change of the protocol.

use std::{collections::BTreeMap, fs, path::PathBuf};

use shared::{
    account::ListRole,
    column::{ColumnKind, standard_columns},
    edit::{AddColumn, Author, CellRef, Change, ColumnRef, Commit, SetColumn},
    ids::{At, ClientId, EditId, Epoch, RequestId, Revision, RowId, UserId, WatchlistId, WindowId},
    position::Position,
    rejection::{Code, Rejection},
    value::Literal,
    wire::{
        client::{self, ClientMessage},
        codec::Encoding,
        server::{self, ErrorCode, ServerMessage, WelcomeRole},
        snapshot,
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
    let position = Position::from_hex("7f80").unwrap();
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
        Change::insert(row(), &position, cells),
        Change::move_to(row(), &position),
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
            kind: Some(ColumnKind::Choice(["buy".into(), "hold".into()].into())),
            after: None,
        }),
        Change::RemoveColumn(ColumnRef { key: "target".into() }),
        Change::RestoreColumn(ColumnRef { key: "target".into() }),
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
        ("deletedLists", ClientMessage::DeletedLists(client::DeletedLists { request })),
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

/// Messages about the server and the list of watchlists.
fn server_wide_messages() -> Vec<(&'static str, ServerMessage)> {
    let watchlist = list();
    let request = RequestId(2);
    let time = "2026-11-22T20:00:00.000Z".parse().unwrap();
    let user = server::WelcomeUser { id: UserId(id(8)), name: "ann".into(), role: WelcomeRole::Editor };
    let summary = server::Summary {
        watchlist,
        name: "Core book".into(),
        revision: Revision(44),
        rows: 503,
        role: Some(ListRole::Owner),
    };
    let deleted = server::DeletedSummary {
        watchlist,
        name: "Core book".into(),
        deleted_at: "2026-11-22T20:00:00.000Z".parse().unwrap(),
        by: Some("bob".into()),
        rows: 20,
    };
    vec![
        (
            "welcome",
            ServerMessage::Welcome(server::Welcome { protocol: 1, server: "0.1.0".into(), user, now: time }),
        ),
        ("watchlists", ServerMessage::Watchlists(server::Watchlists { list: vec![summary] })),
        ("created", ServerMessage::Created(server::Created { request, watchlist })),
        ("deleted", ServerMessage::Deleted(server::Done { request })),
        ("restored", ServerMessage::Restored(server::Done { request })),
        (
            "deletedLists-answer",
            ServerMessage::DeletedLists(server::DeletedLists { request, list: vec![deleted] }),
        ),
        (
            "history-answer",
            ServerMessage::History(server::History { request, commits: vec![commit()], next: None }),
        ),
        (
            "history-page",
            ServerMessage::History(server::History {
                request,
                commits: vec![commit()],
                next: Some(Revision(44)),
            }),
        ),
        (
            "closed",
            ServerMessage::Closed(server::Closed { watchlist, reason: server::ClosedReason::Deleted }),
        ),
        (
            "closedForbidden",
            ServerMessage::Closed(server::Closed { watchlist, reason: server::ClosedReason::Forbidden }),
        ),
        ("access", ServerMessage::Access(server::Access { watchlist, role: ListRole::Viewer })),
    ]
}

/// Messages about one watchlist.
fn watchlist_messages() -> Vec<(&'static str, ServerMessage)> {
    let watchlist = list();
    let time = "2026-11-22T20:00:00.000Z".parse().unwrap();
    let rejection = Rejection {
        change: Some(0),
        current: Some("71.75".into()),
        by: Some("bob".into()),
        ..Rejection::new(Code::Conflict, "the cell holds \"71.75\" and not \"71.72\"")
    };
    let rows = vec![snapshot::SnapshotRow {
        row: row(),
        position: Position::from_hex("80").unwrap(),
        cells: BTreeMap::from([
            ("price".into(), Literal::from("71.72")),
            ("symbol".into(), Literal::from("MMM")),
        ]),
        changed: BTreeMap::from([("price".into(), time)]),
    }];
    let error =
        |code, message: &str| server::Error { code, message: message.into(), request: None, watchlist: None };
    vec![
        (
            "snapshot",
            ServerMessage::Snapshot(snapshot::Snapshot {
                watchlist,
                name: "Core book".into(),
                columns: standard_columns(),
                epoch: Epoch(id(3)),
                revision: Revision(44),
                part: 1,
                parts: 3,
                role: Some(ListRole::Editor),
                rows,
            }),
        ),
        (
            "resumed",
            ServerMessage::Resumed(server::Resumed {
                watchlist,
                epoch: Epoch(id(3)),
                revision: Revision(44),
                role: Some(ListRole::Viewer),
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
        ("error", ServerMessage::Error(error(ErrorCode::Restarting, "the server is stopping"))),
    ]
}

fn presence_messages() -> [(&'static str, ServerMessage); 2] {
    let watchlist = list();
    let person = server::Person {
        client: ClientId(id(9)),
        window: WindowId(1),
        name: "bob".into(),
        cell: Some(cell()),
        editing: true,
    };
    let moved = server::WindowRef { client: ClientId(id(9)), window: WindowId(2) };
    let whole = server::Presence { watchlist, whole: true, people: vec![person], gone: Vec::new() };
    let difference = server::Presence { watchlist, whole: false, people: Vec::new(), gone: vec![moved] };
    [("people", ServerMessage::Presence(whole)), ("peopleMoved", ServerMessage::Presence(difference))]
}

fn server_messages() -> Vec<(&'static str, ServerMessage)> {
    server_wide_messages().into_iter().chain(watchlist_messages()).chain(presence_messages()).collect()
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
    assert!(bytes == golden, "{name} in {encoding:?} differs from {}", path.display());
    golden
}

#[test]
fn every_message_matches_its_golden_file() {
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

/// Checks the JSON against literals, in case the golden files were rewritten by mistake.
#[test]
fn json_has_the_form_of_the_protocol() {
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
