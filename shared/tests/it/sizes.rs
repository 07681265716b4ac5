//! Every message fits into the largest that the protocol allows, whatever a watchlist contains.

use std::sync::Arc;

use shared::{
    column::{Column, ColumnKind, standard_columns},
    edit::{AddColumn, Change, SetColumn},
    ids::{At, Epoch, Revision, RowId, WatchlistId},
    limits::{CONVERTED_CELLS, Limits, SERVER_MESSAGE_BYTES},
    position::Position,
    rejection::Code,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
    wire::{codec::Encoding, server::ServerMessage, snapshot::Snapshot},
};
use uuid::Uuid;

const LIMITS: Limits = Limits::DEFAULT;

fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

fn column(number: usize, kind: ColumnKind) -> Column {
    let key = format!("column-{number:050}");
    Column { key: key.as_str().into(), title: "\u{1}".repeat(256).into(), kind, derive: None, removed: false }
}

fn text_columns() -> Vec<Column> {
    (0..256).map(|number| column(number, ColumnKind::Text)).collect()
}

fn apply(list: &mut Watchlist, change: Change) -> Result<(), Code> {
    let applied = list.apply(&[change], &Mode::Pending { limits: &LIMITS });
    applied.map(drop).map_err(|rejection| rejection.code)
}

/// Sizes of the snapshot's parts in bytes, in the larger encoding.
fn part_sizes(list: &Watchlist) -> Vec<usize> {
    let at = At { epoch: Epoch(Uuid::nil()), revision: Revision(u64::MAX) };
    let frozen = list.freeze();
    let parts = Snapshot::parts(&frozen, WatchlistId(Uuid::nil()), at, 16 * 1024);
    parts.map(|part| Encoding::Json.size(&ServerMessage::Snapshot(part))).collect()
}

#[test]
fn a_row_fits_into_a_message_whatever_its_texts() {
    // A control character takes six bytes in JSON.
    for text in ["x", "\"", "\u{1}"] {
        let mut list = Watchlist::new("\u{1}", text_columns(), &LIMITS).unwrap();
        let positions = Position::between(None, None, 3).unwrap();
        for (number, position) in positions.iter().enumerate() {
            apply(&mut list, Change::insert(row(number as u128), position, [].into())).unwrap();
            let long = Literal::from(text.repeat(4096).as_str());
            let keys: Vec<_> = list.columns().iter().map(|entry| entry.column.key.clone()).collect();
            let set =
                keys.iter().map(|key| apply(&mut list, Change::set(row(number as u128), key, long.clone())));
            let refused: Vec<Code> = set.filter_map(Result::err).collect();
            assert!(refused.iter().all(|code| *code == Code::TooLarge), "{refused:?}");
            assert_eq!(refused.len(), 256 - LIMITS.row_bytes / 4096);
        }
        let sizes = part_sizes(&list);
        assert!(sizes.iter().all(|size| *size <= SERVER_MESSAGE_BYTES), "{sizes:?}");
    }
    let mut list = Watchlist::new("List", text_columns(), &LIMITS).unwrap();
    let keys = list.columns().iter().map(|entry| entry.column.key.clone());
    let cells = keys.map(|key| (key, Literal::from("\u{1}".repeat(4096).as_str()))).collect();
    let position = Position::between(None, None, 1).unwrap().remove(0);
    assert_eq!(apply(&mut list, Change::insert(row(1), &position, cells)), Err(Code::TooLarge));
    assert!(list.rows().is_empty());
}

#[test]
fn the_columns_fit_into_a_message_and_are_not_repeated_more_often_than_needed() {
    let options: Arc<[Arc<str>]> = (0..1_000).map(|number| format!("{number:04}").into()).collect();
    let mut list = Watchlist::new("List", standard_columns(), &LIMITS).unwrap();
    let refused = (0..247).find_map(|number| {
        let Column { key, title, kind, .. } = column(number, ColumnKind::Choice(options.clone()));
        apply(&mut list, Change::AddColumn(AddColumn { key, title, kind, after: None })).err()
    });
    assert_eq!(refused, Some(Code::TooLarge), "the options of all columns together are limited");
    // A column that exists cannot grow past the limit either.
    let key = list.columns().iter().last().unwrap().column.key.clone();
    let larger: Arc<[Arc<str>]> =
        (0..40).map(|number| format!("{number:02}{}", "\u{1}".repeat(90)).into()).collect();
    let kind = Some(ColumnKind::Choice(larger));
    assert_eq!(
        apply(&mut list, Change::SetColumn(SetColumn { key, title: None, kind, after: None })),
        Err(Code::TooLarge)
    );
    for (number, position) in Position::between(None, None, 2_000).unwrap().iter().enumerate() {
        let cells = [("note".into(), Literal::from("x".repeat(500).as_str()))].into();
        apply(&mut list, Change::insert(row(number as u128), position, cells)).unwrap();
    }
    let sizes = part_sizes(&list);
    let cells = 2_000 * 500;
    assert!(sizes.iter().all(|size| *size <= SERVER_MESSAGE_BYTES), "{sizes:?}");
    assert!(
        sizes.iter().sum::<usize>() < 5 * cells,
        "{} bytes in {} parts",
        sizes.iter().sum::<usize>(),
        sizes.len()
    );
}

#[test]
fn an_edit_converts_a_bounded_number_of_cells() {
    let mut list = Watchlist::new("List", text_columns(), &LIMITS).unwrap();
    let rows = 20_000;
    for (number, position) in Position::between(None, None, rows).unwrap().iter().enumerate() {
        apply(&mut list, Change::insert(row(number as u128), position, [].into())).unwrap();
    }
    let conversions = |count: usize| -> Vec<Change> {
        let to_number = |entry: &shared::watchlist::ColumnEntry| {
            let kind = Some(ColumnKind::Number { decimals: 2 });
            Change::SetColumn(SetColumn { key: entry.column.key.clone(), title: None, kind, after: None })
        };
        list.columns().iter().take(count).map(to_number).collect()
    };
    let (few, many) = (conversions(CONVERTED_CELLS / rows), conversions(CONVERTED_CELLS / rows + 1));
    let error = list.apply(&many, &Mode::Pending { limits: &LIMITS }).unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    list.apply(&few, &Mode::Pending { limits: &LIMITS }).unwrap();
}
