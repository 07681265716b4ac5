//! An edit taken back, exactly and as a new edit, leaves what was there before.

use std::collections::BTreeMap;

use shared::{
    column::{ColumnKind, standard_columns},
    edit::{AddColumn, Change, Code, KeyOnly, SetColumn},
    ids::{Revision, RowId},
    limits::Limits,
    position::Position,
    time::Timestamp,
    value::Literal,
    watchlist::{Watchlist, apply::Mode},
};
use uuid::Uuid;

const LIMITS: Limits = Limits {
    message_bytes: 1 << 20,
    text_bytes: 4096,
    columns: 256,
    rows: 100,
    changes: 10_000,
    open_watchlists: 64,
};

fn row(number: u128) -> RowId {
    RowId(Uuid::from_u128(number))
}

fn place(hex: &str) -> Position {
    Position::from_hex(hex).unwrap()
}

fn watchlist() -> Watchlist {
    let mut watchlist = Watchlist::new("Core book", standard_columns(), &LIMITS).unwrap();
    let cells = BTreeMap::from([("symbol".into(), "MMM".into()), ("price".into(), "71.72".into())]);
    let changes =
        [Change::insert(row(1), &place("40"), cells), Change::insert(row(2), &place("80"), BTreeMap::new())];
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
            Change::insert(row(3), &place("60"), BTreeMap::new()),
            Change::set(row(3), &"note".into(), "hm".into()),
        ],
        vec![Change::remove(row(1), None)],
        vec![Change::move_to(row(2), &place("20"))],
        vec![Change::AddColumn(text("new"))],
        vec![Change::RemoveColumn(KeyOnly { key: "price".into() }), Change::remove(row(1), None)],
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
        assert!(!changed.same_as(&watchlist()), "{changes:?}");
        changed.revert(undo);
        assert!(changed.same_as(&watchlist()), "{changes:?}");
    }
}

#[test]
fn the_inverse_is_an_edit_that_restores_every_value() {
    for changes in edits() {
        let mut changed = watchlist();
        let inverse = changed.inverse(&changes, Some(Revision(1)));
        assert!(changed.same_as(&watchlist()), "asking changes nothing");
        let judge =
            Mode::Judge { limits: &LIMITS, at: Timestamp::from_millis(9), changed_since: &|_, _| false };
        changed.apply(&changes, &judge).unwrap();
        changed.apply(&inverse, &judge).unwrap();
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
fn what_others_changed_meanwhile_is_not_overwritten_by_an_undo() {
    let mut state = watchlist();
    let mine = [Change::set(row(1), &"price".into(), "80".into())];
    let inverse = state.inverse(&mine, None);
    let judge = Mode::Judge { limits: &LIMITS, at: Timestamp::from_millis(9), changed_since: &|_, _| false };
    state.apply(&mine, &judge).unwrap();
    state.apply(&[Change::set(row(1), &"price".into(), "90".into())], &judge).unwrap();
    let refused = state.apply(&inverse, &judge).unwrap_err();
    assert_eq!((refused.code, refused.current), (Code::Conflict, Some(Literal::from("90"))));
}

#[test]
fn a_refused_edit_leaves_nothing_behind() {
    let mut state = watchlist();
    let changes = [
        Change::set(row(1), &"price".into(), "80".into()),
        Change::remove(row(2), None),
        Change::set(row(2), &"price".into(), "1".into()),
    ];
    let refused = state.apply(&changes, &Mode::Pending { limits: &LIMITS }).unwrap_err();
    assert_eq!((refused.code, refused.change), (Code::UnknownRow, Some(2)));
    assert!(state.same_as(&watchlist()));
}
