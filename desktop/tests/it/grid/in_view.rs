//! What is in view after the cursor has gone far: the rows that a person wants to see are there.

use desktop::grid::{config::GridConfig, order::SortKey};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use shared::{edit::Change, value::Literal};

use super::desk::{GridHarness, harness, row};

const PRICE: usize = 2;
const NOTE: usize = 8;

/// Returns a grid of 200 rows, of which a few are in view, with prices from 1 to 200.
fn many_rows() -> GridHarness {
    let rows: Vec<(String, String)> =
        (0..200).map(|number| (format!("S{number:03}"), (number + 1).to_string())).collect();
    harness(&rows.iter().map(|(symbol, price)| (&**symbol, &**price, "")).collect::<Vec<_>>())
}

fn is_in_view(harness: &GridHarness, symbol: &str) -> bool {
    harness.symbols().iter().any(|shown| shown == symbol)
}

#[test]
fn a_paste_at_the_end_of_a_long_list_is_shown() {
    let mut harness = many_rows();
    harness.go(0, 0);
    harness.keys(Modifiers::COMMAND, Key::End);
    harness.key(Key::Home);
    harness.key(Key::ArrowDown);
    assert_eq!(harness.focused().as_deref(), Some("Symbol of new row"));
    let block: String = (0..15).map(|number| format!("N{number:02}\tNew\t7\n")).collect();
    harness.paste(&block);
    harness.key(Key::Enter);
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Symbol of N00"));
    for number in 0..15 {
        assert!(is_in_view(&harness, &format!("N{number:02}")), "{number}: {:?}", harness.symbols());
    }
}

#[test]
fn a_match_is_shown_with_rows_around_it() {
    let mut harness = many_rows();
    harness.keys(Modifiers::COMMAND, Key::F);
    harness.text("S150");
    harness.frames();
    assert_eq!(harness.focused().as_deref(), Some("Symbol of S150"));
    let shown = harness.symbols();
    let place = shown.iter().position(|symbol| symbol == "S150").unwrap();
    let around = 3..shown.len() - 3;
    assert!(around.contains(&place), "row {place} of {}: {shown:?}", shown.len());
}

#[test]
fn the_row_of_the_cursor_is_in_view_when_a_filter_is_cleared() {
    for filter in [">195", "<5", ">500"] {
        let mut harness = many_rows();
        harness.go(100, PRICE);
        assert!(is_in_view(&harness, "S100"));
        let config: &mut GridConfig = &mut harness.app().grid.config;
        config.has_filters = true;
        config.filters.insert("price".into(), filter.to_owned());
        harness.frames();
        harness.frames();
        assert!(!is_in_view(&harness, "S100"), "{filter}");
        harness.app().grid.config.filters.clear();
        harness.frames();
        harness.frames();
        assert_eq!(harness.focused().as_deref(), Some("Price of S100"), "{filter}");
        assert!(is_in_view(&harness, "S100"), "{filter}: {:?}", harness.symbols());
    }
}

/// Its row matches all the time.
#[test]
fn the_row_of_the_cursor_stays_in_view_when_more_rows_are_shown() {
    for is_find in [false, true] {
        let mut harness = many_rows();
        if is_find {
            harness.keys(Modifiers::COMMAND, Key::F);
            harness.text("S15");
            harness.keys(Modifiers::ALT, Key::F);
        } else {
            let config: &mut GridConfig = &mut harness.app().grid.config;
            config.has_filters = true;
            config.filters.insert("symbol".into(), "S15".to_owned());
        }
        harness.frames();
        harness.frames();
        assert_eq!(harness.symbols()[0], "S150");
        harness.key(if is_find { Key::Enter } else { Key::ArrowDown });
        let cursor = harness.app().grid.selection.cursor.clone().unwrap();
        assert_eq!(cursor.row, Some(row(152)));
        if is_find {
            harness.key(Key::Escape);
        } else {
            harness.app().grid.config.filters.clear();
        }
        harness.frames();
        harness.frames();
        assert_eq!(harness.app().grid.selection.cursor, Some(cursor));
        assert!(is_in_view(&harness, "S151"), "find: {is_find}: {:?}", harness.symbols());
    }
}

/// Digits that are typed while no row matches make no row without a name.
#[test]
fn what_is_typed_while_a_filter_hides_every_row_adds_none() {
    let mut harness = many_rows();
    harness.go(100, PRICE);
    let config: &mut GridConfig = &mut harness.app().grid.config;
    config.has_filters = true;
    config.filters.insert("price".into(), ">500".to_owned());
    harness.frames();
    harness.frames();
    harness.text("7");
    harness.key(Key::Enter);
    assert!(harness.app().edits.is_empty());
    let why = "A new row starts with its Symbol.";
    assert!(!harness.app().notices.is_empty() && harness.app().notices.iter().all(|notice| notice == why));
}

#[test]
fn a_paused_order_is_marked_in_the_header() {
    let mut harness = many_rows();
    let config: &mut GridConfig = &mut harness.app().grid.config;
    config.sort = vec![SortKey { column: "price".into(), descending: false }];
    harness.frames();
    let description = |harness: &GridHarness| {
        harness.0.get_by_label("Price").accesskit_node().description().map(|text| text.to_string())
    };
    let shapes = |harness: &GridHarness| harness.0.output().shapes.len();
    let (live, before) = (shapes(&harness), description(&harness));
    harness.app().grid.config.is_sort_paused = true;
    harness.frames();
    assert_eq!((before, description(&harness)), (None, Some("Sorting is paused".to_owned())));
    assert_eq!(shapes(&harness), live + 2, "two bars beside the arrow");
}

#[test]
fn the_card_of_a_cell_is_beside_it() {
    let mut harness = many_rows();
    harness.0.remove_cursor();
    let long = "x".repeat(80);
    harness.others(&[Change::set(row(4), &"note".into(), Literal::from(long.as_str()))]);
    harness.go(3, NOTE);
    let cell = harness.node("Note of S003").rect();
    harness.keys(Modifiers::SHIFT, Key::F2);
    let card = harness.0.get_by_label(&long).rect();
    assert!(card.left() >= cell.right() || card.right() <= cell.left(), "{card} is in the column of {cell}");
}
