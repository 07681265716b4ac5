//! Fuzzes every parser of the crate: nothing panics, and everything that can be parsed survives a round trip.
//!
//! Each runs briefly as a test. To run one for longer: `cargo bolero test -p shared fuzz::messages --engine
//! libfuzzer`.

use std::sync::LazyLock;

use bolero::{TypeGenerator, check};
use shared::{
    ids::{At, RowId, WatchlistId},
    limits::Limits,
    number::{self, Separators, Typed},
    position::Position,
    sheet::csv,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
    wire::{
        client::ClientMessage,
        codec::{DecodeError, Encoding},
        snapshot::Snapshot,
    },
};
use uuid::Uuid;

/// The messages of all golden files, which the mutations start from.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
});

/// A valid message with some of its bytes replaced, removed, repeated and inserted.
#[derive(Clone, Debug, TypeGenerator)]
struct Mutated {
    seed: u16,
    steps: Vec<Mutation>,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Mutation {
    Replace(u16, u8),
    Remove(u16, u8),
    Repeat(u16, u8),
    Insert(u16, Vec<u8>),
    Truncate(u16),
}

impl Mutated {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = SEEDS[usize::from(self.seed) % SEEDS.len()].clone();
        for step in &self.steps {
            let index = |at: &u16| usize::from(*at) % (bytes.len() + 1);
            match step {
                Mutation::Replace(at, byte) => {
                    let at = index(at);
                    if let Some(old) = bytes.get_mut(at) {
                        *old = *byte;
                    }
                }
                Mutation::Remove(at, length) => {
                    let at = index(at);
                    let end = (at + usize::from(*length)).min(bytes.len());
                    bytes.drain(at..end);
                }
                Mutation::Repeat(at, length) => {
                    let at = index(at);
                    let end = (at + usize::from(*length)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                Mutation::Insert(at, new) => {
                    let at = index(at);
                    bytes.splice(at..at, new.iter().copied());
                }
                Mutation::Truncate(at) => {
                    let at = index(at);
                    bytes.truncate(at);
                }
            }
        }
        bytes
    }
}

/// Returns whether a message contains a value that no column accepts. Such a value does not survive a round
/// trip.
fn has_foreign(message: &impl std::fmt::Debug) -> bool {
    format!("{message:?}").contains("Foreign(")
}

/// Decodes bytes as a message of either side. A valid message must survive a round trip.
fn check_messages(bytes: &[u8]) {
    // A field `type` in front of a message that has one already makes it invalid, wherever its own one is.
    for kind in ["close", "edit", "none"] {
        let mut twice = format!("{{\"type\":{kind:?},").into_bytes();
        if Encoding::Json.decode_client(bytes).is_ok() && bytes.starts_with(b"{\"") {
            twice.extend(&bytes[1..]);
            let decoded = Encoding::Json.decode_client(&twice);
            assert!(matches!(decoded, Err(DecodeError::BadMessage(_))), "{decoded:?}");
        }
    }
    for encoding in Encoding::ALL {
        match encoding.decode_client(bytes) {
            Ok(message) => {
                let again = encoding.decode_client(&encoding.encode(&message));
                assert!(
                    has_foreign(&message) || again.as_ref() == Ok(&message),
                    "{encoding:?} {message:?} {again:?}"
                );
                if let ClientMessage::Edit(edit) = &message {
                    check_apply_and_revert(edit);
                }
            }
            Err(DecodeError::BadMessage(why) | DecodeError::BadEdit { message: why, .. }) => {
                assert!(!why.is_empty());
            }
        }
        if let Ok(message) = encoding.decode_server(bytes) {
            let again = encoding.decode_server(&encoding.encode(&message));
            assert!(
                has_foreign(&message) || again.as_ref() == Ok(&message),
                "{encoding:?} {message:?} {again:?}"
            );
        }
    }
}

/// A valid edit is applied as a whole or not at all, and reverted exactly.
fn check_apply_and_revert(edit: &shared::wire::client::Edit) {
    let limits = Limits::default();
    let mut list = Watchlist::new("Fuzz", shared::column::standard_columns(), &limits).unwrap();
    let first = Position::between(None, None, 1).unwrap().remove(0);
    let row = edit.changes.iter().find_map(shared::edit::Change::row).unwrap_or(RowId(Uuid::nil()));
    let cells = [("price".into(), Literal::from("71.72"))].into();
    list.apply(&[shared::edit::Change::insert(row, &first, cells)], &Mode::Pending { limits: &limits })
        .unwrap();
    let before = list.clone();
    if let Ok(undo) = list.apply(&edit.changes, &Mode::Pending { limits: &limits }) {
        list.revert(undo);
    }
    assert!(list.has_same_content(&before));
}

#[test]
fn messages() {
    check!().with_type::<Mutated>().with_iterations(20_000).for_each(|mutated| {
        check_messages(&mutated.bytes());
    });
}

#[test]
fn messages_of_any_bytes() {
    check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| check_messages(bytes));
}

#[test]
fn csv_files() {
    check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| check_csv(bytes));
}

/// Cells as in real files, so that most generated files are valid beyond the first line.
#[derive(Clone, Debug, TypeGenerator)]
enum Cell {
    Number(i32, u8),
    Word(u8),
    Quoted(String),
    Raw(String),
    Empty,
}

#[test]
fn csv_tables() {
    check!().with_type::<Vec<Vec<Cell>>>().with_iterations(5_000).for_each(|rows| {
        let mut text = String::from("Symbol,Price,Note\n");
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| match cell {
                    Cell::Number(number, decimals) => format!("{number}.{decimals}"),
                    Cell::Word(letter) => format!("W{letter}"),
                    Cell::Quoted(text) => format!("\"{}\"", text.replace('"', "\"\"")),
                    Cell::Raw(text) => text.clone(),
                    Cell::Empty => String::new(),
                })
                .collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        check_csv(text.as_bytes());
    });
}

fn check_csv(bytes: &[u8]) {
    let limits = Limits::default();
    let table = match csv::read(bytes, &limits) {
        Ok(table) => table,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut list = Watchlist::new("Fuzz", table.columns.clone(), &limits).unwrap();
    let mut rows = 0_u128;
    let inserts = table.inserts(&limits, || {
        rows += 1;
        RowId(Uuid::from_u128(rows))
    });
    for changes in &inserts {
        list.apply(changes, &Mode::Pending { limits: &limits }).expect("an imported table can be inserted");
    }
    // The exported file can be read.
    let written: Vec<u8> = csv::write(list.freeze()).flatten().collect();
    assert!(csv::read(&written, &limits).is_ok(), "{}", String::from_utf8_lossy(&written));
}

#[test]
fn numbers() {
    check!().with_type::<String>().with_iterations(50_000).for_each(|text| check_number(text));
}

/// Text that resembles numbers.
#[test]
fn numbers_of_typical_characters() {
    const CHARACTERS: [char; 21] = [
        '0', '1', '5', '9', '.', ',', '-', '+', '=', '*', '/', '%', 'k', 'm', 'b', 'e', ' ', '$', '\u{a0}',
        '(', '\u{2212}',
    ];
    check!().with_type::<Vec<u8>>().with_iterations(50_000).for_each(|picks| {
        let text: String =
            picks.iter().map(|pick| CHARACTERS[usize::from(*pick) % CHARACTERS.len()]).collect();
        check_number(&text);
    });
}

fn check_number(text: &str) {
    if let Ok(exact) = number::parse_exact(text) {
        assert_eq!(number::parse_exact(&exact.to_string()), Ok(exact));
    }
    let german = Separators { decimal: ',', group: '.', group_digits: 3 };
    let swiss = Separators { decimal: '.', group: '\u{2019}', group_digits: 3 };
    let indian = Separators { group_digits: 2, ..Separators::ENGLISH };
    for separators in [Separators::ENGLISH, german, swiss, indian] {
        for current in [None, number::parse_exact("71.72").ok()] {
            if let Ok(typed) = number::parse_typed(text, current, separators) {
                let plain = Ok(Typed { number: typed.number, step: None, is_plain: true });
                for again in
                    [separators.write(typed.number), separators.format(typed.number, typed.number.scale())]
                {
                    assert_eq!(number::parse_typed(&again, None, separators), plain, "{text:?}");
                    let value = number::parse_typed(&format!("={again}"), current, separators);
                    assert_eq!(value.map(|value| value.number), Ok(typed.number), "{text:?}");
                }
            }
        }
    }
    if let Ok(position) = Position::from_hex(text) {
        assert_eq!(position.to_hex(), *text);
    }
}

/// The parts of a snapshot have the same content as the watchlist.
#[test]
fn snapshots() {
    check!().with_type::<(Vec<(u32, Option<i32>, String)>, u16)>().with_iterations(2_000).for_each(
        |(rows, part_bytes)| {
            let limits = Limits::default();
            let mut list = Watchlist::new("Fuzz", shared::column::standard_columns(), &limits).unwrap();
            let positions = Position::between(None, None, rows.len()).unwrap();
            for ((id, price, note), position) in rows.iter().zip(&positions) {
                let note: String = note.chars().take(100).collect();
                let price = price.map_or(Literal::Empty, |price| Literal::from(price.to_string().as_str()));
                let cells = [("price".into(), price), ("note".into(), Literal::from(note.as_str()))].into();
                let insert =
                    shared::edit::Change::insert(RowId(Uuid::from_u128((*id).into())), position, cells);
                // A duplicate id is rejected.
                drop(list.apply(&[insert], &Mode::Pending { limits: &limits }));
            }
            let id = WatchlistId(Uuid::nil());
            let at = At { epoch: shared::ids::Epoch(Uuid::nil()), revision: shared::ids::Revision(1) };
            let mut copy = Watchlist::new("Fuzz", shared::column::standard_columns(), &limits).unwrap();
            for part in Snapshot::parts(&list.freeze(), id, at, usize::from(*part_bytes).max(1)) {
                for encoding in Encoding::ALL {
                    let bytes = encoding.encode(&shared::wire::server::ServerMessage::Snapshot(part.clone()));
                    assert!(encoding.decode_server(&bytes).is_ok());
                }
                part.rows.iter().for_each(|row| row.load_into(&mut copy).unwrap());
            }
            assert!(copy.has_same_content(&list));
        },
    );
}
