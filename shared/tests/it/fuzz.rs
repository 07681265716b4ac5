//! Bytes and texts from anywhere, into everything that reads them here: nothing panics, and what is read is written
//! back as it was.
//!
//! Each runs for a moment as a test. For long, by hand: `cargo bolero test -p shared fuzz::messages --engine libfuzzer`.

use std::sync::LazyLock;

use bolero::{TypeGenerator, check};
use shared::{
    csv_table::{self, CsvTable},
    ids::{RowId, WatchlistId},
    limits::Limits,
    number::{self, Separators},
    position::Position,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
    wire::{
        At,
        client::ClientMessage,
        codec::{DecodeError, Encoding},
    },
};
use uuid::Uuid;

/// The message of every golden file, to begin from.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
});

/// A sound message with bytes of it replaced, cut out and doubled.
#[derive(Clone, Debug, TypeGenerator)]
struct Mutated {
    seed: u16,
    steps: Vec<Mutation>,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Mutation {
    Put(u16, u8),
    Cut(u16, u8),
    Repeat(u16, u8),
    Insert(u16, Vec<u8>),
    End(u16),
}

impl Mutated {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = SEEDS[usize::from(self.seed) % SEEDS.len()].clone();
        for step in &self.steps {
            let place = |at: &u16| usize::from(*at) % (bytes.len() + 1);
            match step {
                Mutation::Put(at, byte) => {
                    let at = place(at);
                    if let Some(old) = bytes.get_mut(at) {
                        *old = *byte;
                    }
                }
                Mutation::Cut(at, length) => {
                    let at = place(at);
                    let end = (at + usize::from(*length)).min(bytes.len());
                    bytes.drain(at..end);
                }
                Mutation::Repeat(at, length) => {
                    let at = place(at);
                    let end = (at + usize::from(*length)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    bytes.splice(at..at, copy);
                }
                Mutation::Insert(at, new) => {
                    let at = place(at);
                    bytes.splice(at..at, new.iter().copied());
                }
                Mutation::End(at) => {
                    let at = place(at);
                    bytes.truncate(at);
                }
            }
        }
        bytes
    }
}

/// Whether a value stands in a message that no cell can hold: of it only the name of its kind is kept, for the refusal.
fn has_foreign(message: &impl std::fmt::Debug) -> bool {
    format!("{message:?}").contains("Foreign(")
}

/// Reads bytes as a message of either side; what can be read is written back and read again as the same.
fn read_as_messages(bytes: &[u8]) {
    for encoding in Encoding::ALL {
        match encoding.decode_client(bytes) {
            Ok(message) => {
                let again = encoding.decode_client(&encoding.encode(&message));
                assert!(
                    has_foreign(&message) || again.as_ref() == Ok(&message),
                    "{encoding:?} {message:?} {again:?}"
                );
                if let ClientMessage::Edit(edit) = &message {
                    judge(edit);
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

/// An edit that can be read is applied whole or not at all, and taken back exactly.
fn judge(edit: &shared::wire::client::Edit) {
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
    assert!(list.same_as(&before));
}

#[test]
fn messages() {
    check!().with_type::<Mutated>().with_iterations(20_000).for_each(|mutated| {
        read_as_messages(&mutated.bytes());
    });
}

#[test]
fn messages_of_any_bytes() {
    check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| read_as_messages(bytes));
}

#[test]
fn csv_files() {
    check!().with_type::<Vec<u8>>().with_iterations(20_000).for_each(|bytes| read_as_csv(bytes));
}

/// Cells as files have them, so that most of what is made gets past the first line.
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
        read_as_csv(text.as_bytes());
    });
}

fn read_as_csv(bytes: &[u8]) {
    let limits = Limits::default();
    let table = match CsvTable::read(bytes, &limits) {
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
        list.apply(changes, &Mode::Pending { limits: &limits }).expect("what was read can be inserted");
    }
    // What is written of it is read as the same rows.
    let written = csv_table::write(&list.freeze());
    assert!(CsvTable::read(&written, &limits).is_ok(), "{}", String::from_utf8_lossy(&written));
}

#[test]
fn numbers() {
    check!().with_type::<String>().with_iterations(50_000).for_each(|text| read_as_number(text));
}

/// Texts that are nearly numbers.
#[test]
fn numbers_of_figures() {
    const SIGNS: [char; 18] = [
        '0', '1', '5', '9', '.', ',', '-', '+', '*', '/', '%', 'k', 'm', 'e', ' ', '\u{a0}', '(', '\u{2212}',
    ];
    check!().with_type::<Vec<u8>>().with_iterations(50_000).for_each(|picks| {
        let text: String = picks.iter().map(|pick| SIGNS[usize::from(*pick) % SIGNS.len()]).collect();
        read_as_number(&text);
    });
}

fn read_as_number(text: &str) {
    if let Ok(exact) = number::parse_exact(text) {
        assert_eq!(number::parse_exact(&exact.to_string()), Ok(exact));
    }
    for separators in [Separators::Point, Separators::Comma] {
        for present in [None, number::parse_exact("71.72").ok()] {
            if let Ok(typed) = number::parse_typed(text, present, separators) {
                let written = separators.write(typed);
                assert_eq!(number::parse_typed(&written, present, separators), Ok(typed), "{text:?}");
            }
        }
    }
    if let Ok(position) = Position::from_hex(text) {
        assert_eq!(position.to_hex(), *text);
    }
}

/// The parts of a snapshot hold what the watchlist holds.
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
                // The same id again is refused.
                drop(list.apply(&[insert], &Mode::Pending { limits: &limits }));
            }
            let id = WatchlistId(Uuid::nil());
            let at = At { epoch: shared::ids::Epoch(Uuid::nil()), revision: shared::ids::Revision(1) };
            let mut copy = Watchlist::new("Fuzz", shared::column::standard_columns(), &limits).unwrap();
            for part in list.freeze().parts(id, at, usize::from(*part_bytes).max(1)) {
                for encoding in Encoding::ALL {
                    let bytes = encoding.encode(&shared::wire::server::ServerMessage::Snapshot(part.clone()));
                    assert!(encoding.decode_server(&bytes).is_ok());
                }
                part.rows.iter().for_each(|row| copy.load_wire_row(row).unwrap());
            }
            assert!(copy.same_as(&list));
        },
    );
}
