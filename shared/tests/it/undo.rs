//! Reverting an edit restores the state before it exactly; its inverse restores the values as a new edit.

use std::collections::BTreeMap;

use shared::{
    column::{ColumnKind, standard_columns},
    edit::{AddColumn, Change, ColumnRef, SetColumn},
    ids::{Revision, RowId},
    limits::Limits,
    position::Position,
    rejection::Code,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

const LIMITS: Limits = Limits { rows: 100, ..Limits::DEFAULT };

fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

fn position(hex: &str) -> Position {
    Position::from_hex(hex).unwrap()
}

fn watchlist() -> Watchlist {
    let mut watchlist = Watchlist::new("Core book", standard_columns(), &LIMITS).unwrap();
    let cells = BTreeMap::from([("symbol".into(), "MMM".into()), ("price".into(), "71.72".into())]);
    let changes = [
        Change::insert(row(1), &position("40"), cells),
        Change::insert(row(2), &position("80"), BTreeMap::new()),
    ];
    watchlist.apply(&changes, &Mode::Confirmed { at: Timestamp::from_millis(1) }).unwrap();
    watchlist
}

fn edits() -> Vec<Vec<Change>> {
    let text = |key: &str| AddColumn {
        key: key.into(),
        title: "New".into(),
        kind: ColumnKind::Text,
        after: Some(None),
    };
    vec![
        vec![Change::set(row(1), &"price".into(), "80".into())],
        vec![
            Change::set(row(1), &"price".into(), "80".into()),
            Change::set(row(1), &"price".into(), "81".into()),
        ],
        vec![
            Change::insert(row(3), &position("60"), BTreeMap::new()),
            Change::set(row(3), &"note".into(), "hm".into()),
        ],
        vec![Change::remove(row(1), None)],
        vec![Change::move_to(row(2), &position("20"))],
        vec![Change::AddColumn(text("new"))],
        vec![Change::RemoveColumn(ColumnRef { key: "price".into() }), Change::remove(row(1), None)],
        vec![Change::rename("Other")],
        vec![Change::SetColumn(SetColumn {
            key: "target".into(),
            title: Some("Target price".into()),
            kind: Some(ColumnKind::Text),
            after: Some(Some("symbol".into())),
        })],
    ]
}

#[test]
fn reverting_is_exact() {
    for changes in edits() {
        let mut changed = watchlist();
        let undo = changed.apply(&changes, &Mode::Confirmed { at: Timestamp::from_millis(9) }).unwrap();
        assert!(!changed.has_same_content(&watchlist()), "{changes:?}");
        changed.revert(undo);
        assert!(changed.has_same_content(&watchlist()), "{changes:?}");
    }
}

#[test]
fn the_inverse_is_an_edit_that_restores_every_value() {
    for changes in edits() {
        let mut changed = watchlist();
        let mode =
            Mode::Validate { limits: &LIMITS, at: Timestamp::from_millis(9), changed_since: &|_, _| false };
        let undo = changed.apply(&changes, &mode).unwrap();
        let inverse = undo.inverse(&changes, Some(Revision(1)), changed.columns());
        changed.apply(&inverse, &mode).unwrap();
        for original in watchlist().rows().iter() {
            for entry in watchlist().columns().iter().filter(|entry| entry.column.derive.is_none()) {
                let key = &entry.column.key;
                assert_eq!(
                    changed.cell(original.id, key),
                    watchlist().cell(original.id, key),
                    "{changes:?} {key}"
                );
            }
        }
        let order: Vec<RowId> = changed.rows().iter().map(|row| row.id).collect();
        assert_eq!(order, [row(1), row(2)], "{changes:?}");
        assert_eq!(changed.name(), watchlist().name());
    }
}

#[test]
fn an_undo_does_not_overwrite_later_changes_of_others() {
    let mut state = watchlist();
    let mine = [Change::set(row(1), &"price".into(), "80".into())];
    let mode =
        Mode::Validate { limits: &LIMITS, at: Timestamp::from_millis(9), changed_since: &|_, _| false };
    let inverse = state.apply(&mine, &mode).unwrap().inverse(&mine, None, state.columns());
    state.apply(&[Change::set(row(1), &"price".into(), "90".into())], &mode).unwrap();
    let rejection = state.apply(&inverse, &mode).unwrap_err();
    assert_eq!((rejection.code, rejection.current), (Code::Conflict, Some(Literal::from("90"))));
}

#[test]
fn a_rejected_edit_changes_nothing() {
    let mut state = watchlist();
    let changes = [
        Change::set(row(1), &"price".into(), "80".into()),
        Change::remove(row(2), None),
        Change::set(row(2), &"price".into(), "1".into()),
    ];
    let rejection = state.apply(&changes, &Mode::Pending { limits: &LIMITS }).unwrap_err();
    assert_eq!((rejection.code, rejection.change), (Code::UnknownRow, Some(2)));
    assert!(state.has_same_content(&watchlist()));
}
