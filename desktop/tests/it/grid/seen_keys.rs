//! Whatever rows and columns others insert in the moment before a key, the key leads to the cell to which it
//! would have led without them.

use std::time::Duration;

use desktop::grid::{Cursor, config::GridConfig, order::SortKey};
use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use fastrand::Rng;
use shared::{
    column::ColumnKind,
    edit::{AddColumn, Change},
    position::Position,
};

use super::desk::{GridHarness, harness, row};

/// Number of keys that are pressed in each list.
const KEYS: u64 = 150;
const NONE: Modifiers = Modifiers::NONE;
const SHIFT: Modifiers = Modifiers::SHIFT;
const COMMAND: Modifiers = Modifiers::COMMAND;
/// Keys that lead to a neighbour.
const STEPS: [(Modifiers, Key); 6] = [
    (NONE, Key::ArrowDown),
    (NONE, Key::ArrowUp),
    (NONE, Key::ArrowLeft),
    (NONE, Key::ArrowRight),
    (NONE, Key::Tab),
    (SHIFT, Key::Tab),
];
/// Keys that lead further, in a list all of which is in view.
const JUMPS: [(Modifiers, Key); 8] = [
    (NONE, Key::Home),
    (NONE, Key::End),
    (COMMAND, Key::Home),
    (COMMAND, Key::End),
    (COMMAND, Key::ArrowDown),
    (COMMAND, Key::ArrowUp),
    (NONE, Key::PageDown),
    (NONE, Key::PageUp),
];

/// Returns a list of so many rows.
fn grid(rows: usize, is_sorted: bool) -> GridHarness {
    let rows: Vec<(String, String)> =
        (0..rows).map(|number| (format!("S{number:03}"), (number + 10).to_string())).collect();
    let mut harness =
        harness(&rows.iter().map(|(symbol, price)| (&**symbol, &**price, "")).collect::<Vec<_>>());
    harness.0.remove_cursor();
    if is_sorted {
        let config: &mut GridConfig = &mut harness.app().grid.config;
        config.sort = vec![SortKey { column: "price".into(), descending: false }];
    }
    harness.0.run_steps(5);
    harness.app().pace = Duration::from_millis(10);
    harness
}

/// Presses a key, after a change by others or without one, and returns the cell that it leads to. In between the person
/// looks at the rows.
fn press(
    harness: &mut GridHarness,
    from: &Cursor,
    change: Option<Change>,
    key: (Modifiers, Key),
) -> Option<Cursor> {
    harness.app().grid.selection.cursor = Some(from.clone());
    harness.app().now += Duration::from_secs(10);
    harness.0.run_steps(40);
    if let Some(change) = change {
        harness.others_at_once(&[change]);
        harness.0.run_steps(2);
    }
    harness.keys(key.0, key.1);
    harness.app().grid.selection.cursor.clone()
}

/// Inserts a row at a random place, or a column.
fn insertion(
    rng: &mut Rng,
    harness: &GridHarness,
    places: std::ops::RangeInclusive<usize>,
    new: u128,
) -> Change {
    if rng.u8(..5) == 0 {
        let keys: Vec<_> =
            harness.app_ref().watchlist.columns().visible().map(|entry| entry.column.key.clone()).collect();
        let after = rng.bool().then(|| Some(keys[rng.usize(..keys.len())].clone()));
        let kind = ColumnKind::Number { decimals: 2 };
        let (key, title) = (format!("new{new}").as_str().into(), format!("New {new}").into());
        return Change::AddColumn(AddColumn { key, title, kind, after });
    }
    let rows = harness.app_ref().watchlist.rows();
    let place = rng.usize(places);
    let at = |index: usize| rows.at(index).map(|row| &row.position);
    let position = Position::between(place.checked_sub(1).and_then(at), at(place), 1).unwrap().remove(0);
    let price = rng.u32(1..60).to_string();
    Change::insert(
        row(new),
        &position,
        [("symbol".into(), "new".into()), ("price".into(), price.as_str().into())].into(),
    )
}

fn keys_lead_where_they_would_have_led(seed: u64, rows: usize, is_sorted: bool, keys: &[(Modifiers, Key)]) {
    let mut rng = Rng::with_seed(seed);
    let (mut quiet, mut changing) = (grid(rows, is_sorted), grid(rows, is_sorted));
    for number in 0..KEYS {
        // Both are as they were at the beginning.
        if number % 10 == 0 {
            (quiet, changing) = (grid(rows, is_sorted), grid(rows, is_sorted));
        }
        let (from, key) = {
            let app = changing.app();
            let table = app.grid.table(&app.watchlist);
            let column = table.columns()[rng.usize(..table.columns().len())].key().clone();
            let visible = rows.min(15);
            let row = match rng.u8(..3) {
                0 => table.id_at(0),
                1 => table.id_at(visible - 1),
                _ => table.id_at(rng.usize(..visible)),
            };
            (Cursor { row, column }, keys[rng.usize(..keys.len())])
        };
        let new = 1_000 + u128::from(number);
        let change = insertion(&mut rng, &changing, 0..=rows.min(15), new);
        let expected = press(&mut quiet, &from, None, key);
        let led_to = press(&mut changing, &from, Some(change.clone()), key);
        assert_eq!(led_to, expected, "seed {seed}, key {number}: {key:?} from {from:?} after {change:?}");
        // What others have inserted stays, for the quiet list as well.
        quiet.others_read(&[change]);
    }
}

#[test]
fn a_key_leads_where_it_would_have_led_in_a_list_that_is_in_view() {
    let keys: Vec<_> = STEPS.into_iter().chain(JUMPS).collect();
    for (seed, is_sorted) in [(1, false), (2, true)] {
        keys_lead_where_they_would_have_led(seed, 9, is_sorted, &keys);
    }
}

#[test]
fn a_step_leads_where_it_would_have_led_in_a_long_list() {
    for (seed, is_sorted) in [(3, false), (4, true)] {
        keys_lead_where_they_would_have_led(seed, 60, is_sorted, &STEPS);
    }
}

#[test]
fn a_step_down_from_the_last_row_begins_a_new_one() {
    for wait in [5, 15, 25] {
        let mut harness = grid(9, false);
        harness.keys(COMMAND, Key::End);
        harness.key(Key::Home);
        harness.app().now += Duration::from_secs(10);
        harness.0.run_steps(10);
        let insertion = harness.insertion_at(5, "new");
        harness.others_at_once(&[insertion]);
        harness.0.run_steps(wait);
        harness.key(Key::ArrowDown);
        assert_eq!(harness.focused().as_deref(), Some("Symbol of new row"), "after {wait} frames");
        harness.text("E1");
        harness.key(Key::Enter);
        assert!(matches!(&harness.app().edits[..], [edit] if matches!(edit[..], [Change::Insert(_)])));
    }
}

#[test]
fn a_block_that_is_pasted_on_the_last_row_adds_rows_and_replaces_none() {
    let mut harness = grid(9, false);
    harness.keys(COMMAND, Key::End);
    harness.key(Key::Home);
    harness.app().now += Duration::from_secs(10);
    harness.0.run_steps(10);
    for place in [2, 9] {
        let rows = harness.app_ref().watchlist.rows();
        let at = |index: usize| rows.at(index).map(|row| &row.position);
        let position = Position::between(at(place - 1), at(place), 1).unwrap().remove(0);
        let cells = [("symbol".into(), "new".into())].into();
        harness.others_at_once(&[Change::insert(row(500 + place as u128), &position, cells)]);
        harness.0.run_steps(2);
    }
    harness.paste("X1\tOne\nX2\tTwo\nX3\tThree\n");
    harness.0.get_by_label("This adds 2 rows at the end.");
}
