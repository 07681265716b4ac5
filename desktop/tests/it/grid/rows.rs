//! Rows and columns: sorting, filtering, and what happens to rows while they are sorted.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use shared::{edit::Change, value::Literal};

use super::desk::{row, seat, three};

const PRICE: usize = 2;

fn price(number: u128, text: &str) -> Change {
    Change::set(row(number), &"price".into(), Literal::from(text))
}

#[test]
fn a_click_on_a_header_sorts_up_down_and_no_longer() {
    let mut seat = three();
    let click = |seat: &mut super::desk::Seat| {
        seat.0.get_by_label("Price").click();
        seat.frames();
        seat.symbols()
    };
    assert_eq!(click(&mut seat), ["CCC", "BBB", "AAA"]);
    assert_eq!(click(&mut seat), ["AAA", "BBB", "CCC"]);
    assert_eq!(click(&mut seat), ["AAA", "BBB", "CCC"]);
    assert!(seat.desk().grid.config.sort.is_empty());
}

#[test]
fn shift_and_a_click_add_a_key_and_ties_keep_the_lists_order() {
    let mut seat = seat(&[("B", "1", "x"), ("A", "2", "x"), ("C", "3", "a"), ("D", "1", "x")]);
    seat.0.get_by_label("Note").click();
    seat.frames();
    assert_eq!(seat.symbols(), ["C", "B", "A", "D"]);
    seat.0.get_by_label("Price").click_modifiers(Modifiers::SHIFT);
    seat.frames();
    assert_eq!(seat.symbols(), ["C", "B", "D", "A"]);
}

#[test]
fn a_live_order_follows_values_and_a_held_one_stays_until_it_is_asked() {
    let mut seat = three();
    seat.0.remove_cursor();
    seat.go(0, PRICE);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    assert_eq!(seat.symbols(), ["CCC", "BBB", "AAA"]);
    seat.others(&[price(3, "99")]);
    assert_eq!(seat.symbols(), ["BBB", "AAA", "CCC"]);
    seat.desk().grid.config.is_held = true;
    seat.others(&[price(2, "100")]);
    assert_eq!(seat.symbols(), ["BBB", "AAA", "CCC"]);
    seat.key(Key::F5);
    assert_eq!(seat.symbols(), ["AAA", "CCC", "BBB"]);
}

#[test]
fn the_edited_row_keeps_its_place_on_screen_while_others_are_sorted_past_it() {
    let rows: Vec<(String, String)> =
        (0..200).map(|n| (format!("S{n:03}"), format!("{}", 1_000 + n))).collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price)| (&**symbol, &**price, "")).collect();
    let mut seat = seat(&rows);
    seat.go(0, PRICE);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    (0..4).for_each(|_| seat.key(Key::PageDown));
    let name = seat.focused().unwrap();
    seat.text("5");
    let top = |seat: &super::desk::Seat| seat.0.get_by_label(&name).rect().top();
    let before = top(&seat);
    let moved: Vec<Change> = (150..180).map(|n| price(n + 1, &format!("{}", n - 100))).collect();
    seat.others(&moved);
    seat.others(&[Change::remove(row(1), None), Change::remove(row(2), None)]);
    assert!((top(&seat) - before).abs() < 1.0, "{} {before}", top(&seat));
    assert_eq!(seat.editor().as_deref(), Some("5"));
}

#[test]
fn several_rows_removed_while_sorted_are_those_that_were_selected_and_no_others() {
    let mut seat = seat(&[("A", "1", ""), ("B", "2", ""), ("C", "3", ""), ("D", "4", "")]);
    seat.go(0, PRICE);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    seat.keys(Modifiers::COMMAND, Key::Home);
    seat.keys(Modifiers::SHIFT, Key::ArrowDown);
    // What was selected moves away from under the selection before the key is pressed.
    seat.others(&[price(1, "50"), price(2, "60")]);
    assert_eq!(seat.symbols(), ["C", "D", "A", "B"]);
    seat.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(seat.symbols(), ["C", "D"]);
    assert_eq!(seat.desk().edits.len(), 1);
}

#[test]
fn filters_hold_rows_back_and_the_edited_one_stays_until_the_editor_closes() {
    let mut seat = three();
    seat.desk().grid.config.has_filters = true;
    seat.desk().grid.config.filters.insert("price".into(), ">15".to_owned());
    seat.frames();
    assert_eq!(seat.symbols(), ["AAA", "BBB"]);
    seat.0.get_by_label("Filter Price");
    seat.go(1, PRICE);
    seat.text("2");
    seat.others(&[price(2, "1")]);
    assert_eq!(seat.symbols(), ["AAA", "BBB"], "it is being edited");
    seat.key(Key::Escape);
    seat.frames();
    assert_eq!(seat.symbols(), ["AAA"]);
    seat.desk().grid.config.filters.insert("price".into(), ">abc".to_owned());
    seat.frames();
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"], "what cannot be read holds nothing back");
}

#[test]
fn a_filter_is_typed_into_as_soon_as_it_is_opened_and_enter_goes_back_to_the_rows() {
    let mut seat = three();
    seat.go(0, PRICE);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    seat.text(">15");
    assert_eq!(seat.symbols(), ["AAA", "BBB"]);
    seat.key(Key::Enter);
    seat.key(Key::ArrowDown);
    assert_eq!(seat.focused().as_deref(), Some("Price of BBB"));
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"], "a closed filter holds nothing back");
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    assert_eq!(seat.symbols(), ["AAA", "BBB"]);
    seat.key(Key::Escape);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"], "Esc empties it");
}

#[test]
fn a_column_that_is_removed_while_it_is_sorted_by_sorts_no_longer() {
    let mut seat = three();
    seat.0.get_by_label("Price").click();
    seat.frames();
    assert_eq!(seat.symbols(), ["CCC", "BBB", "AAA"]);
    let key = shared::edit::KeyOnly { key: "price".into() };
    seat.others(&[Change::RemoveColumn(key)]);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn rows_are_inserted_duplicated_moved_and_removed() {
    let mut seat = three();
    seat.go(1, 0);
    seat.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "BBB", "CCC"]);
    seat.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC", "BBB"]);
    seat.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowUp);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "BBB", "CCC"]);
    seat.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(seat.symbols(), ["AAA", "BBB", "CCC"]);
    seat.go(0, 0);
    seat.key(Key::Insert);
    seat.text("NEW");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["NEW", "AAA", "BBB", "CCC"]);
    seat.keys(Modifiers::COMMAND, Key::Enter);
    seat.text("MID");
    seat.key(Key::Enter);
    assert_eq!(seat.symbols(), ["NEW", "AAA", "MID", "BBB", "CCC"]);
}

#[test]
fn found_cells_are_gone_to_in_turn() {
    let mut seat = three();
    seat.keys(Modifiers::COMMAND, Key::F);
    seat.text("second");
    seat.key(Key::Enter);
    assert_eq!(seat.focused().as_deref(), Some("Note of BBB"));
}

#[test]
fn a_row_that_is_made_under_a_filter_stays_until_the_cursor_leaves_it() {
    let mut seat = three();
    seat.desk().grid.config.has_filters = true;
    seat.desk().grid.config.filters.insert("price".into(), ">15".to_owned());
    seat.frames();
    seat.go(1, 0);
    seat.key(Key::Insert);
    (0..3).for_each(|_| seat.frames());
    seat.text("NEW");
    seat.key(Key::Enter);
    assert_eq!(seat.cell("Symbol of AAA"), "AAA", "what is typed lands in no other row");
    let symbols: Vec<_> = seat.desk().watchlist.rows().iter().map(|row| row.stored(0).clone()).collect();
    assert_eq!(symbols[1], shared::value::Value::Text("NEW".into()));
    (0..3).for_each(|_| seat.frames());
    assert_eq!(seat.symbols(), ["AAA", "BBB"]);
    let said = "The new row is not shown: it does not fit the filters.";
    assert_eq!(seat.desk().said, [said], "told once");
}

#[test]
fn a_sort_by_a_column_that_is_gone_keeps_no_row_from_being_moved() {
    let mut seat = three();
    seat.0.get_by_label("Price").click();
    seat.frames();
    seat.others(&[Change::RemoveColumn(shared::edit::KeyOnly { key: "price".into() })]);
    seat.go(0, 0);
    seat.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(seat.symbols(), ["BBB", "AAA", "CCC"]);
}

#[test]
fn a_removal_of_very_many_rows_is_asked_about_and_refused_nothing_is_lost() {
    let rows: Vec<String> = (0..10_050).map(|number| format!("S{number}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "", "")).collect();
    let mut seat = seat(&rows);
    seat.keys(Modifiers::COMMAND, Key::A);
    seat.keys(Modifiers::COMMAND, Key::Delete);
    seat.0.get_by_label(
        "10,050 changes are more than one edit takes: they are sent as 2, and undone one by one.",
    );
    seat.0.get_by_label("Cancel").click();
    seat.frames();
    let selected = |seat: &super::desk::Seat| {
        let desk = seat.desk_ref();
        desk.grid.selected_rows(&desk.grid.table(&desk.watchlist)).len()
    };
    assert_eq!((selected(&seat), seat.desk().edits.len()), (10_050, 0), "what was selected still is");
    seat.keys(Modifiers::COMMAND, Key::Delete);
    seat.key(Key::Enter);
    assert_eq!(seat.desk().edits.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 50], "in their order");
    assert_eq!(seat.symbols(), Vec::<String>::new());
}

#[test]
fn rows_stand_closer_or_with_more_room() {
    let mut seat = three();
    let height = |seat: &super::desk::Seat| seat.0.get_by_label("Price of AAA").rect().height();
    assert!((height(&seat) - 22.0).abs() < 0.1);
    seat.desk().grid.density = desktop::grid::config::Density::Comfortable;
    seat.frames();
    assert!((height(&seat) - 28.0).abs() < 0.1);
}
