//! Lists of values that a person types without looking, while others change rows and columns: each value goes
//! to the cell that was meant, or nowhere.

use std::{collections::BTreeMap, time::Duration};

use desktop::grid::{config::GridConfig, order::SortKey};
use egui::{Event, Key, Modifiers};
use fastrand::Rng;
use shared::{
    column::{ColumnKey, ColumnKind},
    edit::{AddColumn, Change, ColumnRef},
    ids::RowId,
    position::Position,
    value::Literal,
};

use super::desk::{GridHarness, harness, row};

const PRICE: usize = 2;
const ROWS: usize = 9;
/// Number of lists that are typed.
const LISTS: u64 = 60;
/// The columns that values are typed into with Tab, in order.
const ALONG: [&str; 4] = ["price", "previousClose", "target", "note"];

/// Down a column with Enter or an arrow, along a row, and row by row in two columns.
const KEYS: [&[Key]; 4] = [&[Key::Enter], &[Key::ArrowDown], &[Key::Tab], &[Key::Tab, Key::Enter]];

/// How a list is typed and what the grid shows.
#[derive(Clone, Copy, Debug)]
struct Typing {
    /// The keys after the values, again and again.
    keys: &'static [Key],
    is_sorted: bool,
    is_filtered: bool,
}

fn grid() -> GridHarness {
    let symbols = ["A", "B", "C", "D", "E", "F", "G", "H", "I"];
    let prices = ["10", "20", "30", "40", "50", "60", "70", "80", "90"];
    let rows: Vec<(&str, &str, &str)> =
        symbols.into_iter().zip(prices).map(|(symbol, price)| (symbol, price, "")).collect();
    harness(&rows)
}

fn shown_rows(harness: &GridHarness) -> Vec<RowId> {
    let app = harness.app_ref();
    let table = app.grid.table(&app.watchlist);
    (0..table.len()).filter_map(|index| table.id_at(index)).collect()
}

/// Returns a random change by somebody else.
fn change(rng: &mut Rng, harness: &GridHarness, new: u128) -> Change {
    let watchlist = &harness.app_ref().watchlist;
    let rows = watchlist.rows();
    let any = rows.at(rng.usize(..rows.len())).unwrap();
    let place = rng.usize(..=rows.len());
    let at = |index: usize| rows.at(index).map(|row| &row.position);
    let between = || Position::between(place.checked_sub(1).and_then(at), at(place), 1).unwrap().remove(0);
    let price = |rng: &mut Rng| Literal::from(rng.u32(1..100).to_string().as_str());
    match rng.u8(..10) {
        0..3 => {
            let cells = [("symbol".into(), "new".into()), ("price".into(), price(rng))].into();
            Change::insert(row(new), &between(), cells)
        }
        3..5 if rows.len() > 2 => Change::remove(any.id, None),
        5 => Change::move_to(any.id, &between()),
        6 => {
            let title: std::sync::Arc<str> = format!("New {new}").into();
            let after = Some(Some(ALONG[rng.usize(..ALONG.len())].into()));
            let kind = ColumnKind::Number { decimals: 2 };
            Change::AddColumn(AddColumn { key: format!("new{new}").as_str().into(), title, kind, after })
        }
        7 => {
            let visible = |key: &&str| watchlist.columns().visible_column(&(*key).into()).is_ok();
            let removable: Vec<&str> = ALONG[1..].iter().copied().filter(visible).collect();
            match removable.is_empty() {
                true => Change::set(any.id, &"price".into(), price(rng)),
                false => {
                    let key = removable[rng.usize(..removable.len())].into();
                    Change::RemoveColumn(ColumnRef { key })
                }
            }
        }
        _ => Change::set(any.id, &"price".into(), price(rng)),
    }
}

/// Makes a change by somebody else, too late to be read before the first key.
fn change_unread(rng: &mut Rng, harness: &mut GridHarness, new: u128) {
    let change = change(rng, harness, new);
    harness.others_at_once(&[change]);
    harness.0.run_steps(rng.usize(1..9));
}

/// Returns the events of a value and of the key that ends it.
fn keys_of(value: &str, end: Key) -> Vec<Event> {
    let digits = value.chars().map(|digit| Event::Text(digit.to_string()));
    let modifiers = Modifiers::NONE;
    let end = |pressed| Event::Key { key: end, physical_key: None, pressed, repeat: false, modifiers };
    digits.chain([end(true), end(false)]).collect()
}

/// Types a list of values, and checks where each went. Returns the numbers of values that were typed and that
/// arrived.
fn type_a_list(seed: u64) -> (usize, usize) {
    let mut rng = Rng::with_seed(seed);
    let typing =
        Typing { keys: KEYS[rng.usize(..KEYS.len())], is_sorted: rng.bool(), is_filtered: rng.u8(..4) == 0 };
    let mut harness = grid();
    let config: &mut GridConfig = &mut harness.app().grid.config;
    if typing.is_sorted {
        config.sort = vec![SortKey { column: "price".into(), descending: rng.bool() }];
    }
    if typing.is_filtered {
        config.has_filters = true;
        config.filters.insert("price".into(), ">15".to_owned());
    }
    harness.0.run_steps(10);
    harness.app().pace = Duration::from_millis(30);
    let start = rng.usize(..3);
    harness.go(start, PRICE);
    harness.app().notices.clear();
    // A person looks at the rows before they begin.
    harness.app().now += Duration::from_secs(10);
    harness.0.run_steps(10);
    let cursor = harness.app().grid.selection.cursor.clone().unwrap();
    let shown = shown_rows(&harness);
    let first = shown.iter().position(|row| Some(*row) == cursor.row).unwrap();
    let (rows, columns) = match typing.keys {
        [Key::Tab] => (1, ALONG.len()),
        [Key::Tab, _] => (ROWS - first, 2),
        _ => (ROWS - first, 1),
    };
    let in_row = |row: &RowId| ALONG[..columns].iter().map(|key| (*row, (*key).into())).collect::<Vec<_>>();
    let meant: Vec<(RowId, ColumnKey)> = shown.iter().skip(first).take(rows).flat_map(in_row).collect();
    let values: Vec<String> = (0..meant.len()).map(|index| format!("1{index}7")).collect();
    let (mut new, mut before_changes) = (100, 0);
    if rng.bool() {
        new += 1;
        change_unread(&mut rng, &mut harness, new);
    }
    for (value, end) in values.iter().zip(typing.keys.iter().cycle()) {
        let keys = keys_of(value, *end);
        for (index, event) in keys.into_iter().enumerate() {
            harness.event(event);
            if index < value.len() + 1 && rng.u8(..5) == 0 {
                new += 1;
                let change = change(&mut rng, &harness, new);
                harness.others(&[change]);
            }
        }
        before_changes += usize::from(new == 100);
    }
    let app = harness.app();
    let mut arrived: BTreeMap<String, (RowId, ColumnKey)> = BTreeMap::new();
    for change in app.edits.iter().flatten() {
        match change {
            Change::Set(set) => {
                drop(arrived.insert(set.value.to_string(), (set.row, set.column.clone())));
            }
            other => panic!("seed {seed}, {typing:?}: {other:?}"),
        }
    }
    let mut count = 0;
    for (index, (value, cell)) in values.iter().zip(&meant).enumerate() {
        let literal = Literal::from(value.as_str()).to_string();
        match arrived.remove(&literal) {
            Some(at) => {
                assert_eq!(at, *cell, "seed {seed}, {typing:?}: {value} went to another cell");
                count += 1;
            }
            None => {
                assert!(
                    index >= before_changes,
                    "seed {seed}, {typing:?}: nothing has changed before {value}"
                );
                assert!(
                    !app.notices.is_empty() || app.grid.editor().is_some(),
                    "seed {seed}, {typing:?}: {value} is lost without a word"
                );
            }
        }
    }
    assert!(arrived.is_empty(), "seed {seed}, {typing:?}: other values were made: {arrived:?}");
    (values.len(), count)
}

#[test]
fn each_value_goes_to_the_cell_that_was_meant_or_nowhere() {
    let lists = (0..LISTS).map(type_a_list);
    let (typed, arrived) = lists.fold((0, 0), |all, list| (all.0 + list.0, all.1 + list.1));
    assert!(arrived * 2 > typed, "{arrived} of {typed} values arrived: most changes are no reason to stop");
}

/// A price changes again and again, and the rows are sorted by it: the first key always follows a new order.
#[test]
fn a_list_goes_to_the_rows_that_are_shown_while_it_is_typed() {
    for pause in [20, 100, 200, 290, 310, 1_000] {
        let mut harness = grid();
        harness.app().grid.config.sort = vec![SortKey { column: "price".into(), descending: false }];
        harness.0.run_steps(10);
        harness.app().pace = Duration::from_millis(1);
        harness.go(2, 7);
        harness.app().now += Duration::from_secs(10);
        harness.0.run_steps(10);
        // I moves between C, which has the cursor, and D.
        harness.others_at_once(&[Change::set(row(9), &"price".into(), "35".into())]);
        harness.app().now += Duration::from_millis(300);
        harness.0.run_steps(5);
        assert_eq!(harness.symbols()[..5], ["A", "B", "C", "I", "D"], "the order is live");
        harness.app().now += Duration::from_millis(pause);
        harness.text("71");
        harness.frames();
        let shown = harness.symbols();
        harness.key(Key::Enter);
        for value in ["72", "73", "74"] {
            harness.text(value);
            assert_eq!(harness.symbols(), shown, "after {pause} ms: the rows rest while a list is typed");
            harness.key(Key::Enter);
        }
        for (symbol, value) in shown[2..].iter().zip(["71.00", "72.00", "73.00", "74.00"]) {
            assert_eq!(harness.cell(&format!("Target of {symbol}")), value, "after {pause} ms: {shown:?}");
        }
        harness.app().now += Duration::from_secs(6);
        harness.0.run_steps(10);
        assert_eq!(harness.symbols()[..5], ["A", "B", "C", "I", "D"], "the order only waits");
    }
}

/// Somebody inserts a row while a list is typed; then the person goes back and types by what is shown.
#[test]
fn a_chosen_cell_begins_a_list_of_the_rows_that_are_shown() {
    for is_clicked in [false, true] {
        let mut harness = grid();
        harness.app().pace = Duration::from_millis(30);
        harness.go(0, PRICE);
        for value in ["11", "12"] {
            harness.text(value);
            harness.key(Key::Enter);
        }
        let insert = harness.insertion_at(2, "X");
        harness.others_read(&[insert]);
        if is_clicked {
            let at = harness.node("Price of A").rect().center();
            harness.quick_click(at);
        } else {
            harness.repeat(3, Key::ArrowUp);
        }
        for value in ["21", "22", "23", "24"] {
            harness.text(value);
            harness.key(Key::Enter);
        }
        let prices = ["A", "B", "X", "C"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
        assert_eq!(prices, ["21.00", "22.00", "23.00", "24.00"], "clicked: {is_clicked}");
    }
}

/// The advice of the message helps, also at once.
#[test]
fn a_list_that_a_removed_row_has_ended_can_be_typed_again() {
    let mut harness = grid();
    harness.app().pace = Duration::from_millis(30);
    harness.go(0, PRICE);
    harness.text("11");
    harness.others(&[Change::remove(row(2), None)]);
    harness.key(Key::Enter);
    harness.text("12");
    harness.key(Key::Enter);
    let why = "The next row was removed. Choose a cell to go on.";
    assert_eq!(harness.app().notices.first().map(String::as_str), Some(why));
    harness.app().now += Duration::from_secs(2);
    harness.go(0, PRICE);
    for value in ["21", "22", "23"] {
        harness.text(value);
        harness.key(Key::Enter);
    }
    let prices = ["A", "C", "D"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
    assert_eq!(prices, ["21.00", "22.00", "23.00"]);
}

/// Creates a grid in which a person has typed a price into the first row and then paused.
fn after_a_pause() -> GridHarness {
    let mut harness = grid();
    harness.app().pace = Duration::from_millis(30);
    harness.go(0, PRICE);
    harness.text("11");
    harness.key(Key::Enter);
    harness.app().now += Duration::from_secs(6);
    harness.0.run_steps(5);
    harness
}

/// After a pause an arrow leads to the neighbour that is shown, and says nothing of a list.
#[test]
fn an_arrow_after_a_pause_follows_no_list() {
    for is_removed in [false, true] {
        let mut harness = after_a_pause();
        let insert = harness.insertion_at(2, "X");
        let change = if is_removed { Change::remove(row(3), None) } else { insert };
        harness.others_read(&[change]);
        harness.key(Key::ArrowDown);
        let expected = if is_removed { "Price of D" } else { "Price of X" };
        assert_eq!(harness.focused().as_deref(), Some(expected));
        assert!(harness.app().notices.is_empty());
        harness.text("5");
        harness.key(Key::Enter);
        assert_eq!(harness.cell(expected), "5.00");
    }
}

/// The person reads the next figures, and types on from the cell where the list has led to.
#[test]
fn a_list_that_goes_on_after_a_pause_stops_if_its_next_row_has_changed() {
    for is_changed in [false, true] {
        let mut harness = after_a_pause();
        if is_changed {
            let insert = harness.insertion_at(2, "X");
            harness.others_read(&[insert]);
        }
        for value in ["12", "13", "14"] {
            harness.text(value);
            harness.key(Key::Enter);
        }
        let prices = ["A", "B", "C", "D"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
        let notices = harness.app().notices.clone();
        if is_changed {
            assert_eq!(prices, ["11.00", "12.00", "30.00", "40.00"]);
            assert_eq!(harness.cell("Price of X"), "");
            let why = "The rows or columns have changed since you paused. Choose a cell to go on.";
            assert_eq!(notices.first().map(String::as_str), Some(why));
        } else {
            assert_eq!((prices, notices.len()), (["11.00", "12.00", "13.00", "14.00"].map(str::to_owned), 0));
        }
    }
}
