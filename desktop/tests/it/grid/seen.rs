//! Clicks, keys and figures that follow a change by others so soon that the person cannot have read it: they
//! go to the rows that were there before.

use std::time::Duration;

use desktop::grid::{config::GridConfig, order::SortKey};
use egui::{Event, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{
    edit::{Change, ColumnRef},
    ids::RowId,
    value::Literal,
};

use super::desk::{GridHarness, harness, row};

const PRICE: usize = 2;

fn grid() -> GridHarness {
    let symbols = ["A", "B", "C", "D", "E", "F"];
    let prices = ["10", "20", "30", "40", "50", "60"];
    let rows: Vec<_> = symbols.into_iter().zip(prices).map(|(symbol, price)| (symbol, price, "")).collect();
    let mut harness = harness(&rows);
    harness.go(1, PRICE);
    rest(&mut harness);
    harness
}

/// Lets the person look at the rows, from where each step takes a moment only.
fn rest(harness: &mut GridHarness) {
    harness.app().pace = Duration::from_millis(10);
    harness.app().now += Duration::from_secs(10);
    harness.0.run_steps(30);
}

fn set(number: u128, price: &str) -> Change {
    Change::set(row(number), &"price".into(), Literal::from(price))
}

/// Returns the rows and the values that were set since.
fn edits(harness: &mut GridHarness) -> Vec<(RowId, String)> {
    let edits = std::mem::take(&mut harness.app().edits);
    let of_change = |change| match change {
        Change::Set(set) => Some((set.row, set.value.to_string().replace('"', ""))),
        _ => None,
    };
    edits.into_iter().flatten().filter_map(of_change).collect()
}

fn typed(harness: &mut GridHarness, text: &str) -> Vec<(RowId, String)> {
    harness.text(text);
    harness.key(Key::Enter);
    edits(harness)
}

#[test]
fn an_arrow_leads_to_the_row_that_was_next_when_somebody_inserts_one() {
    for (wait, number) in [(0, 3), (200, 3), (400, 99)] {
        let mut harness = grid();
        let insertion = harness.insertion_at(2, "new");
        harness.others_at_once(&[insertion]);
        harness.0.run_steps(wait / 10);
        harness.key(Key::ArrowDown);
        assert_eq!(typed(&mut harness, "1"), [(row(number), "1".to_owned())], "after {wait} ms");
    }
}

/// Others set a value in the moment in which the person opens the one before it.
#[test]
fn an_editor_opens_with_the_value_that_was_read_and_asks_before_it_replaces_another() {
    type Keys = fn(&mut GridHarness);
    let cases: [(Keys, &str); 4] = [
        (
            |harness| {
                harness.key(Key::F2);
                harness.key(Key::Backspace);
                harness.text("9");
            },
            "Replace bob\u{2019}s 200.00 with 29.00?",
        ),
        (
            |harness| {
                harness.key(Key::F2);
                harness.text("5");
            },
            "Replace bob\u{2019}s 200.00 with 205.00?",
        ),
        (
            |harness| {
                harness.key(Key::F2);
                harness.keys(Modifiers::COMMAND, Key::ArrowUp);
            },
            "Replace bob\u{2019}s 200.00 with 20.01?",
        ),
        (
            |harness| {
                harness.key(Key::Enter);
                harness.keys(Modifiers::COMMAND, Key::ArrowUp);
            },
            "Replace bob\u{2019}s 200.00 with 20.01?",
        ),
    ];
    for (keys, question) in cases {
        let mut harness = grid();
        harness.others_at_once(&[set(2, "200")]);
        keys(&mut harness);
        assert_eq!((typed(&mut harness, ""), harness.editor().is_some()), (Vec::new(), true), "{question}");
        harness.0.get_by_label(question);
    }
}

#[test]
fn what_is_copied_is_what_was_read() {
    for event in [Event::Copy, Event::Cut] {
        let mut harness = grid();
        harness.others_at_once(&[set(2, "200")]);
        harness.event(event);
        assert_eq!(harness.app_ref().copied.trim_end(), "20");
    }
    let mut harness = grid();
    harness.others_at_once(&[set(2, "200")]);
    harness.0.run_steps(40);
    harness.event(Event::Copy);
    assert_eq!(harness.app_ref().copied.trim_end(), "200", "after a while it is read");
}

/// Others insert a row between the selected ones.
#[test]
fn the_entire_rows_of_a_selection_are_those_that_were_selected() {
    let mut harness = grid();
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    let insertion = harness.insertion_at(2, "new");
    harness.others(&[insertion]);
    rest(&mut harness);
    harness.keys(Modifiers::SHIFT, Key::Space);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(harness.symbols(), ["A", "new", "E", "F"]);
}

#[test]
fn an_arrow_leads_to_the_row_that_was_next_when_the_rows_are_sorted_again() {
    for (wait, number) in [(50, 3), (600, 6)] {
        let mut harness = grid();
        let config: &mut GridConfig = &mut harness.app().grid.config;
        config.sort = vec![SortKey { column: "price".into(), descending: false }];
        rest(&mut harness);
        harness.others_at_once(&[set(6, "25")]);
        // A live order follows a quarter of a second after the one before at the earliest.
        harness.0.run_steps(1 + wait / 10);
        assert_eq!(harness.symbols()[..4], ["A", "B", "F", "C"]);
        harness.key(Key::ArrowDown);
        assert_eq!(typed(&mut harness, "1"), [(row(number), "1".to_owned())], "after {wait} ms");
    }
}

#[test]
fn a_list_of_figures_goes_to_the_rows_that_were_there_before_its_first_key() {
    let mut harness = grid();
    let insertion = harness.insertion_at(2, "new");
    harness.others_at_once(&[insertion]);
    harness.0.run_steps(10);
    let mut all = Vec::new();
    for text in ["1", "2", "3"] {
        all.extend(typed(&mut harness, text));
    }
    let expected = [(2, "1"), (3, "2"), (4, "3")];
    assert_eq!(all, expected.map(|(number, text)| (row(number), text.to_owned())));
}

#[test]
fn a_block_is_pasted_into_the_rows_that_were_there_before() {
    let mut harness = grid();
    let insertion = harness.insertion_at(2, "new");
    harness.others_at_once(&[insertion]);
    harness.0.run_steps(10);
    harness.paste("1\n2\n3");
    let expected = [(2, "1"), (3, "2"), (4, "3")];
    assert_eq!(edits(&mut harness), expected.map(|(number, text)| (row(number), text.to_owned())));
}

#[test]
fn a_click_chooses_the_row_that_was_at_its_place() {
    for (wait, number) in [(0, 4), (200, 4), (400, 3)] {
        let mut harness = grid();
        let place = harness.node("Price of D").rect().center();
        let insertion = harness.insertion_at(1, "new");
        harness.others_at_once(&[insertion]);
        harness.0.run_steps(wait / 10 + 1);
        harness.quick_click(place);
        assert_eq!(typed(&mut harness, "1"), [(row(number), "1".to_owned())], "after {wait} ms");
    }
}

#[test]
fn nothing_is_typed_after_a_click_on_a_row_that_was_just_removed() {
    let mut harness = grid();
    let place = harness.node("Price of D").rect().center();
    harness.others_at_once(&[Change::remove(row(4), None)]);
    harness.0.run_steps(10);
    harness.quick_click(place);
    assert!(harness.app_ref().notices[0].contains("was just removed"), "{:?}", harness.app_ref().notices);
    assert_eq!(typed(&mut harness, "1"), []);
    harness.quick_click(place);
    rest(&mut harness);
    harness.quick_click(place);
    assert_eq!(typed(&mut harness, "1"), [(row(5), "1".to_owned())]);
}

#[test]
fn what_the_person_changes_is_seen_at_once() {
    let mut harness = grid();
    harness.keys(Modifiers::NONE, Key::Insert);
    harness.0.run_steps(2);
    harness.key(Key::ArrowDown);
    harness.0.event(Event::Text("1".to_owned()));
    harness.0.run_steps(3);
    harness.key(Key::Enter);
    let below = harness.app_ref().watchlist.rows().at(2).unwrap().id;
    assert_eq!(edits(&mut harness), [(below, "1".to_owned())]);
}

/// Others change the cell at different moments before the first key.
#[test]
fn a_figure_is_guarded_by_the_value_that_was_there_long_enough_to_be_read() {
    for (wait, is_read) in [(0, false), (200, false), (400, true)] {
        // Once the person has read the new value in the question, a change is one of that.
        for (text, expected) in [("88", "88"), ("+1", "708")] {
            let mut harness = grid();
            harness.others_at_once(&[set(2, "707")]);
            harness.0.run_steps(wait / 10);
            let sent = typed(&mut harness, text);
            if is_read {
                assert_eq!(sent, [(row(2), expected.to_owned())], "{text} after {wait} ms");
            } else {
                assert_eq!(sent, [], "{text} after {wait} ms");
                harness.0.get_by_label(&format!("Replace bob\u{2019}s 707.00 with {expected}.00?"));
                harness.0.run_steps(60);
                harness.key(Key::Enter);
                assert_eq!(edits(&mut harness), [(row(2), expected.to_owned())], "{text} once it is read");
            }
        }
    }
}

#[test]
fn a_cleared_cell_is_guarded_by_the_value_that_was_there_long_enough_to_be_read() {
    for (wait, was) in [(200, "20"), (400, "707")] {
        let mut harness = grid();
        harness.others_at_once(&[set(2, "707")]);
        harness.0.run_steps(wait / 10);
        let clear = Change::set_guarded(row(2), &"price".into(), Literal::Empty, Literal::from(was));
        harness.key(Key::Delete);
        assert_eq!(harness.app_ref().edits, [[clear]]);
    }
}

/// A row leaves by its removal or because of a filter, or a column is removed, just before a key that leads there.
#[test]
fn nothing_is_typed_in_place_of_a_neighbour_that_is_gone() {
    let remove_column = || Change::RemoveColumn(ColumnRef { key: "previousClose".into() });
    for (gone, key, why) in [
        (Change::remove(row(3), None), Key::ArrowDown, "The next row was removed"),
        (Change::remove(row(1), None), Key::ArrowUp, "The next row was removed"),
        (set(3, "5"), Key::ArrowDown, "The next row does not match the filter any more"),
        (remove_column(), Key::Tab, "The next column was removed"),
    ] {
        let mut harness = grid();
        let config: &mut GridConfig = &mut harness.app().grid.config;
        config.has_filters = true;
        config.filters.insert("price".into(), ">7".to_owned());
        rest(&mut harness);
        harness.others_at_once(std::slice::from_ref(&gone));
        // A filter is applied again a quarter of a second after the last time at the earliest.
        harness.0.run_steps(10);
        harness.key(key);
        assert_eq!(typed(&mut harness, "1"), [], "{gone:?}");
        let notices = harness.app_ref().notices.clone();
        assert!(notices.iter().any(|notice| notice.starts_with(why)), "{gone:?}: {notices:?}");
    }
}

#[test]
fn a_list_and_a_block_stop_where_a_row_was_removed_just_before() {
    let mut harness = grid();
    harness.others_at_once(&[Change::remove(row(3), None)]);
    harness.0.run_steps(10);
    let mut all = Vec::new();
    for text in ["1", "2", "3"] {
        all.extend(typed(&mut harness, text));
    }
    assert_eq!(all, [(row(2), "1".to_owned())]);
    let mut harness = grid();
    harness.others_at_once(&[Change::remove(row(3), None)]);
    harness.0.run_steps(10);
    harness.paste("1\n2\n3");
    assert_eq!(edits(&mut harness), []);
    assert!(harness.app_ref().notices[0].ends_with("Paste again."), "{:?}", harness.app_ref().notices);
    rest(&mut harness);
    harness.paste("1\n2");
    assert_eq!(edits(&mut harness), [(row(2), "1".to_owned()), (row(4), "2".to_owned())]);
}

#[test]
fn an_arrow_leads_on_to_the_end_of_the_rows() {
    let mut harness = grid();
    let insertion = harness.insertion_at(1, "new");
    harness.others_at_once(&[insertion]);
    harness.0.run_steps(5);
    for symbol in ["C", "D", "E", "F"] {
        harness.key(Key::ArrowDown);
        assert_eq!(harness.focused(), Some(format!("Price of {symbol}")));
        harness.others_at_once(&[set(1, "11")]);
    }
    harness.key(Key::ArrowDown);
    assert_eq!(harness.app_ref().grid.selection.cursor.as_ref().unwrap().row, None);
}

/// Several cells are changed at once, and others have just changed one of them, or the one that is copied.
#[test]
fn every_cell_of_a_selection_is_guarded_by_the_value_that_was_read() {
    let guarded = |number, value: Literal, was: &str| {
        Change::set_guarded(row(number), &"price".into(), value, Literal::from(was))
    };
    type Act = fn(&mut GridHarness);
    let acts: [(Act, Literal, Literal); 4] = [
        (|harness| harness.key(Key::Delete), Literal::Empty, Literal::Empty),
        (|harness| harness.paste("7\n7"), "7".into(), "7".into()),
        (
            |harness| {
                harness.text("7");
                harness.keys(Modifiers::COMMAND, Key::Enter);
            },
            "7".into(),
            "7".into(),
        ),
        (|harness| harness.keys(Modifiers::COMMAND, Key::D), "20".into(), "20".into()),
    ];
    for (index, (act, first, second)) in acts.into_iter().enumerate() {
        let mut harness = grid();
        harness.keys(Modifiers::SHIFT, Key::ArrowDown);
        rest(&mut harness);
        harness.others_at_once(&[set(2, "707"), set(3, "808")]);
        harness.0.run_steps(10);
        act(&mut harness);
        let made: Vec<Change> = harness.app_ref().edits.iter().flatten().cloned().collect();
        let both = [guarded(2, first, "20"), guarded(3, second, "30")];
        let expected = if index == 3 { &both[1..] } else { &both[..] };
        assert_eq!(made, expected, "act {index}");
    }
}

/// The person types for a while, and enters the value into every selected cell.
#[test]
fn a_value_for_a_selection_is_guarded_by_what_was_there_when_its_editor_was_opened() {
    let mut harness = grid();
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    harness.text("4");
    harness.others(&[set(2, "707"), set(3, "808")]);
    rest(&mut harness);
    harness.text("7");
    harness.keys(Modifiers::COMMAND, Key::Enter);
    let guarded = |number, was: &str| {
        Change::set_guarded(row(number), &"price".into(), Literal::from("47"), Literal::from(was))
    };
    assert_eq!(harness.app_ref().edits, [[guarded(2, "20"), guarded(3, "30")]]);
}
