//! What an edit may do: limits of rows and texts, columns that change their kind, and times of changes.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    column::{Column, ColumnKind, Derive, standard_columns},
    edit::{Change, ColumnRef, SetColumn},
    ids::RowId,
    limits::Limits,
    position::Position,
    rejection::Code,
    time::Timestamp,
    value::{Literal, Value},
    watchlist::{
        Watchlist,
        apply::{Mode, Undo},
    },
};
use uuid::Uuid;

const LIMITS: Limits = Limits::DEFAULT;
const ROW: RowId = RowId(Uuid::from_u128(1));
const NUMBER: ColumnKind = ColumnKind::Number { decimals: 2 };

/// How the tests apply an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Validated,
    Pending,
    Confirmed,
}

fn apply_with(
    list: &mut Watchlist,
    how: As,
    limits: &Limits,
    change: Change,
) -> Result<Undo, shared::rejection::Rejection> {
    let at = Timestamp::from_millis(9);
    let mode = match how {
        As::Validated => Mode::Validate { limits, at, changed_since: &|_, _| false },
        As::Pending => Mode::Pending { limits },
        As::Confirmed => Mode::Confirmed { at },
    };
    list.apply(&[change], &mode)
}

fn apply(list: &mut Watchlist, how: As, change: Change) -> Result<(), Code> {
    apply_with(list, how, &LIMITS, change).map(drop).map_err(|rejection| rejection.code)
}

fn insert(row: u128) -> Change {
    Change::insert(RowId(Uuid::from_u128(row)), &Position::from_hex("80").unwrap(), BTreeMap::new())
}

fn set(column: &str, text: &str) -> Change {
    Change::set(ROW, &column.into(), Literal::from(text))
}

fn to_kind(column: &str, kind: ColumnKind) -> Change {
    Change::SetColumn(SetColumn { key: column.into(), title: None, kind: Some(kind), after: None })
}

fn choice(options: &[&str]) -> ColumnKind {
    ColumnKind::Choice(options.iter().map(|option| Arc::from(*option)).collect())
}

/// Returns a watchlist with one empty row.
fn watchlist() -> Watchlist {
    let mut list = Watchlist::new("List", standard_columns(), &LIMITS).unwrap();
    apply(&mut list, As::Confirmed, insert(1)).unwrap();
    list
}

fn shown(list: &Watchlist, column: &str) -> Literal {
    list.cell(ROW, &column.into()).to_literal()
}

#[test]
fn a_watchlist_has_a_limited_number_of_rows() {
    let limits = Limits { rows: 2, ..LIMITS };
    for how in [As::Validated, As::Pending] {
        let mut list = watchlist();
        apply_with(&mut list, how, &limits, insert(2)).unwrap();
        let rejection = apply_with(&mut list, how, &limits, insert(3)).unwrap_err();
        assert_eq!((rejection.code, list.rows().len()), (Code::TooLarge, 2));
        apply(&mut list, As::Confirmed, insert(3)).unwrap();
    }
}

#[test]
fn a_text_has_a_limited_length_unless_the_server_has_accepted_it() {
    let limits = Limits { text_bytes: 3, ..LIMITS };
    let long = "x".repeat(LIMITS.text_bytes + 1);
    for (how, text, is_valid) in [
        (As::Validated, "abc", true),
        (As::Validated, "abcd", false),
        (As::Pending, "abc", true),
        (As::Pending, "abcd", false),
        (As::Confirmed, &*long, true),
    ] {
        let applied = apply_with(&mut watchlist(), how, &limits, set("note", text));
        assert_eq!(applied.is_ok(), is_valid, "{how:?} {text}");
    }
}

#[test]
fn the_texts_of_a_row_are_limited_together_and_may_always_shrink() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("note", &"x".repeat(60))).unwrap();
    apply(&mut list, As::Validated, set("company", &"x".repeat(30))).unwrap();
    let limits = Limits { row_bytes: 100, ..LIMITS };
    apply_with(&mut list, As::Validated, &limits, set("note", &"x".repeat(70))).unwrap();
    let larger = apply_with(&mut list, As::Validated, &limits, set("note", &"x".repeat(71)));
    assert_eq!(larger.unwrap_err().code, Code::TooLarge);
    let smaller_limit = Limits { row_bytes: 50, ..LIMITS };
    for text in ["y".repeat(70), "z".repeat(69)] {
        apply_with(&mut list, As::Validated, &smaller_limit, set("note", &text)).unwrap();
    }
}

#[test]
fn zero_has_no_sign_unless_the_server_has_accepted_it() {
    for (how, applied) in [
        (As::Validated, Err(Code::InvalidValue)),
        (As::Pending, Err(Code::InvalidValue)),
        (As::Confirmed, Ok(())),
    ] {
        assert_eq!(apply(&mut watchlist(), how, set("price", "-0.0")), applied, "{how:?}");
        assert_eq!(apply(&mut watchlist(), how, set("price", "-0.1")), Ok(()));
        assert_eq!(apply(&mut watchlist(), how, set("price", "0.0")), Ok(()));
        assert_eq!(apply(&mut watchlist(), how, set("note", "-0")), Ok(()));
    }
}

#[test]
fn the_time_of_a_change_is_the_time_at_which_it_was_accepted() {
    let time = Literal::from(&*Timestamp::from_millis(9).to_string());
    for (how, changed) in
        [(As::Validated, time.clone()), (As::Confirmed, time.clone()), (As::Pending, Literal::Empty)]
    {
        let mut list = watchlist();
        apply(&mut list, how, set("price", "71.72")).unwrap();
        assert_eq!(shown(&list, "lastChange"), changed, "{how:?}");
        let cells = BTreeMap::from([("price".into(), Literal::from("1"))]);
        let row = RowId(Uuid::from_u128(2));
        apply(&mut list, how, Change::insert(row, &Position::from_hex("90").unwrap(), cells)).unwrap();
        assert_eq!(list.cell(row, &"lastChange".into()).to_literal(), changed, "{how:?}");
    }
}

#[test]
fn a_removed_column_cannot_be_edited_until_it_is_restored() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("note", "kept")).unwrap();
    apply(&mut list, As::Validated, Change::RemoveColumn(ColumnRef { key: "note".into() })).unwrap();
    assert!(list.columns().visible().all(|entry| entry.column.key != "note".into()));
    assert_eq!(apply(&mut list, As::Validated, set("note", "lost")), Err(Code::UnknownColumn));
    assert_eq!(apply(&mut list, As::Validated, to_kind("note", NUMBER)), Err(Code::UnknownColumn));
    apply(&mut list, As::Validated, Change::RestoreColumn(ColumnRef { key: "note".into() })).unwrap();
    assert_eq!(shown(&list, "note"), Literal::from("kept"));
    apply(&mut list, As::Validated, set("note", "new")).unwrap();
}

#[test]
fn cells_are_converted_to_a_new_kind_and_back_when_that_is_reverted() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("note", "7.50")).unwrap();
    apply(&mut list, As::Validated, insert(2)).unwrap();
    let undo = apply_with(&mut list, As::Validated, &LIMITS, to_kind("note", NUMBER)).unwrap();
    assert!(matches!(list.cell(ROW, &"note".into()), Value::Number(number) if number.to_string() == "7.50"));
    assert_eq!(list.cell(RowId(Uuid::from_u128(2)), &"note".into()), Value::Empty);
    list.revert(undo);
    assert_eq!(list.cell(ROW, &"note".into()), Value::Text("7.50".into()));
}

#[test]
fn a_cell_that_cannot_be_converted_keeps_a_column_from_changing_its_kind() {
    for how in [As::Validated, As::Pending] {
        let mut list = watchlist();
        apply(&mut list, how, set("note", "words")).unwrap();
        assert_eq!(apply(&mut list, how, to_kind("note", NUMBER)), Err(Code::InvalidValue));
        assert_eq!(shown(&list, "note"), Literal::from("words"));
    }
    // Conflation may have left out the change that made it convertible.
    let mut list = watchlist();
    apply(&mut list, As::Confirmed, set("note", "words")).unwrap();
    apply(&mut list, As::Confirmed, to_kind("note", NUMBER)).unwrap();
    assert_eq!(list.cell(ROW, &"note".into()), Value::Empty);
}

#[test]
fn the_options_of_a_choice_include_what_its_cells_contain() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("note", "buy")).unwrap();
    apply(&mut list, As::Validated, to_kind("note", choice(&["buy", "sell"]))).unwrap();
    assert_eq!(apply(&mut list, As::Validated, to_kind("note", choice(&["hold"]))), Err(Code::InvalidValue));
    apply(&mut list, As::Validated, to_kind("note", choice(&["hold", "buy"]))).unwrap();
    assert_eq!(shown(&list, "note"), Literal::from("buy"));
}

#[test]
fn decimals_are_for_display_and_change_no_cell() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("target", "1.23456")).unwrap();
    apply(&mut list, As::Validated, to_kind("target", ColumnKind::Number { decimals: 0 })).unwrap();
    assert_eq!(shown(&list, "target"), Literal::from("1.23456"));
    apply(&mut list, As::Validated, to_kind("change", ColumnKind::Number { decimals: 3 })).unwrap();
    assert_eq!(
        apply(&mut list, As::Validated, to_kind("change", ColumnKind::Text)),
        Err(Code::ReadOnlyColumn)
    );
}

#[test]
fn a_column_that_others_are_computed_from_stays_numeric() {
    let changed_at = Column {
        derive: Some(Derive::ChangedAt { of: "note".into() }),
        ..Column::new("noted", "Noted", ColumnKind::Time)
    };
    let columns = [standard_columns(), vec![changed_at]].concat();
    let mut list = Watchlist::new("List", columns, &LIMITS).unwrap();
    let mut change = |column, kind| apply(&mut list, As::Validated, to_kind(column, kind));
    for input in ["price", "previousClose"] {
        assert_eq!(change(input, ColumnKind::Text), Err(Code::InvalidValue));
        assert_eq!(change(input, ColumnKind::Percent { decimals: 1 }), Ok(()));
    }
    assert_eq!(change("target", ColumnKind::Text), Ok(()), "nothing is computed from it");
    assert_eq!(change("note", NUMBER), Ok(()));
    assert_eq!(change("note", ColumnKind::Text), Ok(()), "its time of change is one of any kind");
}

#[test]
fn the_replaced_values_are_those_of_the_cells_that_were_set() {
    let mut list = watchlist();
    apply(&mut list, As::Validated, set("note", "a")).unwrap();
    let changes = [set("note", "b"), insert(2), set("price", "1"), set("note", "c")];
    let undo = list.apply(&changes, &Mode::Pending { limits: &LIMITS }).unwrap();
    let replaced: Vec<Literal> = undo.replaced().map(Value::to_literal).collect();
    assert_eq!(replaced, [Literal::from("a"), Literal::Empty, Literal::from("b")]);
}
