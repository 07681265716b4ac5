//! Sorting, filtering, finding, and inserting, moving and removing rows.

use desktop::grid::order::SortKey;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use shared::{edit::Change, value::Literal};

use super::desk::{GridHarness, harness, row, three_rows};

const PRICE: usize = 2;

fn price(number: u128, text: &str) -> Change {
    Change::set(row(number), &"price".into(), Literal::from(text))
}

#[test]
fn clicks_on_a_header_sort_ascending_descending_and_not_at_all() {
    let mut harness = three_rows();
    let click = |harness: &mut GridHarness| {
        harness.0.get_by_label("Price").click();
        harness.frames();
        harness.symbols()
    };
    assert_eq!(click(&mut harness), ["CCC", "BBB", "AAA"]);
    assert_eq!(click(&mut harness), ["AAA", "BBB", "CCC"]);
    assert_eq!(click(&mut harness), ["AAA", "BBB", "CCC"]);
    assert!(harness.app().grid.config.sort.is_empty());
}

#[test]
fn shift_click_adds_a_sort_key_and_ties_keep_list_order() {
    let mut harness = harness(&[("B", "1", "x"), ("A", "2", "x"), ("C", "3", "a"), ("D", "1", "x")]);
    harness.0.get_by_label("Note").click();
    harness.frames();
    assert_eq!(harness.symbols(), ["C", "B", "A", "D"]);
    harness.0.get_by_label("Price").click_modifiers(Modifiers::SHIFT);
    harness.frames();
    assert_eq!(harness.symbols(), ["C", "B", "D", "A"]);
}

#[test]
fn live_sorting_follows_values_and_paused_sorting_waits_for_a_refresh() {
    let mut harness = three_rows();
    harness.0.remove_cursor();
    harness.go(0, PRICE);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    assert_eq!(harness.symbols(), ["CCC", "BBB", "AAA"]);
    harness.others(&[price(3, "99")]);
    assert_eq!(harness.symbols(), ["BBB", "AAA", "CCC"]);
    harness.app().grid.config.is_sort_paused = true;
    harness.others(&[price(2, "100")]);
    assert_eq!(harness.symbols(), ["BBB", "AAA", "CCC"]);
    harness.key(Key::F5);
    assert_eq!(harness.symbols(), ["AAA", "CCC", "BBB"]);
}

#[test]
fn the_edited_row_keeps_its_position_on_screen_while_others_are_sorted_past_it() {
    let rows: Vec<(String, String)> =
        (0..200).map(|n| (format!("S{n:03}"), format!("{}", 1_000 + n))).collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price)| (&**symbol, &**price, "")).collect();
    let mut harness = harness(&rows);
    harness.go(0, PRICE);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    (0..4).for_each(|_| harness.key(Key::PageDown));
    let name = harness.focused().unwrap();
    harness.text("5");
    let top = |harness: &GridHarness| harness.node(&name).rect().top();
    let before = top(&harness);
    let moved: Vec<Change> = (150..180).map(|n| price(n + 1, &format!("{}", n - 100))).collect();
    harness.others(&moved);
    harness.others(&[Change::remove(row(1), None), Change::remove(row(2), None)]);
    assert!((top(&harness) - before).abs() < 1.0, "{} {before}", top(&harness));
    assert_eq!(harness.editor().as_deref(), Some("5"));
}

#[test]
fn removing_rows_while_sorted_removes_exactly_the_selected_rows() {
    let mut harness = harness(&[("A", "1", ""), ("B", "2", ""), ("C", "3", ""), ("D", "4", "")]);
    harness.go(0, PRICE);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    harness.keys(Modifiers::COMMAND, Key::Home);
    harness.keys(Modifiers::SHIFT, Key::ArrowDown);
    // The selected rows move before the key is pressed.
    harness.others(&[price(1, "50"), price(2, "60")]);
    assert_eq!(harness.symbols(), ["C", "D", "A", "B"]);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(harness.symbols(), ["C", "D"]);
    assert_eq!(harness.app().edits.len(), 1);
}

#[test]
fn filters_hide_rows_but_the_edited_one_stays_until_the_editor_closes() {
    let mut harness = three_rows();
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), ">15".to_owned());
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    harness.0.get_by_label("Filter Price");
    harness.go(1, PRICE);
    harness.text("2");
    harness.others(&[price(2, "1")]);
    assert_eq!(harness.symbols(), ["AAA", "BBB"], "it is being edited");
    harness.key(Key::Escape);
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB"], "the cursor is on it");
    harness.key(Key::ArrowUp);
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA"]);
    harness.app().grid.config.filters.insert("price".into(), ">abc".to_owned());
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"], "an invalid filter hides nothing");
}

#[test]
fn opening_the_filter_row_focuses_it_and_enter_returns_to_the_rows() {
    let mut harness = three_rows();
    harness.go(0, PRICE);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.text(">15");
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    harness.key(Key::Enter);
    harness.key(Key::ArrowDown);
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.key(Key::ArrowDown);
    harness.key(Key::ArrowUp);
    assert_eq!(harness.focused().as_deref(), Some("Price of AAA"), "Down leads to the rows as Enter does");
    harness.key(Key::ArrowDown);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.text("=20");
    assert_eq!(
        harness.symbols(),
        ["BBB"],
        "from the rows the key leads to the filter, which typing replaces"
    );
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"], "a closed filter row hides nothing");
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    harness.text("<15");
    assert_eq!(harness.symbols(), ["CCC"], "the closed filter is gone");
    harness.key(Key::Escape);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"], "Esc clears the filter");
}

#[test]
fn tab_goes_through_the_whole_filter_row_and_scrolls_it() {
    let mut harness = three_rows();
    let focused = |harness: &mut GridHarness| {
        (0..3).for_each(|_| harness.frames());
        let mut fields = harness.0.get_all_by_role(egui::accesskit::Role::TextInput);
        fields.find(|field| field.is_focused()).and_then(|field| field.accesskit_node().label())
    };
    harness.0.set_size(egui::Vec2::new(500.0, 400.0));
    harness.go(0, 0);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    let columns = harness.app().watchlist.columns().visible().count();
    let mut seen = vec![focused(&mut harness).unwrap()];
    for _ in 1..columns {
        harness.key(Key::Tab);
        seen.push(focused(&mut harness).unwrap());
    }
    assert_eq!(
        (seen[0].as_str(), seen.last().unwrap().as_str()),
        ("Filter Symbol", "Filter Due"),
        "{seen:?}"
    );
    for field in seen.iter().rev().skip(1) {
        harness.keys(Modifiers::SHIFT, Key::Tab);
        assert_eq!(focused(&mut harness).as_ref(), Some(field));
    }
}

#[test]
fn the_cursor_stays_in_view_when_the_grid_becomes_smaller() {
    let mut harness = three_rows();
    harness.go(0, 0);
    harness.key(Key::End);
    harness.0.set_size(egui::Vec2::new(500.0, 400.0));
    (0..2).for_each(|_| harness.frames());
    assert!(harness.node("Due of AAA").rect().right() <= 500.0);
    harness.app().grid.scroll.x = 0.0;
    harness.frames();
    harness.0.set_size(egui::Vec2::new(450.0, 400.0));
    (0..2).for_each(|_| harness.frames());
    assert!(harness.app().grid.scroll.x < 0.5, "a person has scrolled away from it");
}

#[test]
fn removing_the_sorted_column_removes_its_sort_key() {
    let mut harness = three_rows();
    harness.0.get_by_label("Price").click();
    harness.frames();
    assert_eq!(harness.symbols(), ["CCC", "BBB", "AAA"]);
    let key = shared::edit::ColumnRef { key: "price".into() };
    harness.others(&[Change::RemoveColumn(key)]);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn rows_are_inserted_duplicated_moved_and_removed() {
    let mut harness = three_rows();
    harness.go(1, 0);
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::D);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "BBB", "CCC"]);
    harness.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC", "BBB"]);
    harness.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowUp);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "BBB", "CCC"]);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
    harness.go(0, 0);
    harness.key(Key::Insert);
    harness.text("NEW");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["NEW", "AAA", "BBB", "CCC"]);
    harness.keys(Modifiers::ALT, Key::Insert);
    harness.text("MID");
    harness.key(Key::Enter);
    assert_eq!(harness.symbols(), ["NEW", "AAA", "MID", "BBB", "CCC"]);
}

#[test]
fn find_moves_to_the_matching_cell() {
    let mut harness = three_rows();
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("second");
    harness.key(Key::Enter);
    assert_eq!(harness.focused().as_deref(), Some("Note of BBB"));
}

#[test]
fn a_row_inserted_while_filtered_stays_until_the_cursor_leaves_it() {
    let mut harness = three_rows();
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), ">15".to_owned());
    harness.frames();
    harness.go(1, 0);
    harness.key(Key::Insert);
    (0..3).for_each(|_| harness.frames());
    harness.text("NEW");
    harness.key(Key::Enter);
    assert_eq!(harness.cell("Symbol of AAA"), "AAA", "the text goes into no other row");
    let symbols: Vec<_> = harness.app().watchlist.rows().iter().map(|row| row.stored(0).clone()).collect();
    assert_eq!(symbols[1], shared::value::Value::Text("NEW".into()));
    harness.0.run_steps(30);
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    let notice = "The new row is hidden by the filter.";
    assert_eq!(harness.app().notices, [notice], "one notice only");
}

#[test]
fn rows_can_be_moved_after_the_sorted_column_is_removed() {
    let mut harness = three_rows();
    harness.0.get_by_label("Price").click();
    harness.frames();
    harness.others(&[Change::RemoveColumn(shared::edit::ColumnRef { key: "price".into() })]);
    harness.go(0, 0);
    harness.keys(Modifiers::ALT | Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(harness.symbols(), ["BBB", "AAA", "CCC"]);
}

#[test]
fn removing_very_many_rows_needs_confirmation_and_cancelling_keeps_them() {
    let rows: Vec<String> = (0..10_050).map(|number| format!("S{number}")).collect();
    let rows: Vec<(&str, &str, &str)> = rows.iter().map(|symbol| (&**symbol, "", "")).collect();
    let mut harness = harness(&rows);
    harness.keys(Modifiers::COMMAND, Key::A);
    harness.keys(Modifiers::COMMAND, Key::Delete);
    harness.0.get_by_label(
        "10,050 changes are too many for one step: they are sent as 2 edits, and undo takes as many steps.",
    );
    harness.0.get_by_label("Cancel").click();
    harness.frames();
    let selected = |harness: &GridHarness| {
        let app = harness.app_ref();
        app.grid.selection.rows(&app.grid.table(&app.watchlist)).len()
    };
    assert_eq!((selected(&harness), harness.app().edits.len()), (10_050, 0), "the selection is kept");
    harness.keys(Modifiers::COMMAND, Key::Delete);
    harness.key(Key::Enter);
    assert_eq!(harness.app().edits.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 50], "split in order");
    assert_eq!(harness.symbols(), Vec::<String>::new());
}

#[test]
fn density_sets_the_row_height() {
    let mut harness = three_rows();
    let height = |harness: &GridHarness| harness.node("Price of AAA").rect().height();
    assert!((height(&harness) - 22.0).abs() < 0.1);
    harness.app().grid.density = desktop::theme::Density::Comfortable;
    harness.frames();
    assert!((height(&harness) - 28.0).abs() < 0.1);
}

/// The view never scrolls by itself, and the pointer does not hold the order for ever.
#[test]
fn live_sorting_waits_for_the_pointer_and_is_taken_up_a_second_after_it_rests() {
    let rows: Vec<(String, String)> =
        (0..200).map(|number| (format!("S{number:03}"), (number + 1).to_string())).collect();
    let rows: Vec<(&str, &str, &str)> =
        rows.iter().map(|(symbol, price)| (&**symbol, &**price, "")).collect();
    let mut harness = harness(&rows);
    let sort = SortKey { column: "price".into(), descending: false };
    harness.app().grid.config.sort = vec![sort];
    harness.app().grid.scroll.row = 100.0;
    harness.frames();
    let first = |harness: &GridHarness| harness.symbols().into_iter().next().unwrap();
    assert_eq!(first(&harness), "S100");
    let pointed = harness.node("Price of S110").rect().center();
    harness.0.hover_at(pointed);
    harness.frames();
    let waits = |harness: &GridHarness| {
        let header = harness.0.get_by_label("Price");
        header.accesskit_node().description().is_some_and(|text| text.contains("waits for the pointer"))
    };
    assert!(!waits(&harness));
    harness.others(&[Change::set(super::desk::row(111), &"price".into(), Literal::from("0"))]);
    assert!(harness.symbols().contains(&"S110".to_owned()), "the row under the pointer stays");
    assert!(waits(&harness));
    harness.0.run_steps(80);
    assert!(!harness.symbols().contains(&"S110".to_owned()), "a second later it has gone to its place");
    assert!((harness.app().grid.scroll.row - 100.0).abs() < 0.01, "and the view has not followed");
    assert!(!waits(&harness));
}

#[test]
fn figures_typed_one_below_the_other_go_to_the_rows_as_they_were_when_the_first_was_typed() {
    let mut harness = harness(&[("A", "10", ""), ("B", "20", ""), ("C", "30", ""), ("D", "40", "")]);
    harness.0.remove_cursor();
    let sort = SortKey { column: "price".into(), descending: false };
    harness.app().grid.config.sort = vec![sort];
    harness.frames();
    harness.go(0, PRICE);
    for text in ["45", "5", "35", "1"] {
        // Long enough for the order to follow each price.
        harness.0.run_steps(3);
        harness.text(text);
        harness.0.run_steps(3);
        harness.key(Key::Enter);
    }
    let prices = ["A", "B", "C", "D"].map(|symbol| harness.cell(&format!("Price of {symbol}")));
    assert_eq!(prices, ["45.00", "5.00", "35.00", "1.00"]);
    assert_eq!(harness.symbols(), ["A", "B", "C", "D"]);
    harness.0.run_steps(40);
    assert_eq!(harness.symbols(), ["D", "B", "C", "A"], "the order is taken up once the typing has stopped");
}

/// Filters by price; a value of the row under the cursor then excludes it.
#[test]
fn a_row_that_no_longer_matches_the_filter_stays_while_the_cursor_is_on_it() {
    let filtered = || {
        let mut harness = harness(&[("A", "80", ""), ("B", "90", ""), ("C", "100", ""), ("D", "110", "")]);
        harness.0.remove_cursor();
        harness.app().grid.config.has_filters = true;
        harness.app().grid.config.filters.insert("price".into(), ">70".to_owned());
        harness.frames();
        harness
    };
    let mut own = filtered();
    own.go(1, PRICE);
    for text in ["12", "44.5"] {
        own.text(text);
        own.key(Key::Tab);
        own.0.run_steps(3);
    }
    assert_eq!((own.cell("Price of B"), own.cell("Previous close of B")), ("12.00".into(), "44.50".into()));
    assert_eq!(own.symbols(), ["A", "B", "C", "D"]);
    own.0.run_steps(40);
    assert_eq!(own.symbols(), ["A", "B", "C", "D"], "however long the cursor is on it");
    own.key(Key::ArrowDown);
    own.0.run_steps(40);
    assert_eq!(own.symbols(), ["A", "C", "D"]);
    assert!(own.focused().unwrap().ends_with(" of C"));

    let mut at_rest = filtered();
    at_rest.go(2, PRICE);
    at_rest.others(&[price(3, "5")]);
    at_rest.0.run_steps(40);
    at_rest.text("300");
    at_rest.key(Key::Enter);
    assert_eq!(at_rest.cell("Price of C"), "300.00");

    // Others exclude rows ahead of a list that is typed.
    let mut typing = filtered();
    typing.go(0, PRICE);
    for (number, text) in ["201", "202", "203", "204"].iter().enumerate() {
        typing.text(text);
        typing.key(Key::Enter);
        if number == 0 {
            typing.others(&[price(3, "1")]);
        }
        typing.0.run_steps(3);
    }
    let prices = ["A", "B", "C", "D"].map(|symbol| typing.cell(&format!("Price of {symbol}")));
    assert_eq!(prices, ["201.00", "202.00", "203.00", "204.00"]);
}

#[test]
fn rows_keep_their_places_while_arrow_keys_move_the_cursor() {
    let mut harness = three_rows();
    harness.0.remove_cursor();
    harness.app().grid.config.sort = vec![SortKey { column: "price".into(), descending: true }];
    harness.frames();
    harness.go(0, PRICE);
    harness.app().pace = std::time::Duration::from_millis(100);
    harness.key(Key::ArrowDown);
    harness.others(&[price(3, "99")]);
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
    harness.0.run_steps(20);
    assert_eq!(harness.symbols(), ["CCC", "AAA", "BBB"]);
}

#[test]
fn closing_the_filter_row_clears_it_and_a_filter_without_matches_says_so() {
    let mut harness = three_rows();
    harness.go(0, 2);
    let toggle = Modifiers::COMMAND | Modifiers::SHIFT;
    harness.keys(toggle, Key::L);
    harness.text(">25");
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA"]);
    harness.keys(toggle, Key::L);
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
    harness.keys(toggle, Key::L);
    harness.text(">99");
    harness.frames();
    harness.0.get_by_label("No row matches the filters.");
    harness.0.get_by_label("Clear filters").click();
    harness.frames();
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB", "CCC"]);
}

#[test]
fn the_cursor_returns_to_its_row_when_the_filter_that_hides_it_is_cleared() {
    let mut harness = three_rows();
    harness.go(1, 2);
    harness.app().grid.config.has_filters = true;
    for (filter, waits_on) in [(">25", "Price of AAA"), ("<15", "Price of CCC"), (">99", "Price of new row")]
    {
        harness.app().grid.config.filters.insert("price".into(), filter.to_owned());
        harness.frames();
        harness.frames();
        assert_eq!(harness.focused().as_deref(), Some(waits_on), "{filter}");
    }
    harness.app().grid.config.filters.clear();
    harness.frames();
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Price of BBB"));
    harness.app().grid.config.filters.insert("price".into(), ">25".to_owned());
    harness.frames();
    harness.key(Key::ArrowLeft);
    harness.key(Key::ArrowDown);
    harness.key(Key::ArrowUp);
    harness.app().grid.config.filters.clear();
    harness.frames();
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Company of AAA"), "unless it has been moved");
}

#[test]
fn hiding_a_column_moves_the_cursor_to_its_neighbour() {
    let mut harness = three_rows();
    harness.go(1, 2);
    harness.app().grid.queue_command(desktop::command::ColumnCommand::Hide);
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Change of BBB"));
}

#[test]
fn a_row_that_a_later_filter_hides_is_not_called_new() {
    let mut harness = three_rows();
    harness.go(1, 0);
    harness.key(Key::Insert);
    harness.text("NEW");
    harness.key(Key::Enter);
    harness.app().grid.config.has_filters = true;
    harness.app().grid.config.filters.insert("price".into(), ">15".to_owned());
    harness.frames();
    harness.frames();
    assert_eq!(harness.symbols(), ["AAA", "BBB"]);
    assert_eq!(harness.app().notices, [""; 0]);
}

#[test]
fn a_section_is_not_inserted_into_a_sorted_list() {
    let mut harness = three_rows();
    harness.0.get_by_label("Price").click();
    harness.frames();
    harness.keys(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    assert!(harness.app().edits.is_empty());
    assert!(harness.app().notices[0].contains("Clear the sort first"), "{:?}", harness.app().notices);
}

/// Symbols and prices, typed into the empty row at the end of a sorted list, one row after the other.
#[test]
fn rows_are_typed_one_after_the_other_at_the_end_of_a_sorted_list() {
    let mut harness = harness(&[("A", "10", ""), ("B", "90", ""), ("C", "50", "")]);
    harness.0.remove_cursor();
    harness.app().grid.config.sort = vec![SortKey { column: "price".into(), descending: false }];
    harness.frames();
    harness.go(0, 0);
    harness.keys(Modifiers::COMMAND, Key::End);
    harness.key(Key::ArrowDown);
    harness.key(Key::Home);
    for (symbol, price) in [("N1", "60.5"), ("N2", "20"), ("N3", "70")] {
        harness.text(symbol);
        harness.key(Key::Tab);
        // Long enough to look up the price.
        harness.0.run_steps(60);
        harness.key(Key::Tab);
        harness.text(price);
        harness.key(Key::Enter);
    }
    harness.0.run_steps(80);
    assert_eq!(harness.symbols(), ["A", "N2", "C", "N1", "N3", "B"]);
}
